"""The sensor `source_changes`: a run for changed content, none for a touched file, and what fails is tried again."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from billing_pipeline.definitions import defs
from billing_pipeline.jobs import unbilled
from billing_pipeline.resources.database import open_database, sqlite_url
from billing_pipeline.resources.outputs import output_files
from billing_pipeline.resources.unbilled_folder import UnbilledFolder
from billing_pipeline.run_tags import ATTEMPT, CONTENT
from billing_pipeline.sensors.source_changes import source_changes_sensor
from billing_pipeline.settings import Settings

LOGS = "Log_ID,Project_ID,Hours,Activity_Type,Invoicing_Status\n1,P1,{},Billable,Logged\n"
CONTRACTS = "Project_ID,Client_Rate_per_Hour,Billing_Model\nP1,100,T&M\n"


class Watch:
    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.feeds, self.instance, self.cursor = folder / "unbilled", instance, ""
        self.resources = {
            "unbilled_folder": UnbilledFolder(self.feeds),
            "outputs": output_files(folder / "outputs", folder / "data"),
            "database": open_database(sqlite_url(folder)),
        }

    def write(self, hours: str) -> None:
        self.feeds.mkdir(exist_ok=True)
        (self.feeds / "time_logs.csv").write_text(LOGS.format(hours))
        (self.feeds / "contracts.csv").write_text(CONTRACTS)

    def tick(self, **settings: object) -> dict[str, str] | None:
        """The tags of the run that is asked for, if one is."""
        with dg.build_sensor_context(
            self.instance, cursor=self.cursor, resources=self.resources, definitions=defs
        ) as context:
            found = source_changes_sensor(Settings(**settings)).evaluate_tick(context)  # type: ignore[arg-type]
        self.cursor = found.cursor or self.cursor
        requests = list(found.run_requests or [])
        return dict(requests[0].tags) if requests else None

    def ran(self, tags: dict[str, str] | None, status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS) -> None:
        assert tags is not None
        self.instance.add_run(dg.DagsterRun(unbilled.name, str(uuid4()), tags=tags, status=status))


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(tmp_path, instance)


def test_without_any_time_nothing_is_started(watch: Watch) -> None:
    assert watch.tick() is None


def test_a_changed_content_starts_one_run_and_a_touched_file_none(watch: Watch) -> None:
    watch.write("8")
    watch.ran(watch.tick())
    assert watch.tick() is None
    os.utime(watch.feeds / "time_logs.csv", (1, 1))
    assert watch.tick() is None
    watch.write("9")
    watch.ran(watch.tick())
    assert watch.tick() is None


def test_a_run_that_goes_on_is_waited_for_and_one_that_failed_is_tried_again_after_a_pause(watch: Watch) -> None:
    watch.write("8")
    tags = watch.tick()
    watch.ran(tags, dg.DagsterRunStatus.STARTED)
    assert watch.tick() is None
    (record,) = watch.instance.get_run_records()
    watch.instance.delete_run(record.dagster_run.run_id)
    watch.ran(tags, dg.DagsterRunStatus.FAILURE)
    assert watch.tick(retry_seconds=600) is None
    again = watch.tick(retry_seconds=1) or watch_until(watch)
    assert again == {**(tags or {}), ATTEMPT: "2"}


def watch_until(watch: Watch) -> dict[str, str]:
    """The run that is asked for once the shortest pause is over."""
    give_up = datetime.now(UTC) + timedelta(seconds=10)
    while (tags := watch.tick(retry_seconds=1)) is None:
        assert datetime.now(UTC) < give_up
    return tags


def test_a_feed_that_is_missing_a_second_time_is_a_new_fact_and_its_return_too(watch: Watch) -> None:
    seen = []
    for _ in range(2):
        watch.write("8")
        seen.append(watch.tick())
        watch.ran(seen[-1])
        (watch.feeds / "time_logs.csv").unlink()
        cursor = json.loads(watch.cursor)
        watch.cursor = json.dumps({**cursor, "since": f"{cursor['since']}"})
        seen.append(watch.tick())
        watch.ran(seen[-1], dg.DagsterRunStatus.FAILURE)
        assert watch.tick(retry_seconds=600) is None
        _a_second_later(watch)
    contents = [tags[CONTENT] for tags in seen if tags]
    assert len(contents) == len(set(contents)) == 4


def _a_second_later(watch: Watch) -> None:
    """The times in the cursor are whole seconds: the next fact is of another one."""
    since = datetime.fromisoformat(json.loads(watch.cursor)["since"])
    while datetime.now(UTC) - since < timedelta(seconds=1.1):
        pass
