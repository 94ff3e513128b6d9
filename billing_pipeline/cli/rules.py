"""`rules check` and `rules diff`: the rules workbook judged as a whole, and what changed between two of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from billing_pipeline.cli.console import BAD_INPUT, output, print_json, table

app = typer.Typer(no_args_is_help=True, help="Check a rules workbook, or see what changed between two.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The rules workbook (.xlsx).")],
    json: Json = False,
) -> None:
    """List everything wrong with a rules workbook, each with its cell: errors, which stop a bill, then warnings.

    Exit code 0: no errors. 2: errors, or not a workbook.

    [bold]Examples[/bold]

      billing-pipeline rules check gep_billing_rules.xlsx

      billing-pipeline rules check gep_billing_rules.xlsx --json
    """
    from billing_pipeline.engine import rules
    from billing_pipeline.resources.files import read_whole

    errors, warnings = rules.check(read_whole(file), file.name)
    document = rules.check_document(errors, warnings)
    if json:
        print_json(document)
    else:
        for kind in ("errors", "warnings"):
            if document[kind]:
                _print_problems(kind, document[kind])
        counts = ", ".join(_counted(len(document[kind]), kind.removesuffix("s")) for kind in ("errors", "warnings"))
        output.print(f"[{'bold red' if errors else 'green'}]{counts}[/]")
    raise typer.Exit(BAD_INPUT if errors else 0)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The earlier rules workbook (.xlsx).")],
    new: Annotated[Path, typer.Argument(help="The later rules workbook (.xlsx).")],
    json: Json = False,
) -> None:
    """List what changed between two rules workbooks, cell by cell.

    Rows are matched by partner and tier, wherever they moved.
    Values are compared, not spellings: $7.13 is 7.13.
    Cells are those of the new workbook, of the old one for what was removed.

    Exit code 0: done, changes or not. 2: a workbook cannot be read.

    [bold]Example[/bold]

      billing-pipeline rules diff rules_january.xlsx gep_billing_rules.xlsx
    """
    from billing_pipeline.engine import rules
    from billing_pipeline.resources.files import read_whole

    changes = rules.diff(read_whole(old), read_whole(new)).to_dicts()
    if json:
        print_json({"old": str(old), "new": str(new), "changes": changes})
        return
    if changes:
        columns = ("kind", "sheet", "cell", "partner", "field", "old", "new")
        output.print(table("Changed cells", columns, (change.values() for change in changes)))
        output.print()
    kinds = Counter(change["kind"] for change in changes)
    partners = {change["partner"] for change in changes}
    found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    output.print(f"{found} cells of {_counted(len(partners), 'partner')}" if changes else "No rule differs.")


def _print_problems(kind: str, problems: Iterable[Mapping[str, str]]) -> None:
    rows = [
        ("!".join(filter(None, (problem["sheet"], problem["cell"]))), problem["value"], problem["message"])
        for problem in problems
    ]
    output.print(table(kind.capitalize(), ("cell", "found", "problem"), rows))
    output.print()


def _counted(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"
