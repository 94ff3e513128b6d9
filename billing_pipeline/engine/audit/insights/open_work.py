"""Insights from the findings that are open: what is large, what is in one place, what is old, what to look at first.

INFO findings are left out of all of them. Source: spec 4; decision 20.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.insights.terms import (
    FOUND,
    INSUFFICIENT,
    NOTHING,
    Insight,
    Limits,
    counted,
    field,
    numbers,
)
from billing_pipeline.engine.audit.snapshot import KEY, rows_of
from billing_pipeline.engine.audit.views import SEVERITIES
from billing_pipeline.engine.money import total

_PLACES = {"column": "column", "foreman": "foreman", "work_request": "work request", "sheet": "sheet"}


def large_impact(still: pl.DataFrame, limits: Limits) -> list[Insight]:
    """What the large findings are worth, of all that is at stake."""
    rule, bound = "large_impact", limits.large
    formula = f"dollars of open findings over {bound:,.2f} each / dollars of all open findings"
    large = still.filter(pl.col("dollars") > bound).sort("dollars", "finding_key", descending=[True, False])
    dollars, every = total(large["dollars"]), total(still["dollars"])
    unknown = still["dollars"].null_count()
    told = numbers(bound, dollars, every, findings=large.height, of_findings=still.height, not_valued=unknown)
    if not large.height:
        said = f"No open finding is worth more than {bound:,.2f} ({counted(still.height, 'open finding')})."
        return [Insight(rule, NOTHING, said, formula, told)]
    said = (
        f"{large.height:,} of {counted(still.height, 'open finding')} {'is' if large.height == 1 else 'are'} worth more"
        f" than {bound:,.2f} each: {dollars:,.2f} of {every:,.2f} at stake ({told['percent']}%)."
    )
    return [Insight(rule, FOUND, said, formula, told, tuple(large["finding_key"]))]


def concentration(still: pl.DataFrame, rows: pl.DataFrame, coverage: pl.DataFrame, limits: Limits) -> list[Insight]:
    """Whether most of the money at stake lies in one column, with one foreman, in one work request, in one sheet."""
    foremen = rows_of(rows, still).select(*KEY, "foreman")
    sheets = coverage.select("sheet_id", "sheet")
    placed = still.join(foremen, on=KEY, how="left").join(sheets, on="sheet_id", how="left")
    places = {
        "column": 2,  # several columns are always audited
        "foreman": rows["foreman"].drop_nulls().n_unique(),
        "work_request": rows["work_request"].drop_nulls().n_unique(),
        "sheet": coverage.height,
    }
    return [_concentrated(placed, name, places[name], limits) for name in _PLACES]


def ageing(still: pl.DataFrame, now: datetime, limits: Limits) -> list[Insight]:
    """What has been open for long."""
    rule, days = "ageing", limits.old.days
    formula = f"open findings first seen more than {days} days ago / all open findings"
    old = still.filter(pl.col("first_seen_at") < now - limits.old).sort("first_seen_at", "finding_key")
    oldest = _days(old["first_seen_at"][0], now) if old.height else None
    dollars = total(old["dollars"])
    told = numbers(days, old.height, still.height, dollars=dollars, oldest_days=oldest)
    if not old.height:
        said = f"No finding has been open for more than {days} days ({counted(still.height, 'open finding')})."
        return [Insight(rule, NOTHING, said, formula, told)]
    said = (
        f"{old.height:,} of {counted(still.height, 'open finding')} ({told['percent']}%) have been open for more than"
        f" {days} days, worth {dollars:,.2f}; the oldest for {oldest:,} days."
    )
    return [Insight(rule, FOUND, said, formula, told, tuple(old["finding_key"]))]


def look_first(still: pl.DataFrame, now: datetime, limits: Limits) -> list[Insight]:
    """The findings to look at first, and why."""
    rule = "look_first"
    formula = "open findings by severity, then dollars at stake, then how often reopened, then age"
    if not still.height:
        return [Insight(rule, NOTHING, "Nothing is open.", formula, numbers(None, 0, 0))]
    every = total(still["dollars"])
    ordered = still.sort(
        pl.col("severity").cast(pl.Enum(SEVERITIES)),
        "dollars",
        "reopen_count",
        "first_seen_at",
        "finding_key",
        descending=[False, True, True, False, False],
        nulls_last=True,
    )
    named = ordered.head(limits.first).to_dicts()
    return [_look_at(rule, formula, place, row, every, now) for place, row in enumerate(named, 1)]


def _concentrated(placed: pl.DataFrame, name: str, places: int, limits: Limits) -> Insight:
    rule, word, bound = f"concentration_by_{name}", _PLACES[name], limits.concentrated_percent
    formula = f"dollars of open findings of one {word} / dollars of all open findings > {bound}%"
    valued = placed.filter(pl.col("dollars") > 0)
    every = total(valued["dollars"])
    sums = (
        valued.filter(pl.col(name).fill_null("") != "")
        .group_by(name)
        .agg(pl.col("dollars").sum(), pl.col("finding_key").sort())
        .sort("dollars", name, descending=[True, False])
    )
    if valued.height < limits.least_findings or places < 2 or not sums.height:
        said = f"Insufficient data: {counted(valued.height, 'open finding')} with an amount, {counted(places, word)};"
        more = f" it takes {limits.least_findings} and 2."
        return Insight(rule, INSUFFICIENT, said + more, formula, numbers(bound, None, every, findings=valued.height))
    value, dollars, keys = sums.row(0)
    told = numbers(bound, dollars, every, findings=len(keys), of_findings=valued.height)
    what = field(value) if name == "column" else value
    said = (
        f"The {word} {what} has {dollars:,.2f} of {every:,.2f} at stake ({told['percent']}%), in {len(keys):,} of"
        f" {counted(valued.height, 'open finding')}."
    )
    found = dollars * 100 > bound * every
    return Insight(rule, FOUND if found else NOTHING, said, formula, told, tuple(keys))


def _look_at(rule: str, formula: str, place: int, row: dict[str, Any], every: Decimal, now: datetime) -> Insight:
    age, dollars, again = _days(row["first_seen_at"], now), row["dollars"], row["reopen_count"]
    request = f"work request {row['work_request']}" if row["work_request"] else "a row without work request"
    worth = "an unknown amount" if dollars is None else f"{dollars:,.2f}"
    reasons = [row["severity"], f"{worth} at stake", *[f"reopened {counted(again, 'time')}"] * bool(again)]
    reasons.append(f"open for {counted(age, 'day') if age else 'less than a day'}")
    said = f"{place}. {request}, {field(row['column'])}: {', '.join(reasons)}. {row['why']}"
    told = numbers(None, dollars, every, place=place, reopened=again, age_days=age)
    return Insight(rule, FOUND, said.strip(), formula, told, (row["finding_key"],))


def _days(since: datetime, now: datetime) -> int:
    return (now - since).days
