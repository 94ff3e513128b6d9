"""Dagster's home made ready: dagster.yaml from the settings, both databases migrated, runs of the dead told."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.instance import dagster_yaml, fail_left_runs, is_stale, prepare
from billing_pipeline.resources.database.migrations import versions
from billing_pipeline.settings import Settings
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
NEWEST = max(path.name[1:5] for path in Path(versions.__file__).parent.glob("m0*.py"))
SECRET_URL = "postgresql://billing:s3cret@db.example.com/dagster"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def instance(tmp_path: Path, settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of a prepared home."""
    prepare(tmp_path / "home", settings)
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as opened:
        yield opened


def test_one_run_at_a_time_writes_a_month_and_nobody_is_told_of_us(settings: Settings) -> None:
    config = yaml.safe_load(dagster_yaml(settings))
    assert config["telemetry"] == {"enabled": False}
    assert config["concurrency"]["runs"]["tag_concurrency_limits"] == [
        {"key": "billing/writer", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]
    assert config["run_monitoring"]["max_runtime_seconds"] == 3600
    assert "storage" not in config


def test_ticks_are_kept_as_long_as_runs_and_skipped_ones_three_days(tmp_path: Path) -> None:
    kept = yaml.safe_load(dagster_yaml(Settings(keep_runs_days=40)))["retention"]
    assert kept["sensor"]["purge_after_days"] == {"skipped": 3, "failure": 40, "success": 40}
    assert kept["schedule"]["purge_after_days"] == {"skipped": 40, "failure": 40, "success": 40}


def test_the_password_of_postgresql_is_in_no_file() -> None:
    text = dagster_yaml(Settings(dagster_postgres_url=SECRET_URL))  # type: ignore[arg-type]
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "BILLING_DAGSTER_POSTGRES_URL"}}}
    assert "s3cret" not in text


def test_an_empty_machine_becomes_an_installation_and_the_second_time_nothing_changes(
    tmp_path: Path, settings: Settings
) -> None:
    home = tmp_path / "home"
    assert prepare(home, settings) == [
        f"made the folder {tmp_path / 'data'}",
        f"made the folder {home}",
        f"made the folder {tmp_path / 'data' / 'usage'}",
        f"wrote {home / 'dagster.yaml'}",
        f"application's database: at migration {NEWEST}",
        "Dagster's storage: at its newest migration",
    ]
    written = (home / "dagster.yaml").stat().st_mtime_ns
    assert prepare(home, settings) == [
        f"application's database: at migration {NEWEST}",
        "Dagster's storage: at its newest migration",
    ]
    assert (home / "dagster.yaml").stat().st_mtime_ns == written


def test_another_dagster_yaml_is_replaced_by_the_one_of_the_settings(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    assert is_stale(tmp_path, settings)
    prepare(tmp_path, settings)
    assert not is_stale(tmp_path, settings)
    assert is_stale(tmp_path, settings.model_copy(update={"keep_runs_days": 7}))
    assert [path.name for path in tmp_path.glob(".*.part")] == []


def test_dagster_reads_its_history_from_files_beside_the_yaml(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert not instance.telemetry_enabled
    assert instance.run_monitoring_enabled
    assert (tmp_path / "home" / "history" / "runs.db").is_file()


def test_with_postgresql_runs_and_events_are_there_and_not_in_files(
    tmp_path: Path, settings: Settings, postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, url = tmp_path / "home", postgres_url()
    monkeypatch.setenv("BILLING_DAGSTER_POSTGRES_URL", url)
    prepare(home, Settings(data_dir=tmp_path / "data"))

    @dg.job
    def nothing() -> None: ...

    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = nothing.execute_in_process(instance=instance)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT run_id FROM runs")).all() == [run.run_id]
        assert connection.scalar(sa.text("SELECT count(*) FROM event_logs")) > 0
    assert not (home / "history").exists()


def test_the_applications_database_is_made_in_postgresql_too(
    tmp_path: Path, postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", url := postgres_url())
    prepare(tmp_path / "home", Settings(data_dir=tmp_path / "data"))
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        assert sa.inspect(connection).has_table("releases")
    assert not (tmp_path / "data" / "billing.db").exists()


def test_one_database_for_both_is_refused_because_they_would_share_a_migration_table() -> None:
    settings = Settings(database_url="postgresql://a@db/x", dagster_postgres_url="postgresql://b:pw@db:5432/x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="BILLING_DATABASE_URL: names the same database"):
        prepare(Path("none"), settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"database_url": "mysql://db/x"}, "BILLING_DATABASE_URL: must begin with postgresql or sqlite"),
        ({"dagster_postgres_url": "sqlite:///x"}, "BILLING_DAGSTER_POSTGRES_URL: must begin with postgresql"),
        ({"dagster_postgres_url": "s3cret"}, "BILLING_DAGSTER_POSTGRES_URL: is no database URL"),
    ],
)
def test_a_url_of_something_else_is_refused_by_its_settings_name_and_not_shown(
    given: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        prepare(Path("none"), Settings(**given))  # type: ignore[arg-type]
    assert "s3cret" not in str(refused.value)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    prepare(tmp_path, settings)
    with sa.create_engine(f"sqlite:///{tmp_path}/data/billing.db").begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    from billing_pipeline.resources.database import open_database

    open_database.cache_clear()
    with pytest.raises(BillingError, match="at migration 9999, which this version does not know"):
        prepare(tmp_path, settings)


def test_a_home_that_may_not_be_written_is_an_os_error_that_names_it(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(OSError, match="home"):
        prepare(tmp_path / "home", settings)


def test_a_run_whose_code_server_is_gone_is_reported_as_failed_so_that_its_month_is_free(
    instance: dg.DagsterInstance, tmp_path: Path, settings: Settings
) -> None:
    left = _started(instance, {".dagster/grpc_info": f'{{"host": "localhost", "socket": "{tmp_path}/gone.sock"}}'})
    (said,) = prepare(tmp_path / "home", settings)[-1:]
    assert said == f"run {left} was left without its process: reported as failed"
    assert instance.get_run_by_id(left).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_a_run_that_no_code_server_started_is_left_alone(instance: dg.DagsterInstance) -> None:
    ours = _started(instance, {})  # of a command, or of another launcher
    assert fail_left_runs(instance) == []
    assert instance.get_run_by_id(ours).status == dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]


def test_dagster_yaml_is_readable_for_the_user_of_the_service(tmp_path: Path, settings: Settings) -> None:
    prepare(tmp_path, settings)
    assert stat.S_IMODE((tmp_path / "dagster.yaml").stat().st_mode) & stat.S_IRUSR


def _started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run that began and of which nothing was heard since; its id."""

    @dg.job
    def close() -> None: ...

    run = instance.create_run_for_job(close, tags=tags)
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="close")
    instance.report_dagster_event(event, run.run_id)
    return run.run_id
