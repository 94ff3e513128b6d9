"""How grave a finding is: by its dollars, at least what its rule says, one step more for who edits often or at night.

Source: spec 9.1 of the billing audit; Q15, Q16.
"""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.tables import HIGH, INFO, LOW, MEDIUM
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.money import AMOUNT

_ORDER = [INFO, LOW, MEDIUM, HIGH]


def of_dollars(dollars: pl.Expr, thresholds: Thresholds) -> pl.Expr:
    """HIGH above `high_dollars`, MEDIUM above `medium_dollars` or when nobody knows, else LOW."""
    high, medium = (pl.lit(amount).cast(AMOUNT) for amount in (thresholds.high_dollars, thresholds.medium_dollars))
    return (
        pl.when(dollars > high)
        .then(pl.lit(HIGH))
        .when((dollars > medium) | dollars.is_null())
        .then(pl.lit(MEDIUM))
        .otherwise(pl.lit(LOW))
    )


def higher(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """The graver of two severities; one that is null does not count."""
    return _named(pl.max_horizontal(_rank(one), _rank(other)))


def one_step_up(severity: pl.Expr, raised: pl.Expr) -> pl.Expr:
    """The next graver severity where `raised`, HIGH at most; what is only information stays that."""
    rank = _rank(severity)
    up = pl.when(raised.fill_null(value=False) & (rank > 0)).then(rank + 1).otherwise(rank)
    return _named(pl.min_horizontal(up, pl.lit(len(_ORDER) - 1, pl.Int8)))


def is_after_hours(at: pl.Expr, thresholds: Thresholds, zone: str) -> pl.Expr:
    """Whether an instant lies outside the hours of a working day in the zone."""
    hour = at.dt.convert_time_zone(zone).dt.hour()
    return ~hour.is_between(thresholds.day_starts, thresholds.day_ends, closed="left")


def repeat_editors(events: pl.DataFrame, thresholds: Thresholds, now_at: datetime) -> pl.Series:
    """Who made at least `repeat_edits` of these edits within `repeat_within` before now; nobody without a name."""
    recent = events.filter((pl.col("by") != "") & (pl.col("at") >= pl.lit(now_at - thresholds.repeat_within)))
    counted = recent.unique("event_key").group_by("by").len()
    return counted.filter(pl.col("len") >= thresholds.repeat_edits)["by"].sort()


def _rank(severity: pl.Expr) -> pl.Expr:
    return severity.replace_strict(_ORDER, [0, 1, 2, 3], default=None, return_dtype=pl.Int8)


def _named(rank: pl.Expr) -> pl.Expr:
    return rank.replace_strict([0, 1, 2, 3], _ORDER, default=None, return_dtype=pl.String)
