"""The sheets around the findings: the summary, what was covered, the thresholds in force. Source: spec 9.4; Q4, Q34.

The key figures are formulas over the tables of the other sheets, so that they can be followed, and follow a correction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.findings import RESOLVED
from billing_pipeline.engine.money import total
from billing_pipeline.reports.audit.facts import AuditReport, category_words
from billing_pipeline.reports.audit.looks import (
    AMOUNT,
    BODY,
    FIGURE,
    HEADING,
    LABEL,
    NOTE,
    RISK,
    SEVERITY,
    STATUS,
    SUBTITLE,
    TITLE,
)
from billing_pipeline.reports.rich_sheets import DataTable, Formula, RichSheet
from billing_pipeline.reports.workbook import Cell

_STATUS_SAID = {
    "CLEAN": "Everything that should be checked was checked, and nothing is open.",
    "FINDINGS": "Everything that should be checked was checked; findings are open.",
    "NOT_VERIFIED": "Not everything could be checked: what is missing stands on the sheet Coverage. No finding does"
    " not mean no change.",
}
_UNREADABLE = "Unreadable Cells"
_OPEN = 'Findings[Status],"<>RESOLVED"'
_NOTES = 4  # the column of what is said beside the figures
Value = tuple[int | Decimal, str]  # with its formula
Figure = tuple[str, list[Value], str]  # label, values, how they are meant


def summary_sheet(report: AuditReport) -> RichSheet:
    """Status, key figures, open findings by category, and what was covered."""
    cells = [
        Cell(0, 0, "Billing audit", TITLE),
        Cell(1, 0, f"Run {report.run_id}, {report.local}", SUBTITLE),
        Cell(3, 0, "Status", LABEL),
        Cell(3, 1, report.status, replace(STATUS[report.status], wrap=True)),
        Cell(3, _NOTES, _STATUS_SAID[report.status], NOTE),
        Cell(4, 0, "Risk of what is open", LABEL),
        Cell(4, 1, report.risk, replace(RISK[report.risk], wrap=True)),
        Cell(4, _NOTES, report.risk_rule, NOTE),
    ]
    formulas: list[Formula] = []
    row = 6
    for headings, figures in _blocks(report):
        cells += _heading(row, headings)
        for label, values, said in figures:
            row += 1
            cells += [Cell(row, 0, label), Cell(row, _NOTES, said, NOTE)]
            formulas += [_placed(row, column, *value) for column, value in enumerate(values, 1)]
        row += 2
    heights = {3: 32.0, 4: 48.0}
    if report.narrative:
        cells += _heading(row, ("In words, by a language model that was given the figures only",))
        cells.append(Cell(row + 1, _NOTES, report.narrative, BODY))
        heights[row + 1] = 15.0 * (2 + len(report.narrative) // 70)
    return RichSheet("Summary", cells, formulas, widths=[30, 18, 18, 3, 76], heights=heights)


def coverage_sheet(report: AuditReport) -> RichSheet:
    """What was looked at in each sheet, and what could not be."""
    frame = report.coverage.select(
        pl.col("sheet").alias("Sheet"),
        pl.col("rows").alias("Rows"),
        pl.col("cells").alias("Cells Checked"),
        pl.col("not_verified").alias("Not Verified"),
        pl.col("unreadable").alias(_UNREADABLE),
        pl.col("error").alias("Error"),
        pl.col("sheet_id").alias("Sheet ID"),
    )
    styles = dict.fromkeys(("Rows", "Cells Checked", "Not Verified", _UNREADABLE), FIGURE) | {"Error": BODY}
    table = DataTable(0, "Coverage", frame, styles=styles)
    return RichSheet("Coverage", tables=[table], widths=[34, 12, 15, 14, 18, 70, 22], frozen=(1, 0))


def rules_sheet(report: AuditReport) -> RichSheet:
    """The thresholds in force."""
    schema = {"Rule": pl.String, "Threshold": pl.String, "Value": pl.String}
    rows = [(rule.rule, rule.threshold, str(rule.value)) for rule in report.rules]
    table = DataTable(0, "Rules", pl.DataFrame(rows, schema=schema, orient="row"), figures=("Value",))
    return RichSheet("Rules", tables=[table], widths=[30, 40, 30], frozen=(1, 0))


def _heading(row: int, texts: Sequence[str]) -> list[Cell]:
    right = replace(HEADING, align="right", size=11)
    filled = [*texts, *[""] * (_NOTES + 1 - len(texts))]
    return [Cell(row, column, text, right if column else HEADING) for column, text in enumerate(filled)]


def _placed(row: int, column: int, value: int | Decimal, formula: str) -> Formula:
    return Formula(Cell(row, column, value, AMOUNT if isinstance(value, Decimal) else FIGURE), formula)


def _blocks(report: AuditReport) -> Iterator[tuple[tuple[str, ...], list[Figure]]]:
    shown = report.shown
    still = shown.filter(pl.col("standing") != RESOLVED)
    money = ("Findings", "Dollars")
    yield ("This run", *money), [*_standings(shown)]
    yield ("Open findings", *money), [*_severities(still)]
    if still.height:
        yield ("Open findings by category", *money), [*_categories(still)]
    yield ("Coverage",), [*_covered(report.coverage)]


def _standings(shown: pl.DataFrame) -> Iterator[Figure]:
    said = {
        "NEW": "Seen for the first time",
        "REOPENED": "Were resolved, and are true again",
        "ONGOING": "Open before, and still true or not verified",
        "RESOLVED": "Open before, no longer true, and verified; or changed and changed back",
    }
    for name, meaning in said.items():
        some = shown.filter(pl.col("standing") == name)
        yield name.capitalize(), _counted(some, f'Findings[Status],"{name}"'), meaning


def _severities(still: pl.DataFrame) -> Iterator[Figure]:
    unknown = still["dollars"].null_count()
    note = f"New, reopened and ongoing; {unknown:,} of them have no amount"
    yield "All", _counted(still, f'Findings[Status],"?*",{_OPEN}'), note
    for name in SEVERITY:
        some = still.filter(pl.col("severity") == name)
        yield name.capitalize(), _counted(some, f'{_OPEN},Findings[Severity],"{name}"'), ""


def _categories(still: pl.DataFrame) -> Iterator[Figure]:
    named = still.with_columns(category_words()).sort("category")
    for name in named["category"].unique(maintain_order=True):
        some = named.filter(pl.col("category") == name)
        yield name, _counted(some, f'{_OPEN},Findings[Category],"{name}"'), ""


def _counted(findings: pl.DataFrame, which: str) -> list[Value]:
    """How many findings and dollars, each with its formula."""
    dollars = total(findings["dollars"])
    return [(findings.height, f"COUNTIFS({which})"), (dollars, f"SUMIFS(Findings[Dollars],{which})")]


def _covered(coverage: pl.DataFrame) -> Iterator[Figure]:
    failed = coverage.filter(pl.col("error") != "").height
    yield "Sheets", [(coverage.height, 'COUNTIFS(Coverage[Sheet],"?*")')], "Source sheets of this run"
    names = {"Rows": "rows", "Cells Checked": "cells", "Not Verified": "not_verified", _UNREADABLE: "unreadable"}
    for label, name in names.items():
        yield label, [(int(coverage[name].sum()), f"SUM(Coverage[{label}])")], ""
    yield "Sheets not judged", [(failed, 'COUNTIFS(Coverage[Error],"?*")')], "Not readable, or not whole"
