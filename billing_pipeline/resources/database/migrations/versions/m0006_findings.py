"""Findings of the audit and of unbilled hours: runs, what is known, events, baseline, watermarks, the log's outbox."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_RUNS, _FINDINGS, _EVENTS, _LOG = "finding_runs", "findings", "finding_events", "log_outbox"
_BASELINE, _WATERMARKS = "billed_baseline", "cell_watermarks"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        _RUNS,
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        *_texts("capability", "run_id"),
        _time("at"),
        *_texts("status", "comparable"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("coverage", "counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_runs")),
        sa.UniqueConstraint("capability", "run_id", name=op.f("uq_finding_runs_capability_run_id")),
    )
    op.create_table(
        _FINDINGS,
        *_texts("capability", "finding_key", "status", "first_seen_run", "last_seen_run"),
        *(_time(name) for name in ("first_seen_at", "last_seen_at")),
        *(_time(name, nullable=True) for name in ("resolved_at", "last_event_at", "disposed_at")),
        sa.Column("reopen_count", sa.Integer(), nullable=False),
        *_texts("disposition", "dollars", "log_row_id", nullable=True),
        *(sa.Column(name, sa.String(), server_default="", nullable=False) for name in ("disposed_by", "category")),
        *(sa.Column(name, sa.String(), server_default="", nullable=False) for name in ("severity", "payload_sha256")),
        sa.Column("payload", sa.JSON(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("capability", "finding_key", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_capability_status"), _FINDINGS, ["capability", "status"], unique=False)
    op.create_table(
        _EVENTS,
        *_texts("capability", "event_key", "finding_key"),
        *_texts("sheet_id", "row_id", "column", "old", "new", "by", "evidence", nullable=True),
        _time("at", nullable=True),
        sa.PrimaryKeyConstraint("capability", "event_key", name=op.f("pk_finding_events")),
    )
    name = op.f("ix_finding_events_capability_finding_key")
    op.create_index(name, _EVENTS, ["capability", "finding_key"], unique=False)
    op.create_table(
        _BASELINE,
        *_texts("sheet_id", "row_id"),
        *_texts("work_request", "price", "quantity", nullable=True),
        sa.Column("week_ending", sa.Date()),
        _time("billed_at", nullable=True),
        sa.PrimaryKeyConstraint("sheet_id", "row_id", name=op.f("pk_billed_baseline")),
    )
    op.create_table(
        _WATERMARKS,
        *_texts("sheet_id", "row_id", "column"),
        _time("at"),
        sa.PrimaryKeyConstraint("sheet_id", "row_id", "column", name=op.f("pk_cell_watermarks")),
    )
    op.create_table(
        _LOG,
        *_texts("capability", "finding_key"),
        sa.Column("payload", sa.JSON(), nullable=False),
        *_texts("payload_sha256", "state"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.String(), server_default="", nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("capability", "finding_key", name=op.f("pk_log_outbox")),
    )
    op.create_index(op.f("ix_log_outbox_capability_state"), _LOG, ["capability", "state"], unique=False)


def downgrade() -> None:
    """Take them away, with what they hold."""
    for table in (_LOG, _WATERMARKS, _BASELINE, _EVENTS, _FINDINGS, _RUNS):
        op.drop_table(table)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=nullable) for name in names]


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
