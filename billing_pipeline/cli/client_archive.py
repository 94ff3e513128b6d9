"""What `clients archive` and `clients void` do. Prints nothing."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.instance import database_url
from billing_pipeline.reports.client_credits import credit_files
from billing_pipeline.resources.client_archive import invoices_of, void
from billing_pipeline.resources.client_documents import Accepted
from billing_pipeline.resources.database import open_database
from billing_pipeline.resources.files import write_whole
from billing_pipeline.settings import load_settings

_LEFT_OUT = ("rows", "entries", "invoice_csv", "accounting_csv")


def voided(number: str, by: str, reason: str) -> dict[str, Any]:
    """Take the invoice back; its credit note, and whether it was made now."""
    now = datetime.now(UTC)
    work = partial(void, number=number, by=by, reason=reason, at=now, render=credit_files)
    note = open_database(database_url(load_settings())).run(work)
    return {**_document(note), "created": note.accepted_at == now}


def archived(account: str | None, month: Period | None, out: Path | None = None) -> dict[str, Any]:
    """Invoices and credit notes of one client or all, of one month or all; their files are written into `out`.

    Files are named by number: `<number>.csv` is the invoice's, `<number>_accounting.csv` the accounting system's.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give the folder to write to")
    found = open_database(database_url(load_settings())).run(partial(invoices_of, account=account, period=month))
    void_ones = {one.credits for one in found if one.credits}
    return {
        "documents": [{**_document(one), "void": one.number in void_ones} for one in found],
        "files": _written(found, out) if out else [],
    }


def _written(found: Iterable[Accepted], out: Path) -> list[str]:
    files = []
    for one in found:
        for ending, text in (("", one.invoice_csv), ("_accounting", one.accounting_csv)):
            path = out / f"{one.number}{ending}.csv"
            write_whole(path, text.encode())
            files.append(str(path))
    return files


def _document(one: Accepted) -> dict[str, Any]:
    """The document without its lines and files, for JSON: amounts are texts."""
    values = {field.name: getattr(one, field.name) for field in fields(one) if field.name not in _LEFT_OUT}
    values |= {name: str(values[name]) for name in ("period", "invoice_date", "due_date", "total")}
    values["components"] = {name: str(amount) for name, amount in one.components.items()}
    values["accepted_at"] = one.accepted_at.isoformat()
    return values
