"""Exact decimals: the three scales of the product and the one rounding rule.

Amounts are cents, rates have up to eight decimals (the most NetSuite keeps), quantities up to four. Polars multiplies
decimals exactly only when the product's scale fits one factor, so a factor is widened to the sum of both scales first.
"""

from decimal import Decimal

import polars as pl

QUANTITY = pl.Decimal(18, 4)  # users, tier bounds, metric values
RATE = pl.Decimal(18, 8)  # prices per company or user, minimums
AMOUNT = pl.Decimal(18, 2)  # money on a document
_PRODUCT = pl.Decimal(38, 12)  # QUANTITY x RATE, exact


def cents(value: pl.Expr) -> pl.Expr:
    """Value rounded half away from zero to whole cents (AMOUNT). Source: decision 1."""
    return value.round(2, mode="half_away_from_zero").cast(AMOUNT)


def total(values: pl.Series) -> Decimal:
    """The exact sum of a decimal column, 0.00 when it is empty."""
    return Decimal(values.sum() or "0.00")


def percent(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """100 x part / whole of two AMOUNTs (AMOUNT), rounded once, in whole numbers so that it is exact; null for a whole
    of zero.

    >>> frame = pl.DataFrame({"part": ["6", "-490.50"], "whole": ["19.50", "500"]}).cast(AMOUNT)
    >>> frame.select(percent(pl.col("part"), pl.col("whole"))).to_series().to_list()
    [Decimal('30.77'), Decimal('-98.10')]
    """
    above, below = (value.to_physical().cast(pl.Int128) for value in (part, whole))
    rounded = (20_000 * above.abs() + below.abs()) // (2 * below.abs())
    signed = rounded * pl.when((above < 0) ^ (below < 0)).then(-1).otherwise(1)
    hundredths = pl.when(below != 0).then(signed).cast(pl.Decimal(38, 4))
    return (hundredths / pl.lit(100).cast(pl.Decimal(38, 0))).cast(AMOUNT)


def product_cents(quantity: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """quantity (QUANTITY) x rate (RATE or AMOUNT), exact, then rounded once to cents.

    >>> frame = pl.DataFrame({"q": ["5", "3"], "r": ["0.011", "0.335"]})
    >>> frame.select(product_cents(pl.col("q").cast(QUANTITY), pl.col("r").cast(RATE)))["q"].to_list()
    [Decimal('0.06'), Decimal('1.01')]
    """
    return cents(quantity.cast(_PRODUCT) * rate)
