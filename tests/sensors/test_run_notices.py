"""Failed runs become notices: which, when, with which words, and never with a secret."""

import errno
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from billing_pipeline.engine.errors import GateError, InputError, Problem
from billing_pipeline.partitions import MONTHS
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import metadata, outbox
from billing_pipeline.sensors import run_notices
from billing_pipeline.sensors.run_notices import run_notices_sensor
from billing_pipeline.settings import Settings
from tests.months import QUIET, Month

BAD_CELL = InputError(
    [
        Problem("is not a number", file="2026.01_REDASH_usage.csv", line=7, cell="TOTAL_INDIVIDUAL_USERS", value="5+"),
        Problem("is missing", file="2026.01_REDASH_usage.csv", cell="FOR_MONTH"),
    ]
)
FIRST = {"billing/attempt": "1", "billing/sha256": "a" * 64, "billing/file": "2026/2026.01_REDASH_usage.csv"}
SECOND = {**FIRST, "billing/attempt": "2"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(sqlite_url(tmp_path / "data"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


class Watch:
    """Runs that fail on an instance, and the sensor that looks at them, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance, database: Database, settings: Settings | None = None) -> None:
        self.instance, self.database, self.cursor = instance, database, None
        self.sensor = run_notices_sensor(settings or Settings())
        self.tick()

    def tick(self) -> str:
        """What the sensor says of one tick."""
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"database": self.database}
        ) as context:
            found = self.sensor.evaluate_tick(context)
        self.cursor = found.cursor
        return found.skip_message or ""

    def fails(self, error: Exception, tags: Mapping[str, str] = FIRST, name: str = "close_month") -> str:
        """A run of the job that fails with the error; its id."""

        @dg.asset(name="usage_file", partitions_def=MONTHS)
        def usage_file() -> None:
            raise error

        return self.run(name, tags, usage_file)

    def run(self, name: str, tags: Mapping[str, str], *assets: Any, checks: Any = ()) -> str:
        jobs = [dg.define_asset_job(name)]
        defs = dg.Definitions(assets=[*assets], asset_checks=[*checks], jobs=jobs, executor=dg.in_process_executor)
        job = defs.resolve_job_def(name)
        result = job.execute_in_process(
            partition_key="2026-01", instance=self.instance, raise_on_error=False, tags=dict(tags), run_config=QUIET
        )
        assert not result.success
        return result.run_id

    @property
    def told(self) -> list[Any]:
        with self.database.begin() as connection:
            return [*connection.execute(sa.select(outbox).order_by("id"))]

    @property
    def text(self) -> str:
        (notice,) = self.told
        text: str = notice.message["text"]
        return text


@pytest.fixture
def watch(instance: dg.DagsterInstance, database: Database) -> Watch:
    return Watch(instance, database)


def test_a_fault_of_the_input_is_told_at_once_with_file_line_and_cell(watch: Watch) -> None:
    run = watch.fails(BAD_CELL)
    assert watch.tick() == "1 failed runs told."
    assert (watch.told[0].key, watch.told[0].kind) == (f"failed:2026-01:{'a' * 64}", "failed")
    assert watch.text == (
        "🚨 January 2026 could not be billed\n"
        "The run failed; nothing was published by it.\n"
        "Period: 2026-01\n"
        "Status: failed\n"
        "Attempt: 1 of 5\n"
        "Usage file: 2026.01_REDASH_usage.csv\n"
        "  2026.01_REDASH_usage.csv, line 7, TOTAL_INDIVIDUAL_USERS: is not a number (found '5+')\n"
        "  2026.01_REDASH_usage.csv, FOR_MONTH: is missing\n"
        "What to do:\n"
        "- Correct what is listed and save the file under its name: a changed file is taken by itself.\n"
        "- Meanwhile it is tried again by itself, at growing intervals.\n"
        f"Open the run: http://localhost:3000/runs/{run}"
    )


def test_any_other_fault_is_told_from_the_second_attempt(watch: Watch) -> None:
    watch.fails(ConnectionError("storage is away"))
    watch.tick()
    assert watch.told == []
    watch.fails(ConnectionError("storage is away"), SECOND)
    watch.tick()
    assert "  ConnectionError: storage is away\n" in watch.text, "in its words, without what Dagster says around it"
    assert "Attempt: 2 of 5\n" in watch.text


def test_inputs_that_are_wrong_side_by_side_are_told_together(watch: Watch) -> None:
    @dg.asset(partitions_def=MONTHS)
    def usage_file() -> None:
        raise InputError(Problem("no such usage file", file="2026.01_usage.csv"))

    @dg.asset(partitions_def=MONTHS)
    def billing_rules() -> None:
        raise InputError(Problem("Config workbook not found", file="gep_billing_rules.xlsx"))

    watch.run("close_month", FIRST, usage_file, billing_rules)
    watch.tick()
    listed = sorted(line for line in watch.text.splitlines() if line.startswith("  "))
    assert listed == [
        "  2026.01_usage.csv: no such usage file",
        "  gep_billing_rules.xlsx: Config workbook not found",
    ]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/outputs/.staged/1.part"),
        OSError(errno.EIO, "cannot be written in full; is the disk full?", "/data/frames/priced_rows/2026-01.parquet"),
        RuntimeError("IO error: No space left on device (os error 28)"),
    ],
    ids=["a file", "a frame", "a workbook"],
)
def test_a_full_disk_is_told_with_what_helps(watch: Watch, error: Exception) -> None:
    watch.fails(error, SECOND)
    watch.tick()
    assert f"  {type(error).__name__}: {error}\n" in watch.text
    assert "- Make room on the disk, or let BILLING_OUTPUTS_DIR or BILLING_DATA_DIR name a larger one.\n" in watch.text


def test_each_usage_content_is_told_once_whatever_fails_after(watch: Watch) -> None:
    for attempt in ("1", "2", "3"):
        watch.fails(BAD_CELL, {**FIRST, "billing/attempt": attempt})
        watch.tick()
    watch.fails(BAD_CELL, {**FIRST, "billing/sha256": "b" * 64})
    watch.tick()
    assert [notice.key[-1] for notice in watch.told] == ["a", "b"]


def test_the_last_attempt_says_that_none_follows(watch: Watch) -> None:
    watch.fails(BAD_CELL, {**FIRST, "billing/attempt": "5"})
    watch.tick()
    assert (
        "- That was the last attempt. When the cause is mended, start the month again:"
        " `billing-pipeline backfill --from 2026-01 --to 2026-01`\n"
    ) in watch.text


def test_a_run_that_a_person_started_is_told_each_time(watch: Watch) -> None:
    first, second = (watch.fails(GateError("drafts do not belong together"), {}) for _ in range(2))
    watch.tick()
    assert [notice.key for notice in watch.told] == [f"failed:2026-01:{first}", f"failed:2026-01:{second}"]
    text = watch.told[0].message["text"]
    assert "Attempt" not in text
    assert "  drafts do not belong together\n" in text
    assert "- Then start the run again.\n" in text


def test_a_refusal_was_told_by_the_run_itself(watch: Watch) -> None:
    @dg.asset(partitions_def=MONTHS)
    def master_report() -> None:
        """Written before it is judged."""

    @dg.asset_check(asset=master_report, blocking=True)
    def netsuite_tie_out() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    @dg.asset(partitions_def=MONTHS, deps=[master_report])
    def manifest() -> None:
        """Never reached."""

    watch.run("close_month", {}, master_report, manifest, checks=[netsuite_tie_out])
    assert watch.tick() == "0 failed runs told."
    assert watch.told == []


def test_other_jobs_are_not_ours_to_tell(watch: Watch) -> None:
    watch.fails(BAD_CELL, name="tidy")
    watch.fails(BAD_CELL, name="scan_month")
    watch.tick()
    assert len(watch.told) == 1


@pytest.mark.parametrize(
    ("job", "title"),
    [
        ("accrue_month", "January 2026 could not be accrued"),
        ("explain_variance", "January 2026 could not be compared with"),
    ],
)
def test_an_accrual_that_fails_again_and_again_is_told_once_and_once_more_when_it_is_given_up(
    watch: Watch, job: str, title: str
) -> None:
    for _ in range(2):
        watch.fails(BAD_CELL, name=job)
        watch.tick()
    assert len(watch.told) == 1
    assert title in watch.told[0][3]["text"]


def test_what_failed_before_the_sensor_began_is_not_told(instance: dg.DagsterInstance, database: Database) -> None:
    begun = Watch(instance, database)
    begun.fails(BAD_CELL)
    late = Watch(instance, database)
    late.cursor = "2099-01-01T00:00:00+00:00"
    late.tick()
    assert late.told == []


def test_a_failure_that_could_not_be_stored_is_told_at_a_later_tick(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_notices, "_OVERLAP", timedelta(0))
    watch.fails(BAD_CELL)
    with watch.database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE outbox RENAME TO away"))
    assert watch.tick() == "The database cannot be used just now (OperationalError); it is tried again."
    with watch.database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO outbox"))
    assert watch.tick() == "1 failed runs told."


def test_a_run_whose_process_was_killed_is_told_in_dagsters_words(watch: Watch) -> None:
    run = watch.instance.create_run_for_job(
        dg.Definitions(jobs=[_empty("close_month")]).resolve_job_def("close_month"),
        tags={"dagster/partition": "2026-01", **SECOND},
    )
    watch.instance.report_run_failed(run, "Run worker exited unexpectedly.")
    watch.tick()
    assert "  Run worker exited unexpectedly.\n" in watch.text


def test_no_secret_of_the_settings_nor_of_a_driver_is_told(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", "postgresql://billing:hush1234@db/billing")
    monkeypatch.setenv("BILLING_SLACK_WEBHOOK", "https://proxy.example/hush/services")
    watch = Watch(instance, database, Settings())
    words = (
        "could not connect to postgresql://billing:hush1234@db/billing as billing with hush1234\n"
        "https://proxy.example/hush/services, https://hooks.slack.com/services/T1/B1/hush, xoxb-1-hush\n"
        "AWS_SECRET_ACCESS_KEY=hush+/x, password: 'hush', https://bucket/key?X-Amz-Signature=hush&x=1"
    )
    watch.fails(ConnectionError(words), SECOND)
    watch.tick()
    with database.begin() as connection:
        rows = [
            str(found._asdict()) for table in metadata.sorted_tables for found in connection.execute(sa.select(table))
        ]
    assert "could not connect to *** as billing with ***" in "".join(rows)
    assert "https://bucket/key?X-Amz-Signature=***&x=1" in "".join(rows)
    assert "hush" not in "".join(rows)


def test_markup_in_a_cause_stays_text(watch: Watch) -> None:
    watch.fails(InputError(Problem("is unknown", cell="PARTNER_NAME", value="<!channel> ```*x*``` <http://x|y>")))
    watch.tick()
    shown = str(watch.told[0].message["blocks"])
    assert "<!channel>" not in shown
    assert "<http://x|y>" not in shown
    assert "'''*x*'''" in shown


def test_the_pipelines_own_problem_is_what_is_told(month: Month, instance: dg.DagsterInstance) -> None:
    from billing_pipeline.build import build_defs

    month.usage_file.write_text("FOR_MONTH,PARTNER_ID\n2026-01-01,101,too many\n")
    database = open_database(sqlite_url(month.outputs))
    watch = Watch(instance, database)
    job = build_defs(month.resources(gated=True)).resolve_job_def("close_month")
    job.execute_in_process(partition_key="2026-01", run_config=QUIET, raise_on_error=False, instance=instance)
    watch.tick()
    assert "  2026.01_usage.csv, line 2: " in watch.text
    assert "Traceback" not in watch.text
    assert "billing_pipeline.engine" not in watch.text
    database.engine.dispose()


@pytest.mark.parametrize(("off", "status"), [("", "RUNNING"), ("outbox, run_notices", "STOPPED")])
def test_the_sensor_runs_unless_it_is_switched_off(off: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_OFF", off)
    sensor = run_notices_sensor(Settings())
    assert (sensor.name, sensor.default_status.name, sensor.minimum_interval_seconds) == ("run_notices", status, 4)


def _empty(name: str) -> dg.JobDefinition:
    @dg.job(name=name)
    def job() -> None:
        """Nothing."""

    return job
