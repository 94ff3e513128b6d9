"""Leases: one writer for each month of each capability, whoever it is: a run, a backfill, a command.

The queue's tag limit keeps runs apart, but commands pass it by; the lease row in the application's database holds for
all of them. Its holder moves the expiry on by a heartbeat; a holder that died is taken over when its lease has expired.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import dagster as dg
import sqlalchemy as sa

from billing_pipeline.engine.errors import MonthHeldError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.database.tables import leases
from billing_pipeline.run_tags import BILLING, PARTITION, WRITER

_POLL = 0.5  # seconds between two tries for a lease that somebody else holds
_WAIT = 900.0  # seconds a run waits for its month: longer than a close, shorter than a run may last
_ME = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:12]}"


@dataclass(slots=True)
class _Held:
    """A lease of this process, and how often it was entered."""

    stop: threading.Event = field(default_factory=threading.Event)
    entered: int = 1


_held: dict[tuple[int, str], _Held] = {}
_guard = threading.Lock()


def month_lease(capability: str, period: Period) -> str:
    """The name of the lease on what one capability makes of a month; its runs carry it as their tag billing/writer."""
    return f"{capability}:{period.key}"


@contextmanager
def lease(database: Database, name: str, *, seconds: float, wait: float = 0.0) -> Iterator[None]:
    """Hold `name` (again, if this process already does); MonthHeldError when another holds it longer than `wait`."""
    key = (id(database), name)
    with _guard:
        held = _held.get(key)
        if held:
            held.entered += 1
    if held is None:
        _acquire(database, name, seconds, wait)
        held = _Held()
        with _guard:
            _held[key] = held
        beat = threading.Thread(target=_beat, args=(database, name, seconds, held.stop), daemon=True, name=name)
        beat.start()
    try:
        yield
    finally:
        with _guard:
            held.entered -= 1
            last = held.entered == 0
            if last:
                del _held[key]
        if last:
            held.stop.set()
            database.run(lambda connection: connection.execute(leases.delete().where(_mine(name))))


def confirm(connection: sa.Connection, name: str, seconds: float) -> None:
    """Make sure, in the transaction that writes, that this process still holds `name`; MonthHeldError otherwise."""
    if not connection.execute(leases.update().where(_mine(name)).values(expires_at=_expiry(seconds))).rowcount:
        raise MonthHeldError(f"{name} was taken over by another run, because this one was silent for too long")


def holders(connection: sa.Connection) -> list[tuple[str, str, datetime]]:
    """Name, holder and expiry of every lease, by name."""
    return [(row.name, row.holder, row.expires_at) for row in connection.execute(sa.select(leases).order_by("name"))]


class MonthWriter(dg.ConfigurableResource["MonthWriter"]):
    """Holds the month of a run from its first step to its last, so that nobody else writes its frames meanwhile.

    Faults: MonthHeldError when another run or command holds the month for a quarter of an hour.
    """

    database: dg.ResourceDependency[Database]
    seconds: float = 30

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["MonthWriter"]:
        tags = context.run.tags if context.run else {}
        if PARTITION not in tags and WRITER not in tags:
            yield self
            return
        name = tags.get(WRITER) or month_lease(BILLING, Period.parse(tags[PARTITION]))
        with lease(self.database, name, seconds=self.seconds, wait=_WAIT):
            yield self


def _acquire(database: Database, name: str, seconds: float, wait: float) -> None:
    give_up = time.monotonic() + wait
    while not database.run(lambda connection: _take(connection, name, _ME, _expiry(seconds))):
        if time.monotonic() >= give_up:
            holder = database.run(lambda c: c.execute(sa.select(leases.c.holder).where(leases.c.name == name)).scalar())
            where = f" on {holder.split(':')[0]}, process {holder.split(':')[1]}" if holder else ""
            raise MonthHeldError(f"another run{where} holds {name} just now; try again when it has finished")
        time.sleep(_POLL)


def _take(connection: sa.Connection, name: str, me: str, expiry: datetime) -> bool:
    free = (leases.c.name == name) & ((leases.c.expires_at < datetime.now(UTC)) | (leases.c.holder == me))
    if connection.execute(leases.update().where(free).values(holder=me, expires_at=expiry)).rowcount:
        return True
    with suppress(sa.exc.IntegrityError), connection.begin_nested():  # somebody else was first
        connection.execute(leases.insert().values(name=name, holder=me, expires_at=expiry))
        return True
    return False


def _beat(database: Database, name: str, seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds / 3):
        beat = leases.update().where(_mine(name)).values(expires_at=_expiry(seconds))
        with suppress(sa.exc.SQLAlchemyError):  # the next beat tries again; `confirm` has the last word
            database.run(partial(sa.Connection.execute, statement=beat))


def _mine(name: str) -> sa.ColumnElement[bool]:
    return (leases.c.name == name) & (leases.c.holder == _ME)


def _expiry(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
