"""The draft of a month: every usage row priced, true-ups appended, each row in exactly one bucket. The fact table.

Always computed, whatever the review says; what is guarded is publication. Source: decision 11.
"""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine import tables
from billing_pipeline.engine.invoicing.holds import invoice_groups
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.fees import row_fees
from billing_pipeline.engine.pricing.minimums import true_ups
from billing_pipeline.engine.pricing.partners import partner_pairs
from billing_pipeline.engine.rules import Rules

NEEDS = ("PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", *tables.USAGE)
"""The usage columns pricing reads; the others ride along."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Priced columns beside the usage rows (`rows`, same order) and the rows usage does not have (`true_ups`)."""

    rows: pl.DataFrame
    true_ups: pl.DataFrame

    def fact(self, usage: pl.LazyFrame) -> pl.LazyFrame:
        """The wide fact table: usage columns and priced columns of every row, then the true-up rows."""
        wide = pl.concat([usage, self.rows.lazy()], how="horizontal")
        return pl.concat([wide, self.true_ups.lazy()], how="diagonal") if self.true_ups.height else wide


def draft(usage: pl.DataFrame, rules: Rules, period: Period) -> Draft:
    """Price the usage rows (columns NEEDS). Any subset of partners gives the same amounts as the whole file."""
    pairs, pair = partner_pairs(usage, rules)
    fees = row_fees(usage, pairs, pair, rules)
    due = true_ups(
        fees.select("partner_key", "total_fee", "fee_calc_status").hstack([usage["position"]]), pairs, rules, period
    )
    held = _held(pairs)
    rows = fees.with_columns(
        pl.lit("usage").alias("row_type"),
        pl.lit(None, pl.Int32).alias("partner_minimum_month_index"),
        pl.lit(None, tables.PRICED["partner_minimum_amount"]).alias("partner_minimum_amount"),
        pl.lit(None, tables.PRICED["partner_minimum_shortfall"]).alias("partner_minimum_shortfall"),
        pl.lit(value=False).alias("partner_minimum_applied"),
        _bucket(held.gather(pair)),
    )
    partner_held = pairs.select("partner_key", "customer").with_columns(held).unique(["partner_key", "customer"])
    due = due.join(
        partner_held.rename({"customer": "netsuite_customer_name"}),
        on=["partner_key", "netsuite_customer_name"],
        how="left",
        maintain_order="left",
    )
    due = due.with_columns(_bucket(due["held"])).drop("held")
    return Draft(tables.conform(rows, tables.PRICED), due)


def priced_rows(usage: pl.DataFrame, rules: Rules, period: Period) -> pl.DataFrame:
    """The fact table in memory: usage rows in file order with tables.PRICED beside them, then the true-up rows."""
    return draft(usage.select(NEEDS), rules, period).fact(usage.lazy()).collect()


def _held(pairs: pl.DataFrame) -> pl.Series:
    """Whether each pair's invoice is held."""
    groups = invoice_groups(pairs.filter(pl.col("first_position").is_not_null()))
    joined = pairs.join(groups, on=["customer", "partner_key"], how="left", maintain_order="left")
    return joined["held"].is_not_null().alias("held")


def _bucket(held: pl.Series) -> pl.Expr:
    """Exclusive, in this order: removed, quarantined, held, billed. Source: "Conservation buckets"."""
    status = pl.col("fee_calc_status")
    return (
        pl.when(status == "removed")
        .then(pl.lit("removed"))
        .when(~status.is_in(["ok", "min_trueup"]))
        .then(pl.lit("quarantined"))
        .when(held)
        .then(pl.lit("held"))
        .otherwise(pl.lit("billed"))
        .alias("bucket")
    )
