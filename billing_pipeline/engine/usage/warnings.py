"""Input warnings: what looks odd but needs no decision. Counted in the control `Input Warnings`.

Source: "Flag types" of the interface document; Q4, Q5, Q21.
"""

import polars as pl

from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.minimums import minimums_due
from billing_pipeline.engine.pricing.partners import with_keys
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage.reading import KNOWN_SPEEDS

_SCHEMA = {"type": pl.String, "partner_key": pl.String, "place": pl.String, "message": pl.String}
_MOST_LINES = 5  # lines named in a message


def input_warnings(usage: pl.DataFrame, rules: Rules, period: Period, previous: pl.DataFrame | None) -> pl.DataFrame:
    """Warnings about the usage rows and the rules, one row each: type, partner_key, place, message.

    `previous` holds PARTNER_ID and PARTNER_NAME of last month's rows, or is None when last month is not known here.
    """
    rows = with_keys(usage)
    found = [
        _grouped(rows.filter(pl.col("users") < 0), "negative_count", "a user count below zero, charged as zero"),
        _grouped(
            rows.filter(_is_repeated()), "duplicate_company", "a company listed more than once; each row is charged"
        ),
        _grouped(rows.filter(_unknown_speed(usage)), "unknown_speed", "an ACH speed outside the known list"),
        _minimum_without_usage(rows, rules, period),
        _disappeared(rows, previous),
        _about_rules(rules),
    ]
    return pl.concat([part.select(_SCHEMA.keys()) for part in found])


def _is_repeated() -> pl.Expr:
    identifier, name = key_text(pl.col("ER_ID")), key_text(pl.col("ER_NAME")).str.to_lowercase()
    company = pl.when(identifier != "").then(identifier).otherwise(name)
    return pl.struct(pl.col("partner_key"), company.alias("company")).is_duplicated() & (company != "")


def _unknown_speed(usage: pl.DataFrame) -> pl.Expr:
    if "CURRENT_ACH_SPEED" not in usage.columns:
        return pl.lit(value=False)
    return ~key_text(pl.col("CURRENT_ACH_SPEED")).str.to_lowercase().is_in(KNOWN_SPEEDS)


def _grouped(rows: pl.DataFrame, kind: str, what: str) -> pl.DataFrame:
    """One warning per partner, naming how many rows and the first lines."""
    lines = pl.col("line").sort().head(_MOST_LINES).cast(pl.String).str.join(", ")
    more = pl.when(pl.len() > _MOST_LINES).then(pl.lit(", …")).otherwise(pl.lit(""))
    return (
        rows.sort("line")
        .group_by("partner_key", maintain_order=True)
        .agg(
            pl.lit(kind).alias("type"),
            pl.format("line {}{}", lines, more).alias("place"),
            pl.format("{} row(s) with {}", pl.len(), pl.lit(what)).alias("message"),
        )
    )


def _minimum_without_usage(rows: pl.DataFrame, rules: Rules, period: Period) -> pl.DataFrame:
    due = minimums_due(rules, period).join(rows.select("partner_key").unique(), on="partner_key", how="anti")
    amount = pl.col("amount").cast(pl.Decimal(18, 2)).cast(pl.String)
    return due.select(
        pl.lit("minimum_without_usage").alias("type"),
        "partner_key",
        pl.format("Minimums, row {}", "rule_row").alias("place"),
        pl.format("a minimum of {} is due but the partner has no usage; it is not billed", amount).alias("message"),
    )


def _disappeared(rows: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    if previous is None:
        return pl.DataFrame(schema=_SCHEMA)
    gone = with_keys(previous).filter(pl.col("partner_key") != "").join(rows, on="partner_key", how="anti")
    return gone.unique("partner_key", maintain_order=True).select(
        pl.lit("partner_disappeared").alias("type"),
        "partner_key",
        pl.lit("previous month").alias("place"),
        pl.format("'{}' had usage last month and has none now", pl.coalesce("PARTNER_NAME", "partner_key")).alias(
            "message"
        ),
    )


def _about_rules(rules: Rules) -> pl.DataFrame:
    told = [
        {"type": w.kind, "partner_key": "", "place": f"{w.sheet}!{w.cell}" if w.cell else w.sheet, "message": w.message}
        for w in rules.warnings
    ]
    return pl.DataFrame(told, schema=_SCHEMA)
