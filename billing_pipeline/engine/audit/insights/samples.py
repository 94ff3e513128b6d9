"""Insights from many rows or many runs: quantities far from the others of their unit code, a count that rises.

Source: spec 4, 9.2.
"""

from decimal import Decimal

import polars as pl

from billing_pipeline.engine.audit.insights.terms import (
    FOUND,
    INSUFFICIENT,
    NOTHING,
    Insight,
    Limits,
    counted,
    numbers,
)
from billing_pipeline.engine.audit.snapshot import KEY
from billing_pipeline.engine.audit.trends import comparable, series


def quantity_outlier(rows: pl.DataFrame, still: pl.DataFrame, limits: Limits) -> list[Insight]:
    """Completed rows whose quantity lies outside the fences of their unit code: Q1 - 1.5 IQR to Q3 + 1.5 IQR.

    Q1 and Q3 are values of the sample itself (Q1 the lower, Q3 the higher neighbour), so that all of it stays exact
    decimal. A unit code with fewer than `outlier_rows` rows, or whose middle half is one value, is not judged.
    """
    rule, least = "quantity_outlier", limits.outlier_rows
    formula = (
        f"completed rows with a quantity below Q1 - 1.5 IQR or above Q3 + 1.5 IQR of their unit code / rows judged;"
        f" unit codes of {least} rows or more with an IQR above 0"
    )
    judged = _fenced(rows, least)
    codes = judged["code"].n_unique()
    if not judged.height:
        said = f"Insufficient data: no unit code has {least} completed rows whose quantities differ."
        return [Insight(rule, INSUFFICIENT, said, formula, numbers(least, None, 0, unit_codes=0))]
    beyond = judged.filter(pl.col("beyond") > 0)
    outside = rows.select(KEY)[beyond["place"]].hstack(beyond).sort("beyond", *KEY, descending=[True, False, False])
    told = numbers(least, outside.height, judged.height, unit_codes=codes)
    among = f"{counted(judged.height, 'row')} of {counted(codes, 'unit code')}"
    if not outside.height:
        return [Insight(rule, NOTHING, f"No quantity lies outside the fences ({among}).", formula, told)]
    row = outside.row(0, named=True)
    margin = (row["q3"] - row["q1"]) * Decimal("1.5")
    said = (
        f"{outside.height:,} of {among} ({told['percent']}%) have a quantity outside the fences; the farthest is"
        f" {_plain(row['quantity'])} of {row['code']}, where {_plain(row['q1'] - margin)} to"
        f" {_plain(row['q3'] + margin)} is usual."
    )
    keys = still.join(outside, on=KEY, how="semi")["finding_key"].sort()
    return [Insight(rule, FOUND, said, formula, told, tuple(keys))]


def rising_count(runs: pl.DataFrame, counts: pl.DataFrame, limits: Limits) -> list[Insight]:
    """Whether more is open than some comparable runs ago."""
    rule, length, bound = "rising_count", limits.rising_runs, limits.rising_percent
    formula = (
        f"open findings of the latest / of the first of the last {length} comparable runs > {100 + bound}%;"
        " from 0 any count is rising"
    )
    alike = comparable(runs).tail(length)
    if alike.height < length:
        said = f"Insufficient data: {counted(alike.height, 'comparable run')}; it takes {length}."
        return [Insight(rule, INSUFFICIENT, said, formula, numbers(bound, None, None, runs=alike.height))]
    per_run = series(counts, alike).group_by("run_id").agg(pl.col("findings").sum())
    open_in = alike.join(per_run, on="run_id", how="left", maintain_order="left")["findings"].fill_null(0)
    first, last = open_in[0], open_in[-1]
    told = numbers(bound, last, first, runs=length)
    rising = last * 100 > first * (100 + bound)
    much = "" if told["percent"] is None else f" ({told['percent']}% of it)"
    said = f"The number of open findings went from {first:,} to {last:,}{much} over {length} comparable runs."
    return [Insight(rule, FOUND if rising else NOTHING, said, formula, told)]


def _fenced(rows: pl.DataFrame, least: int) -> pl.DataFrame:
    """The rows that can be judged by their `place`, with their fences and how far they are `beyond` one (above 0)."""
    code = pl.col("unit_code").str.strip_chars().str.to_uppercase()
    done = (
        rows.select("quantity", "completed", code=code)
        .with_row_index("place")
        .filter(pl.col("completed") & pl.col("quantity").is_not_null() & (pl.col("code") != ""))
    )
    ordered, count = pl.col("quantity").sort(), pl.len().cast(pl.Int64)
    fences = (
        done.group_by("code")
        .agg(
            count.alias("rows"),
            ordered.get((count - 1) // 4).alias("q1"),
            ordered.get((3 * count) // 4).alias("q3"),
        )
        .filter(pl.col("rows") >= least, pl.col("q3") > pl.col("q1"))
    )
    value, low, high = (pl.col(name).to_physical() for name in ("quantity", "q1", "q3"))  # whole ten-thousandths
    margin = 3 * (high - low)  # twice 1.5 IQR, so that it is whole
    beyond = pl.max_horizontal(2 * (value - high) - margin, 2 * (low - value) - margin)
    return done.join(fences, on="code").select("place", "quantity", "code", "q1", "q3", beyond=beyond)


def _plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():,f}"
