"""Insights from who edited locked cells, and when. Source: spec 4."""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.insights.terms import (
    FOUND,
    INSUFFICIENT,
    NOTHING,
    Insight,
    Limits,
    State,
    counted,
    numbers,
)


def repeat_editor(events: pl.DataFrame, now: datetime, limits: Limits) -> list[Insight]:
    """Who changed locked cells again and again: edits of one person, of all edits whose editor is known."""
    rule, days = "repeat_editor", limits.window.days
    formula = f"edits of locked cells by one person in {days} days >= {limits.repeat_edits}; share = edits / all edits"
    edits = _recent(events, now, limits)
    named = edits.filter(pl.col("by") != "")
    told = numbers(limits.repeat_edits, 0, named.height, unnamed=edits.height - named.height)
    if edits.height and not named.height:
        said = f"Insufficient data: none of {counted(edits.height, 'edit')} names its editor."
        return [Insight(rule, INSUFFICIENT, said, formula, told)]
    again = (
        named.group_by(pl.col("by").str.to_lowercase())
        .agg(pl.len().alias("edits"), pl.col("finding_key").unique().sort())
        .filter(pl.col("edits") >= limits.repeat_edits)
        .sort("edits", "by", descending=[True, False])
    )
    if not again.height:
        said = f"Nobody changed locked cells {limits.repeat_edits} times or more in the last {days} days"
        return [Insight(rule, NOTHING, f"{said} ({counted(named.height, 'edit')} in all).", formula, told)]
    return [
        _repeated(rule, formula, row, named.height, edits.height, limits) for row in again.head(limits.first).rows()
    ]


def after_hours(events: pl.DataFrame, now: datetime, zone: str, limits: Limits) -> list[Insight]:
    """How many edits of locked cells were made before or after the working day in `zone`."""
    rule, bound = "after_hours_edits", limits.after_hours_percent
    hours = f"{limits.day_ends:02}:00 to {limits.day_begins:02}:00 in {zone}"
    formula = f"edits of locked cells from {hours} / all of {limits.window.days} days > {bound}%"
    edits = _recent(events, now, limits)
    hour = pl.col("at").dt.convert_time_zone(zone).dt.hour()
    late = edits.filter((hour < limits.day_begins) | (hour >= limits.day_ends))
    told = numbers(bound, late.height, edits.height)
    if edits.height < limits.least_edits:
        said = f"Insufficient data: {counted(edits.height, 'edit')}; a share takes {limits.least_edits}."
        return [Insight(rule, INSUFFICIENT, said, formula, told)]
    said = (
        f"{late.height:,} of {counted(edits.height, 'edit')} of locked cells ({told['percent']}%) were made after"
        f" hours, {hours}."
    )
    state: State = FOUND if late.height * 100 > bound * edits.height else NOTHING
    return [Insight(rule, state, said, formula, told, tuple(late["finding_key"].unique().sort()))]


def _recent(events: pl.DataFrame, now: datetime, limits: Limits) -> pl.DataFrame:
    return events.filter((pl.col("at") > now - limits.window) & (pl.col("at") <= now))


def _repeated(
    rule: str, formula: str, row: tuple[str, int, list[str]], named: int, every: int, limits: Limits
) -> Insight:
    by, edits, keys = row
    told = numbers(limits.repeat_edits, edits, named, unnamed=every - named, findings=len(keys))
    said = (
        f"{by} made {edits:,} of {counted(named, 'edit')} of locked cells ({told['percent']}%) in the last"
        f" {limits.window.days} days; they concern {counted(len(keys), 'finding')}."
    )
    return Insight(rule, FOUND, said, formula, told, tuple(keys))
