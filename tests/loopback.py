"""A server of a test on this machine, for as long as a context lasts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

System = TypeVar("System")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], made: Callable[[int], System]) -> Iterator[System]:
    """What `made` gives for the port; the handler has it as `self.server.system`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    system = made(int(server.server_address[1]))
    server.system = system  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield system
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
