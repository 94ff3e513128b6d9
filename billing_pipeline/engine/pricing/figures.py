"""Figures as text inside a sentence: no needless zeros, no lost digits, and what rounding did.

What belongs here: expressions from decimals to text. What does not: tables and files, which format columns themselves.
"""

import polars as pl

_ROUNDED = "{} -> {}"
_OPEN, _CLOSED = "{} and up", "{} to {}"


def quantity_text(value: pl.Expr) -> pl.Expr:
    """A QUANTITY without needless zeros: 12, 1.5."""
    return value.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def price_text(value: pl.Expr) -> pl.Expr:
    """A price or an amount with every digit it has and at least two decimals: 9.50, 0.335."""
    whole_cents = value.cast(pl.Decimal(38, 2))
    exact = value.cast(pl.String).str.strip_chars_end("0")
    return pl.when(value == whole_cents).then(whole_cents.cast(pl.String)).otherwise(exact)


def grouped_price_text(value: pl.Expr) -> pl.Expr:
    """A price as price_text(), thousands separated: 1,200.55."""
    text = price_text(value)
    whole = text.str.extract("^([0-9]+)").str.reverse().str.replace_all("([0-9]{3})", "$1,").str.reverse()
    return pl.concat_str(whole.str.strip_chars_start(","), text.str.extract(r"(\.[0-9]+)$"))


def range_text(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """The bounds of a tier, an open one having no end: `1 to 10`, `11 and up`."""
    first, last = quantity_text(start), quantity_text(end)
    return pl.when(end.is_null()).then(pl.format(_OPEN, first)).otherwise(pl.format(_CLOSED, first, last))


def rounding_text(exact: pl.Expr, amount: pl.Expr) -> pl.Expr:
    """The exact value and, when it has fractions of a cent, the amount it becomes: `1.34`, `1.005 -> 1.01`."""
    return (
        pl.when(exact == amount)
        .then(price_text(amount))
        .otherwise(pl.format(_ROUNDED, price_text(exact), price_text(amount)))
    )
