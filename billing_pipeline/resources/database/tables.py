"""The tables of the application's database: decisions, approvals, states, releases, leases, what waits to be sent.

What belongs here: shapes. What does not: reading and writing them (one module per concept beside this package), and how
they came to be (migrations). Times are UTC. Amounts are text, because SQLite has no exact decimals.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from billing_pipeline.engine.managed_services.sheets import SHEETS


class Utc(sa.TypeDecorator[datetime]):
    """A time with its zone, kept in UTC; a time without a zone is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # type: ignore[no-any-return]


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String, primary_key=True),  # <capability>:<period>
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("expires_at", Utc, nullable=False),  # moved on by the holder's heartbeat
)

decisions = sa.Table(  # append-only: the last one on a flag holds; `withdraw` takes it back
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("period", sa.String, nullable=False),
    sa.Column("usage_sha256", sa.String, nullable=False),
    sa.Column("flag_type", sa.String, nullable=False),  # the kind in the flag's id; "" for a row nobody flagged
    sa.Column("scope", sa.String, nullable=False),  # row, partner
    sa.Column("row_id", sa.String, nullable=False),  # engine.usage.identity; of a partner's first row
    sa.Column("partner_key", sa.String, nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("subject", sa.String, nullable=False),  # company and partner as people know them
    sa.Column("action", sa.String, nullable=False),
    sa.Column("set_date", sa.String, nullable=False, server_default=""),
    sa.Column("partner_name", sa.String, nullable=False, server_default=""),
    sa.Column("partner_id", sa.String, nullable=False, server_default=""),
    sa.Column("cell", sa.String, nullable=False, server_default=""),  # fix_cell: the column
    sa.Column("value", sa.String, nullable=False, server_default=""),  # fix_cell: its new text
    sa.Column("reviewer", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, server_default=""),
    sa.Column("decided_at", Utc, nullable=False),
    sa.Index(None, "period", "usage_sha256"),
)

approvals = sa.Table(  # append-only: of exactly one draft
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("period", sa.String, nullable=False),
    sa.Column("usage_sha256", sa.String, nullable=False),
    sa.Column("rules_sha256", sa.String, nullable=False),
    sa.Column("last_decision", sa.Integer, nullable=False),  # id of the file's last decision then, 0 without one
    sa.Column("approver", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, server_default=""),
    sa.Column("approved_at", Utc, nullable=False),
    sa.Index(None, "period", "usage_sha256"),
)

month_events = sa.Table(  # append-only: the last one is the month's state
    "month_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("period", sa.String, nullable=False, index=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("run_id", sa.String, nullable=False, server_default=""),
    sa.Column("usage_name", sa.String, nullable=False, server_default=""),
    sa.Column("usage_sha256", sa.String, nullable=False, server_default=""),
    sa.Column("rules_sha256", sa.String, nullable=False, server_default=""),
    sa.Column("last_decision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("detail", sa.JSON, nullable=False),
)

releases = sa.Table(
    "releases",
    metadata,
    sa.Column("capability", sa.String, primary_key=True, server_default="billing"),
    sa.Column("period", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String, nullable=False),  # preparing, published, void
    sa.Column("run_id", sa.String, nullable=False, unique=True),
    sa.Column("usage_sha256", sa.String, nullable=False),
    sa.Column("rules_sha256", sa.String, nullable=False),
    sa.Column("last_decision", sa.Integer, nullable=False),
    sa.Column("billed", sa.String, nullable=False),  # amount in import files once this release is imported
    sa.Column("difference", sa.String, nullable=False),  # amount this release adds to the one before
    sa.Column("prepared_at", Utc, nullable=False),
    sa.Column("published_at", Utc),
    sa.Column("placed_at", Utc),  # when the named files were brought up to it
    sa.Column("imported_at", Utc),
    sa.Column("imported_by", sa.String, nullable=False, server_default=""),
    sa.Column("voided_at", Utc),
    sa.Column("voided_by", sa.String, nullable=False, server_default=""),
    sa.Column("void_reason", sa.String, nullable=False, server_default=""),
)

period_closings = sa.Table(  # append-only: the last one says whether the ledger takes entries of the month
    "period_closings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("period", sa.String, nullable=False, index=True),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, server_default=""),
    sa.Column("at", Utc, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String, nullable=False, unique=True),  # a fact is told once
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("message", sa.JSON, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("due_at", Utc, nullable=False, index=True),  # when the next attempt may be made
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempting", sa.Boolean, nullable=False, server_default=sa.false()),  # begun, its end not recorded
    sa.Column("last_error", sa.String, nullable=False, server_default=""),
    sa.Column("delivered_at", Utc),
)

client_tables = {  # reference data of managed services: values are texts in one spelling, checked on their way in
    sheet.name: sa.Table(
        f"client_{sheet.name}",
        metadata,
        *(sa.Column(column.name, sa.String, primary_key=True) for column in sheet.key),
        *(sa.Column(column.name, sa.String) for column in sheet.values),
    )
    for sheet in SHEETS
}

client_changes = sa.Table(  # append-only: every value that was changed
    "client_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sheet", sa.String, nullable=False, index=True),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("column", sa.String, nullable=False),
    sa.Column("old", sa.String),
    sa.Column("new", sa.String),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, server_default=""),
    sa.Column("at", Utc, nullable=False),
)

client_invoices = sa.Table(  # append-only: accepted bills and credit notes as they were sent; no row ever changes
    "client_invoices",
    metadata,
    sa.Column("number", sa.String, primary_key=True),
    sa.Column("folded", sa.String, nullable=False, unique=True),  # number in lower case: unique whatever the case
    sa.Column("kind", sa.String, nullable=False),  # invoice, credit_note
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("period", sa.String, nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),  # 1, 2, ... of the invoices of an account and month
    sa.Column("invoice_date", sa.Date, nullable=False),
    sa.Column("due_date", sa.Date, nullable=False),
    sa.Column("total", sa.String, nullable=False),
    sa.Column("components", sa.JSON, nullable=False),  # amounts as texts
    sa.Column("rows", sa.JSON, nullable=False),  # the lines behind them, every value as text
    sa.Column("entries", sa.JSON, nullable=False),  # source, source id, milliseconds of the time it bills
    sa.Column("inputs_sha256", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("invoice_csv", sa.Text, nullable=False),
    sa.Column("accounting_csv", sa.Text, nullable=False),
    sa.Column("accepted_by", sa.String, nullable=False),
    sa.Column("accepted_at", Utc, nullable=False),
    sa.Column("notes", sa.String, nullable=False, server_default=""),
    sa.Column("credits", sa.String, unique=True),  # of a credit note: the invoice, which is void by it
    sa.Column("reason", sa.String, nullable=False, server_default=""),  # of a credit note
    sa.UniqueConstraint("account", "period", "kind", "revision"),
)

client_billed_entries = sa.Table(  # time that an invoice bills which is not void: its key lets no entry be billed twice
    "client_billed_entries",
    metadata,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("source_id", sa.String, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("period", sa.String, nullable=False),  # of the invoice, not of the work
    sa.Column("number", sa.String, nullable=False, index=True),
    sa.Column("milliseconds", sa.BigInteger, nullable=False),
)
