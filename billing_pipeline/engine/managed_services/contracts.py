"""When a contract ends. It is told, and changes no amount. Source: spec 3.3; Q43 (29 February)."""

import polars as pl

_MONTH_TO_MONTH = "Month to Month"
_YEARS = {"1 Year": 1, "2 Year": 2, "3 Year": 3}


def contract_term() -> pl.Expr:
    """The term as it is used: trimmed, and month to month where the directory says none."""
    return pl.col("term").str.strip_chars().replace("", None).fill_null(_MONTH_TO_MONTH)


def contract_end() -> pl.Expr:
    """The last day (Date) of a contract, over term, contract_start, contract_end; null for one that has no end.

    An end that is stated counts, else the day before the start's anniversary. A contract that starts on 29 February
    ends on the 28th of a common year: a whole year as well.
    """
    start = pl.col("contract_start")
    anniversary = pl.coalesce(
        pl.when(contract_term() == term).then(start.dt.offset_by(f"{years}y")) for term, years in _YEARS.items()
    )
    clamped = anniversary.dt.day() < start.dt.day()
    return pl.coalesce("contract_end", pl.when(clamped).then(anniversary).otherwise(anniversary.dt.offset_by("-1d")))
