"""The schedule `unbilled_digest`: once a day people are told how things stand, and ages move on."""

import dagster as dg

from billing_pipeline.jobs import unbilled
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import DIGEST
from billing_pipeline.settings import Settings

NAME = "unbilled_digest"


def unbilled_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The schedule, in the zone of the settings, running by itself unless it is switched off."""

    @dg.schedule(
        name=NAME,
        job=unbilled,
        cron_schedule="0 8 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus(settings.status_of(NAME)),
        description="Tells every morning what was worked and not invoiced, however little of it is new.",
    )
    def unbilled_digest(outputs: dg.ResourceParam[OutputFiles]) -> dg.RunRequest | dg.SkipReason:
        if not (settings.unbilled_folder.is_dir() or outputs.frame_months("time_entries")):
            return dg.SkipReason("There are no time logs: no folder of them, and no time of clients.")
        return dg.RunRequest(tags={DIGEST: "yes"})

    return unbilled_digest
