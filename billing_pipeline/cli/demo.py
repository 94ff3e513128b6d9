"""`sample` and `demo`: the sample book, and every month of it closed, to see the product work in a minute."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_pipeline.cli.console import messages, safe, say, table
from billing_pipeline.engine.errors import InputError

if TYPE_CHECKING:
    from billing_pipeline.settings import Settings


def sample(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to write it; default: the usage folder of the settings.")
    ] = None,
) -> None:
    """Write the sample book: six months of usage of 25 partners, and the rules workbook that prices it.

    The same bytes every time. Files of other contents are never overwritten.
    """
    from billing_pipeline.sample import write_sample
    from billing_pipeline.settings import load_settings

    book = write_sample(directory or _folder(load_settings()))
    first, last = book.months[0], book.months[-1]
    say(f"{len(book.usage_files)} months ({first} to {last}), {book.partners} partners, {book.companies:,} companies")
    say(f"  {safe(book.rules_file)}")
    for path in book.usage_files:
        say(f"  {safe(path)}")
    messages.print(
        f"Next: billing-pipeline bill --inputs-dir {safe(book.inputs_dir)} --outputs-dir outputs --month {first}",
        style="dim",
    )


def demo() -> None:
    """Write the sample book into the usage folder, close every month of it, and show what came out.

    Runs are recorded in the Dagster instance of DAGSTER_HOME when there is one, so that `make up` shows them.
    """
    from billing_pipeline.build import resources_from
    from billing_pipeline.cli.closing import Month, close_month, progress_bar
    from billing_pipeline.cli.results import close_document
    from billing_pipeline.profile import load_profile
    from billing_pipeline.resources.gate import Gate
    from billing_pipeline.sample import write_sample
    from billing_pipeline.settings import load_settings

    settings = load_settings()
    book = write_sample(_folder(settings))
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
    say(f"Files: {safe(settings.outputs_folder)}")
    say("[dim]Look around: make up · one amount: billing-pipeline explain --help[/dim]")


def _folder(settings: "Settings") -> Path:
    folder = settings.usage_folder
    if isinstance(folder, str):
        raise InputError(f"the sample cannot be written to {folder}; name a folder with --dir or BILLING_USAGE_DIR")
    return folder
