"""One client of JSON over HTTP, against a server on loopback: what is tried again, what never, and what is told."""

import base64
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.resources.upstream import NotFoundError, Options, UpstreamClient
from billing_pipeline.resources.upstream_answers import Answer, listing
from billing_pipeline.resources.upstream_tokens import Tokens, seconds_left
from tests.client_apis import ClientApis, client_apis

TRANSIENT = ["429", "500", "503", "half", 'body {"a": 1, "b', "silent", "drip", "drip-head"]
SLOW = ("silent", "drip", "drip-head")
PERMANENT = ["400", "401", "403", "404", "409", "html", "body nonsense", "redirect /directory/elsewhere"]
Ask = Callable[..., UpstreamClient]


@pytest.fixture
def connect(apis: ClientApis, quick: Options) -> Ask:
    """Makes a client of the directory; its only company is 100001."""
    apis.book.client("100001", "Acme")

    def make(**more: Any) -> UpstreamClient:
        given = {"authorization": f"Bearer {apis.token()}", "options": quick, "url": apis.directory_url} | more
        return UpstreamClient(
            "the directory", setting_url="BILLING_DIRECTORY_URL", setting_key="BILLING_DIRECTORY_KEY", **given
        )

    return make


def patience(quick: Options, fault: str) -> Options:
    """Short time-outs for the faults that nothing else ends."""
    return replace(quick, timeout=0.5, deadline=0.5) if fault in SLOW else quick


def refusal(client: UpstreamClient, path: str = "/api/companies", **params: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        client.get(path, params)
    return raised.value


def test_every_number_is_text_so_that_nothing_becomes_a_float(apis: ClientApis, connect: Ask) -> None:
    apis.faults["/"] = ['body {"a": 1.10, "b": 12345678901234567890, "c": 1e400, "d": NaN, "e": true, "f": null}']
    found = connect().get("/api/companies").document
    assert found == {"a": "1.10", "b": "12345678901234567890", "c": "1e400", "d": "NaN", "e": True, "f": None}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_fault_that_passes_is_asked_again(apis: ClientApis, connect: Ask, quick: Options, fault: str) -> None:
    apis.faults["/"] = [fault]
    client = connect(options=patience(quick, fault))
    assert [row["account_number"] for row in client.get("/api/companies").rows()] == ["100001"]
    assert apis.paths() == ["/directory/api/companies"] * 2


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_fault_that_stays_is_transient_after_the_last_attempt(
    apis: ClientApis, connect: Ask, quick: Options, fault: str
) -> None:
    apis.faults["/"] = [fault] * 9
    error = refusal(connect(options=patience(quick, fault)))
    assert not error.permanent
    assert re.match(r"the directory: GET /directory/api/companies.* \(asked 3 times\)$", str(error))
    assert len(apis.requests) == 3


@pytest.mark.parametrize("fault", PERMANENT)
def test_a_refusal_is_permanent_and_never_asked_again(
    apis: ClientApis, connect: Ask, waits: list[float], fault: str
) -> None:
    apis.faults["/"] = [fault]
    assert refusal(connect()).permanent
    assert (len(apis.requests), waits) == (1, [])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("400", "answered 400: it does not take this request"),
        ("401", "answered 401: is BILLING_DIRECTORY_KEY right?"),
        ("403", "answered 403: may the account of BILLING_DIRECTORY_KEY read this?"),
        ("404", "answered 404: it is not there. Is BILLING_DIRECTORY_URL right?"),
        ("html", "gave something else than JSON (a sign-in page?)"),
        ("redirect http://example.com/", "answered 302: it points elsewhere. Is BILLING_DIRECTORY_URL right?"),
        ("500", "answered 500 (asked 3 times)"),
        ("silent", "gave no whole answer in time (asked 3 times)"),
        ("drip", "gave no whole answer in time (asked 3 times)"),
    ],
)
def test_a_message_names_system_call_status_and_what_to_look_at(
    apis: ClientApis, connect: Ask, quick: Options, fault: str, told: str
) -> None:
    apis.faults["/"] = [fault] * 3
    assert (
        str(refusal(connect(options=patience(quick, fault)))) == f"the directory: GET /directory/api/companies {told}"
    )


def test_what_is_not_there_is_an_error_of_its_own(connect: Ask) -> None:
    with pytest.raises(NotFoundError):
        connect().get("/api/nothing")


def test_the_waits_double(apis: ClientApis, connect: Ask, quick: Options, waits: list[float]) -> None:
    apis.faults["/"] = ["500"] * 9
    refusal(connect(options=replace(quick, attempts=5)))
    assert [int(wait) for wait in waits] == [1, 2, 4, 8]  # each with up to a second more, by chance


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7), ("0", 0), ("86400", 120), ("Wed, 21 Oct 2099 07:28:00 GMT", 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
@pytest.mark.parametrize("status", ["429", "503"])
def test_the_wait_a_system_asks_for_is_kept_up_to_two_minutes(
    apis: ClientApis, connect: Ask, waits: list[float], status: str, asked: str, waited: float
) -> None:
    apis.faults["/"] = [f"{status} {asked}"]
    connect().get("/api/companies")
    assert waits == [waited]


@pytest.mark.parametrize("asked", ["soon", "-5", "1.5"])
def test_a_wait_nobody_can_read_is_the_usual_one(
    apis: ClientApis, connect: Ask, waits: list[float], asked: str
) -> None:
    apis.faults["/"] = [f"429 {asked}"]
    connect().get("/api/companies")
    assert 1 <= waits[0] <= 2


@pytest.mark.parametrize("fault", ["silent", "drip", "drip-head"])
def test_an_answer_ends_at_the_deadline_however_it_drips(apis: ClientApis, connect: Ask, fault: str) -> None:
    apis.faults["/"] = [fault]
    client = connect(options=Options(timeout=20, deadline=0.3, attempts=1))
    begin = time.monotonic()
    refusal(client)
    assert 0.2 < time.monotonic() - begin < 5


def test_a_redirect_is_not_followed(apis: ClientApis, connect: Ask) -> None:
    with client_apis() as elsewhere:
        apis.faults["/"] = [f"redirect {elsewhere.directory_url}/api/companies"]
        assert refusal(connect()).permanent
        assert elsewhere.requests == []


def test_an_address_on_another_host_is_not_asked(connect: Ask) -> None:
    with client_apis() as elsewhere:
        error = refusal(connect(), f"{elsewhere.directory_url}/api/companies")
        assert elsewhere.requests == []
    assert error.permanent
    assert str(error).endswith("is on another host than BILLING_DIRECTORY_URL: not asked")


def test_an_answer_without_end_is_refused(apis: ClientApis, connect: Ask, quick: Options) -> None:
    error = refusal(connect(options=replace(quick, most_bytes=100)))
    assert error.permanent
    assert "gave more than 100 bytes" in str(error)


@pytest.mark.parametrize("url", ["htp://x", "http://host:port", "example.com", "http://", "http://[::1"])
def test_an_address_that_cannot_be_is_permanent(connect: Ask, url: str) -> None:
    error = refusal(connect(url=url))
    assert error.permanent
    assert "BILLING_DIRECTORY_URL" in str(error)


def test_a_key_that_cannot_be_sent_is_permanent_and_not_told(connect: Ask) -> None:
    for key in ("hush\nX: y", "hush\N{SNOWMAN}"):
        error = refusal(connect(authorization=f"Bearer {key}"))
        assert error.permanent
        assert "BILLING_DIRECTORY_KEY" in str(error)
        assert "hush" not in repr((error, error.__cause__))


def test_a_system_that_cannot_be_reached_is_transient(connect: Ask) -> None:
    with client_apis() as gone:
        pass
    error = refusal(connect(url=gone.directory_url))
    assert not error.permanent
    assert "it cannot be reached. Is BILLING_DIRECTORY_URL right?" in str(error)


def test_a_netrc_of_the_machine_does_not_take_the_place_of_our_credentials(
    apis: ClientApis, connect: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    connect().get("/api/companies")
    refusal(connect(authorization=""))
    assert [request.authorization in apis.valid for request in apis.requests] == [True, False]
    assert apis.requests[1].authorization == ""


def test_no_message_and_no_log_line_holds_a_secret(
    apis: ClientApis,
    connect: Ask,
    quick: Options,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for fault in (*TRANSIENT, *PERMANENT, "body hush"):
        client = connect(secrets=["hush-in-a-path"], options=patience(quick, fault))
        apis.faults["/"] = [fault] * 3
        error = refusal(client, "/hush-in-a-path/companies", query="hush")
        said.append(f"{error!r} {error.__cause__!r} {error.__suppress_context__}")
    out, err = capfd.readouterr()
    logged = "\n".join(line for line in caplog.text.splitlines() if "urllib3" not in line)  # debug lines of requests
    assert "hush" not in "\n".join([*said, logged, out, err])
    assert "Retrying" in logged


def test_a_token_is_asked_for_once_and_kept(apis: ClientApis, connect: Ask) -> None:
    client = connect(authorization=Tokens(lambda: (apis.token(), 3600.0)))
    issued = apis.issued
    client.get("/api/companies")
    client.get("/api/companies")
    assert apis.issued == issued + 1


def test_a_token_that_is_refused_is_renewed_once(apis: ClientApis, connect: Ask, waits: list[float]) -> None:
    client = connect(authorization=Tokens(lambda: (apis.token(), 3600.0)))
    client.get("/api/companies")
    apis.expire()
    client.get("/api/companies")
    assert len(apis.requests) == 3
    assert waits == []


def test_a_new_token_that_is_refused_too_is_permanent(apis: ClientApis, connect: Ask) -> None:
    apis.faults["/"] = ["401", "401"]
    error = refusal(connect(authorization=Tokens(lambda: (apis.token(), 3600.0))))
    assert error.permanent
    assert str(error).endswith("answered 401: is BILLING_DIRECTORY_KEY right?")
    assert len(apis.requests) == 2


def test_a_system_that_gives_no_token_is_not_asked_as_often_again_for_every_attempt(
    apis: ClientApis, connect: Ask
) -> None:
    def fetch() -> tuple[str, float]:
        return str(door.post("/service-token").document), 60.0

    door = connect(url=apis.core_url, authorization="")
    apis.faults["/core"] = ["500"] * 20
    error = refusal(connect(authorization=Tokens(fetch)))
    assert not error.permanent
    assert apis.paths() == ["/core/service-token"] * 3


def test_a_token_is_renewed_a_minute_before_it_ends() -> None:
    now = [0.0]
    given = iter(["one", "two"])
    tokens = Tokens(lambda: (next(given), 100.0), clock=lambda: now[0])
    assert tokens() == "Bearer one"
    now[0] = 39.9
    assert tokens() == "Bearer one"
    now[0] = 40.0
    assert tokens() == "Bearer two"


def test_a_web_token_says_itself_how_long_it_lives() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 1000}).encode()).decode().rstrip("=")
    assert 990 < seconds_left(f"x.{payload}.y") <= 1000


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.bm90IGpzb24.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOm51bGx9.c"])
def test_a_token_that_does_not_say_when_it_ends_is_kept_for_five_minutes(token: str) -> None:
    assert seconds_left(token) == 300


@pytest.mark.parametrize("document", [None, "text", {"rows": None}, {"rows": {}}, {"rows": [1]}, {"other": []}, []])
def test_a_document_without_its_list_is_permanent_and_names_the_list(document: Any) -> None:
    with pytest.raises(UpstreamError, match=r"^here gave an answer without a list `rows`: its interface") as raised:
        Answer("here", document).rows("rows", "items")
    assert raised.value.permanent


def test_a_value_that_has_to_be_there_and_is_not_is_named() -> None:
    answer = Answer("here", {})
    for record in ({}, {"a": {}}, {"a": "text"}):
        with pytest.raises(UpstreamError, match=r"without `a\.b`"):
            answer.text(record, "a", "b", required=True)
    assert answer.text({"a": {"b": None}}, "a", "b", required=True) is None
    assert answer.text({}, "a", "b") is None


def test_a_list_where_a_value_belongs_is_another_shape() -> None:
    with pytest.raises(UpstreamError, match="without a plain value `a`"):
        Answer("here", {}).text({"a": ["b"]}, "a")


def test_half_a_character_does_not_break_a_frame() -> None:
    name = Answer("here", {}).text(json.loads('{"name": "a\\ud83d"}'), "name")
    assert listing("companies", [{"account": "1", "name": name}])["name"].to_list() == ["a?"]
