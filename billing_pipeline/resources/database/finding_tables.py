"""The tables of findings: runs that judged, what is known of each finding, its events, what the log sheet shall say.

What belongs here: shapes, as in `tables`, for the billing audit and for unbilled hours (`capability`). Snapshots of the
source sheets are no tables: they are artefacts of a run. Source: spec 9.1-9.3 of the billing audit.
"""

import sqlalchemy as sa

from billing_pipeline.resources.database.tables import Utc, metadata

finding_runs = sa.Table(  # append-only: a run is here when all that it found is
    "finding_runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("capability", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("status", sa.String, nullable=False),  # CLEAN, FINDINGS, NOT_VERIFIED
    sa.Column("comparable", sa.String, nullable=False),  # runs of the same text judged the same things
    sa.Column("coverage", sa.JSON, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),  # rows of engine.findings.SUMMARY, every value as text
    sa.UniqueConstraint("capability", "run_id"),
)

findings = sa.Table(  # one row a finding, for ever: columns of engine.findings.KNOWN and the facts of its last sight
    "findings",
    metadata,
    sa.Column("capability", sa.String, primary_key=True),
    sa.Column("finding_key", sa.String, primary_key=True),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("first_seen_run", sa.String, nullable=False),
    sa.Column("first_seen_at", Utc, nullable=False),
    sa.Column("last_seen_run", sa.String, nullable=False),
    sa.Column("last_seen_at", Utc, nullable=False),
    sa.Column("resolved_at", Utc),
    sa.Column("reopen_count", sa.Integer, nullable=False),
    sa.Column("last_event_at", Utc),
    sa.Column("disposition", sa.String),
    sa.Column("disposed_at", Utc),
    sa.Column("disposed_by", sa.String, nullable=False, server_default=""),
    sa.Column("category", sa.String, nullable=False, server_default=""),
    sa.Column("severity", sa.String, nullable=False, server_default=""),
    sa.Column("dollars", sa.String),
    sa.Column("payload", sa.JSON, nullable=False, server_default="{}"),  # the found row, every value as text
    sa.Column("payload_sha256", sa.String, nullable=False, server_default=""),
    sa.Column("log_row_id", sa.String),  # its row of the log sheet
    sa.Index(None, "capability", "status"),
)

finding_events = sa.Table(  # append-only
    "finding_events",
    metadata,
    sa.Column("capability", sa.String, primary_key=True),
    sa.Column("event_key", sa.String, primary_key=True),
    sa.Column("finding_key", sa.String, nullable=False),
    sa.Column("sheet_id", sa.String),
    sa.Column("row_id", sa.String),
    sa.Column("column", sa.String),
    sa.Column("at", Utc),
    sa.Column("old", sa.String),
    sa.Column("new", sa.String),
    sa.Column("by", sa.String),
    sa.Column("evidence", sa.String),
    sa.Index(None, "capability", "finding_key"),
)

billed_baseline = sa.Table(  # what a source row was when its week was first billed
    "billed_baseline",
    metadata,
    sa.Column("sheet_id", sa.String, primary_key=True),
    sa.Column("row_id", sa.String, primary_key=True),
    sa.Column("work_request", sa.String),
    sa.Column("week_ending", sa.Date),
    sa.Column("price", sa.String),
    sa.Column("quantity", sa.String),
    sa.Column("billed_at", Utc),
)

cell_watermarks = sa.Table(  # the newest revision of a cell that was judged
    "cell_watermarks",
    metadata,
    sa.Column("sheet_id", sa.String, primary_key=True),
    sa.Column("row_id", sa.String, primary_key=True),
    sa.Column("column", sa.String, primary_key=True),
    sa.Column("at", Utc, nullable=False),
)

log_outbox = sa.Table(  # what the row of a finding in the log sheet has to say, and whether it says so
    "log_outbox",
    metadata,
    sa.Column("capability", sa.String, primary_key=True),
    sa.Column("finding_key", sa.String, primary_key=True),
    sa.Column("payload", sa.JSON, nullable=False),  # the row, every value as text
    sa.Column("payload_sha256", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # pending, sent
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.String, nullable=False, server_default=""),
    sa.Column("at", Utc, nullable=False),  # of the last change of this entry
    sa.Index(None, "capability", "state"),
)

weekly_files = sa.Table(  # a work request's week: which content its workbook has, and the one at the target sheet
    "weekly_files",
    metadata,
    sa.Column("work_request", sa.String, primary_key=True),
    sa.Column("week_ending", sa.Date, primary_key=True),
    *(
        sa.Column(name, sa.String, nullable=False, server_default="")
        for name in ("written_hash", "sent_hash", "sheet_id", "row_id", "attachment_id", "file_sha256")
    ),
    sa.Column("at", Utc, nullable=False),
)
