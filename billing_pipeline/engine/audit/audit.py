"""The detection of the billing audit: from what was read and what is remembered to findings, events and coverage.

What belongs here: the order of the steps, and what of a run is verified. What does not: the rules (rules), what
becomes of a finding from run to run (engine.findings). Source: spec 9.1, 9.2 of the billing audit; Q4, Q9, Q17.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.audit.drafting import finished
from billing_pipeline.engine.audit.examining import watermarks
from billing_pipeline.engine.audit.history import steps
from billing_pipeline.engine.audit.inputs import Memory, Read, judged, why_not_judged
from billing_pipeline.engine.audit.keys import with_event_keys, with_finding_keys
from billing_pipeline.engine.audit.locking import baseline_updates, locked_rows
from billing_pipeline.engine.audit.rules.data import missing_values, not_positive, unreadable_values
from billing_pipeline.engine.audit.rules.dates import odd_dates
from billing_pipeline.engine.audit.rules.duplicates import duplicates
from billing_pipeline.engine.audit.rules.edits import edits
from billing_pipeline.engine.audit.rules.prices import price_anomalies
from billing_pipeline.engine.audit.rules.rates import RateCheck, rate_mismatches
from billing_pipeline.engine.audit.rules.taken_back import completions_revoked, rows_removed
from billing_pipeline.engine.audit.rules.weeks import outside_week, weeks_moved
from billing_pipeline.engine.audit.snapshot import KEY, Snapshot, rows_of
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.audit.tracked import cell_events, tracked_cells
from billing_pipeline.engine.findings import CLEAN, FINDINGS, NOT_VERIFIED
from billing_pipeline.engine.tables import conform


@dataclass(frozen=True, slots=True)
class Detected:
    """What a run found. found: FOUND. events: EVENTS of this run. baseline_updates: BASELINE rows to add or replace.

    watermarks: WATERMARKS to set. verified: sheet_id, row_id of the rows, those that are gone included, that could be
    judged. coverage: COVERAGE, a row for each sheet. skipped: SKIPPED. bootstrap: nothing was remembered before.
    """

    found: pl.DataFrame
    events: pl.DataFrame
    baseline_updates: pl.DataFrame
    watermarks: pl.DataFrame
    verified: pl.DataFrame
    coverage: pl.DataFrame
    skipped: pl.DataFrame
    bootstrap: bool


def detect(
    read: Read, memory: Memory, rates: pl.DataFrame, thresholds: Thresholds, now_at: datetime, zone: str
) -> Detected:
    """Everything that is wrong with the sheets as they were read. rates: RATES, without a row when there are none.

    A sheet that could not be read, or not wholly, is left out: nothing is found in it, nothing of it is verified. In
    the very first run, and the first of a sheet, values are taken as they stand `look_back` ago.
    """
    seen = replace(read, now=Snapshot(judged(read.now.rows, read.sheets), judged(read.now.problems, read.sheets)))
    rows = seen.now.rows
    revised = steps(seen)
    locked = locked_rows(rows, revised, memory, thresholds, now_at, zone)
    cells = tracked_cells(locked, revised, seen, memory)
    edited = edits(cells, cell_events(cells, revised, seen, memory, now_at), memory, thresholds)
    remembered, billed = (_no_more(frame, seen) for frame in (memory.rows, memory.baseline))
    gone = rows_removed(billed)
    moved = pl.concat([gone, completions_revoked(locked), weeks_moved(locked)])
    rated = rate_mismatches(rows, rates, thresholds)
    drafts = pl.concat([edited.drafts, moved, *_values(seen.now, rated, thresholds, now_at, zone)])
    events = pl.concat([edited.events, _row_events(moved, rows, memory, now_at)])
    known = pl.concat([conform(memory.events, tables.EVENTS), events])
    return Detected(
        found=finished(drafts, known, locked, thresholds, now_at, zone),
        events=events.sort("at", "event_key"),
        baseline_updates=baseline_updates(locked),
        watermarks=watermarks(read.examined, rows),
        verified=_verified(seen, remembered, billed),
        coverage=_coverage(read, memory),
        skipped=rated.skipped,
        bootstrap=memory.seen.is_empty(),
    )


def status(found: pl.DataFrame, coverage: pl.DataFrame) -> str:
    """NOT_VERIFIED when anything could not be looked at, else FINDINGS when there are any (FOUND), else CLEAN.

    Information is no finding, nor is an edit that was taken back. Source: Q4.
    """
    if coverage.filter((pl.col("error") != "") | (pl.col("not_verified") > 0)).height or coverage.is_empty():
        return NOT_VERIFIED
    open_ones = found.filter((pl.col("severity") != tables.INFO) & (pl.col("category") != tables.TRANSIENT_EDIT))
    return CLEAN if open_ones.is_empty() else FINDINGS


def _values(now: Snapshot, rated: RateCheck, thresholds: Thresholds, now_at: datetime, zone: str) -> list[pl.DataFrame]:
    """DRAFT of the rules that judge values as they stand."""
    today = pl.select(pl.lit(now_at, tables.UTC_TIME).dt.convert_time_zone(zone).dt.date()).item()
    return [
        odd_dates(now.rows, thresholds, today),
        unreadable_values(now),
        missing_values(now),
        not_positive(now.rows),
        rated.drafts,
        duplicates(now.rows),
        outside_week(now.rows),
        price_anomalies(now.rows, thresholds).join(rated.drafts, on=KEY, how="anti"),  # the contract says more
    ]


def _row_events(moved: pl.DataFrame, rows: pl.DataFrame, memory: Memory, now_at: datetime) -> pl.DataFrame:
    """EVENTS of rows that went, were moved or taken back since the run before, seen by the two snapshots."""
    was = rows_of(memory.rows, moved).select(
        *KEY, completed_was=pl.col("completed").cast(pl.String), week_was=pl.col("week_ending").cast(pl.String)
    )
    now = rows_of(rows, moved).select(*KEY, "modified_at", modifier="modified_by")
    joined = with_finding_keys(moved).join(was, on=KEY).join(now, on=KEY, how="left")
    removed = pl.col("category") == tables.ROW_REMOVED
    earlier = (
        pl.when(pl.col("category") == tables.WEEK_MOVED)
        .then("week_was")
        .when(removed)
        .then("old")
        .otherwise("completed_was")
    )
    happened = joined.with_columns(old=earlier).filter(removed | pl.col("old").ne_missing(pl.col("new")))
    told = happened.with_columns(
        at=pl.coalesce("modified_at", pl.lit(now_at, tables.UTC_TIME)),
        by=pl.col("modifier").fill_null(""),
        evidence=pl.lit(tables.SNAPSHOT),
    )
    return conform(with_event_keys(told), tables.EVENTS)


def _no_more(before: pl.DataFrame, read: Read) -> pl.DataFrame:
    """The rows of before that are not there any more, of sheets that can be judged."""
    return judged(before, read.sheets).join(read.now.rows, on=KEY, how="anti")


def _verified(read: Read, *gone: pl.DataFrame) -> pl.DataFrame:
    every = pl.concat([read.now.rows.select(KEY), pl.concat(rows.select(KEY) for rows in gone).unique()])
    return every.join(_pending(read), on=KEY, how="anti")


def _coverage(read: Read, memory: Memory) -> pl.DataFrame:
    tracked = len(tables.TRACKED)
    counted = read.now.rows.group_by("sheet_id").agg(rows=pl.len())
    remembered = memory.rows.group_by("sheet_id").agg(remembered=pl.len())
    pending = _pending(read).group_by("sheet_id").agg(pending=pl.len())
    unreadable = read.now.problems.group_by("sheet_id").agg(unreadable=pl.len())
    joined = read.sheets.select("sheet_id", "sheet", why_not_judged().alias("error"))
    for counts in (counted, remembered, pending, unreadable):
        joined = joined.join(counts, on="sheet_id", how="left")
    numbers = joined.with_columns(pl.col("rows", "remembered", "pending", "unreadable").fill_null(0).cast(pl.Int64))
    fine = pl.col("error") == ""
    unseen = tracked * pl.max_horizontal("rows", "remembered")
    not_verified = pl.when(fine).then("pending").otherwise(unseen)
    return conform(
        numbers.with_columns(
            not_verified=not_verified,
            cells=pl.when(fine).then(tracked * pl.col("rows") - pl.col("pending")).otherwise(0),
        ),
        tables.COVERAGE,
    ).sort("sheet_id")


def _pending(read: Read) -> pl.DataFrame:
    """The cells whose history is needed and was not read."""
    return conform(read.examined, tables.EXAMINED).filter(pl.col("state") != tables.READ)
