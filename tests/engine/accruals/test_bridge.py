"""The bridge from estimate to actual: one thing changed at a time lands in its own part, and the parts sum exactly."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.accruals import PARTS, bridge, customer_totals, rounding_bound
from billing_pipeline.engine.accruals.usage import for_month
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import apply_decisions, read_decisions, read_usage
from tests.engine.rules.books import contract, customer, minimum, tier
from tests.engine.usage.test_decisions import HASH, NAME, decided, file
from tests.literals import Row, company, rules, usage_csv

JANUARY = Period(2026, 1)
STEPS = [tier(tier_start=1, tier_end=2, er_fee=10, iu_fee=2), tier(tier_start=3, er_fee=8, iu_fee="1.5")]


def estimated(rows: Sequence[Row], terms: Rules) -> pl.DataFrame:
    """December's rows, priced as January's."""
    december = [{**row, "FOR_MONTH": "2025-12-01"} for row in rows]
    usage = read_usage(usage_csv(*december), "2025.12_usage.csv", JANUARY.previous)
    return priced_rows(for_month(usage.lazy(), JANUARY).collect(), terms, JANUARY)


def billed(rows: Sequence[Row], terms: Rules, *decisions: dict[str, Any]) -> pl.DataFrame:
    usage = read_usage(usage_csv(*rows), "2026.01_usage.csv", JANUARY)
    made = read_decisions(file(*decisions), NAME, HASH, usage.height, JANUARY) if decisions else None
    applied = apply_decisions(usage.lazy(), made, JANUARY).collect() if made is not None else usage
    return priced_rows(applied, terms, JANUARY)


def parts(
    before: pl.DataFrame, after: pl.DataFrame, terms: Rules, booked: pl.DataFrame | None = None
) -> dict[str, dict[str, str]]:
    """By customer, the parts that are not zero. Whatever they are, they sum to the variance."""
    was = booked if booked is not None else customer_totals(before)
    now = customer_totals(after)
    found = bridge(before, after, was, now, terms, JANUARY)
    both = found.join(was.select("customer", was="total"), on="customer", how="left").join(
        now.select("customer", now="total"), on="customer", how="left"
    ).with_columns(pl.col("was", "now").fill_null(0))  # fmt: skip
    assert both.filter(pl.sum_horizontal(PARTS) != pl.col("now") - pl.col("was")).is_empty()
    far = found.join(rounding_bound(before, after), on="customer").filter(pl.col("rounding").abs() > pl.col("bound"))
    assert far.is_empty()
    return {row["customer"]: {name: str(row[name]) for name in PARTS if row[name]} for row in found.to_dicts()}


def test_nothing_changed() -> None:
    terms = rules(STEPS)
    assert parts(estimated([company(1)], terms), billed([company(1)], terms), terms) == {"Acme, Inc.": {}}


def test_a_new_company_is_priced_at_the_old_tier() -> None:
    terms = rules([tier()])
    found = parts(estimated([company(1)], terms), billed([company(1), company(2)], terms), terms)
    assert found == {"Acme, Inc.": {"new_companies": "20.00"}}


def test_a_lost_company_at_what_was_estimated_for_it() -> None:
    terms = rules([tier()])
    found = parts(
        estimated([company(1), company(2, TOTAL_INDIVIDUAL_USERS="7")], terms), billed([company(1)], terms), terms
    )
    assert found == {"Acme, Inc.": {"lost_companies": "-24.00"}}


def test_users_of_a_company_that_stayed_are_volume() -> None:
    terms = rules([tier()])
    found = parts(estimated([company(1)], terms), billed([company(1, TOTAL_INDIVIDUAL_USERS="9")], terms), terms)
    assert found == {"Acme, Inc.": {"volume": "8.00"}}


def test_a_third_company_comes_at_the_old_tier_and_moves_everyone_to_the_next_one() -> None:
    terms = rules(STEPS)
    found = parts(estimated([company(1), company(2)], terms), billed([company(n) for n in (1, 2, 3)], terms), terms)
    assert found == {"Acme, Inc.": {"new_companies": "20.00", "tier": "-13.50"}}


def test_new_prices_apply_to_the_actual_volume_at_its_tier() -> None:
    old, new = rules([tier()]), rules([tier(er_fee=11, iu_fee="2.5")])
    found = parts(estimated([company(1)], old), billed([company(1, TOTAL_INDIVIDUAL_USERS="9")], new), old)
    assert found == {"Acme, Inc.": {"volume": "8.00", "price": "5.50"}}


def test_next_day_fees_and_minimums_are_parts_of_their_own() -> None:
    terms = rules(
        [tier(unit_price_next_day_er=1, unit_price_next_day_iu="0.5")], [minimum(minimum_amount=40)], [contract()]
    )
    found = parts(estimated([company(1)], terms), billed([company(1, CURRENT_ACH_SPEED="1-day")], terms), terms)
    assert found == {"Acme, Inc.": {"next_day": "3.50", "minimums": "-3.50"}}


def test_a_company_that_moves_is_lost_to_one_partner_and_new_to_the_other() -> None:
    terms = rules(
        [tier(), tier(partner_id="102", partner_name="Birch", er_fee=5, iu_fee=1)],
        mapping=[customer(), customer(partner_id="102", partner_name="Birch", ns_customer_name="Birch")],
    )
    birch = company(9, PARTNER_ID="102", PARTNER_NAME="Birch")
    moved = company(1, PARTNER_ID="102", PARTNER_NAME="Birch")
    found = parts(estimated([company(1), birch], terms), billed([moved, birch], terms), terms)
    assert found == {"Acme, Inc.": {"lost_companies": "-20.00"}, "Birch": {"new_companies": "10.00"}}


def test_a_row_that_a_decision_removed_is_no_lost_company() -> None:
    terms = rules([tier()])
    rows = [company(1), company(2, FIRST_BILLABLE_ACTIVITY_DATE="")]
    after = billed(rows, terms, decided(1, "remove"))
    assert parts(estimated(rows, terms), after, terms) == {"Acme, Inc.": {"overrides": "-20.00"}}


def test_a_row_that_a_decision_moved_is_neither_lost_nor_new() -> None:
    terms = rules(
        [tier(), tier(partner_id="102", partner_name="Birch", er_fee=5, iu_fee=1)],
        mapping=[customer(), customer(partner_id="102", partner_name="Birch", ns_customer_name="Birch")],
    )
    rows = [company(1), company(2), company(9, PARTNER_ID="102", PARTNER_NAME="Birch")]
    after = billed(rows, terms, decided(1, "reassign", reassign_to_partner_name="Birch", reassign_to_partner_id="102"))
    assert parts(estimated(rows, terms), after, terms) == {
        "Acme, Inc.": {"overrides": "-20.00"}, "Birch": {"overrides": "10.00"},
    }  # fmt: skip


def test_revenue_that_was_held_for_want_of_a_customer_when_it_was_accrued() -> None:
    unmapped, mapped = rules([tier()], mapping=[]), rules([tier()])
    found = parts(estimated([company(1)], unmapped), billed([company(1)], mapped), unmapped)
    assert found == {"Acme, Inc.": {"overrides": "20.00"}}


def test_a_partner_without_old_prices_is_new_as_a_whole() -> None:
    old = rules([tier()])
    birch = customer(partner_id="102", partner_name="Birch", ns_customer_name="Birch")
    new = rules([tier(), tier(partner_id="102", partner_name="Birch")], mapping=[customer(), birch])
    after = billed([company(1), company(2, PARTNER_ID="102", PARTNER_NAME="Birch")], new)
    assert parts(estimated([company(1)], old), after, old) == {"Acme, Inc.": {}, "Birch": {"new_companies": "20.00"}}


def test_what_another_estimator_booked_is_taken_out_first() -> None:
    terms = rules([tier()])
    before = estimated([company(1)], terms)
    booked = customer_totals(before).with_columns(pl.col("total") + pl.lit("3.00").cast(pl.Decimal(18, 2)))
    found = parts(before, billed([company(1), company(2)], terms), terms, booked)
    assert found == {"Acme, Inc.": {"method": "-3.00", "new_companies": "20.00"}}


def test_the_cents_of_single_fees_are_rounding_and_nothing_else_is() -> None:
    """Three companies at 0.3333 a user: 0.33 each as fees, 0.9999 together as the part."""
    terms = rules([tier(er_fee=0, iu_fee="0.3333")])
    one = [company(n, TOTAL_INDIVIDUAL_USERS="1") for n in range(1, 4)]
    assert parts(estimated([company(9)], terms), billed([company(9), *one], terms), terms) == {
        "Acme, Inc.": {"new_companies": "1.00", "rounding": "-0.01"}
    }


def test_running_tiers_keep_each_company_at_its_own_old_tier() -> None:
    terms = rules([tier(tier_type="SPLIT", tier_start=1, tier_end=1, er_fee=10, iu_fee=0),
                   tier(tier_type="SPLIT", tier_start=2, er_fee=4, iu_fee=0)])  # fmt: skip
    first, second = company(1, FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"), company(2)
    found = parts(estimated([first, second], terms), billed([second], terms), terms)
    assert found == {"Acme, Inc.": {"lost_companies": "-10.00", "tier": "6.00"}}
    assert Decimal(found["Acme, Inc."]["tier"]) == 6
