"""A Slack on loopback that the vendor's SDK talks to: an incoming webhook, and the two methods that notices need."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from tests.loopback import serving

WEBHOOK_PATH = "/services/T0000/B0000/hush-this-is-secret"
TOKEN = "xoxb-hush-this-is-secret"
CHANNEL = "C0123456789"


class Slack:
    """What arrived (`messages`: body as posted), and what the next requests are answered with (`faults`).

    Faults, taken in order: `429 <seconds>`, `500`, `503 <seconds>`, `slow` (no answer), `lost` (stored, then the
    connection is reset), `error <code>` (Slack's `ok: false`), `html` (a page that is not Slack's), `ok` (none).
    """

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.messages: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.faults: list[str] = []
        self.page = 100
        self.guard = threading.Lock()

    @property
    def webhook(self) -> str:
        return self.address + WEBHOOK_PATH

    @property
    def api(self) -> str:
        return self.address + "/api/"

    @property
    def keys(self) -> list[str]:
        """The keys in the metadata of what arrived."""
        return [message["metadata"]["event_payload"]["key"] for message in self.messages]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages]

    def history(self, oldest: float, cursor: int) -> dict[str, Any]:
        """A page of the channel as conversations.history gives it, newest first."""
        found = [m for m in reversed(self.messages) if m["ts"] > oldest]
        page = found[cursor : cursor + self.page]
        more = str(cursor + self.page) if len(found) > cursor + self.page else ""
        return {"ok": True, "messages": page, "response_metadata": {"next_cursor": more}}


@contextmanager
def slack_server() -> Iterator[Slack]:
    """A Slack that lives as long as the context."""
    with serving(_Handler, Slack) as slack:
        yield slack


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        slack: Slack = self.server.system  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with slack.guard:
            fault, _, detail = (slack.faults.pop(0) if slack.faults else "ok").partition(" ")
        if fault in ("429", "500", "503"):
            self._answer(int(fault), "rollup_error", {"Retry-After": detail} if detail else {})
        elif fault == "slow":
            time.sleep(1.5)
        elif fault == "html":
            self._answer(200, "<html>Sign in to the guest network</html>")
        elif self.path == WEBHOOK_PATH:
            self._webhook(slack, body, fault, detail)
        elif self.path == "/api/chat.postMessage":
            self._post(slack, body, fault, detail)
        elif self.path == "/api/conversations.history":
            self._history(slack, body, fault, detail)
        else:
            self._answer(404, "no_service")

    def _webhook(self, slack: Slack, body: str, fault: str, detail: str) -> None:
        if fault == "error":
            self._answer(403, detail)
            return
        self._store(slack, json.loads(body))
        self._hang_up() if fault == "lost" else self._answer(200, "ok")

    def _post(self, slack: Slack, body: str, fault: str, detail: str) -> None:
        if fault == "error" or self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._json({"ok": False, "error": detail or "invalid_auth"})
            return
        self._store(slack, json.loads(body))
        self._hang_up() if fault == "lost" else self._json({"ok": True, "channel": CHANNEL})

    def _history(self, slack: Slack, body: str, fault: str, detail: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        slack.asked.append(asked)
        if fault == "error":
            self._json({"ok": False, "error": detail})
        elif asked["channel"] != CHANNEL:
            self._json({"ok": False, "error": "channel_not_found"})
        else:
            self._json(slack.history(float(asked["oldest"]), int(asked.get("cursor") or 0)))

    def _store(self, slack: Slack, message: dict[str, Any]) -> None:
        with slack.guard:
            slack.messages.append({**message, "ts": time.time()})

    def _hang_up(self) -> None:
        """Reset the connection, as a machine between us and Slack may do."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.rfile.close()
        self.wfile = open("/dev/null", "wb")  # noqa: PTH123, SIM115

    def _json(self, document: dict[str, Any]) -> None:
        self._answer(200, json.dumps(document), {"Content-Type": "application/json; charset=utf-8"})

    def _answer(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""
