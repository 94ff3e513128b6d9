"""Datto RMM, on loopback: devices and volumes of all pages, its token, and what is not taken for an answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.resources.backups import DattoRmm
from billing_pipeline.resources.upstream import Options
from tests.client_apis import DATTO_KEY, DATTO_SECRET, ClientApis

GOLDEN = Path(__file__).parents[1] / "golden" / "managed-services"
SITES = "/datto/api/v2/account/sites"


@pytest.fixture
def datto(apis: ClientApis, quick: Options) -> DattoRmm:
    """An account with one site, of client 100001."""
    apis.book.client("100001", "Acme")
    return DattoRmm(apis.datto_url, DATTO_KEY, DATTO_SECRET, options=quick)


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def put(apis: ClientApis, *devices: dict[str, Any]) -> None:
    apis.book.devices["site-100001"] = list(devices)


def refusal(datto: DattoRmm) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        datto.devices()
    return raised.value


def test_a_device_comes_with_its_client_site_and_category(apis: ClientApis, datto: DattoRmm) -> None:
    put(apis, golden("up-03-device")["input"])
    found = datto.devices()
    assert found.rows() == [("datto", "u1", "100001", "Main", "H1", "Laptop")]
    assert found.columns == list(LISTINGS["devices"])


def test_a_volume_is_the_bytes_of_field_six(apis: ClientApis, datto: DattoRmm) -> None:
    put(apis, golden("up-03-device")["input"])
    found = datto.volumes()
    assert found.rows() == [("datto", "u1", "100001", "1099511627776")]
    assert found.columns == list(LISTINGS["backup_volumes"])


def test_bytes_stay_whole_where_the_reference_cuts_them_to_hundredths_of_a_terabyte(
    apis: ClientApis, datto: DattoRmm
) -> None:
    cases = golden("up-02-backup-bytes")["cases"]
    put(apis, *({"uid": f"u{n}", "hostname": "h", "udf": {"udf6": case["udf_value"]}} for n, case in enumerate(cases)))
    ours = datto.volumes()["bytes"].to_list()
    reference = [str(case["backup_data_bytes_served"]) for case in cases]
    assert [(one, other) for one, other in zip(ours, reference, strict=True) if one != other] == [
        ("1", "0"),
        ("5497558138", "0"),
        ("5497558139", "10995116277"),
        ("1.5e12", "1495335813775"),  # for a person to correct: no technician's script writes it
        ("1099511627776", "0"),  # it was written 1,099,511,627,776
        ("abc", "0"),
        ("-5", "0"),
    ]


@pytest.mark.parametrize("text", ["1,09", "1,0999", "01,099", ",099", "1,099,51", "1,099.5", "1 099"])
def test_wrongly_grouped_digits_are_passed_on_as_they_are(apis: ClientApis, datto: DattoRmm, text: str) -> None:
    put(apis, {"uid": "u1", "hostname": "h", "udf": {"udf6": text}})
    assert datto.volumes()["bytes"].to_list() == [text]


@pytest.mark.parametrize("udf", [None, {}, {"udf6": None}, {"udf6": ""}, {"udf6": "  "}])
def test_an_empty_field_is_no_backup(apis: ClientApis, datto: DattoRmm, udf: dict[str, Any] | None) -> None:
    put(apis, {"uid": "u1", "hostname": "h", "udf": udf}, {"uid": "u2", "hostname": "h"})
    assert datto.volumes()["bytes"].to_list() == ["0", "0"]


def test_the_field_of_the_bytes_can_be_another(apis: ClientApis, quick: Options, datto: DattoRmm) -> None:
    put(apis, {"uid": "u1", "hostname": "h", "udf": {"udf6": "6", "udf17": "17"}})
    other = DattoRmm(apis.datto_url, DATTO_KEY, DATTO_SECRET, backup_field=17, options=quick)
    assert other.volumes()["bytes"].to_list() == ["17"]


@pytest.mark.parametrize(
    "variables", [[], [{"name": "accountnumber", "value": "1"}], [{"name": "AccountNumber", "value": " "}]]
)
def test_a_site_without_an_account_number_gives_devices_without_one(
    apis: ClientApis, datto: DattoRmm, variables: list[dict[str, Any]]
) -> None:
    apis.book.variables["site-100001"] = variables
    apis.book.device("100001", "u1", "H1", "Server", backup=5)
    assert datto.devices()["account"].to_list() == [None]
    assert datto.volumes().rows() == [("datto", "u1", None, "5")]


def test_a_device_that_does_not_name_its_site_has_the_name_of_the_site_it_was_listed_for(
    apis: ClientApis, datto: DattoRmm
) -> None:
    put(apis, {"uid": "u1", "hostname": "h"})
    assert datto.devices().rows() == [("datto", "u1", "100001", "Acme Main", "h", None)]


def test_two_devices_of_one_name_are_two(apis: ClientApis, datto: DattoRmm) -> None:
    apis.book.device("100001", "u1", "SAME", "Server")
    apis.book.device("100001", "u2", "SAME", "Server")
    assert datto.devices()["source_id"].to_list() == ["u1", "u2"]


def test_sites_variables_and_devices_are_read_to_their_last_page(apis: ClientApis, datto: DattoRmm) -> None:
    apis.page = 2
    for account in range(100002, 100006):
        apis.book.client(str(account), f"Client {account}")
        apis.book.variables[f"site-{account}"].insert(0, {"name": "Zone", "value": "y"})  # the account is on page 2
        for number in range(5):
            apis.book.device(str(account), f"{account}-{number}", f"H{number}", "Server")
    found = datto.devices()
    assert found["source_id"].to_list() == [f"{account}-{n}" for account in range(100002, 100006) for n in range(5)]
    assert found["account"].unique().sort().to_list() == ["100002", "100003", "100004", "100005"]


def test_one_pull_serves_devices_and_volumes(apis: ClientApis, datto: DattoRmm) -> None:
    datto.devices()
    asked = len(apis.requests)
    datto.volumes()
    assert len(apis.requests) == asked


def test_an_older_answer_with_items_and_a_next_page_at_the_top_is_read(apis: ClientApis, datto: DattoRmm) -> None:
    second = f"{apis.datto_url}/api/v2/site/site-100001/devices?page=1"
    apis.faults["/datto/api/v2/site/site-100001/devices"] = [
        "body " + json.dumps({"items": [{"uid": "u1", "hostname": "a"}], "nextPageUrl": second}),
        "body " + json.dumps({"items": [{"uid": "u2", "hostname": "b"}], "nextPageUrl": None}),
    ]
    assert datto.devices()["source_id"].to_list() == ["u1", "u2"]


def test_a_next_page_on_another_host_is_refused_and_gets_no_token(apis: ClientApis, datto: DattoRmm) -> None:
    elsewhere = apis.datto_url.replace("127.0.0.1", "localhost") + "/api/v2/account/sites?page=1"
    page = {"sites": [], "pageDetails": {"count": 0, "nextPageUrl": elsewhere}}
    apis.faults["/datto/api"] = [f"body {json.dumps(page)}"]
    error = refusal(datto)
    assert error.permanent
    assert "is on another host than BILLING_DATTO_URL: not asked" in str(error)
    assert apis.paths("/datto/api") == [SITES]


def test_a_next_page_that_leads_back_does_not_go_on_for_ever(apis: ClientApis, datto: DattoRmm) -> None:
    page = {"sites": [], "pageDetails": {"count": 0, "nextPageUrl": apis.datto_url + "/api/v2/account/sites?page=1"}}
    apis.faults["/datto/api"] = [f"body {json.dumps(page)}"] * 9
    error = refusal(datto)
    assert not error.permanent
    assert "names the same next page again" in str(error)


def test_fewer_rows_than_a_page_says_are_incomplete(apis: ClientApis, datto: DattoRmm) -> None:
    for number in range(4):
        apis.book.device("100001", f"u{number}", "H", "Server")
    apis.faults["/datto/api/v2/site/site-100001/devices"] = ["short"]
    error = refusal(datto)
    assert not error.permanent
    assert str(error).endswith("/site-100001/devices gave 2 records and says there are 4")


def test_fewer_rows_than_all_pages_say_are_incomplete(apis: ClientApis, datto: DattoRmm) -> None:
    page = {"sites": [{"uid": "site-100001", "name": "x"}], "pageDetails": {"totalCount": 3, "nextPageUrl": None}}
    apis.faults["/datto/api"] = [f"body {json.dumps(page)}"]
    error = refusal(datto)
    assert not error.permanent
    assert str(error).endswith("gave 1 records and says there are 3")


def test_the_token_is_asked_for_as_the_vendors_public_client(apis: ClientApis, datto: DattoRmm) -> None:
    datto.devices()
    first, second = apis.requests[:2]
    assert (first.method, first.path) == ("POST", "/datto/auth/oauth/token")
    assert first.authorization == "Basic cHVibGljLWNsaWVudDpwdWJsaWM="
    assert first.body == "grant_type=password&username=hush-datto-key&password=hush-datto-secret"
    assert second.authorization in apis.valid
    assert apis.issued == 1


def test_a_token_that_is_refused_is_renewed_once(apis: ClientApis, datto: DattoRmm) -> None:
    apis.book.device("100001", "u1", "H1", "Server")
    apis.faults["/datto/api/v2/site/site-100001/devices"] = ["401"]
    assert datto.devices().height == 1
    assert apis.issued == 2


def test_a_token_about_to_end_is_renewed_without_a_refusal(apis: ClientApis, datto: DattoRmm) -> None:
    apis.token_seconds = 30
    datto.devices()
    assert apis.issued == len(apis.paths("/datto/api")) == 3


def test_a_token_that_does_not_say_when_it_ends_serves_until_it_is_refused(apis: ClientApis, datto: DattoRmm) -> None:
    token = apis.token()
    apis.faults["/datto/auth"] = [f'body {{"access_token": "{token}"}}']
    datto.devices()
    assert apis.paths("/datto/auth") == ["/datto/auth/oauth/token"]


def test_a_wrong_secret_is_permanent_and_named_but_not_told(apis: ClientApis, quick: Options) -> None:
    error = refusal(DattoRmm(apis.datto_url, DATTO_KEY, "hush-wrong", options=quick))
    assert error.permanent
    assert str(error) == (
        "Datto RMM: POST /datto/auth/oauth/token answered 401: "
        "is BILLING_DATTO_API_KEY and BILLING_DATTO_API_SECRET right?"
    )
    assert len(apis.requests) == 1


@pytest.mark.parametrize("path", ["account/sites", "site/site-100001/variables", "site/site-100001/devices"])
@pytest.mark.parametrize("fault", ["404", "html", "wrong-shape", "body null", "body []"])
def test_a_list_that_is_not_there_is_never_an_empty_one(
    apis: ClientApis, datto: DattoRmm, path: str, fault: str
) -> None:
    apis.faults[f"/datto/api/v2/{path}"] = [fault]
    assert refusal(datto).permanent


@pytest.mark.parametrize("fault", ["500", "half", "429"])
def test_a_site_that_cannot_be_read_now_fails_the_whole_pull(apis: ClientApis, datto: DattoRmm, fault: str) -> None:
    apis.faults["/datto/api/v2/site/site-100001/devices"] = [fault] * 3
    assert not refusal(datto).permanent


def test_the_vendors_wait_is_kept(apis: ClientApis, datto: DattoRmm, waits: list[float]) -> None:
    apis.faults["/datto/api"] = ["429 3"]
    datto.devices()
    assert waits == [3]


def test_no_message_holds_a_token_or_the_keys(apis: ClientApis, datto: DattoRmm) -> None:
    for fault in ("401", "403", "500", "html", "wrong-shape", "half"):
        apis.faults["/datto"] = [fault] * 3
        assert "hush" not in str(refusal(datto))
