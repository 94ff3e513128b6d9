"""Input warnings: what looks odd but needs no decision, with the partner and the place of it."""

from collections.abc import Mapping
from datetime import date

import polars as pl
import pytest

from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import input_warnings
from tests.engine.rules.books import contract, customer, minimum, tier
from tests.literals import JANUARY, company, rules, usage

QUIET = rules()


def warned(
    *rows: Mapping[str, str], known: Rules = QUIET, previous: pl.DataFrame | None = None
) -> list[tuple[str, str, str, str]]:
    """Type, partner, place and message of each warning."""
    return (
        input_warnings(usage(*rows), known, JANUARY, previous).select("type", "partner_key", "place", "message").rows()
    )


def last_month(*partners: tuple[str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(partners), schema={"PARTNER_ID": pl.String, "PARTNER_NAME": pl.String}, orient="row")


def test_an_ordinary_file_has_no_warnings() -> None:
    assert warned(company(1), company(2), previous=last_month(("101", "Acme"))) == []


def test_counts_below_zero_are_told_per_partner_with_their_lines() -> None:
    rows = [company(n, TOTAL_INDIVIDUAL_USERS="-1") for n in (1, 2)]
    other = company(3, TOTAL_INDIVIDUAL_USERS="-1", PARTNER_ID="102")
    assert warned(*rows, other, company(4)) == [
        ("negative_count", "101", "line 2, 3", "2 row(s) with a user count below zero, charged as zero"),
        ("negative_count", "102", "line 4", "1 row(s) with a user count below zero, charged as zero"),
    ]


@pytest.mark.parametrize("count", ["0", "-0", "", "0.5"])
def test_a_count_of_nothing_is_no_count_below_zero(count: str) -> None:
    assert warned(company(1, TOTAL_INDIVIDUAL_USERS=count)) == []


def test_of_many_lines_the_first_five_are_named() -> None:
    ((_, _, place, message),) = warned(*(company(n, TOTAL_INDIVIDUAL_USERS="-1") for n in range(1, 8)))
    assert place == "line 2, 3, 4, 5, 6, …"
    assert message.startswith("7 row(s) ")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (company(7), company(7)),
        (company(" 7"), company("7 ")),
        (company("", ER_NAME="Same"), company("", ER_NAME=" SAME ")),
    ],
)
def test_a_company_listed_twice_under_its_partner_is_told(first: dict[str, str], second: dict[str, str]) -> None:
    assert warned(first, second) == [
        ("duplicate_company", "101", "line 2, 3", "2 row(s) with a company listed more than once; each row is charged")
    ]


def test_the_same_company_id_under_two_partners_is_no_repetition() -> None:
    assert warned(company(7), company(7, PARTNER_ID="102")) == []


@pytest.mark.parametrize("speed", ["instant", "next-day", "1day", "11-day", "same-day"])
def test_a_speed_outside_the_known_list_is_told(speed: str) -> None:
    assert warned(company(1), company(2, CURRENT_ACH_SPEED=speed)) == [
        ("unknown_speed", "101", "line 3", "1 row(s) with an ACH speed outside the known list")
    ]


@pytest.mark.parametrize("speed", ["", "  ", "2-day", "4 Day", "1-DAY", "Same Day", "Next 1 day"])
def test_a_known_speed_is_not(speed: str) -> None:
    assert warned(company(1, CURRENT_ACH_SPEED=speed)) == []


def test_a_minimum_of_a_partner_without_usage_is_told_with_its_amount_and_row() -> None:
    known = rules(
        [tier(), tier(partner_id="102")],
        minimums=[minimum(partner_id="101"), minimum(partner_id="102", minimum_amount=1500.5)],
        config=[contract(partner_id="101"), contract(partner_id="102", minimums_start_month=date(2026, 1, 1))],
    )
    assert warned(company(1), known=known) == [
        (
            "minimum_without_usage",
            "102",
            "Minimums, row 3",
            "a minimum of 1500.50 is due but the partner has no usage; it is not billed",
        )
    ]


def test_a_minimum_that_is_not_due_this_month_is_not_told() -> None:
    known = rules(
        [tier(), tier(partner_id="102")],
        minimums=[minimum(partner_id="102")],
        config=[contract(partner_id="102", minimums_start_month=date(2026, 2, 1))],
    )
    assert warned(company(1), known=known) == []


def test_a_partner_that_had_usage_last_month_and_has_none_now_is_told_once() -> None:
    gone = last_month(("101", "Acme"), ("102", "Birch"), ("102", "Birch Co"), (None, "Cedar"), (None, None))
    assert warned(company(1), previous=gone) == [
        ("partner_disappeared", "102", "previous month", "'Birch' had usage last month and has none now"),
        ("partner_disappeared", "cedar", "previous month", "'Cedar' had usage last month and has none now"),
    ]


def test_when_last_month_is_not_known_nobody_has_disappeared() -> None:
    assert warned(company(1), previous=None) == []


def test_the_warnings_of_the_rules_come_with_their_cells() -> None:
    known = rules([tier(tier_start=1, tier_end=10), tier(tier_start=21, er_fee="10.005")])
    told = warned(company(1), known=known)
    assert sorted((kind, place) for kind, _, place, _ in told) == [
        ("rate_over_two_decimals", "Pricing!F3"),
        ("tier_gap", "Pricing!D3"),
    ]


def test_a_customer_without_prices_is_no_warning_of_the_usage() -> None:
    assert warned(company(1), known=rules(mapping=[customer(), customer(partner_id="999")])) == []
