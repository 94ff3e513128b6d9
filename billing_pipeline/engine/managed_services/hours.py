"""Support hours: what was worked in the period, what prepaid hours cover, what is left to be paid.

Monthly prepaid hours are used first and lapse, then the yearly ones. Time is counted in whole milliseconds. Source:
spec 3.7; decisions 17, 18; Q1.
"""

from datetime import date

import polars as pl

from billing_pipeline.engine.managed_services.exact import HOUR, exact, hours, hundredths
from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.tables import Book
from billing_pipeline.engine.period import Period


def support_hours(book: Book, rates: pl.DataFrame, period: Period, policy: Policy) -> pl.DataFrame:
    """account, worked (in the period), prepaid_monthly, prepaid_used (of the yearly ones, before), prepaid_left,
    billable (HOURS), exact_ticket (EXACT: the charge, not rounded) of every billable client.
    """
    dated = billable_time(book.entries, policy).join(
        rates.select("account", "contract_start", monthly=_milliseconds("prepaid_hours_monthly")), on="account"
    )
    worked = dated.filter(pl.col("month") == period.first).group_by("account").agg(worked=pl.col("spent").sum())
    before = dated.filter((pl.col("month") < period.first) & (pl.col("month") >= _year_start(period, policy)))
    joined = (
        rates.select(
            "account",
            "per_hour_ticket_cost",
            monthly=_milliseconds("prepaid_hours_monthly"),
            yearly=_milliseconds("prepaid_hours_yearly"),
        )
        .join(worked, on="account", how="left", maintain_order="left")
        .join(_drained(before, policy), on="account", how="left", maintain_order="left")
        .with_columns(pl.col("worked", "used").fill_null(0))
        .with_columns(left=(pl.col("yearly") - pl.col("used")).clip(0))
        .with_columns(billable=((pl.col("worked") - pl.col("monthly")).clip(0) - pl.col("left")).clip(0))
    )
    trillionths = pl.col("billable").cast(pl.Int128) * hundredths("per_hour_ticket_cost") * 10**10 // HOUR
    return joined.select(
        "account",
        hours(pl.col("worked")),
        hours(pl.col("monthly")).alias("prepaid_monthly"),
        hours(pl.col("used")).alias("prepaid_used"),
        hours(pl.col("left")).alias("prepaid_left"),
        hours(pl.col("billable")),
        exact(trillionths).alias("exact_ticket"),
    )


def billable_time(entries: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The entries that count, with `spent` (Int64, milliseconds); time without a length counts as none."""
    counted = entries.filter(pl.col("billable").fill_null(value=True)) if policy.honour_billable_flag else entries
    return counted.with_columns(pl.col("worked").dt.total_milliseconds().fill_null(0).alias("spent"))


def _drained(before: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """account, used: what earlier hours took of the yearly prepaid ones: all of them, or what each month's own did not
    cover."""
    if policy.prepaid_drains == "gross":
        return before.group_by("account").agg(used=pl.col("spent").sum())
    months = before.group_by("account", "month").agg(pl.col("spent").sum(), pl.col("monthly").first())
    return months.group_by("account").agg(used=(pl.col("spent") - pl.col("monthly")).clip(0).sum())


def _year_start(period: Period, policy: Policy) -> pl.Expr:
    """Since when hours drain the yearly prepaid ones: the year's start, the contract's anniversary, or for ever."""
    if policy.prepaid_year == "all-history":
        return pl.lit(date.min)
    new_year = pl.lit(date(period.year, 1, 1))
    if policy.prepaid_year == "calendar":
        return new_year
    month = pl.col("contract_start").dt.month()
    year = pl.when(month <= period.month).then(period.year).otherwise(period.year - 1)
    return pl.coalesce(pl.date(year, month, 1), new_year)


def _milliseconds(name: str) -> pl.Expr:
    """Hours of two decimals, exactly."""
    return pl.col(name).to_physical() * (HOUR // 100)
