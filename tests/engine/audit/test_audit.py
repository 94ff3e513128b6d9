"""The audit over several runs: the vectors of the specification (9.5), and what a run can and cannot say."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.audit.audit import detect, status
from billing_pipeline.engine.audit.inputs import Memory, Read
from billing_pipeline.engine.audit.tables import CARRIED, FAILED
from billing_pipeline.engine.audit.thresholds import Thresholds
from tests.engine.audit.ledgers import ZONE, Audit, line, moment, rates, sheets, taken, told

CENTRAL_NIGHT = "01-05T03:30"  # Sunday 21:30 in Chicago
TYPED = ("01-02T15:00", "2")  # when the two units were entered
EDITED = ("01-09T16:00", "5")


def audited(**settings: object) -> Audit:
    """An audit whose first run, on Friday before the week closes, has seen one line of two units for $100."""
    audit = Audit(**settings)  # type: ignore[arg-type]
    audit.run("01-03T18:00", line())
    return audit


def closed() -> Audit:
    """The same after its run on Wednesday 2026-01-07: the week is closed, and nothing was edited."""
    audit = audited()
    assert told(audit.run("01-07T12:00", line(), histories={}), "category") == []
    return audit


def test_a_quantity_edited_after_the_week_closed_is_one_event_and_one_finding() -> None:
    run = closed().run(
        "01-09T18:00", line(modified="01-09T16:00", quantity="5"), histories={("1", "quantity"): [TYPED, EDITED]}
    )
    assert told(run, "category", "column", "old", "new", "delta", "dollars", "events", "evidence") == [
        ("EDIT_AFTER_CLOSE", "quantity", "2", "5", Decimal(3), Decimal(150), 1, "history")
    ]
    assert run.events.select("column", "at", "old", "new", "by", "evidence").rows() == [
        ("quantity", moment("01-09T16:00"), "2", "5", "bob@example.com", "history")
    ]
    assert told(run, "by", "at", "work_request", "first_week_ending", "permalink") == [
        ("bob@example.com", moment("01-09T16:00"), "10000001", moment("01-04T00:00").date(), "https://sheets.test/1")
    ]


def test_the_edit_is_the_same_finding_in_the_next_run_and_no_new_event() -> None:
    audit = closed()
    edited = line(modified="01-09T16:00", quantity="5")
    first = audit.run("01-09T18:00", edited, histories={("1", "quantity"): [TYPED, EDITED]})
    second = audit.run("01-09T20:00", edited, histories={})
    assert second.found.equals(first.found)
    assert second.events.height == 0


def test_a_value_that_was_set_back_is_a_second_event_and_its_finding_is_gone() -> None:
    audit = closed()
    first = audit.run(
        "01-09T18:00", line(modified="01-09T16:00", quantity="5"), histories={("1", "quantity"): [TYPED, EDITED]}
    )
    back = audit.run(
        "01-10T18:00",
        line(modified="01-10T16:00"),
        histories={("1", "quantity"): [TYPED, EDITED, ("01-10T16:00", "2")]},
    )
    assert told(back, "category") == []
    assert back.events.select("old", "new").rows() == [("2", "5"), ("5", "2")]
    assert set(back.events["finding_key"]) == set(first.found["finding_key"])
    assert back.verified.rows() == [("S1", "1")]


def test_edits_that_cancel_out_between_two_runs_are_three_events_and_one_transient_finding() -> None:
    history = [TYPED, ("01-08T16:00", "3"), ("01-09T16:00", "4"), ("01-10T16:00", "2")]
    audit = closed()
    run = audit.run("01-10T18:00", line(modified="01-10T16:00"), histories={("1", "quantity"): history})
    assert run.events.select("old", "new").rows() == [("2", "3"), ("3", "4"), ("4", "2")]
    assert told(run, "category", "delta", "dollars", "events") == [("TRANSIENT_EDIT", Decimal(0), Decimal(100), 3)]
    assert told(audit.run("01-10T20:00", line(modified="01-10T16:00"), histories={}), "category") == []


def test_a_value_first_entered_after_the_close_is_a_late_entry() -> None:
    audit = Audit()
    empty = line(quantity=None)
    audit.run("01-03T18:00", empty)
    audit.run("01-07T12:00", empty, histories={})
    run = audit.run(
        "01-08T18:00",
        line(modified="01-08T16:00", quantity="3"),
        histories={("1", "quantity"): [("01-08T16:00", "3")]},
    )
    assert told(run, "category", "column", "old", "new", "severity") == [
        ("LATE_ENTRY", "quantity", None, "3", "MEDIUM")
    ]
    assert run.events.select("old", "new").rows() == [(None, "3")]


def test_an_edit_on_sunday_night_in_the_zone_of_the_company_is_before_the_close() -> None:
    history = {("1", "quantity"): [TYPED, (CENTRAL_NIGHT, "5")]}
    edited = line(modified=CENTRAL_NIGHT, quantity="5")
    assert told(audited().run("01-07T12:00", edited, histories=history), "category") == []
    utc = audited(zone="UTC").run("01-07T12:00", edited, histories=history)
    assert told(utc, "category") == ["EDIT_AFTER_CLOSE"]


def test_a_grace_moves_the_close() -> None:
    edited, history = line(modified="01-05T10:00", quantity="5"), {("1", "quantity"): [TYPED, ("01-05T10:00", "5")]}
    graced = audited(thresholds=Thresholds(grace=timedelta(hours=12)))
    assert told(audited().run("01-07T12:00", edited, histories=history), "category") == ["EDIT_AFTER_CLOSE"]
    assert told(graced.run("01-07T12:00", edited, histories=history), "category") == []


def test_a_date_ten_years_ahead_is_one_finding_in_every_run() -> None:
    audit = audited()
    odd = line(work_date="2035-01-02", completed="false")
    first, second = audit.run("01-03T20:00", odd), audit.run("01-03T22:00", odd)
    assert told(first, "category") == ["DATE_TOO_FUTURE"]
    assert second.found.equals(first.found)


def test_history_that_cannot_be_read_leaves_the_row_unverified_and_its_watermark_where_it_was() -> None:
    audit = closed()
    edited = line(modified="01-09T16:00", quantity="5")
    failed = audit.run("01-09T18:00", edited, histories={}, state=FAILED)
    assert status(failed.found, failed.coverage) == "NOT_VERIFIED"
    assert failed.coverage.select("rows", "cells", "not_verified").rows() == [(1, 0, 2)]
    assert failed.verified.rows() == []
    assert failed.watermarks["at"].unique().to_list() == [moment("01-03T12:00")]
    assert told(failed, "category", "evidence", "events") == [("EDIT_AFTER_CLOSE", "snapshot", 0)]
    read = audit.run("01-09T20:00", edited, histories={("1", "quantity"): [TYPED, EDITED]})
    assert told(read, "category", "evidence", "events") == [("EDIT_AFTER_CLOSE", "history", 1)]
    assert read.found["finding_key"].to_list() == failed.found["finding_key"].to_list()
    assert read.verified.rows() == [("S1", "1")]
    assert read.watermarks["at"].unique().to_list() == [moment("01-09T16:00")]


def test_failed_history_does_not_resolve_what_the_snapshot_no_longer_shows() -> None:
    audit = closed()
    audit.run("01-09T18:00", line(modified="01-09T16:00", quantity="5"), histories={("1", "quantity"): [TYPED, EDITED]})
    back = audit.run("01-10T18:00", line(modified="01-10T16:00"), histories={}, state=FAILED)
    assert (told(back, "category"), back.verified.rows()) == ([], [])


def test_without_any_history_the_difference_of_two_snapshots_is_the_event() -> None:
    run = closed().run("01-09T18:00", line(modified="01-09T16:00", quantity="5"))
    assert told(run, "category", "events", "evidence", "by") == [("EDIT_AFTER_CLOSE", 1, "snapshot", "ann@example.com")]
    assert run.events.select("at", "old", "new").rows() == [(moment("01-09T16:00"), "2", "5")]


def test_what_the_budget_leaves_over_is_asked_for_in_the_next_run() -> None:
    audit = closed()
    audit.budget = 1
    edited = line(modified="01-09T16:00", quantity="5", price="250")
    history = {("1", "price"): [("01-02T15:00", "100"), ("01-09T16:00", "250")], ("1", "quantity"): [TYPED, EDITED]}
    first = audit.run("01-09T18:00", edited, histories=history)
    assert told(first, "column", "evidence") == [("price", "history"), ("quantity", "snapshot")]
    assert (first.verified.rows(), first.coverage["not_verified"].to_list()) == ([], [1])
    second = audit.run("01-09T20:00", edited, histories=history)
    assert told(second, "column", "evidence", "events") == [("price", "history", 1), ("quantity", "history", 1)]
    assert second.verified.rows() == [("S1", "1")]


def test_the_first_run_records_what_is_billed_and_reports_only_edits_within_the_look_back() -> None:
    history = {("1", "quantity"): [TYPED, ("01-09T16:00", "3"), ("01-20T16:00", "5")]}
    audit = Audit()
    edited = line(modified="01-20T16:00", quantity="5")
    run = audit.run("01-21T12:00", edited, histories=history)
    assert run.bootstrap
    assert told(run, "category", "old", "new") == [("EDIT_AFTER_CLOSE", "3", "5")]
    assert run.baseline_updates.select("week_ending", "price", "quantity", "billed_at").rows() == [
        (moment("01-04T00:00").date(), Decimal(100), Decimal(3), moment("01-14T12:00"))
    ]
    assert told(audit.run("01-21T14:00", edited, histories={}), "old", "new") == [("3", "5")]


def test_the_first_run_does_not_report_an_edit_before_the_look_back() -> None:
    history = {("1", "quantity"): [TYPED, EDITED]}
    run = Audit().run("01-21T12:00", line(modified="01-09T16:00", quantity="5"), histories=history)
    assert told(run, "category") == []
    assert run.baseline_updates["quantity"].to_list() == [Decimal(5)]


def test_the_first_run_of_one_more_sheet_reports_no_late_entries() -> None:
    run = closed().run("01-09T18:00", line(), line("7", "01-06T12:00", sheet_id="S2", point="P9"))
    assert told(run, "category") == []
    assert run.baseline_updates.select("sheet_id", "row_id").rows() == [("S2", "7")]


def test_a_row_is_recorded_once_its_week_is_closed_and_not_before() -> None:
    audit = Audit()
    assert audit.run("01-05T05:59", line()).baseline_updates.height == 0
    assert audit.run("01-05T06:00", line()).baseline_updates.select("row_id", "billed_at").rows() == [
        ("1", moment("01-05T06:00"))
    ]
    assert audit.run("01-05T06:01", line()).baseline_updates.height == 0


def test_a_sheet_that_could_not_be_read_keeps_its_findings_and_loses_no_row() -> None:
    run = closed().run("01-09T18:00", errors={"S1": "HTTP 500"})
    assert (told(run, "category"), run.verified.rows()) == ([], [])
    assert run.coverage.select("rows", "cells", "not_verified", "error").rows() == [(0, 0, 2, "HTTP 500")]
    assert status(run.found, run.coverage) == "NOT_VERIFIED"


def test_a_run_that_found_nothing_is_clean_only_when_everything_was_looked_at() -> None:
    clean = closed().run("01-09T18:00", line())
    assert status(clean.found, clean.coverage) == "CLEAN"
    found = closed().run("01-09T18:00", line(modified="01-09T16:00", quantity="5"))
    assert status(found.found, found.coverage) == "FINDINGS"
    assert status(clean.found, clean.coverage.clear()) == "NOT_VERIFIED"


def test_history_that_ends_in_another_value_is_not_believed() -> None:
    # the price is a formula: its history has only the day on which the formula was written
    history = {("1", "price"): [("01-01T12:00", "0")], ("1", "quantity"): [TYPED]}
    run = closed().run("01-09T18:00", line(modified="01-09T16:00"), histories=history)
    assert told(run, "category") == []


def test_history_corrects_what_the_snapshots_made_of_the_close() -> None:
    audit = audited()  # then the quantity is set to 5 on Sunday, and the row is touched again on Monday
    touched = line(modified="01-05T12:00", quantity="5")
    guessed = audit.run("01-05T14:00", touched, histories={}, state=CARRIED)
    assert told(guessed, "old", "new") == [("2", "5")]
    assert guessed.baseline_updates["quantity"].to_list() == [Decimal(2)]
    sure = audit.run("01-05T16:00", touched, histories={("1", "quantity"): [TYPED, ("01-04T20:00", "5")]})
    assert told(sure, "category") == []
    assert sure.baseline_updates["quantity"].to_list() == [Decimal(5)]


def test_a_snapshot_against_itself_finds_nothing_new_and_the_order_of_rows_does_not_matter() -> None:
    lines = [
        line("1", "01-09T16:00", quantity="5"),
        line("2", price="abc"),
        line("3", week_ending="2026-01-11"),
        line("4", completed="false"),
        line("5", work_date="2025-12-20"),
        line("6", point="P7"),
        line("7"),
    ]
    history = {("1", "quantity"): [TYPED, EDITED]}
    forward, backward = Audit(), Audit()
    for audit, rows in ((forward, lines), (backward, lines[::-1])):
        audit.run("01-03T18:00", *[line(str(number)) for number in range(1, 8)])
        audit.run("01-07T12:00", *[line(str(number)) for number in range(1, 8)])
        audit.run("01-09T18:00", *rows, histories=history)
    one = forward.run("01-09T20:00", *lines, histories={})
    other = backward.run("01-09T20:00", *lines[::-1], histories={})
    assert one.events.height == other.events.height == 0
    assert one.found.equals(other.found)
    assert sorted(one.verified.rows()) == sorted(other.verified.rows())
    assert one.found["finding_key"].n_unique() == one.found.height
    assert sorted(one.found["category"].unique()) == [
        "COMPLETION_REVOKED", "DUPLICATE_IN_SHEET", "EDIT_AFTER_CLOSE", "OUTSIDE_WEEK", "PRICE_REMOVED",
        "UNREADABLE_VALUE", "WEEK_MOVED",
    ]  # fmt: skip
    again = forward.run("01-09T22:00", *lines, histories={})
    assert again.found.equals(one.found)
    assert pl.concat([again.baseline_updates, one.baseline_updates]).height == 0


def test_a_sheet_that_failed_once_is_compared_with_what_it_was_before_that() -> None:
    audit = closed()
    audit.run("01-09T18:00", errors={"S1": "HTTP 500"})
    run = audit.run("01-09T20:00", line(modified="01-09T16:00", quantity="5"))
    assert run.events.select("old", "new").rows() == [("2", "5")]


def test_a_sheet_that_lacks_a_column_or_gave_too_few_rows_is_not_judged() -> None:
    lines = (line("1"), line("2"))
    for wrong, why in (
        ({"missing": pl.lit("price")}, "it has no column price"),
        ({"rows": pl.lit(3, pl.Int64)}, "2 of its 3 rows were read"),
    ):
        found = sheets(*lines).with_columns(**wrong)
        run = detect(Read(found, taken(*lines)), Memory(), rates(), Thresholds(), moment("01-09T18:00"), ZONE)
        assert run.coverage["error"].to_list() == [why]
        assert (run.found.height, run.verified.height, run.baseline_updates.height) == (0, 0, 0)


def test_an_edit_that_was_taken_back_is_told_once_though_its_history_is_read_again() -> None:
    history = [TYPED, ("01-08T16:00", "3"), ("01-09T16:00", "2")]
    audit = closed()
    first = audit.run("01-09T18:00", line(modified="01-09T16:00"), histories={("1", "quantity"): history})
    assert told(first, "category") == ["TRANSIENT_EDIT"]
    audit.memory = replace(audit.memory, events=audit.memory.events.clear())  # of findings that are closed
    again = audit.run("01-09T20:00", line(modified="01-09T19:00"), histories={("1", "quantity"): history})
    assert told(again, "category") == []
    assert again.events["event_key"].to_list() == first.events["event_key"].to_list()
