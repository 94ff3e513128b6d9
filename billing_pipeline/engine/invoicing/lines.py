"""The lines of the ERP invoice import: one invoice per customer and partner, five kinds of line, sums of cents.

Source: spec 4.1; decisions 4, 12.
"""

import polars as pl

from billing_pipeline.engine.invoicing.holds import invoice_groups
from billing_pipeline.engine.invoicing.terms import InvoiceTerms
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

COLUMNS = (
    "Customer",
    "Invoice External ID",
    "Memo",
    "Transaction Date",
    "Item",
    "Description",
    "Quantity",
    "Amount",
    "Product",
)
_FEES = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee")
LINES_NEED = (
    "netsuite_customer_name", "partner_key", "PARTNER_ID", "position", "row_type", "bucket", "fee_calc_status", *_FEES,
    "total_fee",
)  # fmt: skip
"""The columns of the fact table that invoice_lines() reads."""
_GROUP = ["customer", "partner_key"]


def invoice_lines(fact: pl.DataFrame, terms: InvoiceTerms, period: Period) -> pl.DataFrame:
    """The invoice lines of a priced month: COLUMNS, then partner_key and `held` (why a line may not be imported).

    Removed rows and rows of another month are in no invoice; other unpriced rows count with zero, so a customer with
    nothing priced keeps its two zero lines (decision 12). Lines of one invoice are consecutive; order: customer,
    partner id, line kind. Amount is AMOUNT.
    """
    groups = _totals(fact)
    held = invoice_groups(groups).select(*_GROUP, "token", "held")
    groups = groups.join(held, on=_GROUP).sort("customer", "partner_id", "partner_key", nulls_last=True)
    lines = pl.concat([_line(groups, *kind) for kind in _kinds(terms)])
    return lines.sort("invoice", "line").select(
        pl.col("customer").alias("Customer"),
        pl.format("INV-{}-{}-{}", pl.lit(terms.prefix), pl.lit(period.compact), pl.col("token")).alias(
            "Invoice External ID"
        ),
        pl.lit(f"{period.title} Invoice").alias("Memo"),
        pl.lit(period.last.strftime(terms.date_format)).alias("Transaction Date"),
        pl.col("item").alias("Item"),
        pl.col("description").alias("Description"),
        pl.lit(1, pl.Int64).alias("Quantity"),
        pl.col("amount").alias("Amount"),
        pl.col("product").alias("Product"),
        "partner_key",
        "held",
    )


def _totals(fact: pl.DataFrame) -> pl.DataFrame:
    usage, true_up = pl.col("row_type") == "usage", pl.col("row_type") == "min_trueup"
    return (
        fact.lazy()
        .filter((pl.col("bucket") != "removed") & (pl.col("fee_calc_status") != "other_month"))
        .group_by(
            pl.col("netsuite_customer_name").cast(pl.Categorical).alias("customer"),
            pl.col("partner_key").cast(pl.Categorical),
        )
        .agg(
            pl.col("PARTNER_ID").sort_by("position").first(),
            usage.any().alias("has_usage"),
            true_up.any().alias("has_true_up"),
            *(pl.col(fee).filter(usage).sum() for fee in _FEES),
            pl.col("total_fee").filter(true_up).sum().alias("minimum_fee"),
        )
        .with_columns(
            pl.col("customer", "partner_key").cast(pl.String),
            partner_id=pl.when(pl.col("PARTNER_ID").str.strip_chars() != "").then(
                pl.col("PARTNER_ID").str.strip_chars()
            ),
        )
        .collect()
    )


def _kinds(terms: InvoiceTerms) -> list[tuple[int, str, str, str, str, pl.Expr]]:
    has_usage, next_day = pl.col("has_usage"), terms.next_day_product
    er_charged, iu_charged = pl.col("next_day_er_fee") > 0, pl.col("next_day_iu_fee") > 0
    return [
        (1, terms.item, "End Users", "er_fee", terms.usage_product, has_usage),
        (2, terms.item, "Individual Users", "iu_fee", terms.usage_product, has_usage),
        (3, terms.next_day_item, "End Users", "next_day_er_fee", next_day, er_charged),
        (4, terms.next_day_item, "Individual Users", "next_day_iu_fee", next_day, iu_charged),
        (5, terms.minimum_item, "Minimum True-up", "minimum_fee", terms.minimum_product, pl.col("has_true_up")),
    ]  # fmt: skip


def _line(
    groups: pl.DataFrame, line: int, item: str, description: str, amount: str, product: str, shown: pl.Expr
) -> pl.DataFrame:
    return (
        groups.with_row_index("invoice")
        .filter(shown)
        .select(
            "invoice",
            "customer",
            "partner_key",
            "token",
            "held",
            pl.lit(line).alias("line"),
            pl.lit(item).alias("item"),
            pl.lit(description).alias("description"),
            pl.col(amount).cast(AMOUNT).alias("amount"),
            pl.lit(product).alias("product"),
        )
    )
