"""The outbox: what people are told, stored with its fact in one transaction, delivered by a worker that may be killed.

What belongs here: the table's rows, from posted to delivered, and what a channel has to offer. What does not: the
channels themselves and every text. A worker claims a notice by counting its attempt; a claim whose end was not recorded
leaves the notice `attempting`, and whoever comes after it asks the channel first whether the message arrived.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from billing_pipeline.engine.errors import BillingError, printable
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.database.tables import outbox

CLAIM = timedelta(seconds=30)  # a channel answers sooner; a worker silent for longer has died, and another takes over
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)
_LONGEST_ASKED = timedelta(days=1)  # of a Retry-After
_FAILING = 5  # attempts after which a notice is a matter for a person
_UNRECOGNISED = "the channel failed in an unforeseen way"


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are to be told. `key` names the fact: it is told once. `message`: `text` and Slack's `blocks`."""

    key: str
    kind: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice not yet delivered; `failing` after so many attempts that somebody should look at `last_error`."""

    key: str
    kind: str
    attempts: int
    last_error: str
    created_at: datetime
    due_at: datetime

    @property
    def failing(self) -> bool:
        return self.attempts >= _FAILING and self.last_error != ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery did: notices confirmed, and attempts that failed and will be made again."""

    sent: int = 0
    failed: int = 0


class _ChannelError(BillingError):
    """An attempt failed. `retry_after`: the seconds the other side asks to wait. The text holds no secret."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class NotSentError(_ChannelError):
    """The message did not arrive, for certain."""


class UnclearError(_ChannelError):
    """No answer, or one that leaves it open whether the message arrived."""


class Channel(Protocol):
    """Where notices go."""

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:
        """Send once, answer within CLAIM. `repeat`: an earlier attempt may have arrived. NotSentError, UnclearError."""

    def has(self, key: str, since: datetime) -> bool | None:
        """Whether the message arrived (posted not before `since`); None: this channel cannot tell. Errors as send."""


def post(connection: sa.Connection, notice: Notice, now: datetime) -> bool:
    """Store the notice in the caller's transaction, beside its fact; False when the key was posted before."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"key": notice.key, "kind": notice.kind, "message": dict(notice.message), "created_at": now, "due_at": now}
    posted = insert(outbox).values(row).on_conflict_do_nothing(index_elements=["key"]).returning(outbox.c.id)
    return connection.execute(posted).first() is not None


def waiting(connection: sa.Connection) -> list[Waiting]:
    """Every notice not yet delivered, oldest first."""
    columns = [outbox.c[name] for name in Waiting.__slots__]
    found = sa.select(*columns).where(outbox.c.delivered_at.is_(None)).order_by(outbox.c.id)
    return [Waiting(**row._asdict()) for row in connection.execute(found)]


def deliver(database: Database, channel: Channel, clock: Callable[[], datetime], most: int = 20) -> Delivered:
    """Send what is due, oldest first, one at a time, at most `most`. Faults of the channel are recorded, not raised.

    A notice whose attempt failed is due again after a pause that doubles, and no sooner than the other side asked.
    """
    sent = failed = 0
    for _ in range(most):
        claimed = database.run(lambda connection: _claim(connection, clock()))
        if claimed is None:
            break
        if _deliver(database, channel, clock, claimed):
            sent += 1
        else:
            failed += 1
    return Delivered(sent, failed)


def _claim(connection: sa.Connection, now: datetime) -> sa.Row[Any] | None:
    """The oldest notice due, now this worker's until CLAIM has passed; as it was before, its attempt not counted."""
    due = outbox.c.delivered_at.is_(None) & (outbox.c.due_at <= now)
    first = sa.select(outbox).where(due).order_by(outbox.c.id).limit(1)
    while row := connection.execute(first).first():
        mine = outbox.update().where(outbox.c.id == row.id, outbox.c.attempts == row.attempts)
        if connection.execute(mine.values(attempting=True, attempts=row.attempts + 1, due_at=now + CLAIM)).rowcount:
            return row
    return None


def _deliver(database: Database, channel: Channel, clock: Callable[[], datetime], row: sa.Row[Any]) -> bool:
    arrived = None if row.attempting else False  # None: nobody knows what became of an earlier attempt
    try:
        if row.attempting:
            arrived = channel.has(row.key, row.created_at)
        if not arrived:
            channel.send(row.key, row.message, repeat=arrived is None)
    except (NotSentError, UnclearError) as error:
        unclear = arrived is None or isinstance(error, UnclearError)
        _failed(database, row, clock(), str(error), attempting=unclear, pause=error.retry_after)
        return False
    except Exception as error:  # noqa: BLE001 - nothing a channel does may stop the notices after this one
        _failed(database, row, clock(), f"{_UNRECOGNISED} ({type(error).__name__})", attempting=True)
        return False
    done = outbox.update().where(outbox.c.id == row.id)
    done = done.values(attempting=False, last_error="", delivered_at=clock())
    database.run(lambda connection: connection.execute(done))
    return True


def _failed(
    database: Database, row: sa.Row[Any], now: datetime, error: str, *, attempting: bool, pause: float = 0.0
) -> None:
    """Record the failure, unless another worker took the notice over meanwhile."""
    asked = min(timedelta(seconds=pause), _LONGEST_ASKED)
    doubled = min(_FIRST_PAUSE * 2 ** min(row.attempts, 10), _LONGEST_PAUSE)
    mine = outbox.update().where(outbox.c.id == row.id, outbox.c.attempts == row.attempts + 1)
    values = {"attempting": attempting, "last_error": printable(error, 300), "due_at": now + max(asked, doubled)}
    database.run(lambda connection: connection.execute(mine.values(values)))
