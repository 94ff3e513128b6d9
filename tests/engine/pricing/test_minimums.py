"""Minimum true-ups: when one is due, for how much, and what its row says."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.minimums import minimums_due
from billing_pipeline.engine.rules import Rules
from tests.engine.rules.books import contract, minimum, tier
from tests.literals import JANUARY, Row, company, priced, rules, running_minimum, users

STARTED = running_minimum(start=date(2025, 7, 1))  # January 2026 is month 7


def due(minimums: list[Row], config: list[Row], period: Period = JANUARY) -> list[tuple[int, Decimal, int]]:
    """Month index, amount and row of the minimum partner 101 owes."""
    return (
        minimums_due(rules(minimums=minimums, config=config), period).select("month_index", "amount", "rule_row").rows()
    )


def true_ups(minimums: list[Row], config: list[Row], *rows: dict[str, str], **prices: Any) -> list[dict[str, Any]]:
    fact = priced(rows or users("5"), rules([tier(**prices)], minimums, config))
    return fact.filter(pl.col("row_type") == "min_trueup").to_dicts()


def test_fees_below_the_minimum_owe_the_shortfall_as_a_row_of_its_own() -> None:
    (row,) = true_ups([minimum(minimum_amount="500.50")], [STARTED], *users("5", "3"), er_fee=10, iu_fee=2)
    assert {name: value for name, value in row.items() if value is not None} == {
        "FOR_MONTH": "1/1/26",
        "PARTNER_ID": "101",
        "PARTNER_NAME": "Acme",
        "ER_ID": "MIN_ADJ",
        "ER_NAME": "Monthly Minimum True-up",
        "TOTAL_INDIVIDUAL_USERS": "0",
        "month": date(2026, 1, 1),
        "position": 0,
        "users": Decimal(0),
        "partner_key": "101",
        "tier_type": "ALL_IN",
        "partner_tier_metric": "MIN",
        "tier_start": Decimal(7),
        "tier_end": Decimal(7),
        "metric_value_used": Decimal(7),
        "included_users_in_company_fee": 0,
        "user_fee_units_charged": Decimal(0),
        "company_fee_units_charged": 0,
        "unit_price_er": Decimal(0),
        "er_fee": Decimal(0),
        "unit_price_iu": Decimal(0),
        "iu_fee": Decimal("464.50"),
        "unit_price_next_day_er": Decimal(0),
        "unit_price_next_day_iu": Decimal(0),
        "next_day_er_fee": Decimal(0),
        "next_day_iu_fee": Decimal(0),
        "total_fee": Decimal("464.50"),
        "fee_calc_status": "min_trueup",
        "row_type": "min_trueup",
        "partner_minimum_month_index": 7,
        "partner_minimum_amount": Decimal("500.50"),
        "partner_minimum_shortfall": Decimal("464.50"),
        "partner_minimum_applied": True,
        "netsuite_customer_name": "Acme, Inc.",
        "rule_row": 2,
        "bucket": "billed",
    }


@pytest.mark.parametrize(("amount", "shortfall"), [("20.00", []), ("20.01", ["0.01"]), ("19.99", []), ("20.004", [])])
def test_fees_that_reach_the_minimum_owe_nothing(amount: str, shortfall: list[str]) -> None:
    rows = true_ups([minimum(minimum_amount=amount)], [STARTED], *users("5"), er_fee=10, iu_fee=2)
    assert [str(row["total_fee"]) for row in rows] == shortfall


def test_a_shortfall_is_rounded_half_up_once() -> None:
    (row,) = true_ups([minimum(minimum_amount="20.125")], [STARTED], *users("5"), er_fee=10, iu_fee=2)
    assert (row["total_fee"], row["partner_minimum_amount"]) == (Decimal("0.13"), Decimal("20.125"))


def test_next_day_fees_count_towards_the_minimum() -> None:
    fast = company(1, CURRENT_ACH_SPEED="1-day")
    (row,) = true_ups([minimum(minimum_amount=100)], [STARTED], fast, er_fee=10, iu_fee=0, unit_price_next_day_er=30)
    assert row["total_fee"] == Decimal(60)


@pytest.mark.parametrize(
    ("start", "index"),
    [(date(2025, 7, 31), 7), (date(2026, 1, 31), 1), (date(2025, 1, 1), 13), (date(2026, 2, 1), None)],
)
def test_months_are_counted_from_the_start_month_whatever_its_day(start: date, index: int | None) -> None:
    found = due([minimum(month_start=1, month_end=99)], [running_minimum(start)])
    assert [row[0] for row in found] == ([] if index is None else [index])


@pytest.mark.parametrize(
    ("first", "last", "owed"), [(7, 7, True), (1, 7, True), (7, 99, True), (8, 99, False), (1, 6, False)]
)
def test_a_schedule_row_holds_from_its_first_to_its_last_month(first: int, last: int, owed: bool) -> None:
    assert bool(due([minimum(month_start=first, month_end=last)], [STARTED])) is owed


def test_the_amount_is_that_of_the_month() -> None:
    steps = [
        minimum(month_start=1, month_end=6, minimum_amount=100),
        minimum(month_start=7, month_end=12, minimum_amount=200),
    ]
    assert due(steps, [STARTED], Period(2025, 12)) == [(6, Decimal(100), 2)]
    assert due(steps, [STARTED], Period(2026, 1)) == [(7, Decimal(200), 3)]
    assert due(steps, [STARTED], Period(2026, 7)) == []


@pytest.mark.parametrize(
    ("end", "owed"),
    [(date(2026, 1, 1), True), (date(2026, 1, 31), True), (date(2025, 12, 31), False), (None, True)],
)
def test_the_end_month_is_included(end: date | None, owed: bool) -> None:
    assert bool(due([minimum()], [running_minimum(date(2025, 7, 1), end)])) is owed


def test_an_end_before_the_start_is_ignored_and_the_minimum_goes_on() -> None:
    """Q24; the rules check warns of it."""
    assert due([minimum()], [running_minimum(date(2025, 7, 1), date(2025, 6, 1))]) == [(7, Decimal(500), 2)]


def test_of_overlapping_rows_the_first_by_start_holds_then_the_first_in_the_sheet() -> None:
    """Q25."""
    overlapping = [
        minimum(month_start=6, month_end=24, minimum_amount=300),
        minimum(month_start=1, month_end=12, minimum_amount=250),
        minimum(month_start=1, month_end=12, minimum_amount=999),
    ]
    assert due(overlapping, [STARTED]) == [(7, Decimal(250), 3)]


def test_a_partner_without_a_start_month_owes_no_minimum() -> None:
    assert due([minimum()], []) == []
    assert due([minimum()], [contract(minimums_start_month=None)]) == []


@pytest.mark.parametrize("text", [202507, "202507", "2025-07", "7/1/2025", date(2025, 7, 1)])
def test_a_start_month_is_read_in_every_spelling_numbers_too(text: Any) -> None:
    """A number like 202507 switched the minimum off in the reference (Q23)."""
    assert due([minimum()], [contract(minimums_start_month=text)]) == [(7, Decimal(500), 2)]


@pytest.mark.parametrize(
    "rows",
    [
        [company(1, PARTNER_ID="102")],
        [company(1, TOTAL_INDIVIDUAL_USERS="5%")],
        [company(1, ER_ID="", ER_NAME="")],
    ],
    ids=["no usage", "nothing readable", "nothing billable"],
)
def test_a_partner_without_a_priced_row_owes_no_minimum(rows: list[dict[str, str]]) -> None:
    """Q21: it is reported as a warning instead."""
    known = rules([tier(), tier(partner_id="102")], [minimum(minimum_amount=9999)], [STARTED])
    assert "min_trueup" not in priced([*rows, company(9, PARTNER_ID="102")], known)["row_type"]


def two_partners() -> Rules:
    return rules(
        [tier(er_fee=1, iu_fee=0), tier(partner_id="102", er_fee=1, iu_fee=0)],
        [minimum(partner_id="101", minimum_amount=10), minimum(partner_id="102", minimum_amount=20)],
        [running_minimum(), running_minimum(partner_id="102")],
    )


def test_true_ups_stand_in_order_of_the_first_priced_row() -> None:
    rows = [
        company(1, PARTNER_NAME="Zelkova"),
        company(2, PARTNER_ID="102", PARTNER_NAME="Alder", ER_ID="", ER_NAME=""),
        company(3, PARTNER_ID="102", PARTNER_NAME="Birch"),
    ]
    fact = priced(rows, two_partners()).filter(pl.col("row_type") == "min_trueup")
    assert fact.select("partner_key", "total_fee").rows() == [("102", Decimal(19)), ("101", Decimal(9))]


def test_each_partner_is_measured_against_its_own_fees() -> None:
    rows = [*users("1", "1", "1"), company(9, PARTNER_ID="102", PARTNER_NAME="Birch")]
    fact = priced(rows, two_partners()).filter(pl.col("row_type") == "min_trueup")
    assert dict(fact.select("partner_key", "total_fee").rows()) == {"101": Decimal(7), "102": Decimal(19)}


def test_the_partner_s_first_row_speaks_for_it() -> None:
    rows = [
        company(1, PARTNER_NAME="Zelkova", PARTNER_ID=" 101 "),
        company(2, PARTNER_NAME="Acme"),
    ]
    (row,) = true_ups([minimum()], [STARTED], *rows)
    assert (row["PARTNER_NAME"], row["PARTNER_ID"]) == ("Acme", "101")


def test_the_true_up_of_an_unmapped_partner_is_held_with_its_invoice() -> None:
    known = rules([tier()], [minimum()], [STARTED], mapping=[])
    fact = priced(users("1"), known)
    assert fact["bucket"].to_list() == ["held", "held"]


def test_a_split_partner_s_true_up_says_so() -> None:
    (row,) = true_ups([minimum()], [STARTED], tier_type="SPLIT")
    assert row["tier_type"] == "SPLIT"


def test_no_row_of_the_usage_file_is_marked_as_a_minimum() -> None:
    fact = priced(users("5", "6"), rules([tier()], [minimum()], [STARTED]))
    usage = fact.filter(pl.col("row_type") == "usage")
    assert usage.height == 2
    assert usage.select("partner_minimum_applied", "partner_minimum_shortfall").unique().rows() == [(False, None)]
