"""What a priced month comes to per customer, and what no customer can be named for."""

from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.accruals import customer_totals, held_revenue
from tests.engine.rules.books import contract, customer, minimum, tier
from tests.literals import Row, company, priced, rules


def fact_of(*rows: Row, **sheets: Any) -> pl.DataFrame:
    """The priced rows under rules with these sheets."""
    return priced(rows, rules(**sheets))


def totals(fact: pl.DataFrame) -> dict[str, tuple[Decimal, ...]]:
    return {name: tuple(amounts) for name, *amounts in customer_totals(fact).rows()}


def test_usage_next_day_and_minimum_of_each_customer_in_code_point_order() -> None:
    birch = {"partner_id": "102", "partner_name": "birch"}
    fact = fact_of(
        company(1, CURRENT_ACH_SPEED="1-day"),
        company(2, PARTNER_ID="102", PARTNER_NAME="birch"),
        pricing=[tier(unit_price_next_day_er="1.5", unit_price_next_day_iu="0.1"), tier(**birch)],
        minimums=[minimum(**birch, minimum_amount=100)],
        config=[contract(**birch)],
        mapping=[customer(ns_customer_name="acme"), customer(**birch, ns_customer_name="Birch")],
    )
    assert totals(fact) == {
        "Birch": (Decimal("20.00"), Decimal("0.00"), Decimal("80.00"), Decimal("100.00")),
        "acme": (Decimal("20.00"), Decimal("2.00"), Decimal("0.00"), Decimal("22.00")),
    }
    assert list(totals(fact)) == ["Birch", "acme"]


def test_partners_of_one_customer_are_one_line() -> None:
    fact = fact_of(
        company(1), company(2, PARTNER_ID="102"),
        pricing=[tier(), tier(partner_id="102")],
        mapping=[customer(), customer(partner_id="102")],
    )  # fmt: skip
    assert totals(fact) == {"Acme, Inc.": (Decimal("40.00"), Decimal("0.00"), Decimal("0.00"), Decimal("40.00"))}


def test_revenue_without_a_customer_is_listed_and_not_accrued() -> None:
    fact = fact_of(
        company(1),
        company(2, PARTNER_ID="102", PARTNER_NAME="Birch"),
        pricing=[tier(), tier(partner_id="102", partner_name="Birch")],
    )
    assert list(totals(fact)) == ["Acme, Inc."]
    (row,) = held_revenue(fact).to_dicts()
    assert (row["partner"], row["partner_id"], row["total"], row["reason"]) == (
        "Birch", "102", Decimal("20.00"), "no customer is mapped",
    )  # fmt: skip


def test_a_customer_that_would_be_a_formula_is_held() -> None:
    fact = fact_of(company(1), mapping=[customer(ns_customer_name="@cmd")])
    assert totals(fact) == {}
    assert held_revenue(fact)["reason"].to_list() == ["its customer name would be read as a formula by a spreadsheet"]


def test_partners_whose_ids_collide_are_accrued_though_their_invoices_are_held() -> None:
    """An entry names customers only; the revenue was earned."""
    fact = fact_of(
        company(1, PARTNER_ID="1a", PARTNER_NAME="One"), company(2, PARTNER_ID="1A", PARTNER_NAME="Two"),
        pricing=[tier(partner_id="1a", partner_name="One"), tier(partner_id="1A", partner_name="Two")],
        mapping=[customer(partner_id="", partner_name="One", ns_customer_name="One"),
                 customer(partner_id="", partner_name="Two", ns_customer_name="Two")],
    )  # fmt: skip
    assert set(fact["bucket"]) == {"held"}
    assert list(totals(fact)) == ["One", "Two"]


def test_unpriced_rows_and_customers_without_an_amount_are_left_out() -> None:
    free = customer(partner_id="102", ns_customer_name="Free")
    fact = fact_of(
        company(1, TOTAL_INDIVIDUAL_USERS="five"),
        company(2, PARTNER_ID="102"),
        pricing=[tier(), tier(partner_id="102", er_fee=0, iu_fee=0)],
        mapping=[customer(), free],
    )
    assert totals(fact) == {}
    assert held_revenue(fact).is_empty()
