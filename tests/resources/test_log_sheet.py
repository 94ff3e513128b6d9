"""The log sheet: after whatever went wrong, one more call leaves one row for each finding and one file for the day."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.errors import InputError, UpstreamError
from billing_pipeline.engine.findings import KNOWN
from billing_pipeline.resources import log_sheet
from billing_pipeline.resources.log_report import Attached, attach_report
from billing_pipeline.resources.log_rows import COLUMNS, LogRow, log_rows, nearest_colour, report_row
from billing_pipeline.resources.log_sheet import Written, converge, entries, setup_apply, setup_problems
from billing_pipeline.resources.smartsheet import DryRun, Smartsheet
from billing_pipeline.resources.smartsheet_client import Pace, UnclearWriteError
from tests.smartsheet_api import TOKEN, SmartsheetApi
from tests.smartsheet_book import ROBOT, SheetBook

AT = datetime(2026, 1, 9, 12, 30, tzinfo=UTC)
KEYS = ["0" * 19 + letter for letter in "abcde"]
ADDED = r"POST /sheets/\d+/rows"


@pytest.fixture
def log(smartsheets: SmartsheetApi, monkeypatch: pytest.MonkeyPatch) -> SheetBook:
    """A log sheet that is set up; two rows are the most of a request."""
    monkeypatch.setattr(log_sheet, "MOST_ROWS", 2)
    return smartsheets.sheet("Billing Report Audit Log", [(title, kinds[0]) for title, kinds in COLUMNS.items()])


def rows(*keys: str, status: str = "NEW", **values: Any) -> list[LogRow]:
    given = {"Status": status, **{title.replace("_", " "): value for title, value in values.items()}}
    return [LogRow(key, given, top=status == "NEW") for key in keys or KEYS]


def keys(log: SheetBook) -> list[str]:
    return [key for (key,) in log.table("Finding Key")]


def run(client: Smartsheet, log: SheetBook, wanted: list[LogRow], known: dict[str, str] | None = None) -> Written:
    return converge(client, str(log.sheet_id), wanted, known)


def survives(call: Callable[[], Any]) -> None:
    """A run that may fail, as a run may."""
    try:
        call()
    except UpstreamError:
        return


def finding(**changes: Any) -> pl.DataFrame:
    given = {
        "finding_key": KEYS[0], "category": "EDIT_AFTER_CLOSE", "severity": "HIGH", "sheet_id": "4583173393803140",
        "row_id": "7036893921781636", "column": "quantity", "work_request": "10000001", "week_ending": date(2026, 1, 4),
        "old": "2", "new": "5", "delta": Decimal("3.0000"), "by": "late@example.com", "at": AT, "evidence": "history",
        "why": "2 became 5 five days after the week was closed.", "permalink": "https://app.smartsheet.com/x",
        "status": "NEW", "first_seen_at": AT, "last_seen_at": AT,
    }  # fmt: skip
    schema = {**FOUND, **KNOWN}
    return pl.DataFrame([dict.fromkeys(schema) | given | changes], schema=schema)


def test_findings_are_inserted_once_in_their_order_and_known_by_their_rows(client: Smartsheet, log: SheetBook) -> None:
    written = run(client, log, rows())
    assert keys(log) == KEYS
    assert written.row_ids == {key: str(row["id"]) for key, row in zip(KEYS, log.rows, strict=True)}
    assert (written.inserted, written.updated, written.deleted) == (5, 0, 0)


def test_what_is_there_is_updated_in_its_place(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows())
    written = run(client, log, rows(*KEYS[:2], status="ONGOING"))
    assert log.table("Finding Key", "Status")[:3] == [
        (KEYS[0], "ONGOING"), (KEYS[1], "ONGOING"), (KEYS[2], "NEW"),
    ]  # fmt: skip
    assert (written.inserted, written.updated) == (0, 2)


def test_only_new_findings_go_above_the_others(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows(KEYS[0]))
    run(client, log, rows(KEYS[1]) + rows(KEYS[2], status="REOPENED"))
    assert keys(log) == [KEYS[1], KEYS[0], KEYS[2]]


def test_a_disposition_is_read_back_and_never_written(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows(*KEYS[:2]))
    log.edit(log.rows[0]["id"], "Disposition", "accepted by the customer")
    written = run(client, log, rows(KEYS[1], Disposition="ours"))
    assert written.dispositions == {KEYS[0]: "accepted by the customer", KEYS[1]: ""}
    assert log.table("Disposition") == [("accepted by the customer",), (None,)]


def test_rows_without_a_key_are_somebody_elses(client: Smartsheet, log: SheetBook) -> None:
    log.add(workrequest="a note of the office")
    before = dict(log.rows[0]["values"])
    run(client, log, rows(KEYS[0]))
    run(client, log, rows(KEYS[0]))
    assert log.rows[1]["values"] == before
    assert len(log.rows) == 2


@pytest.mark.parametrize("fault", ["reset", "500 html", "4003", "4004", "401"])
def test_a_crash_before_the_insertion(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, fault: str
) -> None:
    smartsheets.fail(ADDED, fault, times=9)
    with pytest.raises(UpstreamError):
        run(client, log, rows())
    assert keys(log) == []
    smartsheets.mend()
    run(client, log, rows())
    assert keys(log) == KEYS


@pytest.mark.parametrize("fault", ["lost", "html-applied"])
def test_a_crash_after_the_insertion_and_before_the_reply(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, waits: list[float], fault: str
) -> None:
    smartsheets.fail(ADDED, fault)
    run(client, log, rows())
    assert sorted(keys(log)) == KEYS
    assert smartsheets.asked(ADDED) == 3
    assert waits == [5.0]
    run(client, log, rows())
    assert sorted(keys(log)) == KEYS


def test_a_crash_after_the_insertion_of_every_attempt(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    smartsheets.fail(ADDED, "lost", times=99)
    survives(lambda: run(client, log, rows()))
    smartsheets.mend()
    run(client, log, rows())
    assert sorted(keys(log)) == KEYS


def test_an_insertion_that_arrives_after_it_was_sent_again(
    smartsheets: SmartsheetApi, log: SheetBook, pace: Pace
) -> None:
    """The first request is still under way when the keys are read: it is seen one reading too late."""
    late = {log.column("Finding Key"): KEYS[0]}

    def add_late(_: float) -> None:
        smartsheets.later(rf"GET /sheets/{log.sheet_id}", lambda: log.insert(late, {}, ROBOT["email"]))

    smartsheets.fail(ADDED, "4002")
    written = run(Smartsheet(TOKEN, smartsheets.base, pace=replace(pace, sleep=add_late)), log, rows(KEYS[0]))
    assert keys(log) == [KEYS[0]]
    assert written.deleted == 1


def test_a_crash_after_the_reply_and_before_our_commit(client: Smartsheet, log: SheetBook) -> None:
    first = run(client, log, rows())
    again = run(client, log, rows(), known={})
    assert again.row_ids == first.row_ids
    assert keys(log) == KEYS


@pytest.mark.parametrize("fault", ["reset", "401", "4003", "404"])
def test_a_crash_between_two_requests_of_rows(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, fault: str
) -> None:
    smartsheets.fail(ADDED, fault, skip=1, times=9)
    with pytest.raises(UpstreamError):
        run(client, log, rows())
    assert 0 < len(log.rows) < 5
    smartsheets.mend()
    run(client, log, rows())
    assert sorted(keys(log)) == KEYS


def test_our_state_is_deleted(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, log_rows(finding(), "20260109T123000Z", AT))
    log.edit(log.rows[0]["id"], "Disposition", "fine")
    found = entries(client, str(log.sheet_id))
    columns = ("log_row_id", "Finding Key", "Status", "Disposition", "First Seen", "Last Seen", "Note", "Old Value")
    assert found.select(columns).rows(named=True) == [
        {
            "log_row_id": str(log.rows[0]["id"]), "Finding Key": KEYS[0], "Status": "NEW", "Disposition": "fine",
            "First Seen": "2026-01-09T12:30:00Z", "Last Seen": "2026-01-09T12:30:00Z",
            "Note": "EDIT_AFTER_CLOSE", "Old Value": "2",
        }
    ]  # fmt: skip
    run(client, log, rows(KEYS[0]))
    assert keys(log) == [KEYS[0]]


def test_what_the_log_remembers_is_one_row_a_finding_with_its_disposition(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, [*rows(KEYS[0]), report_row(date(2026, 1, 9), "1 finding.", "r", AT)])
    log.edit(log.insert({log.column("Finding Key"): KEYS[0]}, {}, ROBOT["email"]), "Disposition", "fine")
    log.add(workrequest="a note of the office")
    found = entries(client, str(log.sheet_id))
    assert found.select("Finding Key", "Disposition").rows() == [(KEYS[0], "fine")]


def test_a_log_row_is_deleted_by_a_person(client: Smartsheet, log: SheetBook) -> None:
    known = run(client, log, rows()).row_ids
    del log.rows[2]
    written = run(client, log, rows(status="ONGOING"), known)
    assert sorted(keys(log)) == KEYS
    assert written.row_ids[KEYS[2]] == str(log.rows[-1]["id"])


def test_a_log_row_is_deleted_while_it_is_updated(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    run(client, log, rows())
    smartsheets.later(r"PUT .*", lambda: log.rows.pop(0))
    survives(lambda: run(client, log, rows(status="ONGOING")))
    run(client, log, rows(status="ONGOING"))
    assert sorted(keys(log)) == KEYS


def test_a_log_row_is_copied_by_a_person(client: Smartsheet, log: SheetBook) -> None:
    known = run(client, log, rows(KEYS[0])).row_ids
    log.insert(dict(log.rows[0]["values"]), {}, "person@example.com", 0)
    assert run(client, log, rows(KEYS[0]), known).row_ids == known
    assert keys(log) == [KEYS[0]]


def test_a_surplus_row_with_a_disposition_is_the_one_that_stays(client: Smartsheet, log: SheetBook) -> None:
    known = run(client, log, rows(KEYS[0])).row_ids
    copy = log.insert(dict(log.rows[0]["values"]), {}, "person@example.com")
    log.edit(copy, "Disposition", "accepted")
    assert run(client, log, rows(KEYS[0]), known).row_ids == {KEYS[0]: str(copy)}
    assert log.table("Finding Key", "Disposition") == [(KEYS[0], "accepted")]


def test_two_rows_that_people_disposed_of_are_left_to_them(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows(KEYS[0]))
    log.insert(dict(log.rows[0]["values"]), {}, "person@example.com")
    for row in log.rows:
        log.edit(row["id"], "Disposition", "accepted")
    assert run(client, log, rows(KEYS[0])).twice == (KEYS[0],)
    assert len(log.rows) == 2


def test_surplus_rows_of_a_key_that_is_not_ours_stay(client: Smartsheet, log: SheetBook) -> None:
    for _ in range(2):
        log.add(findingkey="of another installation")
    run(client, log, rows(KEYS[0]))
    assert len(log.rows) == 3


def test_a_renamed_column_stops_the_writing_until_it_has_its_name_again(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    run(client, log, rows())
    log.rename("Finding Key", "Reference")
    with pytest.raises(InputError, match="column 'Reference' holds the finding keys; name it 'Finding Key' again"):
        run(client, log, rows())
    with pytest.raises(InputError, match="column 'Reference' of the log sheet"):
        setup_apply(client, str(log.sheet_id))
    log.rename("Reference", "Finding Key")
    run(client, log, rows())
    assert keys(log) == KEYS


def test_a_storm_of_full_quotas(client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook) -> None:
    smartsheets.fail(".*", "4003", times=7, skip=2)
    survives(lambda: run(client, log, rows()))
    smartsheets.mend()
    run(client, log, rows())
    assert keys(log) == KEYS


def test_half_an_answer_about_the_keys_inserts_nothing(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    run(client, log, rows())
    smartsheets.fail(rf"GET /sheets/{log.sheet_id}", "half", times=9)
    with pytest.raises(UpstreamError, match="gave 4 records and says there are 5"):
        run(client, log, rows())
    assert keys(log) == KEYS


def test_a_log_that_never_comes_to_rest_is_an_error(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    smartsheets.fail(ADDED, "reset", times=99)
    with pytest.raises(UnclearWriteError):
        run(client, log, rows(KEYS[0]))
    assert smartsheets.asked(ADDED) == 4


def test_a_dry_run_counts_and_changes_nothing(smartsheets: SmartsheetApi, log: SheetBook, pace: Pace) -> None:
    run(Smartsheet(TOKEN, smartsheets.base, pace=pace), log, rows(*KEYS[:2]))
    log.insert(dict(log.rows[0]["values"]), {}, ROBOT["email"])
    before = log.version
    written = run(DryRun(TOKEN, smartsheets.base, pace=pace), log, rows())
    assert (written.inserted, written.updated, written.deleted) == (3, 2, 1)
    assert log.version == before


def test_a_finding_stands_in_its_row_as_text_dates_and_a_number(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, log_rows(finding(), "20260109T123000Z", AT))
    assert dict(zip(COLUMNS, log.table(*COLUMNS)[0], strict=True)) == {
        "Work Request #": "10000001",
        "Week Ending": "2026-01-04",
        "Column": "quantity",
        "Old Value": "2",
        "New Value": "5",
        "Delta": 3,
        "Changed By": "late@example.com",
        "Changed At": "2026-01-09",
        "Run At": "2026-01-09T12:30:00Z",
        "Source Sheet ID": "4583173393803140",
        "Source Row ID": "7036893921781636",
        "Run ID": "20260109T123000Z",
        "Note": "EDIT_AFTER_CLOSE",
        "Sheet Reference": "https://app.smartsheet.com/x",
        "Is Historical?": "Yes",
        "Severity": "HIGH",
        "Issue Description": "2 became 5 five days after the week was closed.",
        "Suggested Fix": "Check the change with the person who made it; put the billed value back or bill the "
        "difference.",
        "Finding Key": KEYS[0],
        "Status": "NEW",
        "First Seen": "2026-01-09T12:30:00Z",
        "Last Seen": "2026-01-09T12:30:00Z",
        "Disposition": None,
        "Changed At (UTC)": "2026-01-09T12:30:00Z",
    }


@pytest.mark.parametrize(
    ("delta", "wire"),
    [("3.0000", 3), ("-50.1000", -50.1), (None, None), ("123456789012345678.1", "123456789012345678.1")],
)
def test_a_difference_is_a_number_wherever_its_digits_stay(
    client: Smartsheet, log: SheetBook, delta: str | None, wire: Any
) -> None:
    run(client, log, [LogRow(KEYS[0], {"Delta": None if delta is None else Decimal(delta)})])
    assert log.table("Delta") == [(wire,)]


def test_a_person_without_an_address_stays_blank_and_is_named_in_the_description(
    client: Smartsheet, log: SheetBook
) -> None:
    run(client, log, log_rows(finding(by="Ann", why="Late."), "r", AT))
    assert log.table("Changed By", "Issue Description") == [(None, "Late. Changed by Ann.")]


def test_a_value_that_is_gone_is_cleared_in_an_old_row(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows(KEYS[0], Week_Ending=date(2026, 1, 4), Delta=Decimal(3)))
    run(client, log, rows(KEYS[0], Week_Ending=None, Delta=None))
    assert log.table("Week Ending", "Delta") == [("", "")]


def test_an_endless_value_is_cut_to_what_a_cell_holds(client: Smartsheet, log: SheetBook) -> None:
    run(client, log, rows(KEYS[0], Old_Value="x" * 5000))
    ((old,),) = log.table("Old Value")
    assert old == "x" * 3999 + "…"


def test_rows_have_the_colour_of_their_severity_nearest_in_the_live_palette(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook
) -> None:
    smartsheets.palette = ["none", "#000000", "#FFFFFF", "transparent", "#FFCCD0", "#E7F5E0"]
    found = pl.concat([finding(), finding(finding_key=KEYS[1], status="RESOLVED")])
    run(client, log, log_rows(found, "r", AT))
    new, resolved = (row["formats"] for row in sorted(log.rows, key=lambda row: row["values"][log.column("Status")]))
    assert new[log.column("Severity")] == ",,,,,,,,,4,,,,,,,"
    assert new[log.column("Status")] == ",,1,,,,,,,4,,,,,,,"
    assert resolved[log.column("Status")] == ",,,,,,,,,5,,,,,,,"


def test_the_nearest_colour_is_never_none_or_transparent() -> None:
    assert nearest_colour("#010101", ["none", "transparent", "#FFFFFF", "#000000"]) == 3


def test_a_sheet_that_is_no_log_is_told_column_by_column(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    columns = [(title, kinds[0]) for title, kinds in COLUMNS.items() if title != "Severity"]
    columns[1] = ("Week Ending", "CHECKBOX")
    book = smartsheets.sheet("Log", [*columns, ("Severty", "TEXT_NUMBER")])
    assert setup_problems(client, str(book.sheet_id)) == [
        "column 'Week Ending' has the type CHECKBOX; it has to be DATE",
        "column 'Severity' is missing; is it 'Severty'?",
    ]
    with pytest.raises(InputError, match="cannot be written: column 'Week Ending'"):
        run(client, book, rows())
    assert book.rows == []


@pytest.mark.parametrize("fault", ["", "lost", "reset"])
def test_setup_adds_the_missing_columns_once(client: Smartsheet, smartsheets: SmartsheetApi, fault: str) -> None:
    book = smartsheets.sheet("Log", [("Work Request #", "TEXT_NUMBER"), ("Remarks", "TEXT_NUMBER")])
    smartsheets.fail("POST .*/columns", fault)
    assert setup_apply(client, str(book.sheet_id)) == [title for title in COLUMNS if title != "Work Request #"]
    assert [column["title"] for column in book.columns] == [
        "Work Request #", "Remarks", *[title for title in COLUMNS if title != "Work Request #"],
    ]  # fmt: skip
    assert setup_problems(client, str(book.sheet_id)) == []
    assert setup_apply(client, str(book.sheet_id)) == []


REPORT = "AUDIT_REPORT_2026-01-09.xlsx"


@pytest.fixture
def report(client: Smartsheet, log: SheetBook) -> str:
    """The id of the day's report row."""
    row = report_row(date(2026, 1, 9), "3 findings, 1 new.", "20260109T123000Z", AT)
    return run(client, log, [row]).row_ids["REPORT-2026-01-09"]


def attach(
    client: Smartsheet, log: SheetBook, report: str, content: bytes = b"one", last: Attached | None = None
) -> Attached:
    return attach_report(client, str(log.sheet_id), report, REPORT, content, last)


def files(smartsheets: SmartsheetApi, log: SheetBook, report: str) -> list[list[bytes]]:
    """The versions of each file at the report's row."""
    return [[smartsheets.contents[version["id"]] for version in file] for file in log.files.get(int(report), [])]


def test_a_day_has_one_report_row(client: Smartsheet, log: SheetBook, report: str) -> None:
    later = report_row(date(2026, 1, 9), "4 findings.", "20260109T143000Z", AT)
    assert run(client, log, [later]).row_ids == {"REPORT-2026-01-09": report}
    assert log.table("Work Request #", "Issue Description") == [("Audit report 2026-01-09", "4 findings.")]


def test_a_report_is_one_file_with_a_version_for_each_content(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str
) -> None:
    first = attach(client, log, report)
    assert attach(client, log, report, b"one", first) == first
    attach(client, log, report, b"two", first)
    assert files(smartsheets, log, report) == [[b"one", b"two"]]
    assert log.files[int(report)][0][-1]["name"] == REPORT


@pytest.mark.parametrize("fault", ["lost", "reset", "500 html", "4004", "html-applied"])
def test_a_report_whose_first_upload_has_an_unclear_outcome_is_there_once(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str, fault: str
) -> None:
    smartsheets.fail("POST .*/attachments", fault)
    attached = attach(client, log, report)
    assert files(smartsheets, log, report) == [[b"one"]]
    assert attach(client, log, report, last=attached) == attached


@pytest.mark.parametrize("fault", ["lost", "reset"])
def test_a_report_whose_new_version_has_an_unclear_outcome_is_there_once(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str, fault: str
) -> None:
    first = attach(client, log, report)
    smartsheets.fail("POST .*/versions", fault)
    attach(client, log, report, b"two", first)
    assert files(smartsheets, log, report) == [[b"one", b"two"]]


def test_a_crash_after_the_row_and_before_the_file(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str
) -> None:
    smartsheets.fail("POST .*/attachments", "401")
    with pytest.raises(UpstreamError):
        attach(client, log, report)
    attach(client, log, report)
    assert files(smartsheets, log, report) == [[b"one"]]


def test_a_crash_after_the_file_and_before_our_commit_leaves_one_current_file(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str
) -> None:
    attach(client, log, report)
    attach(client, log, report, b"one", None)
    assert [versions[-1] for versions in files(smartsheets, log, report)] == [b"one"]


def test_a_second_file_of_the_name_is_deleted_and_other_files_stay(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str
) -> None:
    client.attach(str(log.sheet_id), report, REPORT, b"late upload")
    client.attach(str(log.sheet_id), report, REPORT, b"later upload")
    client.attach(str(log.sheet_id), report, "notes.xlsx", b"a person's")
    attach(client, log, report)
    assert files(smartsheets, log, report) == [[b"later upload", b"one"], [b"a person's"]]


def test_a_file_that_a_person_deleted_is_attached_again(
    client: Smartsheet, smartsheets: SmartsheetApi, log: SheetBook, report: str
) -> None:
    first = attach(client, log, report)
    log.files.clear()
    attach(client, log, report, b"one", first)
    assert files(smartsheets, log, report) == [[b"one"]]
