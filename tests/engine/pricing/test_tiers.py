"""Which tier a value falls into: bounds, gaps, overlaps, mixed metrics and types. Cases as in the published rules."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.money import QUANTITY
from billing_pipeline.engine.pricing.tiers import UNIT, effective_tiers, plans, steps
from tests.engine.rules.books import tier
from tests.literals import Row, company, priced, rules, tiers, users


def starts(values: Sequence[str], pricing: Sequence[Row]) -> list[int]:
    """The start of the tier of every value: companies of these user counts, each priced by its own count."""
    fact = priced(users(*values), rules([{**row, "tier_metric": "IU_PER_ER"} for row in pricing]))
    return [int(start) for start in fact["tier_start"]]


def fees(pricing: Sequence[Row], *counts: str, **cells: str) -> list[str]:
    """The company fee of every company: it tells which tier priced the row."""
    return [str(price) for price in priced(users(*counts, **cells), rules(pricing))["er_fee"]]


THREE = tiers((1, 10), (11, 50), (51, 100))


def test_a_value_inside_a_tier_takes_it_bounds_included() -> None:
    assert starts(["1", "2", "10", "11", "30", "50", "51", "100"], THREE) == [1, 1, 1, 11, 11, 11, 51, 51]


def test_a_value_below_the_first_tier_takes_the_first() -> None:
    assert starts(["0", "0.5", "-3"], THREE) == [1, 1, 1]


def test_a_value_above_the_last_tier_takes_the_last() -> None:
    assert starts(["101", "9999999999"], THREE) == [51, 51]


def test_a_value_in_a_gap_takes_the_last_tier() -> None:
    """Not the next one and not the one below (Q2)."""
    assert starts(["10.5", "50.2", "10.0001", "50.9999"], THREE) == [51, 51, 51, 51]
    assert starts(["3", "7", "9", "10"], tiers((1, 5), (8, 8), (10, 20))) == [1, 10, 10, 10]


def test_where_tiers_overlap_the_greatest_start_holds() -> None:
    overlapping = tiers((1, 10), (5, 20), (5, 8))
    assert starts(["4", "5", "7", "9", "15", "21"], overlapping) == [1, 5, 5, 5, 5, 5]


def test_of_two_tiers_that_start_together_the_first_in_the_sheet_holds_where_both_match() -> None:
    together = [{**row, "tier_metric": "IU_PER_ER"} for row in tiers((1, 10), (5, 20), (5, 8))]
    assert fees(together, "4", "7", "9", "25") == ["1.00", "2.00", "2.00", "2.00"]
    swapped = [together[0], together[2], together[1]]
    assert fees(swapped, "4", "7", "9", "25") == ["1.00", "3.00", "2.00", "3.00"]


def test_the_order_of_the_sheet_does_not_matter_otherwise() -> None:
    assert starts(["5", "20", "60"], THREE[::-1]) == [1, 11, 51]


def test_an_open_end_has_no_end() -> None:
    assert starts(["1", "9999999999.9999"], tiers((1, None))) == [1, 1]
    assert starts(["4", "5", "6"], tiers((1, 4), (5, "5+"))) == [1, 5, 5]


def test_bounds_have_four_decimals() -> None:
    assert starts(["1.4999", "1.5", "1.5001"], tiers((1, "1.4999"), ("1.5", "1.5"), (2, None))) == [1, 1, 2]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 6)), min_size=1, max_size=5),
    st.lists(st.decimals(0, 20, places=1), min_size=1, max_size=6),
)
@settings(deadline=None, max_examples=150)
def test_any_ladder_is_selected_from_as_the_rule_says(
    bounds: list[tuple[int, int | None]], values: list[Decimal]
) -> None:
    """Inside: greatest start, first in the sheet on a tie. Below all: smallest start. Else: greatest start."""
    ladder = sorted(
        ((start, None if length is None else start + length) for start, length in bounds), key=lambda tier: tier[0]
    )

    def chosen(value: Decimal) -> int:
        inside = [n for n, (s, e) in enumerate(ladder) if s <= value and (e is None or value <= e)]
        lowest, highest = ladder[0][0], ladder[-1][0]
        target = max(ladder[n][0] for n in inside) if inside else lowest if value < lowest else highest
        return next(n for n in (inside or range(len(ladder))) if ladder[n][0] == target)

    frame = pl.DataFrame(ladder, schema={"start": QUANTITY, "end": QUANTITY}, orient="row").with_row_index("tier")
    table = steps(frame.with_columns(partner_key=pl.lit("101"))).select("from", "tier").rows()
    found = [next(n for start, n in reversed(table) if start <= value * UNIT) for value in values]
    assert found == [chosen(value) for value in values]


def plan(*pricing: Row) -> tuple[str, str]:
    """Mode and metric of partner 101."""
    return plans(rules(pricing).tiers).select("mode", "metric").row(0)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("pricing", "mode", "metric"),
    [
        ([tier(tier_metric="IU")], "ALL_IN", "IU"),
        ([tier(tier_metric=" er ")], "ALL_IN", "ER"),
        ([tier(tier_metric="IU per ER", tier_type="split")], "SPLIT", "IU_PER_ER"),
        ([tier(tier_metric=None, tier_type=None)], "ALL_IN", "FLAT"),
        ([tier(tier_metric="ACH_SPEED")], "ALL_IN", "FLAT"),
        ([tier(tier_metric="each")], "ALL_IN", "FLAT"),
        ([tier(tier_start=1, tier_metric="IU"), tier(tier_start=9, tier_metric="ER")], "ALL_IN", "IU"),
        ([tier(tier_start=9, tier_metric="IU"), tier(tier_start=1, tier_metric="ER")], "ALL_IN", "ER"),
        ([tier(tier_start=1, tier_metric="ACH"), tier(tier_start=2, tier_metric="IU")], "ALL_IN", "IU"),
        ([tier(tier_type="ALL_IN"), tier(tier_start=9, tier_type="SPLIT")], "SPLIT", "ER"),
    ],
)
def test_mode_and_metric_of_a_partner(pricing: list[Row], mode: str, metric: str) -> None:
    """SPLIT if any tier is; the metric of the first tier by start that has one of the four (Q11, Q12)."""
    assert plan(*pricing) == (mode, metric)


def test_tiers_of_another_metric_are_ignored() -> None:
    mixed = [
        tier(tier_metric="IU", tier_start=1, tier_end=5, er_fee=1),
        tier(tier_metric="ER", tier_start=1, tier_end=100, er_fee=2),
        tier(tier_metric="IU", tier_start=6, er_fee=3),
    ]
    assert fees(mixed, "3", "2") == ["1.00", "1.00"]
    assert fees(mixed, "3", "3") == ["3.00", "3.00"]


def test_all_in_tiers_are_ignored_beside_split_tiers() -> None:
    mixed = [
        tier(tier_type="ALL_IN", tier_start=1, tier_end=2, er_fee=1),
        tier(tier_type="SPLIT", tier_start=1, tier_end=2, er_fee=2),
        tier(tier_type="SPLIT", tier_start=3, er_fee=3),
    ]
    assert fees(mixed, "1", "1", "1") == ["2.00", "2.00", "3.00"]


def test_ach_speed_tiers_price_only_a_partner_that_has_no_others() -> None:
    assert fees([tier(tier_metric="ACH_SPEED", er_fee=13)], "1", "9") == ["13.00", "13.00"]


def test_effective_tiers_are_numbered_from_nought_over_all_partners() -> None:
    known = rules([tier(), tier(partner_id="102", tier_metric="IU"), tier(partner_id="102", tier_start=5)])
    chosen = effective_tiers(known.tiers)
    assert chosen.select("tier", "partner_key", "start").rows() == [(0, "101", Decimal(1)), (1, "102", Decimal(1))]


def test_steps_are_the_tiers_compiled_to_the_values_where_they_begin() -> None:
    """In ten-thousandths: 1 to 10 holds to 10.0000, the gap above it belongs to the last tier."""
    table = steps(effective_tiers(rules(tiers((1, 10), (11, None))).tiers))
    assert table.select("from", "tier").rows() == [(0, 0), (10_000, 0), (100_001, 1), (110_000, 1)]


def volumes(metric: str, mode: str, rows: list[dict[str, str]], **cells: Any) -> list[str]:
    """The metric value of every row, in file order."""
    pricing = [tier(tier_metric=metric, tier_type=mode, tier_start=0, **cells)]
    return [f"{value.normalize():f}" for value in priced(rows, rules(pricing))["metric_value_used"]]


ROWS = [
    company(1, TOTAL_INDIVIDUAL_USERS="3", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-02"),
    company(2, TOTAL_INDIVIDUAL_USERS="1.5", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-01"),
    company(1, TOTAL_INDIVIDUAL_USERS="-4", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-03"),
    company(3, TOTAL_INDIVIDUAL_USERS="", FIRST_BILLABLE_ACTIVITY_DATE=""),
]


@pytest.mark.parametrize(
    ("metric", "mode", "values"),
    [
        ("IU", "ALL_IN", ["4.5", "4.5", "4.5", "4.5"]),
        ("ER", "ALL_IN", ["3", "3", "3", "3"]),
        ("FLAT", "ALL_IN", ["4", "4", "4", "4"]),
        ("IU_PER_ER", "ALL_IN", ["3", "1.5", "0", "0"]),
        ("IU", "SPLIT", ["4.5", "1.5", "4.5", "4.5"]),
        ("ER", "SPLIT", ["2", "1", "2", "3"]),
        ("FLAT", "SPLIT", ["2", "1", "3", "4"]),
        ("IU_PER_ER", "SPLIT", ["3", "1.5", "0", "0"]),
    ],
)
def test_the_value_a_row_is_priced_by(metric: str, mode: str, values: list[str]) -> None:
    """ALL_IN: the partner's volume. SPLIT: the volume up to and including the row, in pricing order. IU per ER: its own
    users. A company listed twice counts once for ER; a count below zero counts as none."""
    assert volumes(metric, mode, ROWS) == values


def test_companies_are_counted_by_id_or_else_by_name_without_case() -> None:
    rows = [
        company("7", ER_NAME="A"),
        company(" 7 ", ER_NAME="B"),
        company("", ER_NAME="Same"),
        company("", ER_NAME=" same "),
    ]
    assert volumes("ER", "ALL_IN", rows) == ["2"] * 4


def test_a_split_value_of_nothing_is_priced_as_one_and_an_all_in_value_as_nothing() -> None:
    """Q2b: a tier that starts at 0 behaves differently in the two modes; the value shown is the value."""
    bounds = [(0, "0.5"), (1, None)]
    none = users("0", "0")
    split = priced(none, rules([{**row, "tier_metric": "IU", "tier_type": "SPLIT"} for row in tiers(*bounds)]))
    all_in = priced(none, rules([{**row, "tier_metric": "IU"} for row in tiers(*bounds)]))
    assert split.select("tier_start", "metric_value_used").unique().row(0) == (Decimal(1), Decimal(0))
    assert all_in.select("tier_start", "metric_value_used").unique().row(0) == (Decimal(0), Decimal(0))


def test_a_whole_row_is_priced_at_the_tier_its_running_volume_reaches() -> None:
    """Never divided between tiers (Q3); 3 + 1.5 = 4.5 falls into the gap between 4 and 5."""
    split = [{**row, "tier_metric": "IU", "tier_type": "SPLIT"} for row in tiers((1, 4), (5, 10), (11, 999999))]
    assert fees(split, "1.5", "3", "12") == ["1.00", "3.00", "3.00"]
    assert fees(split, "4", "1", "6") == ["1.00", "2.00", "3.00"]


def test_removed_and_unreadable_rows_add_nothing_to_the_volume() -> None:
    rows = [*users("3", "5%", "2"), company(9, FOR_MONTH="2025-12-01")]
    fact = priced(rows, rules([tier(tier_metric="IU", tier_start=0)]))
    assert fact["metric_value_used"].to_list() == [Decimal(5), None, Decimal(5), None]


def test_partners_do_not_share_a_volume() -> None:
    known = rules([tier(tier_metric="IU", tier_start=0), tier(partner_id="102", tier_metric="IU", tier_start=0)])
    fact = priced([*users("3", "4"), company(9, PARTNER_ID="102", TOTAL_INDIVIDUAL_USERS="10")], known)
    assert fact["metric_value_used"].to_list() == [Decimal(7), Decimal(7), Decimal(10)]


def test_rows_of_one_partner_under_two_spellings_of_its_name_share_it() -> None:
    rows = [company(1, PARTNER_NAME="Acme"), company(2, PARTNER_NAME="ACME Inc."), company(3, PARTNER_ID=" 101 ")]
    fact = priced(rows, rules([tier(tier_metric="ER", tier_start=0)]))
    assert fact["metric_value_used"].to_list() == [Decimal(3)] * 3
    assert fact["partner_key"].unique().to_list() == ["101"]


def test_a_partner_without_an_id_is_known_by_its_name_without_case() -> None:
    known = rules([tier(partner_id=None, partner_name="Name Only Inc", er_fee=40)])
    fact = priced([company(1, PARTNER_ID="", PARTNER_NAME=" NAME only inc ")], known)
    assert fact.select("partner_key", "er_fee").row(0) == ("name only inc", Decimal("40.00"))


@pytest.mark.parametrize("partner_id", ["101.0", "00101", "P-101", ""])
def test_an_id_meets_only_the_same_text(partner_id: str) -> None:
    """No look at the name, no reading as a number (Q17)."""
    fact = priced([company(1, PARTNER_ID=partner_id)], rules([tier(partner_id="101")]))
    assert fact["fee_calc_status"].to_list() == ["missing_tier"]


def test_the_rule_that_priced_a_row_is_named_by_its_row_on_the_sheet() -> None:
    pricing = [tier(tier_start=1, tier_end=1), tier(partner_id="102"), tier(tier_start=2)]
    assert priced(users("1", "1"), rules(pricing))["rule_row"].to_list() == [4, 4]
    assert priced(users("1"), rules(pricing))["rule_row"].to_list() == [2]


def test_no_tiers_at_all_leave_every_row_unpriced() -> None:
    known = rules([tier(partner_id="102")])
    fact = priced(users("1", "2"), known)
    assert fact.select("fee_calc_status", "total_fee", "bucket").unique().rows() == [
        ("missing_tier", Decimal("0.00"), "quarantined")
    ]
    assert fact["tier_start"].null_count() == 2
    assert fact.schema["tier_start"] == pl.Decimal(18, 4)
