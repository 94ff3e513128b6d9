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

from tests.oracle import (
    ZERO,
    Book,
    Cells,
    Contract,
    Customer,
    Minimum,
    Priced,
    Result,
    Tier,
    bill,
    day,
    first_of_month,
    select,
)

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


def test_worked_example_of_the_specification() -> None:
    """Its Appendix A: a count with a comma, a value in a gap of SPLIT tiers, a minimum by decorated id, `11-999999`."""
    result = bill(APPENDIX_ROWS, APPENDIX_BOOK, 2026, 2)
    facts = ("ER_NAME", "tier_start", "metric_value_used", "user_fee_units_charged")
    assert [
        " ".join([*(f"{row[fact]}" for fact in facts), *(f"{row[fee]:.2f}" for fee in FEES)]) for row in result.master
    ] == [
        "Gamma Co 3 3 2 9.50 0.50 1.13 0.26 11.39",
        "Beta Co 3 3 1199 9.50 299.75 1.13 155.87 466.25",
        "Alpha Co 3 3 4 9.50 1.00 0.00 0.00 10.50",
        "Monthly Minimum True-up 13 13 0 0.00 1511.86 0.00 0.00 1511.86",
        "Zeta Co 1 1.5 1.5 5.00 1.50 2.00 0.30 8.80",
        "Eps Co 11 4.5 3 3.00 2.40 0.00 0.00 5.40",
        "Eps Co 11 16.5 12 3.00 9.60 2.00 2.40 17.00",
    ]
    assert [(line["Invoice External ID"], line["Amount"]) for line in result.lines] == [
        *(("INV-GEP-202602-101", amount) for amount in ("28.50", "301.25", "2.26", "156.13", "1511.86")),
        *(("INV-GEP-202602-303", amount) for amount in ("11.00", "13.50", "4.00", "2.70")),
    ]


@pytest.mark.parametrize(
    ("value", "start"),
    [("0", 1), ("0.5", 1), ("1", 1), ("10", 1), ("10.5", 51), ("11", 11), ("50", 11), ("50.2", 51), ("101", 51)],
)
def test_a_value_in_a_gap_takes_the_last_tier(value: str, start: int) -> None:
    tiers = [tier("p", "IU", first, last) for first, last in ((1, 10), (11, 50), (51, 100))]
    assert select(tiers, Decimal(value)).start == start


@pytest.mark.parametrize(("value", "place"), [("4", 0), ("5", 1), ("7", 1), ("9", 1), ("15", 1), ("21", 1)])
def test_of_overlapping_tiers_the_first_with_the_greatest_start_counts(value: str, place: int) -> None:
    tiers = [tier("p", "IU", first, last) for first, last in ((1, 10), (5, 20), (5, 8))]
    assert select(tiers, Decimal(value)) is tiers[place]


def test_split_starts_at_one_and_counts_a_company_once() -> None:
    companies, users = ("1", "1", "2"), ("0", "0", "0")
    rows = [usage(c, "Co", "Acme", "101", "", u, "") for c, u in zip(companies, users, strict=True)]
    for metric, values, starts in (("ER", [1, 1, 2], [1, 1, 2]), ("IU", [0, 0, 0], [1, 1, 1])):
        tiers = [tier("101", metric, *bounds, kind="SPLIT") for bounds in ((0, 0), (1, 1), (2, 9))]
        priced = bill(rows, Book(tiers), 2026, 2).rows
        assert [row["metric_value_used"] for row in priced] == values
        assert [row["tier_start"] for row in priced] == starts


def tier(partner: str, metric: str, start: int, end: int | None, *, kind: str = "ALL_IN", **prices: str) -> Tier:
    bounds = Decimal(start), None if end is None else Decimal(end)
    er, iu, nd_er, nd_iu = (Decimal(prices.get(name, "0")) for name in ("er", "iu", "nd_er", "nd_iu"))
    return Tier(partner, kind, metric, *bounds, er, iu, int(prices.get("included", "0")), nd_er, nd_iu)


def usage(er_id: str, er_name: str, partner_name: str, partner_id: str, first: str, users: str, speed: str) -> Cells:
    cells = {"FOR_MONTH": "2026-02-01", "ER_ID": er_id, "ER_NAME": er_name, "PARTNER_NAME": partner_name}
    cells |= {"PARTNER_ID": partner_id, "FIRST_BILLABLE_ACTIVITY_DATE": first, "TOTAL_INDIVIDUAL_USERS": users}
    return cells | {"CURRENT_ACH_SPEED": speed, "SUSPENSION_DATE": "", "DISSOCIATION_DATE": ""}


FEES = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")
APPENDIX_ROWS = (
    usage("1001", "Alpha Co", "Acme/Pay Inc.", "101", "2026-01-15", "5", "2-day"),
    usage("1002", "Beta Co", "Acme/Pay Inc.", "101", "1/10/26", "1,200", "1-day"),
    usage("1003", "Gamma Co", "Acme/Pay Inc.", "101", "", "3", "Same Day"),
    usage("", "Eps Co", "Split Partner", "303", "2026-02-03", "3", "4-day"),
    usage("", "Eps Co", "Split Partner", "303", "2026-02-04", "12", "1 Day"),
    usage("77", "Zeta Co", "Split Partner", "303", "2026-02-02", "1.5", "1-DAY"),
)
APPENDIX_BOOK = Book(
    tiers=(
        tier("101", "ER", 1, 2, er="10.005", iu="0.335", included="1"),
        tier("101", "ER", 3, None, er="9.50", iu="0.25", included="1", nd_er="1.125", nd_iu="0.125"),
        tier("303", "IU", 1, 4, kind="SPLIT", er="5", iu="1", nd_er="2", nd_iu="0.2"),
        tier("303", "IU", 5, 10, kind="SPLIT", er="4", iu="0.9", nd_er="2", nd_iu="0.2"),
        tier("303", "IU", 11, 999999, kind="SPLIT", er="3", iu="0.8", nd_er="2", nd_iu="0.2"),
    ),
    minimums=(Minimum("101", 13, 24, Decimal(2000)),),
    contracts=(Contract("101", datetime.date(2025, 2, 1), None),),
    customers=(Customer("P-101", "", "Acme, Inc. (NS)"), Customer("303", "", "Split NS")),
)


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
