"""The sensor `source_changes`: looks at what unbilled hours are made of, and starts a run when its content changed.

What belongs here: look, ask, request. What does not: reading the sources (assets.unbilled_feeds), what is told.
"""

import hashlib
import json
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from billing_pipeline.assets.unbilled_feeds import fingerprint, marks
from billing_pipeline.engine.close.attempts import Attempt, next_attempt
from billing_pipeline.jobs import unbilled
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.unbilled_folder import UnbilledFolder
from billing_pipeline.run_tags import ATTEMPT, CONTENT
from billing_pipeline.sensors.runs import EVERY_LOOP, attempt_of
from billing_pipeline.settings import Settings

_NAME = "source_changes"


def source_changes_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running by itself unless it is switched off."""

    @dg.sensor(
        name=_NAME,
        job=unbilled,
        minimum_interval_seconds=EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of(_NAME)),
        description="Looks for unbilled hours again as soon as time logs, contracts, clients' time or their invoices"
        " say something else. Files that were only touched start nothing.",
    )
    def source_changes(
        context: dg.SensorEvaluationContext,
        unbilled_folder: dg.ResourceParam[UnbilledFolder],
        outputs: dg.ResourceParam[OutputFiles],
        database: dg.ResourceParam[Database],
    ) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(settings.zone)
        sources = (unbilled_folder, outputs, database, now.date())
        try:
            seen = hashlib.sha256(marks(*sources).encode()).hexdigest()
            memory = json.loads(context.cursor or "{}")
            if not memory and not (unbilled_folder.path.is_dir() or outputs.frame_months("time_entries")):
                return dg.SkipReason("There are no time logs: no folder of them, and no time of clients.")
            content = memory["content"] if memory.get("seen") == seen else fingerprint(*sources)
        except (OSError, SQLAlchemyError) as error:
            return dg.SkipReason(f"The sources cannot be looked at just now ({type(error).__name__}: {error}).")
        # the same content again, after another one, is a new fact: a feed that is missing a second time is told again
        since = memory["since"] if memory.get("content") == content else now.isoformat(timespec="seconds")
        tag = f"{content[:32]}@{since}"
        following = next_attempt(
            _attempts(context.instance, tag),
            now.astimezone(UTC),
            retry_seconds=settings.retry_seconds,
            limit=settings.attempts,
        )
        due = following.step == "due"
        tags = {CONTENT: tag, ATTEMPT: str(following.number)}
        return dg.SensorResult(
            run_requests=[dg.RunRequest(tags=tags)] if due else [],
            skip_reason=None if due else "Nothing has changed.",
            cursor=json.dumps({"seen": seen, "content": content, "since": since}),
        )

    return source_changes


def _attempts(instance: dg.DagsterInstance, content: str) -> list[Attempt]:
    """The runs over this content, oldest first."""
    asked = dg.RunsFilter(job_name=unbilled.name, tags={CONTENT: content})
    return [attempt_of(record) for record in instance.get_run_records(asked, ascending=True)]
