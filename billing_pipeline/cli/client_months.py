"""`clients bill`, `sync`, `accept`, `void`, `archive`: a month of clients, from the pull to the archive."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from billing_pipeline.cli.console import DONE, WAITING, print_json, safe, say
from billing_pipeline.cli.options import By, Json, person


def bill(
    month: Annotated[str, typer.Option("--month", help="The month to bill, YYYY-MM.")],
    account: Annotated[str | None, typer.Option(help="Show this client's bill, line by line.")] = None,
    pull: Annotated[
        Literal["auto", "book", "always", "never"],
        typer.Option(
            help="auto: pull while the month lasts and once when it is over, then it is frozen; book: as frozen, but"
            " with the book as it is now; always: pull anew, and read the book anew; never: use what is on hand."
        ),
    ] = "auto",
    json: Json = False,
) -> None:
    """Bill a month's managed-services clients: bills, who is not billed and why, invoice and accounting files.

    All clients are billed at once, into clients/YYYY-MM of the outputs folder. Exit code 0: everybody is billed or
    excluded. 3: somebody is an exception. 4: a check failed, and nothing was published.

    [bold]Examples[/bold]

      billing-pipeline clients bill --month 2026-01

      billing-pipeline clients bill --month 2026-01 --account 100001
    """
    from billing_pipeline.cli.client_billing import billed
    from billing_pipeline.cli.client_results import print_bill, print_bills
    from billing_pipeline.engine.period import Period

    document = billed(Period.parse(month), pull, account)
    if json:
        print_json(document)
    elif account is not None:
        print_bill(document)
    else:
        print_bills(document)
    raise typer.Exit(WAITING if document["exceptions"] else DONE)


def sync(
    month: Annotated[str | None, typer.Option(help="The month to pull for, YYYY-MM; default: the current one.")] = None,
    what: Annotated[
        Literal["all", "tickets", "inventory"],
        typer.Option(help="tickets: time entries; inventory: clients, contacts, devices and backup volumes."),
    ] = "all",
    json: Json = False,
) -> None:
    """Pull clients, contacts, devices, backup volumes and time entries from their sources now.

    The schedules do this by themselves. What a source no longer has is marked, never deleted; a listing that lost too
    much at once is refused, and what is on hand stays as it is.

    [bold]Example[/bold]

      billing-pipeline clients sync --what tickets
    """
    from billing_pipeline.cli.client_billing import synced
    from billing_pipeline.cli.client_results import print_listings
    from billing_pipeline.engine.period import Period

    document = synced(Period.parse(month) if month else None, what)
    if json:
        print_json(document)
    else:
        print_listings(document)
    raise typer.Exit(WAITING if any(one["problems"] for one in document["listings"]) else DONE)


def accept(
    month: Annotated[str, typer.Option("--month", help="The month that was billed, YYYY-MM.")],
    account: Annotated[str | None, typer.Option(help="Accept this client's bill only; without it, every bill.")] = None,
    by: By = None,
    notes: Annotated[str, typer.Option(help="What to remember of it; kept in the archive.")] = "",
    json: Json = False,
) -> None:
    """Accept a month's bills: each is archived as it is, and never changes afterwards.

    Its hours are billed then, and can be in no other bill. A bill that was accepted before is left as it is. A
    correction is `clients void`, which makes a credit note, and a new bill. Exit code 4: the month is not over.

    [bold]Example[/bold]

      billing-pipeline clients accept --month 2026-01 --by "Ada Berg"
    """
    from billing_pipeline.cli.client_billing import accepted
    from billing_pipeline.cli.client_results import print_accepted
    from billing_pipeline.engine.period import Period

    document = accepted(Period.parse(month), account, person(by), notes)
    if json:
        print_json(document)
    else:
        print_accepted(document)
    raise typer.Exit(DONE)


def void(
    number: Annotated[str, typer.Argument(help="Number of the invoice, as `clients archive` lists it.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence; the credit note keeps it.")],
    by: By = None,
    json: Json = False,
) -> None:
    """Take an accepted invoice back with a credit note over all of it; its hours can be billed again.

    The invoice stays in the archive as it was sent. The month can be accepted anew, under the next number. Voiding an
    invoice again changes nothing and shows its credit note. Exit code 2: there is no such invoice.

    [bold]Example[/bold]

      billing-pipeline clients void 100001-202601 --reason "billed at the price of last year"
    """
    from billing_pipeline.cli.client_archive import voided

    document = voided(number, person(by), reason)
    if json:
        print_json(document)
    else:
        said = "credit note" if document["created"] else "was void already, by credit note"
        say(f"{safe(number)}: {said} {safe(document['number'])} of {document['invoice_date']}, {document['total']}")
    raise typer.Exit(DONE)


def archive(
    month: Annotated[str | None, typer.Option(help="Of this month only, YYYY-MM.")] = None,
    account: Annotated[str | None, typer.Option(help="Of this client only.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder to write the CSV files of each to.")] = None,
    json: Json = False,
) -> None:
    """List the accepted invoices and credit notes, exactly as they were sent whatever the book says today.

    With --out their files as well: NUMBER.csv, and NUMBER_accounting.csv for the accounting system.

    [bold]Example[/bold]

      billing-pipeline clients archive --month 2026-01 --out invoices
    """
    from billing_pipeline.cli.client_archive import archived
    from billing_pipeline.cli.client_results import print_archive
    from billing_pipeline.engine.period import Period

    document = archived(account, Period.parse(month) if month else None, out)
    if json:
        print_json(document)
    else:
        print_archive(document)
    raise typer.Exit(DONE)
