"""Dagster's instance of an installation: its dagster.yaml, rendered from the settings, and both databases brought up.

What belongs here: what has to be in place before a web server, a daemon or a run starts. What does not: starting them
(`cli.up`), and the definitions they load (`build`).
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

import dagster as dg
import sqlalchemy as sa
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.tags import GRPC_INFO_TAG  # written by the default launcher on every run it starts
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from billing_pipeline.engine.errors import BillingError, InputError, Problem
from billing_pipeline.resources.database import Database, current_revision, open_database, sqlite_url
from billing_pipeline.resources.files import write_whole
from billing_pipeline.settings import Settings

DAGSTER_YAML = "dagster.yaml"
_log = logging.getLogger(__name__)
_PORT = 5432
_ANSWER = 5  # seconds a code server may take to say whether it knows a run
_STORAGE = {
    False: "# No storage block: SQLite beside this file.",
    True: """\
storage:
  postgres:
    postgres_url:
      env: BILLING_DAGSTER_POSTGRES_URL  # read by each process for itself: the password is in no file""",
}
_TEMPLATE = Template("""\
# Dagster's instance. Rendered from the settings at every start of the product: changes made here do not last.

$storage

telemetry:
  enabled: false  # the environment variable stops only the upload; this stops the ids on disk as well
nux:
  enabled: false  # no newsletter pop-up in the interface

run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1  # default 5: a file should start its run at once

concurrency:
  runs:
    max_concurrent_runs: 4  # a run uses all cores inside its steps; more only queue for memory
    tag_concurrency_limits:
      - key: billing/writer  # <capability>:<period>: one writer for each month of each capability
        value:
          applyLimitPerUniqueValue: true
        limit: 1

run_monitoring:
  enabled: true
  poll_interval_seconds: 30
  start_timeout_seconds: 180
  max_runtime_seconds: 3600  # a run whose machine died stays STARTED and would block its month for ever

sensors:
  use_threads: true  # one slow sensor does not hold up the others
  num_workers: 4
schedules:
  use_threads: true
  num_workers: 4

retention:  # of ticks, in days; runs and their event logs go with the schedule tidy_daily
  sensor:
    purge_after_days: {skipped: $skipped, failure: $failure, success: $success}
  schedule:
    purge_after_days: {skipped: $failure, failure: $failure, success: $success}
""")


def dagster_yaml(settings: Settings) -> str:
    """The dagster.yaml of an installation: SQLite in its home, or the PostgreSQL that the environment names."""
    days = settings.keep_runs_days
    return _TEMPLATE.substitute(
        storage=_STORAGE[settings.dagster_postgres_url is not None],
        skipped=min(days, 3),  # a sensor skips thousands of ticks a day
        failure=min(days, 90),
        success=days,
    )


def database_url(settings: Settings) -> str:
    """Where the application's database is: the URL of the settings, or the file in the data folder."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return sqlite_url(settings.data_dir.resolve())


def prepare(home: Path, settings: Settings) -> list[str]:
    """Make an installation ready to start; what was done, one line each. Again does no harm.

    Writes dagster.yaml into Dagster's home when it differs, brings the application's database and Dagster's storage to
    their newest migrations, and reports runs as failed whose process is gone. Databases that are away, or of a newer
    version: InputError and BillingError.
    """
    refuse_unusable_urls(settings)
    done = []
    for folder in (settings.data_dir, home, *([] if settings.usage_dir else [settings.data_dir / "usage"])):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            done.append(f"made the folder {folder}")
    if is_stale(home, settings):
        write_whole(home / DAGSTER_YAML, dagster_yaml(settings).encode())
        done.append(f"wrote {home / DAGSTER_YAML}")
    done.append(f"application's database: at migration {_migrated(settings)}")
    with _dagster(home, settings) as instance:
        if dagster_is_behind(instance):
            instance.upgrade(print_fn=_log.info)
        done.append("Dagster's storage: at its newest migration")
        done += [f"run {run} was left without its process: reported as failed" for run in fail_left_runs(instance)]
    return done


def is_stale(home: Path, settings: Settings) -> bool:
    """Whether the dagster.yaml in the home is missing or another one than the settings ask for."""
    try:
        return (home / DAGSTER_YAML).read_bytes() != dagster_yaml(settings).encode()
    except OSError:
        return True


def refuse_unusable_urls(settings: Settings) -> None:
    """InputError for a URL of another kind of database, or one that the application and Dagster are both given."""
    ours, dagsters = settings.database_url, settings.dagster_postgres_url
    named = {"BILLING_DATABASE_URL": ours, "BILLING_DAGSTER_POSTGRES_URL": dagsters}
    kinds = {"BILLING_DATABASE_URL": ("postgresql", "sqlite"), "BILLING_DAGSTER_POSTGRES_URL": ("postgresql",)}
    places = []
    for name, url in ((name, url.get_secret_value()) for name, url in named.items() if url):
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError:
            raise InputError(Problem("is no database URL such as postgresql://user@host/name", cell=name)) from None
        if parsed.get_backend_name() not in kinds[name]:
            raise InputError(Problem(f"must begin with {' or '.join(kinds[name])}", cell=name))
        places.append((parsed.host, parsed.port or _PORT, parsed.database, parsed.query))
    if len(places) == 2 and places[0] == places[1]:  # both keep their migration in a table of one name
        both = "names the same database as BILLING_DAGSTER_POSTGRES_URL; give each its own on the server"
        raise InputError(Problem(both, cell="BILLING_DATABASE_URL"))


def dagster_is_behind(instance: dg.DagsterInstance) -> bool:
    """Whether Dagster's storage was made by an older release and waits for its migration."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    versions = [storage.alembic_version() for storage in storages if storage]
    return any(version and version[0] != version[1] for version in versions)


def fail_left_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report runs as failed that a code server started which no longer knows them: their machine or container died.

    Dagster asks only after an hour (max_runtime_seconds), and until then they would block their month. Gives their ids.
    """
    going = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    runs = instance.get_runs(dg.RunsFilter(statuses=going))
    left = [run for run in runs if GRPC_INFO_TAG in run.tags and not _is_known(run)]
    for run in left:
        instance.report_run_failed(run, "The process of this run is gone: its machine, container or code server died.")
    return [run.run_id for run in left]


def _is_known(run: dg.DagsterRun) -> bool:
    """Whether the code server that started the run answers, and still has its process."""
    address = json.loads(run.tags[GRPC_INFO_TAG])
    try:
        client = DagsterGrpcClient(port=address.get("port"), socket=address.get("socket"), host=address["host"])
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_ANSWER)
    except DagsterUserCodeUnreachableError:
        return False
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _migrated(settings: Settings) -> str:
    """Bring the application's database to the newest migration; its name."""
    try:
        return str(open_database(database_url(settings)).run(current_revision))
    except sa.exc.SQLAlchemyError as error:
        raise BillingError(f"the application's database cannot be used: {reason_of(error)}") from None


@contextmanager
def _dagster(home: Path, settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of a home; its PostgreSQL, when it has one, is waited for like the application's."""
    if settings.dagster_postgres_url:
        server = Database(sa.create_engine(settings.dagster_postgres_url.get_secret_value(), poolclass=sa.NullPool))
        try:
            server.run(lambda connection: connection.execute(sa.text("SELECT 1")))
        except sa.exc.SQLAlchemyError as error:
            raise BillingError(f"Dagster's storage cannot be used: {reason_of(error)}") from None
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def reason_of(error: sa.exc.SQLAlchemyError) -> str:
    """What the driver said, in one line, without statement, parameters and links."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
