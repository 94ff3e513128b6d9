"""XLSX workbooks: the same frames give the same bytes, whenever and wherever they are written.

What belongs here: styles, sheets, and the file around them. What does not: which columns a report has (`billing` and
its siblings), how a value becomes a cell (`sheet_cells`). Rows are streamed in blocks, so memory does not grow with the
sheet, and rendering and compression run outside the interpreter lock, so workbooks can be written side by side.

A file appears whole or not at all: it is written beside its final name and moved there when complete.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO
from uuid import uuid4
from xml.sax.saxutils import quoteattr

import polars as pl

from billing_pipeline.reports import workbook_parts as parts
from billing_pipeline.reports.sheet_cells import PlacedCell, Value, check_columns, free_rows, table_rows
from billing_pipeline.reports.workbook_parts import PLAIN, Style, StyleBook

ROW_LIMIT = 1_048_576  # rows of one sheet, header included
HEADER = Style(bold=True, align="center", border="thin")
LINE_HEIGHT = 15  # points of a row of text
_PAPER_WIDTH = 200  # characters still readable across a printed page
_BLOCK = 25_000  # rows rendered at a time
_FAST = 1  # zlib level: half the time of level 6, a quarter more bytes
_ZIP32_LIMIT = zipfile.ZIP64_LIMIT  # bytes of one sheet; beyond it the zip needs its 64-bit form


class _SheetTooLargeError(Exception):
    """A sheet outgrew the plain zip format."""


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
    _check_names([page.name for page, _ in pages])
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        with temporary.open("wb") as file:
            try:
                _write_package(file, pages)
            except _SheetTooLargeError:  # rare, and some versions of Excel complain about the 64-bit form: so only then
                file.seek(0)
                file.truncate()
                _write_package(file, pages, zip64=True)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    return tuple(page.name for page, _ in pages)


def continuation_name(name: str, number: int) -> str:
    """The name of the n-th sheet of a table: the name itself, then `<name> (2)`, within Excel's 31 characters."""
    suffix = f" ({number})" if number > 1 else ""
    return f"{name[: 31 - len(suffix)]}{suffix}"


def _continued(sheet: Table | Page, row_limit: int) -> Iterator[tuple[Table | Page, str]]:
    """The sheet in pieces that fit, each with the note of its last row ("" on the last piece)."""
    if isinstance(sheet, Page) or sheet.frame.height < row_limit:
        yield sheet, ""
        return
    rows = row_limit - 2  # header and note
    if rows < 1:
        raise ValueError(f"row_limit {row_limit} leaves no room for rows")
    for number, start in enumerate(range(0, sheet.frame.height, rows), start=1):
        piece = replace(sheet, name=continuation_name(sheet.name, number), frame=sheet.frame.slice(start, rows))
        more = start + rows < sheet.frame.height
        yield piece, f"Continued on sheet {continuation_name(sheet.name, number + 1)}" if more else ""


def _check_names(names: list[str]) -> None:
    for name in names:
        if not 1 <= len(name) <= 31 or set(name) & set("[]:*?/\\") or name.strip("'") != name or not name.isprintable():
            raise ValueError(f"{name!r} cannot name a sheet")
    if len({name.casefold() for name in names}) != len(names) or not names:
        raise ValueError(f"sheet names must be unique, and there must be one: {names}")


def _write_package(file: IO[bytes], pages: Sequence[tuple[Table | Page, str]], zip64: bool = False) -> None:
    styles = StyleBook()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as package:
        for number, (page, note) in enumerate(pages, start=1):
            blocks = _page(page, styles) if isinstance(page, Page) else _table(page, note, styles)
            with package.open(f"xl/worksheets/sheet{number}.xml", "w", force_zip64=zip64) as member:
                size = member.write(parts.sheet_opening(selected=number == 1, fitted=_is_printable(page)).encode())
                for block in blocks:
                    data = block.encode()
                    size += len(data)
                    if size > _ZIP32_LIMIT and not zip64:
                        raise _SheetTooLargeError
                    member.write(data)
        for name, content in parts.package_parts([quoteattr(page.name) for page, _ in pages], styles).items():
            with package.open(name, "w") as member:  # opened by name: dated 1980, whatever the clock says
                member.write(content.encode())


def _table(table: Table, note: str, styles: StyleBook) -> Iterator[str]:
    frame = table.frame
    widths = _widths(table)
    yield parts.sheet_view(frozen=table.frozen, gridlines=True) + parts.columns(widths)
    wraps = table.header.wrap and any(len(name) + 2 > width for name, width in zip(frame.columns, widths, strict=True))
    header = styles.attribute(replace(table.header, wrap=wraps))
    names = [PlacedCell(0, index, name, header) for index, name in enumerate(frame.columns)]
    yield "<sheetData>" + free_rows(names, {0: 2 * LINE_HEIGHT} if wraps else {})
    attributes = [_column_style(table, name, dtype, styles) for name, dtype in frame.schema.items()]
    for start in range(0, frame.height, _BLOCK):
        yield table_rows(frame.slice(start, _BLOCK), start + 2, attributes)
    if note:
        yield free_rows([PlacedCell(frame.height + 1, 0, note, styles.attribute(Style(italic=True)))])
    yield "</sheetData>" + parts.SHEET_END


def _page(page: Page, styles: StyleBook) -> Iterator[str]:
    yield parts.sheet_view(frozen=False, gridlines=page.gridlines) + parts.columns(page.widths)
    placed = [PlacedCell(cell.row, cell.column, cell.value, styles.attribute(cell.style)) for cell in page.cells]
    yield f"<sheetData>{free_rows(placed, dict(page.heights))}</sheetData>"
    yield parts.merges(page.merged) + parts.SHEET_END


def _column_style(table: Table, name: str, dtype: pl.DataType, styles: StyleBook) -> str | pl.Expr:
    number_format = table.formats.get(name, "yyyy-mm-dd" if dtype == pl.Date else "General")
    plain = styles.attribute(Style(number_format=number_format))
    if name not in table.marks:
        return plain
    marks = table.marks[name]
    attributes = [styles.attribute(style) for style in marks.values()]
    return pl.col(name).replace_strict(list(marks), attributes, default=plain, return_dtype=pl.String)


def _is_printable(page: Table | Page) -> bool:
    return sum(page.widths if isinstance(page, Page) else _widths(page)) <= _PAPER_WIDTH


def _widths(table: Table) -> list[float]:
    """Column widths in characters: the longest text of header and first thousand rows, plus 2, between the bounds."""
    if not isinstance(table.widths, tuple):
        return [table.widths] * table.frame.width
    least, most = table.widths
    longest = table.frame.head(1_000).select(pl.all().cast(pl.String).str.len_chars().max().fill_null(0))
    fitted = zip(table.frame.columns, longest.row(0), strict=True)
    return [float(min(max(len(name), length, least - 2) + 2, most)) for name, length in fitted]
