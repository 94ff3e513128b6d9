"""The morning's question whether last month's usage has come: when it is asked, and that it is told once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon ticks by

from billing_pipeline.engine.period import Period
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.resources.inputs import InputFiles, input_files
from billing_pipeline.resources.months import MonthEvent, record
from billing_pipeline.schedules.deadline_watch import deadline_watch_schedule, overdue
from billing_pipeline.settings import Settings

JANUARY, FIRST = Period(2026, 1), Period(2020, 1)


@dataclass
class Morning:
    """The schedule and what it asks."""

    settings: Settings
    inputs: InputFiles
    database: Database
    instance: dg.DagsterInstance

    def tick(self, at: datetime) -> str:
        context = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            resources={"inputs": self.inputs, "database": self.database},
        )
        data = deadline_watch_schedule(self.settings).evaluate_tick(context)
        assert data.run_requests == []
        return data.skip_message or ""

    def told(self) -> list[str]:
        with self.database.begin() as connection:
            return list(connection.execute(sa.select(outbox.c.key).order_by("id")).scalars())

    def judged(self, period: Period) -> None:
        event = MonthEvent(period, "in_review", datetime.now(UTC), usage_sha256="a" * 64)
        self.database.run(lambda connection: record(connection, event))

    def run(self, tags: dict[str, str]) -> None:
        status = dg.DagsterRunStatus.STARTED
        self.instance.add_run(dg.DagsterRun("close_month", run_id=str(uuid4()), status=status, tags=tags))


Build = Callable[..., Morning]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    inputs = input_files(tmp_path / "usage", tmp_path / "rules.xlsx", tmp_path, tmp_path / "overrides.json")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield lambda **options: Morning(Settings(**options), inputs, open_database(sqlite_url(tmp_path)), instance)


@pytest.fixture
def morning(build: Build) -> Morning:
    return build()


def ticks(settings: Settings, year: int, month: int) -> list[datetime]:
    """Its times in a month, as the daemon computes them."""
    schedule = deadline_watch_schedule(settings)
    begin = datetime(year, month, 1, tzinfo=settings.zone)
    times = schedule_execution_time_iterator(begin.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    return list(takewhile(lambda time: (time.year, time.month) == (year, month), times))


def day(number: int, month: int = 2) -> datetime:
    return datetime(2026, month, number, 9, tzinfo=UTC)


# The rule


@pytest.mark.parametrize(
    ("now", "deadline_day", "month"),
    [
        (day(2), 3, None),
        (day(3), 3, "2026-01"),
        (day(28), 3, "2026-01"),
        (day(28), 28, "2026-01"),
        (day(1), 1, "2026-01"),
        (day(31, 3), 28, "2026-02"),
        (day(5, 1), 3, "2025-12"),
        (day(28), 0, None),
    ],
)
def test_last_month_is_overdue_from_the_deadline_s_day_to_the_end_of_the_month(
    now: datetime, deadline_day: int, month: str | None
) -> None:
    found = overdue(now, deadline_day, FIRST)
    assert (found and found.key) == month


def test_a_month_before_the_first_billable_one_is_never_overdue() -> None:
    assert overdue(day(9), 3, JANUARY) == JANUARY
    assert overdue(day(9), 3, Period(2026, 2)) is None


@pytest.mark.parametrize(
    ("zone", "utc", "month"),
    [
        ("Europe/Berlin", datetime(2026, 2, 2, 22, 59, tzinfo=UTC), None),
        ("Europe/Berlin", datetime(2026, 2, 2, 23, 0, tzinfo=UTC), "2026-01"),
        ("Europe/Berlin", datetime(2026, 3, 31, 21, 59, tzinfo=UTC), "2026-02"),
        ("Europe/Berlin", datetime(2026, 3, 31, 22, 0, tzinfo=UTC), None),
        ("America/New_York", datetime(2026, 11, 3, 4, 59, tzinfo=UTC), None),
        ("America/New_York", datetime(2026, 11, 3, 5, 0, tzinfo=UTC), "2026-10"),
    ],
)
def test_days_begin_at_midnight_in_the_zone(zone: str, utc: datetime, month: str | None) -> None:
    found = overdue(utc.astimezone(ZoneInfo(zone)), 3, FIRST)
    assert (found and found.key) == month


# Its ticks


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("year", "month", "days"), [(2026, 2, 28), (2028, 2, 29), (2026, 3, 31), (2026, 10, 31), (2026, 11, 30)]
)
def test_it_ticks_once_a_day_at_nine_in_the_zone_also_when_clocks_change(
    zone: str, year: int, month: int, days: int
) -> None:
    times = ticks(Settings(timezone=zone), year, month)
    assert [(time.day, time.hour, time.minute) for time in times] == [(number + 1, 9, 0) for number in range(days)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_missing_month_is_told_once_however_often_it_ticks(build: Build, zone: str) -> None:
    morning = build(timezone=zone)
    said = [
        morning.tick(time)
        for month in (3, 4)
        for time in ticks(morning.settings, 2026, month)
        if time.day < 5 or time.day > 29
    ]
    assert morning.told() == ["deadline:2026-02", "deadline:2026-03"]
    assert said[:3] == ["No usage is due.", "No usage is due.", "No usage of 2026-02 yet, which has been told."]


def test_nothing_is_told_when_the_month_has_been_judged(morning: Morning) -> None:
    morning.judged(JANUARY)
    assert morning.tick(day(3)) == "Usage of 2026-01 has come."
    assert morning.told() == []


def test_nothing_is_told_when_a_file_of_the_month_was_taken(morning: Morning) -> None:
    morning.run({"dagster/partition": "2026-01", "billing/sha256": "a" * 64})
    assert morning.tick(day(3)) == "Usage of 2026-01 has come."


def test_another_month_or_a_run_over_no_file_is_no_usage(morning: Morning) -> None:
    morning.judged(Period(2025, 12))
    morning.run({"dagster/partition": "2025-12", "billing/sha256": "a" * 64})
    morning.run({"dagster/partition": "2026-01"})
    morning.tick(day(3))
    assert morning.told() == ["deadline:2026-01"]


def test_without_a_deadline_nothing_is_asked(build: Build) -> None:
    morning = build(usage_deadline_day=0)
    assert {morning.tick(day(number)) for number in (1, 3, 28)} == {"No usage is due."}
    assert morning.told() == []


def test_it_runs_by_itself_unless_it_is_switched_off() -> None:
    assert deadline_watch_schedule(Settings()).default_status == dg.DefaultScheduleStatus.RUNNING
    off = deadline_watch_schedule(Settings(off="deadline_watch"))
    assert off.default_status == dg.DefaultScheduleStatus.STOPPED
