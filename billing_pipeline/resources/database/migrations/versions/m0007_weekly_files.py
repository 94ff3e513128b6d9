"""Weekly workbooks: which content was written, and which of it the target sheet has."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "weekly_files",
        sa.Column("work_request", sa.String(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=False),
        *(
            sa.Column(name, sa.String(), server_default="", nullable=False)
            for name in ("written_hash", "sent_hash", "sheet_id", "row_id", "attachment_id", "file_sha256")
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("work_request", "week_ending", name=op.f("pk_weekly_files")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("weekly_files")
