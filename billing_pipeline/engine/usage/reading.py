"""From the usage export's text cells to typed rows: counts, dates, month, pricing order, and what could not be read.

Every source column stays as the text it was; typed columns stand beside it. A cell that cannot be read sends its row to
review, never to zero.
"""

import io
from collections.abc import Iterator

import numpy as np
import polars as pl

from billing_pipeline.engine import tables
from billing_pipeline.engine.cells import COUNT, key_text, parse_dates, parse_months, parse_numbers
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.money import QUANTITY
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.structure import Structure, check_structure

REQUIRED = ("FOR_MONTH", "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", "TOTAL_INDIVIDUAL_USERS")
# Fees of an older export, which the reference charged on rows it could not price (Q6). They never reach a bill or
# report.
LEGACY = (
    "NEXT_DAY_FEE_ER",
    "NEXT_DAY_FEE_IU",
    "NEXT_DAY_AMOUNT_ER",
    "NEXT_DAY_AMOUNT_IU",
    "UNIT_PRICE_NEXT_DAY_ER",
    "UNIT_PRICE_NEXT_DAY_IU",
    "NEXT_DAY_ER_FEE",
    "NEXT_DAY_IU_FEE",
)
_DATES = {
    "FIRST_BILLABLE_ACTIVITY_DATE": "first_billable",
    "SUSPENSION_DATE": "suspended",
    "DISSOCIATION_DATE": "dissociated",
}
_TYPED_FROM = ("FOR_MONTH", "PARTNER_NAME", "TOTAL_INDIVIDUAL_USERS", *_DATES, "CURRENT_ACH_SPEED")
_NEXT_DAY = "1-day|1 day|same day"  # matched anywhere in the text, as the reference does (Q5)
KNOWN_SPEEDS = ("", "1-day", "1 day", "same day", "next 1 day", "2-day", "2 day", "4-day", "4 day")
_UNDATED = 2**31 - 1  # sorts rows without a date last


def read_usage(data: bytes, name: str, period: Period) -> pl.DataFrame:
    """A whole usage file in memory: every source column, then the columns of `typed_rows`.

    >>> data = b"FOR_MONTH,PARTNER_ID,PARTNER_NAME,ER_ID,ER_NAME,TOTAL_INDIVIDUAL_USERS\\n2026-01,7,Acme,1,Co,5\\n"
    >>> read_usage(data, "2026.01_usage.csv", Period(2026, 1)).select("ER_NAME", "line", "users").row(0)
    ('Co', 2, Decimal('5.0000'))
    """
    structure = check_structure(_blocks(data), name)
    scan = pl.scan_csv(io.BytesIO(data), infer_schema=False)
    source = source_rows(scan, structure).collect()
    return source.hstack(typed_rows(source.lazy(), structure, period))


def source_rows(scan: pl.LazyFrame, structure: Structure) -> pl.LazyFrame:
    """The file, scanned with every cell as text, under normalised names and without blank lines."""
    missing = [column for column in REQUIRED if column not in structure.columns]
    if missing:
        seen = ", ".join(structure.header)
        message = f"column {', '.join(missing)} is missing; the file has: {seen}"
        raise InputError(Problem(message, file=structure.name, line=1))
    rows = scan.rename(dict(zip(scan.collect_schema().names(), structure.columns, strict=True)))
    if structure.quoted:  # a quoted empty cell is as empty as an unquoted one
        rows = rows.with_columns(pl.when(pl.all() != "").then(pl.all()))
    if structure.blank is not None:
        rows = rows.with_row_index("_row").filter(~pl.col("_row").is_in(structure.blank.implode())).drop("_row")
    if "FIRST_BILLABLE_ACTIVITY_DATE" not in structure.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias("FIRST_BILLABLE_ACTIVITY_DATE"))
    return rows


def typed_rows(source: pl.LazyFrame, structure: Structure, period: Period) -> pl.DataFrame:
    """The computed columns of the usage rows, one row per source row in file order (schema: tables.USAGE).

    `line` is the physical line; `position` the place in pricing order (raw partner name, then first billable date, both
    missing last, then file order; source: spec 2.1); `input_status` is null, `bad_cell` or `other_month`, with the text
    of it in `input_problem`. InputError when no row belongs to `period`.
    """
    present = source.collect_schema().names()
    cells = source.select([c for c in _TYPED_FROM if c in present]).collect(engine="streaming")
    if cells.height != structure.records:
        message = f"reads as {cells.height} rows but has {structure.records} records; check quotes and line ends"
        raise InputError(Problem(message, file=structure.name))
    typed = typed_cells(cells, period)
    _check_month(typed["month"], structure, period)
    position = _pricing_position(cells["PARTNER_NAME"], typed["first_billable"])
    decided = pl.lit(None, pl.String).alias("decision")
    whole = typed.hstack([_lines(structure).alias("line"), position]).with_columns(decided)
    return tables.conform(whole, tables.USAGE)


def typed_cells(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """What follows from each row's own cells: month, dates, users, next_day, input_status, input_problem, bad_cells.

    The one way from text to values, for a whole file and for a row with a corrected cell.
    """
    typed, problems = _parsed(rows)
    speed = pl.col("CURRENT_ACH_SPEED") if "CURRENT_ACH_SPEED" in rows.columns else pl.lit(None, pl.String)
    typed["next_day"] = rows.with_columns(_is_next_day(speed).alias("next_day"))["next_day"]
    return pl.DataFrame(typed).hstack(_status(rows, problems, typed["month"], period))


def cell_problems(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Every cell of usage rows that keeps its row from being priced: position, cell (the column), problem."""
    typed, problems = _parsed(rows)
    elsewhere = (typed["month"] != period.first).fill_null(value=True) & problems["FOR_MONTH"].is_null()
    other = rows.select(pl.when(elsewhere).then(pl.lit(f"is not the month of this file ({period})"))).to_series()
    problems["FOR_MONTH"] = rows.select(pl.coalesce(problems["FOR_MONTH"], other)).to_series()
    found = [
        rows.select("position", pl.lit(column).alias("cell"), text.alias("problem"))
        for column, text in problems.items()
    ]
    return pl.concat(found).drop_nulls("problem").sort("position", maintain_order=True)


def _parsed(cells: pl.DataFrame) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """The typed columns, and per source column what is wrong with each of its cells."""
    problems: dict[str, pl.Series] = {}
    users = parse_numbers(cells["TOTAL_INDIVIDUAL_USERS"], COUNT)
    problems["TOTAL_INDIVIDUAL_USERS"] = users["problem"]
    months = parse_months(cells["FOR_MONTH"])
    problems["FOR_MONTH"] = months["problem"]
    typed: dict[str, pl.Series] = {"month": months["value"]}
    for column, name in _DATES.items():
        dates = parse_dates(cells[column]) if column in cells.columns else None
        typed[name] = dates["value"] if dates is not None else _empty(cells.height, pl.Date())
        if dates is not None:
            problems[column] = dates["problem"]
    typed["users"] = users["value"].fill_null(0).cast(QUANTITY)  # a blank count is none
    return typed, problems


def _blocks(data: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _empty(height: int, dtype: pl.DataType) -> pl.Series:
    return pl.repeat(None, height, dtype=dtype, eager=True)


def _lines(structure: Structure) -> pl.Series:
    if structure.lines is not None:
        return structure.lines.cast(pl.UInt32)
    return pl.int_range(2, structure.records + 2, dtype=pl.UInt32, eager=True)


def _is_next_day(speed: pl.Expr) -> pl.Expr:
    return speed.cast(pl.Categorical).cast(pl.String).str.to_lowercase().str.contains(_NEXT_DAY).fill_null(value=False)


def _check_month(months: pl.Series, structure: Structure, period: Period) -> None:
    if (months == period.first).any():
        return
    found = (
        ", ".join(m.strftime("%Y-%m") for m in months.drop_nulls().unique().sort().head(5)) or "none that can be read"
    )
    raise InputError(Problem(f"has no row of {period}; months in the file: {found}", structure.name, cell="FOR_MONTH"))


def _pricing_position(names: pl.Series, dates: pl.Series) -> pl.Series:
    """Place of each row when sorted by raw partner name, then date (missing last), stable on file order."""
    coded = names.cast(pl.Categorical)
    codes = coded.to_physical().fill_null(2**32 - 1)
    known = pl.DataFrame({"name": coded.unique(), "code": coded.unique().to_physical()}).drop_nulls()
    ranks = known.sort(pl.col("name").cast(pl.String))["code"]
    rank_of = np.full(int(ranks.max() or 0) + 2, len(ranks), np.int64)  # type: ignore[arg-type]
    rank_of[ranks.to_numpy()] = np.arange(len(ranks))
    rank = rank_of[np.minimum(codes.to_numpy(), len(rank_of) - 1)]
    day = dates.to_physical().fill_null(_UNDATED).to_numpy().astype(np.int64)
    keys = pl.DataFrame({"key": rank * 2**32 + day}).with_row_index("row")
    order = keys.sort("key", maintain_order=True)["row"].to_numpy()
    position = np.empty(len(order), np.uint32)
    position[order] = np.arange(len(order), dtype=np.uint32)
    return pl.Series("position", position)


def other_month_problem(period: Period) -> pl.Expr:
    """What is said of a row whose FOR_MONTH is not the file's month."""
    text = key_text(pl.col("FOR_MONTH"))
    return pl.format("FOR_MONTH '{}' is not the month of this file ({})", text, pl.lit(period.key))


def _status(cells: pl.DataFrame, problems: dict[str, pl.Series], months: pl.Series, period: Period) -> pl.DataFrame:
    """Columns input_status, input_problem, bad_cells: cells that cannot be read, or a month that is not the file's."""
    found = {column: text for column, text in problems.items() if text.null_count() < len(text)}
    elsewhere = (months != period.first).fill_null(value=True)
    if not found and not elsewhere.any():
        nothing = {name: _empty(cells.height, pl.String()) for name in ("input_status", "input_problem")}
        return pl.DataFrame({**nothing, "bad_cells": pl.zeros(cells.height, pl.UInt8, eager=True)})
    texts = [text.alias(f"{column}:problem") for column, text in found.items()]
    said = [
        pl.when(pl.col(f"{column}:problem").is_not_null()).then(
            pl.format("{} '{}' {}", pl.lit(column), pl.col(column), pl.col(f"{column}:problem"))
        )
        for column in found
    ]
    bad = pl.concat_str(said, separator="; ", ignore_nulls=True) if said else pl.lit("")
    count = pl.sum_horizontal(text.is_not_null() for text in said) if said else pl.lit(0)
    return (
        cells.hstack(texts)
        .with_columns(bad.alias("bad"), elsewhere.alias("elsewhere"), count.cast(pl.UInt8).alias("bad_cells"))
        .select(
            pl.when(pl.col("bad") != "")
            .then(pl.lit("bad_cell"))
            .when("elsewhere")
            .then(pl.lit("other_month"))
            .alias("input_status"),
            pl.when(pl.col("bad") != "")
            .then("bad")
            .when("elsewhere")
            .then(other_month_problem(period))
            .alias("input_problem"),
            "bad_cells",
        )
    )
