"""The archive of accepted client bills, and which time they bill."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INVOICES, _ENTRIES = "client_invoices", "client_billed_entries"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        _INVOICES,
        *(sa.Column(name, sa.String(), nullable=False) for name in ("number", "folded", "kind", "account", "name")),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Date(), nullable=False) for name in ("invoice_date", "due_date")),
        sa.Column("total", sa.String(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("components", "rows", "entries")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("inputs_sha256", "run_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("invoice_csv", "accounting_csv")),
        sa.Column("accepted_by", sa.String(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notes", sa.String(), server_default="", nullable=False),
        sa.Column("credits", sa.String()),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_client_invoices")),
        sa.UniqueConstraint("folded", name=op.f("uq_client_invoices_folded")),
        sa.UniqueConstraint("credits", name=op.f("uq_client_invoices_credits")),
        sa.UniqueConstraint(
            *("account", "period", "kind", "revision"), name=op.f("uq_client_invoices_account_period_kind_revision")
        ),
    )
    op.create_index(op.f("ix_client_invoices_period"), _INVOICES, ["period"], unique=False)
    op.create_table(
        _ENTRIES,
        *(sa.Column(name, sa.String(), nullable=False) for name in ("source", "source_id", "account", "period")),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "source_id", name=op.f("pk_client_billed_entries")),
    )
    op.create_index(op.f("ix_client_billed_entries_number"), _ENTRIES, ["number"], unique=False)


def downgrade() -> None:
    """Take them away, with what they hold."""
    op.drop_table(_ENTRIES)
    op.drop_table(_INVOICES)
