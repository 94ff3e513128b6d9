"""`doctor` about managed services: the source of each listing, when it was pulled, and what last month waits for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from billing_pipeline.cli.client_health import client_findings
from billing_pipeline.cli.findings import Finding
from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.outputs import output_files
from billing_pipeline.settings import load_settings
from tests.client_office import Office, company, contact, device, office

__all__ = ["office"]

NOW = datetime.now(UTC)
CURRENT = Period.of(NOW.date())
LAST = CURRENT.previous


@pytest.fixture(autouse=True)
def plain_companies(office: Office) -> None:
    """No column but those of the listing."""
    (office.clients / "companies.csv").write_text("account,name,plan,term\nA,Acme,Gold,1 Year\n")


def told(now: datetime = NOW) -> dict[str, Finding]:
    """What is said at that time, by what it is about."""
    settings = load_settings()
    outputs = output_files(settings.outputs_folder, settings.data_dir)
    found = list(client_findings(settings, outputs, now))
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def pull(office: Office, at: datetime, month: Period, *names: str) -> None:
    """Let the listings be pulled for a month at that time."""
    for name in names or LISTINGS:
        path = office.data / "frames" / name / f"{month}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"pulled_at": [at]}, schema={"pulled_at": pl.Datetime("us", "UTC")}).write_parquet(path)


def test_where_nothing_is_set_up_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "other"))
    assert told() == {}
    assert not (tmp_path / "other").exists()


def test_each_listing_is_told_with_its_own_source(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.listing("contacts", contact(1))
    for name, value in {
        "DATTO_URL": "https://rmm.example.com", "DATTO_API_KEY": "hush-1", "DATTO_API_SECRET": "hush-2",
        "FRESHSERVICE_URL": "https://acme.example.com/desk", "FRESHSERVICE_API_KEY": "hush-3",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"BILLING_{name}", value)
    pull(office, NOW, CURRENT)
    found = told()
    assert {name: one.found.split(";")[0] for name, one in found.items() if name != f"clients of {LAST}"} == {
        "companies": f"from {office.clients}/companies.csv",
        "contacts": f"from {office.clients}/contacts.csv",
        "devices": "from Datto RMM at https://rmm.example.com",
        "backup volumes": "from Datto RMM at https://rmm.example.com",
        "time entries": "from Freshservice at https://acme.example.com/desk",
    }
    assert {one.state for name, one in found.items() if name != f"clients of {LAST}"} == {"fine"}


def test_a_directory_gives_what_no_other_system_does(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_DIRECTORY_URL", "https://codex.example.com")
    monkeypatch.setenv("BILLING_DIRECTORY_IDENTITY_URL", "https://core.example.com")
    for name in ("companies", "contacts", "devices", "backup volumes"):
        assert told()[name].found.startswith("from the company directory at https://codex.example.com;")
    assert told()["time entries"].found.startswith(f"none: {office.clients} has no time_entries.csv")


def test_the_command_tells_it_and_shows_no_key(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_FRESHSERVICE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("BILLING_FRESHSERVICE_API_KEY", "hush-3")
    said = office.run("doctor", "--json").out
    checks = {check["subject"]: check for check in json.loads(said)["checks"]}
    assert checks["time entries"]["found"].startswith("from Freshservice at http://127.0.0.1:1;")
    assert "hush" not in said


def test_a_folder_that_is_missing_is_told_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_CLIENTS_DIR", "/nowhere/clients")
    found = told()
    assert list(found) == ["clients folder", f"clients of {LAST}"]
    assert (found["clients folder"].state, found["clients folder"].found) == (
        "attention",
        "/nowhere/clients is no folder: companies, contacts, devices, backup volumes, time entries cannot be pulled",
    )


def test_a_folder_without_companies_is_told_with_the_columns_to_put_there(office: Office) -> None:
    (office.clients / "companies.csv").unlink()
    found = told()["companies"]
    assert found.state == "attention"
    assert "has no companies.csv or companies.parquet; put one there with the columns account,name" in found.found


def test_a_file_that_cannot_be_used_is_told_as_a_pull_would(office: Office) -> None:
    (office.clients / "devices.csv").write_text("source,source_id,name\nrmm,1,host\n")
    found = told()["devices"]
    assert found.state == "attention"
    assert found.found.startswith("cannot be pulled: devices.csv, line 1: column account is missing")


def test_columns_that_will_be_ignored_are_noted_with_those_there_may_be(office: Office) -> None:
    (office.clients / "companies.csv").write_text("account,name,Plan Name,term\nA,Acme,Gold,1 Year\n")
    pull(office, NOW, CURRENT)
    found = told()["companies"]
    assert found.state == "note"
    assert "of which these columns are ignored: plan_name" in found.found
    assert found.advice == "it may have the columns account, name, active, plan, term, contract_start, contract_end"


def test_files_under_another_name_are_noted(office: Office) -> None:
    (office.clients / "backups.csv").write_text("x\n")
    (office.clients / "client_book.xlsx").write_bytes(b"the book is no listing")
    found = told()["clients folder"]
    assert (found.state, found.found) == ("note", "not read: backups.csv")
    assert "backup_volumes" in found.advice


def test_a_key_without_its_address_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("BILLING_DATTO_API_KEY", "hush-1")
    monkeypatch.setenv("BILLING_DATTO_API_SECRET", "hush-2")
    said = "is not set: nothing uses BILLING_DATTO_API_KEY and BILLING_DATTO_API_SECRET"
    assert {name: (one.state, one.found) for name, one in told().items()} == {"BILLING_DATTO_URL": ("note", said)}


def test_the_last_pull_is_told_of_this_month_or_the_one_before(office: Office) -> None:
    pull(office, NOW - timedelta(hours=30), LAST, "companies", "devices")
    pull(office, NOW - timedelta(hours=5), CURRENT, "companies")
    found = told()
    assert found["companies"].found.endswith(f"; last pulled 5 hours ago, for {CURRENT}")
    assert found["devices"].found.endswith(f"; last pulled 1 day ago, for {LAST}")
    assert found["contacts"].found.endswith(f"; not pulled for {CURRENT} or {LAST}")
    assert [found[name].state for name in ("companies", "devices", "contacts")] == ["fine", "note", "note"]


def test_pulls_that_stopped_are_told_unless_they_are_switched_off(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(office, NOW - timedelta(days=3), CURRENT, "companies", "time_entries")
    assert told()["companies"].state == "attention"
    assert "the schedule `backups_daily` on?" in told()["companies"].advice
    assert "the schedule `tickets_every_6_hours` on?" in told()["time entries"].advice
    monkeypatch.setenv("BILLING_OFF", "backups_daily")
    assert (told()["companies"].state, told()["time entries"].state) == ("fine", "attention")


def test_bills_of_last_month_wait_until_they_are_accepted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.listing("companies", company("A"), company("B"))
    office.listing("devices", device(1), device(2, "B"))
    month = f"clients of {LAST}"
    assert (told()[month].state, told()[month].found) == ("note", "not billed yet")
    office.bill(LAST.key)
    office.accept(LAST.key, "--account", "A")
    found = told()[month]
    assert (found.state, found.found) == ("attention", "2 bills, 100.00 in all, 1 wait to be accepted")
    assert found.advice.endswith(f"billing-pipeline clients accept --month {LAST}")
    office.accept(LAST.key)
    assert (told()[month].state, told()[month].found) == ("fine", "2 bills, 100.00 in all")
    office.void(f"A-{LAST.compact}")
    assert told()[month].found == "2 bills, 100.00 in all, 1 wait to be accepted"
    monkeypatch.setenv("BILLING_DATABASE_URL", "postgresql://billing@127.0.0.1:1/billing")
    assert told()[month].found == "2 bills, 100.00 in all"  # that the database is away is told elsewhere


def test_clients_that_could_not_be_billed_are_told_with_where_it_says_why(office: Office) -> None:
    office.listing("companies", company("A"), company("B", plan="Golden"))
    office.bill(LAST.key, code=3)
    found = told()[f"clients of {LAST}"]
    assert found.found == "1 bills, 0.00 in all, 1 clients cannot be billed, 1 wait to be accepted"
    workbook = office.outputs / "clients" / LAST.key / f"client_bills_{LAST}.xlsx"
    assert f"the sheet Not billed of {workbook} says why; " in found.advice
    assert workbook.is_file()


def test_a_month_that_was_billed_too_early_or_was_left_out_is_told(office: Office) -> None:
    office.bill(CURRENT.key)
    early = told(datetime.combine(CURRENT.next.first, datetime.min.time(), UTC))[f"clients of {CURRENT}"]
    assert (early.state, early.found) == ("attention", "billed before it was over, and cannot be accepted like this")
    assert early.advice == f"billing-pipeline clients bill --month {CURRENT}"
    missing = told()[f"clients of {LAST}"]  # another month was billed
    assert (missing.state, missing.found) == ("attention", "not billed yet")


def test_a_damaged_manifest_is_told(office: Office) -> None:
    folder = office.outputs / "runs" / "clients" / LAST.key / "20990101T000000Z-00000000"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    found = told()[f"clients of {LAST}"]
    assert (found.state, found.found.split(": ", 1)[-1]) == ("attention", "is damaged: not JSON")
