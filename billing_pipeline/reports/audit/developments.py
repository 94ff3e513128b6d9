"""The sheets of how findings develop: charts over their figures, and the insights. Source: spec 4, 9.2, 9.4."""

import json
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from billing_pipeline.engine.audit.insights.terms import counted
from billing_pipeline.engine.audit.views import SEVERITIES, STANDINGS
from billing_pipeline.reports.audit.facts import AuditReport, category_words
from billing_pipeline.reports.audit.looks import (
    AMOUNT,
    BARS,
    BODY,
    CENTRED,
    DIRECTION,
    FIGURE,
    HEADING,
    INSIGHT,
    SEVERITY,
    SUBTITLE,
)
from billing_pipeline.reports.rich_sheets import Chart, DataTable, RichSheet, Series, place, row_heights
from billing_pipeline.reports.workbook import Cell
from billing_pipeline.reports.workbook_parts import Style

_TRENDS = "Trends"
_UNDER = {"A3": 20, "F3": 20, "A20": 37, "F20": 37}  # where charts stand, and the row below
_CORNERS = tuple(_UNDER)
_NUMBERS = ("Threshold", "Numerator", "Denominator", "Per Cent")
_KEYS = 4  # findings named with an insight
_PERCENT = Style(number_format="0.0_)", align="right")
_Part = tuple[str, DataTable, Chart | None]  # heading, figures, what is drawn of them


def trends_sheet(report: AuditReport) -> RichSheet:
    """Charts over the last comparable runs, and under them the tables they are drawn from."""
    runs = report.trends.runs.height
    said = (
        f"{counted(runs, 'comparable run')}, this one included: runs that saw the same sheets as completely"
        f" ({counted(report.coverage.height, 'sheet')}, {int(report.coverage['cells'].sum()):,} cells checked)."
        " Times are UTC."
    )
    cells = [Cell(0, 0, said, SUBTITLE)]
    tables: list[DataTable] = []
    charts: list[Chart] = []
    parts = [*_parts(report)]
    row = max((_UNDER[chart.at] for _, table, chart in parts if chart and _is_drawn(table)), default=2)
    for heading, make, chart in parts:
        table = replace(make, row=row + 1)
        cells.append(Cell(row, 0, heading, HEADING))
        tables.append(table)
        if chart and _is_drawn(table):
            charts.append(_drawn(chart, table))
        row += max(table.frame.height, 1) + 4
    widths = [34, 13, 13, 13, 13, 13, 17, 18, 18, 12, 20]
    return RichSheet(_TRENDS, cells, tables=tables, charts=charts, widths=widths)


def insights_sheet(report: AuditReport) -> RichSheet:
    """The insights: what was found, by which rule, with its figures and the findings behind it."""
    frame = report.insights
    told = [json.loads(text) for text in frame["numbers"]]
    figures = {
        name.capitalize(): pl.Series([None if one[name] is None else str(one[name]) for one in told], dtype=pl.String)
        for name in ("threshold", "numerator", "denominator", "percent")
    }
    keys = pl.col("finding_keys")
    left = keys.list.len().cast(pl.Int64) - _KEYS
    more = pl.when(left > 0).then(pl.format(" … and {} more", left)).otherwise(pl.lit(""))
    frame = frame.with_columns(**figures).select(
        pl.col("rule").str.replace_all("_", " ").alias("Rule"),
        pl.col("state").alias("State"),
        pl.col("sentence").alias("Insight"),
        *[name for name in figures if name != "Percent"],
        pl.col("Percent").alias("Per Cent"),
        pl.col("formula").alias("Formula"),
        pl.concat_str(keys.list.head(_KEYS).list.join(", "), more).alias("Findings"),
    )
    widths = dict(zip(frame.columns, (28, 19, 70, 12, 14, 14, 11, 56, 50), strict=True))
    right = replace(BODY, align="right")
    styles = {name: right if name in _NUMBERS else BODY for name in frame.columns}
    styles["State"] = replace(BODY, align="center")
    table = DataTable(0, "Insights", frame, styles, {"State": INSIGHT}, figures=_NUMBERS)
    heights = row_heights(frame, {name: widths[name] for name in ("Insight", "Formula", "Findings")}, 1)
    return RichSheet("Insights", tables=[table], widths=[*widths.values()], heights=heights, frozen=(1, 2))


def _parts(report: AuditReport) -> Iterator[_Part]:
    """The tables of the trends in their order. The row of a table is given where it is placed."""
    trends, run = report.trends, pl.col("at").dt.strftime("%m-%d %H:%M").alias("Run")
    bars = Chart(_CORNERS[0], "column_stacked", "", "", [], width=590, axis="findings")
    counts = DataTable(0, "FindingsByRun", trends.by_standing.select(run, *STANDINGS), dict.fromkeys(STANDINGS, FIGURE))
    yield "Findings by status, per run", counts, replace(bars, title="Findings by status")
    money = DataTable(0, "DollarsByRun", trends.by_severity.select(run, *SEVERITIES), dict.fromkeys(SEVERITIES, AMOUNT))
    dollars = replace(
        bars, at=_CORNERS[1], title="Dollars at stake by severity", axis="dollars", number_format="$#,##0"
    )
    yield "Dollars at stake by severity, per run", money, dollars
    for corner, name, frame in ((2, "editors", trends.editors), (3, "columns", trends.columns)):
        shown = frame.rename({"name": name[:-1].capitalize(), "edits": "Edits"})
        made = replace(bars, at=_CORNERS[corner], kind="bar", title=f"Edits of locked cells: top {name}", axis="")
        yield f"Top {name}, edits of locked cells", DataTable(0, f"Top{name.title()}", shown, {"Edits": FIGURE}), made
    yield _weeks(report)
    yield _series(report)


def _weeks(report: AuditReport) -> _Part:
    trends = report.trends
    heading = (
        f"Found or found again in the last 7 days ({counted(trends.runs_now, 'comparable run')}) against the 7 days"
        f" before ({counted(trends.runs_before, 'run')})"
    )
    hours = pl.col("median_to_resolve").dt.total_minutes().cast(pl.Decimal(18, 1)) / 1440
    frame = trends.weeks.select(
        category_words().alias("Category"),
        pl.col("severity").alias("Severity"),
        pl.col("findings").alias("Findings"),
        pl.col("findings_before").alias("Before"),
        pl.col("percent").alias("Change %"),
        pl.col("dollars").alias("Dollars"),
        pl.col("dollars_before").alias("Dollars Before"),
        pl.col("dollars_percent").alias("Dollars Change %"),
        pl.col("direction").alias("Direction"),
        pl.col("resolved").alias("Resolved"),
        hours.cast(pl.Decimal(18, 1)).alias("Median Days Open"),
    )
    styles = dict.fromkeys(("Findings", "Before", "Resolved"), FIGURE)
    styles |= dict.fromkeys(("Dollars", "Dollars Before"), AMOUNT)
    styles |= dict.fromkeys(("Change %", "Dollars Change %", "Median Days Open"), _PERCENT)
    styles["Direction"] = CENTRED
    return heading, DataTable(0, "Weeks", frame, styles, {"Direction": DIRECTION}), None


def _series(report: AuditReport) -> _Part:
    frame = report.trends.series.sort("category", "severity", "at").select(
        category_words().alias("Category"),
        pl.col("severity").alias("Severity"),
        pl.col("at").dt.strftime("%m-%d %H:%M").alias("Run"),
        pl.col("findings").alias("Findings"),
        pl.col("dollars").alias("Dollars"),
    )
    table = DataTable(
        0, "OpenByKind", frame, {"Findings": FIGURE, "Dollars": AMOUNT, "Severity": CENTRED}, {"Severity": SEVERITY}
    )
    return "Open findings by category and severity, per run", table, None


def _is_drawn(table: DataTable) -> bool:
    """Whether there is anything to draw."""
    return bool(table.frame.select(pl.any_horizontal(pl.exclude(table.frame.columns[0]) > 0).any()).item())


def _drawn(chart: Chart, table: DataTable) -> Chart:
    """The chart of a table: its first column are the categories, the others the series."""
    names, first, rows = table.frame.columns, table.row + 1, table.frame.height
    series = [
        Series(name.capitalize(), BARS[name.upper()], place(_TRENDS, first, column, rows))
        for column, name in enumerate(names[1:], 1)
    ]
    return replace(chart, categories=place(_TRENDS, first, 0, rows), series=series)
