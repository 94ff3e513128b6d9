"""A company's own terms, from its profile to the bills, the files and the ledger of time."""

from pathlib import Path

import pytest

from tests.client_office import JULY, JUNE, Office, company, contact, device, entry, office

__all__ = ["office"]


def profile(office: Office, monkeypatch: pytest.MonkeyPatch, *settings: str) -> None:
    path = Path(office.data / "profile.toml")
    path.write_text("\n".join(["[clients]", *settings]), "utf-8")
    monkeypatch.setenv("BILLING_PROFILE", str(path))


def test_inactive_people_are_billed_where_the_profile_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.listing("contacts", contact(1), contact(2, active="no"))
    assert office.total() == "15.00"
    profile(office, monkeypatch, 'billable_contacts = "all"')
    assert office.total() == "30.00"


def test_time_that_is_billed_in_spite_of_its_flag_is_billed_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z", billable="no"))
    assert office.total() == "0.00"
    profile(office, monkeypatch, "honour_billable_flag = false")
    assert office.total() == "100.00"
    office.accept(JUNE)
    assert office.total("A", JULY) == "0.00"


def test_a_tax_is_in_the_total_and_in_both_files(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(office, monkeypatch, 'tax_percent = "8.875"')
    office.listing("devices", device(1))
    assert office.total() == "54.44"
    for kind in ("invoice", "accounting"):
        assert office.files(kind)["A"].endswith(",Tax,Tax (8.875 %),1,4.44,4.44\r\n")


def test_a_contract_of_half_a_month_is_half_where_units_are_prorated(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.listing("companies", company("A", contract_start="2026-06-16"))
    office.listing("devices", device(1))
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
    assert office.total() == "150.00"
    profile(office, monkeypatch, "prorate = true")
    document = office.bill()
    assert document["total"] == "125.00"
    assert [one["warning"] for one in document["warnings"]] == [
        "its units are charged for 15 of 30 days, those of its contract"
    ]


def test_a_profile_that_cannot_be_meant_bills_nobody(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(office, monkeypatch, 'tax_percent = "19 %"')
    said = office.run("clients", "bill", "--month", JUNE)
    assert (said.code, "clients.tax_percent" in said.err) == (2, True)
    assert not (office.outputs / "clients").exists()
