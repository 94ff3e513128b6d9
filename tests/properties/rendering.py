"""A generated case as the product reads it: usage CSV bytes, rules frames, and a rules workbook."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from openpyxl import Workbook

from billing_pipeline.engine.rules import CONTRACTS, CUSTOMERS, MINIMUM_ROWS, TIERS, Rules
from tests.oracle import Book, Cells, Customer, Tier, clean_id, key, lower_key
from tests.properties.books import Case


def usage_name(case: Case) -> str:
    return f"{case.year}.{case.month:02d}_usage.csv"


def usage_csv(case: Case, rows: Sequence[Cells] | None = None, *, quoted: bool = False, newline: str = "\n") -> bytes:
    """The case's file, or the file it would be with other rows; `quoted`: every cell in quotes, the empty ones too."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=newline)
    writer.writerow(case.columns)
    writer.writerows([row[column] for column in case.columns] for row in (case.rows if rows is None else rows))
    return buffer.getvalue().encode()


def lines(rows: Sequence[Cells]) -> list[int]:
    """The physical line at which each row starts: the header is line 1, a quoted newline makes a row longer."""
    starts, at = [], 2
    for row in rows:
        starts.append(at)
        at += 1 + sum(cell.count("\n") for cell in row.values())
    return starts


def rules(book: Book) -> Rules:
    """The book as typed tables, as the workbook reader would give them."""
    by_start = ("partner_key", "start")
    return Rules(
        name="gep_billing_rules.xlsx",
        sha256="0" * 64,
        workbook=b"",
        tiers=_table(map(_tier, book.tiers), TIERS).sort(by_start, maintain_order=True),
        minimums=_table(((m.partner, m.start, m.end, m.amount, "D") for m in book.minimums), MINIMUM_ROWS).sort(
            by_start, maintain_order=True
        ),
        contracts=_table(((c.partner, c.start, c.end) for c in book.contracts), CONTRACTS).unique(
            "partner_key", keep="last", maintain_order=True
        ),
        customers=_table(map(_customer, book.customers), CUSTOMERS),
        warnings=(),
    )


def _table(rows: Iterable[tuple[Any, ...]], schema: pl.Schema) -> pl.DataFrame:
    """The rows, which have every column of the schema but `sheet_row`, which is counted from 2."""
    columns = {name: dtype for name, dtype in schema.items() if name != "sheet_row"}
    numbered = pl.DataFrame(list(rows), schema=columns, orient="row").with_row_index("sheet_row", 2)
    return numbered.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _tier(t: Tier) -> tuple[Any, ...]:
    prices = (t.er, t.iu, t.included, t.nd_er, t.nd_iu)
    return (t.partner, t.type, t.metric, t.start, t.end, *prices, *"EFGHIJK")


def _customer(c: Customer) -> tuple[str, ...]:
    name_key = lower_key(c.partner_name)
    return (key(c.partner_id) or name_key, key(c.partner_id), clean_id(c.partner_id), name_key, key(c.customer))


def workbook(book: Book) -> bytes:
    """The book as an .xlsx file; every other price is written as text with a dollar sign, as people do."""
    file = Workbook()
    file.remove(file.worksheets[0])
    pricing = file.create_sheet("Pricing")
    pricing.append(
        (
            *(
                "Partner ID",
                "Partner Name",
                "Tier Type",
                "Tier Metric",
                "TierStart",
                "TierEnd",
                "Company Fee",
                "User Fee",
            ),
            *("Include IU?", "Unit Price Next Day ER", "Unit Price Next Day IU"),
        )
    )
    for number, t in enumerate(book.tiers):
        metric = t.metric.replace("_", " ").lower() if number % 2 else t.metric
        prices = [_price(p, number + column) for column, p in enumerate((t.er, t.iu, t.nd_er, t.nd_iu))]
        pricing.append((*_partner(t.partner), t.type, metric, t.start, t.end, *prices[:2], t.included, *prices[2:]))
    minimums = file.create_sheet("Minimums")
    minimums.append(("partner_id", "partner_name", "month_start", "month_end", "minimum_amount"))
    for m in book.minimums:
        minimums.append((*_partner(m.partner), m.start, m.end, m.amount))
    config = file.create_sheet("Config")
    config.append(("partner_id", "partner_name", "minimums_start_month", "minimums_end_month"))
    for number, c in enumerate(book.contracts):
        start = f"{c.start:%Y-%m}" if c.start and number % 2 else c.start
        config.append((*_partner(c.partner), start, c.end))
    mapping = file.create_sheet("Mapping")
    mapping.append(("partner_id", "partner_name", "ns_customer_name"))
    for row in book.customers:
        mapping.append((row.partner_id or None, row.partner_name or None, row.customer))
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def _partner(partner_key: str) -> tuple[str | int | None, str | None]:
    """A key back as id and name: ids hold digits only or a leading capital letter, names do not."""
    if partner_key.isdecimal():
        return (int(partner_key) if not partner_key.startswith("0") else partner_key), None
    return (partner_key, None) if partner_key[:1].isupper() else (None, partner_key)


def _price(price: Decimal, number: int) -> Decimal | str | None:
    if price == 0:
        return None
    return f"${price}" if number % 2 else price
