"""The run manifest: what was billed from which inputs, what the controls said, and every file with its hash."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from billing_pipeline.engine.period import Period


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the manifest says about the run itself. Times are UTC."""

    run_id: str
    started: datetime
    finished: datetime
    version: str
    prefix: str


def manifest_document(
    period: Period,
    run: RunFacts,
    usage: dict[str, Any],
    rules: dict[str, Any],
    files: list[dict[str, Any]],
    frames: dict[str, pl.DataFrame],
) -> dict[str, Any]:
    """The manifest as plain values; amounts are texts. `frames`: controls, conservation, flags, lines (invoice totals).

    The reference's keys (spec 4.4) are kept; files, totals, controls and flags are ours.
    """
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    kinds: dict[str, list[str]] = {}
    for entry in files:
        kinds.setdefault(entry["kind"], []).append(entry["name"])
    return {
        "billing_period": period.dotted,
        "engine_version": run.version,
        "run_id": run.run_id,
        "run_timestamp_utc": run.started.strftime(stamp),
        "finished_at_utc": run.finished.isoformat(),
        "status": "completed",
        "usage_file": usage,
        "rules_file": rules,
        "outputs": {
            "master_billing_report": kinds["master"][0],
            "netsuite_import_file": kinds["import"][0],
            "netsuite_import_parts": kinds["import"],
            "netsuite_held_file": next(iter(kinds.get("held", [])), None),
            "partner_details_folder": f"{run.prefix}_partner_details",
        },
        "files": files,
        "buckets": _texts(frames["conservation"]),
        "controls": _texts(frames["controls"]),
        "flags_by_type": dict(frames["flags"].group_by("flag_type", maintain_order=True).len().iter_rows()),
        "undecided_flags": frames["flags"]["decision"].null_count(),
        "manifest_name": f"{run.prefix}_billing_log/{period.dotted}_run_manifest_{run.run_id}.json",
    }


def _texts(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with decimals as text, whole ones without decimals kept as the frame has them."""
    decimals = [pl.col(name).cast(pl.String) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal)]
    return frame.with_columns(decimals).to_dicts()
