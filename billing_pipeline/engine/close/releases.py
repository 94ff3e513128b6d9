"""Adjustments: what a changed draft adds to, or takes from, the invoices that were sent before.

What was imported once is never imported again: a later release carries the differences only, positive ones as
invoices, negative ones as credit memos, each tied to the invoice it corrects. Source: decision 11, "Ids" of the
interface document, NetSuite's import contract.
"""

from datetime import date

import polars as pl

from billing_pipeline.engine.invoicing import COLUMNS
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

ORIGINAL = "Original Invoice External ID"
INVOICE, CREDIT_MEMO = "invoice", "credit_memo"
_LINE = ["Customer", "Invoice External ID", "partner_key", "Item", "Description", "Product"]


def line_differences(sent: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Every invoice line whose amount is not what was sent: the line's names, `before`, `after`, `difference` (AMOUNT),
    `invoice_sent` (whether any line of its invoice was sent).

    Both frames are of invoice_lines(); held lines were not sent and are not sent now. Order: by invoice and line.
    """
    both = _amounts(sent, "before").join(
        _amounts(lines, "after"), on=_LINE, how="full", coalesce=True, nulls_equal=True
    )
    filled = both.with_columns(pl.col("before", "after").fill_null(0).cast(AMOUNT))
    differs = filled.with_columns((pl.col("after") - pl.col("before")).cast(AMOUNT).alias("difference"))
    known = sent.filter(pl.col("held").is_null())["Invoice External ID"].unique()
    invoice_sent = pl.col("Invoice External ID").is_in(known.implode()).alias("invoice_sent")
    return differs.with_columns(invoice_sent).filter(pl.col("difference") != 0).sort(_LINE)


def partner_differences(differences: pl.DataFrame) -> pl.DataFrame:
    """The differences by partner: partner_key, customers (text), before, after, difference; the largest first.

    `before` and `after` are of the lines that changed.
    """
    return (
        differences.group_by("partner_key")
        .agg(
            pl.col("Customer").unique().sort().str.join(", ").alias("customers"),
            pl.col("before", "after", "difference").sum(),
        )
        .sort(pl.col("difference").abs(), "partner_key", descending=[True, False])
    )


def adjustment_lines(
    differences: pl.DataFrame, period: Period, number: int, posted: date, date_format: str
) -> pl.DataFrame:
    """The lines of release `number`: COLUMNS, the original's external id (null: none was sent), `kind` (invoice,
    credit_memo).

    Amounts are positive in both files: a credit memo takes away what it names. `posted` is a day of an open period.
    """
    memo, charged = pl.col("Invoice External ID").str.replace(r"^INV-", "CM-"), pl.col("difference") > 0
    return (
        differences.with_columns(
            pl.when(charged).then(pl.lit(INVOICE)).otherwise(pl.lit(CREDIT_MEMO)).alias("kind"),
            pl.when("invoice_sent").then("Invoice External ID").alias(ORIGINAL),
            pl.format("{}-R{}", pl.when(charged).then("Invoice External ID").otherwise(memo), pl.lit(number)).alias(
                "Invoice External ID"
            ),
            pl.lit(f"{period.title} Adjustment {number}").alias("Memo"),
            pl.lit(posted.strftime(date_format)).alias("Transaction Date"),
            pl.lit(1, pl.Int64).alias("Quantity"),
            pl.col("difference").abs().alias("Amount"),
        )
        .select(*COLUMNS, ORIGINAL, "kind")
        .sort("Invoice External ID", "Customer", maintain_order=True)
    )


def posting_date(period: Period, closed: frozenset[Period]) -> date:
    """The day adjustments are posted: the month's last, or the first of the earliest later month that is open."""
    if period not in closed:
        return period.last
    later = period.next
    while later in closed:
        later = later.next
    return later.first


def _amounts(lines: pl.DataFrame, name: str) -> pl.DataFrame:
    sent = lines.filter(pl.col("held").is_null())
    return sent.group_by(_LINE).agg(pl.col("Amount").sum().alias(name))
