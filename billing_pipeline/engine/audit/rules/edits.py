"""Tracked cells that are not what they were when their week closed: edited, entered late, unpriced; or not for long.

What belongs here: which cells are findings, and what they are worth. What does not: what a row is held to (locking),
what happened to a cell (tracked). Source: spec 2.1 A1, 9.1, 9.5; Q7, Q8, Q15, Q16, Q29, Q30.
"""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.inputs import Memory
from billing_pipeline.engine.audit.keys import with_finding_keys
from billing_pipeline.engine.audit.severity import higher, of_dollars
from billing_pipeline.engine.audit.snapshot import CELL, KEY
from billing_pipeline.engine.audit.tables import (
    EDIT_AFTER_CLOSE,
    EVENTS,
    HISTORY,
    LATE_ENTRY,
    MEDIUM,
    PRICE_REMOVED,
    SNAPSHOT,
    TRANSIENT_EDIT,
)
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.audit.tracked import values_before
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import conform

_WHY = {
    EDIT_AFTER_CLOSE: "{} was {} when its week closed and is {} now",
    LATE_ENTRY: "{} was {} when its week closed and is {} now",
    PRICE_REMOVED: "{} was {} when its week closed and is {} now: the line is no longer billed",
    TRANSIENT_EDIT: "{} was {} when its week closed, was changed after that, and is {} again",
}


@dataclass(frozen=True, slots=True)
class Edits:
    """drafts: DRAFT, one a cell. events: EVENTS, each with the finding it belongs to."""

    drafts: pl.DataFrame
    events: pl.DataFrame


def edits(cells: pl.DataFrame, observed: pl.DataFrame, memory: Memory, thresholds: Thresholds) -> Edits:
    """What became of tracked cells (tracked.CELLS), with their events (tracked.OBSERVED).

    A cell that was empty when its week closed is LATE_ENTRY, and so is the price of a row that was not billed then; its
    quantity belongs to it. A price that is none or zero now is PRICE_REMOVED. A cell edited since the last run that is
    now what it was then and when its week closed, is TRANSIENT_EDIT. Units count at the price of a unit of their
    line; where the price of the line is a finding too, the dollars are counted there.
    """
    marked = _marked(cells, observed, memory)
    # the quantity of a row that came late is part of the finding of its price
    place = pl.when("late").then(pl.lit("price")).otherwise("column")
    keyed = with_finding_keys(marked.with_columns(cell=pl.col("column"), column=place))
    of_cell = keyed.select(*KEY, "finding_key", column="cell")
    events = conform(observed.join(of_cell, on=CELL).sort("at", "event_key"), EVENTS)
    evidence = pl.concat([memory.events.select("finding_key", "evidence"), events.select("finding_key", "evidence")])
    by_history = evidence.filter(pl.col("evidence") == HISTORY)["finding_key"].unique()
    told = keyed.filter("told").with_columns(
        evidence=pl.when(pl.col("finding_key").is_in(by_history.implode()))
        .then(pl.lit(HISTORY))
        .otherwise(pl.lit(SNAPSHOT))
    )
    return Edits(_drafts(told, thresholds), events)


def _marked(cells: pl.DataFrame, observed: pl.DataFrame, memory: Memory) -> pl.DataFrame:
    """The cells with `category`, `rule`, `told`: whether it is a finding, `peak`: how far it was off for a while."""
    is_price = pl.col("column") == "price"
    deviates = pl.col("current").ne_missing(pl.col("locked"))
    unpriced = is_price & ~pl.col("late") & (pl.col("current").fill_null(0) == 0)
    off = observed.filter("fresh").join(cells.select(*CELL, "locked"), on=CELL).group_by(CELL).agg(
        again=pl.lit(value=True), peak=(pl.col("number") - pl.col("locked")).abs().max()
    )  # fmt: skip
    joined = cells.join(off, on=CELL, how="left").join(values_before(cells, memory), on=CELL, how="left")
    as_before = pl.col("seen").is_null() | pl.col("before").eq_missing(pl.col("locked"))
    transient = ~deviates & pl.col("again").fill_null(value=False) & as_before
    category = (
        pl.when(unpriced)
        .then(pl.lit(PRICE_REMOVED))
        .when(transient)
        .then(pl.lit(TRANSIENT_EDIT))
        .when(pl.col("late") | pl.col("locked").is_null())
        .then(pl.lit(LATE_ENTRY))
        .otherwise(pl.lit(EDIT_AFTER_CLOSE))
    )
    told = pl.when(pl.col("late")).then(is_price).otherwise(deviates | transient)
    named = joined.with_columns(category=category, told=told, deviates=deviates, discriminator=pl.lit(""))
    return named.with_columns(rule=pl.col("category").str.to_lowercase())


def _drafts(told: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """DRAFT of the cells that are findings."""
    delta = pl.col("current") - pl.col("locked")
    size = (pl.col("current").fill_null(0) - pl.col("locked").fill_null(0)).abs()
    size = pl.when("deviates").then(size).otherwise("peak")
    priced = pl.col("locked_quantity").fill_null(0) != 0  # else the line as it stands says what a unit costs
    price, units = (pl.when(priced).then(f"locked_{name}").otherwise(name) for name in ("price", "quantity"))
    of_price = pl.col("column") == "price"
    worth = pl.when(of_price).then(size.cast(AMOUNT)).otherwise(unit_dollars(size, price, units))
    valued = told.with_columns(worth=worth, counted_at_price=(of_price & pl.col("deviates")).any().over(KEY))
    once = pl.when(~of_price & pl.col("counted_at_price") & pl.col("worth").is_not_null()).then(0).otherwise("worth")
    unknown = pl.when(delta.is_null()).then(pl.lit(MEDIUM))
    sentence = pl.coalesce(
        pl.when(pl.col("category") == category).then(
            pl.format(why, "column", pl.col("old").fill_null("empty"), _now())
        )
        for category, why in _WHY.items()
    )  # fmt: skip
    return draft(
        valued,
        pl.col("category"),
        pl.col("rule"),
        column=pl.col("column"),
        old=pl.col("old"),
        new=pl.col("new"),
        delta=delta,
        dollars=once,
        least=higher(of_dollars(pl.col("worth"), thresholds), unknown),
        evidence=pl.col("evidence"),
        why=sentence,
    )


def unit_dollars(units: pl.Expr, price: pl.Expr, quantity: pl.Expr) -> pl.Expr:
    """What units (QUANTITY) cost when `quantity` of them cost `price` (AMOUNT): exact, rounded once, never negative.

    Null for a line without units. Source: Q16.

    >>> line = pl.DataFrame({"n": ["3"], "p": ["100"], "q": ["2"]})
    >>> n, p, q = pl.col("n").cast(pl.Decimal(18, 4)), pl.col("p").cast(AMOUNT), pl.col("q").cast(pl.Decimal(18, 4))
    >>> line.select(unit_dollars(n, p, q)).item()
    Decimal('150.00')
    """
    above, cost, below = (value.to_physical().cast(pl.Int128).abs() for value in (units, price, quantity))
    cents = (2 * above * cost + below) // (2 * below)
    hundred = pl.lit(100).cast(pl.Decimal(38, 0))
    return (pl.when(below != 0).then(cents).cast(pl.Decimal(38, 4)) / hundred).cast(AMOUNT)


def _now() -> pl.Expr:
    """The current value for a sentence; a text that cannot be read is not repeated there."""
    readable = pl.col("current").is_not_null() | pl.col("new").is_null()
    return pl.when(readable).then(pl.col("new").fill_null("empty")).otherwise(pl.lit("unreadable"))
