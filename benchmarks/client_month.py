"""Pieces: a month of 10,000 managed-services clients, phase by phase, and the plain scan it is held against.

`scan`: the same files read and summed by client, with Polars' defaults. `engine`: bills, and the rows of both files as
CSV, of a book in memory. `month`: from the folder to checked files, in the product's own steps; what Dagster adds
between them (frames stored, the set committed, files placed) is not in it. Seconds of each phase, of the clock and of
the processor, and the peak of memory up to its end, are written to `phases.json`.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.client_book import PERIOD, ClientBook, in_memory
from benchmarks.measure import told
from billing_pipeline.assets.client_billing import MonthBills, file_problems, inputs_sha256, write_texts
from billing_pipeline.assets.drafts import file_table
from billing_pipeline.engine.managed_services import accounting_rows, client_bills, invoice_rows, pulled
from billing_pipeline.engine.managed_services.entries import BILLED, CLOSED
from billing_pipeline.engine.managed_services.explanation import explained_lines
from billing_pipeline.engine.managed_services.features import effective_features
from billing_pipeline.engine.managed_services.listings import typed
from billing_pipeline.engine.managed_services.merging import merged
from billing_pipeline.engine.managed_services.month import client_month
from billing_pipeline.engine.tables import Schema
from billing_pipeline.reports.csv_files import csv_bytes
from billing_pipeline.reports.managed_services import workbook_sheets, write_clients
from billing_pipeline.resources.database import open_database, sqlite_url

PHASES = "phases.json"
_OTHERS: Schema = dict.fromkeys(("kind", "account", "name", "text"), pl.String)  # everybody of this book is billed
_MIB = 1024 * 1024


class Phases:
    """What each phase took, and the most memory until it ended."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}  # seconds, seconds of the processor, peak in MiB

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time the block as a part of the phase."""
        started, worked = time.perf_counter(), time.process_time()
        yield
        before = self.found.get(name, [0, 0])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self.found[name] = [
            before[0] + time.perf_counter() - started,
            before[1] + time.process_time() - worked,
            peak / _MIB,
        ]

    def write(self, folder: Path) -> None:
        (folder / PHASES).write_text(json.dumps(self.found))


def scan(book: ClientBook, folder: Path) -> None:
    """The yardstick: reading the files and summing them by client."""
    phase, amounts = Phases(), {pulled.VOLUMES: "bytes", pulled.ENTRIES: "worked"}
    with told(), phase("plain scan"):
        for name in pulled.LISTINGS:
            rows = pl.scan_parquet(book.source.path / f"{name}.parquet").group_by("account")
            summed = [pl.col(amounts[name]).sum()] if name in amounts else []
            rows.agg(pl.len(), *summed).sink_parquet(folder / f"{name}.parquet")
    phase.write(folder)


def engine(book: ClientBook, folder: Path) -> None:  # noqa: ARG001  # as the others
    """Bills and the rows of both files, of a book that is in memory already."""
    there, phase = in_memory(), Phases()
    with told():
        with phase("bills"):
            found = client_bills(there, PERIOD)
        with phase("rows of both files as CSV"):
            for rows in (invoice_rows, accounting_rows):
                csv_bytes(rows(found, PERIOD).drop("account"))
    phase.write(folder)


def month(book: ClientBook, folder: Path) -> None:
    """The whole way of a month, each phase with what the one before it left."""
    phase = Phases()
    with told():
        listings = _listings(book, phase)
        made = _made(book, listings, phase)
        with phase("both CSV sets"):
            kinds, _ = write_texts(folder, made, {}, PERIOD)
        database, companies = open_database(sqlite_url(folder)), listings.pop(pulled.COMPANIES)
        listings.clear()
        with phase("checks of the files read back"):
            found = file_problems(folder, made, pulled.records(pulled.COMPANIES, companies), {}, database, PERIOD)
        with phase("hashes of 20,002 files"):
            file_table(folder, kinds, made.bills["draft"][0])
        with phase("workbook"):
            sheets = workbook_sheets(made.bills, made.lines, made.entries, made.others, made.features)
            write_clients(folder / "client_bills.xlsx", sheets)
    if any(found.values()):
        raise RuntimeError(f"the checks found {found}")
    phase.write(folder)


def _listings(book: ClientBook, phase: Phases) -> dict[str, pl.DataFrame]:
    """The listings pulled and brought up to date, one after the other as assets do it."""
    found = {}
    for name in pulled.LISTINGS:
        with phase("read the folder"):
            texts = book.source.listing(name)
        with phase("type"):
            understood = typed(name, texts)
        with phase("merge with the last pull"):
            before = pulled.records(name, pl.read_parquet(book.kept(name)))
            now = datetime.now(UTC)
            kept = merged(name, before, understood.frame, now, complete=True).frame
            found[name] = pulled.stored(kept, understood.problems, now)
    return found


def _made(book: ClientBook, listings: dict[str, pl.DataFrame], phase: Phases) -> MonthBills:
    sheets = book.sheets()
    with phase("month"):
        closed, billed = pl.DataFrame(schema=CLOSED), pl.DataFrame(schema=BILLED)
        there = client_month(listings, sheets, closed, billed, PERIOD, "UTC")
    with phase("bills"):
        found = client_bills(there.book, PERIOD)
    with phase("explained lines"):
        lines = explained_lines(found)
        entries = there.entries.filter(pl.col("month") == PERIOD.first).drop("pulled_at")
        plans = found.bills.select("account", "plan", "term")
        features = effective_features(plans, sheets["plan_features"], sheets["features"])
    with phase("hash of what it is made of"):
        made_of = inputs_sha256([*listings.values(), there.entries.select("month", "state")])
    bills = found.bills.with_columns(pl.lit(made_of).alias("draft"))
    return MonthBills(bills, lines, entries, pl.DataFrame(schema=_OTHERS), features)


if __name__ == "__main__":
    pieces = {"scan": scan, "engine": engine, "month": month}
    pieces[sys.argv[1]](ClientBook(Path(sys.argv[2])), Path(sys.argv[3]))
