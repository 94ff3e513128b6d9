"""What each plan includes: features of a plan and term, which clients may override; and their own support level."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "client_plan_features",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("value", sa.String()),
        sa.PrimaryKeyConstraint("plan", "term", "feature", name=op.f("pk_client_plan_features")),
    )
    op.add_column("client_settings", sa.Column("support_level", sa.String()))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("client_settings", "support_level")
    op.drop_table("client_plan_features")
