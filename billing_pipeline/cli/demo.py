"""`sample` and `demo`: the sample book, and every month of it closed, to see the product work in a minute."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_pipeline.cli.console import messages, safe, say, table
from billing_pipeline.engine.errors import InputError

if TYPE_CHECKING:
    from billing_pipeline.sample import SampleBook
    from billing_pipeline.settings import Settings


def sample(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Where to write it; default: the usage folder of the settings, clients into theirs."
        ),
    ] = None,
) -> None:
    """Write the sample book: six months of usage of 25 partners, and the rules workbook that prices it.

    Managed-services clients as well: what is pulled of them, as files, and their book; and audited sheets, as they are
    and as they were before people changed them; and time logs with their contracts. With --dir they are in its folders
    `clients`, `audit` and `unbilled`. The same bytes every time. Files of other contents are never overwritten.
    """
    from billing_pipeline.sample import write_sample
    from billing_pipeline.sample.clients import BOOK_FILE
    from billing_pipeline.settings import load_settings

    if directory:
        book = write_sample(directory)
    else:
        settings = load_settings()
        book = _written(settings)
    first, last = book.months[0], book.months[-1]
    say(f"{len(book.usage_files)} months ({first} to {last}), {book.partners} partners, {book.companies:,} companies")
    say(f"  {safe(book.rules_file)}")
    for path in book.usage_files:
        say(f"  {safe(path)}")
    say(f"  {safe(book.clients_dir)}: managed-services clients, and {BOOK_FILE} with their plans and rates")
    say(f"  {safe(book.unbilled_dir)}: time logs and contracts, to find unbilled hours in")
    say(f"  {safe(book.audit_dir)}: audited sheets, and in the folder before as they were when they were billed")
    bill = f"billing-pipeline bill --inputs-dir {safe(book.inputs_dir)} --outputs-dir outputs --month {first}"
    say(f"[dim]Next: {bill}[/dim]")
    where = f"BILLING_CLIENTS_DIR={safe(book.clients_dir)} " if directory else ""
    say(f"[dim]and:  billing-pipeline clients import-book {safe(book.clients_dir / BOOK_FILE)}[/dim]")
    say(f"[dim]      {where}billing-pipeline clients bill --month {first}[/dim]")


def demo() -> None:
    """Write the sample book, close every month of it, bill its clients, audit its sheets, look for unbilled hours.

    Runs are recorded in the Dagster instance of DAGSTER_HOME when there is one, so that `make up` shows them.
    """
    from billing_pipeline.build import resources_from
    from billing_pipeline.cli.closing import Month, close_month, progress_bar
    from billing_pipeline.cli.results import close_document
    from billing_pipeline.profile import load_profile
    from billing_pipeline.resources.gate import Gate
    from billing_pipeline.settings import load_settings

    settings = load_settings()
    book = _written(settings)
    resources = resources_from(settings) | {"gate": Gate(gated=False, readback_rows=settings.readback_rows)}
    documents = []
    with progress_bar() as progress:
        for period in book.months:
            month = Month(period, load_profile(settings.profile), resources)
            documents.append(close_document(month, close_month(month, progress)))
    figures = ("rows", "partners", "billed", "held", "unpriced", "to decide")
    rows = [
        (
            document["period"], document["rows"], document["partners"], f"{Decimal(document['billed']):,}",
            document["held"], document["buckets"]["quarantined"]["rows"], document["undecided"],
            document["controls_status"],
        )
        for document in documents
    ]  # fmt: skip
    messages.print(table("Closed months of the sample book", ("month", *figures, "controls"), rows, figures))
    tied = all(
        control["status"] == "PASS" or control["status"] == "REVIEW REQUIRED"
        for d in documents
        for control in d["controls"]
    )
    messages.print()
    messages.print(
        "Every amount ties out: import + held = priced, to the cent, read back from the files." if tied else ""
    )
    _clients(settings, book)
    _audit(settings, book)
    _unbilled(settings)
    say(f"Files: {safe(settings.outputs_folder)}")
    say("[dim]Look around: make up · one amount: billing-pipeline explain --help[/dim]")


def _clients(settings: "Settings", book: "SampleBook") -> None:
    """Bill the clients of every month; those of all months but the last are accepted, as they would be."""
    from billing_pipeline.cli.client_billing import accepted, billed
    from billing_pipeline.cli.client_book import imported
    from billing_pipeline.cli.client_results import print_exceptions
    from billing_pipeline.cli.closing import progress_bar
    from billing_pipeline.sample.clients import BOOK_FILE

    imported(settings.clients_folder / BOOK_FILE, "the sample", "", dry_run=False)
    documents = []
    with progress_bar() as progress:
        for period in book.months:
            documents.append(billed(period, "auto", None, progress))
            if period != book.months[-1]:
                accepted(period, None, "the sample", "")
    figures = ("clients", "billed", "excluded", "exceptions", "warnings", "total")
    rows = [
        (
            document["period"], document["clients"], document["billed"], document["excluded"],
            len(document["exceptions"]), len(document["warnings"]), f"{Decimal(document['total']):,}",
        )
        for document in documents
    ]  # fmt: skip
    messages.print(table("Managed-services clients of the sample book", ("month", *figures), rows, figures))
    messages.print()
    print_exceptions(documents[-1])
    messages.print()


def _audit(settings: "Settings", book: "SampleBook") -> None:
    """Audit the sheets as they were billed, and as they are; again, and it only looks at them as they are."""
    from billing_pipeline.build import database_resource
    from billing_pipeline.cli.audit import print_audit
    from billing_pipeline.cli.auditing import audited
    from billing_pipeline.resources.findings import runs_of
    from billing_pipeline.run_tags import AUDIT
    from billing_pipeline.sample.audit import BEFORE

    if settings.smartsheet_api_token:
        say("[dim]The sample's sheets are not audited: an account of Smartsheet is set.[/dim]")
        return
    if not database_resource(settings).opened().run(lambda connection: runs_of(connection, AUDIT, last=1)):
        audited(force_report=False, dry_run=False, folder=book.audit_dir / BEFORE)
    print_audit(audited(force_report=False, dry_run=False))
    messages.print()


def _unbilled(settings: "Settings") -> None:
    """What was worked and not invoiced: the sample's time logs, and the clients' hours of months not accepted."""
    from datetime import datetime

    from billing_pipeline.cli.unbilled_view import print_report
    from billing_pipeline.cli.unbilling import look_at, source_of, terms_of

    today = datetime.now(settings.zone).date()
    print_report(look_at(source_of(settings, None, None), terms_of(settings, None), today))
    messages.print()


def _written(settings: "Settings") -> "SampleBook":
    """The sample in the folders of the installation."""
    from billing_pipeline.sample import write_sample

    return write_sample(
        _folder(settings),
        clients=settings.clients_folder,
        audit=settings.audit_folder,
        unbilled=settings.unbilled_folder,
    )


def _folder(settings: "Settings") -> Path:
    folder = settings.usage_folder
    if isinstance(folder, str):
        raise InputError(f"the sample cannot be written to {folder}; name a folder with --dir or BILLING_USAGE_DIR")
    return folder
