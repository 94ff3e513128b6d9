"""The schedules of managed services: `tickets_every_6_hours`, `backups_daily`, `clients_monthly`.

Pulls work on the current month; on its 1st, at 03:00, the month before is pulled once more, frozen and billed. Source:
spec 2.6; Q24, Q27.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import bill_clients, pull_inventory, pull_tickets
from billing_pipeline.settings import Settings


def client_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The three, in the zone of the settings, running by themselves unless they are switched off."""

    def scheduled(name: str, job: Any, cron: str, description: str, *, before: bool = False) -> dg.ScheduleDefinition:
        @dg.schedule(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.timezone,
            default_status=dg.DefaultScheduleStatus(settings.status_of(name)),
            description=description,
        )
        def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
            if not has_clients(settings):
                return dg.SkipReason("There are no clients: no folder of them, and no directory is set.")
            now = context.scheduled_execution_time
            period = month_of_tick(now.astimezone(settings.zone), before=before)
            if period < Period.parse(settings.start_month):
                return dg.SkipReason(f"{period} is before the first month (BILLING_START_MONTH).")
            key = f"{name}:{now.astimezone(UTC):%Y-%m-%dT%H:%MZ}"  # local times come twice when clocks change
            return dg.RunRequest(run_key=key, partition_key=period.key)

        return schedule

    return [
        scheduled("tickets_every_6_hours", pull_tickets, "0 */6 * * *", "Pulls the time entries of tickets."),
        scheduled("backups_daily", pull_inventory, "0 2 * * *", "Pulls clients, contacts, devices, backup volumes."),
        scheduled("clients_monthly", bill_clients, "0 3 1 * *", "Bills clients for the month before.", before=True),
    ]


def month_of_tick(now: datetime, *, before: bool) -> Period:
    """The month of a tick (in the zone of the months), or the one before it."""
    period = Period.of(now.date())
    return period.previous if before else period


def has_clients(settings: Settings) -> bool:
    """Whether there is anything to pull clients from."""
    return bool(settings.directory_url) or settings.clients_folder.is_dir()
