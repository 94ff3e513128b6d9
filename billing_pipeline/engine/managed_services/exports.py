"""The rows of a client's invoice, and of the accounting system's import: the same number, dates and total in both.

Source: spec 4.6; Q29 (number and dates are the period's in both), Q30 (every component that is not zero has a row).
"""

from datetime import timedelta

import polars as pl

from billing_pipeline.engine.managed_services.bills import Bills, in_order
from billing_pipeline.engine.managed_services.charges import DEVICE, ITEM, PERSON
from billing_pipeline.engine.managed_services.exact import terabytes
from billing_pipeline.engine.managed_services.proration import TAX
from billing_pipeline.engine.money import cents
from billing_pipeline.engine.period import Period

COLUMNS = (
    "InvoiceNo", "Customer", "InvoiceDate", "DueDate", "Item(Product/Service)", "Description", "Qty", "Rate", "Amount",
)  # fmt: skip
DUE_AFTER = timedelta(days=30)  # the last day of the month
_ONE = pl.lit("1")
_CALLED = {PERSON: "User", DEVICE: "Asset"}


def invoice_rows(found: Bills, period: Period) -> pl.DataFrame:
    """account, then COLUMNS (texts, Amount AMOUNT): clients by account; users, devices, backup, labour, items, tax.

    Users and devices that cost nothing are left out. The rows of a client sum to its total.
    """
    bills = found.bills
    charged = found.lines.filter(pl.col("amount") != 0)
    bases = {"Workstation Backup Base: $": "backup_base_workstation", "Server Backup Base: $": "backup_base_server"}
    said = [
        pl.when(pl.col(name) != 0).then(pl.format("{}{}", pl.lit(text), _text(name))) for text, name in bases.items()
    ]
    overage = pl.when(pl.col("overage_charge") != 0).then(
        pl.format("Overage: {} TB @ ${}", terabytes(), _text("overage_charge"))
    )
    description = pl.concat_str(*said, overage, separator=", ", ignore_nulls=True)
    backup = bills.filter(pl.col("backup_charge") != 0).select(
        "account",
        *_row(
            "Backup Services", pl.format("Backup Services - {}", description), _ONE, "backup_charge", "backup_charge"
        ),
    )
    hourly = cents(pl.col("ticket_charge").cast(pl.Decimal(38, 10)) / pl.col("billable").cast(pl.Decimal(38, 4)))
    labour = bills.filter(pl.col("billable") > 0).with_columns(hourly.alias("hourly")).select(
        "account", *_row("Hourly Labor", _hours(), _two(pl.col("billable")), "hourly", "ticket_charge")
    )  # fmt: skip
    groups = [
        _each(charged, PERSON),
        _each(charged, DEVICE),
        backup,
        labour,
        _items(found.lines, "Custom Charge", "{} ({})"),
        _tax(found.lines),
    ]
    return _numbered(groups, bills, period)


def accounting_rows(found: Bills, period: Period) -> pl.DataFrame:
    """The same for the accounting system: users and devices at any cost, items, labour, three for backup, tax."""
    bills = found.bills
    labour = bills.filter(pl.col("ticket_charge") != 0).select(
        "account",
        *_row("Hourly Labor", _hours(), _two(pl.col("billable")), "per_hour_ticket_cost", "ticket_charge"),
    )
    backup = [
        bills.filter(pl.col(amount) != 0).select(
            "account", *_row("Backup Services", description, quantity, rate, amount)
        )
        for description, quantity, rate, amount in (
            (
                pl.lit("Workstation Backup Base Fee"),
                _text("workstations"),
                "backup_base_fee_workstation",
                "backup_base_workstation",
            ),
            (pl.lit("Server Backup Base Fee"), _text("servers"), "backup_base_fee_server", "backup_base_server"),
            (pl.format("Storage Overage ({} TB)", terabytes()), terabytes(), "backup_per_tb_fee", "overage_charge"),
        )
    ]
    items = _items(found.lines, "Custom Services", "Custom Item: {} ({})")
    people, devices = _each(found.lines, PERSON), _each(found.lines, DEVICE)
    return _numbered([people, devices, items, labour, *backup, _tax(found.lines)], bills, period)


def _each(lines: pl.DataFrame, kind: str) -> pl.DataFrame:
    text = pl.format("{}: {} ({})", pl.lit(_CALLED[kind]), pl.col("name").fill_null(""), pl.col("type").fill_null(""))
    return lines.filter(pl.col("kind") == kind).select(
        "account", *_row("Managed Services", text, _ONE, "amount", "amount")
    )


def _items(lines: pl.DataFrame, item: str, text: str) -> pl.DataFrame:
    said = pl.format(text, pl.col("name").fill_null(""), "type")
    return lines.filter(pl.col("kind") == ITEM).select("account", *_row(item, said, _ONE, "amount", "amount"))


def _tax(lines: pl.DataFrame) -> pl.DataFrame:
    said = pl.format("{} ({})", "name", "type")
    return lines.filter(pl.col("kind") == TAX).select("account", *_row("Tax", said, _ONE, "amount", "amount"))


def _row(item: str, description: pl.Expr, quantity: pl.Expr, rate: str, amount: str) -> list[pl.Expr]:
    return [
        pl.lit(item).alias("Item(Product/Service)"),
        description.alias("Description"),
        quantity.alias("Qty"),
        _text(rate).alias("Rate"),
        pl.col(amount).alias("Amount"),
    ]


def _numbered(groups: list[pl.DataFrame], bills: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The groups of every client, one after the other, under its invoice's number and dates."""
    ordered = pl.concat([group.with_columns(pl.lit(place).alias("place")) for place, group in enumerate(groups)])
    named = ordered.join(
        bills.select("account", pl.col("name").fill_null("").alias("Customer"), pl.col("number").alias("InvoiceNo")),
        on="account",
        maintain_order="left",
    )
    return (
        named.sort(in_order(bills["account"]), "place", maintain_order=True)
        .with_columns(
            pl.lit(f"{period.last}").alias("InvoiceDate"),
            pl.lit(f"{period.last + DUE_AFTER}").alias("DueDate"),
        )
        .select("account", *COLUMNS)
    )


def _hours() -> pl.Expr:
    return pl.format("Billable Hours ({} hrs)", _two(pl.col("billable")))


def _two(value: pl.Expr) -> pl.Expr:
    return cents(value).cast(pl.String)


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String)
