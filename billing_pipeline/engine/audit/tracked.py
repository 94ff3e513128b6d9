"""The tracked cells that may have a story: what they are held to, what they are, and what is known to have happened.

What belongs here: the cells of locked rows that differ or were touched, and their events. What does not: which of them
are findings (rules.edits). Source: spec 9.1, 9.2 of the billing audit; Q7, Q17.
"""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.history import tracked_texts
from billing_pipeline.engine.audit.inputs import Memory, Read
from billing_pipeline.engine.audit.keys import with_event_keys
from billing_pipeline.engine.audit.locking import LOCKED
from billing_pipeline.engine.audit.snapshot import CELL, KEY, cell_text, is_billable, rows_of
from billing_pipeline.engine.audit.tables import EVENTS, HISTORY, READ, SNAPSHOT, TRACKED, UTC_TIME
from billing_pipeline.engine.money import QUANTITY
from billing_pipeline.engine.tables import Schema, conform

CELLS: Schema = {  # key: sheet_id, row_id, column
    **{name: LOCKED[name] for name in LOCKED if name != "update"},
    "column": pl.String,  # one of TRACKED
    "late": pl.Boolean,  # its row is billed now and was not when its week closed
    "locked": QUANTITY,
    "current": QUANTITY,
    "old": pl.String,  # locked, as text
    "new": pl.String,  # current, as text; one that cannot be read as it is
}
OBSERVED: Schema = {  # EVENTS before it is known what they belong to
    **{name: EVENTS[name] for name in EVENTS if name != "finding_key"},
    "number": QUANTITY,  # what `new` says
    "fresh": pl.Boolean,  # it happened since the cell was last examined
}


def tracked_cells(locked: pl.DataFrame, steps: pl.DataFrame, read: Read, memory: Memory) -> pl.DataFrame:
    """CELLS of the rows (LOCKED) that differ from what they are held to, or have steps or remembered events."""
    touched = pl.concat([steps.select(KEY), memory.events.select(KEY)])
    late = pl.col("locked_price").is_null() & is_billable()
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"locked_{name}")) for name in TRACKED)
    billed = pl.col("locked_price").is_not_null()
    other = rows_of(locked, touched).filter(billed & ~differs)
    rows = pl.concat([locked.filter(late | (billed & differs)), other]).with_columns(late=late)
    texts = tracked_texts(read.now, rows.select(KEY)).rename({"text": "new"})
    cells = [
        rows.with_columns(
            column=pl.lit(column),
            locked=pl.col(f"locked_{column}").cast(QUANTITY),
            current=pl.col(column).cast(QUANTITY),
            old=rows.select(pl.col(f"locked_{column}").alias(column)).select(cell_text(column))[column],
        )
        for column in TRACKED
    ]
    return conform(pl.concat(cells).join(texts, on=CELL, how="left"), CELLS).sort(CELL)


def cell_events(cells: pl.DataFrame, steps: pl.DataFrame, read: Read, memory: Memory, now_at: datetime) -> pl.DataFrame:
    """OBSERVED: every step of the cells (CELLS) since they were locked.

    Of a cell without any step, and whose history is not awaited either, the difference of the two snapshots.
    """
    since = steps.join(cells.select(*CELL, "locked_at"), on=CELL).filter(pl.col("at") >= pl.col("locked_at"))
    by_history = since.with_columns(evidence=pl.lit(HISTORY))
    awaited = read.examined.filter(pl.col("state") != READ)
    others = cells.join(steps, on=CELL, how="anti").join(awaited, on=CELL, how="anti")
    by_snapshot = (
        others.join(values_before(others, memory), on=CELL)
        .filter(pl.col("before").ne_missing(pl.col("current")))
        .select(
            *CELL,
            pl.coalesce("modified_at", pl.lit(now_at, UTC_TIME)).alias("at"),
            pl.col("before_text").alias("old"),
            "new",
            pl.col("modified_by").fill_null("").alias("by"),
            pl.lit(SNAPSHOT).alias("evidence"),
            pl.col("current").alias("number"),
        )
    )
    observed = with_event_keys(pl.concat([by_history.select(by_snapshot.columns), by_snapshot]))
    known = pl.col("event_key").is_in(memory.events["event_key"].implode())
    earlier = pl.col("at") <= pl.col("watermark")
    marked = observed.join(read.examined.select(*CELL, "watermark"), on=CELL, how="left")
    return conform(marked.with_columns(fresh=~(known | earlier.fill_null(value=False))), OBSERVED)


def values_before(cells: pl.DataFrame, memory: Memory) -> pl.DataFrame:
    """sheet_id, row_id, column, before (QUANTITY), before_text of the cells that the snapshot before had.

    A row that comes late was worth nothing before it was billed, or before it was there at all.
    """
    was = rows_of(memory.rows, cells).with_columns(was=is_billable())
    parts = [
        was.select(
            *KEY,
            pl.lit(column).alias("column"),
            pl.col("week_ending").alias("week_was"),
            "was",
            pl.col(column).cast(QUANTITY).alias("before"),
            cell_text(column).alias("before_text"),
        )
        for column in TRACKED
    ]
    joined = cells.select(*CELL, "late", "week_ending").join(pl.concat(parts), on=CELL, how="left")
    nothing = pl.col("late") & ~(pl.col("was") & (pl.col("week_was") == pl.col("week_ending"))).fill_null(value=False)
    there = joined.filter(pl.col("was").is_not_null() | pl.col("late"))
    return there.select(
        *CELL,
        pl.lit(value=True).alias("seen"),
        *(pl.when(~nothing).then(name).alias(name) for name in ("before", "before_text")),
    )
