"""Edits of locked cells: one finding a cell, what it is worth, and what a moved week does not hide."""

from decimal import Decimal

import pytest

from billing_pipeline.engine.audit.thresholds import Thresholds
from tests.engine.audit.ledgers import Audit, Line, line, told

MORNING, NIGHT = "01-09T16:00", "01-09T10:00"  # 10:00 and 04:00 in Chicago


def after(now: Line, was: Line | None = None, **settings: object) -> list[tuple[object, ...]]:
    """What is found on Friday in a line that was recorded on Wednesday after its week closed."""
    audit = Audit(**settings)  # type: ignore[arg-type]
    audit.run("01-03T18:00", was or line())
    audit.run("01-07T12:00", was or line())
    return told(audit.run("01-09T18:00", now), "category", "column", "delta", "dollars", "severity")


def test_an_unchanged_line_is_no_finding() -> None:
    assert after(line(modified=MORNING, foreman="Lee", price="$100.00")) == []


def test_an_edit_in_the_open_week_is_no_finding() -> None:
    audit = Audit()
    audit.run("01-03T18:00", line())
    assert told(audit.run("01-04T18:00", line(modified="01-04T16:00", quantity="5")), "category") == []


@pytest.mark.parametrize(
    ("price", "severity"),
    [("200", "LOW"), ("200.01", "MEDIUM"), ("1100", "MEDIUM"), ("1100.01", "HIGH"), ("0.01", "LOW")],
)
def test_a_price_is_as_grave_as_its_dollars_and_the_bounds_are_strict(price: str, severity: str) -> None:
    delta = Decimal(price) - 100
    assert after(line(modified=MORNING, price=price)) == [("EDIT_AFTER_CLOSE", "price", delta, abs(delta), severity)]


def test_units_count_at_the_price_of_a_unit_when_the_week_closed() -> None:
    assert after(line(modified=MORNING, quantity="3.5")) == [
        ("EDIT_AFTER_CLOSE", "quantity", Decimal("1.5"), Decimal(75), "LOW")
    ]


def test_the_money_of_a_line_is_counted_once_when_price_and_quantity_changed() -> None:
    assert after(line(modified=MORNING, quantity="5", price="250")) == [
        ("EDIT_AFTER_CLOSE", "price", Decimal(150), Decimal(150), "MEDIUM"),
        ("EDIT_AFTER_CLOSE", "quantity", Decimal(3), Decimal(0), "MEDIUM"),
    ]


def test_without_a_delta_an_edit_is_at_least_medium() -> None:
    assert after(line(modified=MORNING, quantity=None, price="5"), line(price="5"))[0] == (
        "EDIT_AFTER_CLOSE", "quantity", None, Decimal(5), "MEDIUM",
    )  # fmt: skip


@pytest.mark.parametrize("price", ["0", None, "abc"])
def test_a_price_that_is_gone_is_a_price_removed_and_no_edit(price: str | None) -> None:
    edits = [row for row in after(line(modified=MORNING, price=price)) if row[3] is not None]
    assert [(category, dollars) for category, _, _, dollars, _ in edits] == [("PRICE_REMOVED", Decimal(100))]


def test_a_price_that_nobody_billed_is_not_removed() -> None:
    assert after(line(modified=MORNING, price=None, completed="false"), line(completed="false")) == []


def test_an_edit_after_hours_is_one_step_graver() -> None:
    assert after(line(modified=NIGHT, price="110"))[0][4] == "MEDIUM"
    assert after(line(modified=MORNING, price="110"))[0][4] == "LOW"
    assert after(line(modified=NIGHT, price="9000"))[0][4] == "HIGH"


def test_who_edits_often_is_one_step_graver_but_nobody_is_not_somebody() -> None:
    def severities(name: str, count: int) -> set[str]:
        audit = Audit()
        lines = [line(str(number)) for number in range(count)]
        audit.run("01-03T18:00", *lines)
        audit.run("01-07T12:00", *lines)
        edited = [one | {"price": "110", "modified_by": name, "modified_at": None} for one in lines]
        return set(told(audit.run("01-09T18:00", *edited), "severity"))

    assert severities("bob@example.com", 2) == {"LOW"}
    assert severities("bob@example.com", 3) == {"MEDIUM"}
    assert severities("", 3) == {"LOW"}


def test_thresholds_can_be_set() -> None:
    mine = Thresholds(high_dollars=Decimal(5), medium_dollars=Decimal(1))
    assert after(line(modified=MORNING, price="106"), thresholds=mine)[0][4] == "HIGH"


def test_moving_the_week_does_not_hide_an_edit_and_is_a_finding_itself() -> None:
    found = after(line(modified=MORNING, price="150", week_ending="2026-01-11", work_date="2026-01-08"))
    assert [row[:2] for row in found] == [("EDIT_AFTER_CLOSE", "price"), ("WEEK_MOVED", "week_ending")]


def test_a_row_added_to_a_closed_week_is_one_late_entry() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line())
    run = audit.run("01-09T18:00", line(), line("2", MORNING, price="700"))
    assert told(run, "row_id", "category", "column", "dollars", "severity", "events") == [
        ("2", "LATE_ENTRY", "price", Decimal(700), "MEDIUM", 2)
    ]
    assert told(audit.run("01-09T20:00", line(), line("2", MORNING, price="700")), "category", "events") == [
        ("LATE_ENTRY", 2)
    ]


def test_a_row_finished_after_its_week_closed_is_a_late_entry() -> None:
    found = after(line(modified=MORNING), line(completed="false"))
    assert [row[:2] for row in found] == [("LATE_ENTRY", "price")]


def test_a_row_moved_into_a_closed_week_is_a_late_entry() -> None:
    found = after(line(modified=MORNING), line(week_ending="2026-01-11", work_date="2026-01-05"))
    assert [row[:2] for row in found] == [("LATE_ENTRY", "price")]


def test_a_row_moved_into_a_closed_week_is_late_even_when_its_price_is_older_than_the_close() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line(week_ending="2026-01-11", work_date="2026-01-05"))
    history = {("1", "price"): [("01-02T15:00", "100")]}
    assert told(audit.run("01-09T18:00", line(modified=MORNING), histories=history), "category", "column") == [
        ("LATE_ENTRY", "price")
    ]


def test_history_knows_of_a_price_that_was_gone_before_the_first_run_after_the_close() -> None:
    audit = Audit()
    audit.run("01-03T18:00")
    history = {("1", "price"): [("01-04T15:00", "100"), ("01-05T15:00", None)]}
    run = audit.run("01-05T18:00", line(modified="01-05T15:00", price=None), histories=history)
    assert told(run, "category", "column", "old") == [
        ("MISSING_VALUE", "price", None),
        ("PRICE_REMOVED", "price", "100.00"),
    ]


def test_a_late_row_that_is_moved_on_to_an_open_week_is_fine_again() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line())
    assert told(audit.run("01-09T18:00", line(), line("2", MORNING)), "category") == ["LATE_ENTRY"]
    moved = line("2", "01-09T19:00", week_ending="2026-01-11", work_date="2026-01-08")
    assert told(audit.run("01-09T20:00", line(), moved), "category") == []


def test_a_row_that_was_moved_to_an_open_week_before_it_was_billed_is_fine() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line(completed="false"))
    done = line(modified=MORNING, week_ending="2026-01-11", work_date="2026-01-08")
    assert told(audit.run("01-09T18:00", done), "category") == []
    assert told(audit.run("01-12T18:00", done), "category") == []


def test_a_quantity_that_was_spelled_otherwise_is_no_event() -> None:
    audit = Audit()
    audit.run("01-07T12:00", line())
    history = {("1", "quantity"): [("01-02T15:00", "2"), ("01-09T15:00", "2.0"), ("01-09T16:00", " 2 ")]}
    run = audit.run("01-09T18:00", line(modified=MORNING), histories=history)
    assert (told(run, "category"), run.events.height) == ([], 0)
