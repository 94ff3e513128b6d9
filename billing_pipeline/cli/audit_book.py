"""`audit book`: what runs changed of months that were billed."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from billing_pipeline.cli.console import VERDICTS, messages, print_json, safe, say, table
from billing_pipeline.cli.options import By, Json, person

_SHOWN = 25
_COLUMNS = ("", "severity", "dollars", "what", "why", "finding")


def book(
    month: Annotated[str | None, typer.Option(help="One month, YYYY-MM; default: all.")] = None,
    accept: Annotated[str | None, typer.Option(help="A finding that is meant so; with --reason it is closed.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is accepted, in a sentence; kept with the finding.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Compare what months are billed by now with what was sent of them: every changed, new and vanished charge.

    The schedule does this every two hours. A finding is open until the change is released or accepted with a new
    invoice, is taken back, or is closed with --accept. Exit code 0: nothing is open. 3: there are open findings. 4: a
    month could not be read; nothing is said to be clean then.

    [bold]Examples[/bold]

      billing-pipeline audit book --month 2026-01

      billing-pipeline audit book --accept 0f3c... --reason "credit agreed with the customer"
    """
    from billing_pipeline.cli.auditing_book import accept_finding, book_audited

    if accept is not None:
        accept_finding(accept, person(by), reason)
    document = book_audited(month)
    if json:
        print_json(document)
    else:
        _print(document)
    raise typer.Exit(VERDICTS[document["status"]])


def _print(document: dict[str, Any]) -> None:
    found = document["findings"]
    rows = [
        (one["status"], one["severity"], one["dollars"], one["category"], one["why"], one["finding_key"])
        for one in found[:_SHOWN]
    ]
    if rows:
        messages.print(table("Changed charges", _COLUMNS, rows, ("dollars",)))
    if found[_SHOWN:]:
        say(f"[dim]… and {len(found) - _SHOWN} more; --json has them all[/dim]")
    for place in document["places"]:
        if place["error"]:
            say(f"[yellow]{safe(place['kind'])} {safe(place['month'])}[/yellow]: {safe(place['error'])}")
    counts = f"{document['open']} open findings, {Decimal(document['dollars']):,} at stake"
    say(f"[bold]{document['status'].replace('_', ' ')}[/bold]: {counts}; {len(document['places'])} books of months")
