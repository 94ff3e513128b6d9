"""Which month a time entry is billed in: that of its own date; when that is closed for its client, the next open one.

A month is closed for a client by its accepted bill; an entry that such a bill charged belongs to it for ever. So no
entry is billed twice, and none is lost. Source: decision 18; Q9, Q11, Q13.
"""

import polars as pl

from billing_pipeline.engine.managed_services import tables
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema, conform

CLOSED: Schema = {"account": pl.String, "month": pl.Date}
BILLED: Schema = {"source": pl.String, "source_id": pl.String, "account": pl.String, "month": pl.Date}
COUNTED, LATE = "counted", "counted late"
NOT_BILLABLE, DELETED, GONE = "not billable", "its ticket was deleted", "no longer in its source"
ELSEWHERE = "billed to another client"


def charged_in(period: Period) -> pl.Expr:
    """Whether a dated entry is charged on the month's bill: counted in it, or counted late."""
    return pl.col("state").is_in([COUNTED, LATE]) & (pl.col("month") == period.first)


def dated_entries(
    entries: pl.DataFrame, closed: pl.DataFrame, billed: pl.DataFrame, zone: str, *, honour_billable_flag: bool = True
) -> pl.DataFrame:
    """The entries (a kept listing) with `own_month` and `month` (Date, first days), and `state`: how each counts.

    closed: CLOSED, the months of accepted bills. billed: BILLED, the entries in them. Months begin in `zone`.
    honour_billable_flag: as in Policy; what is billed in spite of its flag counts, so that it is billed once as well.
    """
    months = conform(billed, BILLED).select("source", "source_id", charged="month", charged_to="account")
    own = entries.with_columns(
        own_month=pl.col("at").dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.month_start().dt.date()
    )
    dated = (
        own.join(months, on=["source", "source_id"], how="left", maintain_order="left")
        .join(
            _open_again(conform(closed, CLOSED)),
            left_on=["account", "own_month"],
            right_on=["account", "month"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.coalesce("charged", "opened", "own_month").alias("month"))
    )
    state = (
        pl.when(pl.col("charged_to").is_not_null() & pl.col("charged_to").ne_missing(pl.col("account")))
        .then(pl.lit(ELSEWHERE))  # its ticket was moved since
        .when(pl.col("removed_at").is_not_null())
        .then(pl.lit(GONE))
        .when(pl.col("deleted").fill_null(value=False))
        .then(pl.lit(DELETED))
        .when(~pl.col("billable").fill_null(value=True) & pl.lit(honour_billable_flag))
        .then(pl.lit(NOT_BILLABLE))
        .when(pl.col("month") != pl.col("own_month"))
        .then(pl.lit(LATE))
        .otherwise(pl.lit(COUNTED))
    )
    return dated.with_columns(state.alias("state")).drop("charged", "charged_to", "opened")


def book_entries(dated: pl.DataFrame) -> pl.DataFrame:
    """dated_entries() as tables.ENTRIES: what is gone, deleted, or another client's by now is left out."""
    kept = dated.filter(~pl.col("state").is_in([GONE, DELETED, ELSEWHERE]) & pl.col("account").is_not_null())
    named = kept.with_columns(record_id().alias("entry_id"))
    return conform(named, tables.ENTRIES)


def record_id() -> pl.Expr:
    """The one name of a record of a source: `<source>:<source id>`."""
    return pl.concat_str("source", "source_id", separator=":")


def _open_again(closed: pl.DataFrame) -> pl.DataFrame:
    """account, month (closed), opened: the first month after it that is not closed."""
    number = pl.col("month").dt.year() * 12 + pl.col("month").dt.month()
    # months that follow each other have the same distance from their place in the account's list
    run = number - pl.int_range(pl.len()).over("account")
    ordered = closed.unique().sort("account", "month").with_columns(run=run)
    return ordered.with_columns(opened=pl.col("month").max().over("account", "run").dt.offset_by("1mo")).drop("run")
