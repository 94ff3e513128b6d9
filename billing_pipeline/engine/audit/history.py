"""The history of tracked cells as steps from value to value.

What belongs here: which revisions can be believed, and what each changed. What does not: whether it was allowed.
Source: spec 1.3, 2.1, 9.1 of the billing audit; Q7, Q8, Q14.
"""

import polars as pl

from billing_pipeline.engine.audit.inputs import Read
from billing_pipeline.engine.audit.snapshot import CELL, KEY, Snapshot, cell_text, parse_cells, rows_of
from billing_pipeline.engine.audit.tables import EXAMINED, READ, REVISIONS, TRACKED, UTC_TIME
from billing_pipeline.engine.money import QUANTITY
from billing_pipeline.engine.tables import Schema, conform

STEPS: Schema = {  # a revision that changed its cell, by cell in order of time
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "at": UTC_TIME,
    "old": pl.String,
    "new": pl.String,
    "number": QUANTITY,  # what `new` says; null: nothing that can be read
    "by": pl.String,
}


def steps(read: Read) -> pl.DataFrame:
    """STEPS of the cells whose history was read and ends in the value of the snapshot.

    One that ends in another value is not believed in this run: it is ahead of the snapshot, and the row comes again, or
    is that of a formula, whose results have no history. A revision that changes nothing is no step.
    """
    pending = conform(read.examined, EXAMINED).filter(pl.col("state") != READ)
    revisions = conform(read.revisions, REVISIONS).join(pending, on=CELL, how="anti")
    typed = [_typed(revisions.filter(pl.col("column") == column), column) for column in TRACKED]
    ordered = pl.concat(typed).sort(*CELL, "at", "new", nulls_last=False).with_columns(
        old=pl.col("new").shift(1).over(CELL)
    )  # fmt: skip
    newest = ordered.group_by(CELL).agg(pl.col("new").last())
    values = tracked_texts(read.now, newest.select(KEY).unique())
    in_step = newest.join(values, on=CELL).filter(pl.col("new").eq_missing(pl.col("text")))
    changed = ordered.filter(pl.col("new").ne_missing(pl.col("old"))).join(in_step, on=CELL, how="semi")
    return conform(changed, STEPS)


def tracked_texts(now: Snapshot, rows: pl.DataFrame) -> pl.DataFrame:
    """sheet_id, row_id, column, text of the tracked cells of `rows` (sheet_id, row_id); unreadable ones as they are."""
    wanted = rows_of(now.rows, rows)
    texts = pl.concat(wanted.select(*KEY, pl.lit(column).alias("column"), text=cell_text(column)) for column in TRACKED)
    return texts.join(now.problems.select(*CELL, "value"), on=CELL, how="left").select(
        *CELL, pl.coalesce("text", "value").alias("text")
    )


def _typed(revisions: pl.DataFrame, column: str) -> pl.DataFrame:
    """Columns `new` (the value's text) and `number`."""
    raw = revisions["value"].str.strip_chars()
    raw = raw.set((raw == "").fill_null(value=False), None)
    value = parse_cells(column, raw)["value"].rename(column)
    text = value.to_frame().with_columns(raw=raw).select(pl.coalesce(cell_text(column), "raw").alias("new"))
    return revisions.with_columns(text["new"], value.cast(QUANTITY).alias("number"), pl.col("by").fill_null(""))
