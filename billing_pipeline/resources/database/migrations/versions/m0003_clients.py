"""Reference data of managed services, and who changed what of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RATES = (
    "per_user_cost", "per_workstation_cost", "per_server_cost", "per_vm_cost", "per_switch_cost", "per_firewall_cost",
    "per_hour_ticket_cost", "backup_base_fee_workstation", "backup_base_fee_server", "backup_included_tb",
    "backup_per_tb_fee",
)  # fmt: skip
_OVERRIDES = (("source", "source_id"), ("type", "custom_cost"))
_BY_HAND = (("account", "name"), ("type", "custom_cost", "notes"))
_FEES = ("monthly_fee", "one_off_fee", "one_off_year", "one_off_month", "yearly_fee", "yearly_bill_month")
_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plans": (("plan", "term", "valid_from"), ("support_level", *_RATES)),
    "settings": (("account",), ("plan", *_RATES, "prepaid_hours_monthly", "prepaid_hours_yearly")),
    "device_overrides": _OVERRIDES,
    "person_overrides": _OVERRIDES,
    "manual_devices": _BY_HAND,
    "manual_people": _BY_HAND,
    "line_items": (("account", "name"), ("description", *_FEES)),
    "features": (("account", "feature"), ("value",)),
    "contracts": (("account", "start"), ("end", "term", "notes")),
}
"""Key columns and value columns of each table."""


def upgrade() -> None:
    """Make the tables."""
    for name, (keys, values) in _TABLES.items():
        op.create_table(
            f"client_{name}",
            *(sa.Column(column, sa.String(), nullable=False) for column in keys),
            *(sa.Column(column, sa.String()) for column in values),
            sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_client_{name}")),
        )
    op.create_table(
        "client_changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("sheet", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("old", sa.String()),
        sa.Column("new", sa.String()),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_changes")),
    )
    op.create_index(op.f("ix_client_changes_sheet"), "client_changes", ["sheet"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("client_changes")
    for name in reversed(_TABLES):
        op.drop_table(f"client_{name}")
