"""Declared shapes of what people see of the audit: findings with their life, coverage, past runs. Times are UTC.

What belongs here: these shapes, and what a finding is called in the run it is shown in. What does not: how findings
come about (`tables`, `findings`). Source: spec 9.1, 9.2, 9.4; Q4.
"""

import hashlib
from typing import Literal

import polars as pl

from billing_pipeline.engine.audit.tables import FOUND, UTC_TIME
from billing_pipeline.engine.findings import NEW, ONGOING, REOPENED, RESOLVED
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema

RunStatus = Literal["CLEAN", "FINDINGS", "NOT_VERIFIED"]
STANDINGS = (NEW, REOPENED, ONGOING, RESOLVED)
SEVERITIES = ("HIGH", "MEDIUM", "LOW", "INFO")

FINDINGS: Schema = {  # every known finding, open or resolved; key: finding_key
    **FOUND,  # as the last run found it that did
    "status": pl.String,  # of the last run that judged it
    "before": pl.String,  # status before this run; null: unknown until now
    "told": pl.Boolean,  # it became NEW, REOPENED or RESOLVED in this run
    "first_seen_run": pl.String,
    "first_seen_at": UTC_TIME,
    "last_seen_at": UTC_TIME,
    "resolved_at": UTC_TIME,
    "reopen_count": pl.Int64,
    "disposition": pl.String,
}
RUNS: Schema = {  # a run of the audit; key: run_id
    "run_id": pl.String,
    "at": UTC_TIME,
    "status": pl.String,  # CLEAN, FINDINGS, NOT_VERIFIED
    "comparable": pl.String,  # `comparable_key` of its coverage: runs of one key can be compared
}
COUNTS: Schema = {  # how many findings a run had; key: all but the last two
    "run_id": pl.String,
    "category": pl.String,
    "severity": pl.String,
    "standing": pl.String,  # one of STANDINGS
    "findings": pl.Int64,
    "dollars": AMOUNT,
}


def standing() -> pl.Expr:
    """What a finding of FINDINGS is in this run: NEW, REOPENED or RESOLVED by this run, else ONGOING while it is open.

    A finding whose row was not verified keeps its status, so its NEW may be of an earlier run: it is ONGOING here.
    """
    before = pl.when(pl.col("status") == RESOLVED).then(pl.lit(RESOLVED)).otherwise(pl.lit(ONGOING))
    return pl.when(pl.col("told")).then("status").otherwise(before).alias("standing")


def of_run(findings: pl.DataFrame) -> pl.DataFrame:
    """The findings of this run with their `standing`: those that are open, and those it resolved."""
    return findings.filter((pl.col("status") != RESOLVED) | pl.col("told")).with_columns(standing())


def open_findings(findings: pl.DataFrame) -> pl.DataFrame:
    """The findings that are open."""
    return findings.filter(pl.col("status") != RESOLVED)


def run_counts(findings: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """COUNTS of a run, from its FINDINGS: what is kept of it for trends."""
    return (
        of_run(findings)
        .group_by("category", "severity", "standing")
        .agg(pl.len().cast(pl.Int64).alias("findings"), pl.col("dollars").sum().cast(AMOUNT))
        .select(pl.lit(run_id).alias("run_id"), "category", "severity", "standing", "findings", "dollars")
        .sort("category", "severity", "standing")
    )


def comparable_key(coverage: pl.DataFrame) -> str:
    """Says which runs can be compared: the same for runs that saw the same sheets, each as completely.

    A sheet that could not be read, or of which cells were not verified, makes another key; its number of rows does not.
    """
    whole = (pl.col("not_verified") == 0) & (pl.col("error") == "")
    seen = coverage.select(pl.format("{}|{}", "sheet_id", whole).sort())
    return hashlib.sha256("\n".join(seen.to_series()).encode()).hexdigest()[:20]
