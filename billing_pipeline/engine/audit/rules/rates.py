"""Prices against contract rates. Source: spec 2.2 B3, 9.5 of the billing audit."""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import cell_text
from billing_pipeline.engine.audit.tables import RATE_MISMATCH, RATES, SKIPPED
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.money import AMOUNT, QUANTITY, cents
from billing_pipeline.engine.pricing.figures import quantity_text
from billing_pipeline.engine.tables import conform

_EXACT = pl.Decimal(38, 12)  # of quantity x rate
_RULE = "rate_sanity"
_WORK = ["unit_code", "work_type"]
NO_DAY, NO_RATE, NO_VALUES = "before the rates or without a work date", "no rate is known", "no price or no quantity"


@dataclass(frozen=True, slots=True)
class RateCheck:
    """drafts: DRAFT. skipped: SKIPPED, complete rows that could not be judged, by reason."""

    drafts: pl.DataFrame
    skipped: pl.DataFrame


def rate_mismatches(rows: pl.DataFrame, rates: pl.DataFrame, thresholds: Thresholds) -> RateCheck:
    """Complete rows (ROWS) whose price is further from rate x quantity than both tolerances. rates: RATES.

    Of the work type `inst` means install, `rem` remove, `tran` and `xfr` transfer. Two different rates for one kind of
    work are none. Without any rates nothing is judged and nothing counted.
    """
    known = conform(rates, RATES).select(_code("unit_code"), kind=_kind("work_type"), rate="rate").unique()
    if known.is_empty():
        return RateCheck(draft(rows.clear(), RATE_MISMATCH, _RULE, why=pl.lit("")), pl.DataFrame(schema=SKIPPED))
    certain = known.unique(["code", "kind"], keep="none").filter(pl.col("rate") > 0)
    # a million rows pass here: only what is judged, and the texts of a kind of work are read once for all its rows
    judgeable = rows.select(*_WORK, "work_date", "price", "quantity", "completed")
    done = judgeable.with_row_index("place").filter("completed")
    kinds = done.select(_WORK).unique().with_columns(_code("unit_code"), kind=_kind("work_type"))
    rated = kinds.join(certain, on=["code", "kind"]).select(*_WORK, "rate")
    judged = done.join(rated, on=_WORK, how="left", nulls_equal=True, maintain_order="left")
    reason = (
        pl.when(_too_early(thresholds))
        .then(pl.lit(NO_DAY))
        .when(pl.col("rate").is_null())
        .then(pl.lit(NO_RATE))
        .when(pl.col("price").is_null() | (pl.col("quantity").fill_null(0) <= 0))
        .then(pl.lit(NO_VALUES))
    )
    told = judged.with_columns(reason=reason)
    expected = pl.col("quantity").cast(_EXACT) * pl.col("rate")
    compared = told.filter(pl.col("reason").is_null()).select(
        "place", "rate", expected=expected, off=pl.col("price").cast(_EXACT) - expected
    )
    share = pl.col("expected") * pl.lit(thresholds.rate_share)
    tolerance = pl.max_horizontal(pl.lit(thresholds.rate_cents).cast(_EXACT), share.cast(_EXACT))
    off = compared.filter(pl.col("off").abs() > tolerance).with_columns(cents(pl.col("off")))
    skipped = told.filter(pl.col("reason").is_not_null()).group_by("reason").agg(rows=pl.len().cast(pl.Int64))
    return RateCheck(
        _drafts(rows[off["place"]].hstack(off)),
        conform(skipped.with_columns(rule=pl.lit(_RULE)), SKIPPED).sort("reason"),
    )


def _drafts(found: pl.DataFrame) -> pl.DataFrame:
    return draft(
        found,
        RATE_MISMATCH,
        _RULE,
        column="price",
        old=cents(pl.col("expected")).cast(pl.String),
        new=cell_text("price"),
        delta=pl.col("off").cast(QUANTITY),
        dollars=pl.col("off").abs().cast(AMOUNT),
        discriminator=cell_text("price"),
        why=pl.format(
            "the contract says {} x {} = {}; the price is {}",
            quantity_text(pl.col("rate")), cell_text("quantity"), cents(pl.col("expected")), "price",
        ),
    )  # fmt: skip


def _too_early(thresholds: Thresholds) -> pl.Expr:
    if thresholds.rates_from is None:
        return pl.lit(value=False)
    return (pl.col("work_date") < thresholds.rates_from).fill_null(value=True)


def _code(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.to_uppercase().alias("code")


def _kind(column: str) -> pl.Expr:
    text = pl.col(column).str.to_lowercase()
    return (
        pl.when(text.str.contains("inst", literal=True))
        .then(pl.lit("install"))
        .when(text.str.contains("rem", literal=True))
        .then(pl.lit("remove"))
        .when(text.str.contains("tran|xfr"))
        .then(pl.lit("transfer"))
    )
