"""The audit of a folder of sheets, from run to run: what is found is told once, and nothing unseen is called clean."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook

from billing_pipeline.resources.database import Database
from billing_pipeline.resources.database.finding_tables import (
    billed_baseline,
    cell_watermarks,
    finding_events,
    finding_runs,
    findings,
    log_outbox,
)
from billing_pipeline.resources.database.tables import leases, outbox
from tests.audit_office import AFTER, CREW, EDITED_AT, NORTH, AuditOffice, office, unit
from tests.language_model import language_model

__all__ = ["office"]
TABLES = (billed_baseline, cell_watermarks, finding_events, finding_runs, findings, log_outbox, outbox)
COUNTS = ("new", "ongoing", "resolved", "reopened")


def counts(document: dict[str, Any]) -> tuple[int, ...]:
    return tuple(document[name] for name in COUNTS)


def edited(office: AuditOffice) -> dict[str, Any]:
    """The first run found nothing; then the quantity of a billed line became 5, and the next run saw it."""
    office.audit(code=0)
    office.edit(CREW, "r1", Quantity="5")
    return office.audit(at=AFTER, code=3)


def test_an_edit_after_the_week_was_closed_is_found_with_what_it_is_worth(office: AuditOffice) -> None:
    found = edited(office)
    assert (found["status"], counts(found), found["dollars"]) == ("FINDINGS", (1, 0, 0, 0), "150.00")
    (finding,) = found["findings"]
    told = {name: finding[name] for name in ("category", "work_request", "column", "locked", "current", "delta", "by")}
    assert told == {
        "category": "EDIT_AFTER_CLOSE", "work_request": "10000001", "column": "quantity", "locked": "2", "current": "5",
        "delta": "3", "by": "late@example.com",
    }  # fmt: skip
    assert (finding["edited_at"], finding["severity"]) == ("2026-01-09T10:00:00+00:00", "MEDIUM")


def test_a_finding_is_new_then_ongoing_then_resolved_then_reopened(office: AuditOffice) -> None:
    assert counts(edited(office)) == (1, 0, 0, 0)
    assert counts(office.audit(code=3)) == (0, 1, 0, 0)
    office.edit(CREW, "r1", at="2026-01-09T15:00:00Z", Quantity="2")
    assert counts(office.audit(code=0)) == (0, 0, 1, 0)
    assert counts(office.audit(code=0)) == (0, 0, 0, 0)
    office.edit(CREW, "r1", at="2026-01-09T19:00:00Z", Quantity="7")
    assert counts(office.audit(code=3)) == (0, 0, 0, 1)
    assert office.statuses() == {"EDIT_AFTER_CLOSE r1": "REOPENED"}
    assert [row.reopen_count for row in office.stored(findings)] == [1]
    assert len(office.stored(finding_events)) == 3


def test_what_changed_since_the_last_run_is_counted_whether_it_is_wrong_or_not(office: AuditOffice) -> None:
    nothing = {"added": 0, "removed": 0, "changed": 0, "completion_revoked": 0, "price_removed": 0}
    assert office.audit(code=0)["changes"] == nothing  # a first look has nothing to compare with
    office.edit(CREW, "r1", Quantity="5", **{"Units Completed?": "false"})
    office.remove(CREW, "r2")
    office.sheet(NORTH, unit(3))  # a sheet that is new has not changed
    assert office.audit(at=AFTER, code=3)["changes"] == nothing | {"removed": 1, "changed": 1, "completion_revoked": 1}
    assert office.audit(code=3)["changes"] == nothing


def test_a_change_is_told_once_and_a_run_that_changes_nothing_tells_nothing(office: AuditOffice) -> None:
    edited(office)
    assert len(office.notices()) == 1
    office.audit(code=3)
    office.audit(code=3)
    assert len(office.notices()) == 1
    office.edit(CREW, "r1", at="2026-01-09T17:00:00Z", Quantity="2")
    office.audit(code=0)
    titles = [json.dumps(notice) for notice in office.notices()]
    assert ["1 new" in titles[0], "1 resolved" in titles[1], len(titles)] == [True, True, 2]
    assert "late@example.com" not in "".join(titles)


def test_a_first_run_takes_what_was_edited_before_its_look_back_as_it_stands(office: AuditOffice) -> None:
    office.edit(CREW, "r1", Quantity="5")
    found = office.audit(at="2026-01-30T12:00:00Z", code=0)
    assert (found["status"], counts(found), office.notices()) == ("CLEAN", (0, 0, 0, 0), [])
    assert [str(row.quantity) for row in office.stored(billed_baseline)] == ["5.0000", "2.0000"]
    office.edit(CREW, "r1", at="2026-01-30T13:00:00Z", Quantity="6")
    (finding,) = office.audit(code=3)["findings"]
    assert (finding["locked"], finding["current"]) == ("5", "6")


def test_an_edit_before_the_week_is_closed_is_no_finding(office: AuditOffice) -> None:
    office.audit(at="2026-01-03T12:00:00Z", code=0)
    office.edit(CREW, "r1", at="2026-01-04T20:00:00Z", Quantity="5")
    assert counts(office.audit(at="2026-01-07T12:00:00Z", code=0)) == (0, 0, 0, 0)


def test_the_history_of_a_cell_tells_every_edit_between_two_runs(office: AuditOffice) -> None:
    office.histories(CREW, ("r1", "Quantity", "2026-01-02T15:00:00Z", "2", "ann@example.com"))
    office.audit(code=0)
    office.edit(CREW, "r1", at="2026-01-09T11:00:00Z", Quantity="4")
    office.histories(
        CREW,
        ("r1", "Quantity", "2026-01-02T15:00:00Z", "2", "ann@example.com"),
        ("r1", "Quantity", "2026-01-08T10:00:00Z", "3", "bob@example.com"),
        ("r1", "Quantity", "2026-01-09T11:00:00Z", "4", "late@example.com"),
        ("r1", "Units Total Price", "2026-01-02T15:00:00Z", "100.00", "ann@example.com"),
    )
    (finding,) = office.audit(at=AFTER, code=3)["findings"]
    assert (finding["locked"], finding["current"], finding["evidence"]) == ("2", "4", "history")
    assert [(row.old, row.new, row.by) for row in office.stored(finding_events)] == [
        ("2", "3", "bob@example.com"),
        ("3", "4", "late@example.com"),
    ]


def test_edits_that_were_taken_back_between_two_runs_are_told_as_over(office: AuditOffice) -> None:
    office.histories(CREW, ("r1", "Quantity", "2026-01-02T15:00:00Z", "2", "ann@example.com"))
    office.audit(code=0)
    office.edit(CREW, "r1", at="2026-01-09T10:00:00Z", Quantity="2")
    days = [("02T15", "2"), ("08T10", "3"), ("09T09", "4"), ("09T10", "2")]
    office.histories(
        CREW,
        *(("r1", "Quantity", f"2026-01-{at}:00:00Z", value, "late@example.com") for at, value in days),
        ("r1", "Units Total Price", "2026-01-02T15:00:00Z", "100.00", "ann@example.com"),
    )
    found = office.audit(at=AFTER, code=0)
    assert (found["status"], counts(found)) == ("CLEAN", (0, 0, 1, 0))
    assert office.statuses() == {"TRANSIENT_EDIT r1": "RESOLVED"}
    assert len(office.stored(finding_events)) == 3


def test_a_line_that_is_removed_after_it_was_billed_is_found(office: AuditOffice) -> None:
    office.audit(code=0)
    office.remove(CREW, "r2")
    (finding,) = office.audit(code=3)["findings"]
    assert (finding["category"], finding["row_id"], finding["dollars"]) == ("ROW_REMOVED", "r2", "100.00")
    assert counts(office.audit(code=3)) == (0, 1, 0, 0)


def test_a_completion_that_is_taken_back_after_it_was_billed_is_found(office: AuditOffice) -> None:
    office.audit(code=0)
    office.edit(CREW, "r2", **{"Units Completed?": "false"})
    (finding,) = office.audit(at=AFTER, code=3)["findings"]
    assert (finding["category"], finding["locked"], finding["current"]) == ("COMPLETION_REVOKED", "true", "false")


def test_a_price_against_the_rates_of_the_contract_is_found(office: AuditOffice) -> None:
    (office.sheets / "rates.csv").write_text("Unit Code,Work Type,Rate\nPOLE-40,install,56.84\n")
    office.sheet(CREW, unit(1, **{"Units Total Price": "341.04", "Quantity": "3"}))
    (finding,) = office.audit(code=3)["findings"]
    assert (finding["category"], finding["delta"], finding["dollars"]) == ("RATE_MISMATCH", "170.52", "170.52")


def test_a_sheet_that_loses_a_column_is_not_verified_and_its_findings_stay_as_they_are(office: AuditOffice) -> None:
    edited(office)
    office.sheet(NORTH, unit(3))
    assert counts(office.audit(code=3)) == (0, 1, 0, 0)
    office.drop_column(CREW, "Quantity")
    found = office.audit(code=4)
    (problem,) = found["coverage"]["problems"]
    assert (found["status"], problem["sheet"]) == ("NOT_VERIFIED", CREW)
    assert problem["error"] == "it has no column Quantity"
    assert counts(found) == (0, 1, 0, 0)
    assert office.statuses() == {"EDIT_AFTER_CLOSE r1": "ONGOING"}
    assert len(office.notices()) == 1


def test_a_sheet_that_is_gone_is_not_verified_and_its_findings_stay_as_they_are(office: AuditOffice) -> None:
    office.sheet(NORTH, unit(3))
    edited(office)
    (office.sheets / f"{CREW}.csv").unlink()
    for _ in range(2):
        found = office.audit(code=4)
        (problem,) = found["coverage"]["problems"]
        assert (found["status"], counts(found)) == ("NOT_VERIFIED", (0, 1, 0, 0))
        assert problem["error"] == "it was audited before and is not there any more"
        assert problem["not_verified"] == 4


def test_a_sheet_that_was_left_out_for_a_week_is_not_missed_any_longer(office: AuditOffice) -> None:
    office.sheet(NORTH, unit(3))
    office.audit(code=0)
    (office.sheets / f"{CREW}.csv").unlink()
    office.audit(code=4)
    assert office.audit(at="2026-01-14T12:00:00Z", code=0)["coverage"]["sheets"] == 1


def test_a_sheet_that_comes_back_is_held_to_what_it_was_before(office: AuditOffice) -> None:
    """The line is of a week that is open when the sheet is lost, so no baseline holds it: the snapshot does."""
    office.sheet(NORTH, unit(3))
    open_week = {"Weekly Reference Logged Date": "2026-01-11", "Snapshot Date": "2026-01-08"}
    office.sheet(CREW, unit(1, **open_week))
    office.audit(at="2026-01-10T12:00:00Z", code=0)
    kept = (office.sheets / f"{CREW}.csv").read_bytes()
    (office.sheets / f"{CREW}.csv").write_bytes(b"\xff\xfe not a table")
    office.audit(at="2026-01-11T12:00:00Z", code=4)
    (office.sheets / f"{CREW}.csv").write_bytes(kept)
    office.edit(CREW, "r1", at="2026-01-13T10:00:00Z", Quantity="9")
    (finding,) = office.audit(at="2026-01-13T12:00:00Z", code=3)["findings"]
    assert (finding["category"], finding["locked"], finding["current"]) == ("EDIT_AFTER_CLOSE", "2", "9")


def test_an_installation_without_any_sheet_is_told_and_not_called_clean(office: AuditOffice) -> None:
    (office.sheets / f"{CREW}.csv").unlink()
    said = office.run("audit", "run")
    assert (said.code, "no sheet is named to be audited" in said.err) == (2, True)


def test_a_dry_run_finds_the_same_and_keeps_nothing(office: AuditOffice) -> None:
    office.audit(code=0)
    office.edit(CREW, "r1", Quantity="5")
    files, rows = office.kept(), [office.stored(table) for table in TABLES]
    dry = office.audit("--dry-run", at=AFTER, code=3)
    assert (counts(dry), dry["dry_run"], dry["files"]) == ((1, 0, 0, 0), True, [])
    assert office.kept() == files
    assert [office.stored(table) for table in TABLES] == rows
    found = office.audit(code=3)
    assert (counts(found), found["dry_run"]) == ((1, 0, 0, 0), False)


def test_the_workbook_of_a_day_stays_when_nothing_changed_and_is_made_anew_when_it_is_asked_for(
    office: AuditOffice,
) -> None:
    edited(office)
    first = office.workbook()
    office.audit(code=3)
    assert office.workbook() == first
    office.audit("--force-report", code=3)
    forced = office.workbook()
    assert forced != first
    office.audit(code=3)
    assert office.workbook() == forced


def test_every_day_has_a_workbook_of_its_own_and_those_of_other_days_stay(office: AuditOffice) -> None:
    edited(office)
    office.audit(at="2026-01-10T12:00:00Z", code=3)
    office.audit(code=3)
    assert sorted(path.name for path in (office.outputs / "audit").glob("*.xlsx")) == [
        "Billing_Audit_2026-01-07.xlsx",
        "Billing_Audit_2026-01-09.xlsx",
        "Billing_Audit_2026-01-10.xlsx",
    ]


def test_the_same_sheets_at_the_same_moment_make_workbooks_that_differ_by_the_name_of_their_run_only(
    office: AuditOffice,
) -> None:
    (office.sheets / "rates.csv").write_text("Unit Code,Work Type,Rate\nPOLE-40,install,56.84\n")
    first = office.audit(code=3)
    books = [office.workbook()]
    office.lose_state()
    again = office.audit("--force-report", at="2026-01-07T12:00:00Z", code=3)
    books.append(office.workbook())
    first_parts, again_parts = (parts(book) for book in books)
    name = "xl/sharedStrings.xml"
    texts, texts_again = first_parts.pop(name).decode(), again_parts.pop(name).decode()
    assert first_parts == again_parts
    assert texts.replace(first["run_id"], again["run_id"]) == texts_again


def parts(book: bytes) -> dict[str, bytes]:
    """The parts of a workbook by name."""
    with zipfile.ZipFile(BytesIO(book)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_figures_are_worded_by_a_service_that_is_told_nobody_and_nothing_fails_without_it(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with language_model() as model:
        model.said = "One finding is new: 1 of them, 150.00 at stake."
        monkeypatch.setenv("BILLING_NARRATIVE_URL", model.url)
        monkeypatch.setenv("BILLING_NARRATIVE_MODEL", "plain")
        edited(office)
        summary = load_workbook(BytesIO(office.workbook()))["Summary"]
        assert model.said in [cell.value for row in summary.iter_rows() for cell in row]
        sent = json.dumps([body for _, _, body in model.asked])
        assert not [text for text in ("late@example.com", CREW, "10000001", "POLE-40") if text in sent]
        asked = len(model.asked)
        office.audit(code=3)  # nothing changed: no workbook is made, and nothing is asked
        office.audit("--dry-run", "--force-report", code=3)
        assert len(model.asked) == asked
        model.status = 500
        assert office.audit("--force-report", code=3)["ongoing"] == 1


def test_a_second_audit_at_the_same_time_is_refused(office: AuditOffice) -> None:
    office.audit(code=0)
    another = {"name": "audit:all", "holder": "other:42:x", "expires_at": datetime.now(UTC) + timedelta(minutes=5)}
    office.database.run(lambda connection: connection.execute(leases.insert().values(another)))
    files = office.kept()
    said = office.run("audit", "run")
    assert (said.code, "another run on other, process 42 holds audit:all just now" in said.err) == (4, True)
    assert office.kept() == files


def test_a_run_that_dies_between_its_set_and_the_database_is_as_if_it_had_not_been(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.audit(code=0)
    office.edit(CREW, "r1", Quantity="5")
    rows = [office.stored(table) for table in TABLES]
    run = Database.run

    def dies(self: Database, work: Any) -> Any:
        if getattr(getattr(work, "func", None), "__name__", "") == "keep":
            raise OSError("the machine is gone")
        return run(self, work)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "run", dies)
        office.now = datetime.fromisoformat(AFTER)
        said = office.run("audit", "run")
    assert (said.code, "the machine is gone" in said.err) == (1, True)
    assert len([*(office.outputs / "runs" / "audit" / "2026-01").iterdir()]) == 2
    assert [office.stored(table) for table in TABLES] == rows
    assert not (office.outputs / "audit" / "Billing_Audit_2026-01-09.xlsx").exists()
    found = office.audit(code=3)
    assert (counts(found), found["findings"][0]["edited_at"]) == ((1, 0, 0, 0), EDITED_AT.replace("Z", "+00:00"))
    assert len(office.notices()) == 1
    assert office.workbook()
