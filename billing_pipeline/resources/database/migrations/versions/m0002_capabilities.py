"""Releases of more than billing: an accrual is one as well."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = "pk_releases"


def upgrade() -> None:
    """Every release so far is billing's."""
    with op.batch_alter_table("releases") as table:
        table.add_column(sa.Column("capability", sa.String(), server_default="billing", nullable=False))
        table.drop_constraint(_KEY, type_="primary")
        table.create_primary_key(_KEY, ["capability", "period", "number"])


def downgrade() -> None:
    """Releases of other capabilities go: the version before knows nothing of them."""
    op.execute("DELETE FROM releases WHERE capability <> 'billing'")
    with op.batch_alter_table("releases") as table:
        table.drop_constraint(_KEY, type_="primary")
        table.create_primary_key(_KEY, ["period", "number"])
        table.drop_column("capability")
