"""Values as a worksheet cell can hold them without changing them.

What belongs here: text fit for a cell, numbers of more digits than a cell keeps, types no cell knows. What does not:
styles, sheets, files (`workbook`); how a cell is spelled in the file (the writing library, which keeps text as text).

A cell of the format is a binary double. Decimals become doubles here and nowhere earlier: up to 15 significant digits a
double stands for exactly one decimal, and a spreadsheet shows that one. A number of more digits is written as text.
"""

import re
from decimal import Decimal
from functools import lru_cache

import polars as pl

CELL_CHARS = 32_767  # Excel's limit, in UTF-16 units
COLUMN_LIMIT = 16_384
EXACT_DIGITS = 15  # significant digits a spreadsheet number keeps
_MOST_EXACT = 999_999_999_999_999
_ILLEGAL = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"  # not allowed in XML 1.0, not even escaped
_SUSPECT = "[\x00-\x08\x0b-\x1f\ufffe\uffff]"  # these and carriage returns, for Polars and Python alike
_AS_TEXT = "text"  # name of the numbers a number cell would change

Value = str | int | bool | Decimal | None  # what a cell of a free layout holds


def check_columns(frame: pl.DataFrame) -> None:
    """TypeError for a column of a type no cell can hold (list, struct, bytes, object), ValueError for too many."""
    if frame.width > COLUMN_LIMIT:
        raise ValueError(f"{frame.width} columns, and a sheet has {COLUMN_LIMIT}")
    for name, dtype in frame.schema.items():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise TypeError(f"column {name!r}: a workbook cell cannot hold {dtype}")


def exact_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types the writing library writes exactly, the columns named "0", "1", ...

    Decimals and integers become doubles and integers of at most 15 digits; enumerations, date-times and durations
    become text; text is made fit for a cell. A column with numbers a cell would change holds Python objects, these
    numbers as text; that is rare, and the only place where values are looped over.
    """
    if not frame.width:
        return pl.DataFrame()
    frame = frame.clone()
    frame.columns = [str(index) for index in range(frame.width)]
    columns = list(frame.schema.items())
    found = frame.select(_needs_care(name, dtype) for name, dtype in columns).row(0, named=True)
    cells = frame.select(_cell(name, dtype, careful=found[name]) for name, dtype in columns)
    for name, dtype in columns:
        if found[name] and dtype.is_numeric():
            numbers, texts = frame.select(_careful_number(name, dtype))
            cells = cells.with_columns(numbers if texts.null_count() == frame.height else _mixed(numbers, texts))
    return cells


def exact_value(value: Value) -> str | int | float | bool | None:
    """One value of a free layout as `exact_cells` would make it; "" is blank."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if re.search(_SUSPECT, value) or len(value) > CELL_CHARS // 2:
            return str(pl.select(_fit(pl.lit(value))).item())
        return value or None
    text = f"{value:f}"
    if len(re.sub("[-.]", "", text).strip("0")) > EXACT_DIGITS or abs(value) >= 10**EXACT_DIGITS:
        return text
    return float(value) if isinstance(value, Decimal) else value


@lru_cache(maxsize=2048)
def _needs_care(name: str, dtype: pl.DataType) -> pl.Expr:
    """Whether the plain form of a type would be wrong: a text unfit for a cell, more digits than a number keeps."""
    value = pl.col(name)
    if isinstance(dtype, pl.Decimal):
        whole = EXACT_DIGITS - dtype.scale  # digits before the point that leave the number exact
        return (value.abs() >= pl.lit(10**whole) if 0 < whole < dtype.precision else value != 0).any()
    if dtype.is_integer():
        return ((value > _MOST_EXACT) | (value < -_MOST_EXACT)).any()
    if dtype.is_float():
        return (~value.is_finite()).any()
    if dtype in (pl.String, pl.Enum, pl.Categorical):
        text = value.cast(pl.String)
        return (text.str.contains(_SUSPECT) | (text.str.len_bytes() > CELL_CHARS)).any()
    return pl.lit(value=False).alias(name)


@lru_cache(maxsize=2048)
def _cell(name: str, dtype: pl.DataType, careful: bool) -> pl.Expr:
    value = pl.col(name)
    if careful and dtype.is_numeric():
        return value  # `_careful_number` has it
    if isinstance(dtype, pl.Decimal):
        return value.cast(pl.Float64)  # the nearest double; `_needs_care` has seen that no digit is lost
    if dtype.is_integer():
        return value.cast(pl.Int64)
    if isinstance(dtype, pl.Datetime):
        return value.dt.strftime("%Y-%m-%d %H:%M:%S")
    if dtype.is_float() or dtype in (pl.Boolean, pl.Date, pl.Null):
        return value
    return _fit(value.cast(pl.String)) if careful else value.cast(pl.String)


def _careful_number(name: str, dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """A number column in two: the numbers a cell keeps, and the others as text; null where the other one is."""
    value = pl.col(name)
    text = value.cast(pl.String)
    if dtype.is_float():
        return pl.when(value.is_finite()).then(value).alias(name), pl.when(~value.is_finite()).then(text).alias(
            _AS_TEXT
        )
    if isinstance(dtype, pl.Decimal) and dtype.scale:
        text = text.str.strip_chars_end("0").str.strip_chars_end(".")
    digits = text.str.replace_all("[-.]", "").str.strip_chars_start("0").str.len_bytes()
    kept = digits <= EXACT_DIGITS
    # The text gives the nearest double where the integer behind the decimal is itself too long for one.
    return pl.when(kept).then(text).cast(pl.Float64).alias(name), pl.when(~kept).then(text).alias(_AS_TEXT)


def _mixed(numbers: pl.Series, texts: pl.Series) -> pl.Series:
    values = [number if text is None else text for number, text in zip(numbers, texts, strict=True)]
    return pl.Series(numbers.name, values, dtype=pl.Object)


def _fit(text: pl.Expr) -> pl.Expr:
    """Text fit for a cell: cut at Excel's limit (and the cut said in it), characters XML forbids shown as U+FFFD, line
    ends as line feeds.
    """
    note = pl.format("… [cut; the text has {} characters]", text.str.len_chars())
    wide = text.str.count_matches(r"[\x{10000}-\x{10FFFF}]")
    keep = pl.when(wide > 0).then(CELL_CHARS // 2 - 64).otherwise(CELL_CHARS - 64)
    too_long = text.str.len_chars() + wide > CELL_CHARS
    cut = pl.when(too_long).then(pl.concat_str(text.str.slice(0, keep), note)).otherwise(text)
    return cut.str.replace_all(_ILLEGAL, "\N{REPLACEMENT CHARACTER}").str.replace_all(r"\r\n?", "\n")
