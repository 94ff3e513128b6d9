"""The schedule `accrual_25th`: accrues the month on its day, and catches up on a day that was missed.

It begins an accrual; the sensor `accruals` tries one that failed again. When that gave up, it is tried once a day.
"""

import dagster as dg
import sqlalchemy as sa

from billing_pipeline.engine.close.attempts import next_attempt
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import accrue_month
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database
from billing_pipeline.run_tags import ACCRUALS, CAUSE
from billing_pipeline.sensors.accrual_runs import SCHEDULED, accrual_request, due_month
from billing_pipeline.sensors.runs import attempts_for
from billing_pipeline.settings import Settings

NAME = "accrual_25th"


def accrual_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The schedule, running by itself unless it is switched off; it looks every day, and asks for a month once."""
    hour, minute = map(int, settings.accrual_time.split(":"))

    @dg.schedule(
        name=NAME,
        job=accrue_month,
        cron_schedule=f"{minute} {hour} * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of(NAME)),
        description=f"Accrues the month on day {settings.accrual_day} (its last day, if it is shorter), and on the next"
        " day if the machine was down. A month that is accrued or billed already is left alone."
        if settings.accrual_day
        else "Does nothing: no day is set (BILLING_ACCRUAL_DAY).",
    )
    def accrual_25th(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Database]
    ) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(settings.zone)
        period = due_month(now, settings.accrual_day)
        if period is None or period < Period.parse(settings.start_month):
            return dg.SkipReason("No accrual is due.")
        standing = database.run(lambda connection: _standing(connection, period))
        if standing:
            return dg.SkipReason(f"{period} {standing}.")
        made = attempts_for(context.instance, period, {CAUSE: SCHEDULED}, accrue_month.name)
        following = next_attempt(made, now, retry_seconds=settings.retry_seconds, limit=settings.attempts)
        if made and following.step != "given_up":
            return dg.SkipReason(f"{period} has been begun.")
        return accrual_request(period, settings.attempts, f"{now:%Y-%m-%d}") if made else accrual_request(period, 1)

    return accrual_25th


def _standing(connection: sa.Connection, period: Period) -> str:
    """Why the month needs no accrual any more; "" when it does."""
    if releases.releases_of(connection, period, ACCRUALS):
        return "is accrued already, or somebody took its accrual back"
    if releases.current(connection, period):
        return "is billed already"
    return ""
