"""Behind unbilled hours: the time logs and contracts there are now, of the folder and of managed-services billing.

What belongs here: bringing the feeds together, and their content as one hash. What does not: what a log is worth
(engine.unbilled). Source: spec 1, 2.1 of unbilled hours; U11.
"""

import hashlib
from datetime import date

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.client_billing import inputs_sha256
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services import pulled
from billing_pipeline.engine.managed_services.entries import dated_entries
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled import typed_contracts, typed_logs
from billing_pipeline.engine.unbilled.client_hours import TERMS, client_work
from billing_pipeline.engine.unbilled.tables import CONTRACTS, LOGS
from billing_pipeline.resources import client_archive
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.unbilled_folder import HaltError, UnbilledFolder
from billing_pipeline.run_tags import CLIENTS

_BILLS = "client_bills"
_FRAMES = (pulled.ENTRIES, pulled.COMPANIES, _BILLS)


def feeds(
    folder: UnbilledFolder,
    outputs: OutputFiles,
    database: Database,
    today: date,
    zone: str,
    *,
    honour_billable_flag: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """LOGS and CONTRACTS of the folder, where there is one, and of the clients, where time was pulled for them.

    HaltError without either, or when a feed of the folder is missing or empty: no figure is told from missing data.
    InputError: contracts that cannot be meant, a project that both have.
    """
    parts = []
    if folder.path.is_dir():
        parts.append((typed_logs(folder.logs()), typed_contracts(folder.contracts())))
    clients = _of_clients(outputs.of(CLIENTS), database, today, zone, honour_billable_flag=honour_billable_flag)
    if clients is not None:
        parts.append(clients)
    if not parts:
        raise HaltError(f"HALT: there are no time logs: {folder.path} is no folder, and no time of clients was pulled")
    logs, contracts = (pl.concat(frames) for frames in zip(*parts, strict=True))
    twice = contracts.filter(pl.col("project_id").is_duplicated())["project_id"].unique().sort()
    if not twice.is_empty():
        said = "is a project of the folder and the number of a client's month as well; call it otherwise"
        raise InputError([Problem(said, file=str(folder.path), value=project) for project in twice])
    return conform(logs, LOGS), conform(contracts, CONTRACTS)


def fingerprint(folder: UnbilledFolder, outputs: OutputFiles, database: Database, today: date) -> str:
    """SHA-256 over the content of all that the figures are made of, the current month, and what was accepted so far.

    A pull that brought nothing new is no change.
    """
    sets = outputs.of(CLIENTS)
    digest = hashlib.sha256(folder.fingerprint().encode() if folder.path.is_dir() else b"")
    for asset in _FRAMES:
        frames = [pl.read_parquet(sets.frame_path(asset, month)) for month in sets.frame_months(asset)]
        digest.update(inputs_sha256(frame.drop("pulled_at", strict=False) for frame in frames).encode())
    digest.update(f"{Period.of(today).key} {database.run(client_archive.size)}".encode())
    return digest.hexdigest()


def marks(folder: UnbilledFolder, outputs: OutputFiles, database: Database, today: date) -> str:
    """What changes whenever the fingerprint may have changed, without reading a file."""
    files = sorted(folder.path.glob("*")) if folder.path.is_dir() else []
    stats = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    stored = [mark for asset in _FRAMES for mark in outputs.of(CLIENTS).frame_marks(asset)]
    return "\n".join([*stats, *stored, Period.of(today).key, f"{database.run(client_archive.size)}"])


def _of_clients(
    outputs: OutputFiles, database: Database, today: date, zone: str, *, honour_billable_flag: bool
) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """LOGS and CONTRACTS of managed services; None where no time was pulled."""
    current = Period.of(today)
    newest = outputs.last_frame_month(pulled.ENTRIES, current)
    if newest is None:
        return None
    entries = pulled.records(pulled.ENTRIES, pl.read_parquet(outputs.frame_path(pulled.ENTRIES, newest)))
    closed, billed = database.run(_accepted)
    dated = dated_entries(entries, closed, billed, zone, honour_billable_flag=honour_billable_flag)
    directory = outputs.last_frame_month(pulled.COMPANIES, current)
    known = pl.DataFrame(schema={"account": pl.String, "name": pl.String})
    if directory is not None:
        listing = pl.read_parquet(outputs.frame_path(pulled.COMPANIES, directory))
        known = pulled.records(pulled.COMPANIES, listing).select("account", "name")
    return client_work(dated, billed, _terms(outputs), known, current.first, zone)


def _terms(outputs: OutputFiles) -> pl.DataFrame:
    """TERMS of every month that clients were billed for."""
    found = [pl.DataFrame(schema=TERMS)]
    for month in outputs.frame_months(_BILLS):
        bills = pl.read_parquet(outputs.frame_path(_BILLS, month))
        found.append(conform(bills.with_columns(month=pl.lit(month.first)), TERMS))
    return pl.concat(found)


def _accepted(connection: sa.Connection) -> tuple[pl.DataFrame, pl.DataFrame]:
    return client_archive.closed_months(connection), client_archive.billed_entries(connection)
