"""The end of a month: its controls as asset checks, what changed of what was sent, and the manifest behind the gate."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.assets.adjusting import DIFFERENCES, differences_of, refuse_other_release, write_adjustments
from billing_pipeline.assets.drafts import CONTROLS_FILE, draft_id, file_table, refuse_altered, refuse_mixed_drafts
from billing_pipeline.assets.metadata import month_asset, preview
from billing_pipeline.assets.releasing import (
    MadeOf,
    evidence_of,
    finish_release,
    new_release,
    note_refusal,
    note_waiting,
    publish_release,
    release_facts,
    sending,
)
from billing_pipeline.assets.run_set import facts_of_run, run_set
from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.close import (
    FAIL,
    PASS,
    adjustment_lines,
    line_differences,
    partner_differences,
    posting_date,
    verdict,
)
from billing_pipeline.engine.errors import GateError
from billing_pipeline.engine.money import total
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.controls import BLOCKING, NAMES
from billing_pipeline.engine.rules import rules_from_frame
from billing_pipeline.partitions import period_of
from billing_pipeline.profile import Profile
from billing_pipeline.reports.manifest import manifest_document, month_summary
from billing_pipeline.resources import releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import FILE, RULES


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
    context: dg.AssetCheckExecutionContext,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    gate: Gate,
) -> Iterator[dg.AssetCheckResult]:
    """One asset check per row of Audit & Controls, read from the controls of the very run it runs in."""
    period, run = period_of(context), run_of(context)
    stored = pl.read_parquet(outputs.draft_folder(period, run) / CONTROLS_FILE)
    if gate.releases and FAIL in stored["Status"]:
        made_of = _refused(outputs, period, context.run.tags)
        note = partial(note_refusal, gate=gate, made_of=made_of, run=run, dagster_run=context.run.run_id)
        database.run(partial(note, controls=stored))
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
    "What this draft changes of what was sent before: adjustment lines, positive and negative, tied to their invoices.",
    frozenset({"polars", "csv"}),
)
def adjustments(
    context: dg.AssetExecutionContext,
    netsuite_invoices: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """File table of the adjustment files and of the differences behind them; `against`: the run they correct."""
    period = period_of(context)
    finish_release(database, outputs, gate, period)
    earlier = database.run(partial(releases.releases_of, period=period))
    sent = next((release for release in reversed(earlier) if release.state == releases.PUBLISHED), None)
    lines = pl.read_parquet(netsuite_invoices.filter(pl.col("kind") == "lines")["path"].item())
    before = outputs.invoice_lines(outputs.manifest_of(period, sent.run_id)) if sent else lines
    differences = line_differences(before, lines)
    posted = posting_date(period, frozenset(database.run(releases.closed_periods)))
    adjusted = adjustment_lines(differences, period, len(earlier) + 1, posted, profile.invoice.date_format)
    folder = outputs.draft_folder(period, run_of(context))
    kinds = write_adjustments(folder, profile.file_prefix, f"{period.dotted}_r{len(earlier) + 1}", adjusted)
    differences.write_parquet(folder / DIFFERENCES)
    context.add_output_metadata(
        {
            "release": len(earlier) + 1,
            "difference": str(total(differences["difference"])),
            "lines": adjusted.height,
            "by_partner": preview(partner_differences(differences), 15),
        }
    )
    table = file_table(folder, kinds | {DIFFERENCES: "differences"}, netsuite_invoices["draft"][0])
    return table.with_columns(pl.lit(sent.run_id if sent else "").alias("against"))


@month_asset(
    "publication",
    "Publication: behind the gate, the month's release with its complete set and named files. Empty while it waits.",
    frozenset({"json"}),
    output_required=False,
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
    adjustments: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
    database: dg.ResourceParam[Database],
) -> Iterator[dg.Output[pl.DataFrame]]:
    """One row: run_id, path of the named manifest, status of the controls. Nothing while the month waits for people."""
    period, run, rules = period_of(context), run_of(context), rules_from_frame(billing_rules)
    drafted = {
        "netsuite_invoices": netsuite_invoices,
        "partner_workbooks": partner_workbooks,
        "master_report": master_report,
        "adjustments": adjustments,
    }
    first = priced_rows.select("draft").head(1).collect()
    judged_by = {**drafted, "controls": controls, "priced_rows": first}
    refuse_mixed_drafts(draft_id(usage_file, rules, decisions), judged_by)
    usage = usage_file.select("name", "path", "sha256", "size", "records").row(0, named=True)
    place = context.run.tags.get(FILE, usage["name"])
    made_of = MadeOf(
        period, place, usage["sha256"], rules.sha256, _last_decision(context), context.run.tags.get(RULES, "")
    )
    sent = database.run(partial(releases.current, period=period))
    refuse_other_release(adjustments, sent)
    differences = differences_of(adjustments)
    asked = database.run(partial(sending, gate=gate, made_of=made_of, differs=differences.height > 0))
    judged = verdict(controls, review_flags["decision"], gated=gate.gated, sending=asked if gate.releases else None)
    unpriced = priced_rows.filter(pl.col("bucket") == "quarantined").group_by("fee_calc_status").len()
    frames = {
        "controls": controls.drop("draft"),
        "conservation": buckets,
        "flags": review_flags,
        "unpriced": unpriced.sort("fee_calc_status").collect(),
        "partners": partner_workbooks,
    }
    named_rules = {"name": rules.name, "sha256": rules.sha256}
    usage |= {"place": made_of.usage_name}
    summary = month_summary(period, context.run.run_id, usage, named_rules, frames)
    if not judged.publish:
        context.log.info(f"{period} is {judged.state}: {'; '.join(judged.reasons) or 'all of it was sent before'}")
        if not gate.releases:
            raise GateError(f"{period} is not published: {'; '.join(judged.reasons)}")
        note = partial(note_waiting, gate=gate, made_of=made_of, run=run, judged=judged)
        database.run(partial(note, summary=summary, differences=differences))
        if judged.unchanged:
            outputs.discard_drafts(period)
        return
    refuse_altered(drafted.values())
    evidence = database.run(partial(evidence_of, made_of=made_of, usage=Path(usage["path"]))) if gate.releases else None
    files = run_set(
        outputs, profile, period, run, list(drafted.values()), rules, evidence=evidence, frozen=sent is not None
    )
    release = database.run(partial(new_release, made_of=made_of, run=run, summary=summary, differences=differences))
    facts = facts_of_run(context, run, profile.file_prefix)
    told = release_facts(release, differences) if gate.releases else None
    document = manifest_document(summary, facts, list(files.entries()), told)
    if gate.releases:
        publish_release(database, outputs, gate, release, list(files.files), document)
    else:
        outputs.publish(period, run, list(files.files), document)
        outputs.discard_drafts(period)
    path = outputs.address(document["manifest_name"])
    yield dg.Output(
        pl.DataFrame({"run_id": [run], "path": [path], "status": [judged.controls_status]}),
        metadata=_shown(document, path),
    )


def _refused(outputs: OutputFiles, period: Period, tags: Mapping[str, str]) -> MadeOf:
    """What the refused draft was made of, from the frames of the run that its checks belong to, and its tags."""
    frames = {
        name: pl.read_parquet(outputs.frame_path(name, period), columns=["name", "sha256"])
        for name in ("usage_file", "billing_rules")
    }
    usage, rules = frames["usage_file"], frames["billing_rules"]
    name = tags.get(FILE, usage["name"].item())
    return MadeOf(period, name, usage["sha256"].item(), rules["sha256"].item(), 0, tags.get(RULES, ""))


def _shown(document: dict[str, Any], path: str) -> dict[str, Any]:
    keys = ("billing_period", "run_id", "release", "buckets", "outputs")
    return {
        "file": dg.MetadataValue.path(path),
        "files": len(document["files"]),
        "controls": document["controls_status"],
        "manifest": dg.MetadataValue.json({key: document[key] for key in keys}),
    }


def _last_decision(context: dg.AssetExecutionContext) -> int:
    """The last decision in the stored frame of decisions, as its asset said: the database may hold later ones."""
    stored = dg.AssetRecordsFilter(asset_key=dg.AssetKey("decisions"), asset_partitions=[context.partition_key])
    records = context.instance.fetch_materializations(stored, limit=1).records
    said = records[0].asset_materialization if records else None
    value = said.metadata["last_decision"].value if said and "last_decision" in said.metadata else 0
    return int(str(value))
