"""What goes with time and what stays: the job `tidy` on real stores, and the schedule that starts it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.instance import prepare
from billing_pipeline.jobs import tidy
from billing_pipeline.resources.database import Database, DatabaseResource, open_database, sqlite_url
from billing_pipeline.resources.database.tables import leases, outbox
from billing_pipeline.resources.months import MonthEvent, record
from billing_pipeline.resources.outbox import Notice, post
from billing_pipeline.resources.outputs import OutputFiles, Outputs, output_files
from billing_pipeline.resources.releases import Release
from billing_pipeline.resources.releases import prepare as note_release
from billing_pipeline.resources.retention import Removed, Retention, expired, tidied
from billing_pipeline.schedules.tidy import tidy_daily
from billing_pipeline.settings import Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JANUARY = Period(2026, 1)
OLD, OLDER, YOUNG = "20260110T080000Z-aaaaaaaa", "20260109T080000Z-bbbbbbbb", "20261120T080000Z-cccccccc"
DAYS = Retention(keep_runs_days=100, keep_run_sets_days=100)


@dataclass(frozen=True)
class Installation:
    """An installation whose stores a test fills."""

    folder: Path
    instance: dg.DagsterInstance
    outputs: OutputFiles
    database: Database

    def run_set(self, run: str, period: Period = JANUARY) -> Path:
        """A committed set of the month, with a file in a folder of its own."""
        folder = self.folder / "out" / "runs" / period.key / run
        (folder / "gep_netsuite").mkdir(parents=True)
        (folder / "gep_netsuite" / "import.csv").write_text("lines")
        (folder / "manifest.json").write_text(json.dumps({"run_id": run, "finished_at_utc": run[:16], "files": []}))
        return folder

    def draft(self, run: str, period: Period = JANUARY) -> Path:
        folder = self.folder / "data" / "drafts" / "billing" / period.key / run
        folder.mkdir(parents=True)
        (folder / "draft.csv").write_text("draft")
        return folder

    def release(self, run: str, state: str = "published") -> None:
        one = Decimal("1.00")
        release = Release(JANUARY, 1, state, run, "usage", "rules", 0, one, one, prepared_at=NOW)
        self.database.run(lambda connection: note_release(connection, release))

    def dagster_run(self, days: int, month: str | None = None, status: str = "SUCCESS") -> str:
        """A run that was created so many days before now; its id."""

        @dg.op
        def step() -> None: ...

        @dg.job
        def close_month() -> None:
            step()

        run = close_month.execute_in_process(
            instance=self.instance, tags={"dagster/partition": month} if month else {}
        ).run_id
        then = (NOW - timedelta(days=days)).replace(tzinfo=None)
        with sa.create_engine(f"sqlite:///{self.folder}/home/history/runs.db").begin() as connection:
            connection.execute(
                sa.text("UPDATE runs SET create_timestamp = :then, status = :status WHERE run_id = :run"),
                {"then": then, "status": status, "run": run},
            )
        return run

    def tidied(self, now: datetime = NOW) -> Removed:
        return tidied(DAYS, self.instance, self.outputs, self.database, now)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    prepare(tmp_path / "home", Settings(data_dir=tmp_path / "data"))
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        outputs = output_files(tmp_path / "out", tmp_path / "data")
        yield Installation(tmp_path, instance, outputs, open_database(sqlite_url(tmp_path / "data")))


def test_a_run_set_of_no_release_goes_when_it_is_old_and_a_later_one_is_there(installation: Installation) -> None:
    old, young = installation.run_set(OLD), installation.run_set(YOUNG)
    assert installation.tidied().run_sets == [f"2026-01/{OLD}"]
    assert not any(path.is_file() for path in old.rglob("*"))
    assert (young / "manifest.json").is_file()


def test_the_latest_set_of_a_month_stays_however_old(installation: Installation) -> None:
    installation.run_set(OLDER)
    latest = installation.run_set(OLD)
    assert installation.tidied().run_sets == [f"2026-01/{OLDER}"]
    assert (latest / "gep_netsuite" / "import.csv").is_file()


@pytest.mark.parametrize("state", ["published", "preparing", "void"])
def test_the_set_of_a_release_stays_for_ever(installation: Installation, state: str) -> None:
    installation.run_set(OLD)
    installation.run_set(YOUNG)
    installation.release(OLD, state)
    assert installation.tidied().run_sets == []


def test_a_draft_goes_with_its_age_but_not_the_one_a_month_waits_with(installation: Installation) -> None:
    waiting, gone, young = installation.draft(OLD), installation.draft(OLDER), installation.draft(YOUNG)
    event = MonthEvent(JANUARY, "in_review", NOW, run_id=OLD)
    installation.database.run(lambda connection: record(connection, event))
    assert installation.tidied().drafts == [f"2026-01/{OLDER}"]
    assert (waiting.is_dir(), gone.exists(), young.is_dir()) == (True, False, True)


def test_what_a_crash_left_of_a_set_goes_too_and_foreign_folders_stay(installation: Installation) -> None:
    month = installation.run_set(YOUNG).parent
    for name in (f".{OLD}.part", OLD, "mine", "20260110"):
        (month / name).mkdir()
        (month / name / "file").write_text("x")
    assert sorted(installation.tidied().run_sets) == [f"2026-01/.{OLD}.part", f"2026-01/{OLD}"]
    assert (month / "mine" / "file").is_file()
    assert (month / "20260110" / "file").is_file()


def test_a_month_that_a_run_works_on_is_left_for_another_day(installation: Installation) -> None:
    installation.run_set(OLD)
    installation.run_set(YOUNG)
    held = leases.insert().values(
        name="billing:2026-01", holder="worker7:4711:x", expires_at=datetime.now(UTC) + timedelta(minutes=5)
    )
    installation.database.run(lambda connection: connection.execute(held))
    removed = installation.tidied()
    assert removed.run_sets == []
    assert "2026-01: another run on worker7, process 4711 holds billing:2026-01" in removed.skipped[0]


def test_a_damaged_month_is_said_and_does_not_stop_the_others(installation: Installation) -> None:
    installation.run_set(OLD)
    (installation.run_set(YOUNG) / "manifest.json").write_text("{")
    installation.run_set(OLD, Period(2026, 2))
    installation.run_set(YOUNG, Period(2026, 2))
    removed = installation.tidied()
    assert removed.run_sets == [f"2026-02/{OLD}"]
    assert "is damaged: not JSON" in removed.skipped[0]


def test_an_old_run_of_dagster_goes_with_its_events_and_its_log_files(installation: Installation) -> None:
    old, young = installation.dagster_run(days=101), installation.dagster_run(days=99)
    home = installation.folder / "home"
    assert (home / "history" / "runs" / f"{old}.db").is_file()
    assert installation.tidied().runs == [old]
    assert [run.run_id for run in installation.instance.get_runs()] == [young]
    assert list(home.rglob(f"{old}*")) == []


def test_the_last_run_of_a_month_and_one_that_is_going_on_stay(installation: Installation) -> None:
    first = installation.dagster_run(days=300, month="2026-01")
    last = installation.dagster_run(days=299, month="2026-01")
    going = installation.dagster_run(days=298, status="STARTED")
    assert installation.tidied().runs == [first]
    assert {run.run_id for run in installation.instance.get_runs()} == {last, going}


def test_delivered_notices_go_and_those_that_wait_stay(installation: Installation) -> None:
    def fill(connection: sa.Connection) -> None:
        for key in ("delivered", "recent", "waiting"):
            post(connection, Notice(key, "billed", {"text": key}), NOW - timedelta(days=200))
        for key, days in (("delivered", 101), ("recent", 99)):
            done = outbox.update().where(outbox.c.key == key)
            connection.execute(done.values(delivered_at=NOW - timedelta(days=days)))

    installation.database.run(fill)
    assert installation.tidied().notices == 1
    keys = installation.database.run(lambda connection: connection.scalars(sa.select(outbox.c.key)).all())
    assert sorted(keys) == ["recent", "waiting"]


def test_the_second_time_nothing_is_left_to_remove(installation: Installation) -> None:
    installation.run_set(OLD)
    installation.run_set(YOUNG)
    installation.draft(OLDER)
    installation.dagster_run(days=300)
    installation.tidied()
    assert installation.tidied() == Removed()


def test_age_is_the_time_in_a_runs_name() -> None:
    before = datetime(2026, 1, 10, 8, tzinfo=UTC)
    assert expired([OLD, OLDER, "20260110T075959Z-dddddddd", "notes"], {OLDER}, before) == ["20260110T075959Z-dddddddd"]


def test_the_job_says_in_its_log_what_it_removed(installation: Installation) -> None:
    installation.run_set(OLD)
    installation.run_set(YOUNG)
    result = tidy.execute_in_process(
        instance=installation.instance,
        resources={
            "outputs": Outputs(
                outputs_dir=str(installation.folder / "out"), state_dir=str(installation.folder / "data")
            ),
            "database": DatabaseResource(url=sqlite_url(installation.folder / "data")),
            "retention": DAYS,
        },
    )
    said = [entry.user_message for entry in installation.instance.all_logs(result.run_id)]
    assert f"run set: 2026-01/{OLD}" in said
    assert "removed 0 Dagster runs, 1 run sets, 0 drafts, 0 delivered notices" in said


def test_tidy_runs_every_night_in_the_zone_of_the_installation_unless_it_is_switched_off() -> None:
    schedule = tidy_daily(Settings(timezone="Europe/Berlin"))
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        "tidy_daily", "30 3 * * *", "Europe/Berlin",
    )  # fmt: skip
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert tidy_daily(Settings(off="outbox, tidy_daily")).default_status == dg.DefaultScheduleStatus.STOPPED


def test_a_tick_asks_for_one_run_of_tidy(installation: Installation) -> None:
    context = dg.build_schedule_context(instance=installation.instance, scheduled_execution_time=NOW)
    tick = tidy_daily(Settings()).evaluate_tick(context)
    assert len(tick.run_requests or []) == 1
