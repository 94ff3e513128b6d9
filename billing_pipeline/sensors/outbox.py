"""The sensor `outbox`: delivers what people are to be told. A channel that is away costs nobody a run."""

from datetime import UTC, datetime

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outbox import Channel, deliver, waiting
from billing_pipeline.sensors.runs import EVERY_LOOP
from billing_pipeline.settings import Settings


def outbox_sensor(settings: Settings) -> dg.SensorDefinition:
    """Delivers notices that are due, every five seconds, unless `BILLING_OFF` names it."""

    @dg.sensor(
        name="outbox",
        minimum_interval_seconds=EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of("outbox")),
        description="Sends stored notices to Slack, or to the log when no Slack is configured; tries again by itself.",
    )
    def outbox(
        context: dg.SensorEvaluationContext,
        database: dg.ResourceParam[Database],
        notices: dg.ResourceParam[Channel],
    ) -> dg.SkipReason:
        try:
            done = deliver(database, notices, lambda: datetime.now(UTC))
            left = database.run(waiting)
        except SQLAlchemyError as error:
            return dg.SkipReason(f"The database cannot be used just now ({type(error).__name__}); no notice is lost.")
        for notice in left:
            if notice.failing:
                context.log.warning(f"{notice.key} could not be sent {notice.attempts} times: {notice.last_error}")
        failing = sum(notice.failing for notice in left)
        return dg.SkipReason(f"{done.sent} sent, {done.failed} failed; {len(left)} waiting, {failing} of them failing.")

    return outbox
