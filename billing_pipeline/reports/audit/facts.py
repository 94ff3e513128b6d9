"""What the report of the audit is made of. Times are UTC, shown in the zone that is given where people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from billing_pipeline.engine.audit.risk import Level
from billing_pipeline.engine.audit.trends import Trends
from billing_pipeline.engine.audit.views import SEVERITIES, STANDINGS, RunStatus, of_run
from billing_pipeline.engine.findings import RESOLVED


@dataclass(frozen=True, slots=True)
class Rule:
    """A threshold in force: of which rule, its name, its value."""

    rule: str
    threshold: str
    value: int | Decimal | str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """A run of the audit.

    findings: FINDINGS. coverage: COVERAGE. changes: CHANGES since the run before. trends: with this run. insights:
    INSIGHTS. rules: the thresholds in force. risk, risk_rule: the level and how it comes about. narrative: a text
    written from the figures, "" for none.
    """

    run_id: str
    at: datetime
    zone: str
    status: RunStatus
    risk: Level
    risk_rule: str
    findings: pl.DataFrame
    coverage: pl.DataFrame
    changes: pl.DataFrame
    trends: Trends
    insights: pl.DataFrame
    rules: Sequence[Rule] = ()
    narrative: str = ""

    @property
    def shown(self) -> pl.DataFrame:
        """The findings of this run with their `standing`, the most serious first."""
        return of_run(self.findings).sort(
            pl.col("standing") == RESOLVED,
            pl.col("severity").cast(pl.Enum(SEVERITIES)),
            "dollars",
            pl.col("standing").cast(pl.Enum(STANDINGS)),
            "finding_key",
            descending=[False, False, True, False, False],
            nulls_last=True,
        )

    @property
    def local(self) -> str:
        """When it was, as people read it: `2026-01-09 10:00 CST`."""
        return f"{self.at.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M %Z}"


def category_words() -> pl.Expr:
    """The category of a finding as people read it."""
    return pl.col("category").str.replace_all("_", " ").str.to_titlecase()


def thresholds(rule: str, terms: Any) -> list[Rule]:
    """The fields of a dataclass of thresholds as rows: names as words, times in days or hours, amounts as numbers."""
    return [Rule(rule, one.name.replace("_", " "), _value(getattr(terms, one.name))) for one in fields(terms)]


def _value(value: object) -> int | Decimal | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return value
    if isinstance(value, timedelta):
        whole = value % timedelta(days=1) == timedelta(0)
        return f"{value.days} days" if whole else f"{value / timedelta(hours=1):g} hours"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in sorted(value.items()))
    if isinstance(value, (tuple, list, set, frozenset)):
        return ", ".join(sorted(map(str, value)))
    return "none" if value is None else str(value)
