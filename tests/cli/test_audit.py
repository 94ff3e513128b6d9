"""`audit run` and `audit setup`: exit codes, what stands on standard output, what people read."""

import pytest

from billing_pipeline.resources.log_rows import COLUMNS
from tests.audit_office import AFTER, CREW, EDITED_AT, AuditOffice, SmartsheetOffice, office, online
from tests.smartsheet_api import TOKEN

__all__ = ["office", "online"]
DOCUMENT = {
    "run_id", "at", "status", "risk", "coverage", "changes", "new", "ongoing", "resolved", "reopened", "dollars",
    "findings",
    "dry_run", "files",
}  # fmt: skip


def test_a_clean_audit_leaves_0_and_findings_leave_3_and_what_cannot_be_read_leaves_4(office: AuditOffice) -> None:
    assert office.audit(code=0)["status"] == "CLEAN"
    office.edit(CREW, "r1", Quantity="5")
    assert office.audit(at=AFTER, code=3)["status"] == "FINDINGS"
    office.drop_column(CREW, "Quantity")
    assert office.audit(code=4)["status"] == "NOT_VERIFIED"


def test_the_document_says_what_was_found_and_where_it_is(office: AuditOffice) -> None:
    document = office.audit(code=0)
    assert set(document) == DOCUMENT
    assert document["coverage"] == {"sheets": 1, "rows": 2, "cells": 4, "not_verified": 0, "problems": []}
    names = ("audit_summary.json", "Billing_Audit_2026-01-07.xlsx")
    assert document["files"] == [str(office.outputs / "audit" / name) for name in names]


def test_people_read_the_findings_and_the_coverage(office: AuditOffice) -> None:
    office.audit(code=0)
    office.edit(CREW, "r1", at="2026-01-07T13:00:00Z", Quantity="5")
    office.audit(code=3)
    said = office.run("audit", "run")
    assert (said.code, said.out) == (3, "")
    assert "quantity was 2 when its week closed and is 5 now" in said.err
    assert "FINDINGS: 0 new, 1 ongoing, 0 reopened, 0 resolved; 150.00 at stake" in said.err
    assert "1 sheets, 2 rows, 0 cells not verified" in said.err


def test_a_sheet_that_cannot_be_judged_is_told_with_its_reason(office: AuditOffice) -> None:
    office.drop_column(CREW, "Quantity")
    said = office.run("audit", "run")
    assert (said.code, "NOT VERIFIED" in said.err) == (4, True)
    assert f"{CREW}: it has no column Quantity" in said.err


def test_an_account_that_refuses_the_token_is_told_without_it(
    online: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTSHEET_API_TOKEN", "wrong-and-secret")
    said = online.run("audit", "run")
    assert said.code not in {0, 3, 4}
    assert "is SMARTSHEET_API_TOKEN right?" in said.err
    assert "wrong-and-secret" not in said.out + said.err
    assert TOKEN not in said.out + said.err


def test_a_log_sheet_with_every_column_is_ready(online: SmartsheetOffice) -> None:
    said = online.run("audit", "setup", "--check", "--json")
    assert said.code == 0
    assert said.document == {"sheet": str(online.log.sheet_id), "added": [], "problems": []}
    assert "has every column" in online.run("audit", "setup").err


def test_missing_columns_are_told_and_added_when_it_is_asked_for(
    online: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = online.api.sheet("New log", [("Work Request #", "TEXT_NUMBER")])
    monkeypatch.setenv("AUDIT_SHEET_ID", str(empty.sheet_id))
    said = online.run("audit", "setup", "--check", "--json")
    assert (said.code, len(said.document["problems"]), len(empty.columns)) == (4, len(COLUMNS) - 1, 1)
    applied = online.run("audit", "setup", "--apply", "--json")
    assert (applied.code, applied.document["problems"]) == (0, [])
    assert applied.document["added"] == [title for title in COLUMNS if title != "Work Request #"]
    assert {column["title"] for column in empty.columns} == set(COLUMNS)
    online.source.edit(online.first, "Quantity", 5, "late@example.com", EDITED_AT)
    assert online.audit(at=AFTER, code=3)["new"] == 1


def test_a_column_of_another_type_is_told_and_left_alone(
    online: SmartsheetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = {title: kinds[0] for title, kinds in COLUMNS.items()} | {"Week Ending": "CHECKBOX"}
    odd = online.api.sheet("Odd log", list(types.items()))
    monkeypatch.setenv("AUDIT_SHEET_ID", str(odd.sheet_id))
    said = online.run("audit", "setup", "--apply")
    assert (said.code, "column 'Week Ending' has the type CHECKBOX; it has to be DATE" in said.err) == (4, True)


def test_without_an_account_there_is_no_log_sheet_to_set_up(office: AuditOffice) -> None:
    said = office.run("audit", "setup")
    assert (said.code, "there is no log sheet" in said.err) == (2, True)
