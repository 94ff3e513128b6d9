"""`doctor` about the audit: where the sheets are, where findings go, what the last run said."""

from datetime import timedelta

import pytest

from billing_pipeline.cli.audit_health import audit_findings
from billing_pipeline.cli.findings import Finding
from billing_pipeline.settings import load_settings
from tests.audit_office import CREW, FIRST_RUN, AuditOffice, office

__all__ = ["office"]


def told(hours: float = 0) -> dict[str, Finding]:
    """What is said so long after the first run, by what it is about."""
    return {one.subject: one for one in audit_findings(load_settings(), FIRST_RUN + timedelta(hours=hours))}


def test_a_folder_is_told_with_its_sheets_and_what_the_last_run_said(office: AuditOffice) -> None:
    assert (told()["audit"].state, told()["audit"].found) == ("note", "has never run")
    office.audit(code=0)
    assert told()["audited sheets"].found == f"in {office.sheets}: {CREW}"
    assert (told(1)["audit"].state, told(1)["audit"].found) == ("fine", "CLEAN, 1 hour ago")


def test_runs_that_stopped_are_told_unless_they_are_switched_off(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.audit(code=0)
    assert told(7)["audit"].state == "attention"
    monkeypatch.setenv("BILLING_OFF", "audit_every_2_hours")
    assert told(7)["audit"].state == "fine"


def test_a_run_that_could_not_verify_everything_needs_a_person(office: AuditOffice) -> None:
    office.audit(code=0)
    office.drop_column(CREW, "Quantity")
    office.sheet("North")
    office.audit(code=4)
    assert (told(4)["audit"].state, told(4)["audit"].found) == ("attention", "NOT VERIFIED, 2 hours ago")


def test_an_empty_folder_and_an_account_without_sheets_are_told(
    office: AuditOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in office.sheets.iterdir():
        path.unlink()
    assert told()["audited sheets"].state == "attention"
    monkeypatch.setenv("SMARTSHEET_API_TOKEN", "hush")
    monkeypatch.setenv("BILLING_NARRATIVE_URL", "https://words.example.com/v1")
    monkeypatch.setenv("BILLING_NARRATIVE_MODEL", "plain")
    monkeypatch.setenv("BILLING_NARRATIVE_KEY", "hush")
    found = told()
    assert (found["audited sheets"].state, found["audit log"].state) == ("attention", "note")
    assert found["audit narrative"].found == "figures go to https://words.example.com/v1 (plain)"
    assert "hush" not in str(found)
    monkeypatch.setenv("BILLING_AUDIT_SHEETS", "11,12")
    monkeypatch.setenv("AUDIT_SHEET_ID", "13")
    assert [told()[name].state for name in ("audited sheets", "audit log")] == ["fine", "fine"]


def test_where_there_is_nothing_to_audit_nothing_is_said(office: AuditOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_AUDIT_DIR", str(office.data / "none"))
    assert told() == {}
