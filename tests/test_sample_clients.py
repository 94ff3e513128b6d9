"""The sample's managed-services clients: every kind of client, device, hour and price that a bill can be about."""

import csv
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services.pulled import KEYS, LISTINGS
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.client_workbook import read_client_book
from billing_pipeline.sample import write_clients

Row = dict[str, str]
Listings = dict[str, list[Row]]
Book = dict[str, list[dict[str, str | None]]]

MONTHS = [Period(2026, month) for month in (1, 2, 3)]
SPARE = '=Spare "UPS"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "clients"
    write_clients(path, MONTHS)
    return path


@pytest.fixture(scope="module")
def listings(folder: Path) -> Listings:
    found = {}
    for name in LISTINGS:
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            found[name] = list(csv.DictReader(file))
    return found


@pytest.fixture(scope="module")
def book(folder: Path) -> Book:
    return read_client_book((folder / "client_book.xlsx").read_bytes(), "client_book.xlsx")


def company(listings: Listings, name: str) -> Row:
    return next(row for row in listings["companies"] if row["name"] == name)


def worked(listings: Listings, account: str, month: str) -> Decimal:
    """The hours of a client that count, of entries in hours and minutes, with seconds or as a decimal."""
    total = Decimal(0)
    for row in listings["time_entries"]:
        if row["account"] == account and row["at"].startswith(month) and row["billable"] != "no" and not row["deleted"]:
            hours, _, rest = row["worked"].partition(":")
            total += Decimal(hours) + Decimal(rest[:2] or 0) / 60
    return total


def test_the_folder_holds_five_listings_with_their_columns_and_the_book(folder: Path) -> None:
    names = {"companies", "contacts", "devices", "backup_volumes", "time_entries"}
    assert {path.name for path in folder.iterdir()} == {f"{name}.csv" for name in names} | {"client_book.xlsx"}
    for name in names:
        text = (folder / f"{name}.csv").read_bytes()
        assert text.decode("utf-8").splitlines()[0].split(",") == list(LISTINGS[name])
        assert b"\r" not in text


def test_there_are_forty_eight_clients(listings: Listings) -> None:
    assert len(listings["companies"]) == 48


def test_the_bytes_are_the_same_every_time_and_a_second_time_changes_nothing(folder: Path, tmp_path: Path) -> None:
    again = write_clients(tmp_path, MONTHS)
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    kept = {path: path.stat().st_mtime_ns for path in again}
    assert write_clients(tmp_path, MONTHS) == again
    assert {path: path.stat().st_mtime_ns for path in again} == kept


def test_other_months_are_other_contents_which_are_not_overwritten(tmp_path: Path) -> None:
    write_clients(tmp_path, MONTHS)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"time_entries\.csv: is not the file of the sample book"):
        write_clients(tmp_path, MONTHS[:2])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_a_client_has_does_not_depend_on_the_months(listings: Listings, tmp_path: Path) -> None:
    write_clients(tmp_path, [Period(2026, 2)])
    for name in ("contacts", "devices", "backup_volumes"):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            assert list(csv.DictReader(file)) == listings[name]


def test_every_record_has_a_key_of_its_own_but_for_the_duplicate_account(listings: Listings) -> None:
    for name, key in KEYS.items():
        seen = Counter(tuple(row[column] for column in key) for row in listings[name])
        twice = [one for one, times in seen.items() if times > 1]
        assert twice == ([("100126",)] if name == "companies" else []), name


def test_clients_have_every_term_in_several_spellings_and_every_plan(listings: Listings) -> None:
    assert {row["term"] for row in listings["companies"]} == {
        "Month to Month", "1 Year", "2 Year", "3 Year", "1-Year", "2 years", "monthly", "", "5 Year",
    }  # fmt: skip
    assert {row["plan"] for row in listings["companies"]} == {
        "Essential", "Business", "Complete", "Busines", "Inactive", "",
    }  # fmt: skip


def test_some_clients_cannot_be_billed_and_some_must_not(listings: Listings) -> None:
    assert company(listings, "Tidal Wave Surf Shop")["plan"] == "Busines"
    assert company(listings, "Foxglove Florist")["term"] == "5 Year"
    assert company(listings, "Sandstone Realty")["plan"] == ""
    assert company(listings, "Northside Food Bank")["account"] == ""
    assert company(listings, "Old Mill Antiques")["plan"] == "Inactive"
    assert [row["name"] for row in listings["companies"] if row["active"] == "no"] == ["Kestrel Aviation"]


def test_names_are_what_people_type(listings: Listings) -> None:
    names = [row["name"] for row in listings["companies"]]
    assert {'The "Corner" Café, LLC', "=Equal Partners Law", "Sunny Side 🍳 Diner", "Bäckerei Großmann GmbH"} < set(
        names
    )
    assert [name for name, times in Counter(names).items() if times > 1] == ["Riverbend Veterinary"]
    assert any(not row["name"].isascii() for row in listings["contacts"])


def test_contracts_are_running_expired_begin_in_a_month_and_on_a_leap_day(listings: Listings, book: Book) -> None:
    assert company(listings, "Blue Spruce Landscaping")["contract_end"] == "2025-09-30"
    assert company(listings, "Granite State Insurance")["contract_start"] == "2024-02-29"
    assert company(listings, "Thistle Event Hall")["contract_start"] == "2026-01-16"
    assert all(row["contract_start"] <= "2026-01-16" for row in listings["companies"])
    assert {row["account"] for row in book["contracts"]} == {"100101", "100132"}


def test_devices_are_of_every_category_and_some_are_of_no_known_client(listings: Listings) -> None:
    assert {row["category"] for row in listings["devices"]} == {
        "Laptop", "Desktop", "Workstation", "Server", "ESXI Host", "Virtual Machine", "Network Device (Switch)",
        "Network Device (Firewall)", "Printer",
    }  # fmt: skip
    known = {row["account"] for row in listings["companies"] if row["account"]}
    lost = [row["account"] for row in listings["devices"] if row["account"] not in known]
    assert lost == ["", "999999"]


def test_a_person_is_a_contact_of_two_clients_and_some_have_left(listings: Listings) -> None:
    people = Counter(row["source_id"] for row in listings["contacts"])
    assert [person for person, times in people.items() if times > 1] == ["100107001"]
    assert [row["account"] for row in listings["contacts"] if row["source_id"] == "100107001"] == ["100107", "100108"]
    assert Counter(row["account"] for row in listings["contacts"] if row["active"] == "no") == {"100119": 4}


def test_overrides_are_of_devices_and_people_there_are_and_of_every_type(listings: Listings, book: Book) -> None:
    for sheet, listing in (("device_overrides", "devices"), ("person_overrides", "contacts")):
        there = {(row["source"], row["source_id"]): row for row in listings[listing]}
        assert all((row["source"], row["source_id"]) in there for row in book[sheet])
    assert {(row["type"], row["custom_cost"]) for row in book["device_overrides"]} == {
        ("Server", None), ("Custom", "42.50"), ("No Charge", None), ("Custom", None),
    }  # fmt: skip
    paid = [row["source_id"] for row in book["person_overrides"] if row["type"] == "Paid"]
    left = {row["source_id"] for row in listings["contacts"] if row["active"] == "no"}
    assert len(paid) == 1
    assert set(paid) < left, "somebody who left is billed all the same"
    assert {row["type"] for row in book["person_overrides"]} == {"Paid", "Custom", "No Charge"}


def test_devices_and_people_stand_there_by_hand(book: Book) -> None:
    assert {row["type"] for row in book["manual_devices"]} == {"Switch", "Firewall", "VM", "Custom", "No Charge"}
    assert SPARE in {row["name"] for row in book["manual_devices"]}
    assert {row["type"] for row in book["manual_people"]} == {"Paid", "Custom", "No Charge"}


def test_backups_are_below_and_above_what_is_included_and_one_volume_is_no_number(listings: Listings) -> None:
    def terabytes(account: str) -> tuple[Decimal, int]:
        volumes = [int(row["bytes"]) for row in listings["backup_volumes"] if row["account"] == account]
        return Decimal(sum(volumes)) / 2**40, sum(volume > 0 for volume in volumes)

    below, above, none_included = (terabytes(account) for account in ("100113", "100114", "100102"))
    assert 0 < below[0] < below[1], "a terabyte a device is included"
    assert above[0] > above[1] > 0
    assert none_included[0] > 0
    assert [row["bytes"] for row in listings["backup_volumes"] if not row["bytes"].isdigit()] == ["n/a"]


def test_plans_have_prices_for_every_term_from_two_days_on(book: Book) -> None:
    plans = Counter((row["plan"], row["term"]) for row in book["plans"])
    assert len(plans) == 12
    assert set(plans.values()) == {2}
    assert {row["valid_from"] for row in book["plans"]} == {"2023-01-01", "2026-02-01"}
    business = [row for row in book["plans"] if (row["plan"], row["term"]) == ("Business", "1 Year")]
    assert [row["per_workstation_cost"] for row in sorted(business, key=lambda row: str(row["valid_from"]))] == [
        "42.75", "44.55",
    ]  # fmt: skip
    assert {row["backup_included_tb"] for row in book["plans"] if row["plan"] == "Essential"} == {"0.00"}
    assert {row["per_hour_ticket_cost"] for row in book["plans"] if row["support_level"] == "Unlimited"} == {"0.00"}


def test_clients_have_rates_of_their_own_a_zero_another_plan_and_prepaid_hours(book: Book) -> None:
    settings = {row["account"]: row for row in book["settings"]}
    assert settings["100111"]["per_user_cost"] == "0.00"
    assert settings["100110"]["plan"] == "Complete"
    prepaid = [(row["prepaid_hours_monthly"], row["prepaid_hours_yearly"]) for row in book["settings"]]
    assert {(bool(monthly), bool(yearly)) for monthly, yearly in prepaid} == {
        (False, False), (True, False), (False, True), (True, True),
    }  # fmt: skip


def test_hours_are_covered_wholly_and_partly_and_billed_although_support_is_unlimited(
    listings: Listings, book: Book
) -> None:
    settings = {row["account"]: row for row in book["settings"]}
    for month in ("2026-01", "2026-02", "2026-03"):
        assert 0 < worked(listings, "100103", month) <= Decimal(settings["100103"]["prepaid_hours_monthly"] or 0)
        assert worked(listings, "100106", month) > Decimal(settings["100106"]["prepaid_hours_monthly"] or 0)
        assert worked(listings, "100112", month) > 0
        assert worked(listings, "100110", month) > 0, "of unlimited support at a rate of zero"
    assert company(listings, "Ironwood Machine Works")["plan"] == "Complete"
    assert Decimal(settings["100112"]["per_hour_ticket_cost"] or 0) > 0


def test_yearly_hours_are_used_since_the_year_before(listings: Listings) -> None:
    earlier = {row["account"] for row in listings["time_entries"] if row["at"] and row["at"] < "2025-12"}
    assert earlier == {"100104", "100105"}
    assert min(row["at"] for row in listings["time_entries"] if row["account"] == "100104") >= "2025-01"


def test_time_is_unbillable_of_deleted_tickets_late_and_in_every_spelling(listings: Listings) -> None:
    entries = listings["time_entries"]
    assert {row["billable"] for row in entries} == {"yes", "no", ""}
    assert {row["account"] for row in entries if row["deleted"] == "yes"} == {"100101"}
    late = [
        row for row in entries if row["account"] == "100106" and row["ticket_id"][3:7] > row["at"][2:7].replace("-", "")
    ]
    assert [row["at"][:10] for row in late] == ["2025-12-31", "2026-01-31", "2026-02-28"]
    shapes = {"".join("9" if sign.isdigit() else sign for sign in row["worked"]) for row in entries}
    assert {"99:99", "99:99:99", "9.99"} < shapes
    assert {row["at"][19:] for row in entries} == {"Z", "-05:00", ""}


def test_some_entries_cannot_be_used_as_they_are_in_the_last_month(listings: Listings) -> None:
    wrong = {row["subject"]: row for row in listings["time_entries"][-5:]}
    assert datetime.fromisoformat(wrong["Time without a zone"]["at"]).tzinfo is None
    assert wrong["Time that nobody dated"]["at"] == ""
    assert wrong["Hours below zero"]["worked"] == "-0:30"
    assert wrong["Hours in words"]["worked"] == "half an hour"
    assert wrong["Caller of no known company"]["account"] == ""
    assert {row["at"][:7] for row in wrong.values()} == {"2026-03", ""}


def test_items_are_due_monthly_once_and_every_year_and_a_credit_exceeds_what_is_charged(
    listings: Listings, book: Book
) -> None:
    items = {str(row["name"]): row for row in book["line_items"]}
    assert items["Internet access"]["monthly_fee"] == "189.95"
    assert [items["Office move"][name] for name in ("one_off_year", "one_off_month")] == ["2026", "1"]
    assert items["Penetration test"]["yearly_bill_month"] == "3"
    assert items["=10 % loyalty credit"]["monthly_fee"] == "-25.00"
    credit = items["Sponsored service"]
    units = [row for name in ("devices", "contacts") for row in listings[name] if row["account"] == credit["account"]]
    assert (len(units), credit["monthly_fee"]) == (2, "-250.00"), "a laptop and a person, at less than 100"


def test_every_plan_has_features_and_clients_have_their_own(book: Book) -> None:
    assert {(row["plan"], row["term"]) for row in book["plan_features"]} == {
        (row["plan"], row["term"]) for row in book["plans"]
    }
    assert {row["feature"] for row in book["features"]} == {"soc", "dns_filtering", "sat"}


def test_the_book_is_about_clients_there_are(listings: Listings, book: Book) -> None:
    known = {row["account"] for row in listings["companies"]}
    for rows in book.values():
        assert rows
        assert {row["account"] for row in rows if "account" in row} <= known
