"""A month of managed services in an installation: pulled, frozen, billed, checked, accepted, corrected."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from billing_pipeline.engine.managed_services.entries import LATE
from billing_pipeline.engine.period import Period
from tests.client_office import GOLD, JULY, JUNE, Office, company, contact, device, entry, office
from tests.postgres import postgres_server, postgres_url

__all__ = ["office", "postgres_server", "postgres_url"]
NOW = Period.of(datetime.now(UTC).date())


def test_a_month_is_billed_and_everybody_is_somewhere(office: Office) -> None:
    office.listing(
        "companies",
        company("A"),
        company("B", plan="Goold"),
        company("C", active="no"),
        company("D", name="Twice"),
        company("D", name="Thrice"),
        company("", name="Nobody"),
        company("E E"),
    )
    office.listing("devices", device(1), device(2, category="Server"), device(3, "B"))
    office.listing("contacts", contact(1), contact(2, active="no"))
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z", "1:20"))
    document = office.bill(code=3)
    assert {key: document[key] for key in ("period", "clients", "billed", "excluded", "total")} == {
        "period": "2026-06", "clients": 6, "billed": 1, "excluded": 1, "total": "348.33",
    }  # fmt: skip
    reasons = {one["account"]: one["reason"] for one in document["exceptions"]}
    assert sorted(reasons) == ["", "B", "D", "E E"]
    assert "nearest is 'Gold'" in reasons["B"]
    assert "letters, digits" in reasons["E E"]
    assert [one["reason"] for one in document["left_out"]] == ["it is inactive"]


def test_both_files_of_a_client_stand_there_by_themselves_and_in_one_archive(office: Office) -> None:
    office.listing("companies", company("A", name='=1+1, "Ltd"'), company("B"))
    office.listing("devices", device(1), device(2, "B"))
    office.bill()
    invoice = office.files("invoice")["A"]
    assert invoice.splitlines()[1].startswith('A-202606,"\'=1+1, ""Ltd""",2026-06-30,2026-07-30,Managed Services,')
    assert invoice.endswith(",1,50.00,50.00\r\n")
    for kind, name in (("invoice", "invoices"), ("accounting", "all_invoices")):
        with zipfile.ZipFile(office.outputs / "clients" / JUNE / f"{name}_2026-06.zip") as archive:
            texts = {entry: archive.read(entry).decode() for entry in archive.namelist()}
        assert sorted(texts.values()) == sorted(office.files(kind).values())


def test_the_workbook_tells_everything_with_real_numbers(office: Office) -> None:
    office.listing("companies", company("A"), company("B", plan=""))
    office.listing("devices", device(1))
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z", "1:20"))
    office.bill(code=3)
    book = openpyxl.load_workbook(office.outputs / "clients" / JUNE / "client_bills_2026-06.xlsx")
    assert book.sheetnames == ["Bills", "Not billed", "Warnings", "Features", "Lines", "Time"]
    bills = list(book["Bills"].iter_rows(values_only=True))
    assert dict(zip(bills[0], bills[1], strict=True))["Total"] == 183.33
    assert [row[3] for row in book["Not billed"].iter_rows(min_row=2, values_only=True)] == ["it has no plan"]
    why = {row[3]: row[8] for row in book["Lines"].iter_rows(min_row=2, values_only=True)}
    assert why == {
        "host-1": "Workstation by its category; plan Gold, 1 Year, valid from 2020-01-01",
        "Support hours": "plan Gold, 1 Year, valid from 2020-01-01",
    }


def test_a_month_that_is_over_is_frozen_and_comes_to_the_same_whatever_changes(office: Office) -> None:
    office.listing("devices", device(1))
    assert office.total() == "50.00"
    office.listing("devices", device(1), device(2))
    office.book(settings=[{"account": "A", "per_workstation_cost": "60"}])
    document = office.bill(JUNE)
    assert (document["total"], document["book_changes_since"]) == ("50.00", 2)
    assert office.total("A", JUNE, "--pull", "book") == "60.00", "the devices stay frozen"
    assert office.total("A", JUNE, "--pull", "always") == "120.00"
    assert office.bill(JUNE)["book_changes_since"] == 0


def test_a_month_that_is_over_is_frozen_with_its_empty_listings_as_well(office: Office) -> None:
    office.listing("devices", device(1))
    assert office.total() == "50.00"
    office.listing("contacts", contact(1))
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
    assert office.total() == "50.00"
    assert office.total("A", JULY) == "65.00"


def test_the_current_month_is_pulled_every_time(office: Office) -> None:
    office.listing("devices", device(1))
    assert office.total("A", NOW.key) == "50.00"
    office.listing("devices", device(1), device(2))
    assert office.total("A", NOW.key, "--pull", "never") == "50.00"
    assert office.total("A", NOW.key) == "100.00"


def test_what_a_source_no_longer_has_is_marked_and_not_billed_and_back_when_it_returns(office: Office) -> None:
    several = [device(number) for number in range(6)]
    office.listing("devices", *several)
    office.bill(NOW.key)
    office.listing("devices", *several[1:])
    assert office.total("A", NOW.key) == "250.00"
    assert office.frame("devices", NOW.key)["removed_at"].is_not_null().sum() == 1
    office.listing("devices", *several)
    assert office.total("A", NOW.key) == "300.00"


@pytest.mark.parametrize("left", [0, 2])
def test_a_listing_that_lost_too_much_stops_and_changes_nothing(office: Office, left: int) -> None:
    several = [device(number) for number in range(6)]
    office.listing("devices", *several)
    office.bill(NOW.key)
    before = office.frame("devices", NOW.key)
    office.listing("devices", *several[:left])
    said = office.run("clients", "bill", "--month", NOW.key)
    assert said.code == 1
    assert "BILLING_CLIENTS_LARGEST_DROP" in said.err or "an empty listing removes nothing" in said.err
    assert office.frame("devices", NOW.key).equals(before)
    assert office.total("A", NOW.key, "--pull", "never") == "300.00"


def test_a_record_that_is_wrong_is_told_and_changes_no_other_client(office: Office) -> None:
    office.listing("companies", company("A"), company("B"))
    office.listing("devices", device(1), device(2, "B"), device(3, "Z", site="Barn"), device(4, "", site="Attic"))
    office.listing("backup_volumes", {"source": "rmm", "source_id": "d1", "account": "A", "bytes": "lots"})
    office.listing(
        "time_entries",
        entry(1, "", account="A"),
        entry(2, "2026-06-10T09:00:00", account="B"),
        entry(3, "2026-06-10T09:00:00Z", "-1:00"),
    )
    document = office.bill()
    assert office.total("B") == "150.00"
    told = " | ".join(f"{one['account']} {one['name']}: {one['warning']}" for one in document["warnings"])
    for said in (
        "A backup volume of device rmm:d1: bytes 'lots' is not a whole number",
        "A time entry desk:e1: has no time, and is left out",
        "A time entry desk:e3: time worked '-1:00' is below zero",
        "B time entry desk:e2: time '2026-06-10T09:00:00' has no zone, and is taken as UTC",
        "Z Barn: 1 devices at a site without a known account ('Z') are not billed",
        " Attic: 1 devices at a site without a known account ('') are not billed",
    ):
        assert said in told


def test_months_begin_in_the_zone_of_the_settings(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_TIMEZONE", "America/New_York")
    office.listing("time_entries", entry(1, "2026-07-01T02:00:00Z"))
    assert (office.total("A", JUNE), office.total("A", JULY)) == ("100.00", "0.00")


def test_a_plan_s_new_prices_count_from_the_month_they_are_valid_in(office: Office) -> None:
    office.book(plans=[GOLD, GOLD | {"valid_from": "2026-07-01", "per_workstation_cost": "55"}])
    office.listing("devices", device(1))
    assert (office.total("A", JUNE), office.total("A", JULY)) == ("50.00", "55.00")


def test_an_accepted_bill_is_archived_once_and_never_changes(office: Office) -> None:
    office.listing("devices", device(1))
    office.bill()
    assert office.accept() == [{"account": "A", "number": "A-202606", "total": "50.00", "created": True}]
    sent = office.files("invoice")["A"], office.files("accounting")["A"]
    office.book(plans=[GOLD | {"per_workstation_cost": "99"}])
    document = office.bill(JUNE, "--pull", "always")
    assert document["total"] == "99.00"
    assert (office.files("invoice")["A"], office.files("accounting")["A"]) == sent
    assert [one["created"] for one in office.accept()] == [False]
    archived = office.run("clients", "archive", "--json").document["documents"]
    assert [(one["number"], one["total"], one["void"]) for one in archived] == [("A-202606", "50.00", False)]


def test_a_bill_is_accepted_when_its_month_is_over_and_not_before(office: Office) -> None:
    office.listing("devices", device(1))
    said = office.run("clients", "accept", "--month", JUNE)
    assert (said.code, "were not billed for 2026-06 yet" in said.err) == (4, True)
    office.bill(NOW.key)
    said = office.run("clients", "accept", "--month", NOW.key)
    assert (said.code, "is not over" in said.err) == (4, True)
    assert office.frame("accepted_bills", NOW.key).is_empty()


def test_time_is_billed_once_and_what_comes_late_goes_to_the_next_open_month(office: Office) -> None:
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
    assert office.total() == "100.00"
    office.accept()
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"), entry(2, "2026-06-11T09:00:00Z", "2:00"))
    assert office.total("A", JUNE, "--pull", "always") == "100.00"
    assert office.total("A", JULY) == "200.00"
    assert office.frame("client_time", JULY).filter(state=LATE)["source_id"].to_list() == ["e2"]
    office.accept(JULY)
    assert office.total("A", "2026-08") == "0.00"


def test_a_correction_is_a_credit_note_and_a_new_invoice_with_the_next_number(office: Office) -> None:
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
    office.bill()
    office.accept()
    note = office.void("A-202606")
    assert (note["number"], note["total"], note["credits"]) == ("A-202606-CN1", "-100.00", "A-202606")
    office.book(settings=[{"account": "A", "per_hour_ticket_cost": "80"}])
    document = office.bill(JUNE, "--pull", "always", "--account", "A")
    assert (document["bill"]["number"], document["bill"]["money"]["total"]) == ("A-202606-R2", "80.00")
    assert office.accept()[0]["number"] == "A-202606-R2"
    archive = office.run("clients", "archive", "--json").document["documents"]
    assert [(one["number"], one["void"]) for one in archive] == [
        ("A-202606", True),
        ("A-202606-CN1", False),
        ("A-202606-R2", False),
    ]


def test_the_same_inputs_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for name in ("one", "two"):
        office = Office(tmp_path / name, monkeypatch, capsys)
        office.listing("devices", device(1), device(2, category="Server"))
        office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
        office.bill()
        folder = office.outputs / "clients"
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "manifest" not in path.name]
        made.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert len(made[0]) == 5
    assert made[0] == made[1]


def test_a_bill_does_not_depend_on_the_other_clients(office: Office) -> None:
    office.listing("companies", company("A"), company("B"))
    office.listing("devices", device(1), device(2, "B"), device(3, "B", category="Server"))
    assert {account: office.total(account) for account in "AB"} == {"A": "50.00", "B": "200.00"}
    office.listing("companies", company("A", plan="Nothing"), company("B"))
    document = office.bill(JULY, "--account", "B", code=3)
    assert document["bill"]["money"]["total"] == "200.00"


def test_a_month_is_billed_on_postgresql_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], postgres_url
) -> None:
    office = Office(tmp_path, monkeypatch, capsys, postgres_url())
    office.listing("devices", device(1))
    office.listing("time_entries", entry(1, "2026-06-10T09:00:00Z"))
    assert office.total() == "150.00"
    assert office.accept()[0]["created"]
    assert office.void("A-202606")["total"] == "-150.00"
    assert office.bill(JUNE, "--account", "A")["bill"]["number"] == "A-202606-R2"


def test_a_client_without_a_bill_is_named_with_the_nearest(office: Office) -> None:
    office.listing("companies", company("10001"))
    said = office.run("clients", "bill", "--month", JUNE, "--account", "1001")
    assert (said.code, "did you mean '10001'" in said.err) == (2, True)
