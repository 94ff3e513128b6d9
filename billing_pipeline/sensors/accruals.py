"""The sensor `accruals`: an accrual that failed is tried again, and when accrual and bill of a month are both out,
their variance is asked for, once a pair.

What belongs here: ask, decide, request. What does not: when an accrual is begun (`schedules.accruals`), the comparison.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import sqlalchemy as sa

from billing_pipeline.engine.close.attempts import next_attempt
from billing_pipeline.jobs import accrue_month, explain_variance
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.releases import Release
from billing_pipeline.run_tags import ACCRUAL_RUN, ACCRUALS, ATTEMPT, BILL_RUN, BILLING, CAUSE
from billing_pipeline.sensors.accrual_runs import SCHEDULED, accrual_request, due_month
from billing_pipeline.sensors.runs import EVERY_LOOP, attempts_for
from billing_pipeline.settings import Settings

_NAME = "accruals"
_LOOKED_BACK = timedelta(days=90)  # to the later of the two: older pairs are compared, or nobody waits for them


def accruals_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running by itself unless it is switched off."""

    @dg.sensor(
        name=_NAME,
        jobs=[accrue_month, explain_variance],
        minimum_interval_seconds=EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of(_NAME)),
        description="Tries an accrual that failed again, at growing intervals. Compares a month's accrual with its bill"
        " as soon as both are out, and again for a later release.",
    )
    def accruals(context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]) -> dg.SensorResult:
        now = datetime.now(UTC)
        wanted = [
            *_retried(context.instance, settings, now),
            *_compared(context.instance, database.run(_pairs), settings, now),
        ]
        said = "No accrual is to be tried again, and every one whose bill is out has been compared."
        return dg.SensorResult(run_requests=wanted, skip_reason=None if wanted else said)

    return accruals


def _retried(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Iterator[dg.RunRequest]:
    """The accrual that is due, when the schedule began it and it failed."""
    period = due_month(now.astimezone(settings.zone), settings.accrual_day)
    made = attempts_for(instance, period, {CAUSE: SCHEDULED}, accrue_month.name) if period else []
    if not period or not made:
        return
    following = next_attempt(made, now, retry_seconds=settings.retry_seconds, limit=settings.attempts)
    if following.step == "due":
        yield accrual_request(period, following.number)


def _compared(
    instance: dg.DagsterInstance, pairs: list[tuple[Release, Release]], settings: Settings, now: datetime
) -> Iterator[dg.RunRequest]:
    for accrual, bill in pairs:
        if max(accrual.prepared_at, bill.prepared_at) < now - _LOOKED_BACK:
            continue
        tags = {ACCRUAL_RUN: accrual.run_id, BILL_RUN: bill.run_id}
        made = attempts_for(instance, accrual.period, tags, explain_variance.name)
        following = next_attempt(made, now, retry_seconds=settings.retry_seconds, limit=settings.attempts)
        if following.step == "due":
            yield dg.RunRequest(
                job_name=explain_variance.name,
                run_key=f"variance:{accrual.run_id}:{bill.run_id}:a{following.number}",
                partition_key=accrual.period.key,
                tags={**tags, ATTEMPT: str(following.number)},
            )


def _pairs(connection: sa.Connection) -> list[tuple[Release, Release]]:
    """Of every month that has both: its accrual and the last release of its bill, as they are now."""
    now: dict[str, dict[str, Release]] = {}
    for release in releases.all_releases(connection, BILLING, ACCRUALS):
        if release.state == releases.PUBLISHED:
            now.setdefault(release.period.key, {})[release.capability] = release
    return [(both[ACCRUALS], both[BILLING]) for both in now.values() if len(both) == 2]
