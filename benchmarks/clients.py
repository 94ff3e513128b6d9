"""Managed services: 10,000 clients, 500,000 devices, 500,000 people and 500,000 time entries billed, both files made.

`python -m benchmarks.clients`; the book is generated, the same every time. Prints seconds and the peak memory.
"""

import resource
import time
from datetime import UTC, datetime

import numpy as np
import polars as pl

from billing_pipeline.engine.managed_services import Book, accounting_rows, client_bills, invoice_rows, tables
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema
from billing_pipeline.reports.csv_files import csv_bytes

CLIENTS, RECORDS = 10_000, 500_000
PERIOD = Period(2025, 9)
_DAYS = 273  # of the year until the end of the period


def generated() -> Book:
    """A book of clients on one plan, every third with prepaid hours, devices of every type, some of them backed up."""
    random = np.random.default_rng(20250901)
    accounts = pl.Series([f"{100_000 + number}" for number in range(CLIENTS)])
    numbers = pl.int_range(RECORDS, eager=True).cast(pl.String)

    def owners() -> pl.Series:
        return accounts.gather(random.integers(0, CLIENTS, RECORDS))

    def shaped(schema: Schema, **columns: object) -> pl.DataFrame:
        given = pl.DataFrame(columns)
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in given.columns]
        return given.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())

    rates = {name: ["12.34"] for name in tables.RATES}
    types = pl.Series(["Workstation", "Server", "VM", "Switch", "Firewall"]).gather(random.integers(0, 5, RECORDS))
    days = pl.duration(days=pl.Series(random.integers(0, _DAYS, RECORDS)))
    times = pl.select(pl.lit(datetime(2025, 1, 1, tzinfo=UTC)) + days).to_series()
    prepaid = accounts.gather_every(3)
    monthly, yearly = pl.Series(["2.00"] * len(prepaid)).cast(AMOUNT), pl.Series(["20.00"] * len(prepaid)).cast(AMOUNT)
    return Book(
        clients=shaped(tables.CLIENTS, account=accounts, name="Client " + accounts, plan=["Gold"] * CLIENTS),
        plans=shaped(tables.PLANS, plan=["Gold"], term=["Month to Month"], **rates),
        settings=shaped(tables.SETTINGS, account=prepaid, prepaid_hours_monthly=monthly, prepaid_hours_yearly=yearly),
        devices=shaped(
            tables.DEVICES, account=owners(), device_id=numbers, name="host-" + numbers, typed=[True] * RECORDS,
            type=types, bytes=random.integers(0, 2**41, RECORDS),
        ),
        device_overrides=shaped(tables.DEVICE_OVERRIDES),
        people=shaped(
            tables.PEOPLE, account=owners(), person_id=numbers, name="User " + numbers, active=[True] * RECORDS
        ),
        person_overrides=shaped(tables.PERSON_OVERRIDES),
        entries=shaped(
            tables.ENTRIES, account=owners(), entry_id=numbers, at=times,
            hours=pl.Series(random.integers(1, 40, RECORDS)).cast(tables.HOURS), billable=[True] * RECORDS,
        ),
        items=shaped(tables.ITEMS),
    )  # fmt: skip


def main() -> None:
    """Bill the generated book three times; the median."""
    book = generated()
    rounds = []
    for _ in range(3):
        begun = time.perf_counter()
        found = client_bills(book, PERIOD)
        billed = time.perf_counter()
        sizes = [len(csv_bytes(rows(found, PERIOD).drop("account"))) for rows in (invoice_rows, accounting_rows)]
        rounds.append((time.perf_counter() - begun, billed - begun))
    whole, bills = sorted(rounds)[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{CLIENTS:,} clients, {2 * RECORDS:,} devices and people, {RECORDS:,} time entries")
    print(f"bills {bills:.2f} s, with both files ({sum(sizes) >> 20} MiB) {whole:.2f} s, peak {peak:,} MiB")
    print(f"total {found.bills['total'].sum()}, {found.bills.height:,} billed, {found.exceptions.height:,} not")


if __name__ == "__main__":
    main()
