"""The one number parser and the one date parser: closed lists of accepted forms, told per column what is allowed.

A cell outside its list gives no value and a problem text; only the blank cell is missing. Text is matched before it is
cast, because a cast to decimal rounds silently. Work is done on distinct texts, then spread over the column.
Source: decision 5 and the table "Cells" of the interface document.
"""

import re
from dataclasses import dataclass

import polars as pl
from polars.datatypes import DataType

from billing_pipeline.engine.money import QUANTITY, RATE

WHOLE_DIGITS = 10  # quantities and rates stay below 10^10, as NetSuite's do


@dataclass(frozen=True, slots=True)
class NumberForm:
    """What a column of numbers allows: how many decimals, a sign below zero, an open-ended `5+`.

    parentheses: `(5)` is -5. rounded: further decimals are rounded half away from zero, not refused; for numbers that
    come from a spreadsheet's binary floats, as 0.30000000000000004.
    """

    decimals: int
    dtype: DataType
    negative: bool = False
    open_ended: bool = False
    parentheses: bool = False
    rounded: bool = False


COUNT = NumberForm(decimals=4, dtype=QUANTITY, negative=True)
PRICE = NumberForm(decimals=8, dtype=RATE)
BOUND = NumberForm(decimals=4, dtype=QUANTITY, open_ended=True)

NOT_A_NUMBER = "is not a plain number"
NEGATIVE = "is below zero"
TOO_LARGE = f"has more than {WHOLE_DIGITS} digits before the point"
NOT_A_DATE = "is not a date (accepted: YYYY-MM-DD, M/D/YY, M/D/YYYY, an Excel serial)"
NOT_A_MONTH = "is not a month (accepted: YYYY-MM, YYYY.MM, YYYY/MM, YYYYMM or a date)"

_NUMBER = r"^(\$?[+-]?|[+-]\$)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.([0-9]*))?(\+?)$"
_PARENTHESES = r"^\(\s*(\$?[0-9.,]+)\s*\)$"
_FINE = pl.Decimal(38, 18)  # before it is rounded; what is finer is cut
_SERIAL = r"^([0-9]{4,6})(?:\.[0-9]*)?$"
_ISO = (
    r"^([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_US = r"^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})$"
_MONTH = r"^([0-9]{4})[-./]?([0-9]{2})$"
_EXCEL_EPOCH = pl.date(1899, 12, 30)


def parse_numbers(text: pl.Series, form: NumberForm) -> pl.DataFrame:
    """`text` as exact decimals: columns `value` (form.dtype, null when blank or unreadable) and `problem` (null when
    fine).

    >>> parse_numbers(pl.Series(["5", " 1,200 ", "$7.13", "5%", ""]), COUNT)["value"].to_list()
    [Decimal('5.0000'), Decimal('1200.0000'), Decimal('7.1300'), None, None]
    """
    whole = text.cast(pl.Int64, strict=False)
    whole = whole.set(~whole.is_between(-(10**WHOLE_DIGITS), 10**WHOLE_DIGITS, closed="none"), None)
    if not form.negative:
        whole = whole.set(whole < 0, None)
    plain = whole.cast(form.dtype)
    rest = text.filter(whole.is_null() & text.is_not_null()).unique()
    if rest.is_empty():
        return pl.DataFrame({"value": plain, "problem": pl.repeat(None, len(text), dtype=pl.String, eager=True)})
    parsed = _numbers(rest, form)
    value = text.replace_strict(rest, parsed["value"], default=None, return_dtype=form.dtype)
    problem = text.replace_strict(rest, parsed["problem"], default=None, return_dtype=pl.String)
    return pl.DataFrame({"value": plain, "rest": value, "problem": problem}).select(
        pl.coalesce("value", "rest"), "problem"
    )


def parse_dates(text: pl.Series) -> pl.DataFrame:
    """`text` as calendar dates: columns `value` (Date) and `problem`; time of day and zone are dropped as written.

    >>> parse_dates(pl.Series(["2026-01-05", "1/5/26", "46027", "2026-02-30"]))["value"].to_list()[:3]
    [datetime.date(2026, 1, 5), datetime.date(2026, 1, 5), datetime.date(2026, 1, 5)]
    """
    return _spread(text, _dates, NOT_A_DATE)


def parse_months(text: pl.Series) -> pl.DataFrame:
    """`text` as months: columns `value` (Date, first of the month) and `problem`. Takes month spellings and dates.

    >>> parse_months(pl.Series(["2026.02", "202602", "2026-02-17"]))["value"].unique().to_list()
    [datetime.date(2026, 2, 1)]
    """
    return _spread(text, _months, NOT_A_MONTH)


def key_text(text: pl.Expr) -> pl.Expr:
    """Identifiers and names as they are compared: trimmed, missing as empty text. Source: spec 1.6 key()."""
    return text.str.strip_chars().fill_null("")


def has_text(text: pl.Expr) -> pl.Expr:
    """Whether key_text() would leave anything."""
    return text.str.contains(r"\S").fill_null(value=False)


def header_name(text: str) -> str:
    """A column header as it is matched: lower case, runs of other characters than a-z, 0-9 as one underscore.

    >>> header_name(" ER FEE ($)")
    'er_fee'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")


def month_day_year(day: pl.Expr) -> pl.Expr:
    """A Date as `M/D/YY` text, missing as null: how dates are written in the reports. Source: spec 1.6."""
    return pl.format("{}/{}/{}", day.dt.month(), day.dt.day(), day.dt.strftime("%y"))


def _numbers(text: pl.Series, form: NumberForm) -> pl.DataFrame:
    plain = text.str.strip_chars()
    parts = (
        pl.DataFrame({"text": plain.str.replace(_PARENTHESES, "-${1}") if form.parentheses else plain})
        .with_columns(pl.col("text").str.extract_groups(_NUMBER).alias("parts"))
        .select(
            "text",
            pl.col("parts").struct.field("1").alias("sign"),
            pl.col("parts").struct.field("2").str.replace_all(",", "").str.strip_chars_start("0").alias("whole"),
            pl.col("parts").struct.field("3").fill_null("").str.strip_chars_end("0").alias("fraction"),
            pl.col("parts").struct.field("4").alias("plus"),
            (pl.col("parts").struct.field("1").is_not_null() & pl.col("text").str.contains("[0-9]")).alias("matched"),
        )
    )
    minus = pl.col("sign").str.contains("-", literal=True) & ((pl.col("whole") != "") | (pl.col("fraction") != ""))
    problem = (
        pl.when(pl.col("text") == "")
        .then(None)
        .when(~pl.col("matched"))
        .then(pl.lit(NOT_A_NUMBER))
        .when(pl.lit(not form.open_ended) & (pl.col("plus") != ""))
        .then(pl.lit(NOT_A_NUMBER))
        .when(pl.lit(not form.negative) & minus)
        .then(pl.lit(NEGATIVE))
        .when(pl.col("whole").str.len_bytes() > WHOLE_DIGITS)
        .then(pl.lit(TOO_LARGE))
        .when(pl.lit(not form.rounded) & (pl.col("fraction").str.len_bytes() > form.decimals))
        .then(pl.lit(f"has more than {form.decimals} decimals"))
    )
    canonical = pl.format(
        "{}{}.{}",
        pl.when(minus).then(pl.lit("-")).otherwise(pl.lit("")),
        _or_zero("whole"),
        _or_zero("fraction").str.slice(0, 18),
    )
    number = pl.when(pl.col("problem").is_null() & (pl.col("text") != "")).then(canonical).cast(_FINE)
    return parts.with_columns(problem.alias("problem")).select(
        number.round(form.decimals, mode="half_away_from_zero").cast(form.dtype).alias("value"), "problem"
    )


def _or_zero(column: str) -> pl.Expr:
    return pl.when(pl.col(column) == "").then(pl.lit("0")).otherwise(pl.col(column))


def _spread(text: pl.Series, value: pl.Expr, message: str) -> pl.DataFrame:
    """Parse the distinct texts with `value` (an expression over column `text`, trimmed) and map the column to them."""
    distinct = text.drop_nulls().unique()
    parsed = pl.DataFrame({"text": distinct.str.strip_chars()}).select(
        value.alias("value"),
        pl.when(value.is_null() & (pl.col("text") != "")).then(pl.lit(message)).alias("problem"),
    )
    return pl.DataFrame(
        {
            "value": _mapped(text, distinct, parsed["value"]),
            "problem": _mapped(text, distinct, parsed["problem"]),
        }
    )


def _mapped(text: pl.Series, old: pl.Series, new: pl.Series) -> pl.Series:
    if new.null_count() == len(new):
        return pl.repeat(None, len(text), dtype=new.dtype, eager=True)
    return text.replace_strict(old, new, default=None, return_dtype=new.dtype)


def _day(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """The date of three numbers as text, null when there is no such day or the year is not in 1900 to 2199."""
    iso = pl.concat_str([year, month.str.zfill(2), day.str.zfill(2)], separator="-")
    date = iso.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(date.dt.year().is_between(1900, 2199)).then(date)


def _group(pattern: str, number: int) -> pl.Expr:
    return pl.col("text").str.extract(pattern, number)


def _short_year(year: pl.Expr) -> pl.Expr:
    two_digits = pl.when(year.cast(pl.Int32, strict=False) < 70).then(pl.lit("20")).otherwise(pl.lit("19"))
    return pl.when(year.str.len_bytes() == 4).then(year).otherwise(two_digits + year)


_serial_number = _group(_SERIAL, 1).cast(pl.Int32)
_dates = pl.coalesce(
    _day(_group(_ISO, 1), _group(_ISO, 2), _group(_ISO, 3)),
    _day(_short_year(_group(_US, 3)), _group(_US, 1), _group(_US, 2)),
    pl.when(_serial_number.is_between(1000, 100_000)).then(_EXCEL_EPOCH + pl.duration(days=_serial_number)),
)
_months = pl.coalesce(_day(_group(_MONTH, 1), _group(_MONTH, 2), pl.lit("01")), _dates.dt.truncate("1mo"))
