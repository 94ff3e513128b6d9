"""Which cells' history is asked for, in which order, and up to when each was examined afterwards."""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.examining import to_examine, watermarks
from billing_pipeline.engine.audit.tables import CARRIED, FAILED, READ, WATERMARKS
from billing_pipeline.engine.audit.thresholds import Thresholds
from tests.engine.audit.ledgers import ZONE, Audit, Line, line, moment, sheets, taken

FRIDAY = "01-09T18:00"


def remembered(*lines: Line) -> Audit:
    """An audit whose last run, on Wednesday after the close, saw these lines."""
    audit = Audit()
    audit.run("01-07T12:00", *lines)
    return audit


def examined(audit: Audit, *lines: Line, at: str = FRIDAY, budget: int = 100) -> pl.DataFrame:
    asked = (sheets(*lines), audit.memory, Thresholds(), moment(at), ZONE, budget)
    return to_examine(taken(*lines).rows, *asked)


def wanted(audit: Audit, *lines: Line, at: str = FRIDAY, budget: int = 100) -> list[tuple[str, str, str]]:
    return examined(audit, *lines, at=at, budget=budget).select("row_id", "column", "state").rows()


def test_both_tracked_cells_of_a_row_modified_since_the_last_run_are_asked_for() -> None:
    assert wanted(remembered(line()), line(modified="01-09T16:00")) == [
        ("1", "price", "wanted"),
        ("1", "quantity", "wanted"),
    ]


def test_a_row_that_was_not_modified_is_not_asked_for() -> None:
    assert wanted(remembered(line()), line()) == []
    assert wanted(remembered(line(modified="01-06T10:00")), line(modified="01-06T10:00")) == []


def test_a_row_of_a_week_that_is_open_is_not_asked_for() -> None:
    assert wanted(remembered(), line(modified="01-09T16:00", week_ending="2026-01-11")) == []


def test_a_row_modified_before_its_week_closed_is_not_asked_for() -> None:
    audit = Audit()
    audit.run("01-03T18:00", line())
    assert wanted(audit, line(modified="01-04T16:00")) == []


def test_a_billed_row_that_was_moved_to_an_open_week_is_asked_for() -> None:
    moved = line(modified="01-09T16:00", week_ending="2026-01-11")
    assert len(wanted(remembered(line()), moved)) == 2


def test_a_row_that_is_not_billed_and_never_was_is_not_asked_for() -> None:
    assert wanted(remembered(line(completed="false")), line(modified="01-09T16:00", completed="false")) == []


def test_a_new_row_of_a_closed_week_is_asked_for() -> None:
    assert len(wanted(remembered(line()), line(), line("2", "01-09T16:00"))) == 2


def test_the_first_run_asks_for_the_look_back_only() -> None:
    old, recent = line("1", "01-06T16:00"), line("2", "01-15T16:00")
    assert {row for row, *_ in wanted(Audit(), old, recent, at="01-21T12:00")} == {"2"}


def test_the_dearest_lines_come_first_and_the_rest_is_carried_over() -> None:
    was = (line("1", price="100"), line("2", price="5000"), line("3", price="300"))
    now = [line(one["row_id"], "01-09T16:00", price=price) for one, price in zip(was, ("100", "0", "300"), strict=True)]
    assert wanted(remembered(*was), *now, budget=3) == [
        ("2", "price", "wanted"),
        ("2", "quantity", "wanted"),
        ("3", "price", "wanted"),
        ("3", "quantity", "carried"),
        ("1", "price", "carried"),
        ("1", "quantity", "carried"),
    ]


def test_a_sheet_that_cannot_be_judged_is_not_asked_for() -> None:
    audit, edited = remembered(line()), line(modified="01-09T16:00")
    found = sheets(edited, S1="HTTP 500")
    asked = to_examine(taken(edited).rows, found, audit.memory, Thresholds(), moment(FRIDAY), ZONE, 100)
    assert asked.height == 0


def test_a_cell_that_was_carried_over_or_failed_is_asked_for_again_though_nobody_touched_it() -> None:
    edited = line(modified="01-09T16:00")
    for state in (CARRIED, FAILED):
        audit = remembered(line())
        audit.run(FRIDAY, edited, histories={}, state=state)
        assert len(wanted(audit, edited, at="01-09T20:00")) == 2
    audit = remembered(line())
    audit.run(FRIDAY, edited, histories={}, state=READ)
    assert wanted(audit, edited, at="01-09T20:00") == []
    assert len(wanted(audit, line(modified="01-09T19:00"), at="01-09T20:00")) == 2


def test_a_watermark_moves_only_when_the_history_was_read() -> None:
    audit, edited = remembered(line()), line(modified="01-09T16:00")
    asked = examined(audit, edited)

    def at(state: str) -> set[datetime]:
        return set(watermarks(asked.with_columns(state=pl.lit(state)), taken(edited).rows)["at"])

    assert at(READ) == {moment("01-09T16:00")}
    assert at(FAILED) == at(CARRIED) == {moment("01-03T12:00")}
    assert dict(watermarks(asked, taken(edited).rows).schema) == WATERMARKS
