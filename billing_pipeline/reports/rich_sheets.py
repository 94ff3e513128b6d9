"""Sheets that people work in: Excel tables with filters, links and colours by condition, formulas, native charts.

What belongs here: these parts of a sheet, whatever they show. What does not: plain and very long sheets (`workbook`),
what a report says (`audit`).

A formula stands beside the value it gives, so that readers that do not calculate show it too; Excel calculates all of
them when it opens the file. The writing library knows neither that nor colours of charts: both are set in its file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import polars as pl
from openpyxl.utils import get_column_letter
from xlsxturbo.types import ChartOptions, ConditionalFormat, SheetOptions

from billing_pipeline.reports.sheet_cells import check_columns, exact_cells
from billing_pipeline.reports.workbook import LINE_HEIGHT, ROW_LIMIT, Band, Cell, check_names, row_band, save
from billing_pipeline.reports.workbook_parts import Changes, Style, bare_sheets, cell_format, set_widths, sheet_part

_LINKS = 65_000  # of one sheet; Excel takes 65,530
_LINK_CHARS = 2_000  # of an address; Excel takes 2,083
_TIME = Style(number_format="yyyy-mm-dd hh:mm", align="center")
_GRID = (
    b'<c:majorGridlines><c:spPr><a:ln w="6350"><a:solidFill><a:srgbClr val="D9D9D9"/></a:solidFill></a:ln></c:spPr>'
    b"</c:majorGridlines>"
)
_HEADER = cell_format(Style(bold=True, color="FFFFFF", fill="1F3864", align="left", wrap=True))
_FIGURE = r"^-?\$?(0|[1-9]\d{0,9}|[1-9]\d{0,2}(,\d{3}){1,2})(\.\d{1,4})?$"  # few enough digits to be exact in a cell


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell whose `cell.value`, a number, comes from a formula (without `=`). No text from outside may stand in it."""

    cell: Cell
    formula: str


@dataclass(frozen=True, slots=True)
class DataTable:
    """An Excel table: the header at a zero-based row in column A, filter buttons, then the rows of the frame.

    name: of the table, for formulas. styles: per column. marks: per column, the look of a cell by its text (fill and
    colour follow when the text is changed). links: per column, an address per row (null: none); the cell's text stays.
    figures: columns of text whose plain numbers become numbers, the rest stays text.
    An empty frame is shown as one blank row: Excel knows no table without rows.
    """

    row: int
    name: str
    frame: pl.DataFrame
    styles: Mapping[str, Style] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Style]] = field(default_factory=dict)
    links: Mapping[str, pl.Series] = field(default_factory=dict)
    figures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A row of bars: its name, its colour (RRGGBB), its values as a range on a sheet."""

    name: str
    color: str
    values: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its upper left corner at a cell, in pixels. Bars start at the top."""

    at: str
    kind: Literal["column_stacked", "bar"]
    title: str
    categories: str
    series: Sequence[Series]
    width: int = 620
    height: int = 320
    axis: str = ""
    number_format: str = "#,##0"


@dataclass(frozen=True, slots=True)
class RichSheet:
    """A sheet of cells, formulas, tables and charts that do not overlap; `tables` from the top down."""

    name: str
    cells: Sequence[Cell] = ()
    formulas: Sequence[Formula] = ()
    tables: Sequence[DataTable] = ()
    charts: Sequence[Chart] = ()
    widths: Sequence[float] = ()
    heights: Mapping[int, float] = field(default_factory=dict)
    frozen: tuple[int, int] | None = None  # rows and columns that stay in view


def write_sheets(path: Path, sheets: Sequence[RichSheet]) -> None:
    """Write the sheets to `path`, replacing it whole or not at all; the same sheets give the same bytes.

    Text is never a formula, nor a link unless it is given as one. Raises ValueError for names Excel refuses and for
    tables of more rows than a sheet has, OSError with the path.
    """
    check_names([sheet.name for sheet in sheets])
    for table in (table for sheet in sheets for table in sheet.tables):
        check_columns(table.frame)
        if table.row + 1 + table.frame.height > ROW_LIMIT:
            raise ValueError(f"{table.name}: {table.frame.height} rows, and a sheet has {ROW_LIMIT}")
    save(path, [band for sheet in sheets for band in _bands(sheet)], _changes(sheets))


def place(sheet: str, row: int, column: int, rows: int = 1) -> str:
    """Cells of one column as a range, from a zero-based row and column on.

    >>> place("Trends", 4, 1, 3)
    "'Trends'!$B$5:$B$7"
    """
    letter = get_column_letter(column + 1)
    return f"'{sheet}'!${letter}${row + 1}:${letter}${row + rows}"


def row_heights(frame: pl.DataFrame, widths: Mapping[str, float], first: int) -> dict[int, float]:
    """Heights of the rows whose wrapped texts take several lines: by zero-based row, the first being `first`.

    Not every program finds them out by itself when it opens a file.
    """
    lines = [(pl.col(name).fill_null("").str.len_chars() / (0.95 * width)).ceil() for name, width in widths.items()]
    needed = frame.select(pl.max_horizontal(lines).clip(1, 27)).to_series()
    return {row: LINE_HEIGHT * count for row, count in enumerate(needed, first) if count > 1}


def _bands(sheet: RichSheet) -> Iterator[Band]:
    options: SheetOptions = {"column_widths": set_widths(sheet.widths), "row_heights": dict(sheet.heights)}
    if sheet.frozen:
        options["freeze_panes"] = sheet.frozen
    if sheet.charts:
        options["charts"] = {chart.at: _chart(chart) for chart in sheet.charts}
    yield pl.DataFrame(), sheet.name, options
    rows: dict[int, list[Cell]] = {}
    for cell in [*sheet.cells, *(formula.cell for formula in sheet.formulas)]:
        rows.setdefault(cell.row, []).append(cell)
    for row in sorted(rows):
        yield row_band(sheet.name, row, rows[row])
    for table in sheet.tables:
        yield _table(sheet.name, table)


def _table(sheet: str, table: DataTable) -> Band:
    frame = table.frame if table.frame.height else table.frame.clear(1)
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    cells = exact_cells(frame)
    cells.columns = frame.columns
    cells = cells.with_columns(frame.select(pl.col(times).dt.replace_time_zone(None)))
    cells = cells.with_columns(_figures(cells[name]) for name in table.figures)
    styles = dict.fromkeys(times, _TIME) | dict(table.styles)
    options: SheetOptions = {
        "header": True,
        "startrow": table.row,
        "table_style": "Light1",
        "table_name": table.name,
        "cells": {  # the library writes the header of a table without a format
            f"{get_column_letter(column)}{table.row + 1}": {"value": name, "format": _HEADER}
            for column, name in enumerate(frame.columns, 1)
        },
        "column_formats": {name: cell_format(style) for name, style in styles.items()},
        "conditional_formats": {name: [*map(_condition, marks.items())] for name, marks in table.marks.items()},
        "hyperlinks": [*_links(table)],
    }
    return cells, sheet, options


def _figures(texts: pl.Series) -> pl.Series:
    plain = pl.when(texts.str.contains(_FIGURE)).then(texts.str.replace_all("[$,]", ""))
    numbers = texts.to_frame().select(plain.cast(pl.Float64)).to_series()
    mixed = [text if number is None else number for text, number in zip(texts, numbers, strict=True)]
    return pl.Series(texts.name, mixed, dtype=pl.Object)


def _condition(mark: tuple[str, Style]) -> ConditionalFormat:
    text, style = mark
    look: ConditionalFormat = {"type": "cell", "criteria": "equal_to", "value": text}
    look["format"] = {"bg_color": f"#{style.fill}", "font_color": f"#{style.color}", "bold": style.bold}
    return look


def _links(table: DataTable) -> Iterator[tuple[str, str, str]]:
    for name, addresses in table.links.items():
        letter = get_column_letter(table.frame.columns.index(name) + 1)
        texts = table.frame[name]
        for row, (address, text) in enumerate(zip(addresses.head(_LINKS), texts, strict=False), table.row + 2):
            if address and text and _safe(address):
                yield f"{letter}{row}", address, text


def _safe(address: str) -> bool:
    """Whether an address from outside may be a link: of the web, without anything that is not one."""
    if len(address) > _LINK_CHARS or not address.isascii() or not address.isprintable() or set(address) & set(' "<>'):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _chart(chart: Chart) -> ChartOptions:
    options: ChartOptions = {
        "type": chart.kind,
        "title": chart.title,
        "width": chart.width,
        "height": chart.height,
        "show_legend": len(chart.series) > 1,
        "legend_position": "bottom",
        "series": [
            {"name": series.name, "values": series.values, "categories": chart.categories} for series in chart.series
        ],
    }
    if chart.axis:
        options["y_axis_name"] = chart.axis
    return options


def _changes(sheets: Sequence[RichSheet]) -> Changes:
    changes = {name: [*made] for name, made in bare_sheets(range(1, len(sheets) + 1)).items()}
    for number, sheet in enumerate(sheets, 1):
        changes[sheet_part(number)] += [*map(_formula, sheet.formulas)]
    charts = [chart for sheet in sheets for chart in sheet.charts]
    return changes | {f"xl/charts/chart{number}.xml": _looks(chart) for number, chart in enumerate(charts, 1)}


def _formula(formula: Formula) -> tuple[bytes, bytes]:
    """The formula goes in front of the value of its cell."""
    place = f"{get_column_letter(formula.cell.column + 1)}{formula.cell.row + 1}"
    text = escape(formula.formula).replace("\\", r"\\")
    return rf'(<c r="{place}"[^>]*>)(?=<v>)'.encode(), rf"\1<f>{text}</f>".encode()


def _looks(chart: Chart) -> list[tuple[bytes, bytes]]:
    """Colours of the series, smaller titles, narrower gaps; bars from the top down."""
    made = [
        (
            rf'(<c:idx val="{index}"/>.*?</c:tx>)'.encode(),
            rf'\1<c:spPr><a:solidFill><a:srgbClr val="{series.color}"/></a:solidFill></c:spPr>'.encode(),
        )
        for index, series in enumerate(chart.series)
    ]
    made.append((rb'<a:rPr lang="en-US"/>', b'<a:rPr lang="en-US" sz="1200" b="1"/>'))
    gap = rb"(?=<c:overlap )" if chart.kind == "column_stacked" else rb'(?=<c:axId val="\d+"/><c:axId)'
    made.append((gap, b'<c:gapWidth val="60"/>'))
    scale = rf'\1<c:numFmt formatCode="{escape(chart.number_format)}" sourceLinked="0"/>'
    made += [(rb"<c:majorGridlines/>", _GRID), (rb"(<c:valAx>.*?)<c:numFmt [^>]*/>", scale.encode())]
    if chart.kind == "bar":
        made.append((rb'(<c:catAx>.*?<c:orientation val=)"minMax"', rb'\1"maxMin"'))
        made.append((rb'(<c:valAx>.*?<c:crosses val=)"autoZero"', rb'\1"max"'))
    return made
