"""Runs of accruals that nobody asked for by hand: of which month, and under which key, so that none is made twice."""

from datetime import date, datetime

import dagster as dg

from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import accrue_month
from billing_pipeline.run_tags import ATTEMPT, CAUSE

SCHEDULED = "schedule"  # the cause of such a run, in its tags


def due_month(now: datetime, day: int) -> Period | None:
    """The month whose accrual is due at `now`, in the zone of the months: the present one from its day on, until then
    the one before. A month that is shorter has it on its last day. None when `day` is 0.

    >>> from datetime import UTC
    >>> [str(due_month(datetime(2026, 2, at, tzinfo=UTC), 30)) for at in (27, 28)]
    ['2026-01', '2026-02']
    """
    if not day:
        return None
    month = Period.of(now.date())
    return month if now.date() >= day_of(month, day) else month.previous


def day_of(month: Period, day: int) -> date:
    """The day of the month, or its last one when it has fewer."""
    return month.first.replace(day=min(day, month.last.day))


def accrual_request(period: Period, attempt: int, day: str = "") -> dg.RunRequest:
    """Ask for an attempt at the month's accrual; one of a `day` of its own when it was given up before."""
    return dg.RunRequest(
        job_name=accrue_month.name,
        run_key=":".join(["accrual", period.key, f"a{attempt}", *[day] * bool(day)]),
        partition_key=period.key,
        tags={CAUSE: SCHEDULED, ATTEMPT: str(attempt)},
    )
