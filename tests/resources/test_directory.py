"""The company directory, on loopback: its listings as text, its service token, and what is not taken for an answer."""

import json
from typing import Any

import pytest

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.resources.directory import Directory
from billing_pipeline.resources.upstream import Options
from tests.client_apis import ClientApis

READERS = ["companies", "contacts", "devices", "volumes"]


@pytest.fixture
def directory(apis: ClientApis, quick: Options) -> Directory:
    """A directory with two clients."""
    apis.book.client("100001", "Acme")
    apis.book.client("100002", "Bolt", plan="INACTIVE", term=None)
    apis.book.device("100001", "u1", "PC-1", "Laptop", backup=549_755_813_889)
    apis.book.device("100001", "u2", "PC-2", "Server")
    apis.book.contact("100001", 11, "Ann Lee")
    apis.book.contact("100002", 12, "Bo Ray", active=False)
    return Directory(apis.directory_url, apis.core_url, options=quick)


def refusal(directory: Directory, reader: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        getattr(directory, reader)()
    return raised.value


def test_companies_come_with_plan_term_and_dates_as_they_are_written(directory: Directory) -> None:
    assert directory.companies().row(0, named=True) == {
        "account": "100001",
        "name": "Acme",
        "active": "yes",
        "plan": "Gold",
        "term": "1 Year",
        "contract_start": "2025-07-01T00:00:00Z",
        "contract_end": "2026-06-30",
    }


def test_a_company_whose_plan_is_inactive_is_not_active(directory: Directory) -> None:
    assert directory.companies()["active"].to_list() == ["yes", "no"]


def test_people_come_with_the_client_they_belong_to(directory: Directory) -> None:
    assert directory.contacts().rows() == [
        ("directory", "11", "100001", "Ann Lee", "ann.lee@example.com", "yes"),
        ("directory", "12", "100002", "Bo Ray", "bo.ray@example.com", "no"),
    ]


def test_a_person_of_another_system_is_known_by_that_systems_id(apis: ClientApis, directory: Directory) -> None:
    person = apis.book.contacts["100001"][0]
    person |= {"external_source": "freshservice", "external_id": 7_000_000_000_123}
    apis.book.contacts["100002"][0] |= {"external_source": "freshservice", "external_id": None}
    assert directory.contacts().select("source", "source_id").rows() == [
        ("freshservice", "7000000000123"),
        ("directory", "12"),
    ]


def test_a_person_of_two_clients_stands_there_twice(apis: ClientApis, directory: Directory) -> None:
    apis.book.contact("100002", 11, "Ann Lee")
    assert directory.contacts().filter(source_id="11")["account"].to_list() == ["100001", "100002"]


def test_devices_come_with_the_category_the_directory_knows(apis: ClientApis, directory: Directory) -> None:
    apis.book.assets["100001"][1] |= {"device_type": "ESXI Host", "rmm_site_name": "Main"}
    assert directory.devices().rows() == [
        ("directory", "1", "100001", None, "PC-1", "Laptop"),
        ("directory", "2", "100001", "Main", "PC-2", "ESXI Host"),
    ]


def test_volumes_are_whole_bytes(directory: Directory) -> None:
    assert directory.volumes().rows() == [
        ("directory", "1", "100001", "549755813889"),
        ("directory", "2", "100001", "0"),
    ]


@pytest.mark.parametrize("reader", READERS)
def test_a_listing_is_text_in_the_columns_of_what_is_pulled(directory: Directory, reader: str) -> None:
    found = getattr(directory, reader)()
    assert found.columns == list(LISTINGS[{"volumes": "backup_volumes"}.get(reader, reader)])
    assert {str(kind) for kind in found.dtypes} == {"String"}


def test_an_empty_directory_gives_empty_listings(apis: ClientApis, quick: Options) -> None:
    directory = Directory(apis.directory_url, apis.core_url, options=quick)
    assert [getattr(directory, reader)().height for reader in READERS] == [0, 0, 0, 0]


def test_one_call_serves_people_devices_and_volumes(apis: ClientApis, directory: Directory) -> None:
    for reader in READERS * 2:
        getattr(directory, reader)()
    assert apis.paths("/directory") == ["/directory/api/companies", "/directory/api/companies/bulk"]


def test_a_directory_without_the_bulk_call_is_asked_client_by_client(apis: ClientApis, directory: Directory) -> None:
    apis.bulk = False
    assert directory.volumes()["bytes"].to_list() == ["549755813889", "0"]
    assert directory.contacts()["source_id"].to_list() == ["11", "12"]
    assert apis.paths("/directory") == [
        "/directory/api/companies/bulk",
        "/directory/api/companies",
        "/directory/api/companies/100001/assets",
        "/directory/api/companies/100001/contacts",
        "/directory/api/companies/100002/assets",
        "/directory/api/companies/100002/contacts",
    ]


def test_an_account_with_a_slash_is_one_part_of_the_address(apis: ClientApis, directory: Directory) -> None:
    apis.bulk = False
    apis.book.client("9/9 &", "Sloan")
    apis.book.assets["9/9 &"] = [{"id": 5, "hostname": "S-1", "backup_data_bytes": 1}]
    assert directory.devices()["account"].to_list() == ["100001", "100001", "9/9 &"]


def test_the_service_token_names_both_services(apis: ClientApis, quick: Options) -> None:
    directory = Directory(
        apis.directory_url, apis.core_url, calling_service="billing", target_service="people", options=quick
    )
    directory.companies()
    assert json.loads(apis.requests[0].body) == {"calling_service": "billing", "target_service": "people"}
    assert apis.requests[1].authorization in apis.valid


def test_a_token_serves_until_a_minute_before_its_end(apis: ClientApis, directory: Directory) -> None:
    directory.companies()
    directory.devices()
    assert apis.issued == 1


def test_a_token_about_to_end_is_not_used(apis: ClientApis, directory: Directory) -> None:
    apis.token_seconds = 59
    directory.companies()
    directory.devices()
    assert apis.issued == 2


def test_a_token_that_is_refused_is_asked_for_once_more(apis: ClientApis, directory: Directory) -> None:
    directory.companies()
    apis.expire()
    assert directory.devices().height == 2
    assert apis.issued == 2


def test_an_identity_service_without_a_token_is_permanent(apis: ClientApis, directory: Directory) -> None:
    apis.faults["/core"] = ["wrong-shape"]
    error = refusal(directory, "companies")
    assert error.permanent
    assert str(error).startswith("the identity service: POST /core/service-token gave an answer without `token`")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fault", ["wrong-shape", "html", "body null", 'body {"companies": []}', "body [1]"])
def test_an_answer_of_another_shape_is_permanent_and_never_an_empty_listing(
    apis: ClientApis, directory: Directory, reader: str, fault: str
) -> None:
    apis.faults["/directory"] = [fault]
    assert refusal(directory, reader).permanent
    assert len(apis.paths("/directory")) == 1


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"assets": [], "contacts": []}, "`company.account_number`"),
        ({"company": {"name": "Acme"}, "assets": [], "contacts": []}, "`company.account_number`"),
        ({"company": {"account_number": "1"}, "contacts": []}, "a list `assets`"),
        ({"company": {"account_number": "1"}, "assets": [], "contacts": None}, "a list `contacts`"),
        ({"company": {"account_number": "1"}, "assets": [{"hostname": "x"}], "contacts": []}, "`id`"),
    ],
)
def test_what_is_missing_is_named(apis: ClientApis, directory: Directory, entry: dict[str, Any], told: str) -> None:
    apis.faults["/directory"] = [f"body {json.dumps([entry])}"]
    error = refusal(directory, "devices")
    assert error.permanent
    assert f"gave an answer without {told}: its interface changed" in str(error)


def test_a_device_without_the_field_of_its_backup_is_not_taken_for_one_without_backup(
    apis: ClientApis, directory: Directory
) -> None:
    del apis.book.assets["100001"][1]["backup_data_bytes"]
    assert "`backup_data_bytes`" in str(refusal(directory, "volumes"))


def test_half_an_answer_is_asked_for_again(apis: ClientApis, directory: Directory) -> None:
    apis.faults["/directory"] = ["half"]
    assert directory.companies().height == 2


def test_one_client_that_cannot_be_read_fails_the_whole_pull(apis: ClientApis, directory: Directory) -> None:
    apis.bulk = False
    apis.faults["/directory/api/companies/100002/contacts"] = ["404"]
    assert refusal(directory, "devices").permanent


def test_no_message_holds_a_token(apis: ClientApis, directory: Directory) -> None:
    for fault in ("401", "403", "500", "html", "wrong-shape", "half"):
        apis.faults["/directory"] = [fault] * 3
        assert "hush" not in str(refusal(directory, "companies"))
