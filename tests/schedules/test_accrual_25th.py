"""When a month is accrued by itself: on its day in its zone, once, and later if the machine was down."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon ticks by

from billing_pipeline.definitions import defs
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import accrue_month
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.schedules.accruals import accrual_schedule
from billing_pipeline.sensors.accrual_runs import due_month
from billing_pipeline.settings import Settings
from tests.resources.test_releases import release

FEBRUARY = Period(2026, 2)


class Clock:
    """The schedule, its database and its Dagster."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database: Database = open_database(sqlite_url(folder))
        self.instance = instance

    def tick(self, at: datetime, **settings: object) -> tuple[list[dg.RunRequest], str]:
        """What a tick at this time asks for, and what it says when that is nothing."""
        context = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            resources={"database": self.database},
            repository_def=defs.get_repository_def(),
        )
        found = accrual_schedule(Settings(**settings)).evaluate_tick(context)  # type: ignore[arg-type]
        return list(found.run_requests or []), found.skip_message or ""

    def ran(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
        tags = {**request.tags, "dagster/partition": str(request.partition_key)}
        self.instance.add_run(dg.DagsterRun(accrue_month.name, str(uuid4()), tags=tags, status=status))

    def has(self, **changes: object) -> None:
        made = release(period=FEBRUARY, **changes)  # type: ignore[arg-type]
        self.database.run(partial(releases.prepare, release=made))


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Clock(tmp_path, instance)


def at(day: int, month: int = 2, year: int = 2026) -> datetime:
    return datetime(year, month, day, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        (at(24), 25, "2026-01"),
        (at(25), 25, "2026-02"),
        (at(28), 25, "2026-02"),
        (at(1, 3), 25, "2026-02"),
        (at(27), 31, "2026-01"),
        (at(28), 31, "2026-02"),
        (at(28, 2, 2028), 31, "2028-01"),
        (at(29, 2, 2028), 31, "2028-02"),
        (at(29, 4), 31, "2026-03"),
        (at(30, 4), 31, "2026-04"),
        (at(1, 1), 1, "2026-01"),
        (at(24, 1), 25, "2025-12"),
        (at(25), 0, "None"),
    ],
)
def test_the_month_that_is_due(now: datetime, day: int, month: str) -> None:
    assert str(due_month(now, day)) == month


def test_on_its_day_the_month_is_asked_for_in_its_partition_under_one_key(clock: Clock) -> None:
    (request,), _ = clock.tick(at(25))
    assert (request.partition_key, request.run_key) == ("2026-02", "accrual:2026-02:a1")
    assert (request.tags["billing/attempt"], request.tags["billing/cause"]) == ("1", "schedule")


def test_a_machine_that_was_down_catches_up_on_a_later_day_with_the_same_key(clock: Clock) -> None:
    (request,), _ = clock.tick(at(3, 3))
    assert (request.partition_key, request.run_key) == ("2026-02", "accrual:2026-02:a1")


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
)
def test_a_month_that_was_begun_is_not_asked_for_again(clock: Clock, status: dg.DagsterRunStatus) -> None:
    (request,), _ = clock.tick(at(25))
    clock.ran(request, status)
    assert clock.tick(at(26)) == ([], "2026-02 has been begun.")


def test_when_every_attempt_failed_it_is_tried_once_a_day(clock: Clock) -> None:
    (request,), _ = clock.tick(at(25))
    for number in ("1", "2"):
        tags = {**request.tags, "billing/attempt": number}
        clock.ran(dg.RunRequest(partition_key="2026-02", tags=tags), dg.DagsterRunStatus.FAILURE)
    keys = [clock.tick(at(day), attempts=2)[0][0].run_key for day in (26, 26, 27)]
    assert keys == ["accrual:2026-02:a2:2026-02-26"] * 2 + ["accrual:2026-02:a2:2026-02-27"]


@pytest.mark.parametrize("state", ["published", "void", "preparing"])
def test_a_month_with_an_accrual_is_left_alone_even_when_somebody_took_it_back(clock: Clock, state: str) -> None:
    clock.has(state=state, capability="accruals")
    assert clock.tick(at(25)) == ([], "2026-02 is accrued already, or somebody took its accrual back.")


def test_a_month_whose_bill_is_out_needs_no_estimate(clock: Clock) -> None:
    clock.has()
    assert clock.tick(at(5, 3)) == ([], "2026-02 is billed already.")


def test_no_day_and_months_before_the_first_ask_for_nothing(clock: Clock) -> None:
    assert clock.tick(at(25), accrual_day=0) == ([], "No accrual is due.")
    assert clock.tick(at(25), start_month="2026-03") == ([], "No accrual is due.")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_every_month_of_a_year_becomes_due_at_its_tick_of_its_day_in_its_zone(zone: str) -> None:
    """By the ticks of the daemon: over both changes of the clock, short months and the turn of the year."""
    settings = Settings(timezone=zone, accrual_day=31, accrual_time="02:30")
    schedule, end = accrual_schedule(settings), datetime(2027, 1, 1, tzinfo=ZoneInfo(zone))
    begin = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).timestamp()
    ticks = schedule_execution_time_iterator(begin, schedule.cron_schedule, schedule.execution_timezone)
    first: dict[str, str] = {}
    for tick in takewhile(lambda tick: tick < end, ticks):
        local = tick.astimezone(settings.zone)
        first.setdefault(str(due_month(local, settings.accrual_day)), f"{local:%Y-%m-%d}")
    assert first == {"2025-12": "2026-01-01"} | {
        month.key: str(month.last) for month in (Period(2026, number) for number in range(1, 13))
    }


@pytest.mark.parametrize("time", ["24:00", "6:00", "06.00", "noon"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        Settings(accrual_time=time)
