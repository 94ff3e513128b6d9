"""Trends of the audit: only runs that saw the same are compared, and nothing is a percentage of nothing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.trends import Trends, trends
from billing_pipeline.engine.audit.views import comparable_key, of_run, run_counts
from tests.audit_records import (
    NOW,
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
    run,
    runs,
    sheet,
)


def trend(given: pl.DataFrame, held: pl.DataFrame, *known: dict[str, Any], **options: Any) -> Trends:
    return trends(given, held, findings(*known), events(), NOW, **options)


def week(found: Trends) -> dict[str, Any]:
    """The row of all findings."""
    return found.weeks.row(0, named=True)


def test_nothing_before_and_fifty_now_has_no_percentage_and_is_worsening() -> None:
    found = week(trend(runs(run("before", 10), run("now")), counts(count("now", 50, dollars="900"))))
    assert (found["findings_before"], found["findings"]) == (0, 50)
    assert (found["percent"], found["dollars_percent"], found["direction"]) == (None, None, "worsening")


def test_without_a_run_in_the_week_before_there_is_insufficient_data() -> None:
    found = week(trend(runs(run("first", 6), run("now")), counts(count("first", 50), count("now", 3))))
    assert (found["findings"], found["percent"], found["direction"]) == (53, None, "insufficient data")


def test_fewer_findings_than_in_the_week_before_is_improving() -> None:
    found = week(trend(runs(run("before", 8), run("now")), counts(count("before", 8), count("now", 7))))
    assert (found["percent"], found["direction"]) == (Decimal("-12.50"), "improving")


def test_where_the_counts_are_the_same_the_dollars_decide() -> None:
    held = counts(count("before", 4, dollars="10.00"), count("now", 4, dollars="30.00"))
    found = week(trend(runs(run("before", 8), run("now")), held))
    assert (found["percent"], found["dollars_percent"], found["direction"]) == (Decimal(0), Decimal(200), "worsening")


def test_the_same_counts_and_dollars_are_stable() -> None:
    held = counts(count("before", 4, dollars="10.00"), count("now", 4, dollars="10.00"))
    assert week(trend(runs(run("before", 8), run("now")), held))["direction"] == "stable"


def test_a_run_exactly_seven_days_ago_belongs_to_the_week_before() -> None:
    found = week(trend(runs(run("before", 7), run("now")), counts(count("before", 4), count("now", 1))))
    assert (found["findings_before"], found["findings"]) == (4, 1)


def test_what_stays_open_is_not_found_again_every_run() -> None:
    held = counts(count("a", 5), count("b", 5, "ONGOING"), count("c", 4, "ONGOING"), count("c", 1, "REOPENED"))
    found = week(trend(runs(run("a", 2), run("b", 1), run("c")), held))
    assert found["findings"] == 6


def test_runs_of_another_coverage_are_left_out() -> None:
    given = runs(run("wide", 2, comparable="other"), run("before", 1), run("now"))
    found = trend(given, counts(count("wide", 900), count("before", 3), count("now", 1, "ONGOING")))
    assert found.runs["run_id"].to_list() == ["before", "now"]
    assert found.series["findings"].to_list() == [3, 1]
    assert week(found)["findings"] == 3


def test_only_the_last_runs_are_shown_oldest_first() -> None:
    given = runs(*[run(f"r{number}", 5 - number) for number in range(6)])
    assert trend(given, counts(), last=2).runs["run_id"].to_list() == ["r4", "r5"]


def test_a_kind_that_a_run_did_not_have_is_zero_there() -> None:
    held = counts(count("a", 2, severity="HIGH", dollars="70.00"), count("b", 1, severity="LOW"))
    found = trend(runs(run("a", 1), run("b")), held).series
    assert found.select("run_id", "severity", "findings", "dollars").rows() == [
        ("a", "HIGH", 2, Decimal("70.00")),
        ("a", "LOW", 0, Decimal("0.00")),
        ("b", "HIGH", 0, Decimal("0.00")),
        ("b", "LOW", 1, Decimal("0.00")),
    ]


def test_resolved_findings_have_no_part_in_what_is_open() -> None:
    held = counts(count("now", 2, "RESOLVED", severity="HIGH", dollars="99"), count("now", 1, "ONGOING", dollars="5"))
    found = trend(runs(run("now")), held)
    assert found.by_severity.select("HIGH", "LOW").row(0) == (Decimal(0), Decimal(5))
    assert found.by_standing.select("NEW", "REOPENED", "ONGOING", "RESOLVED").row(0) == (0, 0, 1, 2)


def test_the_median_time_to_resolve_is_of_the_findings_that_were_resolved() -> None:
    known = [resolved(key, first_seen_at=ago(days)) for key, days in (("a", 1), ("b", 2), ("c", 9))]
    found = week(trend(runs(run("now")), counts(), *known, finding("open", first_seen_at=ago(30))))
    assert (found["resolved"], found["median_to_resolve"]) == (3, timedelta(days=2))


def test_a_finding_that_was_born_resolved_took_no_time_and_does_not_count() -> None:
    found = week(trend(runs(run("now")), counts(), resolved("a", first_seen_at=NOW)))
    assert (found["resolved"], found["median_to_resolve"]) == (0, None)


def test_editors_are_told_by_their_edits_of_the_window_whatever_the_case_of_their_address() -> None:
    edits = [event(by="Pat@example.com"), event(by="pat@example.com"), event(by="lee@example.com"), event(by="")]
    old = [event(by="lee@example.com", at=ago(31))] * 5
    found = trends(runs(run("now")), counts(), findings(), events(*edits, *old), NOW)
    assert found.editors.rows() == [("pat@example.com", 2), ("lee@example.com", 1)]


def test_a_run_keeps_its_counts_by_category_severity_and_standing() -> None:
    kept = run_counts(findings(new("a", "10.00"), new("b", None), finding("c", "1.00"), resolved("d", "5.00")), "r9")
    assert kept.select("run_id", "standing", "findings", "dollars").rows() == [
        ("r9", "NEW", 2, Decimal("10.00")),
        ("r9", "ONGOING", 1, Decimal("1.00")),
        ("r9", "RESOLVED", 1, Decimal("5.00")),
    ]


def test_a_finding_that_was_not_verified_is_ongoing_although_its_status_is_still_new() -> None:
    assert of_run(findings(new("a", told=False)))["standing"].to_list() == ["ONGOING"]


def test_what_an_earlier_run_resolved_is_no_part_of_this_one() -> None:
    assert of_run(findings(resolved("a", told=False))).height == 0


def test_runs_can_be_compared_when_they_saw_the_same_sheets_as_completely() -> None:
    two = comparable_key(coverage(sheet("1"), sheet("2")))
    assert comparable_key(coverage(sheet("2", rows=99), sheet("1"))) == two
    assert comparable_key(coverage(sheet("1"))) != two
    assert comparable_key(coverage(sheet("1"), sheet("2", not_verified=1))) != two
    assert comparable_key(coverage(sheet("1"), sheet("2", error="not shared"))) != two
