"""Weekly workbooks: which rows of the sheets are billed work, grouped by work request and week, and what changed.

What belongs here: which rows count, their groups, the hash by which a group is known to be the same. What does not: the
workbook (`reports.weekly`) and where it goes (`resources.weekly_upload`). Source: spec 1.4, 6 of the billing audit.
"""

from datetime import date
from hashlib import sha256

import polars as pl

from billing_pipeline.engine.audit.tables import ROWS
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema, conform

KEY = ("work_request", "week_ending")
UNKNOWN = "Unknown Foreman"
WEEKLY_ROWS: Schema = {**ROWS, "outside": pl.Boolean}  # `outside`: worked on no day of the week, or on no known day
GROUPS: Schema = {  # a work request's week; key: KEY
    "work_request": pl.String,
    "week_ending": pl.Date,
    "file": pl.String,  # its workbook: <week>/WR_<work request>_WeekEnding_<MMDDYY>.xlsx
    "label": pl.String,  # the work request as file names and the target sheet know it
    "content_hash": pl.String,  # 16 hex digits over everything that the workbook says
    "rows": pl.Int64,
    "total": AMOUNT,
    "foreman": pl.String,  # of the row that was worked on last
    "quarantined": pl.Boolean,  # another work request of the week has the same label: neither has a workbook
}
_NO_MATCH = "NO MATCH"
_LONGEST = 50
_HASHED = (
    "work_request", "work_date", "unit_code", "point", "quantity", "price", "work_type", "department", "scope",
    "completed", "customer", "job", "work_order", "description", "unit_of_measure", "area", "foreman",
)  # fmt: skip
"""In this order a group's rows are sorted, too: the same rows in another order are the same group."""


def weekly_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows (WEEKLY_ROWS) that are billed work, of ROWS: of a work request and week, completed, with a price.

    Units whose code is `NO MATCH` are left out. Sorted as they stand in a workbook. Source: spec 1.4.
    """
    valid = (
        (pl.col("work_request").fill_null("") != "")
        & pl.col("week_ending").is_not_null()
        & pl.col("completed").fill_null(value=False)
        & (pl.col("price") > pl.lit("0").cast(AMOUNT))
        & ~pl.col("unit_code").fill_null("").str.to_uppercase().str.contains(_NO_MATCH, literal=True)
    )
    week = pl.col("work_date").is_between(pl.col("week_ending") - pl.duration(days=6), pl.col("week_ending"))
    counted = conform(rows, ROWS).filter(valid).with_columns(outside=~week.fill_null(value=False))
    return conform(counted.sort(*KEY, *_HASHED[1:], nulls_last=True), WEEKLY_ROWS)


def weekly_groups(rows: pl.DataFrame) -> pl.DataFrame:
    """The groups (GROUPS, by key) of weekly_rows(). Source: spec 6.1-6.3, 6.5."""
    foreman = pl.coalesce(pl.when(pl.col("foreman") != "").then("foreman"), pl.lit(UNKNOWN))
    last = pl.col("work_date").fill_null(date.min).arg_max()
    line = pl.concat_str([_text(name) for name in _HASHED], separator="\x1f")
    grouped = (
        rows.with_columns(line.alias("line"), foreman.alias("named"))
        .group_by(KEY, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("rows"),
            pl.col("price").sum().cast(AMOUNT).alias("total"),
            pl.col("named").get(last).alias("foreman"),
            pl.col("line").str.join("\x1e").alias("lines"),
        )
        .with_columns(label=label_of(pl.col("work_request")))
        .with_columns(
            pl.format(
                "{}/WR_{}_WeekEnding_{}.xlsx",
                pl.col("week_ending").dt.strftime("%Y-%m-%d"),
                "label",
                pl.col("week_ending").dt.strftime("%m%d%y"),
            ).alias("file"),
            (pl.len().over("label", "week_ending") > 1).alias("quarantined"),
        )
    )
    whole = grouped.select(
        pl.concat_str("lines", "foreman", pl.col("total").cast(pl.String), pl.col("rows"), separator="\x1d")
    ).to_series()
    hashes = pl.Series("content_hash", [sha256(text.encode()).hexdigest()[:16] for text in whole], dtype=pl.String)
    return conform(grouped.with_columns(hashes).sort(KEY), GROUPS)


def label_of(work_request: pl.Expr) -> pl.Expr:
    """A work request as file names and the target sheet have it: letters, digits, - and _, 50 of them. Source: 6.3."""
    return (
        work_request.str.extract(r"^\s*([^.]*)")
        .str.strip_chars()
        .str.replace_all(r"[^\w-]", "_")
        .str.slice(0, _LONGEST)
    )


def _text(name: str) -> pl.Expr:
    column = pl.col(name)
    if name == "work_date":
        return column.dt.strftime("%Y-%m-%d").fill_null("")
    return column.cast(pl.String).fill_null("")
