"""XLSX workbooks: the same frames give the same bytes, whenever and wherever they are written.

What belongs here: sheets, and the file as a whole. What does not: which columns a report has (`billing` and its
siblings), how a value fits a cell (`sheet_cells`), how it looks (`workbook_parts`), the file format (xlsxturbo).

A sheet is written as bands: frames of one look stacked on it, of which the header is the first. So cells of one column
can look different, also while rows are streamed to disk; large workbooks are, so that memory does not grow with them.
A file appears whole or not at all: it is written beside its final name and moved there when complete.
"""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import polars as pl
import xlsxturbo
from openpyxl.utils import coordinate_to_tuple
from xlsxturbo.types import SheetOptions

from billing_pipeline.reports.sheet_cells import Value, check_columns, exact_cells, exact_value
from billing_pipeline.reports.workbook_parts import (
    FAST,
    PLAIN,
    Changes,
    Style,
    bare_sheets,
    cell_format,
    finish,
    set_widths,
)

ROW_LIMIT = 1_048_576  # rows of one sheet, header included
LINE_HEIGHT = 15  # points of a row of text
_STREAMED = 10_000  # rows of a workbook from which on they are streamed; then nothing is merged, heights are automatic
_SHEET_BYTES = 3_500_000_000  # the library cannot write a sheet beyond 4 GiB of XML; this many, and a new one begins
_CELL_BYTES = 60  # of XML around the value of a cell, at most

Band = tuple[pl.DataFrame, str, SheetOptions]  # a frame, the sheet it stands on, how it looks


HEADER = Style(bold=True, align="center", border="thin")


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet that is a frame: a styled header row, then the rows.

    formats: Excel number format per column. marks: per column, the style of a cell by its text. widths: one width in
    characters, or (least, most) to fit the header and the first rows between. frozen: the header stays in view.
    """

    name: str
    frame: pl.DataFrame
    header: Style = HEADER
    formats: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Style]] = field(default_factory=dict)
    widths: float | tuple[int, int] = (10, 40)
    frozen: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """A value at a zero-based row and column of a free layout."""

    row: int
    column: int
    value: Value
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Page:
    """A sheet laid out freely. merged: ranges as A1:D1. heights: points by zero-based row."""

    name: str
    cells: Sequence[Cell]
    merged: Sequence[str] = ()
    widths: Sequence[float] = ()
    heights: Mapping[int, float] = field(default_factory=dict)
    gridlines: bool = True


def write_workbook(path: Path, sheets: Sequence[Table | Page], *, row_limit: int = ROW_LIMIT) -> tuple[str, ...]:
    """Write the sheets to `path` (replacing it) and return the sheet names written.

    A table longer than `row_limit` rows, header included, continues on sheets named `<name> (2)`, `<name> (3)`, each
    with the header; the last row of every sheet that is continued says so. Text is never a formula or a link.
    Raises ValueError for sheet names Excel refuses, TypeError for columns a cell cannot hold, OSError with the path
    when the disk fails; in all of these no file, whole or half, is left behind.
    """
    for sheet in sheets:
        if isinstance(sheet, Table):
            check_columns(sheet.frame)
    pages = [page for sheet in sheets for page in _continued(sheet, row_limit)]
    names = [page.name for page, _ in pages]
    check_names(names)
    streamed = sum(page.frame.height for page, _ in pages if isinstance(page, Table)) >= _STREAMED
    bands = [
        band
        for page, note in pages
        for band in (_page(page, streamed) if isinstance(page, Page) else _table(page, note, streamed))
    ]
    bare = {number for number, (page, _) in enumerate(pages, 1) if isinstance(page, Page) and not page.gridlines}
    save(path, bands, bare_sheets(bare), streamed=streamed)
    return tuple(names)


def save(path: Path, bands: Sequence[Band], changes: Changes, *, streamed: bool = False) -> None:
    """Write a workbook of bands to `path`, replacing it whole or not at all. OSError with the path."""
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        _write(bands, temporary, streamed)
        finish(temporary, changes)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def continuation_name(name: str, number: int) -> str:
    """The name of the n-th sheet of a table: the name itself, then `<name> (2)`, within Excel's 31 characters."""
    suffix = f" ({number})" if number > 1 else ""
    return f"{name[: 31 - len(suffix)]}{suffix}"


def _continued(sheet: Table | Page, row_limit: int) -> Iterator[tuple[Table | Page, str]]:
    """The sheet in pieces that fit, each with the note of its last row ("" on the last piece)."""
    if isinstance(sheet, Page):
        yield sheet, ""
        return
    frame = sheet.frame
    size = int(frame.height * frame.width * _CELL_BYTES + frame.estimated_size())
    limit = min(row_limit, _SHEET_BYTES * frame.height // size) if size > _SHEET_BYTES else row_limit
    if frame.height < limit:
        yield sheet, ""
        return
    rows = limit - 2  # header and note
    if rows < 1:
        raise ValueError(f"row_limit {row_limit} leaves no room for rows")
    for number, start in enumerate(range(0, frame.height, rows), start=1):
        piece = replace(sheet, name=continuation_name(sheet.name, number), frame=frame.slice(start, rows))
        more = start + rows < frame.height
        yield piece, f"Continued on sheet {continuation_name(sheet.name, number + 1)}" if more else ""


def check_names(names: Sequence[str]) -> None:
    """ValueError for sheet names Excel refuses."""
    for name in names:
        if not 1 <= len(name) <= 31 or set(name) & set("[]:*?/\\") or name.strip("'") != name or not name.isprintable():
            raise ValueError(f"{name!r} cannot name a sheet")
    if len({name.casefold() for name in names}) != len(names) or not names:
        raise ValueError(f"sheet names must be unique, and there must be one: {names}")


def _write(bands: Sequence[Band], path: Path, streamed: bool) -> None:
    try:
        xlsxturbo.dfs_to_xlsx(bands, path, header=False, constant_memory=streamed, compression_level=FAST)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what the library makes of a full folder for temporary files
            raise
        raise OSError(errno.EIO, f"while rows were streamed to a temporary file: {error}") from error


def _table(table: Table, note: str, streamed: bool) -> Iterator[Band]:
    frame = table.frame
    widths = _widths(table)
    wraps = table.header.wrap and any(len(name) + 2 > width for name, width in zip(frame.columns, widths, strict=True))
    sheet: SheetOptions = {"column_widths": set_widths(widths)}
    if table.frozen:
        sheet["freeze_panes"] = (1, 0)
    if wraps and not streamed:
        sheet["row_heights"] = {0: 2 * LINE_HEIGHT}
    yield pl.DataFrame(), table.name, sheet
    header = replace(table.header, wrap=wraps)
    yield row_band(table.name, 0, [Cell(0, column, name, header) for column, name in enumerate(frame.columns)])
    cells = exact_cells(frame)
    columns = {name: str(index) for index, name in enumerate(frame.columns)}
    plain = {columns[name]: Style(number_format=form) for name, form in table.formats.items() if name in columns}
    for start, rows, marks in _runs(table):
        styles = plain | {columns[name]: style for name, style in marks.items()}
        yield cells.slice(start, rows), table.name, _look(start + 1, styles)
    if note:
        yield row_band(table.name, frame.height + 1, [Cell(frame.height + 1, 0, note, Style(italic=True))])


def _runs(table: Table) -> Iterator[tuple[int, int, dict[str, Style]]]:
    """Rows that look the same: where they start, how many they are, and the styles of their marked cells."""
    if not table.marks:
        yield 0, table.frame.height, {}
        return
    texts = table.frame.select(list(table.marks))
    starts = texts.select(pl.arg_where(pl.struct(pl.all()).rle_id().diff().fill_null(1) != 0)).to_series()
    ends = [*starts.to_list()[1:], texts.height]
    for start, end, row in zip(starts, ends, texts[starts].iter_rows(named=True), strict=True):
        yield (
            start,
            end - start,
            {name: table.marks[name][text] for name, text in row.items() if text in table.marks[name]},
        )


def _page(page: Page, streamed: bool) -> Iterator[Band]:
    sheet: SheetOptions = {"column_widths": set_widths(page.widths)}
    if not streamed:
        sheet["row_heights"] = dict(page.heights)
    yield pl.DataFrame(), page.name, sheet
    cells = {(cell.row, cell.column): cell for cell in sorted(page.cells, key=lambda cell: (cell.row, cell.column))}
    rows: dict[int, list[Cell]] = {}
    for cell in cells.values():
        rows.setdefault(cell.row, []).append(cell)
    for row, placed in rows.items():
        yield row_band(page.name, row, placed)
    if page.merged and not streamed:
        yield pl.DataFrame(), page.name, _merged(page.merged, cells)


def _merged(ranges: Sequence[str], cells: Mapping[tuple[int, int], Cell]) -> SheetOptions:
    """Merged ranges, each with the value and the style of its first cell (merging clears it, so it is set again)."""
    first = {}
    for area in ranges:
        row, column = coordinate_to_tuple(area.split(":")[0])
        first[area] = cells.get((row - 1, column - 1), Cell(row - 1, column - 1, None))
    return {
        "merged_ranges": [
            (area, "", cell_format(replace(cell.style, number_format=PLAIN.number_format)))
            for area, cell in first.items()
        ],
        "cells": {
            area.split(":")[0]: {"value": exact_value(cell.value), "format": cell_format(cell.style)}
            for area, cell in first.items()
        },
    }


def row_band(sheet: str, row: int, cells: Sequence[Cell]) -> Band:
    """The cells of one row as a band."""
    values: list[str | int | float | bool | None] = [None] * (1 + max((cell.column for cell in cells), default=-1))
    for cell in cells:
        values[cell.column] = exact_value(cell.value)
    names = [str(column) for column in range(len(values))]
    frame = pl.DataFrame([values], schema=names, orient="row")
    return frame, sheet, _look(row, {str(cell.column): cell.style for cell in cells})


def _look(row: int, styles: Mapping[str, Style]) -> SheetOptions:
    return {
        "startrow": row,
        "column_formats": {name: cell_format(style) for name, style in styles.items() if style != PLAIN},
    }


def _widths(table: Table) -> list[float]:
    """Column widths in characters: the longest text of header and first thousand rows, plus 2, between the bounds."""
    if not isinstance(table.widths, tuple):
        return [table.widths] * table.frame.width
    least, most = table.widths
    longest = table.frame.head(1_000).select(pl.all().cast(pl.String).str.len_chars().max().fill_null(0))
    fitted = zip(table.frame.columns, longest.row(0), strict=True)
    return [float(min(max(len(name), length, least - 2) + 2, most)) for name, length in fitted]
