"""Dates that cannot be: too far back, too far ahead, work that is not done yet.

What belongs here: dates that can be read. What does not: texts that are no date (data). Source: spec 2.1 A2, 9.5; Q12.
"""

from datetime import date

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import cell_text
from billing_pipeline.engine.audit.tables import DATE_TOO_FUTURE, DATE_TOO_OLD, FUTURE_WORK_DATE
from billing_pipeline.engine.audit.thresholds import Thresholds

_DATES = ("week_ending", "work_date")


def odd_dates(rows: pl.DataFrame, thresholds: Thresholds, today: date) -> pl.DataFrame:
    """DRAFT of the dates of rows (ROWS), at most one each: a date too far ahead is not also one after today."""
    return pl.concat(_odd(rows, column, thresholds, today) for column in _DATES)


def _odd(rows: pl.DataFrame, column: str, thresholds: Thresholds, today: date) -> pl.DataFrame:
    day, text = pl.col(column), cell_text(column)
    old, ahead = thresholds.oldest_years, thresholds.furthest_years
    not_done = (day > today) if column == "work_date" else pl.lit(value=False)
    category = (
        pl.when(day.dt.year() < today.year - old)
        .then(pl.lit(DATE_TOO_OLD))
        .when(day.dt.year() > today.year + ahead)
        .then(pl.lit(DATE_TOO_FUTURE))
        .when(not_done)
        .then(pl.lit(FUTURE_WORK_DATE))
    )
    found = rows.with_columns(category=category).filter(pl.col("category").is_not_null())
    what = pl.lit(column.replace("_", " "))
    why = (
        pl.when(pl.col("category") == DATE_TOO_OLD)
        .then(pl.format("{} is {}, a year more than {} years back", what, text, pl.lit(old)))
        .when(pl.col("category") == DATE_TOO_FUTURE)
        .then(pl.format("{} is {}, a year more than {} years ahead", what, text, pl.lit(ahead)))
        .otherwise(pl.format("{} is {}, after today", what, text))
    )
    return draft(found, pl.col("category"), "date_sanity", column=column, new=text, discriminator=text, why=why)
