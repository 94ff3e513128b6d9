"""The sensor `usage_files`: looks into the usage folder, and starts the month of every file that has arrived whole.

What belongs here: list, ask, decide, request. What does not: the rules (engine.usage.arrivals), listing and hashing
(resources.arrivals), wording (reports.notices).
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo

import dagster as dg
import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import (
    Decision,
    Facts,
    Limits,
    Memory,
    Seen,
    Start,
    Told,
    decide,
    memory_text,
    open_contents,
    read_memory,
    stable,
    survey,
    unreachable,
)
from billing_pipeline.jobs import close_month
from billing_pipeline.reports.notices import file_notice
from billing_pipeline.resources import months, outbox, releases
from billing_pipeline.resources.arrivals import FolderAwayError, files_of, hash_of
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.inputs import InputFiles
from billing_pipeline.resources.storage import Storage
from billing_pipeline.run_tags import ATTEMPT, BILLING, FILE, RULES_SHA256, SHA256
from billing_pipeline.sensors.runs import EVERY_LOOP, attempts_of, rules_sha256
from billing_pipeline.settings import Settings

_NAME = "usage_files"
_LOOP = 5  # seconds between two looks of Dagster's own
_HASHING_SECONDS = 0.5  # of a tick; what is not reached is hashed at the next one
_SHOWN = 5

Clock = Callable[[tzinfo], datetime]


def usage_files_sensor(settings: Settings, clock: Clock = datetime.now) -> dg.SensorDefinition:
    """The sensor, running by itself unless it is switched off."""

    @dg.sensor(
        name=_NAME,
        job=close_month,
        minimum_interval_seconds=settings.poll_seconds if settings.poll_seconds > _LOOP else EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of(_NAME)),
        description="Takes usage files YYYY.MM_*.csv from the usage folder: a file that has stood still between two "
        "looks is billed once, in its month. Copies are skipped, odd files are told, failed runs are tried again.",
    )
    def usage_files(
        context: dg.SensorEvaluationContext,
        inputs: dg.ResourceParam[InputFiles],
        database: dg.ResourceParam[Database],
    ) -> dg.SensorResult:
        now = clock(settings.zone)
        decision, rules = _decision(context, inputs, database, settings, now)
        link = f"{settings.ui_url.rstrip('/')}/locations/billing_pipeline/sensors/{_NAME}"
        database.run(lambda connection: _post(connection, decision.told, link, now))
        for line in (*decision.said, *(told.text for told in decision.told)):
            context.log.info(line)
        waits = _listed(decision.waits)
        return dg.SensorResult(
            run_requests=[_request(start, rules) for start in decision.starts],
            skip_reason=None if decision.starts else f"Waits for {waits}." if waits else "No new usage file.",
            cursor=memory_text(decision.memory),
        )

    return usage_files


def _decision(
    context: dg.SensorEvaluationContext,
    inputs: InputFiles,
    database: Database,
    settings: Settings,
    now: datetime,
) -> tuple[Decision, str]:
    """What follows from this look, and the SHA-256 of the rules workbook, read only when something could be started."""
    usage = inputs.usage
    memory = read_memory(context.cursor)
    if memory is None:
        context.log.warning("The cursor cannot be read and starts anew; what has been judged is known to the database.")
        memory = Memory()
    try:
        files = files_of(usage)
    except FolderAwayError as error:
        return unreachable(memory, str(error), now), ""
    limits = Limits(
        Period.parse(settings.start_month), settings.max_age_months, settings.retry_seconds, settings.attempts
    )
    look = survey(files, now, limits)
    hashes, unreadable = _hashed(usage, [look.files[path] for path in stable(look, memory)])
    judged, released = database.run(_verdicts)
    contents = open_contents(memory, hashes, judged)
    rules = rules_sha256(inputs) if contents else ""
    attempts = attempts_of(context.instance, contents, rules)
    return decide(look, memory, Facts(hashes, unreadable, judged, released, attempts), now, limits), rules


def _hashed(usage: Storage, files: Iterable[Seen]) -> tuple[dict[str, str], dict[str, str]]:
    """SHA-256 by path of as many files as the time allows, at least one; and why others could not be read."""
    hashes: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    begun = time.monotonic()
    for file in files:
        try:
            digest = hash_of(usage, file)
        except OSError as error:
            unreadable[file.path] = error.strerror or type(error).__name__
        else:
            hashes |= {file.path: digest} if digest else {}
        if time.monotonic() - begun > _HASHING_SECONDS:
            break
    return hashes, unreadable


def _verdicts(connection: sa.Connection) -> tuple[set[tuple[str, str]], dict[str, str]]:
    """The contents that need no run, and by month the content of its current release.

    A content whose release was left unfinished by a crash has been judged, and still needs the run that finishes it.
    """
    released, unfinished = {}, set()
    for release in releases.all_releases(connection, BILLING):
        if release.state == releases.PUBLISHED:
            released[release.period.key] = release.usage_sha256
        if release.state == releases.PREPARING or (release.state == releases.PUBLISHED and not release.placed_at):
            unfinished.add((release.period.key, release.usage_sha256))
    return months.contents(connection) - unfinished, released


def _post(connection: sa.Connection, told: Iterable[Told], link: str, now: datetime) -> None:
    for one in told:
        outbox.post(connection, outbox.Notice(one.key, one.kind, file_notice(one.kind, one.text, link)), now)


def _request(start: Start, rules: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=":".join([str(start.period), start.sha256[:16], *[rules[:16]] * bool(rules), f"a{start.attempt}"]),
        partition_key=start.period.key,
        tags={FILE: start.path, SHA256: start.sha256, ATTEMPT: str(start.attempt), RULES_SHA256: rules},
    )


def _listed(waits: tuple[str, ...]) -> str:
    more = f", and {len(waits) - _SHOWN} more" if len(waits) > _SHOWN else ""
    return ", ".join(waits[:_SHOWN]) + more
