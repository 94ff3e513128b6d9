"""Insights: every sentence has its rule and its figures, and where there are too few of them, it says so."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.audit.insights import INSIGHTS, Limits, insights
from billing_pipeline.engine.audit.risk import RiskLimits, risk_level
from tests.audit_records import (
    NOW,
    ZONE,
    ago,
    count,
    counts,
    coverage,
    event,
    events,
    finding,
    findings,
    new,
    resolved,
    row,
    rows,
    run,
    runs,
    sheet,
)

Told = list[dict[str, Any]]


def told(rule: str, **given: Any) -> Told:
    """What a rule says, its figures as they were written."""
    found = insights(
        given.get("findings", findings()),
        given.get("events", events()),
        given.get("rows", rows()),
        given.get("runs", runs(run("now"))),
        given.get("counts", counts()),
        given.get("coverage", coverage()),
        NOW,
        ZONE,
        given.get("limits"),
    )
    records = found.filter(pl.col("rule") == rule).to_dicts()
    return [record | {"numbers": json.loads(record["numbers"])} for record in records]


def figures(one: dict[str, Any]) -> tuple[Any, Any, Any]:
    return one["numbers"]["numerator"], one["numbers"]["denominator"], one["numbers"]["percent"]


def test_every_rule_answers_even_when_there_is_nothing_at_all() -> None:
    found = insights(findings(), events(), rows(), runs(run("now")), counts(), coverage(), NOW, ZONE)
    assert found.schema == pl.Schema(INSIGHTS)
    assert found.select("rule", "state").rows() == [
        ("look_first", "nothing found"),
        ("large_impact", "nothing found"),
        ("concentration_by_column", "insufficient data"),
        ("concentration_by_foreman", "insufficient data"),
        ("concentration_by_work_request", "insufficient data"),
        ("concentration_by_sheet", "insufficient data"),
        ("ageing", "nothing found"),
        ("rising_count", "insufficient data"),
        ("repeat_editor", "nothing found"),
        ("after_hours_edits", "insufficient data"),
        ("quantity_outlier", "insufficient data"),
    ]


def test_no_figures_carry_anything_but_numbers() -> None:
    known = findings(*[new(f"f{number}", "2000.00") for number in range(6)])
    edits = events(*[event(f"f{number}") for number in range(6)])
    found = insights(known, edits, rows(), runs(run("now")), counts(), coverage(), NOW, ZONE)
    for text in found["numbers"]:
        for value in json.loads(text).values():
            assert value is None or Decimal(value).is_finite()


def test_who_edits_three_times_is_told_with_the_share_of_the_edits_whose_editor_is_known() -> None:
    edits = [event("f1"), event("f2"), event("f1"), event("f3", by="lee@example.com"), event("f4", by="")]
    [one] = told("repeat_editor", events=events(*edits))
    assert one["state"] == "found"
    assert one["sentence"] == (
        "pat@example.com made 3 of 4 edits of locked cells (75.0%) in the last 30 days; they concern 2 findings."
    )
    assert figures(one) == (3, 4, "75.0")
    assert one["numbers"]["unnamed"] == 1
    assert one["finding_keys"] == ["f1", "f2"]


def test_two_edits_make_no_repeat_editor() -> None:
    [one] = told("repeat_editor", events=events(event("f1"), event("f2")))
    assert (one["state"], figures(one)) == ("nothing found", (0, 2, "0.0"))


def test_edits_before_the_window_make_no_repeat_editor() -> None:
    [one] = told("repeat_editor", events=events(event("f1"), event("f2"), event("f3", at=ago(30))))
    assert one["state"] == "nothing found"


def test_edits_without_any_name_are_insufficient_data() -> None:
    [one] = told("repeat_editor", events=events(event(by=""), event(by="")))
    assert (one["state"], one["sentence"]) == (
        "insufficient data",
        "Insufficient data: none of 2 edits names its editor.",
    )


def test_after_hours_is_meant_in_the_zone_of_the_audit() -> None:
    # Chicago is six hours behind: 12:59 and 01:00 UTC are 06:59 and 19:00 there.
    at = [datetime(2026, 1, 15, 12, 59, tzinfo=UTC)] * 3 + [datetime(2026, 1, 15, 1, tzinfo=UTC)] * 2
    [one] = told("after_hours_edits", events=events(*[event("f1", at=when) for when in at]))
    assert (one["state"], figures(one)) == ("found", (2, 5, "40.0"))


def test_exactly_thirty_per_cent_after_hours_is_not_more_than_thirty() -> None:
    late, early = datetime(2026, 1, 15, 6, tzinfo=UTC), datetime(2026, 1, 15, 18, tzinfo=UTC)
    [one] = told("after_hours_edits", events=events(*[event(at=late)] * 3, *[event(at=early)] * 7))
    assert (one["state"], figures(one)) == ("nothing found", (3, 10, "30.0"))


def test_large_findings_are_told_with_their_part_of_what_is_at_stake() -> None:
    known = findings(new("big", "3000.00"), new("edge", "1000.00"), resolved("gone", "9000.00"), new("unknown", None))
    [one] = told("large_impact", findings=known)
    assert one["sentence"] == (
        "1 of 3 open findings is worth more than 1,000.00 each: 3,000.00 of 4,000.00 at stake (75.0%)."
    )
    assert (one["finding_keys"], figures(one), one["numbers"]["not_valued"]) == (
        ["big"],
        ("3000.00", "4000.00", "75.0"),
        1,
    )


def test_a_foreman_with_most_of_the_money_is_told() -> None:
    given = rows(*[row(f"row f{number}", foreman="Ann" if number < 4 else "Bob") for number in range(6)])
    known = findings(*[new(f"f{number}", "100.00") for number in range(6)])
    [one] = told("concentration_by_foreman", findings=known, rows=given)
    assert (one["state"], figures(one)) == ("found", ("400.00", "600.00", "66.7"))
    assert one["sentence"] == "The foreman Ann has 400.00 of 600.00 at stake (66.7%), in 4 of 6 open findings."


def test_exactly_half_of_the_money_is_no_concentration() -> None:
    given = rows(*[row(f"row f{number}", foreman="Ann" if number < 3 else "Bob") for number in range(6)])
    known = findings(*[new(f"f{number}", "100.00") for number in range(6)])
    [one] = told("concentration_by_foreman", findings=known, rows=given)
    assert (one["state"], one["numbers"]["percent"]) == ("nothing found", "50.0")


def test_with_a_single_sheet_nothing_is_concentrated_in_a_sheet() -> None:
    known = findings(*[new(f"f{number}") for number in range(6)])
    [alone] = told("concentration_by_sheet", findings=known)
    [among] = told("concentration_by_sheet", findings=known, coverage=coverage(sheet(), sheet("2", "Feeder 14")))
    assert (alone["state"], among["state"]) == ("insufficient data", "found")
    assert among["sentence"].startswith("The sheet Feeder 12 has 300.00 of 300.00 at stake (100.0%)")


def test_what_is_open_longer_than_two_weeks_is_ageing() -> None:
    known = findings(finding("old", "70.00", first_seen_at=ago(15.5)), finding("edge", first_seen_at=ago(14)))
    [one] = told("ageing", findings=known)
    assert one["finding_keys"] == ["old"]
    assert figures(one) == (1, 2, "50.0")
    assert (one["numbers"]["dollars"], one["numbers"]["oldest_days"]) == ("70.00", 15)


def test_the_most_severe_come_first_and_then_the_dearest_and_the_reason_is_said() -> None:
    known = findings(
        new("low", "90.00"),
        finding("high", "1200.00", severity="HIGH", reopen_count=2, first_seen_at=ago(9)),
        new("higher", "4200.00", severity="HIGH"),
        new("medium", None, severity="MEDIUM"),
        new("info", "9999.00", severity="INFO"),
    )
    told_first = told("look_first", findings=known)
    assert [one["finding_keys"] for one in told_first] == [["higher"], ["high"], ["medium"]]
    assert told_first[1]["sentence"] == (
        "2. work request 10000001, quantity: HIGH, 1,200.00 at stake, reopened 2 times, open for 9 days."
        " Quantity 2 was changed to 5 after the week had closed."
    )


def test_a_quantity_far_above_its_unit_code_is_an_outlier() -> None:
    usual = [row(str(number), quantity) for number, quantity in enumerate("1223334455")]
    known = findings(new("f1", row_id="far"))
    [one] = told("quantity_outlier", rows=rows(*usual, row("far", "90")), findings=known)
    assert figures(one) == (1, 11, "9.1")
    assert one["finding_keys"] == ["f1"]
    assert one["sentence"].endswith("the farthest is 90 of A1, where -2.5 to 9.5 is usual.")


@pytest.mark.parametrize(("quantity", "state"), [("9.5", "nothing found"), ("9.5001", "found")])
def test_a_quantity_on_the_fence_is_inside(quantity: str, state: str) -> None:
    usual = [row(str(number), value) for number, value in enumerate("1223334455")]
    [one] = told("quantity_outlier", rows=rows(*usual, row("edge", quantity)))
    assert one["state"] == state


def test_unit_codes_are_judged_by_themselves() -> None:
    small = [row(f"a{number}", quantity) for number, quantity in enumerate("1223334455")]
    large = [row(f"b{number}", f"{quantity}00", unit_code="B2") for number, quantity in enumerate("1223334455")]
    [one] = told("quantity_outlier", rows=rows(*small, *large))
    assert (one["state"], one["numbers"]["unit_codes"]) == ("nothing found", 2)


def test_seven_rows_of_a_unit_code_are_too_few() -> None:
    few = [row(str(number), quantity) for number, quantity in enumerate(["1", "2", "2", "3", "3", "4", "900"])]
    [one] = told("quantity_outlier", rows=rows(*few))
    assert one["state"] == "insufficient data"


def five_runs(*open_in: int) -> dict[str, pl.DataFrame]:
    given = [run(f"r{number}", 10 - number) for number in range(len(open_in))]
    held = [count(f"r{number}", many, "ONGOING") for number, many in enumerate(open_in) if many]
    return {"runs": runs(*given), "counts": counts(*held)}


@pytest.mark.parametrize(
    ("open_in", "state"),
    [((10, 30, 1, 5, 13), "found"), ((10, 0, 0, 0, 12), "nothing found"), ((0, 0, 0, 0, 1), "found")],
)
def test_the_count_rises_when_it_is_a_fifth_more_than_five_runs_ago(open_in: tuple[int, ...], state: str) -> None:
    [one] = told("rising_count", **five_runs(*open_in))
    assert (one["state"], one["numbers"]["numerator"], one["numbers"]["denominator"]) == (
        state,
        open_in[-1],
        open_in[0],
    )


def test_from_none_open_there_is_no_percentage() -> None:
    [one] = told("rising_count", **five_runs(0, 0, 0, 0, 50))
    assert one["numbers"]["percent"] is None


def test_four_comparable_runs_are_too_few() -> None:
    [one] = told("rising_count", **five_runs(1, 2, 3, 4))
    assert one["sentence"] == "Insufficient data: 4 comparable runs; it takes 5."


def test_the_thresholds_are_the_companys() -> None:
    [one] = told("repeat_editor", events=events(event("f1"), event("f2")), limits=Limits(repeat_edits=2))
    assert (one["state"], one["numbers"]["threshold"]) == ("found", 2)


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ([], "LOW"),
        ([new("a", "99.00")], "LOW"),
        ([new("a", "5.00", severity="MEDIUM")], "MEDIUM"),
        ([new(key, "600.00") for key in "ab"], "MEDIUM"),
        ([new(key, "1000.00") for key in "abcde"], "MEDIUM"),
        ([new(key, "1000.01") for key in "abcde"], "HIGH"),
        ([new("a", "5.00", severity="HIGH")], "HIGH"),
        ([resolved("a", "9000.00", severity="HIGH")], "LOW"),
        ([new("a", "9000.00", severity="INFO")], "LOW"),
    ],
)
def test_risk_is_by_the_worst_severity_or_by_all_dollars_together(known: Told, level: str) -> None:
    assert risk_level(findings(*known), RiskLimits()) == level
