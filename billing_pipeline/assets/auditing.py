"""Behind the audit: reading the sheets, what a run finds and keeps, its report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.audit_remembering import SNAPSHOT
from billing_pipeline.assets.finding_runs import keep_run, shown_findings
from billing_pipeline.assets.run_set import RunSet
from billing_pipeline.assets.telling import audit_notice
from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.audit.audit import Detected, detect, status
from billing_pipeline.engine.audit.examining import to_examine
from billing_pipeline.engine.audit.inputs import Memory, Read
from billing_pipeline.engine.audit.insights import insights
from billing_pipeline.engine.audit.risk import RiskLimits, risk_level, risk_rule
from billing_pipeline.engine.audit.snapshot import KEY, Snapshot, snapshot
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.audit.trends import trends
from billing_pipeline.engine.audit.views import COUNTS, FINDINGS, RUNS, comparable_key, open_findings, run_counts
from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.findings import next_state
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import conform
from billing_pipeline.reports.audit import AuditReport, audit_document, audit_figures, thresholds, write_audit_workbook
from billing_pipeline.reports.manifest import RunFacts, run_facts
from billing_pipeline.resources import findings, outbox
from billing_pipeline.resources.audit_places import AuditPlaces
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.narrative import NarrativePlace, narrative
from billing_pipeline.run_tags import AUDIT

SUMMARY_FILE = "audit/audit_summary.json"
_FAILURES = 3  # histories that fail one after the other before the rest is left for the next run
_EVENT_AT = "last_event_at"


@dataclass(frozen=True, slots=True)
class Judged:
    """A run that judged: what it detected, the state of every finding after it, and what people see of them."""

    detected: Detected
    state: pl.DataFrame
    shown: pl.DataFrame  # views.FINDINGS
    status: str


def read_now(places: AuditPlaces) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """SHEETS, SOURCE_ROWS and TEXTS of every sheet. Errors as AuditPlaces.read."""
    found = places.read()
    return (
        pl.concat([one.sheet for one in found]),
        pl.concat([one.rows for one in found]),
        pl.concat([one.texts for one in found]),
    )


def examined(
    places: AuditPlaces, sheets: pl.DataFrame, now: Snapshot, memory: Memory, terms: Thresholds, at: datetime, zone: str
) -> Read:
    """What was read, with the history of those cells that need one; a history that cannot be had is not verified."""
    told = pl.Series([places.has_history(sheet) for sheet in sheets["sheet_id"]], dtype=pl.Boolean)
    wanted = to_examine(now.rows, sheets.filter(told), memory, terms, at, zone, places.history_calls)
    states: list[str] = []
    revisions: list[pl.DataFrame] = []
    failures = 0
    for cell in wanted.iter_rows(named=True):
        if cell["state"] != tables.WANTED:
            states.append(cell["state"])
        elif failures >= _FAILURES:
            states.append(tables.FAILED)
        else:
            try:
                revisions.append(places.source.history(cell["sheet_id"], cell["row_id"], cell["column"]))
                states.append(tables.READ)
                failures = 0
            except UpstreamError:
                states.append(tables.FAILED)
                failures += 1
    return Read(
        sheets,
        now,
        wanted.with_columns(pl.Series("state", states, dtype=pl.String)),
        pl.concat(revisions) if revisions else pl.DataFrame(schema=tables.REVISIONS),
    )


def judged(
    read: Read,
    memory: Memory,
    rates: pl.DataFrame,
    database: Database,
    terms: Thresholds,
    run: str,
    at: datetime,
    zone: str,
) -> Judged:
    """What is found now, and what becomes of every finding that is known."""
    detected = detect(read, memory, rates, terms, at, zone)
    known, stored = database.run(
        lambda connection: (
            findings.known(connection, AUDIT), findings.findings_of(connection, AUDIT, tables.FOUND)
        )
    )  # fmt: skip
    verified = stored.join(detected.verified, on=KEY, how="semi")["finding_key"]
    last = pl.concat([memory.events, detected.events]).group_by("finding_key").agg(pl.col("at").max().alias(_EVENT_AT))
    found = detected.found.join(last, on="finding_key", how="left").with_columns(
        born_resolved=pl.col("category") == tables.TRANSIENT_EDIT
    )
    state = next_state(known, found, verified, run, at)
    shown = shown_findings(state, detected.found, stored)
    return Judged(detected, state, shown, status(open_findings(shown), detected.coverage))


def keep(
    connection: sa.Connection, made: Judged, run: str, at: datetime, document: Mapping[str, Any], page: str
) -> None:
    """Keep the run, what the log sheet has to say, and what people are told, in one transaction."""
    detected = made.detected
    moved = made.shown.filter(pl.col("told") | (pl.col("status") != pl.col("before")))
    payload = moved.select("finding_key", *(name for name in FINDINGS if name not in ("finding_key", "told", "before")))
    keep_run(
        connection,
        AUDIT,
        findings.Run(run, at, made.status, comparable_key(detected.coverage), {"sheets": detected.coverage.to_dicts()}),
        made.state,
        detected.found,
        made.shown,
        events=detected.events,
        baseline=detected.baseline_updates,
        watermarks=detected.watermarks,
        log_rows=payload,
    )
    notice = audit_notice(document, page)
    if notice is not None:
        outbox.post(connection, notice, at)


def report_of(
    made: Judged,
    rows: pl.DataFrame,
    changes: pl.DataFrame,
    database: Database,
    run: str,
    at: datetime,
    zone: str,
    terms: Thresholds,
) -> AuditReport:
    """What people see of the run, with its trends over comparable runs and its insights."""
    history, events = database.run(
        lambda connection: (findings.history(connection, AUDIT, 60), findings.events_of(connection, AUDIT))
    )
    coverage = made.detected.coverage
    this = pl.DataFrame([(run, at, made.status, comparable_key(coverage))], schema=RUNS, orient="row")
    runs = pl.concat(
        [history.select("run_id", "at", pl.col("run_status").alias("status"), "comparable").unique(), this]
    )
    counted = history.filter(pl.col("category").is_not_null()).rename({"status": "standing"})
    counts = pl.concat([conform(counted, COUNTS), run_counts(made.shown, run)])
    every = pl.concat([events, made.detected.events]).unique("event_key", maintain_order=True)
    ordered = conform(runs.sort("at"), RUNS)
    return AuditReport(
        run_id=run,
        at=at,
        zone=zone,
        status=made.status,  # type: ignore[arg-type]
        risk=risk_level(made.shown, RiskLimits()),
        risk_rule=risk_rule(RiskLimits()),
        findings=made.shown,
        coverage=coverage,
        changes=changes,
        trends=trends(ordered, counts, made.shown, every, at),
        insights=insights(made.shown, every, rows, ordered, counts, coverage, at, zone),
        rules=thresholds("all rules", terms),
    )


def worded(report: AuditReport, place: NarrativePlace, log: dg.DagsterLogManager) -> AuditReport:
    """The report with a text about its figures, where a service is set; the log says why there is none."""
    if place.service is None:
        return report
    told = narrative(audit_figures(report), place.service)
    if told.text is None:
        log.warning(f"the summary has no text in words: {told.reason}")
        return report
    return replace(report, narrative=told.text)


def write_report(folder: Path, report: AuditReport, rows: pl.DataFrame, *, workbook: bool) -> dict[str, str]:
    """Write a draft's files; the kind of each by its name. `rows`: what the next run is to remember."""
    rows.write_parquet(folder / SNAPSHOT)
    document = json.dumps(audit_document(report), indent=2, ensure_ascii=False).encode()
    write_whole(folder / SUMMARY_FILE, document)
    kinds = {SNAPSHOT: "snapshot", SUMMARY_FILE: "summary"}
    if workbook:
        name = workbook_name(report.at)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_audit_workbook(folder / name, report)
        kinds[name] = "workbook"
    return kinds


def workbook_name(at: datetime) -> str:
    """One file a day, which its runs bring up to date."""
    return f"audit/Billing_Audit_{at:%Y-%m-%d}.xlsx"


def audit_manifest(run: RunFacts, period: Period, files: RunSet, document: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run of the audit: its figures and its files."""
    figures = {name: document[name] for name in ("status", "new", "ongoing", "resolved", "reopened", "dollars")}
    return {
        **run_facts(run),
        "billing_period": period.dotted,
        **figures,
        "audit_status": document["status"],
        "files": list(files.entries()),
        "manifest_name": f"audit/audit_run_manifest_{run.run_id}.json",
    }


def now_of(sheets: pl.DataFrame, rows: pl.DataFrame, texts: pl.DataFrame) -> Snapshot:
    """The typed snapshot of what was read."""
    read = sheets.filter(pl.col("error") == "").select("sheet_id")
    return snapshot(texts.join(read, on="sheet_id", how="semi"), rows.join(read, on="sheet_id", how="semi"))
