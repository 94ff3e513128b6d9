"""A whole month with usage, rules, frames and artefacts in an object store: the same files as on a folder."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.profile import Profile
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, output_files
from tests.literals import USAGE_NAME, company
from tests.months import IMPORT, MASTER, QUIET, Month


def close(bucket: str, state_dir: Path) -> OutputFiles:
    """Bill January 2026 from the prefix `in` to the prefix `out`."""
    resources = local_resources(
        usage_dir=f"{bucket}/in",
        rules_file=f"{bucket}/in/gep_billing_rules.xlsx",
        outputs_dir=state_dir / "outputs",
        state_dir=state_dir,
        profile=Profile(),
        gate=Gate(gated=False),
        storage_url=f"{bucket}/out",
    )
    job = build_defs(resources).resolve_job_def("close_month")
    assert job.execute_in_process(partition_key="2026-01", run_config=QUIET).success
    return output_files(f"{bucket}/out", state_dir)


def bring(month: Month, bucket: str, tmp_path: Path) -> None:
    """Put the month's inputs under the prefix `in`."""
    inputs = output_files(f"{bucket}/in", tmp_path)
    inputs.write_named(USAGE_NAME, month.usage_file.read_bytes())
    inputs.write_named("gep_billing_rules.xlsx", month.rules_file.read_bytes())


def contents(outputs: OutputFiles, month: Month) -> dict[str, Any]:
    """Every published file, the run's id left out; of JSON what says neither when nor from where."""
    (manifest,) = outputs.manifests(month.period)
    run = manifest["run_id"]
    names = [
        stored.name for stored in outputs.storage.listing() if stored.name.split("/")[0] not in (".billing", "frames")
    ]
    found = outputs.storage.read_all(names)
    return {name.replace(run, "RUN"): plain(name, content, run) for name, content in found.items()}


def plain(name: str, content: bytes, run: str) -> Any:
    if not name.endswith(".json"):
        return content
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", content.decode().replace(run, "RUN"))
    document = json.loads(text, object_hook=lambda found: {key: found[key] for key in found if key != "path"})
    for entry in document.get("files", []):
        if entry["kind"] == "review":  # it says when and from where
            entry["sha256"] = entry["bytes"] = "REVIEW"
    document.pop("dagster_run_id", None)
    return document


def test_a_month_in_an_object_store_has_the_same_files_as_on_a_folder(
    month: Month, bucket: str, tmp_path: Path
) -> None:
    month.usage(
        company(1, CURRENT_ACH_SPEED="1-day"),
        company(2, FIRST_BILLABLE_ACTIVITY_DATE=""),
        company(3, PARTNER_ID="999", PARTNER_NAME="Birch"),
    )
    month.materialise()
    bring(month, bucket, tmp_path)
    outputs = close(bucket, tmp_path / "state")
    stored, local = contents(outputs, month), contents(month.files, month)
    assert set(stored) == set(local)
    assert {IMPORT, MASTER, "runs/2026-01/RUN/manifest.json", "runs/2026-01/RUN/priced_rows.parquet"} < set(stored)
    assert [name for name in stored if stored[name] != local[name]] == []
    assert not (tmp_path / "state" / "outputs").exists()
    assert not (tmp_path / "state" / "frames").exists()
    assert outputs.unfinished_drafts() == []


def test_amounts_are_explained_from_the_object_store(
    month: Month, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month.usage(company(1))
    bring(month, bucket, tmp_path)
    close(bucket, tmp_path / "state")
    monkeypatch.setenv("BILLING_STORAGE_URL", f"{bucket}/out")
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "elsewhere"))
    said = month.run("explain", "--month", "2026-01", "--partner", "101", "--json")
    assert (said.code, said.document["partner"]["total"]) == (0, "15.00")
    said = month.run("explain", "--month", "2026-02", "--partner", "101")
    assert said.code == 2
    assert f"2026-02 has not been published in {bucket}/out; months there: 2026-01" in said.err
