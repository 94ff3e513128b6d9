"""The archive of accepted client bills: invoices and credit notes as they were sent, and the time that is billed.

What belongs here: the only writer of both tables. A document is never changed: a correction is a credit note over the
whole invoice, which makes it void, and a new invoice. What does not: pricing (engine.managed_services), making files.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.errors import BillingError, InputError, nearest
from billing_pipeline.engine.managed_services.credits import sent_rows
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.client_documents import (
    CREDIT_NOTE,
    INVOICE,
    Accepted,
    Draft,
    Sent,
    credit_note,
    document_of,
    row_of,
)
from billing_pipeline.resources.database.tables import client_billed_entries, client_invoices

Render = Callable[[tuple[str, str], str, date], tuple[str, str]]
"""The files of a credit note (invoice, accounting) from those of its invoice, its number and its day."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_-]+")
_AT_ONCE = 500  # entries asked for in one statement
_MONTHS = {"account": pl.String, "period": pl.String}
_ENTRY = ("source", "source_id")
_LISTED = {"sqlite": sa.func.json_group_array, "postgresql": sa.func.json_agg}
_ORDER = (*(client_invoices.c[name] for name in ("account", "period", "revision")), client_invoices.c.kind.desc())
_note = client_invoices.alias("note")
_STANDING = (client_invoices.c.kind == INVOICE) & ~sa.exists().where(_note.c.credits == client_invoices.c.number)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of a bill: the number of its invoice, and whether it was made now or stood there already."""

    number: str
    created: bool


def next_number(connection: sa.Connection, account: str, period: Period) -> str:
    """The number of the next invoice: `<account>-202601`, after a void one `<account>-202601-R2`.

    InputError for an account that cannot be part of a number. Source: names, Ids.
    """
    return _number(account, period, _last_revision(connection, account, period) + 1)


def accept(connection: sa.Connection, bill: Draft, by: str, at: datetime, notes: str = "") -> Acceptance:
    """Archive the bill; an account and month that has an invoice which is not void keeps it, and nothing is written.

    BillingError, and nothing written: another number is next, a file carries another number, or an entry is billed
    already. Of several at once one is archived. Source: spec 4.5; Q9, Q25, Q28; decision 18.
    """
    revision = _last_revision(connection, bill.account, bill.period) + 1  # first: what comes in between is seen next
    stands = _standing(connection, bill.account, bill.period)
    if stands:
        return Acceptance(stands, created=False)
    _refuse_draft(bill, _number(bill.account, bill.period, revision))
    mine = {field.name: getattr(bill, field.name) for field in fields(Draft)}
    try:
        with connection.begin_nested():
            _insert(
                connection,
                Accepted(**mine, kind=INVOICE, revision=revision, accepted_by=by, accepted_at=at, notes=notes),
            )
    except sa.exc.IntegrityError as error:
        stands = _standing(connection, bill.account, bill.period)
        if stands:  # somebody else was first
            return Acceptance(stands, created=False)
        raise BillingError(_clash(connection, bill)) from error
    return Acceptance(bill.number, created=True)


def void(connection: sa.Connection, number: str, by: str, reason: str, at: datetime, render: Render) -> Accepted:
    """Take an invoice back: its credit note `<account>-202601-CN1`, dated and due on the day of `at` in UTC.

    Its time can be billed again. An invoice that is void answers its credit note, and nothing is written. InputError:
    no such invoice, a credit note, no reason. Source: Q28.
    """
    if not reason.strip():
        raise InputError("say why the invoice is voided: its credit note keeps the reason")
    found = invoice(connection, number)
    if found is None:
        raise InputError(_unknown(connection, number))
    if found.kind == CREDIT_NOTE:
        raise InputError(f"{number} is the credit note of {found.credits}; only an invoice can be voided")
    note = credit_note(found, by, reason.strip(), at)
    invoice_csv, accounting_csv = render((found.invoice_csv, found.accounting_csv), note.number, note.invoice_date)
    note = replace(note, invoice_csv=invoice_csv, accounting_csv=accounting_csv)
    try:
        with connection.begin_nested():
            _insert(connection, note)
            connection.execute(client_billed_entries.delete().where(client_billed_entries.c.number == number))
    except sa.exc.IntegrityError:
        credit = _credit_of(connection, number)
        if credit is None:
            raise
        return credit  # void already, or somebody else was first
    return note


def invoice(connection: sa.Connection, number: str) -> Accepted | None:
    """The invoice or credit note of that number."""
    row = connection.execute(sa.select(client_invoices).where(client_invoices.c.number == number)).first()
    return document_of(row) if row else None


def invoices_of(connection: sa.Connection, account: str | None = None, period: Period | None = None) -> list[Accepted]:
    """Every invoice, followed by its credit note if it is void, by account and month; of one of them when named."""
    table = client_invoices.c
    found = sa.select(client_invoices).order_by(*_ORDER)
    if account is not None:
        found = found.where(table.account == account)
    if period is not None:
        found = found.where(table.period == period.key)
    return [document_of(row) for row in connection.execute(found)]


def current_invoices(connection: sa.Connection, period: Period) -> dict[str, Sent]:
    """The month's invoices that are not void, by account."""
    columns = [client_invoices.c[field.name] for field in fields(Sent)]
    found = sa.select(*columns).where(_STANDING, client_invoices.c.period == period.key).order_by("account")
    return {row.account: Sent(**{**row._mapping, "total": Decimal(row.total)}) for row in connection.execute(found)}


def numbers_of(connection: sa.Connection, period: Period) -> dict[str, str]:
    """The number of the month's bill of every account that has invoices: of the one that stands, else the next one."""
    table = client_invoices.c
    mine = table.period == period.key
    standing = sa.select(table.account, table.number).where(_STANDING, mine)
    numbers = {row.account: row.number for row in connection.execute(standing)}
    last = sa.select(table.account, sa.func.max(table.revision).label("revision")).where(mine).group_by(table.account)
    return {
        row.account: numbers.get(row.account) or _number(row.account, period, row.revision + 1)
        for row in connection.execute(last)
    }


def facts_of(connection: sa.Connection, period: Period, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """These columns of the month's documents, in the order of invoices_of."""
    found = sa.select(*(client_invoices.c[name] for name in names)).where(client_invoices.c.period == period.key)
    return [tuple(row) for row in connection.execute(found.order_by(*_ORDER))]


def closed_months(connection: sa.Connection) -> pl.DataFrame:
    """account, month (Date, its first day): every month of a client with an invoice that is not void."""
    found = sa.select(client_invoices.c.account, client_invoices.c.period).where(_STANDING)
    rows = pl.DataFrame(connection.execute(found).all(), schema=_MONTHS, orient="row")
    return _with_month(rows).sort("account", "month")


def size(connection: sa.Connection) -> int:
    """How many documents there are: nothing is ever changed, so that another number is the only change there is."""
    return int(connection.scalar(sa.select(sa.func.count()).select_from(client_invoices)) or 0)


def billed_entries(connection: sa.Connection) -> pl.DataFrame:
    """source, source_id, account, month (Date, first day of the invoice's month): all time that is billed, in no order.

    The database answers a row an invoice, the entries as JSON: six million rows of their own take five times as long.
    """
    table = client_billed_entries.c
    listed = _LISTED[connection.dialect.name]
    entries = [sa.cast(listed(table[name]), sa.Text) for name in _ENTRY]
    found = sa.select(sa.func.min(table.account), sa.func.min(table.period), *entries).group_by(table.number)
    rows = pl.DataFrame(
        connection.execute(found).all(), schema=_MONTHS | dict.fromkeys(_ENTRY, pl.String), orient="row"
    )
    lists = rows.with_columns(pl.col(_ENTRY).str.json_decode(pl.List(pl.String)))
    return _with_month(lists).explode(_ENTRY).select(*_ENTRY, "account", "month")


def _with_month(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `month`, the Date of the first day of their `period`, in its place."""
    return rows.with_columns(pl.format("{}-01", "period").str.to_date().alias("month")).drop("period")


def _number(account: str, period: Period, revision: int) -> str:
    if not _ACCOUNT.fullmatch(account):
        raise InputError(f"account {account!r} cannot be part of an invoice number: letters, digits, - and _ can")
    return f"{account}-{period.compact}" + (f"-R{revision}" if revision > 1 else "")


def _last_revision(connection: sa.Connection, account: str, period: Period) -> int:
    table = client_invoices.c
    mine = (table.account == account) & (table.period == period.key)
    return connection.execute(sa.select(sa.func.max(table.revision)).where(mine)).scalar() or 0


def _standing(connection: sa.Connection, account: str, period: Period) -> str | None:
    """The number of the invoice that is not void: there is at most one, for the next is made when the last is void."""
    mine = (client_invoices.c.account == account) & (client_invoices.c.period == period.key)
    return connection.execute(sa.select(client_invoices.c.number).where(_STANDING, mine)).scalar()


def _credit_of(connection: sa.Connection, number: str) -> Accepted | None:
    row = connection.execute(sa.select(client_invoices).where(client_invoices.c.credits == number)).first()
    return document_of(row) if row else None


def _refuse_draft(bill: Draft, number: str) -> None:
    if bill.number != number:
        raise BillingError(f"the bill carries number {bill.number}, and {number} is next: make the bill again")
    for text in (bill.invoice_csv, bill.accounting_csv):
        others = set(sent_rows(text)["InvoiceNo"]) - {number}
        if others:
            raise BillingError(f"a file of the bill {number} carries number {min(others)}")
    seen: set[tuple[str, str]] = set()
    for source, source_id, _ in bill.entries:
        if (source, source_id) in seen:
            raise BillingError(f"time entry {source} {source_id} stands in the bill {number} twice")
        seen.add((source, source_id))


def _clash(connection: sa.Connection, bill: Draft) -> str:
    """Why the database refused the bill."""
    table = client_billed_entries.c
    keys = sorted((source, source_id) for source, source_id, _ in bill.entries)
    for start in range(0, len(keys), _AT_ONCE):
        some = sa.tuple_(table.source, table.source_id).in_(keys[start : start + _AT_ONCE])
        taken = connection.execute(sa.select(client_billed_entries).where(some).order_by("source", "source_id")).first()
        if taken:
            return f"time entry {taken.source} {taken.source_id} is billed by {taken.number} already"
    same = sa.select(client_invoices.c.number).where(client_invoices.c.folded == bill.number.lower())
    other = connection.execute(same).scalar()
    return f"{bill.number} is taken already, by {other}: upper and lower case make no difference"


def _unknown(connection: sa.Connection, number: str) -> str:
    known = connection.execute(sa.select(client_invoices.c.number).where(client_invoices.c.kind == INVOICE))
    close = nearest(number, known.scalars())
    return f"there is no invoice {number}" + (f"; the nearest is {close}" if close else "")


def _insert(connection: sa.Connection, one: Accepted) -> None:
    """Write a document and what time it bills: entries in one order, so that two writers never wait for each other."""
    connection.execute(client_invoices.insert().values(row_of(one)))
    common = {"account": one.account, "period": one.period.key, "number": one.number}
    billed = [
        {"source": source, "source_id": source_id, "milliseconds": milliseconds, **common}
        for source, source_id, milliseconds in sorted(one.entries)
    ]
    if billed:
        connection.execute(client_billed_entries.insert(), billed)
