"""Behind the client bills: what a month is made of, the files of its bills, and what their checks find."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.run_set import RunSet
from billing_pipeline.engine.managed_services import Bills, accounting_rows, client_bills, invoice_rows
from billing_pipeline.engine.managed_services.checking import (
    BILLED_ONCE,
    ONCE,
    TIES_OUT,
    billed_twice,
    untied,
    wrongly_placed,
)
from billing_pipeline.engine.managed_services.entries import charged_in
from billing_pipeline.engine.managed_services.explanation import explained_lines
from billing_pipeline.engine.managed_services.features import effective_features
from billing_pipeline.engine.managed_services.month import ClientMonth, client_month
from billing_pipeline.engine.managed_services.reference import sheet_frames
from billing_pipeline.engine.managed_services.sheets import SHEETS
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema
from billing_pipeline.profile import Profile
from billing_pipeline.reports.managed_services import (
    client_texts,
    file_names,
    rows_of_texts,
    texts_of_zip,
    workbook_sheets,
    write_clients,
    zip_bytes,
)
from billing_pipeline.reports.manifest import RunFacts, run_facts
from billing_pipeline.resources import client_archive, client_book
from billing_pipeline.resources.client_documents import Sent
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.files import write_whole

EXCEPTION, EXCLUDED, WARNING = "exception", "excluded", "warning"
INVOICE, ACCOUNTING = "invoice", "accounting"
_ROWS = {INVOICE: invoice_rows, ACCOUNTING: accounting_rows}
SET_ONLY = ("bills", "lines", "entries", "texts", "checks")
_ARCHIVES = {INVOICE: "invoices", ACCOUNTING: "all_invoices"}


@dataclass(frozen=True, slots=True)
class MonthBills:
    """What is made of a month: bills, explained lines, its time entries, and everybody who is not billed, and why."""

    bills: pl.DataFrame
    lines: pl.DataFrame
    entries: pl.DataFrame
    others: pl.DataFrame  # kind (exception, excluded, warning), account, name, text
    features: pl.DataFrame  # account, feature, value, overridden


def book_frame(database: Database, at: datetime) -> pl.DataFrame:
    """The reference data as it is: sheet, row (JSON of texts), pulled_at."""

    def read(connection: sa.Connection) -> list[tuple[str, str]]:
        return [
            (sheet.name, json.dumps(row, ensure_ascii=False))
            for sheet in SHEETS
            for row in client_book.rows_of(connection, sheet)
        ]

    frame = pl.DataFrame(database.run(read), schema={"sheet": pl.String, "row": pl.String}, orient="row")
    return frame.with_columns(pl.lit(at, pl.Datetime("us", "UTC")).alias("pulled_at"))


def sheets_of(book: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The sheets of a book_frame() as frames of texts."""
    rows: dict[str, list[dict[str, str | None]]] = {}
    for sheet, row in book.select("sheet", "row").iter_rows():
        rows.setdefault(sheet, []).append(json.loads(row))
    return sheet_frames(rows)


def month_bills(
    listings: Mapping[str, pl.DataFrame],
    book: pl.DataFrame,
    database: Database,
    period: Period,
    rules: ClientRules,
    profile: Profile,
) -> MonthBills:
    """Bill the month. The amounts of a client depend on nobody else's."""
    closed, billed, numbers = database.run(partial(_archived, period=period))
    sheets = sheets_of(book)
    terms = profile.clients
    flag = terms.honour_billable_flag
    month = client_month(listings, sheets, closed, billed, period, rules.zone, honour_billable_flag=flag)
    found = client_bills(month.book, period, terms.policy, terms.options)
    in_month = (pl.col("month") == period.first) | (pl.col("own_month") == period.first)
    counted = month.entries.select("month", "state")  # what closed months and billed entries made of each
    made_of = inputs_sha256([*listings.values(), book, counted])
    numbered = found.bills.with_columns(
        pl.col("account").replace_strict(numbers, default=pl.col("number"), return_dtype=pl.String).alias("number")
    )
    return MonthBills(
        numbered.with_columns(pl.lit(made_of).alias("draft")),
        explained_lines(found),
        month.entries.filter(in_month).drop("pulled_at"),
        _others(found, month),
        effective_features(found.bills.select("account", "plan", "term"), sheets["plan_features"], sheets["features"]),
    )


def inputs_sha256(frames: Iterable[pl.DataFrame]) -> str:
    """SHA-256 over the contents of frames (texts, flags, whole numbers, times): what a bill was made of.

    Each column as a block of its values, which is quick and does not change with a library's version.
    """
    digest = hashlib.sha256()
    for frame in frames:
        for column in frame.iter_columns():
            digest.update(f"{column.name} {len(column)}\n".encode())
            for block in _blocks(column):
                digest.update(block)
    return digest.hexdigest()


def write_bills(folder: Path, made: MonthBills, accepted: Mapping[str, Sent], period: Period) -> dict[str, str]:
    """Write a draft's files; the kind of each by its name. Clients whose bill was accepted have the files that were."""
    kinds, texts = write_texts(folder, made, accepted, period)
    workbook = f"clients/{period.key}/client_bills_{period.key}.xlsx"
    write_clients(folder / workbook, workbook_sheets(made.bills, made.lines, made.entries, made.others, made.features))
    kinds[workbook] = "workbook"
    for kind, frame in (("bills", made.bills), ("lines", made.lines), ("entries", made.entries), ("texts", texts)):
        frame.write_parquet(folder / f"{kind}.parquet")
        kinds[f"{kind}.parquet"] = kind
    return kinds


def write_texts(
    folder: Path, made: MonthBills, accepted: Mapping[str, Sent], period: Period
) -> tuple[dict[str, str], pl.DataFrame]:
    """Write the CSV files of every client and their archives: the kind of each by its name, and the texts by account
    (account, invoice, accounting; null of a bill without a row).
    """
    found = Bills(made.bills, made.lines, pl.DataFrame(), pl.DataFrame())
    names = file_names(made.bills, period)
    kinds: dict[str, str] = {}
    texts = made.bills.select("account")
    with ThreadPoolExecutor(1) as ahead:  # makes the texts of the next kind while the files of one are written
        made_texts = ahead.map(lambda rows: client_texts(rows(found, period)), _ROWS.values())
        for kind, new in zip(_ROWS, made_texts, strict=True):
            by_account = dict(new.iter_rows())
            by_account |= {account: _archived_text(one, kind) for account, one in accepted.items() if account in names}
            files = {names[account]: text for account, text in by_account.items()}
            kinds |= _write_kind(folder, f"clients/{period.key}", kind, files, period)
            texts = texts.with_columns(pl.Series(kind, [by_account.get(account) for account in names], dtype=pl.String))
    return kinds, texts


def _write_kind(folder: Path, root: str, kind: str, files: Mapping[str, str], period: Period) -> dict[str, str]:
    (folder / root / kind).mkdir(parents=True, exist_ok=True)
    place = f"{folder}/{root}/{kind}/"
    for name, text in files.items():
        with open(place + name, "wb") as file:  # noqa: PTH123  # 20,000 paths are not for nothing
            file.write(text.encode())
    archive = f"{root}/{_ARCHIVES[kind]}_{period.key}.zip"
    write_whole(folder / archive, zip_bytes(files))
    return {f"{root}/{kind}/{name}": kind for name in files} | {archive: _ARCHIVES[kind]}


def file_problems(
    folder: Path,
    made: MonthBills,
    companies: pl.DataFrame,
    accepted: Mapping[str, Sent],
    database: Database,
    period: Period,
) -> dict[str, list[str]]:
    """What the checks find, over the files read back."""
    root = folder / "clients" / period.key
    read = {
        kind: rows_of_texts(texts_of_zip(root / f"{archive}_{period.key}.zip").values(), ("InvoiceNo", "Amount"))
        for kind, archive in _ARCHIVES.items()
    }
    totals = {one.number: one.total for one in accepted.values()}
    billed = database.run(client_archive.billed_entries)
    charged = made.entries.filter(charged_in(period))
    return {
        TIES_OUT: untied(made.bills, made.lines, read, totals),
        ONCE: wrongly_placed(companies, made.bills, made.others.filter(pl.col("kind") != WARNING), period),
        BILLED_ONCE: billed_twice(charged, billed, period),
    }  # fmt: skip


def accepted_frame(database: Database, period: Period) -> pl.DataFrame:
    """The archive of a month: number, kind, account, name, revision, total, credits, who and when, reason."""
    schema: Schema = {
        "number": pl.String, "kind": pl.String, "account": pl.String, "name": pl.String, "revision": pl.Int64,
        "total": AMOUNT, "credits": pl.String, "accepted_by": pl.String, "accepted_at": pl.Datetime("us", "UTC"),
        "reason": pl.String,
    }  # fmt: skip
    found = database.run(partial(client_archive.facts_of, period=period, names=list(schema)))
    return pl.DataFrame(found, schema=schema | {"total": pl.String}, orient="row").cast({"total": AMOUNT})


def manifest_of_bills(
    run: RunFacts, period: Period, files: RunSet, bills: pl.DataFrame, others: pl.DataFrame
) -> dict[str, Any]:
    """The manifest of a month's client bills: the run, what it was made of, its figures, its files."""
    counts = dict(others["kind"].value_counts().iter_rows())
    return {
        **run_facts(run),
        "billing_period": period.dotted,
        "inputs_sha256": bills["draft"][0] if bills.height else "",
        "billed": bills.height,
        "total": str(total(bills["total"])),
        **{f"{kind}s": counts.get(kind, 0) for kind in (EXCEPTION, WARNING)},
        EXCLUDED: counts.get(EXCLUDED, 0),
        "files": list(files.entries()),
        "manifest_name": f"clients/{period.key}/run_manifest_{period.key}_{run.run_id}.json",
    }


def changed_since(bills: pl.DataFrame, accepted: Mapping[str, Sent]) -> pl.DataFrame:
    """account, accepted, now (texts): accepted bills that would come to another amount today. They stay as they are."""
    now = dict(bills.select("account", "total").iter_rows())
    rows = [
        (account, str(one.total), str(now.get(account, "not billed")))
        for account, one in accepted.items()
        if now.get(account) != one.total
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("account", "accepted", "now"), pl.String), orient="row")


def _archived(connection: sa.Connection, period: Period) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    """Closed months, billed entries, and the numbers of accounts that have invoices of the month, of one moment."""
    numbers = client_archive.numbers_of(connection, period)
    return client_archive.closed_months(connection), client_archive.billed_entries(connection), numbers


def _blocks(column: pl.Series) -> Iterator[bytes | memoryview]:
    """The values of a column as bytes: which are null, how long texts are, and all values one after the other."""
    if column.dtype == pl.String:
        yield _numbers(column.str.len_bytes().cast(pl.Int64).fill_null(-1))
        yield str(column.str.join("").item()).encode()
    else:
        yield _numbers(column.is_null().cast(pl.Int64))
        yield _numbers(column.to_physical().cast(pl.Int64).fill_null(0))


def _numbers(values: pl.Series) -> memoryview:
    return values.to_numpy().astype("<i8", copy=False).data


def _archived_text(one: Sent, kind: str) -> str:
    return one.invoice_csv if kind == INVOICE else one.accounting_csv


def _others(found: Bills, month: ClientMonth) -> pl.DataFrame:
    told = [
        (EXCEPTION, found.exceptions, "reason"),
        (EXCEPTION, month.unusable, "reason"),
        (EXCLUDED, month.excluded, "reason"),
        (WARNING, found.warnings, "warning"),
        (WARNING, month.warnings, "warning"),
    ]
    frames = [
        frame.select(pl.lit(kind).alias("kind"), pl.col("account").fill_null(""), "name", pl.col(column).alias("text"))
        for kind, frame, column in told
    ]
    return pl.concat(frames).sort("kind", "account", "name", maintain_order=True)
