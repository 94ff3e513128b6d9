"""The sensor that takes usage files: real folders, a real instance and database, ticks evaluated as the daemon does."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import read_memory
from billing_pipeline.profile import Profile
from billing_pipeline.resources.database import Database, DatabaseResource, open_database, sqlite_url
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.months import MonthEvent, record
from billing_pipeline.sensors import usage_files as module
from billing_pipeline.sensors.usage_files import usage_files_sensor
from billing_pipeline.settings import Settings
from tests.engine.rules.books import book, tier
from tests.literals import company, usage_csv

NAME = "2026.01_usage.csv"
ROWS = b"FOR_MONTH,rows\n"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


@dataclass
class House:
    """A usage folder, the sensor over it, and what it knows of: Dagster's instance, the database, the cursor."""

    root: Path
    instance: dg.DagsterInstance
    settings: Settings
    now: datetime = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
    cursor: str | None = None

    def __post_init__(self) -> None:
        self.usage.mkdir(exist_ok=True)
        resources = local_resources(
            usage_dir=self.usage,
            rules_file=self.root / "rules.xlsx",
            outputs_dir=self.root / "out",
            state_dir=self.root / "state",
            profile=Profile(),
            gate=Gate(),
            database=DatabaseResource(url=sqlite_url(self.root)),
        )
        self.resources = {name: resources[name] for name in ("inputs", "database")}
        built = build_defs(resources)
        self.sensor = usage_files_sensor(self.settings, self._clock)
        self.defs = dg.Definitions(
            assets=built.assets,
            asset_checks=built.asset_checks,
            jobs=built.jobs,
            resources=built.resources,
            executor=built.executor,
            sensors=[self.sensor],
        )

    @property
    def usage(self) -> Path:
        return self.root / "usage"

    @property
    def database(self) -> Database:
        return open_database(sqlite_url(self.root))

    def write(self, name: str, content: bytes = ROWS) -> Path:
        path = self.usage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def tick(self) -> "Tick":
        """One tick; each is a new context with the cursor of the last one, as after a restart."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.defs, resources=self.resources
        )
        data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return Tick(data.run_requests or [], data.skip_message or "")

    def ticks(self, number: int) -> list[dg.RunRequest]:
        return [request for _ in range(number) for request in self.tick().requests]

    def launch(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
        """A run as the daemon makes it of a request, ended as it may be."""
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        self.instance.add_run(dg.DagsterRun("close_month", run_id=str(uuid4()), status=status, tags=tags))

    def notices(self) -> list[tuple[str, str]]:
        """Kind and text of what was posted, in order."""
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(outbox).order_by("id"))
            return [(row.kind, row.message["text"]) for row in rows]

    def _clock(self, zone: tzinfo) -> datetime:
        return self.now.astimezone(zone)


@dataclass(frozen=True)
class Tick:
    requests: list[dg.RunRequest]
    skipped: str


Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield lambda **options: House(tmp_path, instance, Settings(data_dir=tmp_path / "state", **options))


@pytest.fixture
def house(build: Build) -> House:
    return build()


# What is requested


def test_a_file_that_stood_still_asks_for_one_run_in_its_month_with_its_tags(house: House) -> None:
    house.write("sub/2026.1_usage.csv")
    assert house.tick() == Tick([], "Waits for sub/2026.1_usage.csv to stand still.")
    [request] = house.tick().requests
    assert request.run_key == f"2026-01:{digest(ROWS)[:16]}:a1"
    assert request.partition_key == "2026-01"
    assert {key: value for key, value in request.tags.items() if key.startswith("billing/")} == {
        "billing/writer": "billing:2026-01",
        "billing/file": "sub/2026.1_usage.csv",
        "billing/sha256": digest(ROWS),
        "billing/rules_sha256": "",
        "billing/attempt": "1",
    }


def test_an_empty_folder_waits_for_nothing(house: House) -> None:
    assert house.tick() == Tick([], "No new usage file.")


def test_while_the_run_goes_on_nothing_more_is_asked_for(house: House) -> None:
    house.write(NAME)
    [request] = house.ticks(2)
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        house.launch(request, status)
        assert house.tick() == Tick([], "Waits for the run of 2026-01 over 2026.01_usage.csv.")


def test_a_request_that_the_daemon_lost_is_made_again_under_the_same_key(house: House) -> None:
    house.write(NAME)
    assert len({request.run_key for request in house.ticks(4)}) == 1


def test_a_failed_run_is_asked_for_again_after_its_pause_with_the_next_number(build: Build) -> None:
    house = build(retry_seconds=60, max_age_months=1000)
    house.write(NAME)
    [request] = house.ticks(2)
    house.launch(request, dg.DagsterRunStatus.FAILURE)
    ended = datetime.now(UTC)
    house.now = ended + timedelta(seconds=30)
    assert house.tick().skipped.startswith("Waits for attempt 2 at 2026.01_usage.csv, due ")
    house.now = ended + timedelta(seconds=61)
    [again] = house.tick().requests
    assert (again.run_key, again.tags["billing/attempt"]) == (f"2026-01:{digest(ROWS)[:16]}:a2", "2")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED], ids=str)
def test_a_run_that_succeeded_or_was_cancelled_is_not_asked_for_again(
    house: House, status: dg.DagsterRunStatus
) -> None:
    house.write(NAME)
    [request] = house.ticks(2)
    house.launch(request, status)
    house.now += timedelta(days=1)
    assert house.ticks(3) == []


def test_runs_of_another_month_over_the_same_content_do_not_count(house: House) -> None:
    house.write("2025.12_usage.csv")
    [request] = house.ticks(2)
    house.launch(request, dg.DagsterRunStatus.SUCCESS)
    house.write(NAME)
    assert [request.partition_key for request in house.ticks(2)] == ["2026-01"]


def test_what_the_database_knows_as_judged_is_not_asked_for_even_without_a_cursor(house: House) -> None:
    event = MonthEvent(Period(2026, 1), "refused", house.now, usage_sha256=digest(ROWS))
    house.database.run(lambda connection: record(connection, event))
    house.write(NAME)
    assert house.ticks(3) == []


def test_a_cursor_that_cannot_be_read_starts_anew(house: House) -> None:
    house.write(NAME)
    [request] = house.ticks(2)
    house.launch(request, dg.DagsterRunStatus.STARTED)
    house.cursor = '{"form": 1, "fi'
    assert house.ticks(4) == []


def test_a_file_and_its_run_from_the_folder_to_the_verdict(build: Build) -> None:
    house = build(retry_seconds=1)
    (house.root / "rules.xlsx").write_bytes(book([tier(er_fee=10, iu_fee=1)], minimums=(), config=()))
    house.write("2026.01/2026.01_usage.csv", usage_csv(company()))
    [request] = house.ticks(2)
    job = house.defs.resolve_job_def("close_month")
    result = job.execute_in_process(
        partition_key=request.partition_key, tags=dict(request.tags), run_config=QUIET, instance=house.instance
    )
    assert result.success
    house.now += timedelta(hours=1)
    assert house.ticks(3) == []


# What is told


def test_what_is_told_is_posted_once(house: House) -> None:
    house.write("2026.13_usage.csv")
    house.ticks(3)
    house.cursor = None
    house.ticks(3)
    [(kind, text)] = house.notices()
    assert kind == "wrong_month"
    assert "2026.13_usage.csv begins with a month that does not exist" in text


def test_a_month_before_the_partitions_and_one_after_them_fail_no_tick(build: Build) -> None:
    house = build(start_month="2025-12", max_age_months=3)
    for name in ("2025.11_usage.csv", "2026.03_usage.csv", NAME):
        house.write(name)
    assert [request.partition_key for request in house.ticks(3)][:1] == ["2026-01"]
    assert [kind for kind, _ in house.notices()] == ["wrong_month", "wrong_month"]


def test_a_folder_that_is_gone_for_a_while_is_told_at_both_ends_and_nothing_is_lost(house: House) -> None:
    house.write(NAME)
    house.tick()
    house.usage.rename(house.root / "elsewhere")
    for _ in range(3):
        assert house.tick() == Tick([], "Waits for the usage folder to come back.")
    (house.root / "elsewhere").rename(house.usage)
    assert len(house.tick().requests) == 1
    assert [kind for kind, _ in house.notices()] == ["folder_gone", "folder_back"]


def test_a_folder_that_is_empty_for_a_while_bills_nothing_twice(house: House) -> None:
    house.write(NAME)
    [request] = house.ticks(2)
    house.launch(request, dg.DagsterRunStatus.SUCCESS)
    house.usage.rename(house.root / "elsewhere")
    house.usage.mkdir()
    house.ticks(2)
    house.usage.rmdir()
    (house.root / "elsewhere").rename(house.usage)
    assert house.ticks(3) == []


# What is seen in a folder


def test_links_that_leave_the_folder_are_not_followed(house: House) -> None:
    outside = house.root / "outside"
    outside.mkdir()
    (outside / NAME).write_bytes(ROWS)
    (house.usage / NAME).symlink_to(outside / NAME)
    (house.usage / "linked").symlink_to(outside)
    (house.usage / "2025.12_usage.csv").symlink_to("nowhere.csv")
    (house.usage / "loop").symlink_to(house.usage)
    assert house.ticks(3) == []
    assert read_memory(house.cursor).files == {}


def test_a_link_to_a_file_inside_is_the_file(house: House) -> None:
    house.write("raw/export.csv")
    (house.usage / NAME).symlink_to("raw/export.csv")
    assert [request.tags["billing/file"] for request in house.ticks(2)] == [NAME]


def test_a_file_renamed_into_place_is_taken(house: House) -> None:
    partial = house.write("2026.01_usage.csv.part")
    assert house.ticks(2) == []
    partial.rename(house.usage / NAME)
    assert len(house.ticks(2)) == 1


def test_a_change_that_keeps_size_and_length_is_seen_by_its_time(house: House) -> None:
    path = house.write(NAME, b"abcd")
    os.utime(path, ns=(1, 1))
    house.tick()
    path.write_bytes(b"abce")
    os.utime(path, ns=(2, 2))
    assert house.tick().requests == []
    assert [request.tags["billing/sha256"] for request in house.tick().requests] == [digest(b"abce")]


def test_names_that_are_no_unicode_or_hold_control_characters_fail_no_tick(house: House) -> None:
    for name in (b"2026.01_\xff.csv", b"2026.01_a\nb.csv", b"2026-01/\xfe.csv"):
        house.write(os.fsdecode(name))
    house.write(NAME)
    assert len(house.ticks(2)) == 1
    assert [kind for kind, _ in house.notices()] == ["wrong_month"] * 3


def test_a_directory_named_like_usage_is_none(house: House) -> None:
    (house.usage / NAME).mkdir()
    assert house.ticks(3) == []


def test_hashing_stops_when_its_time_is_over_and_goes_on_at_the_next_tick(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        house.write(f"{2025 + (number > 0)}.{(12, 1, 2)[number]:02d}_usage.csv", b"%d" % number)
    monkeypatch.setattr(module, "_HASHING_SECONDS", -1)
    assert [[request.partition_key for request in house.tick().requests] for _ in range(2)] == [[], ["2025-12"]]
    assert {request.partition_key for request in house.ticks(2)} == {"2025-12", "2026-01", "2026-02"}


def test_of_ten_thousand_files_only_those_that_stood_still_are_opened(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    hash_of = module.hash_of
    monkeypatch.setattr(module, "hash_of", lambda usage, file: opened.append(file.path) or hash_of(usage, file))
    for number in range(10_000):
        year, month = divmod(number % 240, 12)
        path = house.usage / f"{year + 2000}" / f"{year + 2000}.{month + 1:02d}_{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    house.write(NAME)
    house.write("2025.12_usage.csv")
    house.ticks(1)
    house.write("2026.02_usage.csv")
    house.ticks(3)
    assert sorted(opened) == ["2025.12_usage.csv", NAME, "2026.02_usage.csv"]


# When it ticks


@pytest.mark.parametrize(
    ("zone", "utc", "months"),
    [
        ("Europe/Berlin", datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), []),
        ("Europe/Berlin", datetime(2026, 3, 31, 22, 0, tzinfo=UTC), ["2026-04"]),
        ("America/New_York", datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC), []),
        ("America/New_York", datetime(2026, 11, 1, 4, 0, tzinfo=UTC), ["2026-11"]),
        ("UTC", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), []),
        ("UTC", datetime(2026, 3, 1, tzinfo=UTC), ["2026-03"]),
    ],
)
def test_ticks_around_the_end_of_a_month_take_the_new_month_from_its_midnight_on(
    build: Build, zone: str, utc: datetime, months: list[str]
) -> None:
    house = build(timezone=zone)
    house.now = utc
    for month in range(1, 13):
        house.write(f"2026.{month:02d}_usage.csv", b"%d" % month)
    local = utc.astimezone(ZoneInfo(zone))
    requests = [request.partition_key for request in house.ticks(2)]
    assert [month for month in requests if month > f"{local - timedelta(days=1):%Y-%m}"] == months


@pytest.mark.parametrize(("poll", "interval"), [(1, 4), (4, 4), (5, 4), (6, 6), (1800, 1800)])
def test_the_interval_is_that_of_the_settings_but_no_shorter_than_dagster_can(
    build: Build, poll: int, interval: int
) -> None:
    assert build(poll_seconds=poll).sensor.minimum_interval_seconds == interval


def test_it_runs_by_itself_unless_it_is_switched_off(build: Build) -> None:
    assert build().sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert build(off="tidy_daily, usage_files").sensor.default_status == dg.DefaultSensorStatus.STOPPED


def test_its_description_says_what_it_does(house: House) -> None:
    assert "stood still between two looks" in str(house.sensor.description)
