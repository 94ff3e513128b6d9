"""A book of any size to measure with: one month's usage file and the rules workbook that prices it.

About two hundred partners of very different size, every metric in both modes, next-day fees, minimums above and below
what is billed, rows without a date, suspended companies, two partners without a customer and one without prices. The
same size gives the same bytes of usage.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from openpyxl import Workbook

from benchmarks.measure import told
from billing_pipeline.engine.period import Period

PERIOD = Period(2026, 6)
PARTNERS = 200
_SEED = 20260601
_CHUNK = 500_000  # rows made at a time
_NO_CUSTOMER, _NO_PRICES = (60, 150), 120  # of the partners, largest first
_PLANS = tuple(product(("IU", "ER", "FLAT", "IU_PER_ER"), ("ALL_IN", "SPLIT")))
_BOUNDS = {
    "IU": (1, 101, 2_001, 40_001),
    "ER": (1, 11, 201, 4_001),
    "FLAT": (1, 11, 201, 4_001),
    "IU_PER_ER": (0, 6, 26, 101),
}
_COMPANY_FEES, _USER_FEES = ("38.00", "34.50", "31.25", "27.375"), ("4.25", "3.95", "3.625", "2.9950")
_SPEEDS, _SPEED_SHARES = ("2-day", "4-day", "1-day", "Same Day", "Next 1 day"), (0.55, 0.23, 0.12, 0.05, 0.05)
_OWNERS = ("Amber", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Heron", "Iris", "Juniper", "Linden")
_TRADES = ("Bakery", "Books", "Builders", "Cleaning", "Dental", "Florists", "Garage", "Logistics", "Roofing", "Studio")


@dataclass(frozen=True, slots=True)
class Book:
    """Where a book lies."""

    folder: Path

    @property
    def usage(self) -> Path:
        return self.folder / f"{PERIOD.dotted}_usage_export.csv"

    @property
    def rules(self) -> Path:
        return self.folder / "gep_billing_rules.xlsx"

    @property
    def questionable(self) -> list[str]:
        """Ids of the partners that people are asked about: without a customer, or without prices."""
        return [str(_FIRST_PARTNER + number) for number in (*_NO_CUSTOMER, _NO_PRICES)]


def write_book(folder: Path, rows: int) -> Book:
    """Write a book of `rows` usage rows into `folder`, a chunk at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    book = Book(folder)
    random = np.random.default_rng(_SEED)
    with book.usage.open("wb") as file:
        for start in range(0, rows, _CHUNK):
            _usage(random, start, min(_CHUNK, rows - start)).write_csv(file, include_header=start == 0)
    _rules_workbook().save(book.rules)
    return book


def _usage(random: np.random.Generator, start: int, rows: int) -> pl.DataFrame:
    """Rows in order of company id, partners mixed, as the export has them: every cell as it stands in the file."""
    headcount = np.minimum(random.lognormal(1.8, 1.1, rows), 2_000).astype(np.int64)
    contractors = random.integers(0, headcount // 3 + 1) * random.integers(0, 2, rows)
    first = np.datetime64(PERIOD.last, "D") - random.integers(0, 1_500, rows)
    suspended = np.datetime64(PERIOD.first, "D") + random.integers(1, 28, rows)
    partner = random.choice(PARTNERS, rows, p=_shares())
    numbers = pl.DataFrame(
        {
            "id": np.arange(500_001 + start, 500_001 + start + rows),
            "partner": partner.astype(np.uint32),
            "headcount": headcount,
            "contractors": contractors,
            "first": first,
            "suspended": suspended,
            "chance": random.random(rows),
            "speed": random.choice(len(_SPEEDS), rows, p=_SPEED_SHARES).astype(np.uint32),
            "uuid": np.frombuffer(random.bytes(16 * rows).hex().encode(), "S32"),
        }
    )
    uuid, chance = pl.col("uuid").cast(pl.String), pl.col("chance")
    is_mrb = pl.col("id") % 10 == 0
    parts = [uuid.str.slice(at, length) for at, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
    return numbers.select(
        pl.lit(PERIOD.first).alias("FOR_MONTH"),
        pl.format(
            "{} {} {}", _named(pl.col("id") % len(_OWNERS), _OWNERS), _named(pl.col("id") % 10, _TRADES), "id"
        ).alias("ER_NAME"),
        pl.col("id").alias("ER_ID"),
        pl.concat_str(parts, separator="-").alias("COMPANY_UUID"),
        _named(pl.col("partner"), _partner_names()).alias("PARTNER_NAME"),
        (pl.col("partner") + _FIRST_PARTNER).alias("PARTNER_ID"),
        pl.when(chance > 0.002).then("first").alias("FIRST_BILLABLE_ACTIVITY_DATE"),
        pl.when(chance > 0.99).then("suspended").alias("SUSPENSION_DATE"),
        pl.when(chance.is_between(0.985, 0.99)).then("suspended").alias("DISSOCIATION_DATE"),
        (pl.col("headcount") - pl.col("contractors")).alias("ACTIVE_EMPLOYEES"),
        pl.col("contractors").alias("NUMBER_ACTIVE_CONTRACTORS"),
        pl.col("headcount").alias("TOTAL_INDIVIDUAL_USERS"),
        _named(pl.col("speed"), _SPEEDS).alias("CURRENT_ACH_SPEED"),
        pl.when(is_mrb).then(pl.lit("Yes")).otherwise(pl.lit("No")).alias("IS_MRB"),
        pl.when(is_mrb).then("first").alias("MRB_BILLING_ANNIVERSARY"),
    )


_FIRST_PARTNER = 3_000


def _shares() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What part of the rows each partner has: a few large ones, many small ones."""
    weights = 1 / np.arange(4.0, PARTNERS + 4)
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = weights / weights.sum()
    return shares


def _named(index: pl.Expr, names: tuple[str, ...]) -> pl.Expr:
    return pl.lit(pl.Series(names)).gather(index.cast(pl.UInt32))


def _partner_names() -> tuple[str, ...]:
    return tuple(f"{_OWNERS[n % len(_OWNERS)]} {_TRADES[n % len(_TRADES)]} Payroll {n:03}" for n in range(PARTNERS))


def _rules_workbook() -> Workbook:
    sheets = {
        "Pricing": (
            "Partner ID", "Partner Name", "Tier Metric", "Tier Start", "Tier End", "Company Fee", "User Fee",
            "Included Users in Company Fee", "Tier Type", "Next Day Fee ER", "Next Day Fee IU",
        ),
        "Minimums": ("Partner ID", "Partner Name", "Start Month", "End Month", "Minimum"),
        "Config": ("Partner ID", "Partner Name", "Minimums Start Month", "Minimums End Month"),
        "Mapping": ("Partner ID", "Partner Name", "NetSuite Customer Name"),
    }  # fmt: skip
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, headers in sheets.items():
        book.create_sheet(title).append(headers)
    for number, name in enumerate(_partner_names()):
        who = (_FIRST_PARTNER + number, name)
        for terms in _tiers(number) if number != _NO_PRICES else ():
            book["Pricing"].append((*who, *terms))
        if number % 4 == 0:
            book["Config"].append((*who, date(2025, 1, 1), None))
            amount = Decimal("250.00") if number % 8 else Decimal("100000.00")
            book["Minimums"].append((*who, 1, 999, amount))
        if number not in _NO_CUSTOMER:
            book["Mapping"].append((*who, f"C{who[0]} {name}"))
    return book


def _tiers(number: int) -> Iterator[tuple[object, ...]]:
    metric, mode = _PLANS[number % len(_PLANS)]
    starts = _BOUNDS[metric]
    ends = (*(start - 1 for start in starts[1:]), None)
    next_day = (Decimal("2.50"), Decimal("0.35")) if number % 3 == 0 else (None, None)
    for start, end, company, user in zip(starts, ends, _COMPANY_FEES, _USER_FEES, strict=True):
        yield metric, start, end, Decimal(company), Decimal(user), number % 2, mode, *next_day


if __name__ == "__main__":
    with told():
        write_book(Path(sys.argv[1]), int(sys.argv[2]))
