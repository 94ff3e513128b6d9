"""`audit`: what changed in billed work after it was billed."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from billing_pipeline.cli.console import DONE, REFUSED, VERDICTS, messages, print_json, safe, say, table
from billing_pipeline.cli.options import Json

_SHOWN = 25
app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Audit: what changed in billed work after it was billed."
)


@app.command()
def run(
    force_report: Annotated[
        bool, typer.Option("--force-report", help="Make the workbook also when nothing changed since the last run.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be found; keep nothing, tell nobody, write to no sheet.")
    ] = False,
    json: Json = False,
) -> None:
    """Look at the audited sheets: what changed after it was billed, what is wrong, what became of earlier findings.

    The schedule does this every two hours. Each finding is told once: NEW, then ONGOING until it is RESOLVED. Exit code
    0: clean. 3: there are open findings. 4: not everything could be verified; nothing is said to be clean then.

    [bold]Example[/bold]

      billing-pipeline audit run --dry-run
    """
    from billing_pipeline.cli.auditing import audited

    document = audited(force_report=force_report, dry_run=dry_run)
    if json:
        print_json(document)
    else:
        print_audit(document)
    raise typer.Exit(VERDICTS[document["status"]])


@app.command()
def setup(
    apply: Annotated[bool, typer.Option("--apply/--check", help="Add missing columns, or only say which.")] = False,
    json: Json = False,
) -> None:
    """Check the columns of the log sheet, or add those that are missing. Exit code 4: it cannot be written to so.

    [bold]Example[/bold]

      billing-pipeline audit setup --check
    """
    from billing_pipeline.cli.auditing import set_up

    document = set_up(apply=apply)
    if json:
        print_json(document)
    else:
        for title in document["added"]:
            say(f"added the column {safe(title)}")
        for problem in document["problems"]:
            say(f"[yellow]{safe(problem)}[/yellow]")
        if not document["problems"]:
            say(f"the log sheet {safe(document['sheet'])} has every column")
    raise typer.Exit(REFUSED if document["problems"] else DONE)


def print_audit(document: dict[str, Any]) -> None:
    """The findings of a run, what it says as a whole, and what it could not look at."""
    rows = [
        (
            one["status"], one["severity"], f"{Decimal(one['dollars']):,}" if one["dollars"] else "",
            one["category"].replace("_", " ").lower(), one["work_request"], one["why"],
        )
        for one in document["findings"]
    ]  # fmt: skip
    columns = ("", "severity", "dollars", "what", "work request", "why")
    if rows:
        messages.print(table("Findings", columns, rows[:_SHOWN], ("dollars",)))
    if rows[_SHOWN:]:
        say(f"[dim]… and {len(rows) - _SHOWN} more[/dim]")
    counts = ", ".join(f"{document[name]} {name}" for name in ("new", "ongoing", "reopened", "resolved"))
    moved = document["changes"]
    cells = moved["changed"] + moved["completion_revoked"] + moved["price_removed"]
    cover = document["coverage"]
    say(f"[bold]{document['status'].replace('_', ' ')}[/bold]: {counts}; {Decimal(document['dollars']):,} at stake")
    say(f"since the last look: {moved['added']:,} rows came, {moved['removed']:,} went, {cells:,} cells changed")
    say(f"{cover['sheets']} sheets, {cover['rows']:,} rows, {cover['not_verified']:,} cells not verified")
    for problem in cover["problems"]:
        if problem["error"]:
            say(f"[yellow]{safe(problem['sheet'])}[/yellow]: {safe(problem['error'])}")
    for path in document["files"]:
        say(f"  {safe(path)}")
