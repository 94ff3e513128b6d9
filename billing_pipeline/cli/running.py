"""What `doctor` sees of Dagster: its home and dagster.yaml, its storage, the daemon, sensors and schedules.

What belongs here: looking without changing anything; whatever is out of reach is a finding, never a traceback.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from billing_pipeline.build import build_defs
from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding
from billing_pipeline.cli.state import ago, read_only
from billing_pipeline.engine.errors import printable
from billing_pipeline.instance import DAGSTER_YAML, dagster_is_behind, is_stale, reason_of
from billing_pipeline.settings import Settings

_SUBJECT = "Dagster"


def dagster(home: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Home, storage, daemon, then each sensor and schedule whose last tick failed."""
    if not home:
        yield Finding(_SUBJECT, NOTE, "DAGSTER_HOME is not set: runs leave no history", "`make up` sets it")
        return
    if not Path(home).is_dir():
        yield Finding(_SUBJECT, ATTENTION, f"DAGSTER_HOME is {home!r}, which is not a folder", "make it, or unset it")
        return
    if is_stale(Path(home), settings):
        found = f"{Path(home) / DAGSTER_YAML} is missing, or not the one of these settings"
        yield Finding(_SUBJECT, ATTENTION, found, "billing-pipeline prepare writes it; then start anew")
        return
    reached = _storage(Path(home), settings)
    yield reached
    if reached.state != FINE:
        return
    try:
        with dg.DagsterInstance.from_config(home) as instance:
            if dagster_is_behind(instance):
                yield Finding(_SUBJECT, ATTENTION, "its storage is of an older release", "billing-pipeline prepare")
            yield _daemon(instance, now)
            yield from _ticking(instance, now)
    except Exception as error:  # noqa: BLE001  # storages raise whatever they like
        yield Finding(_SUBJECT, ATTENTION, f"its storage cannot be read: {printable(str(error), 300)}")


def _storage(home: Path, settings: Settings) -> Finding:
    """Whether there is something to read; opening an instance would make what is missing."""
    if settings.dagster_postgres_url is None:
        if (home / "history").is_dir():
            return Finding(_SUBJECT, FINE, f"{home}: dagster.yaml is the one of these settings, history in files")
        return Finding(_SUBJECT, NOTE, f"{home}: no history yet", "the first start makes it")
    try:
        url = sa.make_url(settings.dagster_postgres_url.get_secret_value())
        with read_only(url).connect() as connection:
            if sa.inspect(connection).has_table("runs"):
                return Finding(_SUBJECT, FINE, f"{home}: history in {url.render_as_string()}, reachable")
            return Finding(_SUBJECT, NOTE, f"{url.render_as_string()}: reachable, empty", "the first start fills it")
    except sa.exc.SQLAlchemyError as error:
        advice = "is it running, and are user, password and name right?"
        return Finding(_SUBJECT, ATTENTION, f"its PostgreSQL cannot be reached: {reason_of(error)}", advice)


def _daemon(instance: dg.DagsterInstance, now: datetime) -> Finding:
    statuses = instance.get_daemon_statuses()
    beats = [status.last_heartbeat for status in statuses.values() if status.last_heartbeat]
    if not beats:
        return Finding("daemon", NOTE, "has never run: nothing happens by itself", "`make up` starts it")
    last = datetime.fromtimestamp(max(beat.timestamp for beat in beats), UTC)
    silent = sorted(name for name, status in statuses.items() if status.required and not status.healthy)
    if not silent:
        return Finding("daemon", FINE, f"alive {ago(last, now)}")
    errors = [printable(error.message.strip(), 200) for beat in beats for error in (beat.errors or [])]
    found = f"not well: {', '.join(silent)}; last heard of {ago(last, now)}" + (f"; {errors[0]}" if errors else "")
    return Finding("daemon", ATTENTION, found, "start the product, or look at what the daemon says there")


def _ticking(instance: dg.DagsterInstance, now: datetime) -> Iterator[Finding]:
    """Which sensors and schedules are on, which off, and whose last tick failed."""
    repository = build_defs().get_repository_def()
    declared = {sensor.name: sensor.default_status.name == "RUNNING" for sensor in repository.sensor_defs}
    declared |= {schedule.name: schedule.default_status.name == "RUNNING" for schedule in repository.schedule_defs}
    states: dict[str, list[InstigatorState]] = {}
    for state in instance.all_instigator_state():
        states.setdefault(state.instigator_name, []).append(state)
    on: list[str] = []
    off: list[str] = []
    for name in sorted(declared):
        known, tick = _latest(instance, states.get(name, []))
        chosen = known is not None and known.status != InstigatorStatus.DECLARED_IN_CODE
        running = known.status == InstigatorStatus.RUNNING if chosen and known else declared[name]
        (on if running else off).append(name)
        if tick and tick.status == TickStatus.FAILURE and running:
            when = ago(datetime.fromtimestamp(tick.timestamp, UTC), now)
            message = printable(tick.error.message.strip(), 300) if tick.error else "no message"
            yield Finding(name, ATTENTION, f"its last tick ({when}) failed: {message}", "the next tick tries again")
    if on:
        yield Finding("sensors and schedules", FINE, f"on: {', '.join(on)}")
    if off:
        yield Finding("sensors and schedules", NOTE, f"off, by BILLING_OFF or in the pages: {', '.join(off)}")


def _latest(
    instance: dg.DagsterInstance, states: list[InstigatorState]
) -> tuple[InstigatorState | None, InstigatorTick | None]:
    """The state that ticked last, of those that earlier code locations left, and its last tick."""
    ticked = [(state, instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)) for state in states]
    found = [(state, ticks[0] if ticks else None) for state, ticks in ticked]
    return max(found, key=lambda pair: pair[1].timestamp if pair[1] else 0.0, default=(None, None))
