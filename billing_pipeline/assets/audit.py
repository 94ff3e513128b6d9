"""The two-hourly billing audit: what the sheets say, what of it is wrong or was changed after billing, its report."""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from billing_pipeline.assets.audit_logging import recover, write_log
from billing_pipeline.assets.audit_remembering import all_sheets, changes_since, remembered, to_remember
from billing_pipeline.assets.auditing import (
    audit_manifest,
    examined,
    judged,
    keep,
    now_of,
    read_now,
    report_of,
    worded,
    workbook_name,
    write_report,
)
from billing_pipeline.assets.drafts import file_table
from billing_pipeline.assets.metadata import OWNERS, preview, started_at
from billing_pipeline.assets.run_set import RunSet, drafted_files, facts_of_run
from billing_pipeline.engine.audit.snapshot import Snapshot
from billing_pipeline.engine.audit.views import open_findings
from billing_pipeline.engine.period import Period
from billing_pipeline.profile import Profile
from billing_pipeline.reports.audit import audit_document
from billing_pipeline.reports.notices import run_page
from billing_pipeline.resources.audit_places import AuditPlaces
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.narrative import NarrativePlace
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import AUDIT, FORCED

_SNAPSHOTS = {
    "audit_sheets": "The audited sheets: version, how many rows they have and gave, or why one could not be read.",
    "audit_rows": "Every row of the audited sheets as it is now, typed, whatever its state.",
    "audit_cell_problems": "Cells that cannot be read as what their column is.",
}


@dg.multi_asset(
    group_name=AUDIT,
    outs={name: dg.AssetOut(description=said, kinds={"polars"}, owners=OWNERS) for name, said in _SNAPSHOTS.items()},
)
def audit_snapshot(
    context: dg.AssetExecutionContext, audit_places: dg.ResourceParam[AuditPlaces]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """engine.audit.tables: SHEETS, ROWS, CELL_PROBLEMS."""
    sheets, rows, texts = read_now(audit_places)
    now = now_of(sheets, rows, texts)
    context.add_output_metadata({"sheets": sheets.height, "preview": preview(sheets, 30)}, output_name="audit_sheets")
    context.add_output_metadata({"rows": now.rows.height}, output_name="audit_rows")
    context.add_output_metadata({"problems": now.problems.height}, output_name="audit_cell_problems")
    return sheets, now.rows, now.problems


@dg.asset(
    group_name=AUDIT,
    description="What differs from the last run: rows that came and went, cells that changed, allowed or not.",
    kinds={"polars"},
    owners=OWNERS,
)
def audit_changes(
    context: dg.AssetExecutionContext,
    audit_sheets: pl.DataFrame,
    audit_rows: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """engine.audit.tables.CHANGES; none in a first run."""
    found = changes_since(database, outputs.of(AUDIT), audit_sheets, audit_rows)
    context.add_output_metadata({"changes": found.height, "preview": preview(found, 20)})
    return found


@dg.asset(
    group_name=AUDIT,
    description="What the audit found, what became of it, its report; kept with the run, and told when it changed.",
    kinds={"polars", "excel", "json"},
    owners=OWNERS,
)
def audit_findings(
    context: dg.AssetExecutionContext,
    audit_sheets: pl.DataFrame,
    audit_rows: pl.DataFrame,
    audit_cell_problems: pl.DataFrame,
    audit_changes: pl.DataFrame,
    audit_places: dg.ResourceParam[AuditPlaces],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
    client_rules: ClientRules,
    narrative: NarrativePlace,
    gate: Gate,
) -> pl.DataFrame:
    """engine.audit.views.FINDINGS, every one that is known. The run's set is committed before the database keeps it:
    a run that died between the two is as if it had not been."""
    at, run, sets, terms, zone = (
        started_at(context),
        run_of(context),
        outputs.of(AUDIT),
        profile.audit,
        client_rules.zone,
    )
    period = Period.of(at.date())
    client = audit_places.client
    if client is not None and audit_places.log_sheet and not audit_places.dry_run:
        recovered = recover(client, audit_places.log_sheet, database, audit_rows, terms, at, zone)
        context.log.info(f"{recovered} findings were read back from the log sheet")
    memory = remembered(database, sets)
    sheets = all_sheets(audit_sheets, memory, at)
    read = examined(audit_places, sheets, Snapshot(audit_rows, audit_cell_problems), memory, terms, at, zone)
    made = judged(read, memory, audit_places.rates(), database, terms, run, at, zone)
    report = report_of(made, audit_rows, audit_changes, database, run, at, zone, terms)
    wanted = made.shown["told"].any() or FORCED in context.run.tags or not sets.named_exists(workbook_name(at))
    if wanted and audit_places.reports and not audit_places.dry_run:
        report = worded(report, narrative, context.log)
    folder, document = sets.draft_folder(period, run), audit_document(report)
    kinds = write_report(folder, report, to_remember(read, memory, at), workbook=audit_places.reports and wanted)
    files = RunSet(drafted_files([file_table(folder, kinds, run)], ("snapshot",), ("workbook",)))
    manifest = audit_manifest(facts_of_run(context, run, profile.file_prefix), period, files, document)
    page = run_page(gate.ui_url, context.run.run_id)
    sets.clear(period)
    kept = partial(keep, made=made, run=run, at=at, document=document, page=page)
    if not audit_places.dry_run:
        sets.publish(period, run, list(files.files), manifest, partial(database.run, kept))
        sets.discard_drafts(period)
    context.add_output_metadata(
        {
            **{name: document[name] for name in ("status", "new", "ongoing", "resolved", "reopened", "dollars")},
            "risk": report.risk,
            "bootstrap": made.detected.bootstrap,
            "preview": preview(report.shown.select("standing", "severity", "category", "dollars", "why"), 20),
        }
    )
    return made.shown


@dg.asset(
    group_name=AUDIT,
    description="The log sheet: one row for each finding, and the day's workbook. Nothing without an account.",
    kinds={"smartsheet"},
    owners=OWNERS,
    output_required=False,
)
def audit_log(
    context: dg.AssetExecutionContext,
    audit_findings: pl.DataFrame,
    audit_places: dg.ResourceParam[AuditPlaces],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> Iterator[dg.Output[pl.DataFrame]]:
    """What was written: inserted, updated, deleted, dispositions."""
    client = audit_places.client
    if client is None or not audit_places.log_sheet or audit_places.dry_run:
        context.log.info("there is no log sheet to write to")
        return
    at = started_at(context)
    name = workbook_name(at)
    workbook = (name.rpartition("/")[2], outputs.read_named(name)) if audit_places.reports else None
    open_ones = open_findings(audit_findings).height
    sentence = f"{open_ones} open findings at {at:%Y-%m-%d %H:%M} UTC"
    done = write_log(
        client, audit_places.log_sheet, database, run_of(context), at, workbook, sentence, outputs.state_dir
    )
    yield dg.Output(pl.DataFrame([done]), metadata=done)


@dg.asset_check(asset="audit_sheets", description="Every sheet could be read whole, with the columns the audit needs.")
def sheets_are_covered(audit_sheets: pl.DataFrame) -> dg.AssetCheckResult:
    """A sheet that is not covered is not verified: nothing is said of it."""
    short = (pl.col("error") != "") | (pl.col("missing") != "") | (pl.col("read") < pl.col("rows"))
    broken = audit_sheets.filter(short.fill_null(value=True))
    return dg.AssetCheckResult(
        passed=broken.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"sheets": audit_sheets.height, "not covered": preview(broken, 20)},
    )


@dg.asset_check(asset="audit_findings", description="Each finding stands there once.")
def findings_are_unique(audit_findings: pl.DataFrame) -> dg.AssetCheckResult:
    """By its key."""
    twice = audit_findings.filter(pl.col("finding_key").is_duplicated())
    return dg.AssetCheckResult(passed=twice.is_empty(), metadata={"twice": preview(twice, 10)})
