"""Why an amount is what it is: volumes, tiers with their cells, units, roundings, minimums, rows without a price."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.pricing.explanation import USES, explanations, tier_summary
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.usage import apply_decisions, read_decisions, read_usage
from tests.engine.rules.books import customer, minimum, tier
from tests.literals import JANUARY, company, rules, running_minimum, tiers, usage, users

CASES = sorted((Path(__file__).parents[2] / "golden" / "usage-billing").glob("*/case.json"))
TWO_TIERS = tiers((1, 10), (11, None), tier_metric="IU")


def explained(rows: Iterable[Mapping[str, str]], known: Rules) -> list[dict[str, Any]]:
    return explanations(priced_rows(usage(*rows), known, JANUARY), known).to_dicts()


def only(known: Rules, **cells: str) -> dict[str, Any]:
    """The explanation of a file of one company."""
    (row,) = explained([company(**cells)], known)
    return row


def test_a_row_is_explained_down_to_the_cells_of_its_prices() -> None:
    row = only(rules([tier(er_fee=10.005, iu_fee=0.335, include_iu=1)]), TOTAL_INDIVIDUAL_USERS="4")
    assert row["er_working"] == "10.005 -> 10.01"
    assert row["units_working"] == "4 - 1 included = 3"
    assert row["iu_working"] == "3 x 0.335 = 1.005 -> 1.01"
    assert row["total_working"] == "10.01 + 1.01 = 11.02"
    assert (row["er_cell"], row["iu_cell"], row["included_cell"]) == ("Pricing!F2", "Pricing!G2", "Pricing!H2")
    assert (row["start_cell"], row["end_cell"]) == ("Pricing!D2", "Pricing!E2")
    assert (row["line"], row["rule_row"], row["outcome"]) == (2, 2, "billed")


def test_a_product_of_whole_cents_shows_no_rounding() -> None:
    assert only(rules([tier(iu_fee=0.25)]), TOTAL_INDIVIDUAL_USERS="1,200")["iu_working"] == "1200 x 0.25 = 300.00"


@pytest.mark.parametrize(
    ("metric", "source", "value"),
    [
        ("IU", "users of all 3 priced rows of the partner", "12"),
        ("ER", "distinct companies among all 3 priced rows of the partner", "2"),
        ("FLAT", "all 3 priced rows of the partner", "3"),
    ],
)
def test_an_all_in_partner_is_priced_by_its_whole_volume(metric: str, source: str, value: str) -> None:
    rows = [*users("5", "3"), company(2, TOTAL_INDIVIDUAL_USERS="4")]
    for row in explained(rows, rules([tier(tier_metric=metric)])):
        assert (row["metric"], row["metric_source"]) == (metric, source)
        assert row["tier_reason"] == f"{value} lies in 1 and up"
        assert row["method"] == "every row at one tier, which the partner's volume of the month selects"


@pytest.mark.parametrize(
    ("metric", "sources"),
    [
        ("IU", ["users so far, at row 1 of 3 in pricing order: 0 before + 5 of this row", "2 of 3", "8 before + 4"]),
        ("ER", ["companies so far, at row 1 of 3 in pricing order: 0 before + 1 new with", "2 of 3", "2 before + 0"]),
        ("FLAT", ["rows so far, at row 1 of 3 in pricing order: 0 before + 1", "2 of 3", "2 before + 1"]),
    ],
)
def test_a_split_partner_is_priced_by_what_has_run_up_to_the_row(metric: str, sources: list[str]) -> None:
    rows = [*users("5", "3"), company(2, TOTAL_INDIVIDUAL_USERS="4", FIRST_BILLABLE_ACTIVITY_DATE="2025-07-01")]
    found = explained(rows[::-1], rules([tier(tier_metric=metric, tier_type="SPLIT")]))
    assert [row["line"] for row in found] == [4, 3, 2]  # pricing order, not the file's
    for row, source in zip(found, sources, strict=True):
        assert source in row["metric_source"]
    assert found[0]["method"] == "each row, undivided, at the tier that the partner's running volume reaches with it"


def test_a_company_metric_uses_the_rows_own_users() -> None:
    first, second = explained(users("5", "11"), rules(tiers((1, 10), (11, None), tier_metric="IU_PER_ER")))
    assert first["metric_source"] == "users of this row"
    assert (first["tier"], second["tier"]) == ("1 to 10", "11 and up")


@pytest.mark.parametrize(
    ("bounds", "count", "reason"),
    [
        ([(5, 10)], "2", "2 lies below every tier; the lowest applies: 5 to 10"),
        ([(1, 10), (12, 20)], "10.5", "10.5 lies in no tier; the one that starts highest applies: 12 to 20"),
        ([(1, 10), (12, 20)], "99", "99 lies in no tier; the one that starts highest applies: 12 to 20"),
        ([(1, 10), (5, 20)], "7", "7 lies in 2 tiers; the one that starts highest applies: 5 to 20"),
    ],
)
def test_gaps_and_overlaps_of_tiers_are_said(bounds: list[tuple[int, int]], count: str, reason: str) -> None:
    assert only(rules(tiers(*bounds, tier_metric="IU")), TOTAL_INDIVIDUAL_USERS=count)["tier_reason"] == reason


def test_a_running_volume_of_nothing_counts_as_one() -> None:
    row = only(rules(tiers((1, 10), (11, None), tier_metric="IU", tier_type="SPLIT")), TOTAL_INDIVIDUAL_USERS="-2")
    assert row["tier_reason"] == "0, counted as 1, lies in 1 to 10"
    assert row["units_working"] == "-2 counts as 0"


def test_units_never_fall_below_zero() -> None:
    row = only(rules([tier(include_iu=1)]), TOTAL_INDIVIDUAL_USERS="0")
    assert row["units_working"] == "0 - 1 included, never below 0, = 0"


def test_next_day_prices_are_rounded_before_they_are_multiplied() -> None:
    known = rules([tier(er_fee=9.5, iu_fee=1, unit_price_next_day_er=1.125, unit_price_next_day_iu=0.125)])
    row = only(known, CURRENT_ACH_SPEED="1-day", TOTAL_INDIVIDUAL_USERS="1.5")
    assert row["next_day_reason"] == "ACH speed '1-day' is next-day"
    assert row["nd_er_working"] == "1.125 -> 1.13"
    assert row["nd_iu_working"] == "0.125 -> 0.13; 1.5 x 0.13 = 0.195 -> 0.20"
    assert row["total_working"] == "9.50 + 1.50 + 1.13 + 0.20 = 12.33"
    assert (row["nd_er_cell"], row["nd_iu_cell"]) == ("Pricing!J2", "Pricing!K2")


def test_a_slower_speed_has_no_next_day_working() -> None:
    row = only(rules([tier(unit_price_next_day_er=1)]))
    assert row["next_day_reason"] == "ACH speed '2-day' has no next-day fees"
    assert (row["nd_er_working"], row["nd_iu_working"]) == (None, None)


def test_a_true_up_tells_its_minimum_month_and_shortfall_behind_the_rows() -> None:
    known = rules([tier(er_fee=10, iu_fee=1)], [minimum(minimum_amount=500.125)], [running_minimum()])
    *_, row = explained(users("5", "3"), known)
    assert row["ER_ID"] == "MIN_ADJ"
    assert row["minimum_source"] == (
        "month 7 counted from 2025-07 (Config row 2): the minimum of the months 1 to 12 (Minimums row 2)"
    )
    assert row["minimum_cell"] == "Minimums!E2"
    assert row["minimum_working"] == "500.125 - 28.00 = 472.125 -> 472.13"
    assert row["partner_fees"] == Decimal("28.00")
    assert (row["total_working"], row["tier_reason"], row["iu_working"]) == (None, None, None)


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        (
            {"TOTAL_INDIVIDUAL_USERS": "5%"},
            "not priced: TOTAL_INDIVIDUAL_USERS '5%' is not a plain number",
        ),
        ({"FOR_MONTH": "2025-12"}, "not priced: FOR_MONTH '2025-12' is not the month of this file (2026-01)"),
        ({"ER_ID": "", "ER_NAME": ""}, "not priced: the row names no partner or no company"),
        ({"PARTNER_ID": "999"}, "not priced: sheet Pricing has no tier for partner key '999'"),
    ],
)
def test_a_row_without_a_price_says_why_and_has_no_working(cells: dict[str, str], outcome: str) -> None:
    rows = explained([company(1), company(2, **cells)], rules(TWO_TIERS))
    (row,) = [row for row in rows if row["line"] == 3]
    assert row["outcome"] == outcome
    assert [row[name] for name in ("metric_source", "tier_reason", "tier", "er_working", "total_working")] == [None] * 5


def test_a_held_row_says_why() -> None:
    row = only(rules(mapping=[]))
    assert row["outcome"] == "priced, but held back from the import file: no customer is mapped"


def test_a_row_held_for_the_id_of_another_partner_says_so_even_when_explained_alone() -> None:
    known = rules(
        [tier(), tier(partner_id="10-1")], mapping=[customer(), customer(partner_id="10-1", ns_customer_name="Birch")]
    )
    fact = priced_rows(usage(company(), company(PARTNER_ID="10-1", PARTNER_NAME="Birch")), known, JANUARY)
    alone = explanations(fact.filter(pl.col("partner_key") == "101"), known)
    assert alone["outcome"].item() == (
        "priced, but held back from the import file: its external id would meet another partner's"
    )


def test_partners_are_explained_independently_of_each_other() -> None:
    known = rules([*TWO_TIERS, tier(partner_id="102", tier_type="SPLIT")])
    rows = [*users("5", "9"), company(1, PARTNER_ID="102", PARTNER_NAME="Birch"), company(2, PARTNER_ID="102")]
    fact = priced_rows(usage(*rows), known, JANUARY)
    apart = [explanations(fact.filter(pl.col("partner_key") == key), known) for key in ("101", "102")]
    assert explanations(fact, known).equals(pl.concat(apart))


def test_the_columns_an_explanation_needs_are_enough() -> None:
    fact = priced_rows(usage(*users("5", "9")), known := rules(TWO_TIERS), JANUARY)
    told = explanations(fact.select(USES), known)
    assert told["next_day_reason"].null_count() == told.height
    assert told.drop("next_day_reason").equals(explanations(fact, known).drop("next_day_reason"))


def test_the_summary_by_tier_adds_up_to_the_partners_total() -> None:
    known = rules(tiers((1, 5), (6, None), tier_metric="IU_PER_ER"), [minimum(minimum_amount=100)], [running_minimum()])
    fact = priced_rows(usage(*users("5", "7", "2"), company(9, FOR_MONTH="2025-12")), known, JANUARY)
    summary = tier_summary(explanations(fact, known))
    assert summary["what"].to_list() == ["1 to 5", "6 and up", "Not priced (other_month)", "Monthly minimum"]
    assert summary["rule_row"].to_list() == [2, 3, None, 2]
    assert summary["rows"].to_list() == [2, 1, 1, 1]
    assert summary["total"].to_list() == [Decimal("16.00"), Decimal("16.00"), Decimal("0.00"), Decimal("68.00")]
    fees = summary.select(pl.sum_horizontal("company", "user", "next_day", "minimum")).to_series()
    assert fees.to_list() == summary["total"].to_list()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_every_working_of_the_golden_cases_can_be_followed(case: Path) -> None:
    """Each working is computed again in plain `decimal`, and ends in the fee of the row."""
    fact, known = golden(case)
    rows = explanations(fact, known).filter(pl.col("fee_calc_status") == "ok").to_dicts()
    assert rows
    for row in rows:
        assert follow(row["er_working"]) == row["er_fee"]
        assert follow(row["iu_working"]) == row["iu_fee"]
        assert follow(row["total_working"]) == row["total_fee"]
        for working, fee in (("nd_er_working", "next_day_er_fee"), ("nd_iu_working", "next_day_iu_fee")):
            assert (follow(row[working].rpartition("; ")[2]) if row[working] else 0) == row[fee]


def follow(working: str) -> Decimal:
    """What a working ends in, after every step of it is found to be right."""
    steps = [evaluated(step) for step in re.split(" = | -> ", working)]
    for before, after in pairwise(steps):
        assert after == before or after == before.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return steps[-1]


def evaluated(step: str) -> Decimal:
    if " x " in step:
        first, second = map(Decimal, step.split(" x "))
        return first * second
    return sum(map(Decimal, step.split(" + ")), Decimal(0))


def golden(case: Path) -> tuple[pl.DataFrame, Rules]:
    """The priced rows of a golden case and their rules."""
    inputs, period = case.parent / "inputs", Period.parse(json.loads(case.read_text())["month"])
    (file,) = inputs.glob("*.csv")
    rows = read_usage(data := file.read_bytes(), file.name, period)
    decided = inputs / "billing_overrides.json"
    if decided.exists():
        digest = hashlib.sha256(data).hexdigest()
        decisions = read_decisions(decided.read_bytes(), decided.name, digest, rows.height, period)
        rows = apply_decisions(rows.lazy(), decisions, period).collect()
    known = read_workbook((inputs / "gep_billing_rules.xlsx").read_bytes(), "gep_billing_rules.xlsx")
    return priced_rows(rows, known, period), known
