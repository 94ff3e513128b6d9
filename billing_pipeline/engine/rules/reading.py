"""Workbook bytes to sheets of text: every cell as the text a person would type, and what is odd about a few of them.

What belongs here: the file format, its limits and its lies. What does not: what a column means (`parsing`).
"""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from io import BytesIO
from operator import attrgetter
from typing import Any, Protocol, cast

import openpyxl
import polars as pl
from openpyxl.utils import column_index_from_string, get_column_letter

from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.rules import messages
from billing_pipeline.engine.rules.layout import FIELDS, MAX_COLUMNS, MAX_ROWS, MAX_TEXT, MAX_UNPACKED_BYTES

ROW = "#row"  # physical row of the sheet; no normalised header can be called this
_OLE_MAGIC = b"\xd0\xcf\x11\xe0"  # the old .xls format, and password-protected workbooks
_EXCEL_ROWS = 1_048_576
_VALUE = attrgetter("value")
_LOOKED_AT = 1000  # rows that tell an empty sheet from one without a header
_EXCEL_DIGITS = 15  # significant digits of a number cell


class _Cell(Protocol):
    """What is used of openpyxl's read-only cells."""

    value: Any
    data_type: str
    number_format: str | None


class _Grid(Protocol):
    """What is used of openpyxl's read-only worksheets."""

    title: str

    def reset_dimensions(self) -> None: ...
    def iter_rows(
        self, min_row: int | None = None, max_row: int | None = None, max_col: int | None = None
    ) -> Iterator[tuple[_Cell, ...]]: ...


class Oddity(Enum):
    """What a cell's text alone does not tell."""

    ERROR = auto()  # #REF! and its family
    UNSTORED = auto()  # a formula that was never calculated
    LONG = auto()  # more text than any rule needs
    DATE = auto()
    BOOLEAN = auto()
    INEXACT = auto()  # a number with more digits than Excel keeps


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One sheet: its filled rows as text columns named by normalised header, and the oddities by cell address."""

    title: str
    columns: dict[str, str]  # normalised header -> column letter
    rows: pl.DataFrame  # ROW and one String column per header; blank cells are null
    oddities: dict[str, Oddity] = field(default_factory=dict)
    blank: bool = False  # not a single cell, not even a header


def read_sheets(data: bytes, name: str) -> tuple[dict[str, Sheet], list[Problem]]:
    """The sheets of the rules workbook that can be read, by title, and what is wrong with the file as such.

    Cells become text: whole numbers as digits, others as plain decimals with the 15 significant digits that Excel
    keeps, percentages as they are shown (`5%`), dates as YYYY-MM-DD, booleans as TRUE or FALSE; a cell holding only
    blanks is missing. An unreadable file is an InputError. Source: spec 1.7, decision 5.
    """
    calculated = _refuse_unreadable(data, name)
    sheets: dict[str, Sheet] = {}
    problems: list[Problem] = []
    try:
        with _opened(data, data_only=True) as values, _formulas(data, calculated) as formulas:
            missing = [title for title in FIELDS if title not in values]
            if missing:
                problems.append(Problem(messages.missing_sheets(missing, list(values)), file=name))
            for title in FIELDS:
                if title not in missing:
                    columns, found = _columns(values[title], name)
                    sheet = _sheet(values[title], formulas.get(title), columns)
                    problems += found
                    if sheet is None:
                        problems.append(Problem(messages.TOO_MANY_ROWS, file=name, sheet=title))
                    else:
                        sheets[title] = sheet
    except Exception as error:  # a damaged workbook fails anywhere in openpyxl, zlib or expat
        raise InputError(Problem(messages.NOT_A_WORKBOOK, file=name)) from error
    return sheets, problems


def _refuse_unreadable(data: bytes, name: str) -> bool:
    """Refuse what is no workbook or too large to unpack; whether any of its sheets has formulas."""
    if data.startswith(_OLE_MAGIC):
        raise InputError(Problem(messages.PROTECTED, file=name))
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked <= MAX_UNPACKED_BYTES:
                return any(b"<f" in archive.read(part) for part in archive.namelist() if "worksheets/" in part)
    except Exception as error:  # a damaged directory fails in more ways than BadZipFile
        raise InputError(Problem(messages.NOT_A_WORKBOOK, file=name)) from error
    raise InputError(Problem(messages.TOO_LARGE, file=name, value=f"{unpacked:,} bytes"))


@contextmanager
def _formulas(data: bytes, calculated: bool) -> Iterator[dict[str, _Grid]]:
    """The worksheets with their formulas in place of values; none at all when the workbook has no formulas."""
    if not calculated:
        yield {}
        return
    with _opened(data, data_only=False) as sheets:
        yield sheets


@contextmanager
def _opened(data: bytes, *, data_only: bool) -> Iterator[dict[str, _Grid]]:
    """The worksheets by exact name. Declared dimensions are forgotten: they may claim millions of empty cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's remarks on features it skips; none of them concerns a value
        workbook = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=data_only, keep_links=False)
        try:
            sheets = {sheet.title: cast("_Grid", sheet) for sheet in workbook.worksheets}
            for sheet in sheets.values():
                sheet.reset_dimensions()
            yield sheets
        finally:
            workbook.close()


def _columns(values: _Grid, name: str) -> tuple[dict[str, str], list[Problem]]:
    """Column letters by normalised header of row 1; of two headers that collide the first is kept and both are told."""
    columns: dict[str, str] = {}
    written: dict[str, str] = {}
    problems: list[Problem] = []
    for position, cell in enumerate(next(values.iter_rows(max_row=1), ()), 1):
        text = _text(cell, cell)[0] or ""
        header, letter = header_name(text), get_column_letter(position)
        place = Problem("", name, sheet=values.title, cell=f"{letter}1", value=text)
        if not header:
            continue
        if position > MAX_COLUMNS:
            problems.append(replace(place, message=messages.TOO_MANY_COLUMNS))
            break
        if header in columns:
            problems.append(replace(place, message=messages.colliding_headers(written[header], text, header)))
            continue
        columns[header], written[header] = letter, text
    return columns, problems


def _sheet(values: _Grid, formulas: _Grid | None, columns: dict[str, str]) -> Sheet | None:
    """The filled rows under `columns`; None when there are more than the limit."""
    if not columns:
        top = values.iter_rows(max_row=_LOOKED_AT, max_col=MAX_COLUMNS)
        blank = all(cell.value is None for row in top for cell in row)
        return Sheet(values.title, columns, pl.DataFrame(schema={ROW: pl.UInt32}), blank=blank)
    letters = {column_index_from_string(letter) - 1: letter for letter in columns.values()}
    width = max(letters) + 1
    table: list[list[str | int | None]] = []
    oddities: dict[str, Oddity] = {}
    rows = values.iter_rows(min_row=2, max_col=width)
    written = formulas.iter_rows(min_row=2, max_col=width) if formulas else None
    both = zip(rows, written, strict=False) if written else ((cells, cells) for cells in rows)
    for number, (cells, sources) in enumerate(both, 2):
        if number > _EXCEL_ROWS:
            return None
        if list(map(_VALUE, sources)).count(None) == width:
            continue
        read = {letter: _text(cells[index], sources[index]) for index, letter in letters.items()}
        if all(text is None for text, _ in read.values()):
            continue
        if len(table) == MAX_ROWS:
            return None
        table.append([number, *(text for text, _ in read.values())])
        oddities.update({f"{letter}{number}": oddity for letter, (_, oddity) in read.items() if oddity})
    schema = {ROW: pl.UInt32, **dict.fromkeys(columns, pl.String)}
    return Sheet(values.title, columns, pl.DataFrame(table, schema=schema, orient="row"), oddities)


def _text(cell: _Cell, source: _Cell) -> tuple[str | None, Oddity | None]:
    """A cell's text, null when blank. `source` is the same cell of the workbook opened for its formulas."""
    value = cell.value
    if value is None:
        calculated = source.data_type != "f" or cell.data_type == "str"  # a stored empty text is a value
        formula = getattr(source.value, "text", source.value)
        return (None, None) if calculated else (str(formula)[:MAX_TEXT], Oddity.UNSTORED)
    if cell.data_type == "e":
        return str(value), Oddity.ERROR
    if isinstance(value, bool):
        return str(value).upper(), Oddity.BOOLEAN
    if isinstance(value, date | time | timedelta):
        return str(value.date() if isinstance(value, datetime) else value), Oddity.DATE
    if isinstance(value, int | float):
        return _number_text(value, percent="%" in str(cell.number_format))
    text = str(value) if str(value).strip() else None
    return (text[:MAX_TEXT], Oddity.LONG) if text and len(text) > MAX_TEXT else (text, None)


def _number_text(value: float, *, percent: bool) -> tuple[str, Oddity | None]:
    """A number cell as plain decimal text: 15 significant digits, as Excel shows it at full precision."""
    exact = Decimal(value) if isinstance(value, int) else Decimal(f"{value:.{_EXCEL_DIGITS}g}")
    shown = f"{exact * 100 if percent else exact:f}"
    text = shown.rstrip("0").rstrip(".") if "." in shown else shown
    digits = len(exact.as_tuple().digits) if isinstance(value, int) else exact.adjusted() + 1
    return text[:MAX_TEXT] + "%" * percent, Oddity.INEXACT if digits > _EXCEL_DIGITS else None
