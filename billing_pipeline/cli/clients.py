"""`clients`: what managed-services clients are billed."""

import json as json_
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from billing_pipeline.cli.console import DONE, WAITING, messages, print_json, safe, say, table
from billing_pipeline.cli.options import By, Json, Reason, person
from billing_pipeline.engine.errors import InputError, Problem

_SHOWN = 60  # changes of an import

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Managed services: devices, people, hours, backups, items."
)


@app.command()
def calculate(
    input_file: Annotated[
        Path,
        typer.Option("--input", help="A JSON document with period and inputs: company, plans, assets, users, tickets."),
    ],
    policy: Annotated[
        Literal["recommended", "reference"],
        typer.Option(
            help="recommended: exact components, and what each switch should be; reference: as the former system."
        ),
    ] = "recommended",
    json: Json = False,
) -> None:
    """Price one client from a document, for a quote or a dispute, without touching the book.

    Exit code 0: priced. 3: the client cannot be billed, with the reason. 2: the document cannot be used; every field
    that is wrong is listed.

    [bold]Example[/bold]

      billing-pipeline clients calculate --input client.json --policy reference --json
    """
    document = _calculated(input_file, policy)
    if json:
        print_json(document)
    else:
        _print(document)
    raise typer.Exit(DONE if document["billable"] else WAITING)


def _calculated(path: Path, policy: str) -> dict[str, Any]:
    import polars as pl

    from billing_pipeline.engine.managed_services import (
        MONEY,
        REFERENCE,
        Policy,
        book_of,
        client_bills,
        contract_end,
        day_of,
    )
    from billing_pipeline.resources.files import read_whole

    if not path.is_file():
        raise InputError(Problem("no such document", file=str(path)))
    try:
        given = json_.loads(read_whole(path), parse_float=Decimal)
    except ValueError as error:
        raise InputError(Problem(f"is not JSON: {error}", file=str(path))) from None
    if not isinstance(given, dict):
        raise InputError(Problem("is not a JSON object", file=str(path)))
    book, period, warnings = book_of(given)
    found = client_bills(book, period, REFERENCE if policy == "reference" else Policy())
    reasons = found.exceptions["reason"].to_list()
    end = book.clients.select(contract_end())["contract_end"][0]
    today = day_of(given, period)
    lines = found.lines.drop("account").with_columns(pl.col("amount").cast(pl.String))
    said = [f"{row['name']}: {row['warning']}" for row in found.warnings.to_dicts()]
    return {
        "period": period.key,
        "account": book.clients["account"][0],
        "contract": {"end": None if end is None else str(end), "expired": end is not None and end < today},
        "billable": not reasons,
        **({"reason": reasons[0]} if reasons else {}),
        "money": {name: str(found.bills[name][0]) for name in MONEY} if found.bills.height else {},
        "lines": lines.to_dicts(),
        "exceptions": found.exceptions.to_dicts(),
        "warnings": [*warnings, *said],
    }


def _print(document: dict[str, Any]) -> None:
    if not document["billable"]:
        say(f"[yellow]{safe(document['account'])} is not billed[/yellow]: {safe(document['reason'])}")
        return
    columns = ("kind", "name", "type", "amount", "from")
    rows = [(line["kind"], line["name"], line["type"], line["amount"], line["source"]) for line in document["lines"]]
    messages.print(table(f"{safe(document['account'])}, {document['period']}", columns, rows, ("amount",)))
    end, expired = document["contract"]["end"], document["contract"]["expired"]
    say(f"contract: {'ended' if expired else 'ends'} on {end}" if end else "contract: without an end")
    for name, amount in document["money"].items():
        say(f"{name.replace('_', ' ')}: {amount}")
    for warning in document["warnings"]:
        say(f"[yellow]look[/yellow]: {safe(warning)}")


@app.command("export-book")
def export_book(out: Annotated[Path, typer.Option(help="The Excel workbook to write.")], json: Json = False) -> None:
    """Write the book of clients as one workbook: plans, client rates, overrides, manual rows, line items, contracts.

    Edit it and bring it back with `import-book`; what was not edited comes back as it was.

    [bold]Example[/bold]

      billing-pipeline clients export-book --out clients.xlsx
    """
    from billing_pipeline.cli.client_book import exported

    document = exported(out)
    if json:
        print_json(document)
    else:
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in document["rows"].items() if count)
        say(f"{safe(out)}: {said or 'an empty book, with its columns'}")
    raise typer.Exit(DONE)


@app.command("import-book")
def import_book(
    file: Annotated[Path, typer.Argument(help="The workbook, as `export-book` writes it.")],
    by: By = None,
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    json: Json = False,
) -> None:
    """Make the book of clients what the workbook says, and record every change: who, when, old, new.

    A sheet of the workbook stands for all of its rows: a row that is not in it any more is removed. A sheet that is
    missing is left as it is. Exit code 2: a value cannot be taken; each is listed with its cell, nothing is changed.

    [bold]Example[/bold]

      billing-pipeline clients import-book clients.xlsx --by "Ada Berg" --reason "new prices of 2026"
    """
    from billing_pipeline.cli.client_book import imported

    document = imported(file, person(by), reason, dry_run=dry_run)
    if json:
        print_json(document)
    else:
        rows = [
            (one["sheet"], one["key"], one["column"], one["old"] or "", one["new"] or "") for one in document["changes"]
        ]
        if rows:
            messages.print(table("Changes", ("sheet", "row", "column", "old", "new"), rows[:_SHOWN]))
        more = f", {len(rows) - _SHOWN} of them not shown" if len(rows) > _SHOWN else ""
        say(f"{len(rows)} values {'would change' if dry_run else 'changed'}{more}")
    raise typer.Exit(DONE)
