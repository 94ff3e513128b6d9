"""The oracle itself against what the reference system produced: every value of Source Data and every invoice line."""

import csv
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.oracle import ZERO, Book, Contract, Customer, Minimum, Priced, Result, Tier, bill, day, first_of_month

GOLDEN = Path(__file__).parent / "golden" / "usage-billing"
CASES = ("clean", "december", "messy", "one-partner", "overrides", "quirks", "story-1", "story-2", "story-3")
DATE_COLUMNS = (
    *("FOR_MONTH", "FIRST_BILLABLE_ACTIVITY_DATE", "SUSPENSION_DATE", "DISSOCIATION_DATE"),
    "MRB_BILLING_ANNIVERSARY",
)

# The headers of a rules workbook, normalised; the first one present is used.
START = ("tierstart", "tier_start", "start")
END = ("tierend", "tier_end", "end")
ER_FEE = ("er_fee", "company_fee", "unit_price_er")
IU_FEE = ("iu_fee", "user_fee", "unit_price_iu")
INCLUDED = ("include_iu", "included_users_in_company_fee", "included")
NEXT_DAY_ER = ("unit_price_next_day_er", "next_day_fee_er")
NEXT_DAY_IU = ("unit_price_next_day_iu", "next_day_fee_iu")


@pytest.mark.parametrize("case", CASES)
def test_source_data_of_the_reference(case: str) -> None:
    expected = json.loads((GOLDEN / case / "expected" / "master_billing_report.json").read_text(encoding="utf-8"))[
        "Source Data"
    ]
    columns, *wanted = expected
    got = billed(case).master
    assert len(got) == len(wanted)
    for number, (row, values) in enumerate(zip(got, wanted, strict=True)):
        for column, value in zip(columns, values, strict=True):
            assert shown(row, column) == comparable(value), f"{case} row {number} {column}"


@pytest.mark.parametrize("case", CASES)
def test_invoice_lines_of_the_reference(case: str) -> None:
    """Ours hold lines without a customer apart and print two decimals (decisions 3 and 4)."""
    with (GOLDEN / case / "expected" / "netsuite_invoice_import.csv").open(newline="", encoding="utf-8") as file:
        wanted = [line | {"Amount": f"{Decimal(line['Amount']):.2f}"} for line in csv.DictReader(file)]
    result = billed(case)
    assert result.lines == [line for line in wanted if line["Customer"]]
    assert result.held == [line for line in wanted if not line["Customer"]]


def billed(case: str) -> Result:
    inputs = GOLDEN / case / "inputs"
    (usage,) = inputs.glob("*_usage.csv")
    with usage.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    overrides = inputs / "billing_overrides.json"
    decisions = json.loads(overrides.read_text(encoding="utf-8"))["decisions"] if overrides.exists() else []
    year, month = usage.name[:7].split(".")
    return bill(rows, book(inputs / "gep_billing_rules.xlsx"), int(year), int(month), decisions)


def shown(row: Priced, column: str) -> object:
    """A value of ours as the reference's master shows it."""
    value = row.get(column)
    if column in DATE_COLUMNS and value:
        found = day(str(value))
        value = found and f"{found.month}/{found.day}/{found.year % 100:02d}"
    return comparable(value)


def comparable(value: object) -> object:
    """Blank is None; numbers are decimals (users of the true-up are a number there, text in the rows)."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, Decimal)):
        return Decimal(str(value)).normalize() + ZERO
    text = str(value)
    return Decimal(text).normalize() + ZERO if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def book(path: Path) -> Book:
    workbook = load_workbook(path, data_only=True)
    pricing = [r for r in records(workbook["Pricing"].iter_rows(values_only=True)) if partner(r)]
    return Book(
        tiers=[
            Tier(
                partner=partner(r),
                type=text(r, "tier_type").upper() or "ALL_IN",
                metric=metric(text(r, "tier_metric", "metric")),
                start=number(r, *START),
                end=number(r, *END) if text(r, *END) else None,
                er=number(r, *ER_FEE),
                iu=number(r, *IU_FEE),
                included=int(number(r, *INCLUDED) > 0),
                nd_er=number(r, *NEXT_DAY_ER),
                nd_iu=number(r, *NEXT_DAY_IU),
            )
            for r in pricing
        ],
        minimums=[
            Minimum(
                partner(r),
                int(number(r, "month_start", "start_month", "min_month_start")),
                int(number(r, "month_end", "end_month", "min_month_end")),
                number(r, "minimum_amount", "amount", "minimum"),
            )
            for r in records(workbook["Minimums"].iter_rows(values_only=True))
        ],
        contracts=[
            Contract(
                partner(r),
                first_of_month(text(r, "minimums_start_month", "minimum_start_month", "min_start_month", "min_start")),
                first_of_month(text(r, "minimums_end_month", "minimum_end_month", "min_end_month", "min_end")),
            )
            for r in records(workbook["Config"].iter_rows(values_only=True))
        ],
        customers=[
            Customer(
                text(r, "partner_id"),
                text(r, "partner_name"),
                text(r, "ns_customer_name", "netsuite_customer_name", "customer_name"),
            )
            for r in records(workbook["Mapping"].iter_rows(values_only=True))
        ],
    )


def records(rows: Iterator[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    header = [re.sub(r"[^a-z0-9]+", "_", str(cell).lower()).strip("_") for cell in next(rows)]
    for row in rows:
        yield dict(zip(header, row, strict=True))


def text(row: Mapping[str, Any], *columns: str) -> str:
    value = next((row[c] for c in columns if row.get(c) is not None), "")
    return value.date().isoformat() if isinstance(value, datetime.datetime) else str(value).strip()


def number(row: Mapping[str, Any], *columns: str) -> Decimal:
    return Decimal(text(row, *columns).replace("$", "").replace(",", "") or "0")


def partner(row: Mapping[str, Any]) -> str:
    return text(row, "partner_id") or text(row, "partner_name").lower()


def metric(name: str) -> str:
    name = name.upper().replace(" ", "_")
    if "IU_PER_ER" in name:
        return "IU_PER_ER"
    if "ACH" in name:
        return "ACH_SPEED"
    return name if name in ("ER", "IU", "FLAT") else "FLAT"
