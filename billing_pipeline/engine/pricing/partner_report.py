"""What each partner receives: the lines of its Fee Summary and its Fee Detail rows, for all partners at once.

Quantities are the units charged and rates show their full precision, so that rate x quantity = amount can be followed.
Source: spec 4.3; decisions 9, 13.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.cells import COUNT, key_text, parse_numbers
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.pricing.figures import grouped_price_text, quantity_text
from billing_pipeline.engine.tables import Schema, source_columns
from billing_pipeline.engine.usage.reading import LEGACY

FIGURES: Schema = {
    "partner_key": pl.String,
    "rows": pl.Int64,
    "er_fee": AMOUNT,
    "iu_fee": AMOUNT,
    "total_fee": AMOUNT,
    "fee_summary": AMOUNT,
}
_COUNTS = ("ACTIVE_EMPLOYEES", "NUMBER_ACTIVE_CONTRACTORS")
_MRB = ("IS_MRB", "MRB_BILLING_ANNIVERSARY")
_TIER = ["partner_key", "tier_start", "tier_end"]


@dataclass(frozen=True, slots=True)
class PartnerReport:
    """One partner's month: `lines` (product, rate, quantity, amount), their total, and the detail rows."""

    partner_key: str
    label: str
    partner_id: str
    companies: int
    users: int
    lines: pl.DataFrame
    total: Decimal
    detail: pl.DataFrame

    def figures(self) -> dict[str, str | int | Decimal]:
        """What a written workbook is checked against (columns FIGURES): rows, sums of fees, the summary's total."""
        fees = {name: total(self.detail[name]) for name in ("er_fee", "iu_fee", "total_fee")}
        return {"partner_key": self.partner_key, "rows": self.detail.height, **fees, "fee_summary": self.total}


def partner_labels(ordered: pl.DataFrame) -> pl.DataFrame:
    """Every partner of master_order(): partner_key, label (name, else id, else UnknownPartner), partner_id."""
    return ordered.group_by("partner_key", maintain_order=True).agg(
        pl.coalesce(_filled("PARTNER_NAME").first(), _filled("PARTNER_ID").first(), pl.lit("UnknownPartner")).alias(
            "label"
        ),
        key_text(pl.col("PARTNER_ID")).first().alias("partner_id"),
    )


def partner_reports(ordered: pl.DataFrame) -> Iterator[PartnerReport]:
    """One report per partner key of master_order(), in its order."""
    parts = fee_lines(ordered).partition_by("partner_key", as_dict=True, maintain_order=True)
    lines = {str(key[0]): part for key, part in parts.items()}
    usage = ordered.filter(pl.col("row_type") == "usage")
    facts = _partner_facts(usage)
    details = _detail_frame(usage).partition_by("partner_key", as_dict=True, maintain_order=True, include_key=False)
    labels = partner_labels(ordered).join(facts, on="partner_key", how="left", maintain_order="left")
    empty = fee_lines(ordered.head(0))
    for partner in labels.iter_rows(named=True):
        key = partner["partner_key"]
        own = lines.get(key, empty)
        detail = details[(key,)]
        if not partner["next_day"]:
            detail = detail.drop("CURRENT_ACH_SPEED", "next_day_er_fee", "next_day_iu_fee", strict=False)
        if not partner["mrb"]:
            detail = detail.drop(_MRB, strict=False)
        yield PartnerReport(
            key,
            partner["label"],
            partner["partner_id"],
            partner["companies"],
            int(partner["users"]),
            own.select("product", "rate", "quantity", "amount"),
            total(own["amount"]),
            detail,
        )


def fee_lines(ordered: pl.DataFrame) -> pl.DataFrame:
    """The charge lines of every partner's Fee Summary: partner_key, product, rate, quantity (texts), amount (AMOUNT).

    Per tier in order of appearance a company line and a user line, then next-day lines, then the minimum true-up.
    """
    usage = ordered.filter(pl.col("row_type") == "usage")
    tiers = _tier_lines(usage)
    parts = [tiers, _next_day_lines(usage), _true_up_lines(ordered.filter(pl.col("row_type") == "min_trueup"))]
    lines = pl.concat(parts, how="diagonal_relaxed")
    partners = ordered.select("partner_key").unique(maintain_order=True).with_row_index("partner")
    return (
        lines.join(partners, on="partner_key")
        .sort("partner", "order", maintain_order=True)
        .select("partner_key", "product", "rate", "quantity", pl.col("amount").cast(AMOUNT))
    )


def _filled(column: str) -> pl.Expr:
    return pl.when(key_text(pl.col(column)) != "").then(key_text(pl.col(column)))


def _partner_facts(usage: pl.DataFrame) -> pl.DataFrame:
    mrb = (
        key_text(pl.col("IS_MRB")).str.to_lowercase().is_in(["yes", "true", "1"]) if "IS_MRB" in usage.columns else None
    )
    return usage.group_by("partner_key", maintain_order=True).agg(
        pl.len().alias("companies"),
        pl.col("users").sum().alias("users"),
        ((pl.col("next_day_er_fee") + pl.col("next_day_iu_fee")).sum() > 0).alias("next_day"),
        (mrb.any() if mrb is not None else pl.lit(value=False)).alias("mrb"),
    )


def _detail_frame(usage: pl.DataFrame) -> pl.DataFrame:
    columns = [column for column in source_columns(usage.columns) if column not in LEGACY]
    numbers = []
    for column in _COUNTS:
        if column in columns:
            read = parse_numbers(usage[column], COUNT)
            if read["problem"].null_count() == usage.height:  # one unreadable cell keeps the column as text
                numbers.append(read["value"].fill_null(0).alias(column))
    fees = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")
    users = usage["users"].alias("TOTAL_INDIVIDUAL_USERS")
    detail = usage.select("partner_key", *columns, *fees).with_columns(users, *numbers)
    if "ACTIVE_CONTRACTORS" in columns:  # the file has another column of that name
        return detail
    return detail.rename({"NUMBER_ACTIVE_CONTRACTORS": "ACTIVE_CONTRACTORS"}, strict=False)


def _tier_lines(usage: pl.DataFrame) -> pl.DataFrame:
    tiers = usage.group_by(_TIER, maintain_order=True).agg(
        pl.len().alias("rows"),
        pl.col("users", "user_fee_units_charged", "er_fee", "iu_fee").sum(),
        pl.col("unit_price_er", "unit_price_iu", "included_users_in_company_fee").first(),
    )
    tiers = tiers.with_columns(
        several=pl.len().over("partner_key") > 1,
        place=pl.int_range(pl.len()).over("partner_key"),
        suffix=_tier_suffix(),
        included=pl.when(pl.col("included_users_in_company_fee") > 0)
        .then(pl.lit(" (1 included per company)"))
        .otherwise(pl.lit("")),
    )
    company = tiers.filter(pl.col("unit_price_er") > 0).select(
        "partner_key",
        pl.format("Company Fee{}", "suffix").alias("product"),
        pl.format("{} / company", grouped_price_text(pl.col("unit_price_er"))).alias("rate"),
        _counted(pl.col("rows"), "company", "companies").alias("quantity"),
        pl.col("er_fee").alias("amount"),
        (pl.col("place") * 2).alias("order"),
    )
    charged, users = quantity_text(pl.col("user_fee_units_charged")), quantity_text(pl.col("users"))
    user = tiers.filter(pl.col("unit_price_iu") > 0).select(
        "partner_key",
        pl.when("several")
        .then(pl.format("Individual User Fee{}{}", "suffix", "included"))
        .otherwise(pl.format("Individual User Fee{}{}", "included", "suffix"))
        .alias("product"),
        pl.format("{} / user", grouped_price_text(pl.col("unit_price_iu"))).alias("rate"),
        pl.when(pl.col("included") != "")
        .then(pl.format("{} billable of {} total", charged, users))
        .otherwise(_counted(charged, "user", "users"))
        .alias("quantity"),
        pl.col("iu_fee").alias("amount"),
        (pl.col("place") * 2 + 1).alias("order"),
    )
    return pl.concat([company, user])


def _next_day_lines(usage: pl.DataFrame) -> pl.DataFrame:
    kinds = (
        ("next_day_er_fee", "unit_price_next_day_er", "Next-Day ACH – Company", "company", "companies", 2_000_000),
        ("next_day_iu_fee", "unit_price_next_day_iu", "Next-Day ACH – Individual User", "user", "users", 2_000_001),
    )
    parts = []
    for fee, price, product, one, many, order in kinds:
        charged = usage.filter(pl.col(fee) > 0).group_by("partner_key", maintain_order=True).agg(
            pl.col(fee).sum().alias("amount"),
            pl.col(price).min().alias("lowest"),
            pl.col(price).max().alias("highest"),
            pl.len().alias("rows"),
            pl.col("user_fee_units_charged").sum(),
        )  # fmt: skip
        rate = pl.when(pl.col("lowest") == pl.col("highest")).then(grouped_price_text(pl.col("lowest"))).otherwise(
            pl.format("{} to {}", grouped_price_text(pl.col("lowest")), grouped_price_text(pl.col("highest")))
        )  # fmt: skip
        quantity = pl.col("rows") if one == "company" else quantity_text(pl.col("user_fee_units_charged"))
        parts.append(
            charged.select(
                "partner_key",
                pl.lit(product).alias("product"),
                pl.format("{} / {}", rate, pl.lit(one)).alias("rate"),
                _counted(quantity, one, many).alias("quantity"),
                "amount",
                pl.lit(order, pl.Int64).alias("order"),
            )
        )
    return pl.concat(parts)


def _true_up_lines(true_ups: pl.DataFrame) -> pl.DataFrame:
    return true_ups.select(
        "partner_key",
        pl.format("Monthly Minimum True-Up (minimum: {})", grouped_price_text(pl.col("partner_minimum_amount"))).alias(
            "product"
        ),
        pl.lit("").alias("rate"),
        pl.lit("").alias("quantity"),
        pl.col("partner_minimum_shortfall").alias("amount"),
        pl.lit(3_000_000, pl.Int64).alias("order"),
    )


def _tier_suffix() -> pl.Expr:
    start, end = pl.col("tier_start").cast(pl.Int64).fill_null(0), pl.col("tier_end").cast(pl.Int64)
    everything = (start <= 1) & (end >= 999_999)
    return (
        pl.when(pl.col("tier_start").is_null() | everything.fill_null(value=False))
        .then(pl.lit(""))
        .when((end > 0).fill_null(value=False))
        .then(pl.format(" (Tier: {} – {})", start, end))
        .when(start > 1)
        .then(pl.format(" (Tier: {}+)", start))
        .otherwise(pl.lit(""))
    )


def _counted(count: pl.Expr, one: str, many: str) -> pl.Expr:
    text = count.cast(pl.String)
    return pl.format("{} {}", text, pl.when(text == "1").then(pl.lit(one)).otherwise(pl.lit(many)))
