"""Support hours: what was worked in the period, what prepaid hours cover, what is left to be paid.

Monthly prepaid hours are used first and lapse, then the yearly ones. Source: spec 3.7; decisions 17, 18.
"""

from datetime import UTC, date, datetime

import polars as pl

from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.tables import HOURS, Book
from billing_pipeline.engine.period import Period

_ZERO = pl.lit("0").cast(HOURS)


def support_hours(book: Book, rates: pl.DataFrame, period: Period, policy: Policy) -> pl.DataFrame:
    """account, worked (in the period), prepaid_monthly, prepaid_used (of the yearly ones, before), prepaid_left,
    billable (HOURS) of every billable client. The period is half-open, in UTC.
    """
    start, end = _at(period.first), _at(period.next.first)
    entries = (
        book.entries.filter(pl.col("billable").fill_null(value=True)) if policy.honour_billable_flag else book.entries
    )
    dated = entries.join(rates.select("account", "contract_start", "prepaid_hours_monthly"), on="account").with_columns(
        pl.col("hours").fill_null(_ZERO)
    )
    worked = (
        dated.filter(pl.col("at").is_between(start, end, closed="left")).group_by("account").agg(pl.col("hours").sum())
    )
    before = dated.filter((pl.col("at") < start) & (pl.col("at") >= _year_start(period, policy)))
    used = _drained(before, policy)
    joined = (
        rates.select("account", "prepaid_hours_monthly", "prepaid_hours_yearly")
        .join(worked.rename({"hours": "worked"}), on="account", how="left", maintain_order="left")
        .join(used, on="account", how="left", maintain_order="left")
        .with_columns(pl.col("worked", "used").fill_null(_ZERO).cast(HOURS), pl.col("^prepaid_.*$").cast(HOURS))
    )
    left = (pl.col("prepaid_hours_yearly") - pl.col("used")).clip(0).cast(HOURS)
    over = (pl.col("worked") - pl.col("prepaid_hours_monthly")).clip(0).cast(HOURS)
    return joined.select(
        "account",
        "worked",
        pl.col("prepaid_hours_monthly").alias("prepaid_monthly"),
        pl.col("used").alias("prepaid_used"),
        left.alias("prepaid_left"),
        (over - left).clip(0).cast(HOURS).alias("billable"),
    )


def _drained(before: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """account, used: what earlier hours took of the yearly prepaid ones: all of them, or what each month's own did not
    cover."""
    if policy.prepaid_drains == "gross":
        return before.group_by("account").agg(pl.col("hours").sum().cast(HOURS).alias("used"))
    months = before.group_by("account", pl.col("at").dt.truncate("1mo").alias("month")).agg(
        pl.col("hours").sum().cast(HOURS), pl.col("prepaid_hours_monthly").first().cast(HOURS)
    )
    net = (pl.col("hours") - pl.col("prepaid_hours_monthly")).clip(0)
    return months.group_by("account").agg(net.sum().cast(HOURS).alias("used"))


def _year_start(period: Period, policy: Policy) -> pl.Expr:
    """Since when hours drain the yearly prepaid ones: the year's start, the contract's anniversary, or for ever."""
    if policy.prepaid_year == "all-history":
        return _at(date(1900, 1, 1))
    new_year = _at(date(period.year, 1, 1))
    if policy.prepaid_year == "calendar":
        return new_year
    month = pl.col("contract_start").dt.month()
    year = pl.when(month <= period.month).then(period.year).otherwise(period.year - 1)
    anniversary = pl.datetime(year, month, 1, time_zone="UTC", time_unit="us")
    return pl.coalesce(anniversary, new_year)


def _at(day: date) -> pl.Expr:
    return pl.lit(datetime(day.year, day.month, day.day, tzinfo=UTC)).dt.cast_time_unit("us")
