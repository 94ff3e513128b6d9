"""The schedule `deadline_watch`: every morning it asks whether last month's usage has come, and tells it once."""

from datetime import datetime

import dagster as dg

from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import close_month
from billing_pipeline.reports.notices import deadline
from billing_pipeline.resources import months, outbox
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.inputs import InputFiles
from billing_pipeline.run_tags import PARTITION, SHA256
from billing_pipeline.settings import Settings

_NAME = "deadline_watch"


def overdue(now: datetime, deadline_day: int, first: Period) -> Period | None:
    """The month whose usage should have come by `now`, in the zone of the months: last month from the deadline's day
    on. None before that day, when the day is 0, and for a month before the first that is billed."""
    last = Period.of(now.date()).previous
    return last if deadline_day and now.day >= deadline_day and last >= first else None


def deadline_watch_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The schedule, running by itself unless it is switched off; daily at 9:00 in the zone of the settings."""

    @dg.schedule(
        name=_NAME,
        job=close_month,
        cron_schedule="0 9 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of(_NAME)),
        description=f"Tells once when no usage of last month has come by day {settings.usage_deadline_day}."
        if settings.usage_deadline_day
        else "Does nothing: no deadline for usage files is set (BILLING_USAGE_DEADLINE_DAY).",
    )
    def deadline_watch(
        context: dg.ScheduleEvaluationContext,
        inputs: dg.ResourceParam[InputFiles],
        database: dg.ResourceParam[Database],
    ) -> dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(settings.zone)
        period = overdue(now, settings.usage_deadline_day, Period.parse(settings.start_month))
        if period is None:
            return dg.SkipReason("No usage is due.")
        if _is_taken(context.instance, database, period):
            return dg.SkipReason(f"Usage of {period} has come.")
        due = period.next.first.replace(day=settings.usage_deadline_day)
        message = deadline(period, due, inputs.usage.address(), settings.ui_url)
        notice = outbox.Notice(f"deadline:{period}", "deadline", message)
        database.run(lambda connection: outbox.post(connection, notice, now))
        return dg.SkipReason(f"No usage of {period} yet, which has been told.")

    return deadline_watch


def _is_taken(instance: dg.DagsterInstance, database: Database, period: Period) -> bool:
    """Whether usage of the month has been judged, or a run over a file of it was started."""
    judged = database.run(months.contents)
    if any(month == period.key for month, _ in judged):
        return True
    runs = instance.get_run_records(dg.RunsFilter(job_name=close_month.name, tags={PARTITION: period.key}))
    return any(SHA256 in record.dagster_run.tags for record in runs)
