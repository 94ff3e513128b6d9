"""Decisions of people on flags, and their approvals of drafts: append-only, in the application's database.

What belongs here: writing and reading these facts, for a usage file. What does not: which are in force and what
they do to a row (engine.usage), and whether a month may be published (engine.close).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage import Decision, in_force
from billing_pipeline.resources.database.tables import approvals, decisions

__all__ = [
    "Approval",
    "Decision",
    "approvals_of",
    "approve",
    "approvers",
    "carried_over",
    "decide",
    "history",
    "in_force",
    "last_decision",
]


@dataclass(frozen=True, slots=True)
class Approval:
    """A person approved exactly the draft of this usage file, rules workbook and decisions up to `last_decision`."""

    period: Period
    usage_sha256: str
    rules_sha256: str
    last_decision: int
    approver: str
    approved_at: datetime
    reason: str = ""


def decide(connection: sa.Connection, new: Sequence[Decision]) -> None:
    """Append decisions in their order; earlier ones stay."""
    if new:
        connection.execute(decisions.insert(), [_values(decision) for decision in new])


def history(connection: sa.Connection, period: Period, usage_sha256: str) -> list[Decision]:
    """Every decision on a month's usage file, withdrawn ones included, oldest first."""
    found = sa.select(decisions).where(_of(decisions, period, usage_sha256)).order_by(decisions.c.id)
    return [_decision(row) for row in connection.execute(found)]


def last_decision(connection: sa.Connection, period: Period, usage_sha256: str) -> int:
    """The id of the last decision on a month's usage file, 0 without one: approvals name it."""
    found = sa.select(sa.func.max(decisions.c.id)).where(_of(decisions, period, usage_sha256))
    return connection.execute(found).scalar_one() or 0


def carried_over(connection: sa.Connection, period: Period, usage_sha256: str) -> list[Decision]:
    """The decisions in force on the month's usage file that was decided about last, other than this one."""
    other = (decisions.c.period == period.key) & (decisions.c.usage_sha256 != usage_sha256)
    found = sa.select(decisions.c.usage_sha256).where(other).order_by(sa.desc(decisions.c.id)).limit(1)
    earlier = connection.execute(found).scalar_one_or_none()
    return in_force(history(connection, period, earlier)) if earlier else []


def approve(connection: sa.Connection, approval: Approval) -> None:
    """Append an approval."""
    values = {name: getattr(approval, name) for name in Approval.__slots__}
    connection.execute(approvals.insert().values({**values, "period": approval.period.key}))


def approvers(
    connection: sa.Connection,
    period: Period,
    usage_sha256: str,
    rules_sha256: str,
    last_decision: int,
    since: datetime | None = None,
) -> tuple[str, ...]:
    """The different people who approved exactly this draft (after `since`), in the order they did; letter case makes
    no difference.
    """
    found = (
        sa.select(approvals.c.approver)
        .where(
            _of(approvals, period, usage_sha256),
            approvals.c.rules_sha256 == rules_sha256,
            approvals.c.last_decision == last_decision,
            approvals.c.approved_at > since if since else sa.true(),
        )
        .order_by(approvals.c.id)
    )
    people: dict[str, str] = {}
    for name in connection.execute(found).scalars():
        people.setdefault(name.strip().casefold(), name)
    return tuple(people.values())


def approvals_of(connection: sa.Connection, period: Period, usage_sha256: str) -> list[Approval]:
    """Every approval of a draft of this usage file, oldest first."""
    found = sa.select(approvals).where(_of(approvals, period, usage_sha256)).order_by(approvals.c.id)
    names = [name for name in Approval.__slots__ if name != "period"]
    return [Approval(period, **{name: row[name] for name in names}) for row in connection.execute(found).mappings()]


def _of(table: sa.Table, period: Period, usage_sha256: str) -> sa.ColumnElement[bool]:
    return (table.c.period == period.key) & (table.c.usage_sha256 == usage_sha256)


def _values(decision: Decision) -> dict[str, Any]:
    values = {name: getattr(decision, name) for name in Decision.__slots__ if name != "id"}
    return {**values, "period": decision.period.key}


def _decision(row: sa.Row[Any]) -> Decision:
    return Decision(**{**row._asdict(), "period": Period.parse(row.period)})
