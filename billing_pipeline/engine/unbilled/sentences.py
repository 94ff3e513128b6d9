"""Figures as the sentences of findings hold them. Source: U7 of unbilled hours."""

from datetime import date

import polars as pl

from billing_pipeline.engine.unbilled.ageing import age_days


def figure(value: pl.Expr) -> pl.Expr:
    """A number that is not below zero with two decimals, thousands separated; null stays null.

    >>> frame = pl.DataFrame({"a": ["1234567.5", "0.005"]}).cast(pl.Decimal(18, 8))
    >>> frame.select(figure(pl.col("a")))["a"].to_list()
    ['1,234,567.50', '0.01']
    """
    rounded = value.round(2, mode="half_away_from_zero").cast(pl.Decimal(38, 2)).cast(pl.String)
    whole = rounded.str.head(-3).str.reverse().str.replace_all("([0-9]{3})", "${1},").str.strip_chars_end(",")
    return whole.str.reverse() + rounded.str.tail(3)


def worth() -> pl.Expr:
    """`15.00 hours worth 2,250.00`, of columns hours and dollars."""
    hours = figure(pl.col("hours"))
    known = pl.format("{} hours worth {}", hours, figure(pl.col("dollars")))
    return known.fill_null(pl.format("{} hours of unknown worth", hours))


def how_old(as_of: date) -> pl.Expr:
    """`, the oldest 34 days old`, of column oldest; nothing without a date."""
    days = age_days(pl.col("oldest"), as_of)
    unit = pl.when(days == 1).then(pl.lit("day")).otherwise(pl.lit("days"))
    return pl.format(", the oldest {} {} old", days, unit).fill_null("")


def place() -> pl.Expr:
    """` (logs.csv, line 7)`, of columns file and line; nothing where a log did not come from a file."""
    known = pl.format(" ({}, line {})", "file", "line").fill_null(pl.format(" ({})", "file"))
    return pl.when(pl.col("file") == "").then(pl.lit("")).otherwise(known)
