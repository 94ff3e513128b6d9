"""Publication of a month: the controls as asset checks, and the manifest, which only an open gate lets through."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.assets.drafts import CONTROLS_FILE, draft_id, refuse_altered, refuse_mixed_drafts
from billing_pipeline.assets.metadata import month_asset
from billing_pipeline.assets.usage import review_name
from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.close import FAIL, PASS, verdict
from billing_pipeline.engine.errors import GateError
from billing_pipeline.engine.pricing.controls import BLOCKING, NAMES
from billing_pipeline.engine.rules import rules_from_frame
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.manifest import RunFacts, manifest_document
from billing_pipeline.resources.files import sha256_of, write_whole
from billing_pipeline.resources.frames import frame_path
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import DraftFile, OutputFiles, run_of


@dg.multi_asset_check(
    name="audit_and_controls",
    specs=[
        dg.AssetCheckSpec(
            header_name(name), asset="master_report", description=f"Audit & Controls: {name}", blocking=name in BLOCKING
        )
        for name in NAMES
    ],
)
def control_checks(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles]
) -> Iterator[dg.AssetCheckResult]:
    """One asset check per row of Audit & Controls, read from the controls of the very run it runs in."""
    stored = pl.read_parquet(outputs.draft_folder(period_of(context), run_of(context)) / CONTROLS_FILE)
    for row in stored.iter_rows(named=True):
        yield dg.AssetCheckResult(
            check_name=header_name(row["Control Check"]),
            asset_key="master_report",
            passed=row["Status"] == PASS,
            severity=dg.AssetCheckSeverity.ERROR if row["Status"] == FAIL else dg.AssetCheckSeverity.WARN,
            metadata={key.lower(): str(value) for key, value in row.items()},
        )


@month_asset(
    "publication",
    "Publication: behind the gate, the run's complete set and its named files, described by the manifest.",
    frozenset({"json"}),
)
def manifest(
    context: dg.AssetExecutionContext,
    usage_file: pl.DataFrame,
    billing_rules: pl.DataFrame,
    decisions: pl.DataFrame,
    review_flags: pl.DataFrame,
    priced_rows: pl.LazyFrame,
    netsuite_invoices: pl.DataFrame,
    partner_workbooks: pl.DataFrame,
    buckets: pl.DataFrame,
    controls: pl.DataFrame,
    master_report: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
) -> pl.DataFrame:
    """One row: run_id, path of the named manifest, status of the controls."""
    period, run = period_of(context), run_of(context)
    rules = rules_from_frame(billing_rules)
    first = priced_rows.select("draft").head(1).collect()
    made_of = {
        "netsuite_invoices": netsuite_invoices,
        "partner_workbooks": partner_workbooks,
        "master_report": master_report,
    }
    refuse_mixed_drafts(draft_id(usage_file, rules, decisions), {**made_of, "controls": controls, "priced_rows": first})
    judged = verdict(controls, review_flags["decision"].null_count(), gated=gate.gated)
    if not judged.publish:
        raise GateError(f"{period} is not published: {'; '.join(judged.reasons)}")
    refuse_altered(made_of.values())
    folder = outputs.draft_folder(period, run)
    frames = {"controls": controls.drop("draft"), "conservation": buckets, "flags": review_flags}
    with outputs.writer(period):
        snapshot = f"{profile.file_prefix}_billing_log/rules_snapshots/rules_snapshot_{period.key}_{run}.xlsx"
        write_whole(folder / snapshot, rules.workbook)
        review = review_name(profile, period.dotted)
        write_whole(folder / review, (outputs.outputs_dir / review).read_bytes())
        kinds = {
            DraftFile(row["name"], Path(row["path"])): (row["kind"], row["sha256"])
            for table in made_of.values()
            for row in table.iter_rows(named=True)
        }
        evidence = {
            "rules": DraftFile(snapshot, folder / snapshot, lasting=True),
            "review": DraftFile(review, folder / review, named=False),
            "priced": DraftFile(
                "priced_rows.parquet", frame_path(outputs.state_dir / "frames", "priced_rows", period.key), named=False
            ),
        }
        kinds |= {file: (kind, sha256_of(file.path)) for kind, file in evidence.items()}
        facts = RunFacts(run, _started(context), datetime.now(UTC), version("billing-pipeline"), profile.file_prefix)
        usage = usage_file.select("name", "path", "sha256", "size", "records").row(0, named=True)
        named_rules = {"name": rules.name, "sha256": rules.sha256, "snapshot_path": snapshot}
        document = manifest_document(period, facts, usage, named_rules, list(_entries(kinds)), frames)
        path = outputs.publish(period, run, list(kinds), document)
    outputs.discard_draft(folder)
    context.add_output_metadata(
        {
            "file": dg.MetadataValue.path(str(path)),
            "files": len(kinds),
            "controls": judged.controls_status,
            "manifest": dg.MetadataValue.json(
                {key: document[key] for key in ("billing_period", "run_id", "buckets", "outputs")}
            ),
        }
    )
    return pl.DataFrame({"run_id": [run], "path": [str(path)], "status": [judged.controls_status]})


def _entries(kinds: dict[DraftFile, tuple[str, str]]) -> Iterator[dict[str, object]]:
    for file, (kind, digest) in kinds.items():
        yield {
            "name": file.name,
            "kind": kind,
            "sha256": digest,
            "bytes": file.path.stat().st_size,
            "named": file.named,
            "lasting": file.lasting,
        }


def _started(context: dg.AssetExecutionContext) -> datetime:
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return record.create_timestamp if record else datetime.now(UTC)
