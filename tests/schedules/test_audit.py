"""When the audit runs by itself: times, zone, when there is nothing to do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon ticks by

from billing_pipeline.definitions import defs
from billing_pipeline.schedules.audit import NAME, audit_schedule
from billing_pipeline.settings import Settings

NOTHING = "There is nothing to audit: no account of Smartsheet, and no folder of sheets."


def tick(tmp_path: Path, **settings: object) -> list[dg.RunRequest] | str:
    """What a tick asks for, or says when it asks for nothing."""
    given = Settings(**{"audit_dir": tmp_path / "nowhere"} | settings)  # type: ignore[arg-type]
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(  # left before the instance: it would leave a dead one behind for other tests
            instance=instance,
            scheduled_execution_time=datetime(2026, 6, 1, 4, tzinfo=UTC),
            repository_def=defs.get_repository_def(),
        ) as context,
    ):
        found = audit_schedule(given).evaluate_tick(context)
    return [*found.run_requests] if found.run_requests else found.skip_message or ""


def test_the_audit_runs_at_every_even_hour_of_the_zone_of_the_settings() -> None:
    made = audit_schedule(Settings(timezone="America/Chicago"))
    assert (made.name, made.job_name, made.cron_schedule) == (NAME, "audit", "0 */2 * * *")
    assert made.execution_timezone == "America/Chicago"


def test_it_runs_by_itself_unless_it_is_switched_off() -> None:
    assert audit_schedule(Settings()).default_status.value == "RUNNING"
    assert audit_schedule(Settings(off="audit_every_2_hours")).default_status.value == "STOPPED"


def test_the_definitions_hold_it() -> None:
    assert NAME in {one.name for one in defs.get_repository_def().schedule_defs}


@pytest.mark.parametrize("zone", ["UTC", "America/Chicago", "Europe/Berlin", "Pacific/Kiritimati"])
def test_no_three_hours_of_a_year_are_without_an_audit_when_clocks_change(zone: str) -> None:
    made = audit_schedule(Settings(timezone=zone))
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    found = schedule_execution_time_iterator(begin.timestamp(), made.cron_schedule, made.execution_timezone)
    ticks = [at.astimezone(UTC) for at in takewhile(lambda at: at < end, found)]
    assert max(later - sooner for sooner, later in pairwise(ticks)) <= timedelta(hours=3)
    assert len(ticks) >= 4379


def test_a_tick_asks_for_one_run_of_no_month(tmp_path: Path) -> None:
    (tmp_path / "sheets").mkdir()
    (request,) = tick(tmp_path, audit_dir=tmp_path / "sheets")
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key is None


def test_an_account_of_smartsheet_is_enough(tmp_path: Path) -> None:
    assert len(tick(tmp_path, BILLING_SMARTSHEET_API_TOKEN="hush")) == 1


def test_without_a_folder_and_an_account_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert tick(tmp_path) == NOTHING
