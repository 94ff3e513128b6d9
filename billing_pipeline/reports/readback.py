"""Written workbooks read back, fast, so that a control can compare a file with the facts.

What belongs here: tables and totals as exact decimals. What does not: verdicts (the engine's controls), reading the
rules workbook (`engine.rules`).

A spreadsheet stores a number as a binary double, and the reader gives doubles. A double of up to 15 significant digits
stands for exactly one decimal: that decimal is taken, checked by turning it back, and doubles are never added up.
Numbers of more digits were written as text and are read from the text.
"""

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from itertools import count
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.reports.billing import FEE_SUMMARY, TOTAL_LABEL
from billing_pipeline.reports.sheet_cells import EXACT_DIGITS
from billing_pipeline.reports.workbook import continuation_name

_WIDE = Context(prec=60)
Schema = Mapping[str, pl.DataType | type[pl.DataType]]
_READ_AS: dict[Any, fastexcel.DType] = {pl.String: "string", pl.Boolean: "boolean"}


def read_table(path: Path, sheet: str, columns: Schema, book: fastexcel.ExcelReader | None = None) -> pl.DataFrame:
    """The named columns of a sheet written as a table, its continuation sheets included, in the types asked for.

    Types: String, Boolean, Decimal, and integers. Blank cells are null. InputError with file, sheet and column when
    the workbook, a sheet or a column is missing, or a number has more decimals than its type. `book`: the workbook,
    when it has been opened already.
    """
    book = book or open_workbook(path)
    pieces = [_piece(book, path, name, columns, more) for name, more in _sheets(book, path, sheet)]
    return pl.concat(pieces)


def fee_summary_total(path: Path, book: fastexcel.ExcelReader | None = None) -> Decimal:
    """The amount beside `Total Fees` in a partner workbook. InputError when there is not exactly one."""
    book = book or open_workbook(path)
    name, _ = next(_sheets(book, path, FEE_SUMMARY))
    dtypes: dict[str | int, fastexcel.DType] = {2: "string", 3: "string"}
    labels, texts = book.load_sheet(name, header_row=None, use_columns=[2, 3], dtypes=dtypes).to_polars()
    texts = texts.filter(labels == TOTAL_LABEL)
    amounts = _decimals(texts.cast(pl.Float64, strict=False), texts, AMOUNT)
    if len(amounts) != 1 or amounts.has_nulls():
        raise _unusable(
            path, f"expected one amount beside {TOTAL_LABEL!r}, found {len(amounts.drop_nulls())}", sheet=name
        )
    total: Decimal = amounts.item()
    return total


def open_workbook(path: Path) -> fastexcel.ExcelReader:
    """The workbook, ready to be read more than once. InputError when it is damaged, FileNotFoundError when absent."""
    try:
        return fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        if not path.is_file():
            raise FileNotFoundError(2, "no such workbook", str(path)) from error
        raise _unusable(path, "not a readable workbook") from error


def _sheets(book: fastexcel.ExcelReader, path: Path, sheet: str) -> Iterator[tuple[str, bool]]:
    """The sheet and its continuations, each with whether another follows (its last row then is the note saying so)."""
    names = set(book.sheet_names)
    if sheet not in names:
        raise _unusable(path, "the sheet is missing", sheet=sheet)
    for number in count(1):
        name, following = continuation_name(sheet, number), continuation_name(sheet, number + 1)
        yield name, following in names
        if following not in names:
            return


def _piece(
    book: fastexcel.ExcelReader,
    path: Path,
    sheet: str,
    columns: Schema,
    continued: bool,
) -> pl.DataFrame:
    read_as: dict[str | int, fastexcel.DType] = {name: _READ_AS.get(dtype, "float") for name, dtype in columns.items()}
    try:
        loaded = book.load_sheet(sheet, use_columns=list(columns), dtypes=read_as).to_polars()
    except fastexcel.FastExcelError as error:
        raise _unusable(path, f"columns cannot be read: {', '.join(columns)}", sheet=sheet) from error
    rows = loaded.head(loaded.height - continued).select(list(columns))
    numbers = [name for name, kind in read_as.items() if kind == "float" and isinstance(name, str)]
    return rows.with_columns(_exact(book, path, sheet, rows[name], columns[name]) for name in numbers)


def _exact(
    book: fastexcel.ExcelReader, path: Path, sheet: str, values: pl.Series, dtype: pl.DataType | type[pl.DataType]
) -> pl.Series:
    decimal = dtype if isinstance(dtype, pl.Decimal) else pl.Decimal(38, 0)
    texts = None
    if _is_large(values, decimal).any():
        loaded = book.load_sheet(sheet, use_columns=[values.name], dtypes={values.name: "string"})
        texts = loaded.to_polars().to_series().head(len(values))
    try:
        return _decimals(values, texts, decimal).cast(dtype)
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise _unusable(path, f"a number does not fit {dtype}", sheet=sheet, cell=values.name) from error


def _decimals(values: pl.Series, texts: pl.Series | None, dtype: pl.Decimal) -> pl.Series:
    """Doubles as the decimals they stand for; large ones from their text. ValueError when one does not fit the type."""
    large = _is_large(values, dtype).fill_null(value=False)
    decimals = values.set(large, None).cast(dtype)
    exact = values.is_null() | (decimals.cast(pl.Float64) == values).fill_null(value=False)
    if texts is not None:
        positions = large.arg_true()
        found = zip(texts.gather(positions), values.gather(positions), strict=True)
        decimals = decimals.scatter(positions, pl.Series([_large(*pair, dtype) for pair in found], dtype=dtype))
        exact |= large
    if not exact.all():
        raise ValueError(f"a number does not fit {dtype}")
    return decimals


def _large(text: str, value: float, dtype: pl.Decimal) -> Decimal:
    """A number of many digits: from the text, or, if the reader printed the double's noise, its shortest spelling."""
    for spelling in (text, repr(value)):
        number = Decimal(spelling)
        if number == number.quantize(Decimal(1).scaleb(-dtype.scale), context=_WIDE):
            return number
    raise ValueError(f"{text} does not fit {dtype}")


def _is_large(values: pl.Series, dtype: pl.Decimal) -> pl.Series:
    return values.abs() >= 10.0 ** (EXACT_DIGITS - dtype.scale)


def _unusable(path: Path, message: str, sheet: str = "", cell: str = "") -> InputError:
    return InputError(Problem(message, file=path.name, sheet=sheet, cell=cell))
