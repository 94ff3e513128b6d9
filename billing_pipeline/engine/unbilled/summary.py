"""Unbilled work of each project and client, by age, against the limits of the client.

Source: spec 2.7, U8, U10 of unbilled hours.
"""

from datetime import date

import polars as pl

from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import conform
from billing_pipeline.engine.unbilled.ageing import age_days, days_limit, threshold
from billing_pipeline.engine.unbilled.tables import CLIENTS, HOURS, JUDGED, PROJECTS, UNBILLED
from billing_pipeline.engine.unbilled.terms import UnbilledTerms

_AMOUNTS = ("amount", "days_0_30", "days_31_60", "days_61_90", "days_over_90", "undated")


def project_summary(judged: pl.DataFrame, as_of: date, terms: UnbilledTerms) -> pl.DataFrame:
    """PROJECTS of the unbilled logs of JUDGED, the largest amount (dollars) first, then by project.

    Ages are whole days to `as_of`; work that is still to come is 0 days old, work without a date is not aged.
    Strictly above its client's threshold, or older than its client's days where it has such a limit, it is an alert.
    Source: spec 2.7, U8, U10.
    """
    unbilled = conform(judged, JUDGED).lazy().filter(pl.col("state") == UNBILLED)
    age = pl.col("age")
    ranges = {
        "days_0_30": age <= 30,
        "days_31_60": age.is_between(31, 60),
        "days_61_90": age.is_between(61, 90),
        "days_over_90": age > 90,
        "undated": age.is_null(),
    }
    aged = unbilled.select(
        "project_id", "client", "hours", "work_date", "amount", age=age_days(pl.col("work_date"), as_of)
    )
    summed = aged.group_by("project_id").agg(
        pl.col("client").first().fill_null(""),
        pl.len().cast(pl.Int64).alias("entries"),
        pl.col("hours").sum().cast(HOURS),
        pl.col("amount").sum().cast(AMOUNT),
        *(pl.when(within).then("amount").sum().cast(AMOUNT).alias(name) for name, within in ranges.items()),
        pl.col("work_date").min().alias("oldest"),
    )
    limited = summed.collect(engine="streaming").with_columns(
        age_days=age_days(pl.col("oldest"), as_of), threshold=threshold(terms)
    )
    old = (pl.col("age_days") > days_limit(terms)).fill_null(value=False)
    alert = (pl.col("amount") > pl.col("threshold")) | old
    return _largest_first(conform(limited.with_columns(alert=alert), PROJECTS), "project_id")


def client_summary(projects: pl.DataFrame) -> pl.DataFrame:
    """CLIENTS of PROJECTS: the same figures of each client, the largest amount (dollars) first, then by client.

    `oldest` and `age_days` are those of its oldest project, `alerts` counts its projects that are one. Source: U8, U10.
    """
    summed = conform(projects, PROJECTS).group_by("client").agg(
        pl.len().cast(pl.Int64).alias("projects"),
        pl.col("entries").sum(),
        pl.col("hours").sum().cast(HOURS),
        pl.col(_AMOUNTS).sum().cast(AMOUNT),
        pl.col("oldest").min(),
        pl.col("age_days").max(),
        pl.col("alert").sum().cast(pl.Int64).alias("alerts"),
    )  # fmt: skip
    return _largest_first(conform(summed, CLIENTS), "client")


def _largest_first(summed: pl.DataFrame, name: str) -> pl.DataFrame:
    return summed.sort("amount", name, descending=[True, False])
