"""JSON over HTTP from the systems that managed services are pulled from: one client for all of them.

What belongs here: time-outs, retries, limits, and what an answer means: there, not yet, or never. What does not: the
addresses and fields of a single system (directory, tickets, backups), and what the values mean (the engine).
Source: spec 2.1-2.3; quirks Q14, Q39, Q40.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)
from urllib3.exceptions import HTTPError

from billing_pipeline.engine.errors import UpstreamError, printable
from billing_pipeline.resources.redaction import redacted
from billing_pipeline.resources.upstream_answers import Answer
from billing_pipeline.resources.upstream_tokens import Tokens

_LONGEST_WAIT = 120.0  # seconds between two attempts, whatever the system asks for
_BLOCK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How patient a client is. Tests give a `sleep` that does not."""

    timeout: float = 30.0  # seconds to connect, and between two pieces of an answer
    deadline: float = 60.0  # seconds for a whole answer, however it drips
    attempts: int = 5
    first_wait: float = 1.0  # seconds; doubled with every attempt
    most_bytes: int = 256 << 20
    sleep: Callable[[float], None] = time.sleep


PATIENT = Options()


class NotFoundError(UpstreamError):
    """The system does not know the address: 404."""


class _GaveUpError(UpstreamError):
    """Asked often enough: transient, but not for whoever needed the answer for an own one (a token)."""


class _BusyError(UpstreamError):
    """Not now; `wait`: seconds the system asks for."""

    def __init__(self, message: str, wait: float | None) -> None:
        super().__init__(message, permanent=False)
        self.wait = wait


class UpstreamClient:
    """One system at one address. `setting_*`: the names of the settings to look at when it refuses.

    `authorization` is the header as it is sent, or tokens that are renewed once when the system refuses one.
    """

    def __init__(
        self,
        system: str,
        url: str,
        *,
        setting_url: str,
        setting_key: str,
        authorization: str | Tokens = "",
        secrets: Iterable[str] = (),
        options: Options = PATIENT,
    ) -> None:
        self._system, self._url = system, url.rstrip("/")
        self._setting_url, self._setting_key = setting_url, setting_key
        self._authorization, self._secrets, self._options = authorization, tuple(secrets), options
        self._session = requests.Session()
        self._back_off = wait_exponential_jitter(options.first_wait, max=_LONGEST_WAIT / 2, jitter=options.first_wait)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """What GET gives at a path, or at an absolute address of the same host. UpstreamError, NotFoundError."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, *, data: Mapping[str, str] | None = None, document: Any = None) -> Answer:
        """What POST of a form (`data`) or a JSON document gives; only for calls that may be repeated. UpstreamError."""
        return self._ask("POST", path, data=data, json=document)

    def _ask(self, method: str, path: str, **content: Any) -> Answer:
        url = path if "://" in path else self._url + path
        whom, shown = _parts(url)
        where = printable(redacted(f"{self._system}: {method} {shown}", self._secrets), 200)
        if whom != _parts(self._url)[0]:  # the credentials would go with it
            raise UpstreamError(f"{where} is on another host than {self._setting_url}: not asked", permanent=True)
        attempts = Retrying(
            sleep=self._options.sleep,
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            retry=retry_if_exception(_passes),
            before_sleep=before_sleep_log(_log, logging.WARNING),
            reraise=True,
        )
        try:
            return attempts(self._attempt, where, method, url, content)
        except UpstreamError as error:
            if not _passes(error):
                raise
            raise _GaveUpError(f"{error} (asked {self._options.attempts} times)", permanent=False) from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, _BusyError) else None
        return self._back_off(state) if asked is None else asked

    def _attempt(self, where: str, method: str, url: str, content: dict[str, Any]) -> Answer:
        reply = self._reply(where, method, url, content)
        if reply.status == 401 and isinstance(self._authorization, Tokens):
            self._authorization.forget()
            reply = self._reply(where, method, url, content)
        if not 200 <= reply.status < 300:
            raise self._refusal(where, reply)
        return Answer(where, _document(where, reply.body), reply.more)

    def _refusal(self, where: str, reply: "_Reply") -> UpstreamError:
        told = f"{where} answered {reply.status}"
        if reply.status == 429 or reply.status >= 500:
            return _BusyError(told, _seconds(reply.retry_after))
        if reply.status == 404:
            return NotFoundError(f"{told}: it is not there. Is {self._setting_url} right?", permanent=True)
        hint = {401: f"is {self._setting_key} right?", 403: f"may the account of {self._setting_key} read this?"}
        if 300 <= reply.status < 400:
            return UpstreamError(f"{told}: it points elsewhere. Is {self._setting_url} right?", permanent=True)
        return UpstreamError(f"{told}: {hint.get(reply.status, 'it does not take this request')}", permanent=True)

    def _reply(self, where: str, method: str, url: str, content: dict[str, Any]) -> "_Reply":
        """What one exchange brought, within the deadline. Texts of faults are ours: a library's may quote anything."""
        authorization = self._authorization() if isinstance(self._authorization, Tokens) else self._authorization
        limits = self._options
        try:
            work = partial(_exchange, self._session, method, url, authorization, limits, content)
            return _within(limits.deadline, work)
        except (TimeoutError, requests.Timeout):
            raise UpstreamError(f"{where} gave no whole answer in time", permanent=False) from None
        except requests.exceptions.SSLError as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            told = "its certificate is not trusted" if untrusted else "no safe connection"
            raise UpstreamError(f"{where}: {told}", permanent=untrusted) from None
        except OverflowError:
            raise UpstreamError(f"{where} gave more than {limits.most_bytes:,} bytes", permanent=True) from None
        except ValueError:  # an address or a header that cannot be
            settings = f"{self._setting_url} and {self._setting_key}"
            raise UpstreamError(f"{where} cannot be asked like this: are {settings} right?", permanent=True) from None
        except requests.ConnectionError:
            told = f"{where}: it cannot be reached. Is {self._setting_url} right?"
            raise UpstreamError(told, permanent=False) from None
        except (requests.RequestException, HTTPError, OSError):
            raise UpstreamError(f"{where}: the answer broke off", permanent=False) from None


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    retry_after: str
    more: bool


def _exchange(
    session: requests.Session, method: str, url: str, authorization: str, limits: Options, content: dict[str, Any]
) -> _Reply:
    def authorised(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if authorization:  # given as a function, so that no .netrc of the machine takes its place
            request.headers["Authorization"] = authorization
        return request

    end = time.monotonic() + limits.deadline
    asked = session.request(
        method,
        url,
        auth=authorised,
        timeout=limits.timeout,
        allow_redirects=False,
        stream=True,
        headers={"Accept": "application/json"},
        **content,
    )
    with asked as response:
        body = bytearray()
        while block := response.raw.read1(_BLOCK, decode_content=True):  # read() would wait for a whole block
            body += block
            if time.monotonic() > end:
                raise TimeoutError
            if len(body) > limits.most_bytes:
                raise OverflowError
        more = "next" in response.links
        return _Reply(response.status_code, bytes(body), response.headers.get("Retry-After", ""), more)


def _within(seconds: float, work: Callable[[], _Reply]) -> _Reply:
    """What the work gives, or TimeoutError: a time-out of a socket does not end a server that drips its first line."""
    result: Future[_Reply] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except Exception as error:  # noqa: BLE001  told to the one who waits
            result.set_exception(error)

    threading.Thread(target=run, name="upstream", daemon=True).start()
    return result.result(timeout=seconds)


def _document(where: str, body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        if body.lstrip()[:1] in (b"{", b"["):
            raise UpstreamError(f"{where} gave JSON that breaks off", permanent=False) from None
        raise UpstreamError(f"{where} gave something else than JSON (a sign-in page?)", permanent=True) from None


def _seconds(retry_after: str) -> float | None:
    """Retry-After, in seconds or as a date; None when it is neither."""
    text = retry_after.strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    left = (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(max(left.total_seconds(), 0.0), _LONGEST_WAIT)


def _passes(error: BaseException) -> bool:
    return isinstance(error, UpstreamError) and not error.permanent and not isinstance(error, _GaveUpError)


def _parts(url: str) -> tuple[tuple[str, str | None, int | None] | None, str]:
    """Whom the credentials are for, and the path; None of what is no address, which is then refused as it is asked."""
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)), parts.path
    except ValueError:
        return None, ""
