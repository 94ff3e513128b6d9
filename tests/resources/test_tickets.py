"""Freshservice, on loopback: time entries of all pages, the client of each, and what is not taken for an answer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.resources.tickets import Freshservice
from billing_pipeline.resources.upstream import Options
from tests.client_apis import API_KEY, ClientApis
from tests.client_records import entry

SINCE = datetime(2026, 1, 10, tzinfo=UTC)
GOLDEN = Path(__file__).parents[1] / "golden" / "managed-services"
Connect = Callable[..., Freshservice]


@pytest.fixture
def connect(apis: ClientApis, quick: Options) -> Connect:
    """Makes the source; its client is 100001."""
    apis.book.client("100001", "Acme")

    def make(**more: Any) -> Freshservice:
        given = {"key": API_KEY, "pause": 0, "page_size": 2, "options": quick} | more
        return Freshservice(apis.freshservice_url, **given)

    return make


def refusal(source: Freshservice, since: datetime | None = SINCE) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        source.entries(since)
    return raised.value


def queries(apis: ClientApis) -> list[str]:
    return [request.query["query"] for request in apis.requests if request.path.endswith("/tickets/filter")]


def test_a_time_entry_comes_with_its_ticket_and_client(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 42, entry(7, "01:30", billable=False))
    pull = connect().entries(SINCE)
    assert pull.entries.row(0, named=True) == {
        "source": "freshservice",
        "source_id": "7",
        "account": "100001",
        "ticket_id": "42",
        "ticket": "42",
        "subject": "Ticket 42",
        "at": "2026-01-20T10:00:00Z",
        "worked": "01:30",
        "billable": "no",
        "deleted": "no",
    }
    assert pull.tickets == {"42"}
    assert pull.entries.columns == list(LISTINGS["time_entries"])


def test_the_worked_time_is_passed_on_as_it_is_written(apis: ClientApis, connect: Connect) -> None:
    cases = json.loads((GOLDEN / "up-01-time-entries.json").read_text())["cases"]
    given = [text for case in cases for text in case.get("time_spent", [None])]
    apis.book.ticket("100001", 42, *(entry(number, text) for number, text in enumerate(given, 1)))
    del apis.book.time_entries[42][-1]["time_spent"]
    assert connect(page_size=100).entries(SINCE).entries["worked"].to_list() == given


def test_whether_an_entry_is_billable_is_yes_no_or_unsaid(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket(
        "100001", 42, entry(1, "00:10", billable=True), entry(2, "00:10"), entry(3, "00:10", billable=None)
    )
    assert connect().entries(SINCE).entries["billable"].to_list() == ["yes", None, None]


def test_an_entry_without_a_time_of_work_has_the_time_it_was_written(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 42, entry(1, "00:10", at=None))
    assert connect().entries(SINCE).entries["at"].to_list() == ["2026-01-21T09:00:00Z"]


@pytest.mark.parametrize("sign", [{"status": 6}, {"status": 7}, {"deleted": True}, {"spam": True}])
def test_a_ticket_that_is_said_to_be_deleted_or_spam_is_told_so(
    apis: ClientApis, connect: Connect, sign: dict[str, Any]
) -> None:
    ticket = apis.book.ticket("100001", 42, entry(1, "00:10"))
    ticket |= sign
    pull = connect().entries(SINCE)
    assert pull.entries["deleted"].to_list() == ["yes"]
    assert (pull.tickets, pull.gone) == ({"42"}, {"42"})


@pytest.mark.parametrize("status", [2, 4, 5, 15])
def test_a_ticket_that_is_merely_closed_is_not_deleted(apis: ClientApis, connect: Connect, status: int) -> None:
    apis.book.ticket("100001", 42, entry(1, "00:10"))["status"] = status
    pull = connect().entries(SINCE)
    assert pull.entries["deleted"].to_list() == ["no"]
    assert pull.gone == frozenset()


@pytest.mark.parametrize("department", [None, 5])
def test_a_ticket_of_no_known_client_has_no_account(apis: ClientApis, connect: Connect, department: int | None) -> None:
    apis.book.ticket("100001", 42, entry(1, "00:10"))["department_id"] = department
    assert connect().entries(SINCE).entries["account"].to_list() == [None]


def test_a_ticket_without_entries_was_read_all_the_same(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 42)
    pull = connect().entries(SINCE)
    assert (pull.entries.height, pull.tickets) == (0, {"42"})


def test_tickets_departments_and_entries_are_read_to_their_last_page(apis: ClientApis, connect: Connect) -> None:
    for account in range(100002, 100007):
        apis.book.client(str(account), f"Client {account}")
    for number in range(1, 6):
        apis.book.ticket(str(100001 + number), number, *(entry(10 * number + one, "00:10") for one in range(5)))
    found = connect().entries(SINCE).entries
    assert found["source_id"].to_list() == [str(10 * number + one) for number in range(1, 6) for one in range(5)]
    assert found["account"].unique().sort().to_list() == ["100002", "100003", "100004", "100005", "100006"]


@pytest.mark.parametrize("totals", [True, False])
def test_a_vendor_that_gives_smaller_pages_than_asked_for_is_read_to_the_end(
    apis: ClientApis, connect: Connect, totals: bool
) -> None:
    apis.page, apis.totals = 3, totals
    for number in range(1, 9):
        apis.book.ticket("100001", number, entry(number, "00:10"))
    assert len(connect(page_size=100).entries(SINCE).tickets) == 8


def test_only_tickets_updated_since_then_are_asked_for(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 1, updated="2026-01-09T23:59:59Z")
    apis.book.ticket("100001", 2, updated="2026-01-10T00:00:00Z")
    assert connect().entries(SINCE).tickets == {"2"}
    assert queries(apis) == ["\"updated_at:>'2026-01-10T00:00:00Z'\""]


def test_the_time_is_asked_for_in_utc(apis: ClientApis, connect: Connect) -> None:
    connect().entries(datetime(2026, 1, 9, 19, tzinfo=timezone(-timedelta(hours=5))))
    assert queries(apis) == ["\"updated_at:>'2026-01-10T00:00:00Z'\""]


def test_without_a_time_every_ticket_is_asked_for(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 1, updated="2019-01-09T23:59:59Z")
    assert connect().entries(None).tickets == {"1"}
    assert queries(apis) == ["\"created_at:>'2000-01-01'\""]


@pytest.mark.parametrize("totals", [True, False])
def test_more_tickets_than_one_query_gives_are_asked_for_in_shorter_times(
    apis: ClientApis, connect: Connect, totals: bool
) -> None:
    apis.most_pages, apis.totals = 2, totals
    for number in range(1, 18):
        apis.book.ticket("100001", number, updated=f"2026-01-{10 + number}T12:00:00Z")
    source = connect(most_pages=2, now=lambda: datetime(2026, 2, 1, tzinfo=UTC))
    assert source.entries(SINCE).tickets == {str(number) for number in range(1, 18)}
    assert queries(apis)[-1].count("updated_at") == 1  # the last one is open: nothing newer falls out


def test_the_shorter_times_overlap_and_a_count_that_is_too_large_is_believed_at_once(
    apis: ClientApis, connect: Connect
) -> None:
    for number in range(1, 7):
        apis.book.ticket("100001", number, updated=f"2026-01-{14 + number}T12:00:00Z")
    connect(most_pages=2, now=lambda: datetime(2026, 1, 26, tzinfo=UTC)).entries(SINCE)
    assert list(dict.fromkeys(queries(apis))) == [
        "\"updated_at:>'2026-01-10T00:00:00Z'\"",
        "\"updated_at:>'2026-01-10T00:00:00Z' AND updated_at:<'2026-01-18T00:00:00Z'\"",
        "\"updated_at:>'2026-01-17T23:59:59Z'\"",
    ]
    assert queries(apis).count("\"updated_at:>'2026-01-10T00:00:00Z'\"") == 1


def test_more_tickets_than_one_query_gives_since_the_beginning_are_split_by_days(
    apis: ClientApis, connect: Connect
) -> None:
    apis.most_pages = 2
    for number in range(1, 18):
        apis.book.ticket("100001", number)["created_at"] = f"20{8 + number:02}-03-01T12:00:00Z"
    source = connect(most_pages=2, now=lambda: datetime(2026, 2, 1, tzinfo=UTC))
    assert source.entries(None).tickets == {str(number) for number in range(1, 18)}


def test_more_tickets_in_a_moment_than_can_be_asked_for_are_refused_and_never_cut(
    apis: ClientApis, connect: Connect
) -> None:
    apis.most_pages = 2
    for number in range(1, 18):
        apis.book.ticket("100001", number)
    source = connect(most_pages=2, now=lambda: datetime(2026, 2, 1, tzinfo=UTC))
    error = refusal(source)
    assert error.permanent
    assert "has more than 2 pages of tickets from 2026-01-20 " in str(error)


def test_fewer_tickets_than_the_vendor_counts_are_incomplete(apis: ClientApis, connect: Connect) -> None:
    for number in range(1, 6):
        apis.book.ticket("100001", number)
    apis.faults["/freshservice/api/v2/tickets/filter"] = ["short"]
    error = refusal(connect())
    assert not error.permanent
    assert str(error) == "Freshservice: GET /freshservice/api/v2/tickets/filter gave 4 records and says there are 5"


def test_a_page_with_rows_missing_before_the_last_is_incomplete(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 42, *(entry(one, "00:10") for one in range(1, 6)))
    apis.faults["/freshservice/api/v2/tickets/42"] = ["short"]
    error = refusal(connect())
    assert not error.permanent
    assert "gave a page with rows missing" in str(error)


def test_a_vendor_that_gives_the_same_page_for_ever_is_left(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 42)
    page = json.dumps({"time_entries": [entry(1, "00:10"), entry(2, "00:10")]})
    apis.faults["/freshservice/api/v2/tickets/42"] = [f"body {page}"] * 9
    error = refusal(connect())
    assert not error.permanent
    assert "gave nothing new on page 2" in str(error)


def test_a_ticket_that_is_deleted_meanwhile_is_left_out(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 41, entry(1, "00:10"))
    apis.book.ticket("100001", 42, entry(2, "00:10"))
    apis.faults["/freshservice/api/v2/tickets/41"] = ["404", "404"]
    pull = connect().entries(SINCE)
    assert (pull.tickets, pull.gone) == ({"42"}, {"41"})
    assert pull.entries["source_id"].to_list() == ["2"]


def test_a_deleted_ticket_that_does_not_show_its_entries_is_left_out(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 41)["deleted"] = True
    del apis.book.time_entries[41]
    pull = connect().entries(SINCE)
    assert (pull.tickets, pull.gone) == (frozenset(), {"41"})


def test_a_ticket_that_is_there_and_whose_entries_are_not_fails_the_pull(apis: ClientApis, connect: Connect) -> None:
    apis.book.ticket("100001", 41)
    del apis.book.time_entries[41]
    error = refusal(connect())
    assert error.permanent
    assert "/tickets/41/time_entries answered 404" in str(error)


@pytest.mark.parametrize("fault", ["401", "500", "html", "wrong-shape", "half"])
def test_one_ticket_that_cannot_be_read_fails_the_whole_pull(apis: ClientApis, connect: Connect, fault: str) -> None:
    apis.book.ticket("100001", 41, entry(1, "00:10"))
    apis.book.ticket("100001", 42, entry(2, "00:10"))
    apis.faults["/freshservice/api/v2/tickets/42"] = [fault] * 3
    assert refusal(connect()).permanent is (fault in ("401", "html", "wrong-shape"))


@pytest.mark.parametrize("path", ["tickets/filter", "departments"])
def test_a_list_that_is_not_there_is_never_an_empty_one(apis: ClientApis, connect: Connect, path: str) -> None:
    apis.book.ticket("100001", 41, entry(1, "00:10"))
    for fault in ("404", "wrong-shape", "body {}", "body null"):
        apis.faults[f"/freshservice/api/v2/{path}"] = [fault]
        assert refusal(connect()).permanent


def test_departments_without_any_account_number_are_another_shape_and_not_tickets_of_nobody(
    apis: ClientApis, connect: Connect
) -> None:
    apis.book.ticket("100001", 41, entry(1, "00:10"))
    apis.book.departments[0]["custom_fields"] = {"account": "100001"}
    error = refusal(connect())
    assert error.permanent
    assert "custom_fields.account_number" in str(error)


def test_a_wrong_key_is_permanent_and_named_but_not_told(apis: ClientApis, connect: Connect) -> None:
    error = refusal(connect(key="hush-wrong"))
    assert error.permanent
    assert str(error).endswith("answered 401: is BILLING_FRESHSERVICE_API_KEY right?")
    assert len(apis.requests) == 1


def test_the_vendors_wait_is_kept(apis: ClientApis, connect: Connect, waits: list[float]) -> None:
    apis.faults["/freshservice"] = ["429 17"]
    connect().entries(SINCE)
    assert waits == [17]


def test_there_is_a_pause_between_pages(apis: ClientApis, connect: Connect, waits: list[float]) -> None:
    for number in range(1, 6):
        apis.book.ticket("100001", number)
    connect(pause=0.25).entries(SINCE)
    assert waits == [0.25, 0.25]
