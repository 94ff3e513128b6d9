"""A language model on loopback that speaks chat completions, and says what it is told to say."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import serving


class Model:
    """What was asked, and what the next answer is: a text, or a status, a body, silence."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.said: str | None = "3 findings are new."
        self.status = 200
        self.body: bytes | None = None
        self.silent = threading.Event()
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def answer(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": self.said}}]}).encode()


@contextmanager
def language_model() -> Iterator[Model]:
    """A model that lives as long as the context."""
    with serving(_Handler, Model) as model:
        try:
            yield model
        finally:
            model.silent.set()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        model: Model = self.server.system  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.asked.append((self.path, dict(self.headers), body))
        if model.status == 0:
            model.silent.wait(10)
            return
        self.send_response(model.status)
        self.send_header("Location", "http://elsewhere.example/")
        self.send_header("Content-Length", str(len(model.answer)))
        self.end_headers()
        self.wfile.write(model.answer)

    def log_message(self, *parts: object) -> None:
        """Silent."""
