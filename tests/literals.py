"""Usage files and rules written as literals: a company row, a file of them, and what the engine makes of both."""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from io import StringIO
from typing import Any

import polars as pl

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.usage import apply_decisions, no_decisions, read_usage
from tests.engine.rules.books import book, contract, customer, tier

Row = Mapping[str, Any]

JANUARY = Period(2026, 1)
USAGE_NAME = "2026.01_usage.csv"
COLUMNS = (
    "FOR_MONTH", "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", "TOTAL_INDIVIDUAL_USERS",
    "FIRST_BILLABLE_ACTIVITY_DATE", "CURRENT_ACH_SPEED",
)  # fmt: skip


def company(number: int | str = 1, **cells: str) -> dict[str, str]:
    """A row of a usage file: company `number` of partner 101 with five users; a test names what it is about."""
    return {
        "FOR_MONTH": "2026-01-01",
        "PARTNER_ID": "101",
        "PARTNER_NAME": "Acme",
        "ER_ID": str(number),
        "ER_NAME": f"Company {number}",
        "TOTAL_INDIVIDUAL_USERS": "5",
        "FIRST_BILLABLE_ACTIVITY_DATE": "2025-06-01",
        "CURRENT_ACH_SPEED": "2-day",
    } | cells


def users(*counts: str, **cells: str) -> list[dict[str, str]]:
    """One company per user count, of one partner, dated in this order."""
    return [
        company(n, TOTAL_INDIVIDUAL_USERS=count, FIRST_BILLABLE_ACTIVITY_DATE=f"2025-06-{n:02d}", **cells)
        for n, count in enumerate(counts, 1)
    ]


def usage_csv(*rows: Row, without: Iterable[str] = ()) -> bytes:
    """The rows as a CSV file: the columns of company(), then what a row adds."""
    columns = [c for c in dict.fromkeys((*COLUMNS, *(c for row in rows for c in row))) if c not in without]
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def usage(*rows: Row, period: Period = JANUARY) -> pl.DataFrame:
    """The usage rows of a file with these rows."""
    return read_usage(usage_csv(*rows), USAGE_NAME, period)


def rules(
    pricing: Iterable[Row] = (tier(),),
    minimums: Iterable[Row] = (),
    config: Iterable[Row] = (),
    mapping: Iterable[Row] = (customer(),),
) -> Rules:
    """The rules of a workbook with these rows, read as the product reads it. No minimums unless a test asks."""
    return read_workbook(book(pricing, minimums, config, mapping), "rules.xlsx")


def tiers(*bounds: tuple[Any, Any], **cells: Any) -> list[Row]:
    """Tiers of partner 101 with these starts and ends; the company fee tells them apart: 1, 2, 3, ..."""
    return [tier(tier_start=start, tier_end=end, **({"er_fee": n} | cells)) for n, (start, end) in enumerate(bounds, 1)]


def running_minimum(start: date = date(2025, 7, 1), end: date | None = None, **cells: Any) -> Row:
    """The Config row of partner 101: when its minimums start and end."""
    return contract(minimums_start_month=start, minimums_end_month=end, **cells)


def priced(
    rows: Iterable[Row], known: Rules, decisions: pl.DataFrame | None = None, period: Period = JANUARY
) -> pl.DataFrame:
    """The fact table of these rows under these rules."""
    made = no_decisions() if decisions is None else decisions
    return priced_rows(apply_decisions(usage(*rows, period=period).lazy(), made, period).collect(), known, period)
