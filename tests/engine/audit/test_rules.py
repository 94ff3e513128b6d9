"""The rules that judge rows and values as they stand, each on its true and its false side."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.audit.rules.rates import rate_mismatches
from billing_pipeline.engine.audit.thresholds import Thresholds
from tests.engine.audit.ledgers import Audit, Line, line, moment, rates, taken, told

FRIDAY = "01-09T18:00"
POLE = ("pole-40", "install", "56.84")


def found(*lines: Line, at: str = FRIDAY, **more: Any) -> list[tuple[str, str]]:
    """Category and column of what the first run finds in these lines."""
    return told(Audit().run(at, *lines, **more), "category", "column")


def later(was: list[Line], *now: Line) -> Any:
    """The run on Friday, when the lines were recorded on Wednesday after their week closed."""
    audit = Audit()
    audit.run("01-07T12:00", *was)
    return audit.run(FRIDAY, *now)


def test_a_line_as_it_should_be_is_no_finding() -> None:
    assert found(line()) == []


def test_a_billed_row_that_is_gone_is_worth_what_was_billed_of_it() -> None:
    run = later([line("1"), line("2")], line("2"))
    assert told(run, "category", "row_id", "dollars", "delta", "work_request", "events", "at", "permalink") == [
        ("ROW_REMOVED", "1", Decimal(100), Decimal(-100), "10000001", 1, moment(FRIDAY), None)
    ]
    assert sorted(run.verified.rows()) == [("S1", "1"), ("S1", "2")]


def test_a_row_that_is_gone_stays_a_finding_until_it_is_back() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line("1"), line("2"))
    first = audit.run(FRIDAY, line("2"))
    second = audit.run("01-09T20:00", line("2"))
    assert second.found.equals(first.found)
    assert told(audit.run("01-09T22:00", line("1"), line("2")), "category") == []


def test_a_row_that_was_never_billed_may_go() -> None:
    assert told(later([line("1", completed="false"), line("2")], line("2")), "category") == []
    assert told(later([line("1", week_ending="2026-01-11"), line("2")], line("2")), "category") == []


def test_a_completion_taken_back_after_the_row_was_billed_is_a_finding() -> None:
    run = later([line()], line(modified="01-09T16:00", completed="false"))
    assert told(run, "category", "column", "old", "new", "dollars", "events") == [
        ("COMPLETION_REVOKED", "completed", "true", "false", Decimal(100), 1)
    ]


def test_a_completion_taken_back_before_that_is_none() -> None:
    audit = Audit()
    audit.run("01-03T18:00", line())
    assert told(audit.run("01-04T18:00", line(modified="01-04T16:00", completed="false")), "category") == []


@pytest.mark.parametrize("week", ["2026-01-11", "2025-12-28", None])
def test_a_billed_row_in_another_week_is_at_least_medium(week: str | None) -> None:
    run = later([line(price="5")], line(modified="01-09T16:00", price="5", week_ending=week))
    moved = run.found.filter(pl.col("category") == "WEEK_MOVED")
    assert moved.select("old", "new", "severity", "events", "first_week_ending").rows() == [
        ("2026-01-04", week, "MEDIUM", 1, moment("01-04T00:00").date())
    ]


def test_a_row_moved_while_its_week_was_open_is_fine() -> None:
    audit = Audit()
    audit.run("01-03T18:00", line())
    moved = line(modified="01-04T16:00", week_ending="2026-01-11", work_date="2026-01-05")
    assert told(audit.run("01-07T12:00", moved), "category") == []


@pytest.mark.parametrize(
    ("column", "day", "category"),
    [
        ("work_date", "2035-01-02", "DATE_TOO_FUTURE"),
        ("week_ending", "2029-01-07", "DATE_TOO_FUTURE"),
        ("work_date", "2026-01-10", "FUTURE_SNAPSHOT"),
        ("work_date", "2015-12-31", "DATE_TOO_OLD"),
    ],
)
def test_a_date_that_cannot_be_is_one_finding(column: str, day: str, category: str) -> None:
    run = Audit().run(FRIDAY, line(completed="false", **{column: day}))
    assert told(run, "category", "column", "new", "at", "evidence") == [(category, column, day, None, "value")]


@pytest.mark.parametrize(
    ("column", "day"),
    [
        ("work_date", "2026-01-09"),
        ("week_ending", "2026-01-11"),
        ("week_ending", "2028-12-31"),
        ("work_date", "2016-01-01"),
    ],
)
def test_dates_at_the_edge_are_fine(column: str, day: str) -> None:
    assert found(line(completed="false", **{column: day})) == []


def test_today_is_a_day_of_the_zone() -> None:
    tomorrow = line(completed="false", work_date="2026-01-10")
    assert found(tomorrow, at="01-10T05:59") == [("FUTURE_SNAPSHOT", "work_date")]
    assert found(tomorrow, at="01-10T06:00") == []


@pytest.mark.parametrize(
    ("column", "text", "severity"),
    [
        ("price", "€10", "MEDIUM"),
        ("price", "abc", "MEDIUM"),
        ("quantity", "two", "MEDIUM"),
        ("week_ending", "soon", "HIGH"),
    ],
)
def test_a_value_that_cannot_be_read_is_a_finding_and_not_a_missing_one(column: str, text: str, severity: str) -> None:
    run = Audit().run(FRIDAY, line(**{column: text}))
    assert told(run, "category", "column", "new", "severity") == [("UNREADABLE_VALUE", column, text, severity)]


@pytest.mark.parametrize("column", ["work_request", "week_ending", "price", "quantity", "unit_code"])
def test_a_complete_row_needs_these(column: str) -> None:
    assert found(line(**{column: None})) == [("MISSING_VALUE", column)]
    assert found(line(completed="false", **{column: None})) == []


@pytest.mark.parametrize(
    ("column", "text"), [("price", "0"), ("price", "($50.00)"), ("quantity", "0"), ("quantity", "-1")]
)
def test_zero_and_below_are_not_positive_and_not_missing(column: str, text: str) -> None:
    assert found(line(**{column: text})) == [("NOT_POSITIVE", column)]
    assert found(line(completed="false", **{column: text})) == []


@pytest.mark.parametrize(
    ("price", "delta"),
    [
        ("341.04", "170.52"),
        ("172.00", "1.48"),
        ("171.00", None),
        ("170.53", None),
        ("169.66", "-0.86"),
        ("169.67", None),
    ],
)
def test_a_price_is_compared_with_rate_times_quantity(price: str, delta: str | None) -> None:
    run = Audit().run(FRIDAY, line(quantity="3", price=price), rated=[POLE])
    expected = [] if delta is None else [("RATE_MISMATCH", "170.52", price, Decimal(delta), abs(Decimal(delta)))]
    assert told(run, "category", "old", "new", "delta", "dollars") == expected


@pytest.mark.parametrize(("price", "off"), [("1.02", False), ("1.03", True), ("0.98", False), ("0.97", True)])
def test_of_small_prices_two_cents_are_let_pass(price: str, off: bool) -> None:
    rated = [("pole-40", "install", "1.00")]
    assert bool(found(line(quantity="1", price=price), rated=rated)) == off


@pytest.mark.parametrize("work", ["Install", "INST.", "Re-install", "new installation"])
def test_work_types_are_told_by_a_part_of_their_name(work: str) -> None:
    assert found(line(quantity="3", price="500", work_type=work), rated=[POLE]) == [("RATE_MISMATCH", "price")]


def test_what_cannot_be_compared_is_counted() -> None:
    lines = taken(
        line("1", unit_code="OTHER"),
        line("2", work_type="Inspect"),
        line("3", quantity="0"),
        line("4", price=None),
        line("5", completed="false", price="9000"),
        line("6", work_date="2025-12-30"),
        line("7", work_date=None),
    ).rows
    check = rate_mismatches(lines, rates(POLE), Thresholds(rates_from=moment("01-01T00:00").date()))
    assert check.drafts.height == 0
    assert check.skipped.rows() == [
        ("rate_sanity", "before the rates or without a work date", 2),
        ("rate_sanity", "no price or no quantity", 2),
        ("rate_sanity", "no rate is known", 2),
    ]


def test_two_rates_for_one_kind_of_work_are_none() -> None:
    assert found(line(price="9000"), rated=[POLE, ("POLE-40", "Installation", "60")]) == []
    assert found(line(price="9000"), rated=[POLE, ("POLE-40", "Installation", "56.84")]) == [("RATE_MISMATCH", "price")]


def test_without_rates_nothing_is_compared_and_nothing_counted() -> None:
    assert Audit().run(FRIDAY, line()).skipped.height == 0


def test_the_same_work_on_two_rows_of_a_sheet_is_one_finding_worth_the_second() -> None:
    run = Audit().run(FRIDAY, line("2", point="P1", price="90"), line("1"), line("3"))
    assert told(run, "category", "row_id", "new", "dollars", "severity") == [
        ("DUPLICATE_IN_SHEET", "1", "1, 2", Decimal(90), "LOW")
    ]


def test_the_same_work_in_two_sheets_is_another_finding() -> None:
    run = Audit().run(FRIDAY, line("1", sheet_id="S2", point="P1"), line("1"))
    assert told(run, "category", "sheet_id", "new", "dollars") == [
        ("DUPLICATE_ACROSS_SHEETS", "S1", "S1:1, S2:1", Decimal(100))
    ]


def test_money_of_a_copy_of_a_duplicate_is_counted_once() -> None:
    copies = [line(row, sheet_id=sheet, point="P1") for sheet in ("S1", "S2") for row in ("1", "2")]
    run = Audit().run(FRIDAY, *copies)
    assert told(run, "category", "dollars") == [
        ("DUPLICATE_ACROSS_SHEETS", Decimal(100)),
        ("DUPLICATE_IN_SHEET", Decimal(100)),
        ("DUPLICATE_IN_SHEET", Decimal(100)),
    ]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("work_request", "10000002"),
        ("week_ending", "2026-01-03"),
        ("work_date", "2026-01-01"),
        ("unit_code", "POLE-45"),
        ("work_type", "Remove"),
        ("quantity", "3"),
        ("completed", "false"),
    ],
)
def test_work_that_differs_in_one_thing_is_no_duplicate(column: str, text: str) -> None:
    assert found(line("1", point="P1"), line("2", **{"point": "P1", column: text})) == []


def test_a_blank_point_says_nothing_within_a_sheet_and_is_a_copy_across_sheets() -> None:
    assert found(line("1", point=None), line("2", point=None)) == []
    assert found(line("1", point=None), line("1", sheet_id="S2", point=None)) == [("DUPLICATE_ACROSS_SHEETS", "")]


@pytest.mark.parametrize(
    ("day", "outside"), [("2025-12-28", True), ("2025-12-29", False), ("2026-01-04", False), ("2026-01-05", True)]
)
def test_work_belongs_to_the_seven_days_of_its_week(day: str, outside: bool) -> None:
    assert found(line(work_date=day)) == ([("OUTSIDE_WEEK", "work_date")] if outside else [])
    assert found(line(work_date=day, completed="false")) == []


def anomalies(*prices: str) -> list[tuple[str, str, str]]:
    lines = [line(str(number), price=price) for number, price in enumerate(prices)]
    odd = Audit().run(FRIDAY, *lines).found.filter(pl.col("category") == "PRICE_ANOMALY")
    return odd.select("new", "old", "severity").rows()


def test_a_unit_price_far_from_the_others_is_information() -> None:
    near = ("100", "102", "98", "101", "99", "103", "97")
    assert anomalies(*near, "400") == [("200.0000", "50.2500", "INFO")]
    assert anomalies(*near, "104") == []


def test_one_odd_price_among_equal_ones_is_seen() -> None:
    assert anomalies(*["100"] * 9, "400") == [("200.0000", "50.0000", "INFO")]
    assert anomalies(*["100"] * 10) == []


def test_fewer_than_eight_prices_say_nothing() -> None:
    assert anomalies(*["100"] * 6, "9000") == []
