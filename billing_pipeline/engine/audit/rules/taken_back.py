"""What was billed and is no longer there: a row that was removed, a completion that was taken back.

What belongs here: the two. A price that was removed is among the edits of its cell. Source: Q30.
"""

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.tables import COMPLETION_REVOKED, ROW_REMOVED, SNAPSHOT
from billing_pipeline.engine.money import QUANTITY


def rows_removed(removed: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of the rows (BASELINE) that are not in their sheets any more, each worth what was billed of it."""
    gone = removed.filter(pl.col("price").is_not_null()).with_columns(
        first_week_ending="week_ending", modified_by=pl.lit(None, pl.String), permalink=pl.lit(None, pl.String)
    )
    return draft(
        gone,
        ROW_REMOVED,
        "row_removed",
        old=pl.col("price").cast(pl.String),
        delta=-pl.col("price").cast(QUANTITY),
        dollars=pl.col("price"),
        evidence=SNAPSHOT,
        why=pl.format("the row was billed with {} and is no longer in the sheet", "price"),
    )


def completions_revoked(locked: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of billed rows (LOCKED) that are not complete any more, each worth what was billed of it."""
    billed = pl.col("locked_price").is_not_null()
    revoked = locked.filter(billed & ~pl.col("completed").fill_null(value=False))
    return draft(
        revoked,
        COMPLETION_REVOKED,
        "completion_revoked",
        column="completed",
        old=pl.lit("true"),
        new=pl.col("completed").cast(pl.String),
        delta=-pl.col("locked_price").cast(QUANTITY),
        dollars=pl.col("locked_price"),
        evidence=SNAPSHOT,
        why=pl.format("the row was billed with {} and is not complete now: it is no longer billed", "locked_price"),
    )
