"""One call to Smartsheet through its official SDK: time-outs, retries by the kind of fault, what an answer means.

What belongs here: everything that is the same for each call. What does not: the calls themselves (smartsheet), what a
sheet's cells mean (audit_sheets). The SDK is built for people at a prompt, so much of it is switched off here: it
repeats a POST whose answer was lost, waits at most half a minute for a quota of a minute, waits forever for a socket,
and gives a sign-in page back as a result. Source: spec 5 (retries), 7.1-7.3; Q18, Q37, Q38, Q41.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
import smartsheet
from requests.adapters import BaseAdapter, HTTPAdapter
from smartsheet.exceptions import ApiError, HttpError, UnexpectedRequestError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from urllib3.exceptions import NewConnectionError
from urllib3.util import Retry

from billing_pipeline.engine.errors import InputError, UpstreamError, printable
from billing_pipeline.resources.redaction import redacted
from billing_pipeline.resources.upstream_answers import Answer

AGENT = "billing-pipeline"  # how Smartsheet names our edits
_TOKEN, _BASE = "SMARTSHEET_API_TOKEN", "SMARTSHEET_API_BASE"
_MINUTE = 60.0
_RATE_LIMIT, _MAINTENANCE = 4003, 4001  # turned away before anything is done
_MAY_HAVE_DONE = (4000, 4002, 4004)
_PASSING = (500, 502, 503, 504)
_STUMBLES = (ApiError, ValueError, TypeError, AttributeError, KeyError, AssertionError)  # of the SDK over an answer
_HINTS = {
    401: f"is {_TOKEN} right?",
    403: f"may the account of {_TOKEN} do this?",
    404: f"is the id right, and is it shared with the account of {_TOKEN}?",
}
logging.getLogger("smartsheet").setLevel(logging.CRITICAL + 1)  # it logs whole answers: names, prices
Call = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a client is. Tests give a `sleep` that does not."""

    connect: float = 10.0  # seconds
    timeout: float = 60.0  # seconds between two pieces of an answer
    attempts: int = 4
    page: int = 1000  # rows of a sheet in one answer
    histories: int = 30  # calls for a cell's history in a minute: the vendor's limit for a token
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


PATIENT = Pace()


class UnclearWriteError(UpstreamError):
    """Whether a write was applied is not known. It is never repeated: read first, then send what is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}; whether it was written is not known", permanent=False)


class _PassingError(UpstreamError):
    """Not now, and nothing was done that asking again would do twice."""

    def __init__(self, message: str, *, quota: bool = False) -> None:
        self.quota = quota
        super().__init__(message, permanent=False)


class Allowance:
    """So many calls in any minute: the next one waits until the first of them is a minute old."""

    def __init__(self, most: int, pace: Pace) -> None:
        self._taken: deque[float] = deque(maxlen=most)
        self._pace = pace
        self._one_at_a_time = threading.Lock()

    def take(self) -> None:
        """Wait for a place. Source: spec 7.6."""
        with self._one_at_a_time:
            if len(self._taken) == self._taken.maxlen:
                wait = self._taken[0] + _MINUTE - self._pace.clock()
                if wait > 0:
                    self._pace.sleep(wait)
            self._taken.append(self._pace.clock())


class SmartsheetClient:
    """Smartsheet at one address with one token. Without `writes`, nothing but GET leaves this machine."""

    def __init__(self, token: str, base: str, *, pace: Pace = PATIENT, writes: bool = True) -> None:
        if not token:  # the SDK would take one from a variable of its own
            raise InputError(f"{_TOKEN} is not set: nothing can be asked of Smartsheet")
        self.pace, self._token = pace, token
        self._sdk = smartsheet.Smartsheet(token, user_agent=AGENT, max_retry_time=0, api_base=base.rstrip("/"))
        self._sdk.errors_as_exceptions()
        self._sdk.with_change_agent(AGENT)
        session = self._sdk._session  # the SDK has no other door to it
        session.max_redirects = 0  # a redirect repeats the request, and takes the token along
        self._last = threading.local()
        for scheme in ("http://", "https://"):
            door = _Door(session.get_adapter(scheme), self._last, pace, writes)
            session.mount(scheme, door)
        self._histories = Allowance(pace.histories, pace)

    def read(self, what: str, call: Call, expected: type, *, history: bool = False) -> Answer:
        """What the SDK's call gives, as a document; `history`: it counts as a call for a cell's history.

        UpstreamError: permanent for what asking again does not change; everything else was asked several times.
        """
        return self._ask(what, call, expected, self._histories.take if history else None)

    def write(self, what: str, call: Call, expected: type, *, repeatable: bool) -> Answer:
        """As `read`. Not `repeatable` (a POST): UnclearWriteError at once when it may have been applied."""
        answer = self._ask(what, call, expected, blind=not repeatable)
        if not isinstance(answer.document, dict) or answer.document.get("resultCode") != 0:
            raise UnclearWriteError(f"{answer.where} gave an answer without `resultCode` 0")
        return answer

    def _ask(
        self, what: str, call: Call, expected: type, before: Callable[[], None] | None = None, *, blind: bool = False
    ) -> Answer:
        where = f"Smartsheet: {what}"
        attempts = Retrying(
            sleep=self.pace.sleep,
            stop=stop_after_attempt(self.pace.attempts),
            wait=_wait,
            retry=retry_if_exception_type(_PassingError),
            before=lambda _: before() if before else None,
            reraise=True,
        )
        try:
            return attempts(self._attempt, where, call, expected, blind)
        except _PassingError as error:
            raise UpstreamError(f"{error} (asked {self.pace.attempts} times)", permanent=False) from None

    def _attempt(self, where: str, call: Call, expected: type, blind: bool) -> Answer:
        """Texts of faults are ours: a library's may quote anything."""
        self._last.response = reply = None
        try:
            reply = call(self._sdk)
        except HttpError as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error.__cause__)
            if untrusted:
                raise UpstreamError(f"{where}: its certificate is not trusted", permanent=True) from None
            raise _lost(f"{where}: the safe connection broke off", blind) from None
        except UnexpectedRequestError as error:
            raise _unanswered(where, error.__cause__, blind) from None
        except _STUMBLES:
            reply = None
        response: requests.Response | None = self._last.response
        if response is None:
            settings = f"{_BASE} and {_TOKEN}"
            raise UpstreamError(f"{where} cannot be asked like this: are {settings} right?", permanent=True)
        if not 200 <= response.status_code < 300:
            raise self._refusal(where, response, blind)
        if not isinstance(reply, expected):
            told = f"{where} gave something else than its answer (a sign-in page?)"
            raise UnclearWriteError(told) if blind else UpstreamError(told, permanent=True)
        return Answer(where, _document(response))

    def _refusal(self, where: str, response: requests.Response, blind: bool) -> UpstreamError:
        status = response.status_code
        try:
            found = _document(response)
        except ValueError:
            found = None
        document: Mapping[str, Any] = found if isinstance(found, dict) else {}
        code, said = document.get("errorCode"), printable(redacted(str(document.get("message", "")), [self._token]))
        told = f"{where} answered {status}" + (f" ({code}: {said})" if code else "")
        if status == 429 or code == _RATE_LIMIT:
            return _PassingError(told, quota=True)
        if code == _MAINTENANCE:
            return _PassingError(told)
        if status in _PASSING or code in _MAY_HAVE_DONE:
            return _lost(told, blind)
        if status >= 500 and blind:
            return UnclearWriteError(told)
        return UpstreamError(f"{told}: {_HINTS.get(status, 'it does not take this request')}", permanent=True)


class _Door(BaseAdapter):
    """The SDK's own adapter with its TLS settings, but with a time-out, without replays; it keeps the last answer."""

    def __init__(self, inner: HTTPAdapter, last: threading.local, pace: Pace, writes: bool) -> None:
        super().__init__()
        inner.max_retries = Retry(0, read=False)  # the SDK's repeats a POST. Source: spec 7.2
        self._inner, self._last, self._writes = inner, last, writes
        self._timeout = (pace.connect, pace.timeout)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        if request.method != "GET" and not self._writes:
            raise requests.exceptions.InvalidSchema("this client cannot write")
        response = self._inner.send(request, **{**options, "timeout": self._timeout})
        self._last.response = response
        return response

    def close(self) -> None:
        self._inner.close()


def _wait(state: RetryCallState) -> float:
    """Seconds before the next attempt: a minute and a half at most in all. Source: spec 5, the table of retries."""
    error = state.outcome.exception() if state.outcome else None
    tried = state.attempt_number
    return 15.0 * tried if isinstance(error, _PassingError) and error.quota else 2.0 ** (tried - 1) + 0.5


def _unanswered(where: str, cause: BaseException | None, blind: bool) -> UpstreamError:
    if isinstance(cause, requests.TooManyRedirects):
        return UpstreamError(f"{where}: it points elsewhere. Is {_BASE} right?", permanent=True)
    if isinstance(cause, requests.exceptions.InvalidSchema):
        return UpstreamError(f"{where}: it cannot be asked like this. Is {_BASE} right?", permanent=True)
    reason = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    if isinstance(cause, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):  # nothing was sent
        return _PassingError(f"{where}: it cannot be reached. Is {_BASE} right?")
    told = "gave no answer in time" if isinstance(cause, requests.Timeout) else "broke off without an answer"
    return _lost(f"{where} {told}", blind)


def _lost(told: str, blind: bool) -> UpstreamError:
    return UnclearWriteError(told) if blind else _PassingError(told)


def _document(response: requests.Response) -> Any:
    """The answer with its numbers as they were written: an amount never becomes a float."""
    return json.loads(response.content, parse_float=Decimal, parse_constant=str)
