"""What `audit run` and `audit setup` do. Prints nothing."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from billing_pipeline.assets.auditing import SUMMARY_FILE, workbook_name
from billing_pipeline.build import audit_places, resources_from
from billing_pipeline.cli.closing import progress_bar, run_job
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.resources.leases import lease
from billing_pipeline.resources.log_sheet import setup_apply, setup_problems
from billing_pipeline.resources.outputs import OutputFiles, output_files
from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.run_tags import ALL, AUDIT, DRY_RUN, FORCED
from billing_pipeline.settings import load_settings


def audited(*, force_report: bool, dry_run: bool, folder: Path | None = None) -> dict[str, Any]:
    """Run the audit, of the sheets in `folder` when it is given; its summary with the files.

    GateError when another one is going on.
    """
    settings = load_settings()
    resources: dict[str, Any] = resources_from(settings)
    resources["audit_places"] = audit_places(settings, folder)
    if dry_run:
        resources["io_manager"] = dg.mem_io_manager
    outputs = resources["outputs"]
    sets = output_files(outputs.storage_url or outputs.outputs_dir, settings.data_dir.resolve()).of(AUDIT)
    tags = {tag: "yes" for tag, wanted in ((FORCED, force_report), (DRY_RUN, dry_run)) if wanted}
    held = lease(resources["database"].opened(), f"{AUDIT}:{ALL}", seconds=settings.lease_seconds)
    with held, progress_bar() as bar:
        run_job(resources, "audit", bar, "Audit", tags=tags)
    document = _drafted(sets) if dry_run else json.loads(sets.read_named(SUMMARY_FILE))
    return {**document, "dry_run": dry_run, "files": [] if dry_run else _files(sets, document["at"])}


def _drafted(sets: OutputFiles) -> dict[str, Any]:
    """The summary of a dry run, of which nothing else is kept."""
    folder = sets.unfinished_drafts()[-1]
    document: dict[str, Any] = json.loads((folder / SUMMARY_FILE).read_bytes())
    shutil.rmtree(folder)
    return document


def _files(sets: OutputFiles, at: str) -> list[str]:
    """The summary, and the workbook of the day where it is made."""
    names = (SUMMARY_FILE, workbook_name(datetime.fromisoformat(at)))
    return [sets.address(name) for name in names if sets.named_exists(name)]


def set_up(*, apply: bool) -> dict[str, Any]:
    """What is wrong with the columns of the log sheet; with `apply` those that are missing are added first."""
    settings = load_settings()
    if settings.smartsheet_api_token is None or not settings.audit_sheet_id:
        raise InputError(Problem("is not set: there is no log sheet", cell="SMARTSHEET_API_TOKEN or AUDIT_SHEET_ID"))
    client = Smartsheet(settings.smartsheet_api_token.get_secret_value(), settings.smartsheet_api_base)
    added = setup_apply(client, settings.audit_sheet_id) if apply else []
    return {
        "sheet": settings.audit_sheet_id,
        "added": added,
        "problems": setup_problems(client, settings.audit_sheet_id),
    }
