"""What a run of the audit knows: what it has read, and what it remembers of earlier runs.

What belongs here: the two, which sheets can be judged at all, and what the next run compares with.
Source: spec 9.2 of the billing audit; Q1, Q2, Q6.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import polars as pl

from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.audit.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Read:
    """What a run has read. A source without any history of cells leaves the last two empty.

    sheets: SHEETS. now: the snapshot of those that could be read; one that was skipped, because nothing in it changed,
    is as it was before. examined: EXAMINED of to_examine(), with what came of each cell. revisions: REVISIONS of the
    cells that were READ, the whole history of each.
    """

    sheets: pl.DataFrame
    now: Snapshot
    examined: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.EXAMINED))
    revisions: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.REVISIONS))


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs left; nothing before the very first.

    rows: ROWS of each sheet as it was last judged, and seen: SEEN, when that was; see kept(). baseline: BASELINE.
    events: EVENTS, at least those of findings that are open. watermarks: WATERMARKS.
    """

    rows: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.ROWS))
    seen: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.SEEN))
    baseline: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.BASELINE))
    events: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.EVENTS))
    watermarks: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=tables.WATERMARKS))


def kept(read: Read, memory: Memory, now_at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rows` and `seen` for the memory of the next run: of sheets that could not be judged now as they were before."""
    now = read.sheets.filter(why_not_judged() == "").select("sheet_id", at=pl.lit(now_at, tables.UTC_TIME))
    rows, seen = (frame.join(now, on="sheet_id", how="anti") for frame in (memory.rows, memory.seen))
    return pl.concat([judged(read.now.rows, read.sheets), rows]), pl.concat([now, seen])


def why_not_judged() -> pl.Expr:
    """Why a sheet (SHEETS) cannot be judged in this run; "" when it can. Its rows then keep their findings as they are.

    A sheet that lacks a column, or gave fewer rows than it has, would look as if everything had been taken back.
    """
    error, missing = pl.col("error").fill_null(""), pl.col("missing").fill_null("")
    return (
        pl.when(error != "")
        .then(error)
        .when(missing != "")
        .then(pl.format("it has no column {}", missing))
        .when(pl.col("read") < pl.col("rows"))
        .then(pl.format("{} of its {} rows were read", "read", "rows"))
        .otherwise(pl.lit(""))
    )


def judged(frame: pl.DataFrame, sheets: pl.DataFrame) -> pl.DataFrame:
    """The rows of `frame` (sheet_id) that are of a sheet that can be judged."""
    ids = sheets.filter(why_not_judged() == "")["sheet_id"]
    return frame.filter(pl.col("sheet_id").is_in(ids.implode()))
