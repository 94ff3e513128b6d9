"""Amounts before they are rounded: whole numbers while they are divided, then decimals cut after the twelfth place.

What is cut off is less than any half cent and never changes how an amount of zero or more is rounded.
"""

import polars as pl

from billing_pipeline.engine.managed_services.tables import HOURS

EXACT = pl.Decimal(38, 12)
TERABYTE = 2**40
HOUR = 3_600_000  # milliseconds


def hundredths(name: str) -> pl.Expr:
    """A column of two decimals as whole hundredths (Int128)."""
    return pl.col(name).to_physical().cast(pl.Int128)


def exact(trillionths: pl.Expr) -> pl.Expr:
    """Whole trillionths (Int128) as a decimal (EXACT).

    >>> pl.DataFrame({"t": [1_500_000_000_000]}).select(exact(pl.col("t")))["t"][0]
    Decimal('1.500000000000')
    """
    whole = pl.Decimal(38, 0)
    return (trillionths.cast(whole).cast(EXACT) / pl.lit(10**12).cast(whole)).cast(EXACT)


def terabytes() -> pl.Expr:
    """`overage_bytes`, the volume above what is included (in hundredths of a byte), as TB with two decimals."""
    units = (pl.col("overage_bytes") * 2 + TERABYTE) // (2 * TERABYTE)
    return (units.cast(pl.Decimal(38, 4)) / pl.lit(100).cast(pl.Decimal(38, 0))).cast(pl.Decimal(38, 2)).cast(pl.String)


def hours(milliseconds: pl.Expr) -> pl.Expr:
    """Whole milliseconds as hours (HOURS), rounded to what these can say.

    >>> pl.DataFrame({"ms": [5_400_000, 1_200_000]}).select(hours(pl.col("ms")))["ms"].to_list()
    [Decimal('1.50000000'), Decimal('0.33333333')]
    """
    units = (milliseconds.cast(pl.Int128) * 2 * 10**8 + HOUR) // (2 * HOUR)
    return (units.cast(pl.Decimal(38, 8)) / pl.lit(10**8).cast(pl.Decimal(38, 0))).cast(HOURS)
