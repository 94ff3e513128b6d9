"""The sensor `accruals`: a failed accrual again after its pause, the variance of each pair of accrual and bill once."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from billing_pipeline.definitions import defs
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import accrue_month, explain_variance
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.sensors.accrual_runs import accrual_request, due_month
from billing_pipeline.sensors.accruals import accruals_sensor
from billing_pipeline.settings import Settings
from tests.resources.test_releases import release

JANUARY = Period(2026, 1)


class Watch:
    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database: Database = open_database(sqlite_url(folder))
        self.instance = instance

    def tick(self, **settings: object) -> list[dg.RunRequest]:
        with dg.build_sensor_context(self.instance, resources={"database": self.database}, definitions=defs) as context:
            found = accruals_sensor(Settings(**settings)).evaluate_tick(context)  # type: ignore[arg-type]
        return list(found.run_requests or [])

    def has(
        self, run: str, number: int = 1, state: str = "published", *, ago: timedelta = timedelta(0), **more: object
    ) -> None:
        made = release(number, state, JANUARY, **more)  # type: ignore[arg-type]
        made = replace(made, run_id=run, prepared_at=datetime.now(UTC) - ago)
        self.database.run(partial(releases.prepare, release=made))

    def ran(self, request: dg.RunRequest, job: str, status: dg.DagsterRunStatus) -> None:
        tags = {**request.tags, "dagster/partition": str(request.partition_key)}
        self.instance.add_run(dg.DagsterRun(job, str(uuid4()), tags=tags, status=status))


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(tmp_path, instance)


def test_one_of_the_two_alone_is_nothing_to_compare(watch: Watch) -> None:
    watch.has("a", capability="accruals")
    assert watch.tick() == []


def test_the_variance_is_asked_for_once_when_both_are_out(watch: Watch) -> None:
    watch.has("a", capability="accruals")
    watch.has("b")
    (request,) = watch.tick()
    assert (request.job_name, request.partition_key, request.run_key) == (
        "explain_variance", "2026-01", "variance:a:b:a1",
    )  # fmt: skip
    watch.ran(request, explain_variance.name, dg.DagsterRunStatus.SUCCESS)
    assert watch.tick() == []


def test_a_later_release_is_compared_again_and_one_taken_back_is_not(watch: Watch) -> None:
    watch.has("a", capability="accruals")
    watch.has("b")
    watch.ran(watch.tick()[0], explain_variance.name, dg.DagsterRunStatus.SUCCESS)
    watch.has("c", 2)
    assert [request.run_key for request in watch.tick()] == ["variance:a:c:a1"]
    watch.database.run(partial(releases.mark, release=release(2, period=JANUARY), state="void"))
    assert watch.tick() == []


def test_a_variance_that_failed_is_tried_again_after_its_pause_and_at_last_given_up(watch: Watch) -> None:
    watch.has("a", capability="accruals")
    watch.has("b")
    (request,) = watch.tick()
    for number in ("1", "2", "3"):
        again = dg.RunRequest(partition_key="2026-01", tags={**request.tags, "billing/attempt": number})
        watch.ran(again, explain_variance.name, dg.DagsterRunStatus.FAILURE)
    assert watch.tick(retry_seconds=1, attempts=3) == []
    assert watch.tick(retry_seconds=3600, attempts=9) == []


def test_pairs_of_long_ago_are_left_alone(watch: Watch) -> None:
    watch.has("a", capability="accruals", ago=timedelta(days=120))
    watch.has("b", ago=timedelta(days=100))
    assert watch.tick() == []


def test_an_accrual_that_the_schedule_began_and_that_failed_is_tried_again_and_one_of_a_person_is_not(
    watch: Watch,
) -> None:
    period = due_month(datetime.now(UTC), 1)
    assert period
    mine = dg.RunRequest(partition_key=period.key, tags={"billing/attempt": "1"})
    watch.ran(mine, accrue_month.name, dg.DagsterRunStatus.FAILURE)
    assert watch.tick(accrual_day=1, retry_seconds=1) == []
    watch.ran(accrual_request(period, 1), accrue_month.name, dg.DagsterRunStatus.FAILURE)
    assert watch.tick(accrual_day=1, retry_seconds=3600) == []
    time.sleep(1.1)
    (request,) = watch.tick(accrual_day=1, retry_seconds=1)
    assert (request.job_name, request.run_key) == ("accrue_month", f"accrual:{period}:a2")
