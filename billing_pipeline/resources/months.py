"""What became of each month: an append-only list of events in the application's database; the last one is its state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database.tables import month_events


@dataclass(frozen=True, slots=True)
class MonthEvent:
    """A month came into `state` by a run over one usage file, one rules workbook and the decisions up to one of them.

    `detail` is what people want to know of it: amounts as text, counts, reasons.
    """

    period: Period
    state: str
    at: datetime
    run_id: str = ""
    usage_name: str = ""
    usage_sha256: str = ""
    rules_sha256: str = ""
    last_decision: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


def record(connection: sa.Connection, event: MonthEvent) -> None:
    """Append the event."""
    connection.execute(month_events.insert().values(**{**asdict(event), "period": event.period.key}))


def events_of(connection: sa.Connection, period: Period) -> list[MonthEvent]:
    """A month's events, oldest first."""
    found = sa.select(month_events).where(month_events.c.period == period.key).order_by("id")
    return [_event(row) for row in connection.execute(found)]


def latest(connection: sa.Connection, period: Period) -> MonthEvent | None:
    """The month's last event, if there is one."""
    found = sa.select(month_events).where(month_events.c.period == period.key).order_by(sa.desc("id")).limit(1)
    row = connection.execute(found).first()
    return _event(row) if row else None


def latest_of_all(connection: sa.Connection) -> list[MonthEvent]:
    """The last event of every month, months in order."""
    last = sa.select(sa.func.max(month_events.c.id)).group_by(month_events.c.period)
    found = sa.select(month_events).where(month_events.c.id.in_(last)).order_by("period")
    return [_event(row) for row in connection.execute(found)]


def contents(connection: sa.Connection) -> set[tuple[str, str]]:
    """Every usage content that reached a verdict: period key and SHA-256."""
    found = sa.select(month_events.c.period, month_events.c.usage_sha256).where(month_events.c.usage_sha256 != "")
    return {(row.period, row.usage_sha256) for row in connection.execute(found.distinct())}


def _event(row: sa.Row[Any]) -> MonthEvent:
    values = row._asdict()
    del values["id"]
    return MonthEvent(**{**values, "period": Period.parse(row.period)})
