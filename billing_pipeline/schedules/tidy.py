"""`tidy_daily`: what is older than the settings keep goes, once a day, at an hour when nobody closes a month."""

import dagster as dg

from billing_pipeline.jobs import tidy
from billing_pipeline.settings import Settings


def tidy_daily(settings: Settings) -> dg.ScheduleDefinition:
    """The job `tidy`, every day at 03:30 in the installation's zone.

    A run and not a tick: removing can take longer than the minute a tick has, and its log says what went.
    """
    return dg.ScheduleDefinition(
        name="tidy_daily",
        job=tidy,
        cron_schedule="30 3 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of("tidy_daily")),
        description=(
            f"Every day at 03:30 ({settings.timezone}): remove Dagster runs older than {settings.keep_runs_days} days, "
            f"and drafts and run sets of no release older than {settings.keep_run_sets_days} days."
        ),
    )
