"""The run manifest: what was billed from which inputs, what the controls said, and every file with its hash."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from billing_pipeline.engine.close import overall_status
from billing_pipeline.engine.period import Period


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the manifest says about the run itself. Times are UTC."""

    run_id: str
    started: datetime
    finished: datetime
    version: str
    prefix: str


def month_summary(
    period: Period,
    dagster_run: str,
    usage: dict[str, Any],
    rules: dict[str, Any],
    frames: dict[str, pl.DataFrame],
) -> dict[str, Any]:
    """What a draft says of its month, as plain values; amounts are texts.

    frames: controls, conservation, flags, unpriced (status and rows), partners (one row for each).
    """
    flags = frames["flags"]
    open_flags = flags.filter(pl.col("decision").is_null())
    return {
        "billing_period": period.dotted,
        "dagster_run_id": dagster_run,
        "usage_file": usage,
        "rules_file": rules,
        "buckets": _texts(frames["conservation"]),
        "controls": _texts(frames["controls"]),
        "controls_status": overall_status(frames["controls"]),
        "partners": frames["partners"].height,
        "unpriced_rows": dict(frames["unpriced"].iter_rows()),
        "flags_by_type": dict(flags.group_by("flag_type", maintain_order=True).len().iter_rows()),
        "undecided_flags": open_flags.height,
        "undecided_by_type": dict(open_flags.group_by("flag_type", maintain_order=True).len().iter_rows()),
    }


def manifest_document(
    summary: dict[str, Any], run: RunFacts, files: list[dict[str, Any]], release: dict[str, Any] | None
) -> dict[str, Any]:
    """The manifest as plain values: a month_summary, the run, its files, and the release it makes (None: ad hoc).

    The reference's keys (spec 4.4) are kept; files, buckets, controls, flags and release are ours.
    """
    kinds: dict[str, list[str]] = {}
    for entry in files:
        kinds.setdefault(entry["kind"], []).append(entry["name"])
    return {
        **summary,
        "rules_file": {**summary["rules_file"], "snapshot_path": kinds["rules"][0]},
        **run_facts(run),
        "release": release,
        "outputs": {
            "master_billing_report": kinds["master"][0],
            "netsuite_import_file": kinds["import"][0],
            "netsuite_import_parts": kinds["import"],
            "netsuite_held_file": next(iter(kinds.get("held", [])), None),
            "partner_details_folder": f"{run.prefix}_partner_details",
        },
        "files": files,
        "manifest_name": f"{run.prefix}_billing_log/{summary['billing_period']}_run_manifest_{run.run_id}.json",
    }


def run_facts(run: RunFacts) -> dict[str, Any]:
    """What every manifest says of its run."""
    return {
        "engine_version": run.version,
        "run_id": run.run_id,
        "run_timestamp_utc": run.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "finished_at_utc": run.finished.isoformat(),
        "status": "completed",
    }


def _texts(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with decimals as text, whole ones without decimals kept as the frame has them."""
    decimals = [pl.col(name).cast(pl.String) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal)]
    return frame.with_columns(decimals).to_dicts()
