"""Unit prices far from those of the same work elsewhere: information, not a fault. Source: Q32."""

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import is_billable
from billing_pipeline.engine.audit.tables import PRICE_ANOMALY
from billing_pipeline.engine.audit.thresholds import Thresholds

_SAME = ["unit_code", "work_type"]
_BY_MEDIAN, _BY_MEAN = 1.4826, 1.2533  # what makes a median, a mean absolute deviation a standard deviation
_UNIT = 10_000  # unit prices are compared in hundredths of a cent


def price_anomalies(rows: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """DRAFT of billable rows (ROWS) whose unit price has a robust z-score above `anomaly_score` among the same work.

    The score is the distance from the median over the median distance; where more than half of the prices are the same,
    over the mean distance. It is a statistic, no amount, and so a binary float. A unit price as near to the median as a
    price may be to its contract rate is none: where all prices agree, the rounding to cents alone would stand out.
    """
    priced = (
        rows.lazy()
        .with_row_index("place")
        .filter(is_billable() & (pl.col("quantity") > 0) & pl.col("unit_code").is_not_null())
        .select("place", *_SAME, "quantity", unit=_unit_price())
        .collect()
    )
    away = (pl.col("unit") - pl.col("unit").median()).abs()
    # twice the distance is a whole number: its sum does not depend on the order of the rows
    mean = (away * 2).cast(pl.Int64).sum() / (2 * pl.len())
    same = priced.group_by(_SAME).agg(
        samples=pl.len(), middle=pl.col("unit").median(), median=away.median(), mean=mean
    ).filter(pl.col("samples") >= thresholds.anomaly_samples)  # fmt: skip
    spread = pl.when(pl.col("median") > 0).then(pl.col("median") * _BY_MEDIAN).otherwise(pl.col("mean") * _BY_MEAN)
    apart = priced.join(same.with_columns(spread=spread), on=_SAME, nulls_equal=True).with_columns(
        away=(pl.col("unit") - pl.col("middle")).abs()
    )
    odd = apart.with_columns(score=pl.col("away") / pl.col("spread")).filter(
        pl.col("score").is_finite() & (pl.col("score") > float(thresholds.anomaly_score)) & _is_off(thresholds)
    )
    found = rows[odd["place"]].hstack(odd.drop(*_SAME, "quantity"))
    return draft(
        found,
        PRICE_ANOMALY,
        "price_anomaly",
        column="price",
        old=_dollars("middle"),
        new=_dollars("unit"),
        discriminator=_dollars("unit"),
        why=pl.format(
            "a unit costs {}, the median of {} rows of this work is {}: robust z-score {}",
            _dollars("unit"), "samples", _dollars("middle"), pl.col("score").round(1),
        ),
    )  # fmt: skip


def _is_off(thresholds: Thresholds) -> pl.Expr:
    """Whether a unit is further from the median than its line may be from rate x quantity."""
    tolerated = pl.lit(int(thresholds.rate_cents * _UNIT)) / pl.col("quantity").cast(pl.Float64)
    return pl.col("away") > pl.max_horizontal(tolerated, pl.col("middle") * float(thresholds.rate_share))


def _unit_price() -> pl.Expr:
    """price / quantity in whole hundredths of a cent (Int64), rounded half up."""
    cents, units = (pl.col(name).to_physical().cast(pl.Int128) for name in ("price", "quantity"))
    above = cents * 100 * _UNIT
    return ((2 * above + units) // (2 * units)).cast(pl.Int64)


def _dollars(column: str) -> pl.Expr:
    """Hundredths of a cent as dollars with four decimals."""
    whole = pl.col(column).round(0).cast(pl.Int64)
    return pl.format("{}.{}", whole // _UNIT, (whole % _UNIT).cast(pl.String).str.zfill(4))
