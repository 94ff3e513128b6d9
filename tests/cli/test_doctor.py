"""`doctor`: what is configured, reachable, stale and missing, on a bare machine and on a running installation."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import s3fs
import sqlalchemy as sa
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from billing_pipeline.cli.health import configured
from billing_pipeline.engine.period import Period
from billing_pipeline.instance import dagster_yaml, prepare
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import leases, outbox
from billing_pipeline.resources.months import MonthEvent, record
from billing_pipeline.resources.outbox import Notice, post
from billing_pipeline.resources.releases import Release
from billing_pipeline.resources.releases import prepare as note_release
from billing_pipeline.settings import Settings, load_settings
from tests.cli.conftest import QUIRKS, Billing
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, and a working directory of the test's own."""
    for name in os.environ:
        if name.startswith("BILLING_") or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def installation(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A running installation: one month with its usage file, published; gives the folder of everything."""
    shutil.copytree(QUIRKS, tmp_path / "usage")
    home = tmp_path / "dagster"
    for name, folder in {
        "BILLING_USAGE_DIR": tmp_path / "usage",
        "BILLING_OUTPUTS_DIR": published,
        "BILLING_DATA_DIR": published / ".billing",
        "DAGSTER_HOME": home,
    }.items():
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("BILLING_SLACK_WEBHOOK", "https://hooks.slack.com/services/s3cret")
    prepare(home, load_settings())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        beat(instance, NOW)
    return tmp_path


def beat(instance: dg.DagsterInstance, at: datetime, *, error: str = "") -> None:
    """Every daemon was heard of then."""
    errors = [SerializableErrorInfo(error, [], None)] if error else []
    for daemon in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), daemon, "daemon", errors))


@pytest.fixture
def database(installation: Path) -> Database:
    """The application's database of the installation."""
    return open_database(sqlite_url(installation / "out" / ".billing"))


@pytest.fixture
def dagster(installation: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(installation / "dagster")) as instance:
        yield instance


def examined(billing: Billing, code: int) -> dict[str, Any]:
    outcome = billing("doctor", "--json")
    assert (outcome.code, outcome.err) == (code, "")
    told: dict[str, Any] = json.loads(outcome.out)
    assert told["status"] == {0: "fine", 3: "attention"}[code]
    return told


def waiting(billing: Billing) -> list[dict[str, str]]:
    """What needs a person."""
    return [check for check in examined(billing, 3)["checks"] if check["state"] == "attention"]


def test_a_bare_machine_is_told_what_to_do_first_and_left_as_it_was(billing: Billing, tmp_path: Path) -> None:
    outcome = billing("doctor")
    assert outcome.code == 3
    assert "to try the product: billing-pipeline sample" in outcome.out
    assert "BILLING_RULES_FILE" in outcome.out
    assert outcome.out.endswith("2 things need a person.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_running_installation_is_fine(billing: Billing, installation: Path) -> None:
    told = examined(billing, 0)
    states = {check["subject"]: check["state"] for check in told["checks"]}
    assert states == dict.fromkeys(
        (
            "data folder", "usage folder", "rules workbook", "outputs folder", "database", "notices", "Slack",
            "Dagster", "daemon", "sensors and schedules", "2026-03",
        ),
        "fine",
    )  # fmt: skip
    assert billing("doctor").out.endswith("All is fine.\n")


def test_every_setting_is_told_with_its_value_and_where_it_comes_from(billing: Billing, installation: Path) -> None:
    told = {setting["name"]: setting for setting in examined(billing, 0)["settings"]}
    assert set(told) == {f"BILLING_{name.upper()}" for name in Settings.model_fields} | {"DAGSTER_HOME"}
    usage = str(installation / "usage")
    assert (told["BILLING_USAGE_DIR"]["value"], told["BILLING_USAGE_DIR"]["source"]) == (usage, "environment")
    derived = f"{usage}/gep_billing_rules.xlsx"
    assert (told["BILLING_RULES_FILE"]["value"], told["BILLING_RULES_FILE"]["source"]) == (derived, "default")
    assert told["BILLING_PROFILE"]["value"] is None
    assert all(setting["help"] for setting in told.values())


def test_secrets_are_hidden() -> None:
    class Connected(Settings):
        api_token: str = "s3cret"
        storage_url: str = "s3://user:s3cret@host/bucket"

    told = {setting["name"]: setting["value"] for setting in configured(Connected(), {})}
    assert (told["BILLING_API_TOKEN"], told["BILLING_STORAGE_URL"]) == ("(hidden)", "s3://***@host/bucket")


def test_no_secret_is_shown_anywhere(billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BILLING_DATABASE_URL": "postgresql://billing:s3cret@127.0.0.1:1/billing",
        "BILLING_DAGSTER_POSTGRES_URL": "postgresql://dagster:s3cret@127.0.0.1:1/dagster",
        "BILLING_SLACK_TOKEN": "xoxb-s3cret",
    }.items():
        monkeypatch.setenv(name, value)
    prepare_yaml(installation)
    told = billing("doctor", "--json").out
    assert "s3cret" not in told
    assert "s3cret" not in billing("doctor").out
    found = {check["subject"]: check["found"] for check in json.loads(told)["checks"] if check["state"] == "attention"}
    assert found["database"].startswith("postgresql://billing:***@127.0.0.1:1/billing cannot be reached: connection to")
    assert found["Dagster"].startswith("its PostgreSQL cannot be reached: connection to server")


def prepare_yaml(installation: Path) -> None:
    (installation / "dagster" / "dagster.yaml").write_text(dagster_yaml(load_settings()))


def test_a_setting_that_cannot_be_used_is_named(billing: Billing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_TIMEZONE", "Mars/Olympus")
    outcome = billing("doctor")
    assert (outcome.code, outcome.out) == (2, "")
    assert "BILLING_TIMEZONE: is not a time zone name" in outcome.err


def test_a_profile_that_cannot_be_used_is_named(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BILLING_PROFILE", str(tmp_path / "none.toml"))
    assert billing("doctor").code == 2


def test_a_misspelt_setting_is_noted(billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_USAGE_DIRS", "x")
    note = next(check for check in examined(billing, 0)["checks"] if check["state"] == "note")
    assert (note["subject"], note["advice"]) == ("BILLING_USAGE_DIRS", "did you mean BILLING_USAGE_DIR?")


def test_published_files_that_were_changed_or_lost_are_told(billing: Billing, installation: Path) -> None:
    outputs = installation / "out"
    changed = outputs / "gep_netsuite" / "gep_netsuite_invoice_import_2026.03.csv"
    changed.write_bytes(changed.read_bytes() + b"\n")
    (outputs / "gep_partner_details" / "Gap_Partner" / "Gap Partner - 2026.03.xlsx").unlink()
    (found,) = waiting(billing)
    assert found["subject"] == "2026-03"
    assert found["found"].startswith("2 published files are changed or missing: ")
    assert "gep_netsuite/gep_netsuite_invoice_import_2026.03.csv" in found["found"]
    assert str(outputs / "runs" / "2026-03") in found["advice"]


def test_usage_that_changed_after_publication_is_told(billing: Billing, installation: Path) -> None:
    (usage,) = (installation / "usage").glob("*.csv")
    usage.write_bytes(usage.read_bytes() + b"\n")
    (found,) = waiting(billing)
    assert found["found"].endswith(f"but {usage.name} has changed since")


def test_months_that_are_missing_or_cannot_be_billed_are_told(billing: Billing, installation: Path) -> None:
    usage = installation / "usage"
    for name in ("2026.02_usage.csv", "2019.12_usage.csv", "2026.02_again.csv", "march.csv"):
        (usage / name).write_text("FOR_MONTH\n")
    found = {check["subject"]: check["found"] for check in waiting(billing)}
    assert found == {
        "usage of 2026-02": "more than one file: 2026.02_again.csv, 2026.02_usage.csv",
        "2019-12": "has a usage file, but lies before BILLING_START_MONTH or in the future",
        "2026-02": "has a usage file, but nothing is published",
    }
    assert "not read: march.csv" in billing("doctor").out


def test_rules_with_errors_are_told_with_how_to_see_them(billing: Billing, installation: Path) -> None:
    (installation / "usage" / "gep_billing_rules.xlsx").write_bytes(b"no workbook")
    (found,) = waiting(billing)
    assert found["subject"] == "rules workbook"
    assert "1 errors" in found["found"]
    assert "billing-pipeline rules check" in found["advice"]


@pytest.mark.parametrize("content", [None, "telemetry: {enabled: true}\n", "{"])
def test_a_dagster_yaml_that_is_not_the_one_of_the_settings_is_told(
    billing: Billing, installation: Path, content: str | None
) -> None:
    config = installation / "dagster" / "dagster.yaml"
    config.unlink()
    if content is not None:
        config.write_text(content)
    (found,) = waiting(billing)
    assert found["found"] == f"{config} is missing, or not the one of these settings"
    assert found["advice"].startswith("billing-pipeline prepare")


def test_a_dagster_home_that_is_no_folder_is_told(
    billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(installation / "none"))
    assert "which is not a folder" in waiting(billing)[0]["found"]


def test_a_folder_that_cannot_be_written_is_told(
    billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := installation / "a-file").write_text("")
    monkeypatch.setenv("BILLING_DATA_DIR", str(file))
    assert waiting(billing)[0]["found"] == f"{file} is a file"
    monkeypatch.setenv("BILLING_DATA_DIR", str(file / "data"))
    assert "is not a writable folder" in waiting(billing)[0]["found"]


def test_the_drafts_of_a_refused_run_are_told_until_a_later_run_publishes(billing: Billing, installation: Path) -> None:
    drafts = installation / "out" / ".billing" / "drafts" / "billing" / "2026-03"
    (drafts / "20200101T000000Z-00000000").mkdir(parents=True)
    note = next(check for check in examined(billing, 0)["checks"] if check["subject"] == "draft")
    assert (note["state"], note["advice"]) == ("note", "it may be deleted")
    (drafts / "20990101T000000Z-00000000").mkdir()
    (found,) = waiting(billing)
    assert found["found"].endswith("is of a run that was refused, has died or is going on")


def test_a_damaged_manifest_is_told(billing: Billing, installation: Path) -> None:
    (manifest,) = (installation / "out" / "runs" / "2026-03").glob("*/manifest.json")
    manifest.unlink()
    manifest.write_text("{")
    (found,) = waiting(billing)
    assert found["subject"] == "2026-03"
    assert "is damaged: not JSON" in found["found"]


def test_a_database_of_a_newer_version_is_told(billing: Billing, database: Database) -> None:
    database.run(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    (found,) = waiting(billing)
    assert found["found"].endswith("is at migration 9999, which this version does not know")


def test_an_empty_database_is_noted_and_left_empty(billing: Billing, installation: Path) -> None:
    file = installation / "out" / ".billing" / "billing.db"
    file.unlink()
    file.touch()
    notes = [check for check in examined(billing, 0)["checks"] if check["subject"] == "database"]
    assert [(note["state"], note["advice"]) for note in notes] == [("note", "the first start makes its tables")]
    assert file.read_bytes() == b""


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("in_review", "billing-pipeline review scan"),
        ("priced", "billing-pipeline publish --month 2026-03"),
        ("rebill_waiting", "approve it to send the adjustments"),
        ("refused", "a control failed"),
    ],
)
def test_a_month_that_waits_for_a_person_is_told_with_what_to_do(
    billing: Billing, database: Database, state: str, advice: str
) -> None:
    event = MonthEvent(Period(2026, 3), state, NOW - timedelta(days=3), usage_name="2026.03_usage.csv")
    database.run(lambda connection: record(connection, event))
    (found,) = waiting(billing)
    assert found["subject"] == "2026-03"
    assert found["found"].startswith(f"{state} since ")
    assert found["found"].endswith("(3 days ago): 2026.03_usage.csv")
    assert advice in found["advice"]


def test_a_release_that_a_crash_left_is_told(billing: Billing, database: Database) -> None:
    ten = Decimal("10.00")
    begun = Release(Period(2026, 3), 2, "preparing", "run", "usage", "rules", 0, ten, ten, NOW - timedelta(hours=2))
    database.run(lambda connection: note_release(connection, begun))
    (found,) = waiting(billing)
    assert (found["subject"], found["found"]) == ("release 2 of 2026-03", "was begun 2 hours ago and is not complete")


def test_a_notice_that_fails_again_and_again_is_told_with_its_last_error(billing: Billing, database: Database) -> None:
    failing = outbox.update().values(attempts=7, last_error="channel_not_found")
    with database.begin() as connection:
        post(connection, Notice("billed:2026-03", "billed", {"text": "x"}), NOW)
        connection.execute(failing)
    (found,) = waiting(billing)
    assert found["found"] == "billed:2026-03: 7 attempts, the last one failed: channel_not_found"


@pytest.mark.parametrize(("hours", "state"), [(0, "note"), (2, "attention")])
def test_a_notice_may_wait_a_moment_but_not_an_hour(
    billing: Billing, database: Database, hours: int, state: str
) -> None:
    notice = Notice("billed:2026-03", "billed", {"text": "x"})
    database.run(lambda connection: post(connection, notice, NOW - timedelta(hours=hours)))
    told = json.loads(billing("doctor", "--json").out)["checks"]
    assert [check["state"] for check in told if check["subject"] == "notices"] == [state]


def test_who_holds_a_month_is_noted_and_whether_he_still_lives(billing: Billing, database: Database) -> None:
    now = datetime.now(UTC)

    def hold(connection: sa.Connection) -> None:
        for month, minutes in (("2026-03", 10), ("2026-02", -30)):
            row = {"name": f"billing:{month}", "holder": "host:1:x", "expires_at": now + timedelta(minutes=minutes)}
            connection.execute(leases.insert().values(row))

    database.run(hold)
    notes = {check["subject"]: check["found"] for check in examined(billing, 0)["checks"] if check["state"] == "note"}
    assert notes == {
        "billing:2026-03": "a run works on it now (host:1:x)",
        "billing:2026-02": "host:1:x fell silent 30 minutes ago",
    }


def test_a_daemon_that_fell_silent_is_told_with_its_error(billing: Billing, dagster: dg.DagsterInstance) -> None:
    beat(dagster, NOW - timedelta(hours=5), error="disk full")
    (found,) = waiting(billing)
    assert found["subject"] == "daemon"
    assert "last heard of 5 hours ago" in found["found"]
    assert "disk full" in found["found"]


def test_a_daemon_that_never_ran_is_noted(billing: Billing, dagster: dg.DagsterInstance) -> None:
    dagster.wipe_daemon_heartbeats()
    note = next(check for check in examined(billing, 0)["checks"] if check["subject"] == "daemon")
    assert (note["state"], note["found"]) == ("note", "has never run: nothing happens by itself")


def test_postgresql_of_both_is_looked_at(
    billing: Billing, installation: Path, postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", postgres_url())
    monkeypatch.setenv("BILLING_DAGSTER_POSTGRES_URL", postgres_url())
    prepare_yaml(installation)
    before = {check["subject"]: check["found"] for check in examined(billing, 0)["checks"]}
    assert before["database"].endswith("reachable, empty")
    assert before["Dagster"].endswith("reachable, empty")
    prepare(installation / "dagster", load_settings())
    after = {check["subject"]: check["found"] for check in examined(billing, 0)["checks"]}
    assert re.search(r"reachable, at migration \d{4}$", after["database"])  # the newest: an older one needs a person
    assert after["Dagster"].endswith("reachable")


def test_half_of_slacks_settings_is_told(billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BILLING_SLACK_WEBHOOK")
    note = next(check for check in examined(billing, 0)["checks"] if check["subject"] == "Slack")
    assert note["found"] == "not configured: notices go to the log"
    monkeypatch.setenv("BILLING_SLACK_TOKEN", "xoxb-s3cret")
    (found,) = waiting(billing)
    assert found["advice"] == "set BILLING_SLACK_CHANNEL, too"


def test_an_object_store_that_does_not_answer_is_told(
    billing: Billing, installation: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(s3fs.S3FileSystem.clear_instance_cache)  # a client keeps the environment it was made in
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("BILLING_STORAGE_URL", "s3://nowhere/billing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    (found,) = waiting(billing)
    assert found["subject"] == "object store"
    assert found["found"].startswith("s3://nowhere/billing cannot be read: ")
