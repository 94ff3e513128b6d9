"""Tokens that a system gives for a while: kept until shortly before they end, asked for anew after a refusal."""

import base64
import json
import threading
import time
from collections.abc import Callable

_MARGIN = 60.0  # seconds before its end a token is not used any more
UNKNOWN = 300.0  # seconds a token is kept that does not say when it ends


class Tokens:
    """`fetch` asks for a token and gives it with the seconds it lives. Calling gives the Authorization header."""

    def __init__(self, fetch: Callable[[], tuple[str, float]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._guard = threading.Lock()
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        with self._guard:
            if not self._token or self._clock() >= self._until:
                self._token, seconds = self._fetch()
                self._until = self._clock() + seconds - _MARGIN
            return f"Bearer {self._token}"

    def forget(self) -> None:
        """The system refused the token: the next call asks for another."""
        with self._guard:
            self._token = ""


def seconds_left(token: str) -> float:
    """How long a JSON web token lives by its own `exp`, which is read without verifying; 5 minutes if unknown.

    Source: spec 4.1.
    """
    payload = token.partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - time.time()
    except (ValueError, TypeError, KeyError):
        return UNKNOWN
