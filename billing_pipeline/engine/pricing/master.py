"""The sheets of the master report as projections of the fact table: source data, executive summary, data quality.

Source: spec 2.6 (order, columns), 4.2.
"""

import polars as pl

from billing_pipeline.engine.cells import key_text, month_day_year, parse_dates
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import source_columns
from billing_pipeline.engine.usage.flags import NO_BILLING_TRIGGER, early_cancellation
from billing_pipeline.engine.usage.reading import LEGACY

_ORDER = (
    "FOR_MONTH", "ER_NAME", "ER_ID", "COMPANY_UUID", "PARTNER_NAME", "PARTNER_ID", "FIRST_BILLABLE_ACTIVITY_DATE",
    "SUSPENSION_DATE", "DISSOCIATION_DATE", "ACTIVE_EMPLOYEES", "NUMBER_ACTIVE_CONTRACTORS", "TOTAL_INDIVIDUAL_USERS",
    "CURRENT_ACH_SPEED", "IS_MRB", "MRB_BILLING_ANNIVERSARY", "tier_type", "partner_tier_metric", "tier_start",
    "tier_end", "metric_value_used", "included_users_in_company_fee", "user_fee_units_charged",
    "company_fee_units_charged", "unit_price_er", "er_fee", "unit_price_iu", "iu_fee", "unit_price_next_day_er",
    "unit_price_next_day_iu", "next_day_er_fee", "next_day_iu_fee", "total_fee", "fee_calc_status", "row_type",
    "partner_minimum_month_index", "partner_minimum_amount", "partner_minimum_shortfall", "partner_minimum_applied",
    "netsuite_customer_name",
)  # fmt: skip
_OURS = ("line", "rule_row", "bucket")  # after the reference's columns: where each amount comes from
_TIER_FACTS = ("tier_type", "partner_tier_metric", "tier_start", "tier_end", "metric_value_used")
_TYPED_DATES = {
    "FIRST_BILLABLE_ACTIVITY_DATE": "first_billable",
    "SUSPENSION_DATE": "suspended",
    "DISSOCIATION_DATE": "dissociated",
}
_QUALITY = (
    "PARTNER_NAME", "ER_NAME", "ER_ID", "COMPANY_UUID", "FIRST_BILLABLE_ACTIVITY_DATE", "SUSPENSION_DATE",
    "DISSOCIATION_DATE", "TOTAL_INDIVIDUAL_USERS", "total_fee",
)  # fmt: skip


def master_order(fact: pl.DataFrame) -> pl.DataFrame:
    """The fact table without removed rows in report order, dates as `M/D/YY` text.

    Order: partner name (case ignored), usage before true-up, first billable date (undated first), pricing order. A date
    that could not be read keeps its text.
    """
    name = key_text(pl.col("PARTNER_NAME")).str.to_lowercase().cast(pl.Categorical)
    kept = fact.filter(pl.col("bucket") != "removed") if (fact["bucket"] == "removed").any() else fact
    codes = kept.select(name.alias("name"))["name"]
    ranks = pl.DataFrame({"name": codes.unique()}).sort(pl.col("name").cast(pl.String)).with_row_index("rank")
    keys = kept.select(
        rank=codes.to_physical().replace_strict(ranks["name"].to_physical(), ranks["rank"]),
        true_up=pl.col("row_type") != "usage",
        date="first_billable",
        position="position",
    ).with_row_index("row")
    order = keys.sort("rank", "true_up", "date", "position", nulls_last=False, maintain_order=True)["row"]
    ordered = kept[order]
    return ordered.with_columns(*_date_texts(kept.columns), **_parsed_texts(ordered))


def source_data(ordered: pl.DataFrame) -> pl.DataFrame:
    """The sheet `Source Data` from master_order(): the reference's columns, extra usage columns, then ours."""
    usage = [column for column in source_columns(ordered.columns) if column not in (*_ORDER, *LEGACY)]
    known = [column for column in _ORDER if column in ordered.columns]
    return ordered.select(*known, *sorted(usage), *_OURS)


def executive_summary(ordered: pl.DataFrame) -> pl.DataFrame:
    """The sheet `Executive Summary` from master_order(): one row per partner name, Total Billed descending."""
    usage, true_up = pl.col("row_type") == "usage", pl.col("row_type") == "min_trueup"
    carried = ("row_type", "total_fee", "user_fee_units_charged", *_TIER_FACTS)
    named = ordered.lazy().select(
        pl.coalesce(_filled("PARTNER_NAME"), _filled("PARTNER_ID"), pl.lit("Unknown Partner")).alias("Partner Name"),
        company=pl.coalesce(
            pl.format("id:{}", _filled("ER_ID")), pl.format("name:{}", _filled("ER_NAME").str.to_lowercase())
        ),
        usage_fee=pl.col("er_fee") + pl.col("iu_fee"),
        next_day_fee=pl.col("next_day_er_fee") + pl.col("next_day_iu_fee"),
        **{name: pl.col(name) for name in carried},
    )
    top = pl.col("metric_value_used").filter(usage).arg_max().fill_null(0)
    totals = (
        named.group_by("Partner Name", maintain_order=True)
        .agg(
            usage.any().alias("has_usage"),
            *(pl.col(name).filter(usage).get(top, null_on_oob=True) for name in _TIER_FACTS),
            pl.col("company").filter(usage).drop_nulls().n_unique().alias("Active End Users"),
            pl.col("user_fee_units_charged").sum().alias("Billable Indiv. Users"),
            pl.col("usage_fee").filter(usage).sum().alias("Usage Revenue"),
            pl.col("next_day_fee").filter(usage).sum().alias("Next Day Fee Revenue"),
            pl.col("total_fee").filter(true_up).sum().alias("Minimum Revenue"),
        )
        .collect()
    )
    total = pl.col("Usage Revenue") + pl.col("Next Day Fee Revenue") + pl.col("Minimum Revenue")
    return (
        totals.with_columns(pl.col("^.* Revenue$").cast(AMOUNT))
        .with_columns(total.cast(AMOUNT).alias("Total Billed"))
        .sort("Total Billed", "Partner Name", descending=[True, False])
        .select(
            "Partner Name",
            pl.when("has_usage").then("tier_type").otherwise(pl.lit("ALL_IN")).alias("Pricing Mode"),
            pl.format(
                "{} ({})", pl.col("partner_tier_metric").fill_null("FLAT"), _whole("metric_value_used").fill_null(0)
            ).alias("Tier Metric & Volume"),
            pl.coalesce(
                pl.format("{} - {}", _whole("tier_start"), _whole("tier_end")), pl.format("{}+", _whole("tier_start"))
            ).alias("Highest Tier Reached"),
            "Active End Users",
            "Billable Indiv. Users",
            "Usage Revenue",
            "Next Day Fee Revenue",
            "Minimum Revenue",
            "Total Billed",
            _share(pl.col("Minimum Revenue"), pl.col("Total Billed")).alias("% from Minimums"),
        )
    )


def data_quality(ordered: pl.LazyFrame) -> pl.DataFrame:
    """The sheet `Data Quality Flags` from master_order(): usage rows without a usable date, or not readable."""
    columns = ordered.collect_schema().names()
    undated = pl.when(pl.col("first_billable").is_null()).then(pl.lit(NO_BILLING_TRIGGER))
    reason = pl.coalesce("input_problem", undated, early_cancellation())
    return (
        ordered.filter(pl.col("row_type") == "usage")
        .with_columns(reason.alias("FLAG_REASON"))
        .filter(pl.col("FLAG_REASON").is_not_null())
        .select(*(column for column in _QUALITY if column in columns), "FLAG_REASON")
        .collect(engine="streaming")
    )


def _date_texts(columns: list[str]) -> list[pl.Expr]:
    return [
        pl.coalesce(month_day_year(pl.col(typed)), column).alias(column)
        for column, typed in _TYPED_DATES.items()
        if column in columns
    ]


def _parsed_texts(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """FOR_MONTH with its day as written, and the anniversary, which nothing else reads."""
    texts: dict[str, pl.Expr] = {}
    for column, fallback in (("FOR_MONTH", pl.col("month")), ("MRB_BILLING_ANNIVERSARY", pl.lit(None, pl.Date))):
        if column in frame.columns:
            parsed = pl.lit(parse_dates(frame[column])["value"])
            texts[column] = pl.coalesce(month_day_year(pl.coalesce(parsed, fallback)), pl.col(column))
    return texts


def _filled(column: str) -> pl.Expr:
    return pl.when(key_text(pl.col(column)) != "").then(key_text(pl.col(column)))


def _whole(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int64)


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """part / whole to ten decimals, 0 when there is no whole. A ratio that is shown, never an amount."""
    wide = pl.Decimal(38, 10)
    divisor = pl.when(whole != 0).then(whole).otherwise(pl.lit("1").cast(AMOUNT))
    return pl.when(whole != 0).then(part.cast(wide) / divisor.cast(wide)).otherwise(pl.lit("0").cast(wide))
