"""How old work is, and which limits apply to its client. Source: U8, U10 of unbilled hours."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import polars as pl
from polars._typing import PolarsDataType

from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.unbilled.terms import UnbilledTerms


def age_days(day: pl.Expr, as_of: date) -> pl.Expr:
    """Whole days (Int64) from a work date to `as_of`: 0 for one that is still to come, null without a date."""
    return (pl.lit(as_of) - day).dt.total_days().clip(0)


def threshold(terms: UnbilledTerms) -> pl.Expr:
    """The amount (AMOUNT, dollars) above which unbilled work of column `client` is told."""
    special = {name: limit.threshold for name, limit in terms.clients.items() if limit.threshold is not None}
    return _of_client(special, pl.lit(terms.threshold).cast(AMOUNT), AMOUNT)


def days_limit(terms: UnbilledTerms) -> pl.Expr:
    """The age in days (Int64) beyond which unbilled work of column `client` is told; null: at no age."""
    special = {name: limit.days for name, limit in terms.clients.items() if limit.days is not None}
    return _of_client(special, pl.lit(None, pl.Int64), pl.Int64)


def _of_client(special: Mapping[str, Decimal | int], general: pl.Expr, dtype: PolarsDataType) -> pl.Expr:
    clients = pl.Series(list(special), dtype=pl.String)
    values = pl.Series(list(special.values()), dtype=dtype)
    return pl.col("client").replace_strict(clients, values, default=general, return_dtype=dtype)
