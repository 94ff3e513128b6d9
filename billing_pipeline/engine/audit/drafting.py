"""What every rule leaves: rows of DRAFT, and how they become findings: a key, a severity, what their events tell.

What belongs here: what is the same for all rules. Source: spec 9.1 of the billing audit.
"""

from datetime import datetime

import polars as pl

from billing_pipeline.engine.audit.keys import with_finding_keys
from billing_pipeline.engine.audit.severity import higher, is_after_hours, of_dollars, one_step_up, repeat_editors
from billing_pipeline.engine.audit.snapshot import KEY, rows_of
from billing_pipeline.engine.audit.tables import DRAFT, FOUND, VALUE
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.tables import conform

_NONE = pl.lit(None)


def draft(
    rows: pl.DataFrame,
    category: str | pl.Expr,
    rule: str | pl.Expr,
    *,
    why: pl.Expr,
    column: str | pl.Expr = "",
    old: pl.Expr = _NONE,
    new: pl.Expr = _NONE,
    delta: pl.Expr = _NONE,
    dollars: pl.Expr = _NONE,
    discriminator: pl.Expr = _NONE,
    least: pl.Expr = _NONE,
    evidence: pl.Expr | str = VALUE,
) -> pl.DataFrame:
    """DRAFT of rows found (sheet_id, row_id, work_request, week_ending, modified_by, permalink)."""
    told = {
        "category": category,
        "rule": rule,
        "column": column,
        "old": old,
        "new": new,
        "delta": delta,
        "dollars": dollars,
        "evidence": evidence,
        "why": why,
        "discriminator": discriminator.fill_null(""),
        "least": least,
    }
    values = {name: pl.lit(value) if isinstance(value, str) else value for name, value in told.items()}
    first = pl.col("first_week_ending") if "first_week_ending" in rows.columns else _NONE
    typed = {**values, "first_week_ending": first, "by": pl.col("modified_by").fill_null("")}
    facts = ("sheet_id", "row_id", "work_request", "week_ending", "permalink")
    return conform(rows.select(*facts, *(typed[name].cast(DRAFT[name]).alias(name) for name in typed)), DRAFT)


def finished(
    drafts: pl.DataFrame,
    events: pl.DataFrame,
    locked: pl.DataFrame,
    thresholds: Thresholds,
    now_at: datetime,
    zone: str,
) -> pl.DataFrame:
    """FOUND of drafts, by category, sheet, row and column. events: EVENTS, all that are known. locked: LOCKED."""
    keyed = with_finding_keys(drafts)
    known = events.unique("event_key").sort("at", "event_key")
    told = known.group_by("finding_key", maintain_order=True).agg(
        events=pl.len().cast(pl.Int64), last_by=pl.col("by").last(), at=pl.col("at").last()
    )
    billed = rows_of(locked, drafts).filter(pl.col("locked_price").is_not_null())
    repeated = pl.col("last_by").is_in(repeat_editors(known, thresholds, now_at).implode())
    joined = keyed.join(told, on="finding_key", how="left").join(
        billed.select(*KEY, first="first_week_ending"), on=KEY, how="left"
    )
    fixed = pl.col("category").replace_strict(thresholds.fixed, default=None, return_dtype=pl.String)
    by_dollars = pl.coalesce(fixed, of_dollars(pl.col("dollars"), thresholds))
    raised = repeated | is_after_hours(pl.col("at"), thresholds, zone)
    return conform(
        joined.with_columns(
            severity=one_step_up(higher(by_dollars, pl.col("least")), raised),
            first_week_ending=pl.coalesce("first_week_ending", "first"),
            events=pl.col("events").fill_null(0),
            by=pl.coalesce("last_by", "by"),
        ),
        FOUND,
    ).sort("category", *KEY, "column", "finding_key")
