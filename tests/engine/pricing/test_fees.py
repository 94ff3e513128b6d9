"""The four fees of a row: units, prices, rounding, next-day fees, and rows that are not priced."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.period import Period
from tests.engine.rules.books import contract, customer, minimum, tier
from tests.literals import Row, company, priced, rules

FEES = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")


def fees(row: Mapping[str, str], **prices: Any) -> tuple[str, ...]:
    """The four fees and their sum for one company under one tier."""
    return tuple(str(fee) for fee in priced([row], rules([tier(**prices)])).select(FEES).row(0))


def with_users(count: str, **cells: str) -> dict[str, str]:
    return company(TOTAL_INDIVIDUAL_USERS=count, **cells)


@pytest.mark.parametrize(
    ("count", "price", "fee"),
    [
        ("3", "0.335", "1.01"),
        ("4", "0.335", "1.34"),
        ("7", "0.125", "0.88"),
        ("1", "1.005", "1.01"),
        ("1", "2.675", "2.68"),
        ("55", "0.051", "2.81"),
        ("1.5", "0.9", "1.35"),
        ("1,200", "0.25", "300.00"),
    ],
)
def test_a_user_fee_is_units_times_price_rounded_once_half_up(count: str, price: str, fee: str) -> None:
    assert fees(with_users(count), er_fee=0, iu_fee=price)[1] == fee


@pytest.mark.parametrize(("count", "price", "fee"), [("5", "0.011", "0.06"), ("15", "0.141", "2.12")])
def test_the_exact_product_is_billed_where_a_binary_one_would_be_a_cent_less(count: str, price: str, fee: str) -> None:
    """Decision 2."""
    assert fees(with_users(count), er_fee=0, iu_fee=price)[1] == fee


@pytest.mark.parametrize(
    ("price", "fee"), [("10.005", "10.01"), ("$9.50", "9.50"), ("1,000.50", "1000.50"), (None, "0.00")]
)
def test_a_company_fee_is_the_price_rounded(price: Any, fee: str) -> None:
    assert fees(with_users("0"), er_fee=price, iu_fee=0)[0] == fee


def test_unit_prices_are_kept_unrounded_beside_the_rounded_fees() -> None:
    row = priced([with_users("3")], rules([tier(er_fee="10.005", iu_fee="0.33512345")])).row(0, named=True)
    assert (row["unit_price_er"], row["er_fee"]) == (Decimal("10.005"), Decimal("10.01"))
    assert (row["unit_price_iu"], row["iu_fee"]) == (Decimal("0.33512345"), Decimal("1.01"))


@pytest.mark.parametrize(
    ("count", "included", "units"),
    [
        ("5", 0, "5"),
        ("5", 1, "4"),
        ("1", 1, "0"),
        ("0.5", 1, "0"),
        ("0", 1, "0"),
        ("1.5", 1, "0.5"),
        ("5", 3, "4"),
        ("", 0, "0"),
        ("-3", 0, "0"),
        ("-3", 1, "0"),
    ],
)
def test_one_user_may_be_included_in_the_company_fee_and_never_more(count: str, included: int, units: str) -> None:
    row = priced([with_users(count)], rules([tier(tier_start=0, include_iu=included)])).row(0, named=True)
    assert row["user_fee_units_charged"] == Decimal(units)
    assert row["included_users_in_company_fee"] == min(included, 1)
    assert row["company_fee_units_charged"] == 1
    assert row["users"] == Decimal(count or 0)


def test_a_company_listed_twice_pays_the_company_fee_twice() -> None:
    """Q4; a warning tells of it."""
    fact = priced([company(7), company(7)], rules([tier(er_fee=10)]))
    assert fact["er_fee"].to_list() == [Decimal(10), Decimal(10)]


NEXT_DAY = {"er_fee": 5, "iu_fee": 1, "unit_price_next_day_er": "1.125", "unit_price_next_day_iu": "0.125"}


def test_next_day_prices_are_rounded_before_they_are_multiplied() -> None:
    """0.125 is charged as 0.13 a user (Q10), while ordinary prices are not rounded before."""
    row = with_users("1199", CURRENT_ACH_SPEED="1-day")
    assert fees(row, **NEXT_DAY) == ("5.00", "1199.00", "1.13", "155.87", "1361.00")
    fact = priced([row], rules([tier(**NEXT_DAY)]))
    assert fact.select("unit_price_next_day_er", "unit_price_next_day_iu").row(0) == (Decimal("1.13"), Decimal("0.13"))


def test_next_day_user_fees_are_on_the_charged_users() -> None:
    row = with_users("3", CURRENT_ACH_SPEED="Same Day")
    assert fees(row, **NEXT_DAY, include_iu=1)[3] == "0.26"


def test_another_speed_has_no_next_day_fee() -> None:
    assert fees(with_users("1199", CURRENT_ACH_SPEED="2-day"), **NEXT_DAY)[2:4] == ("0.00", "0.00")


def test_a_fast_company_of_a_partner_without_next_day_prices_pays_none() -> None:
    row = with_users("3", CURRENT_ACH_SPEED="1-day")
    assert fees(row, er_fee=5, iu_fee=1) == ("5.00", "3.00", "0.00", "0.00", "8.00")


def test_the_total_is_the_sum_of_the_four_rounded_fees() -> None:
    row = with_users("3", CURRENT_ACH_SPEED="1-day")
    prices = {
        "er_fee": "0.005",
        "iu_fee": "0.335",
        "unit_price_next_day_er": "0.005",
        "unit_price_next_day_iu": "0.005",
    }
    assert fees(row, **prices) == ("0.01", "1.01", "0.01", "0.03", "1.06")


UNPRICED = {
    "tier_type": None,
    "partner_tier_metric": None,
    "tier_start": None,
    "tier_end": None,
    "metric_value_used": None,
    "included_users_in_company_fee": None,
    "user_fee_units_charged": Decimal(0),
    "company_fee_units_charged": 0,
    "unit_price_er": Decimal(0),
    "er_fee": Decimal(0),
    "unit_price_iu": Decimal(0),
    "iu_fee": Decimal(0),
    "unit_price_next_day_er": Decimal(0),
    "unit_price_next_day_iu": Decimal(0),
    "next_day_er_fee": Decimal(0),
    "next_day_iu_fee": Decimal(0),
    "total_fee": Decimal(0),
    "rule_row": None,
    "bucket": "quarantined",
}


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ({"PARTNER_ID": "", "PARTNER_NAME": " "}, "bad_data"),
        ({"ER_ID": "", "ER_NAME": ""}, "bad_data"),
        ({"PARTNER_ID": "999"}, "missing_tier"),
        ({"TOTAL_INDIVIDUAL_USERS": "5%"}, "bad_cell"),
        ({"FIRST_BILLABLE_ACTIVITY_DATE": "soon"}, "bad_cell"),
        ({"FOR_MONTH": "2025-12"}, "other_month"),
        ({"TOTAL_INDIVIDUAL_USERS": "5%", "ER_ID": "", "ER_NAME": ""}, "bad_data"),
        ({"TOTAL_INDIVIDUAL_USERS": "5%", "PARTNER_ID": "999"}, "bad_cell"),
    ],
)
def test_a_row_that_cannot_be_priced_costs_nothing_and_says_why(cells: dict[str, str], status: str) -> None:
    row = company(2, **{"CURRENT_ACH_SPEED": "1-day", "TOTAL_INDIVIDUAL_USERS": "9"} | cells)
    found = priced([company(1), row], rules([tier(**NEXT_DAY)])).row(1, named=True)
    assert found["fee_calc_status"] == status
    assert {name: found[name] for name in UNPRICED} == UNPRICED


def test_an_undated_row_is_flagged_and_priced_all_the_same() -> None:
    fact = priced([company(1, FIRST_BILLABLE_ACTIVITY_DATE="")], rules([tier(er_fee=10, iu_fee=0)]))
    assert fact.select("fee_calc_status", "total_fee").row(0) == ("ok", Decimal(10))


LEGACY = ("NEXT_DAY_FEE_ER", "NEXT_DAY_FEE_IU", "NEXT_DAY_AMOUNT_ER", "NEXT_DAY_AMOUNT_IU", "NEXT_DAY_ER_FEE")


@pytest.mark.parametrize("partner", ["101", "999"])
def test_next_day_amounts_of_an_older_export_charge_nobody(partner: str) -> None:
    """The reference invoiced them on rows it could not price (Q6)."""
    row = company(1, PARTNER_ID=partner, **dict.fromkeys(LEGACY, "77.77"))
    found = priced([row], rules()).select(FEES[2:4]).row(0)
    assert found == (Decimal(0), Decimal(0))


def customers(*mapping: Row, **cells: str) -> str:
    return str(priced([company(1, **cells)], rules(mapping=mapping))["netsuite_customer_name"][0])


def test_a_customer_is_found_by_the_digits_of_the_id_first() -> None:
    assert customers(customer(partner_id="P-101", ns_customer_name="By digits")) == "By digits"
    by_name = customer(partner_id=None, ns_customer_name="By name")
    assert (
        customers(by_name, customer(partner_id="A101", partner_name=None, ns_customer_name="By digits")) == "By digits"
    )


def test_then_by_name_without_case_then_by_partner_key() -> None:
    by_name = customer(partner_id=None, partner_name=" ACME ", ns_customer_name="By name")
    assert customers(by_name, customer(partner_id="102", partner_name="x", ns_customer_name="Other")) == "By name"
    by_key = customer(partner_id="abc", partner_name=None, ns_customer_name="By key")
    assert customers(by_key, PARTNER_ID="abc", PARTNER_NAME="Nobody") == "By key"


def test_the_last_row_of_the_mapping_wins() -> None:
    assert customers(customer(ns_customer_name="First"), customer(ns_customer_name="Last")) == "Last"


def test_a_partner_that_is_not_mapped_has_an_empty_customer_and_is_held() -> None:
    known = rules([tier(er_fee=10, iu_fee=0)], mapping=[customer(partner_id="102", partner_name="Birch")])
    fact = priced([company(1)], known)
    assert fact.select("netsuite_customer_name", "bucket", "total_fee").row(0) == ("", "held", Decimal(10))


def test_the_golden_month_of_the_published_rules() -> None:
    """Appendix A: tiers, next-day fees, a fractional count, a gap, a minimum; `1,200` counts as 1,200 everywhere."""
    acme = {"PARTNER_NAME": "Acme/Pay Inc.", "PARTNER_ID": "101", "FOR_MONTH": "2026-02-01"}
    split = {"PARTNER_NAME": "Split Partner", "PARTNER_ID": "303", "FOR_MONTH": "2026-02-01"}

    def row(number: str, name: str, day: str, count: str, speed: str, partner: dict[str, str]) -> dict[str, str]:
        cells = {"FIRST_BILLABLE_ACTIVITY_DATE": day, "TOTAL_INDIVIDUAL_USERS": count, "CURRENT_ACH_SPEED": speed}
        return company(number, ER_NAME=name, **cells, **partner)

    rows = [
        row("1001", "Alpha Co", "2026-01-15", "5", "2-day", acme),
        row("1002", "Beta Co", "1/10/26", "1,200", "1-day", acme),
        row("1003", "Gamma Co", "", "3", "Same Day", acme),
        row("", "Eps Co", "2026-02-03", "3", "4-day", split),
        row("", "Eps Co", "2026-02-04", "12", "1 Day", split),
        row("77", "Zeta Co", "2026-02-02", "1.5", "1-DAY", split),
    ]
    ladder = {"tier_metric": "IU", "tier_type": "SPLIT", "unit_price_next_day_er": 2, "unit_price_next_day_iu": 0.2}
    known = rules(
        pricing=[
            tier(tier_end=2, er_fee=10.005, iu_fee=0.335, include_iu=2),
            tier(tier_start=3, er_fee="$9.50", iu_fee=0.25, include_iu=2)
            | {"unit_price_next_day_er": 1.125, "unit_price_next_day_iu": 0.125},
            tier(partner_id="303", tier_start=1, tier_end=4, er_fee=5, iu_fee=1) | ladder,
            tier(partner_id="303", tier_start=5, tier_end=10, er_fee=4, iu_fee=0.9) | ladder,
            tier(partner_id="303", tier_start=11, tier_end=999999, er_fee=3, iu_fee=0.8) | ladder,
        ],
        minimums=[minimum(month_start=13, month_end=24, minimum_amount="2,000")],
        config=[contract(minimums_start_month="2025-02")],
        mapping=[
            customer(partner_id="P-101", partner_name="x", ns_customer_name="Acme, Inc. (NS)"),
            customer(partner_id="303", partner_name="y", ns_customer_name="Split NS"),
        ],
    )
    fact = priced(rows, known, period=Period(2026, 2))
    shown = ("ER_NAME", "tier_start", "metric_value_used", "user_fee_units_charged", *FEES)
    table = fact.select(shown[0], pl.col(shown[1:]).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end("."))
    assert table.rows() == [
        ("Alpha Co", "3", "3", "4", "9.5", "1", "0", "0", "10.5"),
        ("Beta Co", "3", "3", "1199", "9.5", "299.75", "1.13", "155.87", "466.25"),
        ("Gamma Co", "3", "3", "2", "9.5", "0.5", "1.13", "0.26", "11.39"),
        ("Eps Co", "11", "4.5", "3", "3", "2.4", "0", "0", "5.4"),
        ("Eps Co", "11", "16.5", "12", "3", "9.6", "2", "2.4", "17"),
        ("Zeta Co", "1", "1.5", "1.5", "5", "1.5", "2", "0.3", "8.8"),
        ("Monthly Minimum True-up", "13", "13", "0", "0", "1511.86", "0", "0", "1511.86"),
    ]
    assert fact["netsuite_customer_name"].unique(maintain_order=True).to_list() == ["Acme, Inc. (NS)", "Split NS"]
