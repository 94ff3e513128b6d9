"""Books of managed-services clients to measure with: in memory as the engine takes it, or a folder as clients give it.

10,000 clients on one plan, 500,000 devices of every type, some backed up, 500,000 people, 500,000 time entries of nine
months; the same every time. As a folder: five Parquet files, and the listings as they were kept at the last pull.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import told
from billing_pipeline.engine.managed_services import Book, pulled, tables
from billing_pipeline.engine.managed_services.listings import typed
from billing_pipeline.engine.managed_services.merging import merged
from billing_pipeline.engine.managed_services.reference import sheet_frames
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema
from billing_pipeline.resources.client_folder import ClientFolder

CLIENTS, RECORDS = 10_000, 500_000
PERIOD = Period(2025, 9)
_SECONDS = 273 * 86_400  # of the year until the end of the period
_BEFORE = datetime(2025, 9, 30, tzinfo=UTC)
_SEED = 20250901
_TYPES = {
    "Laptop": "Workstation", "Server": "Server", "Virtual Machine": "VM", "Network Device (Switch)": "Switch",
    "Network Device (Firewall)": "Firewall",
}  # fmt: skip
_RATES = dict.fromkeys(tables.RATES, "12.34")


@dataclass(frozen=True, slots=True)
class ClientBook:
    """Where a folder of clients lies, and beside it what was kept of its last pull."""

    folder: Path

    @property
    def source(self) -> ClientFolder:
        return ClientFolder(self.folder / "clients")

    def kept(self, name: str) -> Path:
        return self.folder / "kept" / f"{name}.parquet"

    def sheets(self) -> dict[str, pl.DataFrame]:
        """The reference data, as texts."""
        plan = {"plan": "Gold", "term": "1 Year", "valid_from": "2020-01-01", "support_level": "Billed Hourly"}
        prepaid = {**dict.fromkeys((*tables.RATES, "plan"), None), **dict.fromkeys(tables.PREPAID, "2.00")}
        settings = [{"account": account} | prepaid for account in _accounts().gather_every(3)]
        return sheet_frames({"plans": [plan | _RATES], "settings": settings})


def in_memory() -> Book:
    """The book as the engine takes it."""
    drawn, accounts = _listings(), _accounts()
    entries, devices = drawn[pulled.ENTRIES], drawn[pulled.DEVICES]
    prepaid = accounts.gather_every(3)
    hours = dict.fromkeys(tables.PREPAID, pl.Series(["2.00"] * len(prepaid)).cast(AMOUNT))
    kinds = devices["category"].replace_strict(_TYPES)
    return Book(
        clients=_shaped(tables.CLIENTS, drawn[pulled.COMPANIES]),
        plans=_shaped(tables.PLANS, pl.DataFrame({"plan": ["Gold"], "term": ["1 Year"], **_RATES})),
        settings=_shaped(tables.SETTINGS, pl.DataFrame({"account": prepaid, **hours})),
        devices=_shaped(
            tables.DEVICES,
            devices.with_columns(
                drawn[pulled.VOLUMES]["bytes"], kinds.alias("type"), device_id="source_id", typed=pl.lit(value=True)
            ),
        ),
        device_overrides=_shaped(tables.DEVICE_OVERRIDES, pl.DataFrame()),
        people=_shaped(tables.PEOPLE, drawn[pulled.CONTACTS].with_columns(person_id="source_id")),
        person_overrides=_shaped(tables.PERSON_OVERRIDES, pl.DataFrame()),
        entries=_shaped(
            tables.ENTRIES,
            entries.with_columns(entry_id="source_id", month=pl.col("at").dt.month_start().dt.date()),
        ),
        items=_shaped(tables.ITEMS, pl.DataFrame()),
    )


def write_client_book(folder: Path) -> ClientBook:
    """Write the five files into a folder, and the listings as they were kept when the same was pulled before."""
    book = ClientBook(folder)
    for path in (book.source.path, book.kept("").parent):
        path.mkdir(parents=True)
    for name, frame in _listings().items():
        frame.write_parquet(book.source.path / f"{name}.parquet")
    for name in pulled.LISTINGS:
        known = typed(name, book.source.listing(name))
        kept = merged(name, None, known.frame, _BEFORE, complete=True).frame
        pulled.stored(kept, known.problems, _BEFORE).write_parquet(book.kept(name))
    return book


def _listings() -> dict[str, pl.DataFrame]:
    """The five listings with the types that Parquet files have."""
    random = np.random.default_rng(_SEED)
    accounts, numbers = _accounts(), pl.int_range(RECORDS, eager=True).cast(pl.String)

    def owners() -> pl.Series:
        return accounts.gather(random.integers(0, CLIENTS, RECORDS))

    places = owners()
    seconds = pl.Series(random.integers(0, _SECONDS, RECORDS) * 1_000).cast(tables.WORKED)
    times = seconds + datetime(2025, 1, 1, tzinfo=UTC)
    worked = pl.Series(random.integers(1, 40, RECORDS) * 900_000).cast(tables.WORKED)
    return {
        pulled.COMPANIES: pl.DataFrame(
            {"account": accounts, "name": "Client " + accounts, "plan": "Gold", "term": "1 Year"}
        ),
        pulled.CONTACTS: _records(
            "desk", numbers, account=owners(), name="User " + numbers, email="user" + numbers + "@example.com",
            active=[True] * RECORDS,
        ),
        pulled.DEVICES: _records(
            "rmm", numbers, account=places, site="Site " + places, name="host-" + numbers,
            category=pl.Series(list(_TYPES)).gather(random.integers(0, len(_TYPES), RECORDS)),
        ),
        pulled.VOLUMES: _records("rmm", numbers, account=places, bytes=random.integers(0, 2**41, RECORDS)),
        pulled.ENTRIES: _records(
            "desk", numbers, account=owners(), ticket_id="t" + numbers, ticket="SR-" + numbers, at=times, worked=worked,
            subject=["The printer does not print"] * RECORDS, billable=[True] * RECORDS, deleted=[False] * RECORDS,
        ),
    }  # fmt: skip


def _records(source: str, numbers: pl.Series, **columns: object) -> pl.DataFrame:
    return pl.DataFrame({"source": [source] * RECORDS, "source_id": numbers, **columns})


def _accounts() -> pl.Series:
    return pl.Series([f"{100_000 + number}" for number in range(CLIENTS)])


def _shaped(schema: Schema, given: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in given.columns]
    return given.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


if __name__ == "__main__":
    with told():
        write_client_book(Path(sys.argv[1]))
