"""Releases: what of a month was sent, in order; release 1 of its billing is the month, every later one its adjustments.

A month's accrual is a release of its own capability: made once, and again only when the one before was taken back.

A release is `preparing` until its run set is committed, then `published`; `void` when it was taken back before the ERP
had imported it. A preparing release that a crash left behind is finished or dropped by the month's next run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from billing_pipeline.engine.close import states
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database.tables import period_closings, releases
from billing_pipeline.run_tags import BILLING, CAPABILITIES

PREPARING, PUBLISHED, VOID = "preparing", "published", "void"


@dataclass(frozen=True, slots=True)
class Release:
    """One release. `billed`: what the ERP holds of the month with it; `difference`: what it adds. Times are UTC."""

    period: Period
    number: int
    state: str
    run_id: str
    usage_sha256: str
    rules_sha256: str
    last_decision: int
    billed: Decimal
    difference: Decimal
    prepared_at: datetime
    published_at: datetime | None = None
    placed_at: datetime | None = None
    imported_at: datetime | None = None
    imported_by: str = ""
    voided_at: datetime | None = None
    voided_by: str = ""
    void_reason: str = ""
    capability: str = BILLING


def releases_of(connection: sa.Connection, period: Period, capability: str = BILLING) -> list[Release]:
    """Every release of the month, void ones included, oldest first."""
    mine = (releases.c.period == period.key) & (releases.c.capability == capability)
    found = sa.select(releases).where(mine).order_by("number")
    return [_release(row) for row in connection.execute(found)]


def all_releases(connection: sa.Connection, *capabilities: str) -> list[Release]:
    """Every release of every month, in order; those of every capability when none is named."""
    found = sa.select(releases).where(releases.c.capability.in_(capabilities or CAPABILITIES))
    return [_release(row) for row in connection.execute(found.order_by("capability", "period", "number"))]


def current(connection: sa.Connection, period: Period, capability: str = BILLING) -> Release | None:
    """The month's last published release."""
    published = [release for release in releases_of(connection, period, capability) if release.state == PUBLISHED]
    return published[-1] if published else None


def last_voided(made: Iterable[Release]) -> datetime | None:
    """When a release was last taken back: what was approved before that approves nothing any more."""
    return max((release.voided_at for release in made if release.voided_at), default=None)


def unfinished(connection: sa.Connection, period: Period, capability: str = BILLING) -> Release | None:
    """The release that a crash left: preparing, or published with named files not yet in place."""
    found = [
        release
        for release in releases_of(connection, period, capability)
        if release.state == PREPARING or (release.state == PUBLISHED and release.placed_at is None)
    ]
    return found[-1] if found else None


def prepare(connection: sa.Connection, release: Release) -> None:
    """Note the release before its set is committed; a number that is taken is an IntegrityError."""
    values = {name: getattr(release, name) for name in Release.__slots__}
    values |= {"period": release.period.key, "billed": str(release.billed), "difference": str(release.difference)}
    connection.execute(releases.insert().values(values))


def drop(connection: sa.Connection, release: Release) -> None:
    """Forget a release whose set was never committed."""
    connection.execute(releases.delete().where(_this(release), releases.c.state == PREPARING))


def mark(connection: sa.Connection, release: Release, **changes: Any) -> None:
    """Record what became of the release: state, times, who."""
    connection.execute(releases.update().where(_this(release)).values(**changes))


def set_closed(connection: sa.Connection, period: Period, *, closed: bool, by: str, reason: str, at: datetime) -> None:
    """Record that the ledger takes no more entries of the month, or takes them again."""
    connection.execute(period_closings.insert().values(period=period.key, closed=closed, by=by, reason=reason, at=at))


def closed_periods(connection: sa.Connection) -> set[Period]:
    """The months whose ledger period is closed."""
    last = sa.select(sa.func.max(period_closings.c.id)).group_by(period_closings.c.period)
    found = sa.select(period_closings.c.period).where(period_closings.c.id.in_(last), period_closings.c.closed)
    return {Period.parse(row.period) for row in connection.execute(found)}


def sent_state(connection: sa.Connection, period: Period) -> str:
    """The state of a month that was sent and waits for nobody: closed when its ledger period is."""
    return states.CLOSED if period in closed_periods(connection) else states.PUBLISHED


def _this(release: Release) -> sa.ColumnElement[bool]:
    which = (releases.c.period == release.period.key) & (releases.c.number == release.number)
    return which & (releases.c.capability == release.capability)


def _release(row: sa.Row[Any]) -> Release:
    values = row._asdict()
    amounts = {name: Decimal(values[name]) for name in ("billed", "difference")}
    return Release(**{**values, **amounts, "period": Period.parse(row.period)})
