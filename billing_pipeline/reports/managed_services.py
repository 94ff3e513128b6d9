"""The files of a month's client bills: the two CSV texts of every client, their archives, and the workbook beside them.

What belongs here: how files are named and written. What does not: which rows an invoice has (the engine's exports).
Source: spec 4.6; Q33 (no text starts a formula), Q46 (the account number in every file name).
"""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from billing_pipeline.engine.managed_services.contracts import contract_end
from billing_pipeline.engine.managed_services.exact import hours
from billing_pipeline.engine.managed_services.exports import COLUMNS
from billing_pipeline.engine.managed_services.features import NOT_INCLUDED
from billing_pipeline.engine.managed_services.tables import HOURS
from billing_pipeline.engine.money import AMOUNT, cents
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.csv_files import FORMULA, harmless
from billing_pipeline.reports.workbook import Table, write_workbook
from billing_pipeline.reports.workbook_parts import Style

_QUOTED = r'[",\r\n]'
_TOTAL = "TOTAL"
_HEADER = Style(bold=True, color="FFFFFF", fill="2F5496", border="thin", align="center", wrap=True)
_BOLD = Style(bold=True)
_TEXTS = ("InvoiceNo", "Customer", "Item(Product/Service)", "Description")  # the others are dates and numbers of ours
EMPTY_TEXT = ",".join(COLUMNS) + "\r\n"  # the file of a bill without a row
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every file in an archive: the same rows are the same bytes
_LONGEST = 80  # letters of a client's name in that of its file
_MOST_BYTES = 150  # and bytes: letters may have four, a file's whole name 255
_BILLS = {
    "account": "Account", "name": "Client", "number": "Invoice", "plan": "Plan", "term": "Term",
    "support_level": "Support", "total_user_charges": "Users", "total_asset_charges": "Devices",
    "backup_charge": "Backups", "ticket_charge": "Support hours", "total_line_item_charges": "Items",
    "tax_charge": "Tax", "total": "Total", "worked": "Hours worked", "prepaid_monthly": "Prepaid monthly",
    "prepaid_left": "Prepaid yearly left", "billable": "Hours billed", "contract_start": "Contract start",
    "contract_end": "Contract end",
}  # fmt: skip
_LINES = {
    "account": "Account", "client": "Client", "kind": "Kind", "name": "Name", "type": "Type", "quantity": "Quantity",
    "rate": "Rate", "amount": "Amount", "why": "Why", "record": "Record",
}  # fmt: skip
_TIME = {
    "account": "Account", "ticket": "Ticket", "subject": "Subject", "at": "Worked at", "worked": "Hours",
    "month": "Billed in", "state": "How it counts", "source": "Source", "source_id": "Entry",
}  # fmt: skip


def client_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """account, text: each client's rows (account and COLUMNS) as a CSV file with CRLF and quotes only where needed."""
    careful = rows.select(_needs_care(name) for name in _TEXTS).row(0, named=True)
    cells = [_careful_cell(name) if careful.get(name) else _cell(name) for name in COLUMNS]
    lines = rows.select("account", line=pl.format(",".join(["{}"] * len(cells)), *cells))
    whole = pl.concat_str(pl.lit(EMPTY_TEXT), pl.col("line").list.join("\r\n"), pl.lit("\r\n"))
    return lines.group_by("account", maintain_order=True).agg("line").select("account", text=whole)


def _needs_care(name: str) -> pl.Expr:
    """Whether any text of the column needs quotes or may start a formula: looking is quicker than treating all."""
    return pl.col(name).str.contains(f"{FORMULA}|{_QUOTED}").any()


def _cell(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).fill_null("")


def _careful_cell(name: str) -> pl.Expr:
    text = harmless(_cell(name))
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(text.str.contains(_QUOTED)).then(quoted).otherwise(text)


def rows_of_texts(texts: Iterable[str], columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """The rows of CSV texts read back, all with the one header: the columns as texts, Amount as AMOUNT.

    A text with another header keeps it as a row, and its Amount cannot be read.
    """
    whole = EMPTY_TEXT + "".join(text.removeprefix(EMPTY_TEXT) for text in texts)
    schema = dict.fromkeys(COLUMNS, pl.String)
    found = pl.read_csv(whole.encode(), infer_schema=False, schema=schema, columns=list(columns)).fill_null("")
    return found.with_columns(pl.col("Amount").cast(AMOUNT))


def file_names(clients: pl.DataFrame, period: Period) -> dict[str, str]:
    """The file name of each account (clients: account, name): the client's name, its account, the month."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for account, name in clients.select("account", "name").iter_rows():
        stem = "_".join(part for part in (_plain(name or ""), _plain(account)) if part)
        unique, number = f"{stem}_{period.key}.csv", 2
        while unique.casefold() in taken:
            unique, number = f"{stem}-{number}_{period.key}.csv", number + 1
        taken.add(unique.casefold())
        names[account] = unique
    return names


def _plain(text: str) -> str:
    """Letters, digits, space, _ and - only; spaces as _. Source: spec 4.6."""
    plain = re.sub(r"\s", "_", re.sub(r"[^\w\s-]", "", text).strip())[:_LONGEST]
    return plain.encode()[:_MOST_BYTES].decode(errors="ignore")


def zip_bytes(files: Mapping[str, str]) -> bytes:
    """The texts as one archive, the same bytes for the same texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _WHEN), files[name].encode(), zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()


def texts_of_zip(path: Path) -> dict[str, str]:
    """The texts of an archive by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def workbook_sheets(
    bills: pl.DataFrame, lines: pl.DataFrame, entries: pl.DataFrame, others: pl.DataFrame, features: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """The sheets of the month's workbook, under the headings that people read."""
    shown = others.select(
        pl.col("kind").str.to_titlecase().alias("Kind"), pl.col("account").alias("Account"),
        pl.col("name").alias("Name"), pl.col("text").alias("Why"),
    )  # fmt: skip
    return {
        "Bills": _with_total(
            bills.with_columns(cents(cs.by_dtype(HOURS)), contract_end().alias("contract_end")).select(
                pl.col(name).alias(title) for name, title in _BILLS.items()
            )
        ),
        "Not billed": shown.filter(pl.col("Kind") != "Warning"),
        "Warnings": shown.filter(pl.col("Kind") == "Warning").drop("Kind"),
        "Features": features.filter(pl.col("value") != NOT_INCLUDED).select(
            pl.col("account").alias("Account"), pl.col("feature").alias("Feature"), pl.col("value").alias("Value"),
            pl.when("overridden").then(pl.lit("its own")).otherwise(pl.lit("its plan")).alias("From"),
        ),
        "Lines": lines.select(pl.col(name).alias(title) for name, title in _LINES.items()),
        "Time": entries.with_columns(
            pl.col("at").dt.strftime("%Y-%m-%d %H:%M UTC"), cents(hours(pl.col("worked").dt.total_milliseconds()))
        ).select(pl.col(name).alias(title) for name, title in _TIME.items()),
    }  # fmt: skip


def _with_total(bills: pl.DataFrame) -> pl.DataFrame:
    """The bills with a last row that sums their amounts and hours."""
    sums = bills.select(cs.by_dtype(AMOUNT).sum()).with_columns(pl.lit(_TOTAL).alias("Account"))
    return pl.concat([bills, sums], how="diagonal")


def write_clients(path: Path, sheets: Mapping[str, pl.DataFrame]) -> tuple[str, ...]:
    """Write the month's workbook, a sheet for each frame; the sheet names. Errors as `write_workbook`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    money = {
        name: {column: "#,##0.00" for column, dtype in frame.schema.items() if dtype == AMOUNT}
        for name, frame in sheets.items()
    }
    tables = [
        Table(name, frame, _HEADER, formats=money[name], marks={"Account": {_TOTAL: _BOLD}} if name == "Bills" else {})
        for name, frame in sheets.items()
    ]
    return write_workbook(path, tables)
