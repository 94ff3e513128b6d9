"""What may go with time: finished Dagster runs, drafts and run sets of no release, delivered notices.

What belongs here: choosing and removing. What does not: when it happens (`schedules.tidy`), and Dagster's ticks, which
Dagster purges itself (`instance`). A release and whatever stands for a month's present state stay for ever.
"""

import logging
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from billing_pipeline.engine.errors import InputError, MonthHeldError
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.resources.leases import lease, month_lease
from billing_pipeline.resources.months import latest_of_all
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.releases import all_releases
from billing_pipeline.resources.run_sets import MANIFEST
from billing_pipeline.run_tags import CAPABILITIES

MOST = 500  # of each kind in one go, so that a tidy run ends; the next day's takes the rest
_RUN = re.compile(r"\.?(\d{8}T\d{6}Z)-[0-9a-f]{8}(\.part)?")  # run_name, or a set that a crash left half built
_LEASE = 30.0
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_log = logging.getLogger(__name__)


class Retention(dg.ConfigurableResource["Retention"]):
    """How long things are kept, in days."""

    keep_runs_days: int = 400
    keep_run_sets_days: int = 400


@dataclass(slots=True)
class Removed:
    """What went, by name; `skipped` says which months were left alone and why."""

    runs: list[str] = field(default_factory=list)
    run_sets: list[str] = field(default_factory=list)
    drafts: list[str] = field(default_factory=list)
    notices: int = 0
    skipped: list[str] = field(default_factory=list)


def tidied(
    retention: Retention, instance: dg.DagsterInstance, outputs: OutputFiles, database: Database, now: datetime
) -> Removed:
    """Remove what is older than the settings say; again at once removes nothing more. OSError: storage out of reach."""
    runs_before = now - timedelta(days=retention.keep_runs_days)
    sets_before = now - timedelta(days=retention.keep_run_sets_days)
    removed = Removed(runs=_remove_runs(instance, runs_before))
    kept = database.run(_runs_that_stay)
    for capability in CAPABILITIES:
        _remove_sets(outputs.of(capability), database, kept, sets_before, removed)
    removed.notices = database.run(lambda connection: _remove_delivered(connection, runs_before))
    return removed


def expired(names: Iterable[str], kept: Collection[str], before: datetime) -> list[str]:
    """Those of the run names that began before a time and are not kept; names of another form are nobody's of ours."""
    dated = ((name, match[1]) for name in names if (match := _RUN.fullmatch(name)))
    return [
        name
        for name, began in dated
        if name not in kept and datetime.strptime(began, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) < before
    ]


def _runs_that_stay(connection: sa.Connection) -> frozenset[str]:
    """Runs of releases, void ones too, and those that months wait with."""
    releases = {release.run_id for release in all_releases(connection)}
    return frozenset(releases | {event.run_id for event in latest_of_all(connection) if event.run_id})


def _remove_sets(
    outputs: OutputFiles, database: Database, kept: frozenset[str], before: datetime, removed: Removed
) -> None:
    drafted = [folder.name for folder in sorted(outputs.drafts.glob("*")) if folder.is_dir()]
    for month in sorted({*outputs.months(), *drafted}):
        try:
            period = Period.parse(month)
            with lease(database, month_lease(outputs.capability, period), seconds=_LEASE):
                latest = outputs.latest_manifest(period)
                stays = kept | ({latest["run_id"]} if latest else set())
                for run in expired(outputs.runs(month), stays, before)[:MOST]:
                    if _remove_set(outputs, period, run):
                        removed.run_sets.append(f"{month}/{run}")
                for run in expired(_names(outputs.drafts / month), stays, before)[:MOST]:
                    shutil.rmtree(outputs.drafts / month / run)
                    removed.drafts.append(f"{month}/{run}")
        except (InputError, MonthHeldError) as error:  # a folder of another name, a damaged manifest, a run at work
            removed.skipped.append(f"{month}: {error}")


def _remove_set(outputs: OutputFiles, period: Period, run: str) -> bool:
    """Remove a set, its manifest first: what is left by a crash is no committed set and goes the next time."""
    folder = outputs.set_folder(period, run)
    files = [stored.name for stored in outputs.storage.below(folder).listing()]
    for name in sorted(files, key=lambda name: name != MANIFEST):
        outputs.storage.remove([f"{folder}/{name}"])
    return bool(files)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _remove_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Delete finished runs with their events and logs, oldest first; the last run of a job and month stays."""
    old = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    gone = []
    for record in instance.get_run_records(old, limit=MOST, ascending=True):
        run = record.dagster_run
        if not _is_last_of_month(instance, run):
            instance.delete_run(run.run_id)
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            _remove_event_file(instance, run.run_id)
            gone.append(run.run_id)
    return gone


def _is_last_of_month(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    month = run.tags.get("dagster/partition")
    if month is None:
        return False
    same = dg.RunsFilter(job_name=run.job_name, tags={"dagster/partition": month})
    (last,) = instance.get_runs(same, limit=1)
    return last.run_id == run.run_id


def _remove_event_file(instance: dg.DagsterInstance, run_id: str) -> None:
    """Dagster's SQLite keeps a file for each run and leaves it there, empty."""
    if isinstance(instance.event_log_storage, SqliteEventLogStorage):
        file = Path(instance.event_log_storage.path_for_shard(run_id))
        for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            path.unlink(missing_ok=True)


def _remove_delivered(connection: sa.Connection, before: datetime) -> int:
    return connection.execute(outbox.delete().where(outbox.c.delivered_at < before)).rowcount
