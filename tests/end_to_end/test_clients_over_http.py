"""Clients out of the vendors' own APIs: billed as from a folder, pulled on from the last time, safe when one fails."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from billing_pipeline.engine.managed_services.entries import DELETED
from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, ENTRIES, LISTINGS, VOLUMES
from billing_pipeline.resources import client_sources
from billing_pipeline.resources.upstream import Options
from tests.client_apis import API_KEY, DATTO_KEY, DATTO_SECRET, ClientApis, client_apis
from tests.client_office import JUNE, Office
from tests.client_records import Book
from tests.client_records import entry as worked

A, B = "100001", "100002"
TB = 2**40
TOTAL = "666.67"  # A: units 265.00, hours 166.67, backups 20.00; B: units 65.00, hours 150.00


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientApis]:
    """The systems, each with two clients, reached without the proxies of this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with client_apis() as systems:
        fill(systems.book)
        yield systems


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has to ask again does so at once."""
    monkeypatch.setattr(client_sources, "Options", partial(Options, sleep=lambda _: None))


@pytest.fixture
def online(
    apis: ClientApis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    """An installation that pulls from the systems."""
    for name, value in {
        "DIRECTORY_URL": apis.directory_url,
        "DIRECTORY_IDENTITY_URL": apis.core_url,
        "FRESHSERVICE_URL": apis.freshservice_url,
        "FRESHSERVICE_API_KEY": API_KEY,
        "DATTO_URL": apis.datto_url,
        "DATTO_API_KEY": DATTO_KEY,
        "DATTO_API_SECRET": DATTO_SECRET,
    }.items():
        monkeypatch.setenv(f"BILLING_{name}", value)
    return Office(tmp_path / "online", monkeypatch, capsys)


def fill(book: Book) -> None:
    """What the systems hold; `write` writes the same to a folder."""
    book.client(A, 'Acme, "Inc."')
    book.client(B, "=Bob", term="1-Year")
    book.device(A, "u1", "pc-1", "Laptop", TB // 2)
    book.device(A, "u2", "pc-2", "Desktop")
    book.device(A, "u3", "srv-1", "Server", 3 * TB + 1)
    book.device(B, "u4", "odd", "Toaster")
    book.contact(A, 1, "Ann Lee")
    book.contact(A, 2, "Old Joe", active=False)
    book.contact(B, 3, "Bo")
    times = [worked(n, "00:20", f"2026-06-{n:02d}T10:00:00Z") for n in range(1, 6)]
    book.ticket(A, 1, *times, updated="2026-06-20T12:00:00Z")
    book.ticket(A, 2, worked(6, "01:00", "2026-06-11T10:00:00Z", billable=False), updated="2026-06-21T12:00:00Z")
    book.ticket(B, 3, worked(7, "01:30", "2026-06-30T23:59:59Z"), updated="2026-06-30T23:59:59Z")


def write(office: Office) -> None:
    """The book of `fill` as the files of a folder, under the sources' own names and ids."""
    shared = {"plan": "Gold", "contract_start": "2025-07-01", "contract_end": "2026-06-30"}
    office.listing(
        COMPANIES,
        shared | {"account": A, "name": 'Acme, "Inc."', "term": "1 Year"},
        shared | {"account": B, "name": "=Bob", "term": "1-Year"},
    )
    people = [(A, 1, "Ann Lee", "yes"), (A, 2, "Old Joe", "no"), (B, 3, "Bo", "yes")]
    office.listing(
        CONTACTS,
        *(
            {"source": "directory", "source_id": number, "account": account, "name": name, "active": active}
            for account, number, name, active in people
        ),
    )
    of_a = [("u1", "pc-1", "Laptop", TB // 2), ("u2", "pc-2", "Desktop", 0), ("u3", "srv-1", "Server", 3 * TB + 1)]
    rows = [
        {"source": "datto", "source_id": uid, "account": account, "name": name, "category": category, "bytes": volume}
        for account, devices in ((A, of_a), (B, [("u4", "odd", "Toaster", 0)]))
        for uid, name, category, volume in devices
    ]
    for name in (DEVICES, VOLUMES):
        office.listing(name, *({key: row[key] for key in row.keys() & {"source", *LISTINGS[name]}} for row in rows))
    times = [(A, 1, n, f"2026-06-{n:02d}T10:00:00Z", "0:20", "") for n in range(1, 6)]
    times += [(A, 2, 6, "2026-06-11T10:00:00Z", "1:00", "no"), (B, 3, 7, "2026-06-30T23:59:59Z", "1:30", "")]
    office.listing(
        ENTRIES,
        *(
            {"source": "freshservice", "source_id": number, "account": account, "ticket_id": ticket, "ticket": ticket,
             "subject": f"Ticket {ticket}", "at": at, "worked": spent, "billable": billable}
            for account, ticket, number, at, spent, billable in times
        ),
    )  # fmt: skip


def frames(office: Office, *names: str) -> dict[str, bytes]:
    return {name: (office.data / "frames" / name / f"{JUNE}.parquet").read_bytes() for name in names}


def sync(office: Office, what: str = "all", code: int = 0) -> str:
    said = office.run("clients", "sync", "--month", JUNE, "--what", what)
    assert said.code == code, said.out + said.err
    return said.out + said.err


def test_what_is_pulled_page_by_page_is_billed_like_the_same_book_from_a_folder_to_the_byte(
    apis: ClientApis,
    online: Office,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    apis.page = 2
    said = online.run("clients", "sync", "--month", JUNE, "--json")
    assert {one["listing"]: one["records"] for one in said.document["listings"]} == {
        COMPANIES: 2, CONTACTS: 3, DEVICES: 4, VOLUMES: 4, ENTRIES: 7,
    }  # fmt: skip
    document = online.bill()
    assert {request.query["page"] for request in apis.requests if request.path.endswith("/1/time_entries")} == {
        "1", "2", "3",
    }  # fmt: skip
    for name in ("DIRECTORY_URL", "FRESHSERVICE_URL", "DATTO_URL"):
        monkeypatch.delenv(f"BILLING_{name}")
    asked = len(apis.requests)
    folder = Office(tmp_path / "folder", monkeypatch, capsys)
    write(folder)
    assert folder.bill()["total"] == document["total"] == TOTAL
    for kind in ("invoice", "accounting"):
        assert sorted(folder.files(kind)) == [A, B]
        assert folder.files(kind) == online.files(kind)
    names = [f"{kind}_{JUNE}.zip" for kind in ("invoices", "all_invoices")]
    read = [[(office.outputs / "clients" / JUNE / name).read_bytes() for name in names] for office in (folder, online)]
    assert read[0] == read[1]
    assert len(apis.requests) == asked, "a folder asks nobody"


def test_the_second_pull_asks_for_tickets_since_the_first_with_an_overlap(apis: ClientApis, online: Office) -> None:
    sync(online, "tickets")
    first: datetime = online.frame(ENTRIES)["pulled_at"].max()  # type: ignore[assignment]
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    apis.book.ticket(B, 4, worked(8, "00:30", "2026-06-15T10:00:00Z"), updated=now)
    apis.requests.clear()
    sync(online, "tickets")
    queries = [request.query["query"] for request in apis.requests if request.path.endswith("/tickets/filter")]
    assert queries == [f"\"updated_at:>'{first - timedelta(hours=48):%Y-%m-%dT%H:%M:%SZ}'\""]
    assert [path for path in apis.paths() if path.endswith("time_entries")] == [
        "/freshservice/api/v2/tickets/4/time_entries"
    ]
    assert online.frame(ENTRIES)["source_id"].to_list() == [*"12345678"]


def test_the_overlap_is_a_setting(apis: ClientApis, online: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(online, "tickets")
    first: datetime = online.frame(ENTRIES)["pulled_at"].max()  # type: ignore[assignment]
    monkeypatch.setenv("BILLING_TICKETS_OVERLAP_HOURS", "0")
    apis.requests.clear()
    sync(online, "tickets")
    assert apis.requests[0].query["query"] == f"\"updated_at:>'{first:%Y-%m-%dT%H:%M:%SZ}'\""


@pytest.mark.parametrize("shows_its_entries", [True, False])
def test_a_ticket_that_was_deleted_marks_its_entries_and_they_are_not_billed(
    apis: ClientApis, online: Office, shows_its_entries: bool
) -> None:
    assert online.total(B) == "215.00"
    apis.book.tickets[2] |= {"status": 7, "updated_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    if not shows_its_entries:
        del apis.book.time_entries[3]
    sync(online, "tickets")
    assert online.total(B) == "65.00"
    marked = online.frame("client_time").filter(pl.col("state") == DELETED)
    assert marked.select("account", "source_id", "subject").rows() == [(B, "7", "Ticket 3")]


SYSTEMS = {
    "identity": ("/core", "inventory", "the identity service", "BILLING_DIRECTORY_IDENTITY_URL", (COMPANIES, CONTACTS)),
    "directory": ("/directory", "inventory", "the company directory", "BILLING_DIRECTORY_URL", (COMPANIES, CONTACTS)),
    "tickets": ("/freshservice", "tickets", "Freshservice", "BILLING_FRESHSERVICE_URL", (ENTRIES,)),
    "backups": ("/datto/api", "inventory", "Datto RMM", "BILLING_DATTO_URL", (DEVICES, VOLUMES)),
}
KEYS = {
    "identity": "BILLING_DIRECTORY_IDENTITY_URL",
    "directory": "BILLING_DIRECTORY_IDENTITY_URL",
    "tickets": "BILLING_FRESHSERVICE_API_KEY",
    "backups": "BILLING_DATTO_API_KEY and BILLING_DATTO_API_SECRET",
}
FAULTS = {
    "401": "answered 401: is {key} right?",
    "404": "answered 404: it is not there. Is {url} right?",
    "500": "answered 500 (asked 5 times)",
    "html": "gave something else than JSON (a sign-in page?)",
    "half": "the answer broke off (asked 5 times)",
    "silent": "gave no whole answer in time (asked 5 times)",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_that_fails_is_named_with_what_to_look_at_and_what_is_on_hand_stays_and_is_billed(
    apis: ClientApis, online: Office, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    path, what, called, url, listings = SYSTEMS[system]
    billed = online.bill()["total"]
    before = frames(online, *listings)
    for fault, message in FAULTS.items():
        apis.faults = {path: [fault] * 50}
        with monkeypatch.context() as patient:
            if fault == "silent":
                patient.setenv("BILLING_PULL_TIMEOUT_SECONDS", "0.3")
            said = sync(online, what, code=1)
        assert f"error {called}: " in said, said
        assert message.format(key=KEYS[system], url=url) in said, said
        assert "hush" not in said
        assert base64.b64encode(f"{API_KEY}:X".encode()).decode() not in said
        assert "Traceback" not in said
        assert frames(online, *listings) == before, fault
    asked = len(apis.requests)
    assert online.bill(JUNE, "--pull", "never")["total"] == billed
    assert len(apis.requests) == asked, "a run that may not pull asks nobody"


def test_a_bill_that_has_to_pull_stops_when_a_system_fails_and_publishes_nothing(
    apis: ClientApis, online: Office
) -> None:
    apis.faults = {"/datto/auth": ["401"]}
    said = online.run("clients", "bill", "--month", JUNE)
    assert said.code == 1
    assert "Datto RMM: POST /datto/auth/oauth/token answered 401: is BILLING_DATTO_API_KEY" in said.err
    assert not (online.outputs / "clients").exists()
    assert online.bill()["billed"] == 2, "and is billed when it is there again"


def test_a_system_that_is_busy_is_asked_again_when_it_says(apis: ClientApis, online: Office) -> None:
    apis.faults = {"/freshservice": ["429 1"], "/datto/api": ["429 1"], "/directory": ["429 1"]}
    assert online.bill()["total"] == TOTAL
    assert not any(queue for queue in apis.faults.values())
