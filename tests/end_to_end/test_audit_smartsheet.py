"""The audit of Smartsheet through the vendor's own SDK: a seeded edit is found and logged once, whatever goes wrong."""

import json
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from billing_pipeline.resources.database.finding_tables import cell_watermarks, findings, log_outbox
from billing_pipeline.resources.findings import dispose
from tests.audit_office import AFTER, CREW, EDITED_AT, SmartsheetOffice, online, unit
from tests.smartsheet_api import TOKEN

__all__ = ["online"]
HISTORY = r"GET /sheets/\d+/rows/\d+/columns/\d+/history"
INSERT = r"POST /sheets/\d+/rows"
ATTACH = r"POST /sheets/\d+/rows/\d+/attachments"
REPORT = "Billing_Audit_2026-01-09.xlsx"
EDIT = ["quantity", "2", "5"]


@pytest.fixture
def edited(online: SmartsheetOffice) -> SmartsheetOffice:
    """The first run found nothing; five days after its week ended the quantity of a billed line became 5."""
    online.audit(code=0)
    online.source.edit(online.first, "Quantity", 5, "late@example.com", EDITED_AT)
    return online


def see(office: SmartsheetOffice, *, code: int = 3) -> dict[str, Any]:
    """The first run after the edit."""
    return office.audit(at=AFTER, code=code)


def fails(office: SmartsheetOffice, at: str = AFTER) -> str:
    """A run that cannot be finished; what it says."""
    office.now = datetime.fromisoformat(at)
    said = office.run("audit", "run")
    assert said.code not in {0, 3, 4}
    return said.out + said.err


def test_the_canary_is_found_by_the_history_of_its_cell(edited: SmartsheetOffice) -> None:
    found = see(edited)
    assert (found["status"], found["new"], found["coverage"]["not_verified"]) == ("FINDINGS", 1, 0)
    (finding,) = found["findings"]
    assert (finding["locked"], finding["current"], finding["delta"], finding["evidence"]) == ("2", "5", "3", "history")
    assert (finding["by"], finding["dollars"]) == ("late@example.com", "150.00")
    assert finding["link"] == f"https://app.smartsheet.com/sheets/s{edited.source.sheet_id}?rowId={edited.first}"


def test_the_canary_stands_in_the_log_as_one_coloured_row_with_the_days_workbook(edited: SmartsheetOffice) -> None:
    see(edited)
    titles = ("Column", "Old Value", "New Value", "Status", "Work Request #", "Delta", "Changed By", "Source Row ID")
    assert edited.logged(*titles) == [[*EDIT, "NEW", "10000001", 3, "late@example.com", str(edited.first)]]
    (row,) = (row for row in edited.log.rows if row["values"].get(edited.log.column("Column")) == "quantity")
    colours = {form.split(",")[9] for form in row["formats"].values()}
    assert {edited.api.palette[int(place)] for place in colours} == {"#FFE1AF"}  # amber: MEDIUM
    assert edited.attached() == [["Billing_Audit_2026-01-07.xlsx"], [REPORT]]
    assert edited.api.contents[edited.log.files[report_row(edited)][0][-1]["id"]] == edited.workbook()


def report_row(office: SmartsheetOffice) -> int:
    """The id of the log's report row of the day of the edit."""
    column = office.log.column("Finding Key")
    (row,) = (row for row in office.log.rows if row["values"][column] == "REPORT-2026-01-09")
    return int(row["id"])


def test_the_second_run_writes_no_second_row_and_sends_no_workbook_that_did_not_change(
    edited: SmartsheetOffice,
) -> None:
    see(edited)
    assert edited.audit(code=3)["ongoing"] == 1
    edited.audit(code=3)
    assert edited.logged("Column", "Old Value", "New Value", "Status") == [[*EDIT, "ONGOING"]]
    assert edited.attached() == [["Billing_Audit_2026-01-07.xlsx"], [REPORT]]
    edited.source.edit(edited.first, "Quantity", 2, "late@example.com", "2026-01-09T17:30:00Z")
    assert edited.audit(code=0)["resolved"] == 1
    assert edited.logged("Status") == [["RESOLVED"]]
    assert edited.attached() == [["Billing_Audit_2026-01-07.xlsx"], [REPORT, REPORT]]


def test_what_a_reviewer_says_closes_a_finding_and_is_never_overwritten(edited: SmartsheetOffice) -> None:
    see(edited)
    row = edited.log_row()
    edited.log.edit(row, "Disposition", "Accepted: change order 12", "ada@example.com")
    edited.audit(code=3)
    closed = edited.audit(code=0)
    assert (closed["status"], closed["ongoing"], closed["dollars"]) == ("CLEAN", 0, "0.00")
    assert [row.disposition for row in edited.stored(findings)] == ["Accepted: change order 12"]
    edited.source.edit(edited.first, "Quantity", 6, "late@example.com", "2026-01-09T17:30:00Z")
    assert edited.audit(code=3)["reopened"] == 1
    assert edited.logged("Disposition", "New Value", "Status") == [["Accepted: change order 12", "6", "REOPENED"]]


def test_without_any_history_nothing_is_verified_and_watermarks_stay(edited: SmartsheetOffice) -> None:
    see(edited)
    marks = edited.stored(cell_watermarks)
    edited.source.edit(edited.first, "Quantity", 7, "late@example.com", "2026-01-09T13:00:00Z")
    edited.api.fail(HISTORY, "4003", times=1000)
    found = edited.audit(code=4)
    assert (found["status"], found["coverage"]["not_verified"]) == ("NOT_VERIFIED", 2)
    assert edited.stored(cell_watermarks) == marks
    edited.api.mend()
    found = edited.audit(code=3)
    assert (found["status"], found["findings"][0]["current"]) == ("FINDINGS", "7")
    assert edited.stored(cell_watermarks) != marks


def test_after_three_histories_that_fail_the_others_are_left_for_the_next_run(online: SmartsheetOffice) -> None:
    lines = [online.add(unit(number)) for number in (2, 3, 4)]
    online.audit(code=0)
    for line in (online.first, *lines):
        online.source.edit(line, "Quantity", 5, "late@example.com", EDITED_AT)
    online.api.fail(HISTORY, "404", times=1000)
    assert see(online, code=4)["coverage"]["not_verified"] == 8
    assert online.api.asked(HISTORY) == 3
    online.api.mend()
    assert online.audit(code=3)["coverage"]["not_verified"] == 0


def test_cells_above_the_budget_are_left_for_the_next_run(
    edited: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_AUDIT_HISTORY_CALLS", "1")
    assert see(edited, code=4)["coverage"]["not_verified"] == 1
    assert edited.audit(code=3)["coverage"]["not_verified"] == 0


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        (INSERT, "reset"),  # before the insert
        (INSERT, "lost"),  # after the insert, before its answer
        (INSERT, "4002"),
        (INSERT, "4004"),
        (INSERT, "html-applied"),
        (ATTACH, "lost"),
        (ATTACH, "reset"),
    ],
)
def test_a_write_with_an_unclear_outcome_leaves_one_row_and_one_file(
    edited: SmartsheetOffice, where: str, fault: str
) -> None:
    edited.api.fail(where, fault)
    see(edited)
    assert edited.logged("Column", "Old Value", "New Value") == [EDIT]
    assert [file[0] for file in edited.attached()] == ["Billing_Audit_2026-01-07.xlsx", REPORT]


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        (INSERT, "401"),
        (ATTACH, "401"),  # after the row, before its workbook
        (r"GET /serverinfo", "403"),
        (INSERT, "reset"),  # again and again
    ],
)
def test_a_run_whose_log_cannot_be_written_is_made_good_by_the_next_one(
    edited: SmartsheetOffice, where: str, fault: str
) -> None:
    edited.api.fail(where, fault, times=1000)
    fails(edited)
    assert [row.status for row in edited.stored(findings)] == ["NEW"]
    edited.api.mend()
    edited.audit(code=3)
    assert edited.logged("Column", "Old Value", "New Value", "Status") == [[*EDIT, "ONGOING"]]
    assert [file[0] for file in edited.attached()] == ["Billing_Audit_2026-01-07.xlsx", REPORT]
    assert [row.state for row in edited.stored(log_outbox)] == ["sent"]
    assert len(edited.notices()) == 1


def test_a_row_of_the_log_that_a_person_deleted_comes_again(edited: SmartsheetOffice) -> None:
    see(edited)
    edited.log.rows.clear()
    edited.audit(code=3)
    edited.log.rows.clear()
    edited.audit(code=3)
    assert edited.logged("Column", "Status") == [["quantity", "ONGOING"]]


def test_a_renamed_column_of_the_log_stops_the_writing_and_loses_nothing(edited: SmartsheetOffice) -> None:
    edited.log.rename("Finding Key", "Key of finding")
    assert "column 'Finding Key' is missing" in fails(edited)
    edited.log.rename("Key of finding", "Finding Key")
    edited.audit(code=3)
    assert edited.logged("Column", "Old Value", "New Value") == [EDIT]


def test_an_installation_that_lost_its_state_tells_nothing_anew_and_writes_no_second_row(
    edited: SmartsheetOffice,
) -> None:
    see(edited)
    edited.lose_state()
    weeks_later = "2026-02-20T12:00:00Z"  # beyond the look-back: only the log knows what was billed
    assert [edited.audit(at=weeks_later, code=3)[name] for name in ("new", "ongoing", "resolved")] == [0, 1, 0]
    assert edited.logged("Column", "Old Value", "New Value", "Status") == [[*EDIT, "ONGOING"]]
    assert edited.notices() == []
    edited.source.edit(edited.first, "Quantity", 2, "late@example.com", "2026-02-20T13:00:00Z")
    assert edited.audit(code=0)["resolved"] == 1
    assert edited.logged("Status") == [["RESOLVED"]]


def test_what_a_reviewer_takes_back_is_judged_again(edited: SmartsheetOffice) -> None:
    see(edited)
    edited.log.edit(edited.log_row(), "Disposition", "Accepted", "ada@example.com")
    edited.audit(code=3)
    assert edited.audit(code=0)["ongoing"] == 0
    edited.log.edit(edited.log_row(), "Disposition", "", "ada@example.com")
    edited.audit(code=0)  # hears it, after it judged
    assert edited.audit(code=3)["reopened"] == 1
    assert edited.logged("Disposition", "Status") in ([["", "REOPENED"]], [[None, "REOPENED"]])


def test_what_was_said_elsewhere_is_not_taken_back_by_a_blank_cell(edited: SmartsheetOffice) -> None:
    see(edited)
    (key,) = (row.finding_key for row in edited.stored(findings))
    said = partial(
        dispose, capability="audit", key=key, disposition="Waived", by="ada", at=datetime.fromisoformat(AFTER)
    )
    edited.database.run(said)
    edited.audit(code=0)
    edited.audit(code=0)
    assert [row.disposition for row in edited.stored(findings)] == ["Waived"]


def test_a_dry_run_sends_nothing_but_questions(edited: SmartsheetOffice) -> None:
    edited.api.requests.clear()
    assert edited.audit("--dry-run", at=AFTER, code=3)["new"] == 1
    assert {request.partition(" ")[0] for request in edited.api.requests} == {"GET"}
    assert edited.logged("Column") == []
    assert see(edited)["new"] == 1


def test_a_sheet_that_cannot_be_read_is_not_verified_beside_one_that_can(
    edited: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_AUDIT_SHEETS", f"{edited.source.sheet_id},99")
    found = see(edited, code=4)
    (problem,) = found["coverage"]["problems"]
    assert (found["status"], found["new"], problem["sheet_id"]) == ("NOT_VERIFIED", 1, "99")


def test_sheets_of_a_folder_are_found_by_themselves(online: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    online.api.folders[7] = [("sheet", online.source.sheet_id, CREW)]
    monkeypatch.setenv("BILLING_AUDIT_SHEETS", "")
    monkeypatch.setenv("BILLING_AUDIT_FOLDERS", "7")
    assert online.audit(code=0)["coverage"]["rows"] == 1


def test_neither_the_token_nor_anybodys_name_stands_in_a_message(edited: SmartsheetOffice) -> None:
    edited.api.fail(INSERT, "401", times=1000)
    told = fails(edited)
    edited.api.mend()
    edited.audit(code=3)
    told += json.dumps(edited.notices()) + "".join(row.last_error for row in edited.stored(log_outbox))
    for secret in (TOKEN, "late@example.com", "ann@example.com"):
        assert secret not in told
    kept = b"".join(path.read_bytes() for path in edited.data.rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept
