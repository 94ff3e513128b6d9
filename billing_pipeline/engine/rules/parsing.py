"""One sheet of text to one typed table: the partner and the fields of every row, with text and address of each cell.

What belongs here: what a single cell means. What does not: what cells mean to each other (`validation`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from billing_pipeline.engine.cells import BOUND, PRICE, NumberForm, key_text, parse_months, parse_numbers
from billing_pipeline.engine.errors import Problem, nearest
from billing_pipeline.engine.money import QUANTITY
from billing_pipeline.engine.rules import messages
from billing_pipeline.engine.rules.layout import (
    FIELDS,
    FIRST_PLAUSIBLE_YEAR,
    MAY_BE_EMPTY,
    PARTNER,
    TIER_TYPES,
    VOLUME_METRICS,
    Field,
    Form,
)
from billing_pipeline.engine.rules.messages import Warned
from billing_pipeline.engine.rules.reading import ROW, Oddity, Sheet

_FAULTS = {
    Oddity.ERROR: messages.EXCEL_ERROR,
    Oddity.UNSTORED: messages.NO_STORED_VALUE,
    Oddity.LONG: messages.TOO_LONG,
}
_TEXT_FAULTS = _FAULTS | {Oddity.DATE: messages.IS_A_DATE, Oddity.BOOLEAN: messages.IS_A_BOOLEAN}
_CLOSED = NumberForm(decimals=4, dtype=QUANTITY)  # as BOUND, without the open-ended `5+`
_LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A sheet with typed values: `#row`, `partner_key` and for every field `f` of the layout three columns.

    `f` is the value (a blank cell as its default; null where unreadable), `f.text` the text as it stands (null when
    blank) and `f.cell` its A1 address (null when the sheet has no such column). The partner's own fields are
    `partner_id` and `partner_name`. Rows without a partner are left out.
    """

    title: str
    rows: pl.DataFrame
    errors: tuple[Problem, ...]
    warnings: tuple[Warned, ...]


def parse_sheet(sheet: Sheet, name: str) -> Table:
    """The typed table of a sheet; a cell outside its form and a column that is not there are errors, with their place.

    Partner key: the trimmed id, else the lower-cased trimmed name. Of several accepted headers the first that is filled
    in a row gives the value; of the next-day prices the first that exists serves the whole column. Blank: price 0, tier
    type ALL_IN, metric FLAT. Source: spec 1.7 and 2.3, decisions 5 and 6.
    """
    fields = PARTNER + FIELDS[sheet.title]
    errors = [Problem(text, name, sheet=sheet.title) for text in _missing_columns(sheet)]
    warnings = [*_unread_columns(sheet, name), *_rows_without_partner(sheet, name)]
    rows = sheet.rows.select(ROW, *(expr for field in fields for expr in _chosen(field, sheet)))
    for field in fields:
        rows = rows.hstack(_parsed(field, sheet, rows[f"{field.name}.text"], rows[f"{field.name}.cell"]))
    by_id = pl.when(pl.col("partner_id.text").is_not_null()).then(key_text(pl.col("partner_id.text")))
    rows = rows.with_columns(by_id.otherwise(name_key()).alias("partner_key")).filter(pl.col("partner_key") != "")
    place = Problem("", name, sheet=sheet.title)
    for field in fields:
        faulty = rows.filter(pl.col(f"{field.name}.problem").is_not_null())
        errors += [
            replace(place, message=f"{field.label} {problem}", cell=cell or "", value=text or "")
            for problem, cell, text in faulty.select(
                f"{field.name}{part}" for part in (".problem", ".cell", ".text")
            ).rows()
        ]
    warnings += _unusual_ids(rows, sheet, name)
    return Table(sheet.title, rows.select(pl.exclude(r"^.*\.problem$")), tuple(errors), tuple(warnings))


def clean_id() -> pl.Expr:
    """`clean_id`: the digits of column `partner_id`, empty without any (`P-101` gives `101`). Source: spec 1.6."""
    return pl.col("partner_id").fill_null("").str.replace_all("[^0-9]", "").alias("clean_id")


def name_key() -> pl.Expr:
    """`partner_name_key`: column `partner_name` as names are compared, lower case, empty without one."""
    return key_text(pl.col("partner_name")).str.to_lowercase().alias("partner_name_key")


def _chosen(field: Field, sheet: Sheet) -> tuple[pl.Expr, pl.Expr]:
    """`f.text` and `f.cell`: the first filled cell of the row among the accepted headers that are there."""
    present = [header for header in field.headers if header in sheet.columns][: 1 if field.whole_column else None]
    nothing = pl.lit(None, pl.String)
    places = [pl.format("{}{}", pl.lit(sheet.columns[header]), ROW) for header in present]
    filled = [pl.when(pl.col(header).is_not_null()).then(at) for header, at in zip(present, places, strict=True)]
    return (
        pl.coalesce(nothing, *present).alias(f"{field.name}.text"),
        pl.coalesce(nothing, *filled, *places[:1]).alias(f"{field.name}.cell"),
    )


def _parsed(field: Field, sheet: Sheet, text: pl.Series, cell: pl.Series) -> pl.DataFrame:
    """`f` and `f.problem` of a column of texts."""
    parsed = _values(text, field.form)
    faults = _TEXT_FAULTS if field.form is Form.TEXT else _FAULTS
    odd = [faults.get(sheet.oddities[at]) if at in sheet.oddities else None for at in cell]
    missing = text.is_null() & cell.is_not_null() & field.filled
    blank = pl.lit(field.blank, dtype=parsed.schema["value"])
    return (
        parsed.with_columns(text.alias("text"), pl.Series("odd", odd, pl.String), missing.alias("missing"))
        .with_columns(pl.coalesce("odd", "problem", pl.when("missing").then(pl.lit(messages.MISSING))).alias("problem"))
        .select(
            pl.when(pl.col("problem").is_not_null())
            .then(None)
            .when(pl.col("text").is_null())
            .then(blank)
            .otherwise("value")
            .alias(field.name),
            pl.col("problem").alias(f"{field.name}.problem"),
        )
    )


def _values(text: pl.Series, form: Form) -> pl.DataFrame:
    """Columns `value` and `problem`, by the form of the column; both null where blank."""
    match form:
        case Form.PRICE | Form.BOUND | Form.FLAG:
            return parse_numbers(text, {Form.PRICE: PRICE, Form.BOUND: BOUND, Form.FLAG: _CLOSED}[form])
        case Form.MONTH_INDEX:
            return _month_indexes(text)
        case Form.MONTH:
            return _months(text)
        case Form.TIER_TYPE | Form.METRIC:
            return _words(text, form)
        case Form.TEXT:
            return pl.DataFrame({"value": text.str.strip_chars()}).with_columns(problem=pl.lit(None, pl.String))


def _months(text: pl.Series) -> pl.DataFrame:
    early = pl.col("value").dt.year() < FIRST_PLAUSIBLE_YEAR
    problem = pl.when(early).then(pl.lit(messages.EARLY_MONTH)).otherwise("problem")
    return parse_months(text).with_columns(problem=problem)


def _month_indexes(text: pl.Series) -> pl.DataFrame:
    value = pl.col("value")
    fits = (value == value.round(0)) & (value <= _LARGEST_INDEX)
    return (
        parse_numbers(text, _CLOSED)
        .with_columns(pl.when(~fits).then(pl.lit(messages.NOT_A_MONTH_INDEX)).otherwise("problem").alias("problem"))
        .select(pl.when(fits).then(value).cast(pl.Int32).alias("value"), "problem")
    )


def _words(text: pl.Series, form: Form) -> pl.DataFrame:
    word = pl.col("word")
    words = text.str.strip_chars().str.to_uppercase()
    if form is Form.TIER_TYPE:
        value, complaint = pl.when(word.is_in(TIER_TYPES)).then(word).otherwise(None), messages.NOT_A_TIER_TYPE
    else:
        words, complaint = words.str.replace_all(" ", "_", literal=True), messages.NOT_A_METRIC
        value = (
            pl.when(word.str.contains("IU_PER_ER", literal=True))
            .then(pl.lit("IU_PER_ER"))
            .when(word.str.contains("ACH", literal=True))
            .then(pl.lit("ACH_SPEED"))
            .when(word.is_in(VOLUME_METRICS))
            .then(word)
            .otherwise(None)
        )
    problem = pl.when(word.is_not_null() & value.is_null()).then(pl.lit(complaint))
    return pl.DataFrame({"word": words}).select(value=value, problem=problem)


def _missing_columns(sheet: Sheet) -> Iterator[str]:
    if sheet.blank and sheet.title in MAY_BE_EMPTY:
        return
    if not any(field.name in sheet.columns for field in PARTNER):
        yield messages.NO_PARTNER_COLUMN
    for field in FIELDS[sheet.title]:
        if field.required and not any(header in sheet.columns for header in field.headers):
            yield messages.missing_column(field, _unknown_headers(sheet))


def _unread_columns(sheet: Sheet, name: str) -> Iterator[Warned]:
    """Optional columns that are not there while one of nearly the same name is."""
    for field in FIELDS[sheet.title]:
        if field.required or any(header in sheet.columns for header in field.headers):
            continue
        for header in field.headers:
            near = nearest(header, _unknown_headers(sheet))
            if near is not None:
                cell, text = f"{sheet.columns[near]}1", messages.unread_column(field, near)
                yield Warned(text, name, sheet=sheet.title, cell=cell, value=near, kind="unread_column")
                break


def _unknown_headers(sheet: Sheet) -> list[str]:
    known = {header for field in PARTNER + FIELDS[sheet.title] for header in field.headers}
    return [header for header in sheet.columns if header not in known]


def _rows_without_partner(sheet: Sheet, name: str) -> Iterator[Warned]:
    partner = [field.name for field in PARTNER if field.name in sheet.columns]
    if not partner:
        return
    for row in sheet.rows.filter(pl.all_horizontal(pl.col(partner).is_null())).iter_rows(named=True):
        header = next(header for header in sheet.columns if row[header] is not None)
        cell = f"{sheet.columns[header]}{row[ROW]}"
        yield Warned(
            messages.ROW_IGNORED, name, sheet=sheet.title, cell=cell, value=row[header], kind="row_without_partner"
        )


def _unusual_ids(rows: pl.DataFrame, sheet: Sheet, name: str) -> Iterator[Warned]:
    """Ids that look like numbers but are compared as text, each once a sheet. Source: spec Q17, Q63."""
    ids = rows.filter(pl.col("partner_id") != "").unique("partner_id", keep="first", maintain_order=True)
    for text, cell in ids.select("partner_id", "partner_id.cell").rows():
        whole, point, decimals = text.partition(".")
        if sheet.oddities.get(cell) is Oddity.INEXACT:
            remark = messages.ID_DIGITS
        elif point and whole.isdecimal() and decimals.isdecimal():
            remark = messages.ID_DECIMALS
        elif text.isdecimal() and text.startswith("0") and len(text) > 1:
            remark = messages.ID_ZEROS
        else:
            continue
        yield Warned(remark, name, sheet=sheet.title, cell=cell, value=text, kind="unusual_id")
