"""What the audit remembers from run to run: the rows as they were, baseline, events and watermarks.

What belongs here: reading that back, and sheets that a run could not read: their rows are remembered as they were
last seen, so that one bad answer is no new beginning. Source: spec 9.2 of the billing audit; Q4, Q5, Q17.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit.changes import changes
from billing_pipeline.engine.audit.inputs import Memory, Read, judged, kept
from billing_pipeline.engine.audit.tables import CHANGES, ROWS, SEEN, UTC_TIME
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema, conform
from billing_pipeline.resources import audit_memory, findings
from billing_pipeline.resources.audit_sheets import unread
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import AUDIT

SNAPSHOT = "snapshot.parquet"
SEEN_ROWS: Schema = {**ROWS, "seen_at": UTC_TIME}  # `seen_at`: the run that read the row's sheet
_MISSED = timedelta(days=7)  # a sheet that is gone is missed for so long; then it was left out on purpose


def remembered(database: Database, outputs: OutputFiles) -> Memory:
    """What earlier runs left; the rows are those of the last run that was kept."""
    last, baseline, events, marks = database.run(_remembered)
    memory = Memory(baseline=baseline, events=events, watermarks=marks)
    rows = _snapshot_of(last, outputs)
    if rows is None:
        return memory
    seen = rows.group_by("sheet_id").agg(pl.col("seen_at").max().alias("at")).sort("sheet_id")
    return replace(memory, rows=conform(rows, ROWS), seen=conform(seen, SEEN))


def changes_since(database: Database, outputs: OutputFiles, sheets: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """CHANGES of rows (ROWS) since the last run that was kept, in the SHEETS that both could judge."""
    runs = database.run(lambda connection: findings.runs_of(connection, AUDIT, last=1))
    before = _snapshot_of(runs[0] if runs else None, outputs)
    if before is None:
        return pl.DataFrame(schema=CHANGES)
    both = judged(rows.select("sheet_id").unique(), sheets).join(before, on="sheet_id", how="semi")
    return changes(*(frame.join(both, on="sheet_id", how="semi") for frame in (conform(before, ROWS), rows)))


def all_sheets(sheets: pl.DataFrame, memory: Memory, at: datetime) -> pl.DataFrame:
    """The sheets (SHEETS) with those that were audited of late and are gone: no run calls them clean. Source: Q4."""
    gone = memory.seen.join(sheets, on="sheet_id", how="anti").filter(pl.col("at") > at - _MISSED)["sheet_id"]
    told = InputError("it was audited before and is not there any more")
    return pl.concat([sheets, *(unread(sheet, sheet, told).sheet for sheet in gone)])


def to_remember(read: Read, memory: Memory, at: datetime) -> pl.DataFrame:
    """SEEN_ROWS for the next run: rows of the sheets that could be judged, of the others as they last were."""
    rows, seen = kept(read, memory, at)
    dated = rows.join(seen.rename({"at": "seen_at"}), on="sheet_id", how="left", maintain_order="left")
    return conform(dated, SEEN_ROWS)


def _snapshot_of(run: findings.Run | None, outputs: OutputFiles) -> pl.DataFrame | None:
    """SEEN_ROWS that a run left; None without a run, or when its set is gone: what was billed first is still known."""
    if run is None:
        return None
    try:
        manifest = outputs.manifest_of(Period.of(run.at.date()), run.run_id)
        return pl.read_parquet(outputs.file_of(manifest, "snapshot"))
    except InputError:
        return None


def _remembered(
    connection: sa.Connection,
) -> tuple[findings.Run | None, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    last = findings.runs_of(connection, AUDIT, last=1)
    return (
        last[0] if last else None,
        audit_memory.baseline_of(connection),
        findings.events_of(connection, AUDIT),
        audit_memory.watermarks_of(connection),
    )
