"""How good an estimate was: estimate against actual per customer and in total, with what is material flagged.

Source: spec 5.2; decision 16.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.accruals.totals import side_by_side
from billing_pipeline.engine.money import AMOUNT, percent

TOTAL = "TOTAL"
MATERIAL, IMMATERIAL = "⚠", "✓"


@dataclass(frozen=True, slots=True)
class Materiality:
    """A variance is material when it is above every bound that is set: `percent` of the estimate, `amount` of money."""

    percent: Decimal = Decimal(5)
    amount: Decimal | None = None


def variances(estimated: pl.DataFrame, actual: pl.DataFrame, materiality: Materiality) -> pl.DataFrame:
    """customer, estimated, actual, variance (AMOUNT), percent (of the estimate, two decimals), flag; the last row is
    TOTAL.

    Both frames are customer and total. The percentage of nothing estimated is 100, or 0 when nothing was billed either;
    in the TOTAL row it is 0. The flag is ⚠ for what is material, else empty (✓ in the TOTAL row), judged before the
    percentage is rounded.
    """
    pairs = side_by_side({"estimated": estimated, "actual": actual})
    lines = pairs.with_columns(pl.lit(False).alias("is_total"))
    sums = pairs.select(pl.lit(TOTAL).alias("customer"), pl.col("estimated", "actual").sum().cast(AMOUNT))
    both = pl.concat([lines, sums.with_columns(pl.lit(True).alias("is_total"))])
    varied = both.with_columns((pl.col("actual") - pl.col("estimated")).cast(AMOUNT).alias("variance"))
    unmarked = pl.when("is_total").then(pl.lit(IMMATERIAL)).otherwise(pl.lit(""))
    flag = pl.when(_is_material(materiality)).then(pl.lit(MATERIAL)).otherwise(unmarked).alias("flag")
    of_nothing = pl.when((pl.col("actual") != 0) & ~pl.col("is_total")).then(pl.lit("100")).otherwise(pl.lit("0"))
    share = pl.coalesce(percent(pl.col("variance"), pl.col("estimated")), of_nothing.cast(AMOUNT)).alias("percent")
    return varied.select("customer", "estimated", "actual", "variance", share, flag)


def _is_material(materiality: Materiality) -> pl.Expr:
    """Compared by multiplying, not by dividing: nothing is rounded."""
    variance, estimated = pl.col("variance").abs(), pl.col("estimated").abs()
    wide, bound = pl.Decimal(38, 8), pl.lit(str(materiality.percent)).cast(pl.Decimal(18, 6))
    above_share = variance.cast(wide) * pl.lit("100").cast(pl.Decimal(18, 2)) > estimated.cast(wide) * bound
    of_nothing = (variance != 0) & ~pl.col("is_total") & (pl.lit("100").cast(pl.Decimal(18, 6)) > bound)
    material = pl.when(pl.col("estimated") != 0).then(above_share).otherwise(of_nothing)
    if materiality.amount is None:
        return material
    return material & (variance > pl.lit(str(materiality.amount)).cast(AMOUNT))
