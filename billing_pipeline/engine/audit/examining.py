"""Which cells' history is worth asking for, dearest first; and up to when each was examined afterwards.

What belongs here: the choice and its book-keeping. What does not: the asking, which is slow (30 cells a minute).
Source: spec 7.6, 9.2 of the billing audit; Q17.
"""

from datetime import UTC, datetime

import polars as pl

from billing_pipeline.engine.audit.history import STEPS
from billing_pipeline.engine.audit.inputs import Memory, judged
from billing_pipeline.engine.audit.locking import locked_rows
from billing_pipeline.engine.audit.snapshot import CELL, KEY, rows_of
from billing_pipeline.engine.audit.tables import (
    CARRIED,
    EXAMINED,
    READ,
    TRACKED,
    UTC_TIME,
    WANTED,
    WATERMARKS,
)
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.tables import conform

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def to_examine(
    rows: pl.DataFrame,
    sheets: pl.DataFrame,
    memory: Memory,
    thresholds: Thresholds,
    now_at: datetime,
    zone: str,
    budget: int,
) -> pl.DataFrame:
    """EXAMINED: the tracked cells whose history is needed, dearest line first; the first `budget` are WANTED, the
    others CARRIED to the next run.

    Needed: of rows (ROWS) that are complete or were billed, and were modified after their first week closed and since
    they were last examined. The caller replaces WANTED by READ or FAILED. In a sheet's first run the look-back counts.
    """
    mine = judged(rows, sheets)
    nothing_yet = pl.DataFrame(schema=STEPS)
    locked = locked_rows(mine, nothing_yet, memory, thresholds, now_at, zone)
    candidates = locked.filter(
        (pl.col("locked_price").is_not_null() | pl.col("completed")) & (pl.col("modified_at") >= pl.col("locked_at"))
    )
    known = pl.col("sheet_id").is_in(memory.seen["sheet_id"].implode())
    before = rows_of(memory.rows, candidates)
    look_back = pl.lit(now_at - thresholds.look_back, UTC_TIME)
    since = pl.when(known).then(pl.lit(_EVER, UTC_TIME)).otherwise(look_back)
    cells = (
        candidates.join(before.select(*KEY, was_at="modified_at", was_price="price"), on=KEY, how="left")
        .join(pl.DataFrame({"column": TRACKED}), how="cross")
        .join(conform(memory.watermarks, WATERMARKS), on=CELL, how="left")
        .with_columns(watermark=pl.coalesce("at", "was_at", since))
        .filter(pl.col("modified_at") > pl.col("watermark"))
        .with_columns(dollars=pl.max_horizontal(pl.col("price").abs(), "locked_price", pl.col("was_price").abs()))
        .sort("dollars", *CELL, descending=[True, False, False, False], nulls_last=True)
    )
    state = pl.when(pl.int_range(pl.len()) < budget).then(pl.lit(WANTED)).otherwise(pl.lit(CARRIED))
    return conform(cells.with_columns(state=state), EXAMINED)


def watermarks(examined: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """WATERMARKS after a run: of a cell that was READ the moment its row was modified, of the others what they were."""
    modified = rows_of(rows, examined).select(*KEY, "modified_at")
    joined = conform(examined, EXAMINED).join(modified, on=KEY, how="left")
    at = pl.when(pl.col("state") == READ).then(pl.coalesce("modified_at", "watermark")).otherwise("watermark")
    return conform(joined.with_columns(at=at), WATERMARKS)
