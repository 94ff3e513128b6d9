"""Every time log in exactly one state: billed, unbilled, left out with its reason, or quarantined with its reason.

What belongs here: what becomes of one entry, and what it is worth. What does not: what is wrong with a project
(`leakage`). Source: spec 2, U1, U3, U5 of unbilled hours.
"""

import polars as pl

from billing_pipeline.engine.money import AMOUNT, product_cents
from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled.tables import (
    BALANCE,
    BILLABLE,
    BILLED,
    CONTRACTS,
    EXCLUDED,
    FIXED_PRICE,
    HOURS,
    INVOICED,
    JUDGED,
    LOGS,
    NO_RATE,
    NON_BILLABLE,
    NOT_BILLABLE,
    QUARANTINED,
    TIME_AND_MATERIALS,
    UNBILLED,
    WRITTEN_OFF,
)

_STATES = (BILLED, UNBILLED, EXCLUDED, QUARANTINED)


def judged_logs(logs: pl.DataFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """JUDGED of LOGS by their CONTRACTS: every log once, in the same order, in exactly one state.

    `amount` is hours x rate in dollars, exact, rounded half up to cents for each entry: of billable work on T&M in
    whatever state, else 0.00. A log that is invoiced is billed whatever its rate, without one with 0.00. Two contracts
    of a project are the reader's to refuse; here they are an error of Polars, never a log counted twice.
    Source: spec 2.2 to 2.4, U3, U4, U5.
    """
    terms = conform(contracts, CONTRACTS).select("project_id", "client", "rate", "model", known=pl.lit(value=True))
    joined = conform(logs, LOGS).join(terms, on="project_id", how="left", validate="m:1", maintain_order="left")
    return conform(joined.with_columns(_state().alias("state"), _reason().alias("reason"), amount=_amount()), JUDGED)


def balance(judged: pl.DataFrame) -> pl.DataFrame:
    """BALANCE of JUDGED: rows, hours and dollars of the four states, also of one without a log, and of all logs.

    Hours that are not readable count as none. Source: U3, U5.
    """
    figures = {
        "rows": pl.len().cast(pl.Int64),
        "hours": pl.col("hours").sum().cast(HOURS),
        "amount": pl.col("amount").sum().cast(AMOUNT),
    }
    counted = conform(judged, JUDGED).group_by("state").agg(**figures)
    states = pl.DataFrame({"state": _STATES}).join(counted, on="state", how="left", maintain_order="left")
    summed = states.with_columns(
        *(pl.col(name).fill_null(0).cast(BALANCE[name]) for name in ("rows", "hours", "amount"))
    )
    logged = summed.select(state=pl.lit("logged"), rows=pl.col("rows").sum(), hours=pl.col("hours").sum().cast(HOURS),
                           amount=pl.col("amount").sum().cast(AMOUNT))  # fmt: skip
    return conform(pl.concat([summed, logged]), BALANCE)


def _state() -> pl.Expr:
    return (
        pl.when((pl.col("problem") != "") | pl.col("model").is_null())
        .then(pl.lit(QUARANTINED))
        .when(_fixed_price() | _written_off() | _non_billable() | _covered())
        .then(pl.lit(EXCLUDED))
        .when(_invoiced())
        .then(pl.lit(BILLED))
        .when(_rate_missing())
        .then(pl.lit(QUARANTINED))
        .otherwise(pl.lit(UNBILLED))
    )


def _reason() -> pl.Expr:
    """Why, in the order in which a biller has to put things right."""
    return (
        pl.when(pl.col("problem") != "")
        .then("problem")
        .when(pl.col("known").is_null())
        .then(pl.lit("unknown project"))
        .when(pl.col("model").is_null())
        .then(pl.lit("unknown billing model"))
        .when(_fixed_price())
        .then(pl.lit("fixed price"))
        .when(_written_off())
        .then(pl.lit("written off"))
        .when(_non_billable())
        .then(pl.lit(NOT_BILLABLE))
        .when(_covered())
        .then("covered")
        .when(_rate_missing() & ~_invoiced())
        .then(pl.lit(NO_RATE))
        .otherwise(pl.lit(""))
    )


def _amount() -> pl.Expr:
    charged = (pl.col("activity") == BILLABLE) & (pl.col("model") == TIME_AND_MATERIALS)
    worth = product_cents(pl.col("hours"), pl.col("rate"))
    return pl.when(charged & worth.is_not_null()).then(worth).otherwise(pl.lit(0).cast(AMOUNT))


def _fixed_price() -> pl.Expr:
    return pl.col("model") == FIXED_PRICE


def _written_off() -> pl.Expr:
    return pl.col("status") == WRITTEN_OFF


def _non_billable() -> pl.Expr:
    return pl.col("activity") == NON_BILLABLE


def _covered() -> pl.Expr:
    return pl.col("covered") != ""


def _invoiced() -> pl.Expr:
    return pl.col("status") == INVOICED


def _rate_missing() -> pl.Expr:
    return pl.col("rate").fill_null(0) == 0
