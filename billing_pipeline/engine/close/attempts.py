"""When a failed run is tried again, when that ends, and which failures people hear of.

What belongs here: the rule over the runs of one usage content, for whoever starts them. What does not: asking for the
runs, starting them, and the words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

_TOLD_FROM = 2  # a first failure may be a moment's: a lost connection, a killed process


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a month over one usage content; `ended` is set once it is no longer running."""

    number: int
    state: Literal["running", "succeeded", "failed", "cancelled"]
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """What follows the runs so far. `number` and `at` are those of the next attempt when it is due or comes later.

    running, succeeded: nothing to start. cancelled: a person stopped it, and a person starts it again. given_up: no
    further attempt is made.
    """

    step: Literal["due", "later", "running", "succeeded", "cancelled", "given_up"]
    number: int = 0
    at: datetime | None = None


def next_attempt(attempts: Sequence[Attempt], now: datetime, *, retry_seconds: int, limit: int) -> NextAttempt:
    """What follows the attempts made, oldest first; the last one decides. `limit` is how many are made in all.

    Attempt n + 1 is due `retry_seconds` * 2 ** (n - 1) after attempt n ended.

    >>> failed = Attempt(2, "failed", datetime(2026, 2, 1, 9, 0, tzinfo=UTC))
    >>> following = next_attempt([failed], datetime(2026, 2, 1, 9, 1, tzinfo=UTC), retry_seconds=60, limit=5)
    >>> (following.step, following.number, f"{following.at:%H:%M}")
    ('later', 3, '09:02')
    """
    if not attempts:
        return NextAttempt("due", 1, now)
    last = attempts[-1]
    if last.state != "failed":
        return NextAttempt(last.state)
    made = max(attempt.number for attempt in attempts)
    if made >= limit:
        return NextAttempt("given_up")
    pause = timedelta(seconds=retry_seconds * 2 ** (made - 1))
    at = (last.ended or now).astimezone(UTC) + pause  # clocks that are put on or back shorten and lengthen nothing
    return NextAttempt("due" if at <= now.astimezone(UTC) else "later", made + 1, at.astimezone(now.tzinfo))


def is_told(number: int, *, input_error: bool, limit: int) -> bool:
    """Whether people hear of failed attempt `number`: at once when an input is at fault, else from the second one on.

    When fewer than two attempts are made, the only one is told. Told once for each month and usage content, which is
    what the notice's key is for.
    """
    return input_error or number >= min(_TOLD_FROM, limit)
