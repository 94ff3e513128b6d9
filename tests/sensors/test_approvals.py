"""The sensor `approvals`, evaluated: which waiting month it asks to be run, with which tags, and how often."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from billing_pipeline.definitions import defs
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import close_month
from billing_pipeline.resources import months, releases, reviews
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.inputs import InputFiles, input_files
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.reviews import Approval
from billing_pipeline.sensors.approvals import approvals_sensor
from billing_pipeline.settings import Settings
from tests.resources.test_releases import release

JANUARY = Period(2026, 1)
RULES = sha256(b"rules").hexdigest()
SINCE = datetime(2026, 2, 3, 9, tzinfo=UTC)
EVENT = MonthEvent(JANUARY, "in_review", SINCE, "run-1", "2026.01/usage.csv", "u" * 64, RULES, 0)


class Installed:
    """A database, a rules workbook and an instance of Dagster, as the sensor finds them."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.database: Database = open_database(sqlite_url(folder))
        self.instance = instance
        self.book = folder / "rules.xlsx"
        self.book.write_bytes(b"rules")
        self.inputs: InputFiles = input_files(folder, self.book, folder, folder / "none.json")

    def waits(self, **changes: Any) -> None:
        """January's state as of now."""
        self.database.run(partial(months.record, event=replace(EVENT, **changes)))

    def approve(self, by: str, **changes: Any) -> None:
        given = Approval(JANUARY, EVENT.usage_sha256, RULES, 0, by, datetime.now(UTC))
        self.database.run(partial(reviews.approve, approval=replace(given, **changes)))

    def tick(self, **settings: Any) -> tuple[list[dg.RunRequest], str]:
        """What a tick asks for, and what it says when that is nothing."""
        given = {"inputs": self.inputs, "database": self.database}
        with dg.build_sensor_context(self.instance, resources=given, definitions=defs) as context:
            found = approvals_sensor(Settings(**settings)).evaluate_tick(context)
        return list(found.run_requests or []), found.skip_message or ""

    def ran(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
        """The requested run exists and came to this."""
        tags = {**request.tags, "dagster/partition": "2026-01"}
        self.instance.add_run(dg.DagsterRun(close_month.name, str(uuid4()), tags=tags, status=status))


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Installed(tmp_path, instance)


def test_nothing_waits(installed: Installed) -> None:
    assert installed.tick() == ([], "No month waits for people.")


def test_a_month_that_is_not_approved_is_named(installed: Installed) -> None:
    installed.waits()
    assert installed.tick() == ([], "Nothing new: 2026-01 is in_review.")


def test_an_approved_month_is_run_with_the_very_file_that_was_approved(installed: Installed) -> None:
    installed.waits()
    installed.approve("Ana")
    ((request,), _) = installed.tick()
    assert request.partition_key == "2026-01"
    assert request.run_key == f"2026-01:{'u' * 16}:approved-0-1-r1:a1"
    assert request.tags.items() >= {
        "billing/file": "2026.01/usage.csv", "billing/sha256": "u" * 64, "billing/cause": "approved-0-1-r1",
        "billing/attempt": "1", "billing/rules_sha256": RULES, "billing/writer": "billing:2026-01",
    }.items()  # fmt: skip


@pytest.mark.parametrize("other", [{"rules_sha256": "other"}, {"usage_sha256": "other"}, {"last_decision": 3}])
def test_an_approval_of_another_draft_starts_nothing(installed: Installed, other: dict[str, Any]) -> None:
    installed.waits()
    installed.approve("Ana", **other)
    assert installed.tick()[0] == []


def test_two_approvers_are_waited_for(installed: Installed) -> None:
    installed.waits()
    installed.approve("Ana")
    assert installed.tick(approvers=2)[0] == []
    installed.approve("Bo")
    assert len(installed.tick(approvers=2)[0]) == 1


def test_an_approval_from_before_the_release_was_taken_back_starts_nothing(installed: Installed) -> None:
    installed.approve("Ana", approved_at=SINCE - timedelta(hours=1))
    taken_back = replace(release(), period=JANUARY, number=1, state="void", voided_at=SINCE)
    installed.database.run(partial(releases.prepare, release=taken_back))
    installed.waits(state="priced")
    assert installed.tick()[0] == []
    installed.approve("Ana")
    ((request,), _) = installed.tick()
    assert request.tags["billing/cause"] == "approved-0-1-r2"


def test_a_run_that_is_under_way_or_succeeded_is_not_asked_for_again(installed: Installed) -> None:
    installed.waits()
    installed.approve("Ana")
    ((request,), _) = installed.tick()
    installed.ran(request, dg.DagsterRunStatus.STARTED)
    assert installed.tick()[0] == []


def test_a_run_that_failed_is_asked_for_again_after_its_pause(installed: Installed) -> None:
    installed.waits()
    installed.approve("Ana")
    ((request,), _) = installed.tick()
    installed.ran(request, dg.DagsterRunStatus.FAILURE)
    assert installed.tick(retry_seconds=3600)[0] == []
    (record,) = installed.instance.get_run_records()
    assert record.end_time is None
    ended = record.update_timestamp.timestamp()
    while datetime.now(UTC).timestamp() < ended + 1.1:
        pass
    ((again,), _) = installed.tick(retry_seconds=1)
    assert again.run_key == f"2026-01:{'u' * 16}:approved-0-1-r1:a2"
    assert again.tags["billing/attempt"] == "2"


def test_a_run_that_failed_as_often_as_allowed_is_left_alone(installed: Installed) -> None:
    installed.waits()
    installed.approve("Ana")
    ((request,), _) = installed.tick(attempts=1)
    installed.ran(request, dg.DagsterRunStatus.FAILURE)
    assert installed.tick(attempts=1, retry_seconds=1)[0] == []


def test_changed_rules_run_a_waiting_month_once_for_each_workbook(installed: Installed) -> None:
    installed.waits()
    installed.book.write_bytes(b"other rules")
    ((request,), _) = installed.tick()
    assert request.tags["billing/cause"].startswith(f"rules-{sha256(b'other rules').hexdigest()[:16]}-")
    installed.ran(request, dg.DagsterRunStatus.SUCCESS)
    assert installed.tick()[0] == []
    installed.book.write_bytes(b"third rules")
    assert len(installed.tick()[0]) == 1


def test_a_month_drafted_with_its_release_s_rules_does_not_ask_the_workbook(installed: Installed) -> None:
    installed.waits(state="rebill_waiting", detail={"rules": "as-of"})
    installed.book.write_bytes(b"other rules")
    assert installed.tick()[0] == []
    installed.approve("Ana")
    ((request,), _) = installed.tick()
    assert request.tags["billing/rules"] == "as-of"


def test_rules_that_cannot_be_read_start_nothing(installed: Installed) -> None:
    installed.waits()
    installed.book.unlink()
    assert installed.tick()[0] == []


def test_it_can_be_switched_off() -> None:
    assert approvals_sensor(Settings(off="approvals")).default_status == dg.DefaultSensorStatus.STOPPED
    assert approvals_sensor(Settings()).default_status == dg.DefaultSensorStatus.RUNNING
