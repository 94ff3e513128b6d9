"""`doctor`: what is configured, reachable, stale and missing, on a bare machine and on a running installation."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.cli.health import configured
from billing_pipeline.settings import Settings
from tests.cli.conftest import QUIRKS, Billing

DAGSTER_YAML = Path(__file__).parents[2] / "dagster.yaml"


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
    (home := tmp_path / "dagster").mkdir()
    shutil.copy(DAGSTER_YAML, home)
    for name, folder in {
        "BILLING_USAGE_DIR": tmp_path / "usage",
        "BILLING_OUTPUTS_DIR": published,
        "BILLING_DATA_DIR": published / ".billing",
        "DAGSTER_HOME": home,
    }.items():
        monkeypatch.setenv(name, str(folder))
    return tmp_path


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
        ("data folder", "usage folder", "rules workbook", "outputs folder", "Dagster", "2026-03"), "fine"
    )
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no dagster.yaml"),
        ("telemetry: {enabled: true}\n", "telemetry is on, two runs may write one month"),
        ("telemetry: {enabled: false}\n", "two runs may write one month"),
        ("- nothing\n", "dagster.yaml cannot be read"),
        ("{", "dagster.yaml cannot be read"),
    ],
)
def test_a_dagster_home_without_the_products_settings_is_told(
    billing: Billing, installation: Path, content: str | None, message: str
) -> None:
    config = installation / "dagster" / "dagster.yaml"
    config.unlink()
    if content is not None:
        config.write_text(content)
    (found,) = waiting(billing)
    assert found["subject"] == "Dagster"
    assert message in found["found"]


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
    drafts = installation / "out" / ".billing" / "drafts" / "2026-03"
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
