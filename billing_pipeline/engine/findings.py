"""The life of a finding: a condition with a key that is true or not in each run; told once, until it is resolved.

Used by the billing audit and by unbilled hours. What belongs here: which status a finding has after a run, what a
reviewer's disposition does to it, and what of it is told. What does not: rules that find something, and the database.
Source: spec 9.1 of the billing audit; U6, U7 of unbilled hours.
"""

from datetime import UTC, datetime

import polars as pl

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema, conform

UTC_TIME = pl.Datetime("us", "UTC")
NEW, ONGOING, RESOLVED, REOPENED = "NEW", "ONGOING", "RESOLVED", "REOPENED"
CLEAN, FINDINGS, NOT_VERIFIED = "CLEAN", "FINDINGS", "NOT_VERIFIED"
"""What a run says as a whole (Q4)."""
CLOSING = ("accepted", "approved", "closed", "corrected", "false positive", "waived")
"""Dispositions that close a finding, in any letter case, alone or before a remark: `Accepted: change order 12`."""
KNOWN: Schema = {  # a finding as it is remembered; key: finding_key
    "finding_key": pl.String,
    "status": pl.String,  # NEW, ONGOING, RESOLVED, REOPENED: of the last run that judged it
    "first_seen_run": pl.String,
    "first_seen_at": UTC_TIME,
    "last_seen_run": pl.String,
    "last_seen_at": UTC_TIME,
    "resolved_at": UTC_TIME,
    "reopen_count": pl.Int64,
    "last_event_at": UTC_TIME,  # the newest event of it that was seen; null: none
    "disposition": pl.String,  # a reviewer's; null: none. One that closes it is told by its text
    "disposed_at": UTC_TIME,  # when the disposition was last changed
}
STATE: Schema = {  # findings after a run
    **KNOWN,
    "before": pl.String,  # status before the run; null: the finding was not known
    "told": pl.Boolean,  # it became NEW, RESOLVED or REOPENED in this run
}
DISPOSITIONS: Schema = {  # what reviewers say; key: finding_key
    "finding_key": pl.String,
    "disposition": pl.String,  # null or blank: it was taken back
    "disposed_at": UTC_TIME,
}
SUMMARY: Schema = {  # findings counted; key: category, severity, status
    "category": pl.String,
    "severity": pl.String,
    "status": pl.String,
    "findings": pl.Int64,
    "dollars": AMOUNT,  # of those whose dollars are known
    "not_valued": pl.Int64,  # findings whose dollars are not known
}


def next_state(known: pl.DataFrame, found: pl.DataFrame, verified: pl.Series, run: str, at: datetime) -> pl.DataFrame:
    """Every finding (STATE, by key) after a run: `known` before it (KNOWN), `found` true in it, `verified` judged.

    `found` has finding_key and may have `born_resolved` (true of what was over when it was seen) and `last_event_at`
    (UTC); other columns are left out. What is neither found nor in `verified` (keys) keeps its status. A finding that a
    disposition closed reopens by an event that was not seen before. The same run again changes and tells nothing.
    BillingError: a key twice. Source: spec 9.1; Q12, Q17.
    """
    judged = verified.cast(pl.String).alias("finding_key").drop_nulls().unique().to_frame()
    both = (
        _once(conform(known, KNOWN))
        .join(_true(found), on="finding_key", how="full", coalesce=True)
        .join(judged.with_columns(verified=pl.lit(value=True)), on="finding_key", how="left")
        .with_columns(pl.col("found", "born", "verified").fill_null(value=False), pl.col("status").alias("before"))
        .with_columns(_moved().alias("moved"))
    )
    return _after(both, run, at.astimezone(UTC), _seen_by(run)).select(STATE.keys()).sort("finding_key")


def disposed(known: pl.DataFrame, read: pl.DataFrame) -> pl.DataFrame:
    """The findings (KNOWN) with what reviewers say of them (DISPOSITIONS), which counts when it is new and later.

    A closing one resolves a finding at its own time; one that was taken back leaves the next run to judge. The same
    text again changes nothing, so what reopened stays open until the text changes. Source: spec 9.1.
    """
    text = pl.col("disposition").str.strip_chars()
    said = _once(conform(read, DISPOSITIONS)).select(
        "finding_key",
        pl.when(text != "").then(text).alias("said"),
        pl.col("disposed_at").alias("said_at"),
    )
    later = pl.col("disposed_at").is_null() | (pl.col("said_at") > pl.col("disposed_at"))
    fresh = pl.col("said_at").is_not_null() & pl.col("said").ne_missing(pl.col("disposition")) & later
    closing = fresh & _closes(pl.col("said")) & (pl.col("status") != RESOLVED)
    return (
        conform(known, KNOWN)
        .join(said, on="finding_key", how="left", maintain_order="left")
        .with_columns(
            pl.when(closing).then(pl.lit(RESOLVED)).otherwise("status").alias("status"),
            pl.when(closing).then("said_at").otherwise("resolved_at").alias("resolved_at"),
            pl.when(fresh).then("said").otherwise("disposition").alias("disposition"),
            pl.when(fresh).then("said_at").otherwise("disposed_at").alias("disposed_at"),
        )
        .select(KNOWN.keys())
    )


def changes_told(state: pl.DataFrame) -> pl.DataFrame:
    """What a notice is about (STATE and further columns): NEW, then REOPENED, then RESOLVED ones, by key."""
    order = pl.col("status").replace_strict({NEW: 0, REOPENED: 1, RESOLVED: 2}, default=3, return_dtype=pl.Int8)
    return state.filter("told").sort(order, "finding_key")


def summary(findings: pl.DataFrame) -> pl.DataFrame:
    """Findings and dollars (SUMMARY, by key) of category, severity, status and dollars (AMOUNT, null: not known)."""
    counted = findings.group_by("category", "severity", "status").agg(
        pl.len().cast(pl.Int64).alias("findings"),
        pl.col("dollars").sum().cast(AMOUNT),
        pl.col("dollars").null_count().cast(pl.Int64).alias("not_valued"),
    )
    return conform(counted.sort("category", "severity", "status"), SUMMARY)


def _once(frame: pl.DataFrame) -> pl.DataFrame:
    twice = frame.filter(pl.col("finding_key").is_duplicated() | pl.col("finding_key").is_null())
    if not twice.is_empty():
        raise BillingError(f"a finding has no key, or stands there twice: {twice['finding_key'].to_list()[0]}")
    return frame


def _true(found: pl.DataFrame) -> pl.DataFrame:
    """What is true in the run: finding_key, found, born, event_at."""
    born = pl.col("born_resolved") if "born_resolved" in found.columns else pl.lit(value=False)
    event_at = pl.col("last_event_at") if "last_event_at" in found.columns else pl.lit(None)
    return _once(found).select(
        "finding_key",
        pl.lit(value=True).alias("found"),
        born.alias("born"),
        event_at.cast(UTC_TIME).alias("event_at"),
    )


def _seen_by(run: str) -> pl.Expr:
    return pl.col("last_seen_run").eq_missing(pl.lit(run))


def _moved() -> pl.Expr:
    """The status that a run gives, by the truth of the run; null where it gives none."""
    resolved = pl.col("before") == RESOLVED
    seen = pl.coalesce("last_event_at", "disposed_at", "resolved_at")
    further = (pl.col("event_at") > seen).fill_null(value=False)
    closed = (_closes(pl.col("disposition")) & (pl.col("disposed_at") >= pl.col("resolved_at"))).fill_null(value=False)
    over = pl.when("born").then(pl.lit(RESOLVED))
    return (
        pl.when(pl.col("found") & pl.col("before").is_null())
        .then(over.otherwise(pl.lit(NEW)))
        .when(pl.col("found") & ~resolved)
        .then(over.otherwise(pl.lit(ONGOING)))
        .when(pl.col("found") & (pl.col("born") | closed) & ~further)
        .then(pl.lit(None, pl.String))
        .when("found")
        .then(over.otherwise(pl.lit(REOPENED)))
        .when(pl.col("verified") & ~resolved)
        .then(pl.lit(RESOLVED))
    )


def _after(both: pl.DataFrame, run: str, at: datetime, seen_by_run: pl.Expr) -> pl.DataFrame:
    """The columns of STATE, from `moved`; a finding that this run has seen before keeps all of them."""
    now = pl.lit(at).cast(UTC_TIME)
    seen = pl.col("found") & ~seen_by_run
    moved = pl.when(~(pl.col("found") & seen_by_run)).then("moved")
    unknown = pl.col("before").is_null()
    again = ~unknown & ((moved == REOPENED) | ((moved == RESOLVED) & (pl.col("before") == RESOLVED)))
    still = pl.when(moved.is_null()).then("resolved_at")
    return both.with_columns(
        pl.coalesce(moved, "before").alias("status"),
        pl.when(unknown).then(pl.lit(run)).otherwise("first_seen_run").alias("first_seen_run"),
        pl.when(unknown).then(now).otherwise("first_seen_at").alias("first_seen_at"),
        pl.when(seen).then(pl.lit(run)).otherwise("last_seen_run").alias("last_seen_run"),
        pl.when(seen).then(now).otherwise("last_seen_at").alias("last_seen_at"),
        pl.when(moved == RESOLVED).then(now).otherwise(still).alias("resolved_at"),
        pl.col("reopen_count").fill_null(0) + again.fill_null(value=False).cast(pl.Int64),
        pl.max_horizontal("last_event_at", "event_at").alias("last_event_at"),
        moved.is_in([NEW, REOPENED, RESOLVED]).fill_null(value=False).alias("told"),
    )


def _closes(disposition: pl.Expr) -> pl.Expr:
    """Whether the text closes a finding: one of CLOSING, alone or before a punctuation mark."""
    said = disposition.str.strip_chars().str.to_lowercase()
    return said.str.contains(rf"^({'|'.join(CLOSING)})[ \t]*($|[\n:;,.(\-–—])").fill_null(value=False)
