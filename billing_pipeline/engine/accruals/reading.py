"""Totals and variance files, read: the product's own and those of the system it replaces. Bytes in, frames out."""

import io

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.money import cents

_TOTALS = {"Usage": "usage", "Next_Day": "next_day", "Minimums": "minimums", "Total": "total"}
_WIDE = pl.Decimal(38, 12)
_MOST = 20  # problems told of one file
_DIGITS = r"^[+-]?[0-9]{1,16}(\.[0-9]{0,18})?$"


def totals_from_csv(data: bytes, name: str) -> pl.DataFrame:
    """customer, usage, next_day, minimums, total (AMOUNT) of a totals file; InputError with every line that is wrong.

    >>> totals_from_csv(b"Customer,Usage,Next_Day,Minimums,Total\\nAcme,1.5,0.0,0.0,1.5\\n", "t.csv").row(0)[-1]
    Decimal('1.50')
    """
    table = _csv(data, name)
    _require(table, ["Customer", *_TOTALS], name)
    amounts, problems = _amounts(table, list(_TOTALS), name)
    problems += _name_problems(table, name)
    sums = pl.sum_horizontal("Usage", "Next_Day", "Minimums") != pl.col("Total")
    problems += [
        Problem("Total is not the sum of Usage, Next_Day and Minimums", name, line=row + 2, cell="Total")
        for row in amounts.with_row_index("row").filter(sums)["row"]
    ]
    if problems:
        raise InputError(problems[:_MOST])
    named = table.select(pl.col("Customer").alias("customer")).hstack(amounts.rename(_TOTALS))
    return named.sort("customer")


def variance_from_csv(data: bytes, name: str) -> pl.DataFrame:
    """A variance file with its amounts as decimals; InputError when it is none."""
    table = _csv(data, name)
    _require(table, ["Customer", "Estimated", "Actual", "Variance", "Variance_Pct", "Flag"], name)
    numbers = [column for column in table.columns if column not in ("Customer", "Flag")]
    amounts, problems = _amounts(table, numbers, name)
    if problems:
        raise InputError(problems[:_MOST])
    return table.with_columns(amounts)


def _csv(data: bytes, name: str) -> pl.DataFrame:
    try:
        data.decode("utf-8")
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"is not UTF-8 (byte {error.start})", file=name)) from None
    except pl.exceptions.PolarsError as error:
        raise InputError(Problem(f"is not a CSV table: {str(error).splitlines()[0]}", file=name)) from None


def _amounts(table: pl.DataFrame, columns: list[str], name: str) -> tuple[pl.DataFrame, list[Problem]]:
    """The columns as AMOUNT, and what of them is no number; a blank cell is nothing, that is 0.00."""
    texts = table.select(pl.col(columns).str.strip_chars().fill_null(""))
    wrong = texts.select((pl.col(columns) != "") & ~pl.col(columns).str.contains(_DIGITS))
    problems = [
        Problem("is not a number", name, line=row + 2, cell=column, value=texts[column][row])
        for column in columns
        for row in wrong[column].arg_true().head(_MOST)
    ]
    if problems:
        return texts, problems
    numbers = pl.col(columns).replace("", "0").str.replace(r"(\.[0-9]{12})[0-9]*", "$1")
    return texts.select(cents(numbers.cast(_WIDE))), []


def _name_problems(table: pl.DataFrame, name: str) -> list[Problem]:
    names = table.select("Customer").with_row_index("row", offset=2)
    blank = names.filter(pl.col("Customer").fill_null("").str.strip_chars() == "")
    twice = names.filter(pl.col("Customer").is_duplicated() & pl.col("Customer").is_not_null())
    return [Problem("a line has no customer", name, line=row, cell="Customer") for row in blank["row"].head(_MOST)] + [
        Problem("a customer stands there twice", name, line=row["row"], cell="Customer", value=row["Customer"])
        for row in twice.head(_MOST).to_dicts()
    ]


def _require(table: pl.DataFrame, columns: list[str], name: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        seen = ", ".join(table.columns[:12])
        raise InputError(Problem(f"column {', '.join(missing)} is missing; it has: {seen}", file=name))
