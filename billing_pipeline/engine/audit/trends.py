"""How findings develop: over the last comparable runs, this week against the week before, until they are resolved.

What belongs here: figures of runs that saw the same (`comparable`). What does not: sentences about them (`insights`),
charts (reports). Source: spec 9.2 (trend), 9.5; Q35.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from billing_pipeline.engine.audit.views import SEVERITIES, STANDINGS
from billing_pipeline.engine.findings import NEW, REOPENED, RESOLVED
from billing_pipeline.engine.money import AMOUNT, percent
from billing_pipeline.engine.tables import Schema

WEEK = timedelta(days=7)
ALL = "ALL"  # in place of a category and a severity: all of them
WORSENING, IMPROVING, STABLE, UNKNOWN = "worsening", "improving", "stable", "insufficient data"
_KIND = ("category", "severity")

SERIES: Schema = {  # open findings per run; key: run_id, category, severity
    "run_id": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "category": pl.String,
    "severity": pl.String,
    "findings": pl.Int64,
    "dollars": AMOUNT,
}
WEEKS: Schema = {  # found or found again in the last 7 days and in the 7 before; key: category, severity
    "category": pl.String,
    "severity": pl.String,
    "findings": pl.Int64,
    "findings_before": pl.Int64,
    "percent": AMOUNT,  # of findings; null: the base is 0, or there is none
    "dollars": AMOUNT,
    "dollars_before": AMOUNT,
    "dollars_percent": AMOUNT,
    "direction": pl.String,
    "resolved": pl.Int64,  # findings that the median is of
    "median_to_resolve": pl.Duration("us"),  # null: none was resolved
}


@dataclass(frozen=True, slots=True)
class Trends:
    """runs: the comparable ones shown, oldest first. runs_now, runs_before: comparable runs of the last 7 days and of
    the 7 before. series: SERIES. weeks: WEEKS, the row ALL first. by_standing: per run a column per standing, counts.
    by_severity: per run a column per severity, dollars of open findings. editors, columns: name, edits, most first.
    """

    runs: pl.DataFrame
    runs_now: int
    runs_before: int
    series: pl.DataFrame
    weeks: pl.DataFrame
    by_standing: pl.DataFrame
    by_severity: pl.DataFrame
    editors: pl.DataFrame
    columns: pl.DataFrame


def trends(
    runs: pl.DataFrame,
    counts: pl.DataFrame,
    findings: pl.DataFrame,
    events: pl.DataFrame,
    now: datetime,
    *,
    last: int = 12,
    window: timedelta = timedelta(days=30),
    top: int = 10,
) -> Trends:
    """The figures of RUNS with their COUNTS, this run included, of its FINDINGS, and of the EVENTS of `window`.

    Compared are runs with the coverage of the latest one only. Source: spec 9.2.
    """
    alike = comparable(runs)
    shown = alike.tail(last)
    placed = counts.join(alike.select("run_id", "at"), on="run_id")
    edits = events.filter((pl.col("at") > now - window) & (pl.col("at") <= now))
    return Trends(
        runs=shown,
        runs_now=alike.filter(_within(now)).height,
        runs_before=alike.filter(_within(now - WEEK)).height,
        series=series(counts, shown),
        weeks=_weeks(placed, alike, findings, now),
        by_standing=_wide(counts, shown, "standing", STANDINGS, "findings"),
        by_severity=_wide(counts.filter(pl.col("standing") != RESOLVED), shown, "severity", SEVERITIES, "dollars"),
        editors=_top(edits, pl.col("by").str.to_lowercase(), top),
        columns=_top(edits, pl.col("column"), top),
    )


def comparable(runs: pl.DataFrame) -> pl.DataFrame:
    """The RUNS with the coverage of the latest one, oldest first."""
    ordered = runs.sort("at", "run_id")
    return ordered.filter(pl.col("comparable") == pl.col("comparable").last())


def series(counts: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """SERIES of the runs: a row for every kind of finding in each, also where there is none."""
    still = counts.filter(pl.col("standing") != RESOLVED).join(runs.select("run_id"), on="run_id", how="semi")
    found = still.group_by("run_id", *_KIND).agg(pl.col("findings", "dollars").sum())
    return (
        runs.select("run_id", "at")
        .join(still.select(_KIND).unique(), how="cross")
        .join(found, on=["run_id", *_KIND], how="left")
        .with_columns(pl.col("findings", "dollars").fill_null(0))
        .cast(pl.Schema(SERIES))
        .sort("at", "run_id", *_KIND)
    )


def _weeks(placed: pl.DataFrame, runs: pl.DataFrame, findings: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """WEEKS: what the comparable runs found or found again, and how long it took until findings were resolved."""
    found = placed.filter(pl.col("standing").is_in([NEW, REOPENED]))
    settled = findings.filter(pl.col("resolved_at") > pl.col("first_seen_at"))
    everything = [pl.lit(ALL).alias(name) for name in _KIND]
    kinds = pl.concat([placed.select(_KIND), settled.select(_KIND)]).unique().sort(_KIND)
    kinds = pl.concat([pl.select(*everything), kinds])
    past = runs.filter(_within(now - WEEK)).height > 0
    table = kinds
    for when, suffix in ((now, ""), (now - WEEK, "_before")):
        inside = found.filter(_within(when))
        both = pl.concat([inside, inside.with_columns(everything)])
        sums = both.group_by(_KIND).agg(pl.col("findings", "dollars").sum().name.suffix(suffix))
        table = table.join(sums, on=_KIND, how="left", maintain_order="left")
    taken = pl.concat([settled, settled.with_columns(everything)]).group_by(_KIND)
    took = taken.agg(
        pl.len().cast(pl.Int64).alias("resolved"),
        (pl.col("resolved_at") - pl.col("first_seen_at")).median().alias("median_to_resolve"),
    )
    return (
        table.join(took, on=_KIND, how="left", maintain_order="left")
        .with_columns(pl.col("findings", "findings_before", "dollars", "dollars_before", "resolved").fill_null(0))
        .with_columns(
            _change("findings", past).alias("percent"),
            _change("dollars", past).alias("dollars_percent"),
            _direction(past).alias("direction"),
        )
        .select(WEEKS.keys())
        .cast(pl.Schema(WEEKS))
    )


def _within(end: datetime) -> pl.Expr:
    """In the 7 days that end with `end`."""
    return (pl.col("at") > end - WEEK) & (pl.col("at") <= end)


def _change(name: str, past: bool) -> pl.Expr:
    """By how many per cent a figure changed; null where the base is 0, and without a run to compare with."""
    now, before = pl.col(name).cast(AMOUNT), pl.col(f"{name}_before").cast(AMOUNT)
    return percent(now - before, before) if past else pl.lit(None, AMOUNT)


def _direction(past: bool) -> pl.Expr:
    """By the number of findings, and where that is the same by their dollars."""
    if not past:
        return pl.lit(UNKNOWN)
    more, dearer = (pl.col(name) - pl.col(f"{name}_before") for name in ("findings", "dollars"))
    return (
        pl.when((more > 0) | ((more == 0) & (dearer > 0)))
        .then(pl.lit(WORSENING))
        .when((more < 0) | (dearer < 0))
        .then(pl.lit(IMPROVING))
        .otherwise(pl.lit(STABLE))
    )


def _wide(counts: pl.DataFrame, runs: pl.DataFrame, by: str, names: tuple[str, ...], value: str) -> pl.DataFrame:
    """Per run a column for each of `names`, in their order; 0 where there is none."""
    sums = [pl.col(value).filter(pl.col(by) == name).sum().alias(name) for name in names]
    per_run = counts.group_by("run_id").agg(sums)
    return (
        runs.select("run_id", "at")
        .join(per_run, on="run_id", how="left", maintain_order="left")
        .with_columns(pl.col(names).fill_null(0))
    )


def _top(events: pl.DataFrame, name: pl.Expr, top: int) -> pl.DataFrame:
    """The names with the most edits; those without a name are left out."""
    counted = events.group_by(name.alias("name")).agg(pl.len().cast(pl.Int64).alias("edits"))
    return counted.filter(pl.col("name") != "").sort("edits", "name", descending=[True, False]).head(top)
