"""Freshservice: the dated time entries of its tickets, and the client of each by its department.

What belongs here: addresses, paging and fields. What does not: what a worked time is, and what is billed (the engine).
Source: spec 2.2; quirks Q9, Q13-Q15, Q39.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import polars as pl

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import ENTRIES
from billing_pipeline.resources.upstream import PATIENT, NotFoundError, Options, UpstreamClient
from billing_pipeline.resources.upstream_answers import Answer, listing

SOURCE = "freshservice"
_KEY = "BILLING_FRESHSERVICE_API_KEY"
_GONE = ("6", "7")  # statuses: spam, deleted
_SMALLEST_PAGE = 30  # rows: the vendor's own page, which some of its lists give whatever is asked for


@dataclass(frozen=True, slots=True)
class TicketPull:
    """Time entries as a listing of texts, and the ids of the tickets whose entries were all read.

    What is known of a ticket outside `tickets` stays as it is; one in it has these entries and no others. `gone`: the
    tickets that are said to be deleted or spam, read or not.
    """

    entries: pl.DataFrame
    tickets: frozenset[str]
    gone: frozenset[str] = frozenset()


class Freshservice:
    """One account. `pause`: seconds between two pages; `most_pages`: how many the vendor gives of one query."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pause: float = 0.5,
        page_size: int = 100,
        most_pages: int = 40,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        options: Options = PATIENT,
    ) -> None:
        basic = "Basic " + base64.b64encode(f"{key}:X".encode()).decode()
        self._client = UpstreamClient(
            "Freshservice",
            f"{url.rstrip('/')}/api/v2",
            setting_url="BILLING_FRESHSERVICE_URL",
            setting_key=_KEY,
            authorization=basic,
            secrets=(key, basic),
            options=options,
        )
        self._sleep, self._pause, self._now = options.sleep, pause, now
        self._page_size, self._most_pages = page_size, most_pages

    def entries(self, since: datetime | None) -> TicketPull:
        """The time entries of every ticket updated since then (UTC or with a zone); None: of all. UpstreamError.

        A ticket that is deleted and does not show its entries is left out; any other failure fails the whole pull.
        """
        span = _CREATED if since is None else _Span("updated_at", since.astimezone(UTC), timedelta(seconds=1))
        tickets = self._tickets(span)
        accounts = self._accounts() if tickets.document else {}
        rows: list[dict[str, str | None]] = []
        read, gone = set(), set()
        for ticket in tickets.document:
            number = _id(tickets, ticket)
            shared = _of_ticket(tickets, ticket, accounts)
            entries = self._entries(number)
            if entries is not None:
                read.add(number)
                rows += (shared | _of_entry(entries, entry) for entry in entries.document)
            if entries is None or shared["deleted"] == "yes":
                gone.add(number)
        return TicketPull(listing(ENTRIES, rows), frozenset(read), frozenset(gone))

    def _entries(self, number: str) -> Answer | None:
        """The time entries of a ticket; None of one that is deleted, not of one whose entries cannot be found."""
        path = f"/tickets/{quote(number, safe='')}"
        try:
            return self._all(f"{path}/time_entries", "time_entries")
        except NotFoundError as missing:
            try:
                answer = self._client.get(path)
            except NotFoundError:
                return None
            if _is_gone(answer, answer.record("ticket")):
                return None
            raise missing from None

    def _accounts(self) -> dict[str, str | None]:
        """The account of each department. Not one of them with an account is a renamed field, not an empty book."""
        answer = self._all("/departments", "departments")
        account = ("custom_fields", "account_number")
        found = {_id(answer, record): answer.text(record, *account) for record in answer.document}
        if not any(found.values()):
            raise answer.misshapen("any `custom_fields.account_number`")
        return found

    def _tickets(self, span: "_Span") -> Answer:
        """The tickets of a span of time; halved for as long as they are more than the vendor gives of one query."""
        answer = self._pages("/tickets/filter", "tickets", {"query": span.query}, self._most_pages)
        if answer.document is not None:
            return answer
        halves = span.halves(self._now())
        if halves is None:
            told = f"{answer.where} has more than {self._most_pages} pages of tickets from {span.start}"
            raise UpstreamError(f"{told}, the shortest time that can be asked for", permanent=True)
        found = {_id(answer, ticket): ticket for half in halves for ticket in self._tickets(half).document}
        return replace(answer, document=list(found.values()))

    def _all(self, path: str, name: str) -> Answer:
        return self._pages(path, name, {}, None)

    def _pages(self, path: str, name: str, query: dict[str, str], most_pages: int | None) -> Answer:
        """The records of all pages, each once by its id; a document of None: there are more than `most_pages`."""
        found: dict[str, dict[str, Any]] = {}
        sizes: list[int] = []
        while True:
            page = len(sizes) + 1
            answer = self._client.get(path, query | {"page": str(page), "per_page": str(self._page_size)})
            rows = answer.rows(name)
            sizes.append(len(rows))
            known = len(found)
            found |= {_id(answer, row): row for row in rows}
            total = answer.number(answer.document, "total")
            if self._is_last(answer, rows, len(found), total):
                _check_whole(answer, len(found), total, sizes)
                return replace(answer, document=list(found.values()))
            if len(found) == known:
                raise UpstreamError(f"{answer.where} gave nothing new on page {page}", permanent=False)
            if most_pages and (page >= most_pages or (total or 0) > most_pages * len(rows)):
                return replace(answer, document=None)
            self._sleep(self._pause)

    def _is_last(self, answer: Answer, rows: list[dict[str, Any]], found: int, total: int | None) -> bool:
        """A short page is the last one, unless the vendor counts more or names a next one."""
        if not rows or total is not None:
            return not rows or found >= (total or 0)
        return not answer.more and len(rows) < min(self._page_size, _SMALLEST_PAGE)


@dataclass(frozen=True, slots=True)
class _Span:
    """Tickets by a time of theirs, from `start` to `end` (None: open), both included; `step` is its fineness."""

    field: str
    start: datetime
    step: timedelta
    end: datetime | None = None

    @property
    def query(self) -> str:
        """The vendor's filter, with the double quotes it wants."""
        end = f" AND {self.field}:<'{self._text(self.end)}'" if self.end else ""
        return f"\"{self.field}:>'{self._text(self.start)}'{end}\""

    def halves(self, now: datetime) -> "tuple[_Span, _Span] | None":
        """Two spans that overlap by a step, so that nothing falls between them; None of one too short for that."""
        length = (self.end or now) - self.start
        if length < 4 * self.step:
            return None
        middle = self.start + (length // 2 // self.step) * self.step
        return replace(self, end=middle), replace(self, start=middle - self.step)

    def _text(self, time: datetime) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ" if self.step < timedelta(days=1) else "%Y-%m-%d")


_CREATED = _Span("created_at", datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1))  # documented as a date


def _id(answer: Answer, record: dict[str, Any]) -> str:
    found = answer.text(record, "id")
    if not found:
        raise answer.misshapen("an `id` of every record")
    return found


def _check_whole(answer: Answer, found: int, total: int | None, sizes: list[int]) -> None:
    """Nothing is missing: as many as are said, or, where nothing is said, pages of one size before the last."""
    if total is not None and found < total:
        raise answer.incomplete(found, total)
    if total is None and (set(sizes[:-1]) - {sizes[0]} or sizes[-1] > sizes[0]):
        raise UpstreamError(f"{answer.where} gave a page with rows missing", permanent=False)


def _is_gone(answer: Answer, ticket: dict[str, Any]) -> bool:
    """Whether the vendor says that a ticket is deleted or spam; that it is absent says nothing. Source: Q13."""
    signs = (answer.text(ticket, "deleted"), answer.text(ticket, "spam"))
    return answer.text(ticket, "status", required=True) in _GONE or "yes" in signs


def _of_ticket(answer: Answer, ticket: dict[str, Any], accounts: dict[str, str | None]) -> dict[str, str | None]:
    return {
        "account": accounts.get(answer.text(ticket, "department_id", required=True) or ""),
        "ticket_id": _id(answer, ticket),
        "ticket": _id(answer, ticket),  # the vendor numbers tickets by their id
        "subject": answer.text(ticket, "subject"),
        "deleted": "yes" if _is_gone(answer, ticket) else "no",
    }


def _of_entry(answer: Answer, entry: dict[str, Any]) -> dict[str, str | None]:
    return {
        "source": SOURCE,
        "source_id": _id(answer, entry),
        "at": answer.text(entry, "executed_at") or answer.text(entry, "created_at"),
        "worked": answer.text(entry, "time_spent"),
        "billable": answer.text(entry, "billable"),
    }
