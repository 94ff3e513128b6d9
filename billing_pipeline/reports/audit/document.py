"""The audit's result as a document for programs, and its figures without anybody in them. Amounts are texts.

Source: names.md (`audit run`); spec 3.5: what leaves the house for a narrative names nobody.
"""

import json
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.tables import KINDS
from billing_pipeline.engine.money import total
from billing_pipeline.engine.pricing.figures import quantity_text
from billing_pipeline.reports.audit.facts import AuditReport

_TEXTS = {
    "key": "finding_key", "category": "category", "rule": "rule", "severity": "severity", "sheet_id": "sheet_id",
    "row_id": "row_id", "work_request": "work_request", "column": "column", "locked": "old", "current": "new",
    "why": "why", "evidence": "evidence", "link": "permalink", "disposition": "disposition",
}  # fmt: skip


def audit_document(report: AuditReport) -> dict[str, Any]:
    """`audit_summary.json`: {run_id, at, status, risk, coverage, changes, new, ongoing, resolved, reopened, dollars,
    findings}.

    `changes`: since the run before, counted by kind. `dollars`: at stake in all open findings. `findings`: those open
    or resolved in this run, the most serious first.
    """
    shown = report.shown
    standings = shown["standing"]
    return {
        "run_id": report.run_id,
        "at": report.at.isoformat(),
        "status": report.status,
        "risk": report.risk,
        "coverage": _coverage(report.coverage),
        "changes": {kind.replace(" ", "_"): int((report.changes["kind"] == kind).sum()) for kind in KINDS},
        **{name.lower(): int((standings == name).sum()) for name in ("NEW", "ONGOING", "RESOLVED", "REOPENED")},
        "dollars": str(total(shown.filter(pl.col("standing") != "RESOLVED")["dollars"])),
        "findings": _findings(shown),
    }


def audit_figures(report: AuditReport) -> dict[str, dict[str, int | Decimal | None]]:
    """The figures of a run by our own names for them: numbers only, nothing that a person or a system wrote.

    For a narrative: counts and dollars by standing, severity and category, the trend of the week, the insights.
    """
    shown = report.shown
    still = shown.filter(pl.col("standing") != "RESOLVED")
    figures: dict[str, dict[str, int | Decimal | None]] = {
        "run": {
            **{name.lower(): shown.filter(pl.col("standing") == name).height for name in _STANDINGS},
            "open": still.height,
            "dollars_at_stake": total(still["dollars"]),
        },
        "coverage": {name: int(report.coverage[name].sum()) for name in ("rows", "cells", "not_verified")},
    }
    for kind in ("severity", "category"):
        counted = still.group_by(kind).agg(pl.len(), pl.col("dollars").sum()).sort(kind)
        for name, count, dollars in counted.iter_rows():
            figures[f"{kind}_{name.lower()}"] = {"findings": count, "dollars": dollars}
    for name, *values in report.trends.weeks.head(1).select("severity", *_WEEK).iter_rows():
        figures[f"week_{name.lower()}"] = dict(zip(_WEEK, values, strict=True))
    for place, (rule, text) in enumerate(report.insights.select("rule", "numbers").iter_rows(), 1):
        figures[f"insight_{place}_{rule}"] = {name: _number(value) for name, value in json.loads(text).items()}
    return figures


_STANDINGS = ("NEW", "ONGOING", "RESOLVED", "REOPENED")
_WEEK = ("findings", "findings_before", "percent", "dollars", "dollars_before", "dollars_percent")


def _coverage(coverage: pl.DataFrame) -> dict[str, Any]:
    troubled = coverage.filter((pl.col("error") != "") | (pl.col("not_verified") > 0))
    return {
        "sheets": coverage.height,
        **{name: int(coverage[name].sum()) for name in ("rows", "cells", "not_verified")},
        "problems": troubled.select("sheet_id", "sheet", "not_verified", "error").to_dicts(),
    }


def _findings(shown: pl.DataFrame) -> list[dict[str, str | None]]:
    """All as texts made a column at a time: there may be a hundred thousand."""
    return shown.select(
        pl.col("standing").alias("status"),
        *(pl.col(column).fill_null("").alias(name) for name, column in _TEXTS.items()),
        pl.col("week_ending").dt.to_string("iso"),
        pl.col("dollars").cast(pl.String),
        quantity_text(pl.col("delta")),
        pl.col("by").fill_null(""),
        _moment("at").alias("edited_at"),
        _moment("first_seen_at"),
    ).to_dicts()


def _moment(column: str) -> pl.Expr:
    """A time in ISO format, fractions of a second where there are any."""
    return pl.col(column).dt.to_string("iso:strict").str.replace(".000000", "", literal=True)


def _number(value: int | str | None) -> int | Decimal | None:
    return Decimal(value) if isinstance(value, str) else value
