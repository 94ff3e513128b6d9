"""Support hours of managed-services clients that were never billed show up by themselves."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing_pipeline.assets import unbilled
from billing_pipeline.build import resources_from
from billing_pipeline.cli.closing import progress_bar, run_job
from billing_pipeline.engine.errors import InputError
from billing_pipeline.settings import load_settings
from tests.client_office import GOLD, Office, company, entry, office

__all__ = ["office"]


def look(office: Office) -> dict[str, Any]:
    with progress_bar() as bar:
        run_job(resources_from(load_settings()), "unbilled", bar, "Unbilled")
    document: dict[str, Any] = json.loads((office.outputs / "unbilled" / "unbilled_summary.json").read_text("utf-8"))
    return document


@pytest.fixture(autouse=True)
def in_august(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbilled, "started_at", lambda _: datetime(2026, 8, 10, tzinfo=UTC))


def test_hours_are_unbilled_until_their_bill_is_accepted(office: Office) -> None:
    office.listing("time_entries", entry(1, "2026-06-10T12:00:00Z", "20:00"), entry(2, "2026-07-10T12:00:00Z"))
    office.bill("2026-06")
    found = look(office)
    assert [(one["project_id"], one["client"], one["hours"], one["amount"]) for one in found["summary"]] == [
        ("A-202606", "Client A", "20.00", "2000.00"),
        ("A-202607", "Client A", "1.00", "100.00"),
    ]
    assert [one["project_id"] for one in found["alerts"]] == ["A-202606"]
    office.accept("2026-06")
    after = look(office)
    assert [one["project_id"] for one in after["summary"]] == ["A-202607"]
    assert after["balance"]["billed"]["amount"] == "2000.00"


def test_prepaid_and_all_inclusive_hours_and_those_of_the_current_month_are_excluded_with_their_reason(
    office: Office,
) -> None:
    office.book(
        plans=[GOLD, GOLD | {"plan": "Flat", "per_hour_ticket_cost": "0"}],
        settings=[{"account": "A", "prepaid_hours_monthly": "1.5"}],
    )
    office.listing("companies", company("A"), company("B", plan="Flat"))
    office.listing(
        "time_entries",
        entry(1, "2026-06-10T12:00:00Z", "2:00"),
        entry(2, "2026-06-11T12:00:00Z", account="B"),
        entry(3, "2026-08-02T12:00:00Z"),
    )
    office.bill("2026-06")
    found = look(office)
    assert found["summary"][0]["hours"] == "0.50"
    assert found["balance"]["excluded"]["hours"] == "3.50"


def test_time_of_a_client_without_a_plan_is_a_finding_not_a_zero(office: Office) -> None:
    office.listing("companies", company("A"), company("C", plan=""))
    office.listing("time_entries", entry(1, "2026-06-10T12:00:00Z", account="C"))
    office.bill("2026-06", code=3)
    assert [one["category"] for one in look(office)["findings"]] == ["RATE_MISSING"]


def test_a_project_of_the_folder_may_not_be_called_like_an_invoice(office: Office) -> None:
    office.listing("time_entries", entry(1, "2026-06-10T12:00:00Z"))
    office.bill("2026-06")
    folder = office.data / "unbilled"
    folder.mkdir()
    (folder / "time_logs.csv").write_text(
        "Log_ID,Project_ID,Hours,Activity_Type,Invoicing_Status\n1,A-202606,1,Billable,Logged\n"
    )
    (folder / "contracts.csv").write_text("Project_ID,Client_Rate_per_Hour,Billing_Model\nA-202606,5,T&M\n")
    with pytest.raises(InputError, match="A-202606"):
        look(office)
