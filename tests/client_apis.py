"""The three systems that managed services are pulled from, on loopback: company directory, Freshservice, Datto RMM.

They answer from a `Book`, page by page as the real ones do, and want the credentials below. `faults` says what goes
wrong, `requests` what was asked. With the proxies of a machine set, `NO_PROXY` has to hold 127.0.0.1.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.client_records import Book, Record
from tests.loopback import serving

API_KEY = "hush-freshservice-key"
DATTO_KEY, DATTO_SECRET = "hush-datto-key", "hush-datto-secret"


@dataclass(frozen=True, slots=True)
class Request:
    """A call that arrived. `path` is decoded; `query` is as `parse_qs` gives it, one value a name."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    body: str


class ClientApis:
    """The systems at `core_url`, `directory_url`, `freshservice_url` and `datto_url`.

    `faults`: what the next calls below a path are answered with, in order, e.g. `{"/datto/api": ["429 3", "html"]}`:
    a status (`401`, `404`, `500`; `429 <Retry-After>`), `html` (a sign-in page), `half` (the document breaks off),
    `short` (half the rows of a page, the counts as they were), `wrong-shape`, `redirect <address>`, `silent`, `drip`
    and `drip-head` (a piece every 50 ms, for as long as the server lives), `body <text>` (200 with that), `ok` (none).
    """

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.core_url = self.address + "/core"
        self.directory_url = self.address + "/directory"
        self.freshservice_url = self.address + "/freshservice"
        self.datto_url = self.address + "/datto"
        self.book = Book()
        self.faults: dict[str, list[str]] = {}
        self.requests: list[Request] = []
        self.page = 100  # rows at most, of Freshservice and Datto
        self.most_pages = 40  # of one ticket filter; the next is refused
        self.totals = True  # whether lists say how many there are
        self.bulk = True  # whether the directory knows /api/companies/bulk
        self.token_seconds = 3600  # how long a token says it lives
        self.issued = 0
        self.valid: set[str] = set()
        self.stopped = threading.Event()
        self.guard = threading.Lock()

    def paths(self, below: str = "/") -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.requests if request.path.startswith(below)]

    def expire(self) -> None:
        """Every token that was issued is refused from now on."""
        self.valid.clear()

    def fault(self, path: str) -> str:
        """The next fault of a path, taken from its queue."""
        with self.guard:
            for below, queue in self.faults.items():
                if path.startswith(below) and queue:
                    return queue.pop(0)
        return "ok"

    def token(self) -> str:
        """A new token, in the shape of a JSON web token."""
        with self.guard:
            self.issued += 1
            claims = {"exp": int(time.time()) + self.token_seconds, "number": self.issued}
            payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
            token = f"hush-token.{payload}.signature"
            self.valid.add(f"Bearer {token}")
            return token


@contextmanager
def client_apis() -> Iterator[ClientApis]:
    """The systems, for as long as the context lasts."""
    with serving(_Handler, ClientApis) as apis:
        try:
            yield apis
        finally:
            apis.stopped.set()


class _Refusal(Exception):  # noqa: N818
    """A status other than 200."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: each answer would wait 40 ms

    def do_GET(self) -> None:
        self._serve("")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _serve(self, body: str) -> None:
        apis: ClientApis = self.server.system  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        request = Request(self.command, unquote(parts.path), query, self.headers.get("Authorization") or "", body)
        apis.requests.append(request)
        fault, _, detail = apis.fault(request.path).partition(" ")
        if fault in _BROKEN:
            self._broken(apis, fault, detail)
            return
        if fault.isdecimal():
            self._answer(int(fault), {"message": "no"}, {"Retry-After": detail} if detail else {})
            return
        try:
            document, headers = _document(apis, request, parts.path, short=fault == "short")
        except _Refusal as refused:
            self._answer(int(str(refused)), {"message": "no"}, {})
            return
        if fault == "half":
            text = json.dumps(document).encode()
            self._send(200, text[: len(text) // 2], {"Content-Length": str(len(text)), "Connection": "close"})
            return
        self._answer(200, document, headers)

    def _broken(self, apis: ClientApis, fault: str, detail: str) -> None:
        self.close_connection = True
        if fault == "html":
            self._send(200, b"<html>Sign in</html>", {"Content-Type": "text/html", "Connection": "close"})
        elif fault == "body":
            self._send(200, detail.encode(), {"Connection": "close"})
        elif fault == "wrong-shape":
            self._answer(200, {"message": "moved"}, {})
        elif fault == "redirect":
            self._answer(302, {}, {"Location": detail})
        elif fault == "silent":
            apis.stopped.wait()
        else:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\n" + (b"" if fault == "drip-head" else b"Content-Length: 9999\r\n\r\n")
            )
            try:
                while not apis.stopped.wait(0.05):
                    self.wfile.write(b"X: y\r\n" if fault == "drip-head" else b" ")
            except OSError:  # the client had enough
                return

    def _answer(self, status: int, document: Any, headers: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        known = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._send(status, body, known | headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


_BROKEN = ("html", "body", "wrong-shape", "redirect", "silent", "drip", "drip-head")


def _document(apis: ClientApis, request: Request, raw: str, *, short: bool) -> tuple[Any, dict[str, str]]:
    """What the path gives, and headers. `raw`: the path as it was sent, for parts that hold a slash."""
    _, system, *rest = raw.split("/")
    systems: dict[str, Callable[[], Any]] = {
        "core": lambda: {"token": apis.token()},
        "directory": lambda: _directory(apis, request, [unquote(part) for part in rest]),
        "freshservice": lambda: _freshservice(apis, request, rest[2:], short),
        "datto": lambda: _datto(apis, request, rest, short),
    }
    if system not in systems:
        raise _Refusal("404")
    found = systems[system]()
    return found if isinstance(found, tuple) else (found, {})


def _directory(apis: ClientApis, request: Request, path: list[str]) -> Any:
    if request.authorization not in apis.valid:
        raise _Refusal("401")
    book = apis.book
    if path == ["api", "companies"]:
        return book.companies
    if path == ["api", "companies", "bulk"] and apis.bulk:
        accounts = [company["account_number"] for company in book.companies]
        return [
            {"company": company, "assets": book.assets.get(account, []), "contacts": book.contacts.get(account, [])}
            for company, account in zip(book.companies, accounts, strict=True)
        ]
    if len(path) == 4 and path[3] in ("assets", "contacts"):
        found: dict[str, list[Record]] = getattr(book, path[3])
        return found.get(path[2], [])
    raise _Refusal("404")


def _freshservice(apis: ClientApis, request: Request, path: list[str], short: bool) -> Any:
    if request.authorization != "Basic " + base64.b64encode(f"{API_KEY}:X".encode()).decode():
        raise _Refusal("401")
    book = apis.book
    if path == ["departments"]:
        return _numbered(apis, request, "departments", book.departments, short, total=False)
    if path == ["tickets", "filter"]:
        if int(request.query.get("page", 1)) > apis.most_pages:
            raise _Refusal("400")
        tickets = [ticket for ticket in book.tickets if _matches(ticket, request.query["query"])]
        return _numbered(apis, request, "tickets", tickets, short, total=apis.totals)
    if len(path) == 3 and path[2] == "time_entries" and int(path[1]) in book.time_entries:
        return _numbered(apis, request, "time_entries", book.time_entries[int(path[1])], short, total=False)
    for ticket in book.tickets:
        if path == ["tickets", str(ticket["id"])]:
            return {"ticket": ticket}
    raise _Refusal("404")


def _matches(ticket: Record, query: str) -> bool:
    """Whether a ticket is of a filter like `"updated_at:>'2026-01-01T00:00:00Z'"`; `:>` and `:<` include their end."""
    if not (query.startswith('"') and query.endswith('"')):
        raise _Refusal("400")
    terms = re.findall(r"(\w+):([<>])'([^']+)'", query)
    return bool(terms) and all(
        ticket[name] >= value if sign == ">" else ticket[name][: len(value)] <= value for name, sign, value in terms
    )


def _numbered(apis: ClientApis, request: Request, name: str, rows: list[Record], short: bool, *, total: bool) -> Any:
    """A page by its number, as Freshservice gives it: a Link header names the next one."""
    size = min(int(request.query.get("per_page", 30)), apis.page)
    first = (int(request.query.get("page", 1)) - 1) * size
    page = rows[first : first + size]
    document = {name: page[: len(page) // 2] if short else page} | ({"total": len(rows)} if total else {})
    return document, ({"Link": f'<{apis.address}>; rel="next"'} if first + size < len(rows) else {})


def _datto(apis: ClientApis, request: Request, path: list[str], short: bool) -> Any:
    if path == ["auth", "oauth", "token"]:
        form = {name: values[0] for name, values in parse_qs(request.body).items()}
        if form != {"grant_type": "password", "username": DATTO_KEY, "password": DATTO_SECRET}:
            raise _Refusal("401")
        return {"access_token": apis.token(), "token_type": "bearer", "expires_in": apis.token_seconds}
    if request.authorization not in apis.valid:
        raise _Refusal("401")
    book = apis.book
    if path == ["api", "v2", "account", "sites"]:
        return _linked(apis, request, "sites", book.sites, short)
    if len(path) == 5 and path[:3] == ["api", "v2", "site"] and path[4] in ("variables", "devices"):
        return _linked(apis, request, path[4], getattr(book, path[4]).get(path[3], []), short)
    raise _Refusal("404")


def _linked(apis: ClientApis, request: Request, name: str, rows: list[Record], short: bool) -> Any:
    """A page with the address of the next one, as Datto RMM gives it: pages count from 0."""
    page = int(request.query.get("page", 0))
    here = rows[page * apis.page : (page + 1) * apis.page]
    more = f"{apis.address}{request.path}?page={page + 1}" if len(rows) > (page + 1) * apis.page else None
    details = {"count": len(here), "totalCount": len(rows), "prevPageUrl": None, "nextPageUrl": more}
    return {"pageDetails": details, name: here[: len(here) // 2] if short else here}
