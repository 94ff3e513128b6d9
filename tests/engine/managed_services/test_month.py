"""What a month is billed from: every record of a listing is in the book, excluded, unusable, or told of."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from billing_pipeline.engine.managed_services.month import ClientMonth
from billing_pipeline.engine.managed_services.pulled import (
    COMPANIES,
    CONTACTS,
    DEVICES,
    ENTRIES,
    LISTINGS,
    VOLUMES,
    problems_of,
    pulled_at,
    records,
)
from tests.engine.managed_services.listings import company, contact, device, entry, volume
from tests.engine.managed_services.months import PULLED, SEPTEMBER, month_of, pulled

ONE_CLIENT = {COMPANIES: pulled(COMPANIES, company())}


def accounts(found: ClientMonth) -> list[str]:
    return found.book.clients["account"].to_list()


def warnings(found: ClientMonth) -> list[tuple[str, str, str]]:
    return found.warnings.rows()


def test_a_device_has_the_type_of_its_category_and_its_volume_in_bytes() -> None:
    devices = pulled(DEVICES, device("d1", category="Server"), device("d2", category="Toaster"))
    found = month_of(ONE_CLIENT | {DEVICES: devices, VOLUMES: pulled(VOLUMES, volume("d1", "7"))})
    assert found.book.devices.select("account", "device_id", "name", "typed", "type", "bytes").rows() == [
        ("100", "datto:d1", "H1", True, "Server", 7),
        ("100", "datto:d2", "H1", False, None, None),
    ]


def test_a_volume_belongs_to_the_device_of_its_own_source() -> None:
    elsewhere = volume("d1", "7") | {"source": "other"}
    found = month_of(ONE_CLIENT | {DEVICES: pulled(DEVICES, device()), VOLUMES: pulled(VOLUMES, elsewhere)})
    assert found.book.devices["bytes"].to_list() == [None]
    assert warnings(found) == [("100", "other:d1", "volume of a device that is not in the inventory: 7 bytes")]


def test_an_empty_volume_of_no_device_is_not_worth_a_word() -> None:
    assert warnings(month_of(ONE_CLIENT | {VOLUMES: pulled(VOLUMES, volume("d1", "0"))})) == []


def test_a_person_of_two_clients_is_of_both_and_keeps_whether_it_is_active() -> None:
    two = {
        COMPANIES: pulled(COMPANIES, company(), company("200")),
        CONTACTS: pulled(CONTACTS, contact(), contact(account="200", active="no")),
    }
    assert month_of(two).book.people.select("account", "person_id", "name", "type", "active").rows() == [
        ("100", "freshservice:c1", "Ann", None, None),
        ("200", "freshservice:c1", "Ann", None, False),
    ]


def test_what_was_entered_by_hand_stands_beside_what_was_pulled() -> None:
    mine = {"account": "100", "name": "Rack", "type": "Custom", "custom_cost": "7.50"}
    found = month_of(
        ONE_CLIENT | {DEVICES: pulled(DEVICES, device()), CONTACTS: pulled(CONTACTS, contact())},
        manual_devices=[mine],
        manual_people=[mine | {"name": "Bob"}],
        line_items=[{"account": "100", "name": "Internet", "monthly_fee": "89.95"}],
    )
    assert found.book.devices.select("name", "device_id").rows() == [("H1", "datto:d1"), ("Rack", None)]
    assert found.book.people.select("name", "person_id").rows() == [("Ann", "freshservice:c1"), ("Bob", None)]
    assert found.book.items["name"].to_list() == ["Internet"]


def test_records_that_are_gone_from_their_source_are_not_in_the_book() -> None:
    found = month_of(
        ONE_CLIENT
        | {
            DEVICES: pulled(DEVICES, device(), gone=[device("d2")]),
            CONTACTS: pulled(CONTACTS, contact(), gone=[contact("c2")]),
            ENTRIES: pulled(ENTRIES, entry(), gone=[entry("2")]),
        }
    )
    assert found.book.devices["device_id"].to_list() == ["datto:d1"]
    assert found.book.people["person_id"].to_list() == ["freshservice:c1"]
    assert found.book.entries["entry_id"].to_list() == ["freshservice:1"]
    assert found.entries["state"].to_list() == ["counted", "no longer in its source"]


def test_an_inactive_client_is_excluded_with_its_devices_and_nobody_is_warned() -> None:
    companies = pulled(COMPANIES, company(), company("200", active="no"), company("300", plan="INACTIVE"))
    found = month_of({COMPANIES: companies, DEVICES: pulled(DEVICES, device(account="200"))})
    assert accounts(found) == ["100"]
    assert found.excluded.rows() == [
        ("200", "Client 200", "it is inactive"),
        ("300", "Client 300", "it is inactive"),
    ]
    assert warnings(found) == []


@pytest.mark.parametrize(
    ("since", "excluded"),
    [
        (datetime(2025, 8, 31, 23, 59, tzinfo=UTC), []),
        (datetime(2025, 9, 1, tzinfo=UTC), ["it is no longer in the directory since 2025-09-01"]),
        (datetime(2025, 10, 1, 3, tzinfo=UTC), ["it is no longer in the directory since 2025-10-01"]),
    ],
)
def test_a_client_that_left_the_directory_is_excluded_in_that_month_and_forgotten_after_it(
    since: datetime, excluded: list[str]
) -> None:
    found = month_of({COMPANIES: pulled(COMPANIES, company(), gone=[company("200")], since=since)})
    assert (accounts(found), found.excluded["reason"].to_list()) == (["100"], excluded)


def test_a_client_whose_record_cannot_be_used_is_named_once_with_its_first_reason() -> None:
    companies = pulled(
        COMPANIES, company(), company("200", name="Once"), company("200", name="Twice"), company("", name="Nobody"),
        company(None, name=""),
    )  # fmt: skip
    found = month_of({COMPANIES: companies})
    assert accounts(found) == ["100"]
    assert [(account, name) for account, name, _ in found.unusable.rows()] == [
        ("", "company 'Nobody'"),
        ("", "company in row 5"),
        ("200", "company 'Once', company 'Twice'"),
    ]
    assert found.unusable["reason"].str.contains("left out|the same account").all()


@pytest.mark.parametrize("account", ["A 1", "A/1", "ä", "=1", "-1", "x" * 51])
def test_an_account_that_cannot_begin_the_number_of_an_invoice_is_unusable(account: str) -> None:
    found = month_of({COMPANIES: pulled(COMPANIES, company(account), company())})
    assert accounts(found) == ["100"]
    assert found.unusable["account"].to_list() == [account]
    assert "account number" in found.unusable["reason"][0]


@pytest.mark.parametrize("account", ["A-1", "a_1", "0", "x" * 50])
def test_letters_digits_dash_and_underscore_make_an_account(account: str) -> None:
    assert accounts(month_of({COMPANIES: pulled(COMPANIES, company(account))})) == [account]


def test_an_odd_client_that_is_inactive_is_told_once_and_not_excluded_as_well() -> None:
    found = month_of({COMPANIES: pulled(COMPANIES, company("A 1", active="no"))})
    assert (found.unusable.height, found.excluded.height) == (1, 0)


def test_what_belongs_to_nobody_is_told_with_what_it_is_worth() -> None:
    found = month_of(
        ONE_CLIENT
        | {
            DEVICES: pulled(
                DEVICES, device("d1", account="900", site="Barn"), device("d2", account="900", site="Barn"),
                device("d3", account=None, site="Attic"),
            ),
            VOLUMES: pulled(VOLUMES, volume("d1", "5"), volume("d2", "6")),
            CONTACTS: pulled(CONTACTS, contact(account="900"), contact("c2", account=None)),
            ENTRIES: pulled(ENTRIES, entry(account="900"), entry("2", account="900", worked="0:15")),
        },
        settings=[{"account": "800", "per_user_cost": "1"}],
        line_items=[{"account": "700", "name": "Internet", "monthly_fee": "1"}],
    )  # fmt: skip
    assert warnings(found) == [
        ("", "", "1 contacts of unknown account '' are not billed"),
        ("", "Attic", "1 devices at a site without a known account ('') are not billed; 0 bytes backed up"),
        ("700", "Internet", "the book names the unknown account '700'"),
        ("800", "", "the book names the unknown account '800'"),
        ("900", "", "1 contacts of unknown account '900' are not billed"),
        ("900", "", "2 time entries of unknown account '900' are not billed: 105 minutes"),
        ("900", "Barn", "2 devices at a site without a known account ('900') are not billed; 11 bytes backed up"),
    ]


def test_time_of_nobody_that_would_not_be_billed_anyway_is_not_told() -> None:
    entries = pulled(
        ENTRIES,
        entry("1", account="900", deleted="yes"),
        entry("2", account="900", billable="no"),
        entry("3", account="900", at="2025-08-10T10:00:00Z"),
        gone=[entry("4", account="900")],
    )
    assert warnings(month_of(ONE_CLIENT | {ENTRIES: entries})) == []


def test_what_was_wrong_with_a_record_is_told_of_its_client() -> None:
    found = month_of(ONE_CLIENT | {ENTRIES: pulled(ENTRIES, entry(at="2025-09-10T10:00:00"))})
    assert warnings(found) == [
        ("100", "time entry freshservice:1", "time '2025-09-10T10:00:00' has no zone, and is taken as UTC")
    ]


def test_a_company_that_was_left_out_is_unusable_and_no_warning_besides() -> None:
    found = month_of({COMPANIES: pulled(COMPANIES, company(), company("", name="Nobody"))})
    assert (found.unusable.height, warnings(found)) == (1, [])


def test_late_time_is_in_the_book_of_the_month_that_bills_it() -> None:
    listings = ONE_CLIENT | {ENTRIES: pulled(ENTRIES, entry("1", at="2025-08-31T23:00:00Z"), entry("2"))}
    august = date(2025, 8, 1)
    late = month_of(listings, closed=[("100", august)], billed=[("freshservice", "9", "100", august)])
    assert late.book.entries.select("entry_id", "month").rows() == [
        ("freshservice:1", SEPTEMBER.first),
        ("freshservice:2", SEPTEMBER.first),
    ]
    assert month_of(listings, zone="Europe/Berlin").book.entries["month"].to_list() == [SEPTEMBER.first] * 2
    assert month_of(listings).book.entries["month"].to_list() == [august, SEPTEMBER.first]


def test_a_month_without_anything_is_empty_and_no_fault() -> None:
    found = month_of({COMPANIES: pulled(COMPANIES)})
    frames = (found.book.clients, found.excluded, found.unusable, found.warnings, found.entries)
    assert [frame.height for frame in frames] == [0] * 5
    assert isinstance(found.entries.schema["month"], pl.Date)


def test_an_empty_listing_says_when_it_was_pulled_and_has_no_record() -> None:
    for name in LISTINGS:
        frame = pulled(name)
        assert (pulled_at(frame), records(name, frame).height, problems_of(frame).height) == (PULLED, 0, 0)


def test_a_listing_of_which_no_record_can_be_used_says_when_it_was_pulled_and_what_was_wrong() -> None:
    frame = pulled(COMPANIES, company("", name="Nobody"))
    assert (pulled_at(frame), records(COMPANIES, frame).height) == (PULLED, 0)
    assert problems_of(frame)["record"].to_list() == ["company 'Nobody'"]
