"""What rows were billed with, from findings that are still told of them, when the baseline itself was lost.

What belongs here: the way back from a finding to the values it is held to. What does not: reading them (the log sheet).
Source: spec 9.2 of the billing audit (BOOTSTRAP); Q5.
"""

from datetime import timedelta

import polars as pl

from billing_pipeline.engine.audit.closing import closes
from billing_pipeline.engine.audit.locking import LOCKED
from billing_pipeline.engine.audit.snapshot import KEY, parse_cells
from billing_pipeline.engine.audit.tables import (
    BASELINE,
    COMPLETION_REVOKED,
    EDIT_AFTER_CLOSE,
    LATE_ENTRY,
    PRICE_REMOVED,
    ROW_REMOVED,
    TRACKED,
    WEEK_MOVED,
)
from billing_pipeline.engine.tables import conform

_HELD = (EDIT_AFTER_CLOSE, LATE_ENTRY, PRICE_REMOVED, ROW_REMOVED, WEEK_MOVED, COMPLETION_REVOKED)
"""Findings that compare a row with what was billed of it."""


def baseline_of(findings: pl.DataFrame, rows: pl.DataFrame, grace: timedelta, zone: str) -> pl.DataFrame:
    """BASELINE of the rows that open findings compare with their billing. rows: ROWS, as they are now.

    findings: category, sheet_id, row_id, column, old, work_request, week_ending (Date), first_seen_at. What no finding
    of the row tells is taken as it is now, and all of it as billed when the week closed; without this, the next run
    would hold it all to today's values, and every finding of it would count as resolved.
    """
    told = findings.filter(pl.col("category").is_in(_HELD)).with_columns(
        cell=pl.when(pl.col("category") == ROW_REMOVED).then(pl.lit("price")).otherwise("column")
    )
    billed = told.group_by(KEY, maintain_order=True).agg(
        pl.col("work_request", "week_ending").first().name.suffix("_told"),
        removed=(pl.col("category") == ROW_REMOVED).any(),
        seen=pl.col("first_seen_at").min(),
    )
    now = rows.select(*KEY, "work_request", "week_ending", *TRACKED)
    joined = billed.join(now, on=KEY, how="left", maintain_order="left").with_columns(
        work_request=pl.coalesce("work_request", "work_request_told"),
        week_ending=pl.when("removed").then("week_ending_told").otherwise("week_ending"),
    )
    for column in TRACKED:
        mine = told.filter(pl.col("cell") == column).unique(KEY, keep="first", maintain_order=True)
        locked = parse_cells(column, mine["old"])["value"].cast(LOCKED[f"locked_{column}"])
        joined = _told(joined, mine.select(KEY).with_columns(locked.alias("told")), column)
    moved = told.filter(pl.col("category") == WEEK_MOVED).unique(KEY, keep="first", maintain_order=True)
    first = moved.select(*KEY, told=pl.col("old").str.to_date("%Y-%m-%d", strict=False))
    placed = _told(joined, first, "week_ending")
    # an edit before this moment would be part of what was billed, so it is not the time of the finding
    billed_at = pl.coalesce(closes(pl.col("week_ending"), zone, grace), "seen")
    return conform(placed.with_columns(billed_at=billed_at), BASELINE)


def _told(rows: pl.DataFrame, told: pl.DataFrame, column: str) -> pl.DataFrame:
    """The column as a finding tells it, null included, else as it is."""
    joined = rows.join(told.with_columns(is_told=pl.lit(value=True)), on=KEY, how="left", maintain_order="left")
    value = pl.when(pl.col("is_told").is_not_null()).then("told").otherwise(column)
    return joined.with_columns(value.alias(column)).drop("told", "is_told")
