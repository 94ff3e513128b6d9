"""The sensor `approvals`: starts the month that people approved, and looks again when rules changed while one waits.

What belongs here: ask, decide, request. What does not: which month is run again (engine.close.restarts), who approved
(resources.reviews).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from billing_pipeline.engine.close.attempts import next_attempt
from billing_pipeline.engine.close.restarts import Waiting, restart_cause
from billing_pipeline.engine.close.states import PENDING, REFUSED
from billing_pipeline.jobs import close_month
from billing_pipeline.resources import months, releases, reviews
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.inputs import InputFiles
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.run_tags import AS_OF, ATTEMPT, CAUSE, FILE, RULES, RULES_SHA256, SHA256
from billing_pipeline.sensors.runs import EVERY_LOOP, attempts_for, rules_sha256
from billing_pipeline.settings import Settings

_NAME = "approvals"


@dataclass(frozen=True, slots=True)
class _Found:
    """A month that waits: its event, and what people did since."""

    event: MonthEvent
    waiting: Waiting


def approvals_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running by itself unless it is switched off."""

    @dg.sensor(
        name=_NAME,
        job=close_month,
        minimum_interval_seconds=EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of(_NAME)),
        description="Runs a waiting month again when it has been approved by as many people as it needs, or when the "
        "rules workbook changed since its run: decisions on rows that are unchanged are kept.",
    )
    def approvals(
        context: dg.SensorEvaluationContext,
        inputs: dg.ResourceParam[InputFiles],
        database: dg.ResourceParam[Database],
    ) -> dg.SensorResult:
        now = datetime.now(UTC)
        found = database.run(_waiting)
        if not found:
            return dg.SensorResult(skip_reason="No month waits for people.")
        wanted = list(_wanted(context.instance, found, rules_sha256(inputs), settings, now))
        states = ", ".join(f"{one.event.period} is {one.event.state}" for one in found)
        return dg.SensorResult(run_requests=wanted, skip_reason=None if wanted else f"Nothing new: {states}.")

    return approvals


def _wanted(
    instance: dg.DagsterInstance, found: list[_Found], rules: str, settings: Settings, now: datetime
) -> Iterator[dg.RunRequest]:
    for one in found:
        event = one.event
        as_of = event.detail.get("rules") == AS_OF  # drafted with its release's rules: the workbook is not asked
        cause = restart_cause(one.waiting, "" if as_of else rules, settings.approvers, now)
        if not cause:
            continue
        tags = {FILE: event.usage_name, SHA256: event.usage_sha256, CAUSE: cause, **({RULES: AS_OF} if as_of else {})}
        made = attempts_for(instance, event.period, tags)
        following = next_attempt(made, now, retry_seconds=settings.retry_seconds, limit=settings.attempts)
        if following.step == "due":
            yield dg.RunRequest(
                run_key=f"{event.period}:{event.usage_sha256[:16]}:{cause}:a{following.number}",
                partition_key=event.period.key,
                tags={**tags, ATTEMPT: str(following.number), RULES_SHA256: rules},
            )


def _waiting(connection: sa.Connection) -> list[_Found]:
    found = []
    for event in months.latest_of_all(connection):
        if not event.usage_sha256 or event.state not in PENDING | {REFUSED}:
            continue
        draft = (event.period, event.usage_sha256)
        decided = reviews.history(connection, *draft)
        last = decided[-1] if decided else None
        number = last.id if last else 0
        earlier = releases.releases_of(connection, event.period)
        made = sum(release.state != releases.PREPARING for release in earlier)
        voided = releases.last_voided(earlier)
        approved = reviews.approvers(connection, *draft, event.rules_sha256, number, since=voided)
        waiting = Waiting(
            event.state, event.at, event.rules_sha256, made + 1, event.last_decision, number,
            last.decided_at if last else None, approved,
        )  # fmt: skip
        found.append(_Found(event, waiting))
    return found
