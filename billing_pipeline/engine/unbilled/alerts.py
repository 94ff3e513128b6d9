"""What people are told of unbilled work: when it crosses its limit, when it has grown since, when it is over.

What belongs here: the difference between what is and what was told. What does not: how it is sent. Source: U6.
"""

import polars as pl

from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled.tables import ALERTS, CLEARED, CROSSED, GREW, PROJECTS, TOLD
from billing_pipeline.engine.unbilled.terms import UnbilledTerms


def alerts(projects: pl.DataFrame, told: pl.DataFrame, terms: UnbilledTerms) -> pl.DataFrame:
    """ALERTS: how PROJECTS differ from what was TOLD. New alerts, those that grew by `terms.growth` dollars since they
    were told, then those that are over; each group by amount, the largest first.

    The same state is never told twice: with `told_after` as the next `told` nothing is left to tell. A project that is
    gone has 0.00. Source: U6.
    """
    now = conform(projects, PROJECTS).select("project_id", "client", "hours", "amount", "age_days", "alert")
    joined = now.join(conform(told, TOLD), on="project_id", how="full", coalesce=True)
    known, on = pl.col("told_amount").is_not_null(), pl.col("alert").fill_null(value=False)
    # with a growth of nothing what stays the same would be told for ever
    grown = (pl.col("amount") >= pl.col("told_amount") + pl.lit(terms.growth)) & (
        pl.col("amount") > pl.col("told_amount")
    )
    event = (
        pl.when(on & ~known)
        .then(pl.lit(CROSSED))
        .when(on & grown)
        .then(pl.lit(GREW))
        .when(known & ~on)
        .then(pl.lit(CLEARED))
    )
    found = joined.with_columns(
        event.alias("event"),
        pl.coalesce("client", "client_right").alias("client"),
        *(pl.col(name).fill_null(0).cast(ALERTS[name]) for name in ("hours", "amount")),
    ).drop_nulls("event")
    over = pl.col("event") == CLEARED
    return conform(found, ALERTS).sort(over, "amount", "project_id", descending=[False, True, False])


def told_after(told: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """TOLD once these ALERTS of it were sent, by project: what is over is forgotten, the rest has its amount of now.

    Source: U6.
    """
    news = conform(alerts, ALERTS)
    kept = conform(told, TOLD).join(news, on="project_id", how="anti")
    said = news.filter(pl.col("event") != CLEARED).with_columns(told_amount="amount")
    return pl.concat([kept, conform(said, TOLD)]).sort("project_id")
