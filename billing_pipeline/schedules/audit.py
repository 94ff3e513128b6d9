"""The schedules `audit_every_2_hours`, while there is something to audit, and `own_book_every_2_hours`, always."""

import dagster as dg

from billing_pipeline.jobs import audit, audit_book
from billing_pipeline.settings import Settings

NAME = "audit_every_2_hours"
BOOK = "own_book_every_2_hours"


def audit_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The schedule, in the zone of the settings, running by itself unless it is switched off."""

    @dg.schedule(
        name=NAME,
        job=audit,
        cron_schedule="0 */2 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of(NAME)),
        description="Looks at the audited sheets for what changed after it was billed.",
    )
    def audit_every_2_hours() -> dg.RunRequest | dg.SkipReason:
        if not (settings.smartsheet_api_token or settings.audit_folder.is_dir()):
            return dg.SkipReason("There is nothing to audit: no account of Smartsheet, and no folder of sheets.")
        return dg.RunRequest()

    return audit_every_2_hours


def book_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Half an hour after the audit of the sheets, so that the two do not share the machine."""

    @dg.schedule(
        name=BOOK,
        job=audit_book,
        cron_schedule="30 */2 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of(BOOK)),
        description="Looks for charges of billed months that a later run changed.",
    )
    def own_book_every_2_hours() -> dg.RunRequest:
        return dg.RunRequest()

    return own_book_every_2_hours
