"""Source rows typed: every row whatever its state, and every cell that cannot be read told, none taken for zero.

What belongs here: from the texts of cells to a row's values, and the text of a value again. What does not: whether a
value is plausible (rules). Source: spec 1.5 and 9.5 of the billing audit; Q14, Q28, Q33.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.audit.tables import CELL_PROBLEMS, COLUMNS, ROWS, SOURCE_ROWS, TEXTS
from billing_pipeline.engine.cells import NumberForm, parse_dates, parse_numbers
from billing_pipeline.engine.money import AMOUNT, QUANTITY
from billing_pipeline.engine.pricing.figures import quantity_text
from billing_pipeline.engine.tables import conform

KEY = ["sheet_id", "row_id"]
CELL = [*KEY, "column"]
_PRICE = NumberForm(decimals=2, dtype=AMOUNT, negative=True, parentheses=True, rounded=True)
_QUANTITY = NumberForm(decimals=4, dtype=QUANTITY, negative=True, parentheses=True, rounded=True)
_CHECKED, _UNCHECKED = ("true", "checked", "yes", "on", "1", "1.0"), ("false", "unchecked", "no", "off", "0", "0.0")
NOT_A_CHECKBOX = "is neither checked nor unchecked"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """rows: ROWS, in the order of the source. problems: CELL_PROBLEMS, the cells that gave no value but hold text."""

    rows: pl.DataFrame
    problems: pl.DataFrame


def snapshot(texts: pl.DataFrame, rows: pl.DataFrame) -> Snapshot:
    """The typed snapshot of texts (TEXTS) and rows (SOURCE_ROWS). A cell without text is blank; of two the last counts.

    Prices are rounded half away from zero to cents, quantities to four decimals; `($50.00)` is -50.00. Dates are ISO
    or M/D/Y, of a date-time the date as written. A blank checkbox is unchecked.
    """
    source = conform(rows, SOURCE_ROWS)
    cells = {part["column"][0]: part for part in conform(texts, TEXTS).partition_by("column") if part.height}
    values: list[pl.Series] = []
    problems: list[pl.DataFrame] = []
    for column in COLUMNS:
        text = _texts_of(source, cells.get(column)).rename(column)
        if column not in _PARSERS:
            values.append(_plain(column, text))
            continue
        parsed = _PARSERS[column](text)
        values.append(parsed["value"].rename(column))
        if parsed["problem"].null_count() < parsed.height:
            problems.append(_problems(source, column, text, parsed["problem"]))
    found = pl.concat(problems) if problems else pl.DataFrame(schema=CELL_PROBLEMS)
    return Snapshot(conform(source.hstack(values), ROWS), found)


def parse_cells(column: str, text: pl.Series) -> pl.DataFrame:
    """Texts of a tracked column: `value` (AMOUNT or QUANTITY) and `problem`, as the snapshot reads them."""
    return _PARSERS[column](text)


def cell_text(column: str) -> pl.Expr:
    """The value of a typed column as text, one spelling for one value; null is null.

    >>> pl.DataFrame({"quantity": ["2.9000", "1000.0000"]}).cast(QUANTITY).select(cell_text("quantity"))[
    ...     "quantity"
    ... ].to_list()
    ['2.9', '1000']
    """
    value = pl.col(column)
    if ROWS[column] == QUANTITY:
        return quantity_text(value)
    return value if ROWS[column] == pl.String else value.cast(pl.String)


def is_billable() -> pl.Expr:
    """Whether a row (ROWS) is billed with its week as it stands. Source: spec 1.4, generation B."""
    placed = pl.col("work_request").is_not_null() & pl.col("week_ending").is_not_null()
    return (pl.col("completed") & (pl.col("price") > 0) & placed).fill_null(value=False)


def rows_of(frame: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """The rows of a frame that are among `keys` (sheet_id, row_id), which are few: a first look spares the join."""
    likely = frame.filter(pl.col("row_id").is_in(keys["row_id"].implode()))
    return likely.join(keys, on=KEY, how="semi")


def _texts_of(rows: pl.DataFrame, cells: pl.DataFrame | None) -> pl.Series:
    """The text of one column for each row, trimmed, blank as null."""
    if cells is None:
        return pl.repeat(None, rows.height, dtype=pl.String, eager=True)
    in_step = cells.height == rows.height and all((cells[name] == rows[name]).all() for name in KEY)
    if in_step:  # as a source gives them: no join
        text = cells["value"]
    else:
        once = cells.select(*KEY, "value").unique(KEY, keep="last")
        text = rows.select(KEY).join(once, on=KEY, how="left", maintain_order="left")["value"]
    trimmed = text.str.strip_chars()
    return trimmed.set(trimmed == "", None)


def _plain(column: str, text: pl.Series) -> pl.Series:
    """Text as it is; of a work request what stands before the first point, because it comes as a float."""
    if column != "work_request":
        return text
    before = text.str.extract(r"^([^.]*)", 1).str.strip_chars_end()
    return before.set(before == "", None)


def _problems(rows: pl.DataFrame, column: str, text: pl.Series, problem: pl.Series) -> pl.DataFrame:
    told = rows.select(KEY).with_columns(pl.lit(column).alias("column"), text.alias("value"), problem.alias("problem"))
    return conform(told.filter(pl.col("problem").is_not_null()), CELL_PROBLEMS)


def _checkboxes(text: pl.Series) -> pl.DataFrame:
    word = pl.col("text").str.to_lowercase()
    value = (
        pl.when(word.is_null() | word.is_in(_UNCHECKED))
        .then(pl.lit(False))
        .when(word.is_in(_CHECKED))
        .then(pl.lit(True))
    )
    return text.to_frame("text").select(
        value.alias("value"), pl.when(value.is_null()).then(pl.lit(NOT_A_CHECKBOX)).alias("problem")
    )


_PARSERS: dict[str, Callable[[pl.Series], pl.DataFrame]] = {
    "price": lambda text: parse_numbers(text, _PRICE),
    "quantity": lambda text: parse_numbers(text, _QUANTITY),
    "completed": _checkboxes,
    "week_ending": parse_dates,
    "work_date": parse_dates,
}
