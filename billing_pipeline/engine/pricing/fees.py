"""The price of every usage row: metric value, tier, four fees. Set-based, exact, in file order.

Source: spec 2.3 (volumes), 2.4 (pass 1); decisions 1, 5, 7.
"""

from itertools import product

import polars as pl

from billing_pipeline.engine.cells import has_text
from billing_pipeline.engine.money import AMOUNT, QUANTITY, cents, product_cents
from billing_pipeline.engine.pricing.partners import company_key
from billing_pipeline.engine.pricing.tiers import UNIT, effective_tiers, plans, steps, units
from billing_pipeline.engine.rules import Rules

_VALUE_BITS = 47  # a metric value below 1.4 x 10^10 shares one sortable integer with the partner's number
_ZERO = pl.lit("0").cast(AMOUNT)


def row_fees(usage: pl.DataFrame, pairs: pl.DataFrame, pair: pl.Series, rules: Rules) -> pl.DataFrame:
    """The fee columns of tables.PRICED for every usage row, same height and order as `usage`.

    Unpriced rows (status other than `ok`) have zero units, prices and fees, and no tier.
    """
    partners = _numbered(pairs, rules)
    rows = usage.select("users", "position", "next_day").with_columns(
        partners["number"].gather(pair).alias("number"),
        status=_status(usage, partners, pair),
        users0=usage.select(units("users").clip(0)).to_series(),
    )
    priced = rows["status"].is_null()
    rows = rows.with_columns(value=_metric_values(rows, partners, usage.select("ER_ID", "ER_NAME"), priced))
    tiers, tier = _tier_of(rows, partners, priced, rules)
    return _fees(rows.with_columns(tier=tier), tiers, partners, pair)


def _numbered(pairs: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The pairs with their partner's plan and a dense partner `number` (pairs of one partner share it)."""
    return (
        pairs.join(plans(rules.tiers), on="partner_key", how="left", maintain_order="left")
        .with_columns((pl.col("partner_key").rank("dense") - 1).cast(pl.UInt32).alias("number"))
        .with_columns((pl.col("metric") == "IU_PER_ER").fill_null(value=False).alias("per_company"))
    )


def _status(usage: pl.DataFrame, partners: pl.DataFrame, pair: pl.Series) -> pl.Series:
    """fee_calc_status, null where the row is priced."""
    per_pair = partners.select(
        pl.when(pl.col("partner_key") == "")
        .then(pl.lit("bad_data"))
        .when(pl.col("mode").is_null())
        .then(pl.lit("missing_tier"))
    ).to_series()
    no_company = ~has_text(pl.col("ER_ID")) & ~has_text(pl.col("ER_NAME"))
    return usage.select(
        pl.when(pl.col("decision").eq_missing("remove"))
        .then(pl.lit("removed"))
        .when(no_company)
        .then(pl.lit("bad_data"))
        .otherwise(
            pl.when(per_pair.gather(pair).eq_missing(pl.lit("bad_data")))
            .then(pl.lit("bad_data"))
            .otherwise(pl.coalesce("input_status", per_pair.gather(pair)))
        )
        .alias("status")
    ).to_series()


def _metric_values(rows: pl.DataFrame, partners: pl.DataFrame, companies: pl.DataFrame, priced: pl.Series) -> pl.Series:
    """The metric value of each priced row in 1/UNIT: own users, partner volume, or running volume in pricing order."""
    plan = partners.unique("number", keep="first").select("number", "mode", "metric")
    work = rows.select("number", "position", "users0", row=pl.int_range(pl.len(), dtype=pl.UInt32)).filter(priced)
    result = pl.repeat(None, rows.height, dtype=pl.Int64, eager=True).scatter(work["row"], work["users0"])
    for metric, mode in product(("IU", "FLAT", "ER"), ("ALL_IN", "SPLIT")):
        numbers = plan.filter((pl.col("metric") == metric) & (pl.col("mode") == mode))["number"]
        if numbers.is_empty():
            continue
        part = work.filter(pl.col("number").is_in(numbers.implode()))
        part = part.sort("position") if mode == "SPLIT" else part
        if metric == "ER":
            company = companies[part["row"]].select(company_key().alias("company"))
            first = part.select("number").hstack(company).select(pl.struct("number", "company").is_first_distinct())
            part = part.with_columns(weight=first.to_series().cast(pl.Int64) * UNIT)
        else:
            part = part.with_columns(weight=pl.col("users0") if metric == "IU" else pl.lit(UNIT, pl.Int64))
        weight = pl.col("weight").cum_sum() if mode == "SPLIT" else pl.col("weight").sum()
        values = part.select("row", value=weight.over("number"))
        result = result.scatter(values["row"], values["value"])
    return result


def _tier_of(
    rows: pl.DataFrame, partners: pl.DataFrame, priced: pl.Series, rules: Rules
) -> tuple[pl.DataFrame, pl.Series]:
    """The effective tiers and each row's index into them: one sorted table of steps, one search."""
    effective = effective_tiers(rules.tiers)
    numbers = partners.unique("number").select("number", "partner_key", "mode", "per_company")
    table = (
        steps(effective)
        .join(numbers, on="partner_key")
        .select("tier", key=pl.col("number").cast(pl.Int64) * 2**_VALUE_BITS + pl.col("from"))
        .sort("key")
    )
    floor = numbers.filter((pl.col("mode") == "SPLIT") & ~pl.col("per_company"))["number"]
    value = pl.when(pl.col("number").is_in(floor.implode()) & (pl.col("value") <= 0)).then(UNIT).otherwise("value")
    keys = rows.select(pl.col("number").cast(pl.Int64) * 2**_VALUE_BITS + value.clip(0, 2**_VALUE_BITS - 1)).to_series()
    at = table["key"].search_sorted(keys.fill_null(0), side="right").cast(pl.Int64) - 1
    tier = (
        table["tier"].gather(at.clip(0)) if table.height else pl.repeat(None, rows.height, dtype=pl.UInt32, eager=True)
    )
    return effective, tier.zip_with(priced, pl.repeat(None, rows.height, dtype=pl.UInt32, eager=True)).alias("tier")


def _fees(rows: pl.DataFrame, tiers: pl.DataFrame, partners: pl.DataFrame, pair: pl.Series) -> pl.DataFrame:
    """Units, prices and fees of every row. A next-day price is rounded before it is multiplied (Q10), others after."""
    zero_rate = pl.lit("0").cast(pl.Decimal(18, 8))
    per_tier = tiers.select(
        "included", "er_price", "iu_price", "start", "end", "metric", "sheet_row",
        er_fee=cents(pl.col("er_price")), nd_er=cents(pl.col("nd_er_price")), nd_iu=cents(pl.col("nd_iu_price")),
    )  # fmt: skip
    names = ("included", "er_price", "iu_price", "start", "end", "metric", "sheet_row", "er_fee", "nd_er", "nd_iu")
    frame = rows.with_columns(per_tier[name].gather(rows["tier"]).alias(name) for name in names)
    charged = (pl.col("users0") - pl.col("included").cast(pl.Int64) * UNIT).clip(0)
    next_day = pl.col("next_day") & pl.col("tier").is_not_null()
    frame = frame.with_columns(
        charged=(_quantity(charged)).fill_null(pl.lit("0").cast(QUANTITY)),
        nd_er=pl.when(next_day).then("nd_er").otherwise(_ZERO),
        nd_iu=pl.when(next_day).then("nd_iu").otherwise(_ZERO),
        iu_price=pl.col("iu_price").fill_null(zero_rate),
        er_fee=pl.col("er_fee").fill_null(_ZERO),
    ).with_columns(
        iu_fee=product_cents(pl.col("charged"), pl.col("iu_price")),
        nd_iu_fee=product_cents(pl.col("charged"), pl.col("nd_iu")),
    )
    mode = partners["mode"].gather(pair)
    return frame.select(
        partners["partner_key"].gather(pair).alias("partner_key"),
        pl.when(pl.col("tier").is_not_null()).then(mode).alias("tier_type"),
        pl.col("metric").alias("partner_tier_metric"),
        pl.col("start").alias("tier_start"),
        pl.col("end").alias("tier_end"),
        _quantity(pl.col("value")).alias("metric_value_used"),
        pl.col("included").alias("included_users_in_company_fee"),
        pl.col("charged").alias("user_fee_units_charged"),
        pl.col("tier").is_not_null().cast(pl.Int8).alias("company_fee_units_charged"),
        pl.col("er_price").fill_null(zero_rate).alias("unit_price_er"),
        "er_fee",
        pl.col("iu_price").alias("unit_price_iu"),
        "iu_fee",
        pl.col("nd_er").alias("unit_price_next_day_er"),
        pl.col("nd_iu").alias("unit_price_next_day_iu"),
        pl.col("nd_er").alias("next_day_er_fee"),
        pl.col("nd_iu_fee").alias("next_day_iu_fee"),
        (pl.col("er_fee") + pl.col("iu_fee") + pl.col("nd_er") + pl.col("nd_iu_fee")).cast(AMOUNT).alias("total_fee"),
        pl.col("status").fill_null("ok").alias("fee_calc_status"),
        partners["customer"].gather(pair).alias("netsuite_customer_name"),
        pl.col("sheet_row").alias("rule_row"),
    )


def _quantity(unit_count: pl.Expr) -> pl.Expr:
    """Whole numbers of 1/UNIT as a QUANTITY, exactly."""
    return (unit_count.cast(pl.Decimal(38, 4)) / pl.lit(UNIT).cast(pl.Decimal(38, 0))).cast(QUANTITY)
