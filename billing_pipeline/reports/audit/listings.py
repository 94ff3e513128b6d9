"""The sheets of single findings: all of them, and what changed since the last run. Source: spec 9.4; Q22, Q26."""

from collections.abc import Mapping

import polars as pl

from billing_pipeline.engine.audit.insights.terms import counted
from billing_pipeline.engine.findings import ONGOING, RESOLVED
from billing_pipeline.reports.audit.facts import AuditReport, category_words
from billing_pipeline.reports.audit.looks import AMOUNT, BODY, CENTRED, DATE, FIGURE, SEVERITY, STANDING
from billing_pipeline.reports.rich_sheets import DataTable, RichSheet, row_heights
from billing_pipeline.reports.workbook import Cell
from billing_pipeline.reports.workbook_parts import Style

FINDINGS, CHANGES = "Findings", "Changes since last run"
_WIDE: Mapping[str, float] = {
    "Status": 13, "Severity": 11, "Category": 24, "Work Request": 15, "Week Ending": 14, "Column": 12,
    "Locked Value": 14, "Current Value": 15, "Delta": 11, "Dollars": 14, "Why": 58, "Last Edit By": 28,
    "Last Edit (UTC)": 18, "Row": 11, "Sheet": 24, "First Billed Week": 18, "Edits": 9, "First Seen (UTC)": 18,
    "Days Open": 12, "Reopened": 12, "Resolved (UTC)": 18, "Evidence": 12, "Disposition": 18, "Row ID": 20,
    "Finding Key": 24, "Change": 13, "Before": 13,
}  # fmt: skip
_STYLES = {
    "Status": CENTRED,
    "Change": CENTRED,
    "Severity": CENTRED,
    "Week Ending": DATE,
    "First Billed Week": DATE,
    "Dollars": AMOUNT,
    "Delta": Style(number_format="+#,##0.00##_);-#,##0.00##_);0_)", align="right"),
    "Edits": FIGURE,
    "Days Open": FIGURE,
    "Reopened": FIGURE,
    "Why": BODY,
}


def findings_sheet(report: AuditReport) -> RichSheet:
    """Every finding that is open or was resolved in this run, the most serious first."""
    frame = _shown(report)
    table = DataTable(
        0,
        "Findings",
        frame.drop("Before", "permalink"),
        styles={name: style for name, style in _STYLES.items() if name in frame.columns},
        marks={"Status": STANDING, "Severity": SEVERITY},
        links={"Row": frame["permalink"]},
        figures=("Locked Value", "Current Value"),
    )
    return _sheet(FINDINGS, table, (1, 4))


def changes_sheet(report: AuditReport) -> RichSheet:
    """What this run found, found again or saw resolved."""
    frame = _shown(report).filter(pl.col("Status") != ONGOING).rename({"Status": "Change"})
    links = frame["permalink"]
    frame = frame.select(
        "Change", "Before", "Severity", "Category", "Work Request", "Week Ending", "Column", "Locked Value",
        "Current Value", "Dollars", "Why", "Last Edit By", "Last Edit (UTC)", "Row", "Finding Key",
    )  # fmt: skip
    table = DataTable(
        2,
        "Changes",
        frame,
        styles={name: style for name, style in _STYLES.items() if name in frame.columns},
        marks={"Change": STANDING, "Severity": SEVERITY},
        links={"Row": links},
        figures=("Locked Value", "Current Value"),
    )
    changed = counted(frame.height, "finding") if frame.height else "No finding"
    return _sheet(CHANGES, table, (3, 0), f"{changed} changed in run {report.run_id}, {report.local}")


def _sheet(name: str, table: DataTable, frozen: tuple[int, int], said: str = "") -> RichSheet:
    heights = row_heights(table.frame, {"Why": _WIDE["Why"]}, table.row + 1)
    widths = [_WIDE[column] for column in table.frame.columns]
    cells = [Cell(0, 0, said)] if said else []
    return RichSheet(name, cells, tables=[table], widths=widths, heights=heights, frozen=frozen)


def _shown(report: AuditReport) -> pl.DataFrame:
    """The findings as people read them."""
    sheets = report.coverage.select("sheet_id", "sheet").unique("sheet_id")
    closed = pl.when(pl.col("status") == RESOLVED).then(pl.coalesce("resolved_at", pl.lit(report.at)))
    age = (closed.otherwise(pl.lit(report.at)) - pl.col("first_seen_at")).dt.total_days()
    linked = pl.when(pl.col("permalink").fill_null("") != "").then(pl.lit("Open row"))
    return report.shown.join(sheets, on="sheet_id", how="left", maintain_order="left").select(
        pl.col("standing").alias("Status"),
        pl.col("severity").alias("Severity"),
        category_words().alias("Category"),
        pl.col("work_request").alias("Work Request"),
        pl.col("week_ending").alias("Week Ending"),
        pl.col("column").str.replace_all("_", " ").alias("Column"),
        pl.col("old").alias("Locked Value"),
        pl.col("new").alias("Current Value"),
        pl.col("delta").alias("Delta"),
        pl.col("dollars").alias("Dollars"),
        pl.col("why").alias("Why"),
        pl.col("by").alias("Last Edit By"),
        pl.col("at").alias("Last Edit (UTC)"),
        linked.alias("Row"),
        pl.coalesce("sheet", "sheet_id").alias("Sheet"),
        pl.col("first_week_ending").alias("First Billed Week"),
        pl.col("events").alias("Edits"),
        pl.col("first_seen_at").alias("First Seen (UTC)"),
        age.alias("Days Open"),
        pl.col("reopen_count").alias("Reopened"),
        pl.col("resolved_at").alias("Resolved (UTC)"),
        pl.col("evidence").alias("Evidence"),
        pl.col("disposition").alias("Disposition"),
        pl.col("row_id").alias("Row ID"),
        pl.col("finding_key").alias("Finding Key"),
        pl.col("before").alias("Before"),
        "permalink",
    )
