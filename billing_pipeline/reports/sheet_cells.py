"""Cells of a worksheet as XML text: what a value looks like in a workbook.

What belongs here: text that stays text, numbers that stay exact, blanks. What does not: styles, sheets, files
(`workbook`). Rows are rendered by Polars, a column at a time, so that nothing loops over usage data.

Text is always an inline text cell: no spelling of it becomes a formula, a link or a number. Excel keeps 15 significant
digits; a number with more is written as text rather than changed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import polars as pl

CELL_CHARS = 32_767  # Excel's limit, in UTF-16 units
COLUMN_LIMIT = 16_384
EXACT_DIGITS = 15  # significant digits a spreadsheet number keeps
_MOST_EXACT = 999_999_999_999_999
_ILLEGAL = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"  # not allowed in XML 1.0, not even escaped
_SUSPECT = "[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}|^\\s|\\s$"  # for Polars and Python alike
_EXCEL_EPOCH = pl.date(1899, 12, 30)  # serial 0; right from 1 March 1900 on
_FIRST_SERIAL = pl.date(1900, 3, 1)
_ROW = "__row__"
_TEXT, _TEXT_END, _NUMBER_END = ' t="inlineStr"><is><t', "</t></is></c>", "</v></c>"
_Piece = str | pl.Expr

Value = str | int | bool | Decimal | None  # what a cell of a free layout holds


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """One cell of a free layout: zero-based row and column, the value, and the ` s="n"` attribute of its style."""

    row: int
    column: int
    value: Value
    style: str


def table_rows(frame: pl.DataFrame, first_row: int, styles: Sequence[str | pl.Expr]) -> str:
    """The rows of a frame as `<row>` elements, the first one numbered `first_row` (1-based).

    `styles`: per column the style attribute (`""` or ` s="n"`), or an expression giving it per cell. Null and "" give
    no cell. Text, numbers, booleans, dates and enumerations are known; date-times and durations become text; other
    types are refused by `check_columns`.
    """
    columns = frame.schema.items()
    conditions = [_is_blank(pl.col(name), dtype) for name, dtype in columns]
    conditions += [_needs_care(name, dtype) for name, dtype in columns]
    found = frame.select(condition.any().alias(str(i)) for i, condition in enumerate(conditions)).row(0)
    blank, careful = found[: frame.width], found[frame.width :]  # most columns are neither, and then cost a third
    pieces: list[_Piece] = ['<row r="', pl.col(_ROW), '">']
    for index, (name, dtype) in enumerate(columns):
        cell: list[_Piece] = [f'<c r="{column_letters(index)}', pl.col(_ROW), '"', styles[index]]
        cell += _body(name, dtype, careful[index])
        pieces += [_joined(cell).fill_null("")] if blank[index] else cell
    row = pl.int_range(first_row, first_row + frame.height).cast(pl.String).alias(_ROW)
    rows = _joined([*pieces, "</row>"]).str.join("")
    return str(frame.with_columns(row).select(rows).item())


def check_columns(frame: pl.DataFrame) -> None:
    """TypeError for a column of a type no cell can hold (list, struct, bytes, object), ValueError for too many."""
    if frame.width > COLUMN_LIMIT:
        raise ValueError(f"{frame.width} columns, and a sheet has {COLUMN_LIMIT}")
    for name, dtype in frame.schema.items():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise TypeError(f"column {name!r}: a workbook cell cannot hold {dtype}")


def free_rows(cells: Iterable[PlacedCell], heights: dict[int, float] | None = None) -> str:
    """Cells of a free layout as `<row>` elements; a cell without a value still carries its style (borders, fills)."""
    placed = sorted(cells, key=lambda cell: (cell.row, cell.column))
    texts = iter(_text_elements([cell.value for cell in placed if isinstance(cell.value, str)]))
    rows: dict[int, list[str]] = {}
    for cell in placed:
        head = f'<c r="{column_letters(cell.column)}{cell.row + 1}"{cell.style}'
        body = next(texts) if isinstance(cell.value, str) else _plain_element(cell.value)
        rows.setdefault(cell.row, []).append(f"{head}{body}")
    height = {row: f' ht="{points:g}" customHeight="1"' for row, points in (heights or {}).items()}
    return "".join(f'<row r="{row + 1}"{height.get(row, "")}>{"".join(parts)}</row>' for row, parts in rows.items())


def column_letters(index: int) -> str:
    """The letters of a zero-based column: 0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def escaped(text: pl.Expr) -> pl.Expr:
    """Text fit for a cell: cut at Excel's limit (and the cut said in it), characters XML forbids shown as U+FFFD, line
    ends as line feeds, markup and Excel's own `_xHHHH_` notation escaped.
    """
    note = pl.format("… [cut; the text has {} characters]", text.str.len_chars())
    wide = text.str.count_matches(r"[\x{10000}-\x{10FFFF}]")
    keep = pl.when(wide > 0).then(CELL_CHARS // 2 - 64).otherwise(CELL_CHARS - 64)
    too_long = text.str.len_chars() + wide > CELL_CHARS
    cut = pl.when(too_long).then(pl.concat_str(text.str.slice(0, keep), note)).otherwise(text)
    legal = cut.str.replace_all(_ILLEGAL, "\N{REPLACEMENT CHARACTER}").str.replace_all(r"\r\n?", "\n")
    unambiguous = legal.str.replace_all(r"_(x[0-9A-Fa-f]{4})", "_x005F_${1}")
    return unambiguous.str.replace_many(["&", "<", ">"], ["&amp;", "&lt;", "&gt;"])


def _joined(pieces: Sequence[_Piece]) -> pl.Expr:
    """Pieces of text, one after the other; null where one of them is null. Neighbouring literals are joined first."""
    merged: list[_Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return pl.concat_str(_literal(piece) if isinstance(piece, str) else piece for piece in merged)


@lru_cache(maxsize=4096)
def _literal(text: str) -> pl.Expr:
    return pl.lit(text)


def _is_blank(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return value.is_null() | (value.cast(pl.String) == "") if _is_text(dtype) else value.is_null()


def _needs_care(name: str, dtype: pl.DataType) -> pl.Expr:
    """Where the plain rendering of a type would be wrong: markup in a text, more digits than a number keeps."""
    value = pl.col(name)
    if dtype in (pl.Boolean, pl.Null) or (dtype.is_temporal() and dtype != pl.Date):
        return pl.lit(False)
    if dtype == pl.Date:
        return value < _FIRST_SERIAL
    if isinstance(dtype, pl.Decimal):
        whole = EXACT_DIGITS - dtype.scale  # digits before the point that leave the number exact
        return value.abs() >= pl.lit(10**whole) if 0 < whole < dtype.precision else value != 0
    if dtype.is_integer():
        return (value > _MOST_EXACT) | (value < -_MOST_EXACT)
    if dtype.is_float():
        return ~value.is_finite()
    text = value.cast(pl.String)
    return text.str.contains(_SUSPECT) | (text.str.len_bytes() > CELL_CHARS)


def _body(name: str, dtype: pl.DataType, careful: bool) -> list[_Piece]:
    """What follows the cell's address and style."""
    value = pl.col(name)
    if dtype == pl.Boolean:
        return [' t="b"><v>', value.cast(pl.UInt8).cast(pl.String), _NUMBER_END]
    if dtype == pl.Date:
        serial: list[_Piece] = ["><v>", (value - _EXCEL_EPOCH).dt.total_days().cast(pl.String), _NUMBER_END]
        return _either(value >= _FIRST_SERIAL, serial, value.cast(pl.String)) if careful else serial
    if isinstance(dtype, pl.Datetime):
        return _text_body(value.dt.strftime("%Y-%m-%d %H:%M:%S"), careful=False)
    if not dtype.is_numeric():
        return _text_body(value.cast(pl.String), careful)
    text = value.cast(pl.String)
    if isinstance(dtype, pl.Decimal) and dtype.scale:
        text = text.str.strip_chars_end("0").str.strip_chars_end(".")
    number: list[_Piece] = ["><v>", text, _NUMBER_END]
    if not careful:
        return number
    if dtype.is_float():
        return _either(value.is_finite(), number, text)
    digits = text.str.replace_all(r"[-.]", "").str.strip_chars_start("0").str.len_bytes()
    return _either(digits <= EXACT_DIGITS, number, text)


def _either(condition: pl.Expr, number: list[_Piece], text: pl.Expr) -> list[_Piece]:
    return [pl.when(condition).then(_joined(number)).otherwise(_joined(_text_body(text, careful=False)))]


def _text_body(text: pl.Expr, careful: bool) -> list[_Piece]:
    filled = pl.when(text != "").then(text)
    if not careful:
        return [f"{_TEXT}>", filled, _TEXT_END]
    padded = text.str.contains(r"^\s|\s$")
    opening = pl.when(padded).then(pl.lit(f'{_TEXT} xml:space="preserve">')).otherwise(pl.lit(f"{_TEXT}>"))
    return [opening, escaped(filled), _TEXT_END]


def _is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Enum, pl.Categorical)


def _text_elements(texts: list[str]) -> list[str]:
    if not any(re.search(_SUSPECT, text) or len(text) > CELL_CHARS // 2 for text in texts):
        return [f"{_TEXT}>{text}{_TEXT_END}" if text else "/>" for text in texts]
    values = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    return values.select(_joined(_text_body(pl.col("text"), careful=True)).fill_null("/>")).to_series().to_list()


def _plain_element(value: int | bool | Decimal | None) -> str:
    if value is None:
        return "/>"
    if isinstance(value, bool):
        return f' t="b"><v>{value:d}</v></c>'
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if len(text.replace("-", "").replace(".", "").lstrip("0")) > EXACT_DIGITS:
        return f' t="inlineStr"><is><t>{text}</t></is></c>'
    return f"><v>{text}</v></c>"
