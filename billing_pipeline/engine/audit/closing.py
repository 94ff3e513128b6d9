"""When a week is closed: at the end of its week-ending day in the company's zone, plus a grace.

What belongs here: the instant, and nothing that is judged by it. Source: spec 9.5; Q13, Q27; decision 22.
"""

from datetime import timedelta

import polars as pl

from billing_pipeline.engine.audit.tables import UTC_TIME


def closes(week_ending: pl.Expr, zone: str, grace: timedelta) -> pl.Expr:
    """The instant (UTC_TIME) from which the week is closed; an edit at this very instant is after it.

    A midnight that the zone skips is the hour after it, one that it has twice is the first.

    >>> week = pl.DataFrame({"week": ["2026-01-04"]}).select(pl.col("week").str.to_date())
    >>> week.select(closes(pl.col("week"), "America/Chicago", timedelta(0))).item().isoformat()
    '2026-01-05T06:00:00+00:00'
    """
    midnight = week_ending.dt.offset_by("1d").cast(pl.Datetime("us"))
    there = pl.coalesce(
        (midnight + pl.duration(hours=later)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        for later in (0, 1)
    )
    return (there.dt.convert_time_zone("UTC") + pl.lit(grace)).cast(UTC_TIME)
