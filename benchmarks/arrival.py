"""`python -m benchmarks.arrival`: from a usage file renamed into place to its invoice file, through the real daemon.

The folder is looked at every five seconds, as `BILLING_POLL_SECONDS=5` says, and a file is taken when it stood still
between two looks. What belongs here: one installation on SQLite, a month a round, and where the seconds went. What does
not: how fast each piece is (`benchmarks.run`).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

import dagster as dg
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.book import Book, write_book
from tests.end_to_end.installation import Installation

_MONTHS = ("2026-06", "2026-05", "2026-04", "2026-03", "2026-02", "2026-01")
_INVOICES = "gep_netsuite/gep_netsuite_invoice_import_{}.csv"
_WARM = 20.0  # seconds until the daemon has loaded the code and looked at the folder


@dataclass(frozen=True, slots=True)
class Arrival:
    """Seconds of one file: until it was taken, until the queue let it go, until its process worked, until the invoice
    file stood there; the sum; and until people could read that it does."""

    taken: float
    queued: float
    started: float
    billed: float
    whole: float
    told: float


def main() -> None:
    """Bill a month a round, and print what each took."""
    options = _options()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="billing-arrival-", ignore_cleanup_errors=True) as name:
        book = write_book(Path(name) / "book", 2 * options.rows)
        there = Installation(Path(name) / "installation", poll_seconds=5)
        (there.usage_dir / book.rules.name).write_bytes(book.rules.read_bytes())
        with console.status("starting the daemon") as status, there.daemon():
            time.sleep(_WARM)
            rounds = []
            for number, month in enumerate(_MONTHS[: options.repeat]):
                status.update(f"round {number + 1} of {options.repeat}")
                time.sleep(1.7 * number)  # another moment between two looks each time
                rounds.append(_arrival(there, month, _usage(book, month, options.rows)))
    console.print(_machine(options.rows, len(rounds)))
    console.print(_table(rounds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrival", description="Measure a file's way.")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of each month's file (default: 10000)")
    parser.add_argument("--repeat", type=int, default=3, help=f"months billed, 1 to {len(_MONTHS)} (default: 3)")
    options = parser.parse_args()
    if options.rows < 1 or not 1 <= options.repeat <= len(_MONTHS):
        parser.error(f"rows are counted from 1, rounds from 1 to {len(_MONTHS)}")
    return options


def _usage(book: Book, month: str, rows: int) -> bytes:
    """The book's rows as usage of the month, without those that a person would be asked about."""
    asked = pl.read_csv(book.usage, infer_schema=False)
    certain = asked.filter(
        pl.col("FIRST_BILLABLE_ACTIVITY_DATE") < "2026-01-01",
        pl.col("SUSPENSION_DATE").is_null(),
        pl.col("DISSOCIATION_DATE").is_null(),
        ~pl.col("PARTNER_ID").is_in(book.questionable),
    )
    return certain.head(rows).with_columns(pl.lit(f"{month}-01").alias("FOR_MONTH")).write_csv().encode()


def _arrival(there: Installation, month: str, content: bytes) -> Arrival:
    dotted = month.replace("-", ".")
    file, invoices = there.usage_dir / f"{dotted}_usage.csv", there.outputs / _INVOICES.format(dotted)
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(file)
    begun = time.time()
    while not invoices.exists():
        if time.time() - begun > 300:
            raise TimeoutError(there.log.read_text("utf-8", "replace")[-2000:])
        time.sleep(0.05)
    billed = time.time()
    there.until(lambda: there.told(month))
    told = time.time()
    with dg.DagsterInstance.from_config(str(there.home)) as instance:
        (record,) = instance.get_run_records(dg.RunsFilter(tags={"dagster/partition": month}))
        entries = instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.PIPELINE_STARTING)
        starting, working = entries[0].timestamp, record.start_time or 0.0
    created = record.create_timestamp.timestamp()
    return Arrival(
        created - begun, starting - created, working - starting, billed - working, billed - begun, told - begun
    )


def _machine(rows: int, rounds: int) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{rows:,} rows, {rounds} rounds, {cores} cores{load}; seconds:"


def _table(rounds: Sequence[Arrival]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    for heading in ("", "min", "median", "max"):
        table.add_column(heading, justify="left" if not heading else "right")
    names = {
        "taken": "two looks",
        "queued": "queue",
        "started": "process start",
        "billed": "run, to invoice file",
        "whole": "file to invoice file",
        "told": "file to notice",
    }
    columns = zip(*map(astuple, rounds), strict=True)
    for field, seconds in zip(fields(Arrival), columns, strict=True):
        table.add_row(names[field.name], *(f"{value:.1f}" for value in (min(seconds), median(seconds), max(seconds))))
    return table


if __name__ == "__main__":
    main()
