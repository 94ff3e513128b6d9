"""A Smartsheet on loopback that the vendor's SDK talks to, with the faults of a network and of the vendor."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.loopback import serving
from tests.smartsheet_book import Account, RefusedError

TOKEN = "hush-this-is-secret"
_ERRORS = {  # fault -> status, code, message
    "4000": (500, 4000, "An unexpected error has occurred."),
    "4001": (503, 4001, "Smartsheet.com is currently offline for system maintenance."),
    "4002": (500, 4002, "Server timeout exceeded."),
    "4003": (429, 4003, "Rate limit exceeded."),
    "4004": (500, 4004, "An unexpected error has occurred. Please retry your request."),
    "401": (401, 1002, "Your Access Token is invalid."),
    "403": (403, 1004, "You are not authorized to perform this action."),
    "404": (404, 1006, "Not Found"),
}


@dataclass
class _Fault:
    where: str
    kind: str
    times: int
    skip: int


class SmartsheetApi(Account):
    """What is there (`sheets`, `folders`), what was asked (`requests`: "GET /sheets/1"), and what goes wrong.

    `fail("POST .*/rows", "lost")`: the next request whose method and path match is answered with the fault. `skip`: so
    many matching ones before it are not; `times`: so many in a row are. Faults: `4000` ... `4004`, `401`, `403`, `404`;
    `500 html` (and 502, 503, 504), `html` (200 with a page), `html-applied` (the same, but it was done), `lost` (done,
    then the connection is reset), `reset` (not done), `half` (a page of a sheet or list without its last record),
    `slow` (done, but no answer in time), `null` (200 with JSON that says nothing), `redirect`.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.base = f"http://127.0.0.1:{port}/2.0"
        self.requests: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.guard = threading.Lock()
        self._faults: list[_Fault] = []
        self._later: list[tuple[str, Callable[[], Any]]] = []

    def fail(self, where: str, kind: str, *, times: int = 1, skip: int = 0) -> None:
        self._faults.append(_Fault(where, kind, times, skip))

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()

    def later(self, where: str, act: Callable[[], Any]) -> None:
        """Do something when the next request with this method and path was read: before a write, after a reading."""
        self._later.append((where, act))

    def due(self, request: str) -> None:
        for waiting in [waiting for waiting in self._later if re.fullmatch(waiting[0], request)][:1]:
            self._later.remove(waiting)
            waiting[1]()

    def asked(self, where: str) -> int:
        """How many requests had this method and path."""
        return sum(bool(re.fullmatch(where, request)) for request in self.requests)

    def fault(self, request: str) -> str:
        for fault in self._faults:
            if fault.times and re.fullmatch(fault.where, request):
                if fault.skip:
                    fault.skip -= 1
                    return ""
                fault.times -= 1
                return fault.kind
        return ""


@contextmanager
def smartsheet_api() -> Iterator[SmartsheetApi]:
    """A Smartsheet that lives as long as the context."""
    with serving(_Handler, SmartsheetApi) as api:
        yield api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        api: SmartsheetApi = self.server.system  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/2.0")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = self._body()
        request = f"{self.command} {path}"
        with api.guard:
            api.requests.append(request)
            api.queries.append(query)
            api.headers.append(dict(self.headers.items()))
            fault = api.fault(request)
        if not self._refused(api, path, fault):
            self._applied(api, path, query, body, fault)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  names of the base class

    def _refused(self, api: SmartsheetApi, path: str, fault: str) -> bool:
        """Whether the request was answered without doing anything."""
        if path != "/serverinfo" and self.headers["Authorization"] != f"Bearer {TOKEN}":
            fault = "401"
        status, _, html = fault.partition(" ")
        if fault in _ERRORS:
            self._error(fault)
        elif html or fault == "html":
            self._answer(int(status) if html else 200, "<html>Sign in to the guest network</html>", "text/html")
        elif fault == "reset":
            self._hang_up()
        elif fault == "null":
            self._answer(200, "null")
        elif fault == "redirect":
            self._answer(307, "", location=f"{api.base}{path}")
        else:
            return False
        return True

    def _applied(self, api: SmartsheetApi, path: str, query: dict[str, str], body: Any, fault: str) -> None:
        try:
            with api.guard:
                if self.command != "GET":
                    api.due(f"{self.command} {path}")
                document = api.answer(self.command, path, query, body)
                if self.command == "GET":
                    api.due(f"{self.command} {path}")
        except RefusedError as refusal:
            self._error(str(refusal))
            return
        except AssertionError as wrong:
            self._answer(400, json.dumps({"errorCode": 1041, "message": str(wrong), "refId": "a1"}))
            return
        if fault == "lost":
            self._hang_up()
        elif fault == "slow":
            time.sleep(0.8)
            self._hang_up()
        elif fault == "html-applied":
            self._answer(200, "<html>Sign in to the guest network</html>", "text/html")
        else:
            if fault == "half":
                del document["rows" if "rows" in document else "data"][-1:]
            self._answer(200, json.dumps(document))

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
        kind = self.headers["Content-Type"] or ""
        if not kind.startswith("multipart/"):
            return json.loads(raw) if raw else None
        (part,) = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw).get_payload()
        assert part.get_param("name", header="content-disposition") == "file"
        return part.get_filename(), part.get_payload(decode=True)

    def _hang_up(self) -> None:
        """Reset the connection, as a machine between us and Smartsheet may do."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.rfile.close()
        self.wfile = open("/dev/null", "wb")  # noqa: PTH123, SIM115

    def _error(self, fault: str) -> None:
        status, code, message = _ERRORS[fault]
        self._answer(status, json.dumps({"errorCode": code, "message": message, "refId": "a1"}))

    def _answer(self, status: int, body: str, kind: str = "application/json;charset=UTF-8", location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""
