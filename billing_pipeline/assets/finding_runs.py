"""Behind every audit: its findings as people see them after a run, and the run kept with what it counted.

What belongs here: what the audit of the sheets and that of our own book share. What does not: what is found.
"""

from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.audit.views import FINDINGS, run_counts
from billing_pipeline.engine.findings import KNOWN, SUMMARY
from billing_pipeline.engine.tables import conform
from billing_pipeline.resources import findings


def shown_findings(state: pl.DataFrame, found: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """FINDINGS of a state (STATE): facts as found now (FOUND), of the others as they were stored (FOUND)."""
    rest = stored.join(found, on="finding_key", how="anti")
    facts = pl.concat([conform(found, FOUND), conform(rest, FOUND)])
    return conform(state.join(facts, on="finding_key"), FINDINGS)


def keep_run(
    connection: sa.Connection,
    capability: str,
    run: findings.Run,
    state: pl.DataFrame,
    found: pl.DataFrame,
    shown: pl.DataFrame,
    **more: Any,
) -> bool:
    """Keep a run with what it counted, once; `more` as findings.commit_run takes it, and its answer."""
    counts = run_counts(shown, run.run_id).rename({"standing": "status"}).with_columns(
        not_valued=pl.lit(0, pl.Int64)
    )  # fmt: skip
    kept = conform(counts, SUMMARY)
    return findings.commit_run(connection, capability, run, state.select(KNOWN.keys()), found, kept, **more)
