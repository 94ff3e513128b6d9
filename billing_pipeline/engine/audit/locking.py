"""What each row of a closed week is held to: the week it was first billed in, and its values when that week closed.

A row is locked once its week is closed, and stays locked to that week wherever it is moved. Its values are those of the
baseline; of a row that has none yet, those that its cells' history or the snapshots show at the close.
Source: spec 2.2 B5, 9.1; Q9, Q13, Q29.
"""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.closing import closes
from billing_pipeline.engine.audit.inputs import Memory
from billing_pipeline.engine.audit.snapshot import KEY, is_billable, rows_of
from billing_pipeline.engine.audit.tables import BASELINE, ROWS, TRACKED, UTC_TIME
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.money import AMOUNT, QUANTITY
from billing_pipeline.engine.tables import Schema, conform

_FACTS = ("work_request", "week_ending", "completed", "price", "quantity", "modified_at", "modified_by", "permalink")
LOCKED: Schema = {  # a row of the snapshot whose first week is closed; key: sheet_id, row_id
    **{name: ROWS[name] for name in (*KEY, *_FACTS)},
    "first_week_ending": pl.Date,
    "locked_at": UTC_TIME,
    "locked_price": AMOUNT,  # null: nothing was billed of the row when its week closed
    "locked_quantity": QUANTITY,
    "locked_work_request": pl.String,
    "update": pl.Boolean,  # the baseline does not say so yet
}


def locked_rows(
    rows: pl.DataFrame, steps: pl.DataFrame, memory: Memory, thresholds: Thresholds, now_at: datetime, zone: str
) -> pl.DataFrame:
    """LOCKED of rows (ROWS). steps: history.steps(), which decides over snapshots where it has something to say."""
    baseline = conform(memory.baseline, BASELINE).select(
        *KEY,
        first_week_ending="week_ending",
        locked_at="billed_at",
        locked_price="price",
        locked_quantity="quantity",
        locked_work_request="work_request",
    )
    lines = rows.select(*KEY, *_FACTS).join(baseline, on=KEY, how="left", maintain_order="left")
    # a row of which nothing was billed may still be moved to the week it is done in
    held = pl.col("locked_price").is_not_null() | (pl.col("first_week_ending") == pl.col("week_ending"))
    is_held = pl.col("locked_at").is_not_null() & held.fill_null(value=False)
    kept = lines.filter(is_held).with_columns(late=pl.lit(value=False), held=pl.lit(value=True))
    unheld = lines.filter(~is_held).drop("first_week_ending", "^locked_.*$")
    found = _first_locked(unheld, memory, thresholds, now_at, zone)
    lines = pl.concat([kept, found.select(kept.columns)])
    decided = _by_history(lines, steps)
    price, quantity = pl.col("decided_price"), pl.when(pl.col("decided_price").is_not_null()).then("decided_quantity")
    other = price.ne_missing(pl.col("locked_price")) | quantity.ne_missing(pl.col("locked_quantity"))
    return conform(
        decided.with_columns(
            update=pl.when("held").then(other).otherwise(price.is_not_null()),
            locked_price=price,
            locked_quantity=quantity,
        ),
        LOCKED,
    )


def baseline_updates(locked: pl.DataFrame) -> pl.DataFrame:
    """BASELINE rows to add or to replace: rows billed for the first time, and those of which history says otherwise."""
    return conform(
        locked.filter("update").select(
            *KEY,
            work_request="locked_work_request",
            week_ending="first_week_ending",
            price="locked_price",
            quantity="locked_quantity",
            billed_at="locked_at",
        ),
        BASELINE,
    )


def _first_locked(
    rows: pl.DataFrame, memory: Memory, thresholds: Thresholds, now_at: datetime, zone: str
) -> pl.DataFrame:
    """The rows that no baseline holds and whose week is closed, with what the snapshots say of the close."""
    was = rows_of(memory.rows, rows).select(
        *KEY, *(pl.col(name).alias(f"{name}_was") for name in ("work_request", "week_ending", "price", "quantity")),
        billable_was=is_billable(),
    )  # fmt: skip
    known = pl.col("seen_at").is_not_null()
    now = pl.lit(now_at, UTC_TIME)
    closed_was = closes(pl.col("week_ending_was"), zone, thresholds.grace)
    closed = closes(pl.col("week_ending"), zone, thresholds.grace)
    touched_since = pl.col("modified_at") >= pl.col("closed_was")
    # as the last run saw it, when the week closed after that run and something was edited after the close
    as_it_was = (
        pl.col("billable_was")
        & (pl.col("closed_was") > pl.col("seen_at"))
        & (pl.col("closed_was") <= now)
        & touched_since
    )
    # the last run came after the close and did not see it billed: it came, or was finished, too late
    late = (pl.col("closed") <= pl.col("seen_at")) & (pl.col("modified_at") >= pl.col("closed")).fill_null(value=True)
    first_run = now - pl.lit(thresholds.look_back)
    seen = memory.seen.select("sheet_id", seen_at="at")
    paired = rows.join(was, on=KEY, how="left", maintain_order="left").join(seen, on="sheet_id", how="left")
    joined = paired.with_columns(closed=closed, closed_was=closed_was)
    told = joined.with_columns(
        as_it_was=as_it_was.fill_null(value=False), late=late.fill_null(value=False), known=known
    ).with_columns(
        *(_then(f"{name}_was", name).alias(f"locked_{name}") for name in ("work_request", "price", "quantity")),
        first_week_ending=_then("week_ending_was", "week_ending"),
        locked_at=pl.max_horizontal(_then("closed_was", "closed"), pl.when(~pl.col("known")).then(first_run)),
        nothing=pl.col("late") | ~(pl.col("as_it_was") | is_billable()),
    )
    closed_now = _then("closed_was", "closed") <= now
    return told.filter(closed_now).with_columns(
        locked_price=pl.when(~pl.col("nothing")).then("locked_price"),
        locked_quantity=pl.when(~pl.col("late")).then("locked_quantity"),  # the history may know of a price
        held=pl.lit(value=False),
    )


def _then(was: str, now: str) -> pl.Expr:
    return pl.when("as_it_was").then(was).otherwise(now)


def _by_history(lines: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """`decided_price`, `decided_quantity`: the value of the last revision before the lock, where there is a history.

    A row that came too late has nothing to be held to, and a price of zero or less was not billed.
    """
    mine = steps.join(rows_of(lines, steps).select(*KEY, "locked_at"), on=KEY, maintain_order="left")
    earlier = pl.col("at") < pl.col("locked_at")
    told = mine.group_by(KEY, maintain_order=True).agg(
        *((pl.col("column") == column).any().alias(f"told_{column}") for column in TRACKED),
        *(
            pl.col("number").filter((pl.col("column") == column) & earlier).last().alias(f"decided_{column}")
            for column in TRACKED
        ),
    )
    # of the million lines only the keys pass through the join
    joined = lines.hstack(lines.select(KEY).join(told, on=KEY, how="left", maintain_order="left").drop(KEY))
    result = joined.with_columns(_decided(column) for column in TRACKED)
    finished = pl.col("held") | pl.col("locked_price").is_not_null() | pl.col("completed")
    billed = finished & (pl.col("decided_price") > 0)
    return result.with_columns(pl.when(billed).then("decided_price").alias("decided_price"))


def _decided(column: str) -> pl.Expr:
    by_history = pl.col(f"told_{column}").fill_null(value=False) & ~pl.col("late")
    decided = pl.col(f"decided_{column}")
    at_lock = decided.cast(LOCKED[f"locked_{column}"])
    return pl.when(by_history).then(at_lock).otherwise(f"locked_{column}").alias(f"decided_{column}")
