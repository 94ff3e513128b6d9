"""An accepted client bill or its credit note: what is archived of it, and its row in the database.

What belongs here: shapes and the way to and from a row, amounts exact. What does not: reading and writing rows
(`client_archive`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from billing_pipeline.engine.period import Period

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
Entry = tuple[str, str, int]
"""A time entry that is billed: source, id there, milliseconds."""
Line = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A bill to be accepted. `number` is client_archive.next_number's, and stands in both files.

    components: amounts by name. rows: the lines behind them, every value as text, `amount` among them.
    """

    number: str
    account: str
    name: str
    period: Period
    invoice_date: date
    due_date: date
    total: Decimal
    components: Mapping[str, Decimal]
    rows: tuple[Line, ...]
    entries: tuple[Entry, ...]
    inputs_sha256: str
    run_id: str
    invoice_csv: str
    accounting_csv: str


@dataclass(frozen=True, slots=True)
class Accepted(Draft):
    """An archived document. A credit note has the revision of the invoice it `credits`, and its inputs and run."""

    kind: str
    revision: int
    accepted_by: str
    accepted_at: datetime
    notes: str = ""
    credits: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """An invoice that is not void, without its lines: 10,000 of them are read in a second, with lines in a minute."""

    number: str
    account: str
    total: Decimal
    invoice_csv: str
    accounting_csv: str


def credit_note(found: Accepted, by: str, reason: str, at: datetime) -> Accepted:
    """The credit note over the whole invoice, dated and due on the day of `at` in UTC; its files are still empty.

    Amounts are the invoice's turned round. It bills no time. Its number has the invoice's revision: an invoice has one
    credit note, and the next invoice is made after it. Source: Q28; names, Ids.
    """
    day = at.astimezone(UTC).date()
    return Accepted(
        number=f"{found.account}-{found.period.compact}-CN{found.revision}",
        account=found.account,
        name=found.name,
        period=found.period,
        invoice_date=day,
        due_date=day,
        total=-found.total,
        components={name: -amount for name, amount in found.components.items()},
        rows=tuple({**row, "amount": str(-Decimal(row["amount"] or 0))} for row in found.rows),
        entries=(),
        inputs_sha256=found.inputs_sha256,
        run_id=found.run_id,
        invoice_csv="",
        accounting_csv="",
        kind=CREDIT_NOTE,
        revision=found.revision,
        accepted_by=by,
        accepted_at=at,
        credits=found.number,
        reason=reason,
    )


def row_of(one: Accepted) -> dict[str, Any]:
    """The document as a row of client_invoices."""
    values = {field.name: getattr(one, field.name) for field in fields(one)}
    return values | {
        "folded": one.number.lower(),
        "period": one.period.key,
        "total": str(one.total),
        "components": {name: str(amount) for name, amount in one.components.items()},
        "rows": [dict(row) for row in one.rows],
        "entries": [list(entry) for entry in one.entries],
    }


def document_of(row: sa.Row[Any]) -> Accepted:
    """The document that a row of client_invoices holds."""
    values = row._asdict()
    del values["folded"]
    values |= {
        "period": Period.parse(row.period),
        "total": Decimal(row.total),
        "components": {name: Decimal(amount) for name, amount in values["components"].items()},
        "rows": tuple(values["rows"]),
        "entries": tuple((source, source_id, milliseconds) for source, source_id, milliseconds in values["entries"]),
    }
    return Accepted(**values)
