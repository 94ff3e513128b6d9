"""The schedule `unbilled_digest`: every morning, where there is anything to look at."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from billing_pipeline.definitions import defs
from billing_pipeline.resources.outputs import output_files
from billing_pipeline.run_tags import DIGEST
from billing_pipeline.schedules.unbilled import NAME, unbilled_schedule
from billing_pipeline.settings import Settings


def tick(folder: Path) -> list[dict[str, str]]:
    settings = Settings(unbilled_dir=folder / "unbilled")
    with (
        dg.DagsterInstance.local_temp(str(folder)) as instance,
        dg.build_schedule_context(  # left before the instance: it would leave a dead one behind for other tests
            instance=instance,
            scheduled_execution_time=datetime(2026, 6, 1, 8, tzinfo=UTC),
            repository_def=defs.get_repository_def(),
            resources={"outputs": output_files(folder / "outputs", folder / "data")},
        ) as context,
    ):
        found = unbilled_schedule(settings).evaluate_tick(context)
    return [dict(request.tags) for request in found.run_requests or ()]


def test_people_are_told_every_morning_in_the_zone_of_the_settings() -> None:
    made = unbilled_schedule(Settings(timezone="America/Chicago"))
    assert (made.name, made.job_name, made.cron_schedule) == (NAME, "unbilled", "0 8 * * *")
    assert (made.execution_timezone, made.default_status.value) == ("America/Chicago", "RUNNING")
    assert unbilled_schedule(Settings(off=NAME)).default_status.value == "STOPPED"


def test_where_there_are_no_time_logs_nothing_runs(tmp_path: Path) -> None:
    assert tick(tmp_path) == []
    (tmp_path / "unbilled").mkdir()
    (asked,) = tick(tmp_path)
    assert asked[DIGEST] == "yes"
