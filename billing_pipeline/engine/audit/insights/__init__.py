"""What stands out in a run of the audit: sentences by named rules, each with its formula and its figures.

What belongs here: which rules there are, and the table they give. A rule that cannot be judged says so. There are no
scores, and no share without its numerator and denominator. Source: spec 4 (requirement); decision 20.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.audit.insights.edits import after_hours, repeat_editor
from billing_pipeline.engine.audit.insights.open_work import ageing, concentration, large_impact, look_first
from billing_pipeline.engine.audit.insights.samples import quantity_outlier, rising_count
from billing_pipeline.engine.audit.insights.terms import Insight, Limits, Number
from billing_pipeline.engine.audit.tables import INFO
from billing_pipeline.engine.audit.views import open_findings
from billing_pipeline.engine.tables import Schema

__all__ = ["INSIGHTS", "Insight", "Limits", "insights"]

INSIGHTS: Schema = {  # what was looked for, and what came of it; a rule has one row or several
    "rule": pl.String,
    "state": pl.String,  # found, nothing found, insufficient data
    "sentence": pl.String,
    "formula": pl.String,  # with its thresholds
    "numbers": pl.String,  # JSON: threshold, numerator, denominator, percent and more; numbers only, amounts as texts
    "finding_keys": pl.List(pl.String),
}


def insights(
    findings: pl.DataFrame,
    events: pl.DataFrame,
    rows: pl.DataFrame,
    runs: pl.DataFrame,
    counts: pl.DataFrame,
    coverage: pl.DataFrame,
    now: datetime,
    zone: str,
    limits: Limits | None = None,
) -> pl.DataFrame:
    """INSIGHTS of a run, what to look at first in front.

    From its FINDINGS, the EVENTS so far, its snapshot (ROWS), the RUNS with their COUNTS (this run included) and its
    COVERAGE. `now`: the time of the run; `zone`: in which the working day is meant. Source: spec 4.
    """
    bounds = limits or Limits()
    still = open_findings(findings).filter(pl.col("severity") != INFO)
    told = [
        *look_first(still, now, bounds),
        *large_impact(still, bounds),
        *concentration(still, rows, coverage, bounds),
        *ageing(still, now, bounds),
        *rising_count(runs, counts, bounds),
        *repeat_editor(events, now, bounds),
        *after_hours(events, now, zone, bounds),
        *quantity_outlier(rows, still, bounds),
    ]
    columns = [
        (one.rule, one.state, one.sentence, one.formula, _json(one.numbers), list(one.finding_keys)) for one in told
    ]
    return pl.DataFrame(columns, schema=INSIGHTS, orient="row")


def _json(figures: Mapping[str, Number]) -> str:
    return json.dumps({name: str(value) if isinstance(value, Decimal) else value for name, value in figures.items()})
