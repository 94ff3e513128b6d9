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
_RULES: tuple[tuple[pl.Expr, str, str | None], ...] = (
    # the first that applies to a log, its state, its reason; None: its own text, of column problem or covered
    (pl.col("problem") != "", QUARANTINED, None),
    (pl.col("known").is_null(), QUARANTINED, "unknown project"),
    (pl.col("model").is_null(), QUARANTINED, "unknown billing model"),
    (pl.col("model") == FIXED_PRICE, EXCLUDED, "fixed price"),
    (pl.col("status") == WRITTEN_OFF, EXCLUDED, "written off"),
    (pl.col("activity") == NON_BILLABLE, EXCLUDED, NOT_BILLABLE),
    (pl.col("covered") != "", EXCLUDED, None),
    (pl.col("status") == INVOICED, BILLED, ""),
    (pl.col("rate").is_null() | (pl.col("rate") == 0), QUARANTINED, NO_RATE),
    (pl.lit(value=True), UNBILLED, ""),
)


def judged_logs(logs: pl.DataFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """JUDGED of LOGS by their CONTRACTS: every log once, in the same order, in exactly one state.

    `amount` is hours x rate in dollars, exact, rounded half up to cents for each entry: of billable work on T&M in
    whatever state, else 0.00. A log that is invoiced is billed whatever its rate, without one with 0.00. Two contracts
    of a project are the reader's to refuse; here they are an error of Polars, never a log counted twice.
    Source: spec 2.2 to 2.4, U3, U4, U5.
    """
    rows, terms = conform(logs, LOGS), conform(contracts, CONTRACTS)
    # five million logs pass here: a contract is looked up once by its place, and a verdict is one byte
    places = pl.int_range(terms.height, dtype=pl.UInt32, eager=True)
    place = rows["project_id"].replace_strict(terms["project_id"], places, default=None, return_dtype=pl.UInt32)
    known = terms.select("client", "rate", "model", known=pl.lit(value=True))
    joined = rows.hstack(known.select(pl.all().gather(place))).with_columns(amount=_amount())
    applies = (pl.when(when).then(pl.lit(number, pl.UInt8)) for number, (when, _, _) in enumerate(_RULES))
    verdict = joined.select(pl.coalesce(*applies)).to_series()
    states, reasons = (pl.Series(texts, dtype=pl.String) for texts in list(zip(*_RULES, strict=True))[1:])
    reason = reasons.gather(verdict)
    own = pl.when(pl.col("problem") != "").then("problem").when(pl.lit(reason.is_null())).then("covered")
    return conform(joined.with_columns(state=states.gather(verdict), reason=own.otherwise(pl.lit(reason))), JUDGED)


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


def _amount() -> pl.Expr:
    charged = (pl.col("activity") == BILLABLE) & (pl.col("model") == TIME_AND_MATERIALS)
    worth = product_cents(pl.col("hours"), pl.when(charged).then("rate"))
    return worth.fill_null(pl.lit(0).cast(AMOUNT))
