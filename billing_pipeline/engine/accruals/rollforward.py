"""The roll-forward of accrued revenue: opening + accrued - reversed = closing, with the true-up of the month that was
reversed beside it."""

import polars as pl

from billing_pipeline.engine.accruals.totals import side_by_side
from billing_pipeline.engine.money import AMOUNT


def roll_forward(opening: pl.DataFrame | None, accrued: pl.DataFrame, actual: pl.DataFrame | None) -> pl.DataFrame:
    """customer, opening, accrued, reversed, closing (AMOUNT), and actual and true_up of the month before (null when its
    bill is not out).

    All three are customer and total: what was accrued the month before (null: nothing was), what is accrued now, what
    was billed for the month before. The whole opening balance is reversed on the first day of the month.

    >>> def totals(**amounts: str) -> pl.DataFrame:
    ...     return pl.DataFrame({"customer": [*amounts], "total": [*amounts.values()]}).cast({"total": AMOUNT})
    >>> rolled = roll_forward(totals(Acme="10"), totals(Acme="12", Birch="5"), totals(Acme="11"))
    >>> for row in rolled.rows():
    ...     print(*row)
    Acme 10.00 12.00 10.00 12.00 11.00 1.00
    Birch 0.00 5.00 0.00 5.00 0.00 0.00
    """
    nothing = accrued.clear()
    frames = {"opening": opening if opening is not None else nothing, "accrued": accrued,
              "actual": actual if actual is not None else nothing}  # fmt: skip
    rolled = side_by_side(frames).with_columns(pl.col("opening").alias("reversed"))
    known = pl.lit(actual is not None)
    return rolled.select(
        "customer",
        "opening",
        "accrued",
        "reversed",
        (pl.col("opening") + pl.col("accrued") - pl.col("reversed")).cast(AMOUNT).alias("closing"),
        pl.when(known).then("actual").alias("actual"),
        pl.when(known).then((pl.col("actual") - pl.col("reversed")).cast(AMOUNT)).alias("true_up"),
    )
