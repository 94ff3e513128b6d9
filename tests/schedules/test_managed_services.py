"""When clients are pulled and billed by themselves: times, zone, the month of a tick, when there is nothing to do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon ticks by

from billing_pipeline.definitions import defs
from billing_pipeline.engine.period import Period
from billing_pipeline.schedules.managed_services import client_schedules, month_of_tick
from billing_pipeline.settings import Settings

NAMES = ("tickets_every_6_hours", "backups_daily", "clients_monthly")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Santiago")


class Clock:
    """The schedules of an installation whose folder of clients is there."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        (folder / "clients").mkdir()

    def tick(self, name: str, at: datetime, **settings: object) -> dg.RunRequest | str:
        """What a tick at this time asks for, or says when it asks for nothing."""
        given = Settings(**{"clients_dir": self.folder / "clients"} | settings)  # type: ignore[arg-type]
        context = dg.build_schedule_context(
            instance=self.instance, scheduled_execution_time=at, repository_def=defs.get_repository_def()
        )
        found = schedule(name, given).evaluate_tick(context)
        return found.run_requests[0] if found.run_requests else found.skip_message or ""


def schedule(name: str, settings: Settings) -> dg.ScheduleDefinition:
    (found,) = (one for one in client_schedules(settings) if one.name == name)
    return found


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Clock(tmp_path, instance)


def at(day: int, hour: int = 3, month: int = 6, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def ticks(name: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """The times of a schedule from begin to before the end, in its zone."""
    made = schedule(name, Settings(timezone=zone))
    found = schedule_execution_time_iterator(begin.timestamp(), made.cron_schedule, made.execution_timezone)
    return [tick.astimezone(ZoneInfo(zone)) for tick in takewhile(lambda tick: tick < end, found)]


def test_the_three_schedules_run_their_jobs_in_the_zone_of_the_settings() -> None:
    found = client_schedules(Settings(timezone="Europe/Berlin"))
    assert [(one.name, one.job_name, one.cron_schedule) for one in found] == [
        ("tickets_every_6_hours", "pull_tickets", "0 */6 * * *"),
        ("backups_daily", "pull_inventory", "0 2 * * *"),
        ("clients_monthly", "bill_clients", "0 3 1 * *"),
    ]
    assert {one.execution_timezone for one in found} == {"Europe/Berlin"}


def test_they_run_by_themselves_unless_they_are_switched_off() -> None:
    found = client_schedules(Settings(off="backups_daily"))
    assert {one.name: one.default_status.value for one in found} == {
        "tickets_every_6_hours": "RUNNING",
        "backups_daily": "STOPPED",
        "clients_monthly": "RUNNING",
    }


def test_the_definitions_hold_them() -> None:
    held = {one.name for one in defs.get_repository_def().schedule_defs}
    assert set(NAMES) <= held


@pytest.mark.parametrize("name", ["tickets_every_6_hours", "backups_daily"])
def test_a_pull_is_for_the_month_it_is_in(clock: Clock, name: str) -> None:
    months = [clock.tick(name, moment).partition_key for moment in (at(1, 0), at(30, 23), at(31, 12, 12))]
    assert months == ["2026-06", "2026-06", "2026-12"]


def test_on_the_1st_the_month_before_is_billed_over_the_turn_of_the_year_as_well(clock: Clock) -> None:
    months = [clock.tick("clients_monthly", moment).partition_key for moment in (at(1), at(1, 3, 1), at(1, 3, 3, 2028))]
    assert months == ["2026-05", "2025-12", "2028-02"]


@pytest.mark.parametrize(
    ("zone", "moment", "billed"),
    [
        ("Pacific/Kiritimati", datetime(2026, 5, 31, 13, tzinfo=UTC), "2026-05"),  # 03:00 on 1 June
        ("Pacific/Kiritimati", datetime(2026, 5, 31, 9, tzinfo=UTC), "2026-04"),  # 23:00 on 31 May
        ("Europe/Berlin", datetime(2026, 1, 1, 2, tzinfo=UTC), "2025-12"),
        ("America/New_York", datetime(2026, 7, 1, 3, tzinfo=UTC), "2026-05"),  # 23:00 on 30 June
        ("America/New_York", datetime(2026, 7, 1, 7, tzinfo=UTC), "2026-06"),
        ("Pacific/Pago_Pago", datetime(2026, 1, 1, 14, tzinfo=UTC), "2025-12"),
    ],
)
def test_the_month_before_is_that_of_the_zone_east_and_west_of_utc(
    clock: Clock, zone: str, moment: datetime, billed: str
) -> None:
    assert clock.tick("clients_monthly", moment, timezone=zone).partition_key == billed


def test_a_pull_of_the_first_hours_of_a_month_in_utc_is_for_the_month_that_still_lasts_in_the_west(
    clock: Clock,
) -> None:
    months = [
        clock.tick("tickets_every_6_hours", at(1, hour, 7), timezone="America/New_York").partition_key
        for hour in (3, 4)
    ]
    assert months == ["2026-06", "2026-07"]


@pytest.mark.parametrize("zone", ZONES)
def test_every_month_of_a_year_is_billed_once_on_the_day_after_it_in_its_zone(zone: str) -> None:
    """By the ticks of the daemon: over both changes of the clock and the turn of the year."""
    found = ticks("clients_monthly", zone, at(2, 0, 1), datetime(2027, 1, 2, tzinfo=ZoneInfo(zone)))
    assert [(f"{month_of_tick(tick, before=True)}", f"{tick:%Y-%m-%d %H:%M}") for tick in found] == [
        (month.key, f"{month.next.first} 03:00") for month in (Period(2026, number) for number in range(1, 13))
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_no_day_is_without_its_pulls_when_clocks_change(zone: str) -> None:
    begin, end = at(1, 12, 1), datetime(2027, 1, 1, tzinfo=ZoneInfo(zone))
    daily = [f"{tick:%m-%d}" for tick in ticks("backups_daily", zone, begin, end)]
    assert len(set(daily)) >= 364
    every = [tick.timestamp() for tick in ticks("tickets_every_6_hours", zone, begin, end)]
    assert max(later - sooner for sooner, later in pairwise(every)) <= 7 * 3600


def test_each_tick_has_a_key_of_its_own_and_the_same_tick_the_same(clock: Clock) -> None:
    moments = [at(1, 0), at(1, 6), at(2, 0), at(1, 0)]
    keys = [clock.tick("tickets_every_6_hours", moment).run_key for moment in moments]
    assert keys == [
        "tickets_every_6_hours:2026-06-01T00:00Z",
        "tickets_every_6_hours:2026-06-01T06:00Z",
        "tickets_every_6_hours:2026-06-02T00:00Z",
        "tickets_every_6_hours:2026-06-01T00:00Z",
    ]


def test_the_key_says_the_time_in_utc_whatever_the_zone_of_the_schedule(clock: Clock) -> None:
    local = datetime(2026, 6, 1, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    request = clock.tick("clients_monthly", local, timezone="Europe/Berlin")
    assert request.run_key == "clients_monthly:2026-06-01T01:00Z"


@pytest.mark.parametrize("name", NAMES)
def test_without_a_folder_and_a_directory_there_is_nothing_to_do(clock: Clock, name: str) -> None:
    said = clock.tick(name, at(1), clients_dir=clock.folder / "nowhere")
    assert said == "There are no clients: no folder of them, and no directory is set."


def test_a_directory_is_enough(clock: Clock) -> None:
    directory = {"directory_url": "http://127.0.0.1:1", "directory_identity_url": "http://127.0.0.1:2"}
    nowhere = {"clients_dir": clock.folder / "nowhere", **directory}
    assert clock.tick("backups_daily", at(1), **nowhere).partition_key == "2026-06"


def test_months_before_the_first_are_left_alone(clock: Clock) -> None:
    june = {"start_month": "2026-06"}
    assert clock.tick("clients_monthly", at(1), **june) == "2026-05 is before the first month (BILLING_START_MONTH)."
    assert clock.tick("clients_monthly", at(1, 3, 7), **june).partition_key == "2026-06"
    assert clock.tick("backups_daily", at(1), **june).partition_key == "2026-06"
    assert clock.tick("backups_daily", at(31, 2, 5), **june) == (
        "2026-05 is before the first month (BILLING_START_MONTH)."
    )
