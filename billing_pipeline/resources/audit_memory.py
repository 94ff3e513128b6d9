"""What the audit remembers of source rows: what was billed first, and up to which revision a cell was judged.

What belongs here: both tables. What does not: findings, and which rows belong in the baseline (engine.audit). They are
written in the transaction of a run (findings.commit_run). Source: spec 9.2; Q17, Q29.
"""

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit.tables import BASELINE, WATERMARKS
from billing_pipeline.engine.tables import conform
from billing_pipeline.resources.bulk import frame_of, rows_of, upsert
from billing_pipeline.resources.database.finding_tables import billed_baseline, cell_watermarks


def baseline_of(connection: sa.Connection) -> pl.DataFrame:
    """Every row that was billed (BASELINE), by sheet and row."""
    table = billed_baseline.c
    query = sa.select(*(table[name] for name in BASELINE)).order_by(table.sheet_id, table.row_id)
    return frame_of(connection, query, BASELINE)


def remember_billed(connection: sa.Connection, rows: pl.DataFrame) -> None:
    """Take over rows (BASELINE): those there are replaced, others stay."""
    values = [name for name in BASELINE if name not in billed_baseline.primary_key.columns]
    upsert(connection, billed_baseline, rows_of(conform(rows, BASELINE)), values)


def watermarks_of(connection: sa.Connection) -> pl.DataFrame:
    """The newest revision of each cell that was judged (WATERMARKS), by cell."""
    table = cell_watermarks.c
    query = sa.select(*(table[name] for name in WATERMARKS)).order_by(table.sheet_id, table.row_id, table.column)
    return frame_of(connection, query, WATERMARKS)


def advance(connection: sa.Connection, marks: pl.DataFrame) -> None:
    """Move the cells' watermarks (WATERMARKS) on; never back."""
    upsert(connection, cell_watermarks, rows_of(conform(marks, WATERMARKS)), ["at"], later="at")
