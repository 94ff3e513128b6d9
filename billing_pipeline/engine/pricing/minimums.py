"""Minimum true-ups: a partner whose fees stay below its monthly minimum owes the shortfall as a row of its own.

Source: spec 2.5, Q21 (no usage, no minimum: reported), Q24, Q25 (first schedule row by start).
"""

import polars as pl

from billing_pipeline.engine.cells import month_day_year
from billing_pipeline.engine.money import AMOUNT, QUANTITY, cents
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.tiers import plans
from billing_pipeline.engine.rules import Rules


def minimums_due(rules: Rules, period: Period) -> pl.DataFrame:
    """The minimum each partner owes in `period`: partner_key, month_index (Int32, start month = 1), amount (RATE),
    rule_row.

    The end month is included; among overlapping schedule rows the first by start holds.
    """
    index = _month_index(pl.col("minimums_start"), pl.lit(period.first)).alias("month_index")
    end_index = _month_index(pl.col("minimums_start"), pl.col("minimums_end"))
    running = rules.contracts.with_columns(index).filter(
        (pl.col("month_index") >= 1) & (end_index.is_null() | (end_index < 1) | (pl.col("month_index") <= end_index))
    )
    return (
        running.select("partner_key", "month_index")
        .join(rules.minimums, on="partner_key")
        .filter(pl.col("month_index").is_between("start", "end"))
        .sort("partner_key", "start", "sheet_row")
        .unique("partner_key", keep="first", maintain_order=True)
        .select("partner_key", "month_index", "amount", rule_row="sheet_row")
    )


def true_ups(fees: pl.DataFrame, pairs: pl.DataFrame, rules: Rules, period: Period) -> pl.DataFrame:
    """One row per partner with priced usage below its minimum, in order of first priced row (columns of the fact
    table).

    `fees` needs partner_key, total_fee, fee_calc_status and position; `pairs` as from partner_pairs().
    """
    billed = (
        fees.lazy()
        .filter(pl.col("fee_calc_status") == "ok")
        .group_by("partner_key")
        .agg(pl.col("total_fee").sum().alias("billed"), pl.col("position").min())
        .collect()
    )
    shortfall = cents((pl.col("amount") - pl.col("billed")).cast(pl.Decimal(38, 8)))
    short = (
        minimums_due(rules, period)
        .join(billed, on="partner_key")
        .with_columns(shortfall.alias("shortfall"))
        .filter(pl.col("shortfall") > 0)
    )
    speaker = pairs.drop_nulls("first_position").sort("first_position").unique("partner_key", keep="first")
    zero_amount, zero_units = pl.lit("0").cast(AMOUNT), pl.lit("0").cast(QUANTITY)
    index_quantity = pl.col("month_index").cast(QUANTITY)
    zero_rates = [pl.lit("0").cast(pl.Decimal(18, 8)).alias(name) for name in ("unit_price_er", "unit_price_iu")]
    zero_amounts = [
        zero_amount.alias(name)
        for name in ("er_fee", "unit_price_next_day_er", "unit_price_next_day_iu", "next_day_er_fee", "next_day_iu_fee")
    ]
    return (
        short.join(speaker.select("partner_key", "PARTNER_ID", "PARTNER_NAME", "customer"), on="partner_key")
        .join(plans(rules.tiers).select("partner_key", "mode"), on="partner_key")
        .sort("position")
        .select(
            month_day_year(pl.lit(period.first)).alias("FOR_MONTH"),
            pl.lit("MIN_ADJ").alias("ER_ID"),
            pl.lit("Monthly Minimum True-up").alias("ER_NAME"),
            "PARTNER_ID",
            "PARTNER_NAME",
            pl.lit("0").alias("TOTAL_INDIVIDUAL_USERS"),
            pl.lit(period.first).alias("month"),
            "position",
            zero_units.alias("users"),
            "partner_key",
            pl.col("mode").alias("tier_type"),
            pl.lit("MIN").alias("partner_tier_metric"),
            index_quantity.alias("tier_start"),
            index_quantity.alias("tier_end"),
            index_quantity.alias("metric_value_used"),
            pl.lit(0, pl.Int8).alias("included_users_in_company_fee"),
            zero_units.alias("user_fee_units_charged"),
            pl.lit(0, pl.Int8).alias("company_fee_units_charged"),
            *zero_rates,
            *zero_amounts,
            pl.col("shortfall").alias("iu_fee"),  # as the reference mirrors it (Q26)
            pl.col("shortfall").alias("total_fee"),
            pl.lit("min_trueup").alias("fee_calc_status"),
            pl.lit("min_trueup").alias("row_type"),
            pl.col("month_index").alias("partner_minimum_month_index"),
            pl.col("amount").alias("partner_minimum_amount"),
            pl.col("shortfall").alias("partner_minimum_shortfall"),
            pl.lit(value=True).alias("partner_minimum_applied"),
            pl.col("customer").alias("netsuite_customer_name"),
            "rule_row",
        )
    )


def minimums_without_usage(fees: pl.DataFrame, rules: Rules, period: Period) -> pl.DataFrame:
    """Minimums due this month for partners without a priced row: not billed, reported. Columns of minimums_due()."""
    priced = fees.filter(pl.col("fee_calc_status") == "ok")
    return minimums_due(rules, period).join(priced.select("partner_key").unique(), on="partner_key", how="anti")


def _month_index(start: pl.Expr, current: pl.Expr) -> pl.Expr:
    years = current.dt.year() - start.dt.year()
    return (years * 12 + current.dt.month().cast(pl.Int32) - start.dt.month().cast(pl.Int32) + 1).cast(pl.Int32)
