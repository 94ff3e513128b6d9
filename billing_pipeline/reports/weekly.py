"""The weekly workbook of a work request: what was done on which day, and that it adds up to its total.

What belongs here: the sheet `Work Report`. What does not: which rows are of it (`engine.audit.weekly`). Rows whose work
date lies outside the week stand in a block of their own, so the header's total is the sum of the blocks.
Source: spec 6.4 of the billing audit; Q39.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.money import total
from billing_pipeline.reports.workbook import Cell, Page, write_workbook
from billing_pipeline.reports.workbook_parts import Style

SHEET = "Work Report"
OUTSIDE = "Outside the billing window"
COLUMNS: Mapping[str, str] = {  # title -> column of the rows; N/A stays empty
    "Point Number": "point",
    "Billable Unit Code": "unit_code",
    "Work Type": "work_type",
    "Unit Description": "description",
    "Unit of Measure": "unit_of_measure",
    "# Units": "quantity",
    "N/A": "",
    "Pricing": "price",
}
_DETAILS = {
    "Dept #:": "department",
    "Work Request #:": "work_request",
    "Scope ID #:": "scope",
    "Work Order #:": "work_order",
    "Customer:": "customer",
    "Job #:": "job",
}
_WIDTHS = (16, 20, 14, 44, 16, 10, 8, 16)
_USD, _UNITS = '"$"#,##0.00', "#,##0.####"
_TITLE = Style(bold=True, size=16)
_LABEL = Style(bold=True)
_VALUE = Style(align="left")
_MONEY = Style(bold=True, number_format=_USD, align="left")
_BLOCK = Style(bold=True, color="FFFFFF", fill="C00000")
_HEAD = Style(bold=True, fill="F2F2F2", border="thin")
_CELL = Style(border="thin")
_STYLES = {
    "price": Style(border="thin", number_format=_USD),
    "quantity": Style(border="thin", number_format=_UNITS),
}
_TOTAL = Style(bold=True, border="thin", number_format=_USD)


def write_weekly(path: Path, group: Mapping[str, Any], rows: pl.DataFrame) -> None:
    """Write the workbook of a group (a row of weekly.GROUPS) with its `rows` (weekly.WEEKLY_ROWS): the same group gives
    the same bytes. BillingError when its blocks do not add up to its total; OSError with the path.
    """
    blocks = list(_blocks(rows))
    if sum((total(block["price"]) for _, block in blocks), total(rows["price"].clear())) != group["total"]:
        raise BillingError(f"the blocks of {group['file']} do not add up to its total {group['total']}")
    cells = list(_header(group, rows))
    line = cells[-1].row + 2
    for title, block in blocks:
        cells += _block(line, title, block)
        line += block.height + 4
    write_workbook(path, [Page(SHEET, cells, widths=_WIDTHS, gridlines=False)])


def _header(group: Mapping[str, Any], rows: pl.DataFrame) -> Iterator[Cell]:
    ends: date = group["week_ending"]
    yield Cell(0, 0, SHEET, _TITLE)
    summary = {
        "Total billed:": (group["total"], _MONEY),
        "Line items:": (group["rows"], _VALUE),
        "Billing period:": (f"{ends - timedelta(days=6):%m/%d/%Y} to {ends:%m/%d/%Y}", _VALUE),
    }
    details = {"Foreman:": (group["foreman"], _VALUE)}
    details |= {label: (_common(rows, column), _VALUE) for label, column in _DETAILS.items()}
    for line, (label, (value, style)) in enumerate([*summary.items(), *details.items()], 2):
        yield Cell(line, 0, label, _LABEL)
        yield Cell(line, 1, value, style)


def _common(rows: pl.DataFrame, column: str) -> str:
    """What the rows say of it, each once."""
    return ", ".join(value for value in rows[column].drop_nulls().unique().sort() if value)


def _blocks(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Title and rows of each day, then of what lies outside of the week."""
    inside = rows.filter(~pl.col("outside"))
    for (day,), block in inside.partition_by("work_date", as_dict=True, maintain_order=True).items():
        yield f"{day:%A, %m/%d/%Y}", block
    if inside.height < rows.height:
        yield OUTSIDE, rows.filter("outside")


def _block(line: int, title: str, rows: pl.DataFrame) -> Iterator[Cell]:
    for column in range(len(COLUMNS)):
        yield Cell(line, column, title if not column else None, _BLOCK)
    for column, name in enumerate(COLUMNS):
        yield Cell(line + 1, column, name, _HEAD)
    for number, row in enumerate(rows.iter_rows(named=True), line + 2):
        for column, source in enumerate(COLUMNS.values()):
            yield Cell(number, column, row[source] if source else None, _style(source))
    end = line + 2 + rows.height
    yield Cell(end, 0, "TOTAL", _TOTAL)
    for column in range(1, len(COLUMNS) - 1):
        yield Cell(end, column, None, _TOTAL)
    yield Cell(end, len(COLUMNS) - 1, total(rows["price"]), _TOTAL)


def _style(source: str) -> Style:
    return _STYLES.get(source, _CELL)
