"""How serious the open findings are together: one word with the rule that gives it. Source: Q34; decision 20."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from billing_pipeline.engine.audit.tables import HIGH, INFO, MEDIUM
from billing_pipeline.engine.audit.views import open_findings
from billing_pipeline.engine.money import total

Level = Literal["HIGH", "MEDIUM", "LOW"]


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Dollars at stake in all open findings together, above which many small ones weigh as much as a large one."""

    high: Decimal = Decimal(5000)
    medium: Decimal = Decimal(1000)


def risk_level(findings: pl.DataFrame, limits: RiskLimits) -> Level:
    """The level of FINDINGS: HIGH with an open HIGH finding or more than `limits.high` at stake in all; MEDIUM with an
    open MEDIUM one or more than `limits.medium`; else LOW. INFO findings do not count. Source: Q34.
    """
    judged = open_findings(findings).filter(pl.col("severity") != INFO)
    dollars = total(judged["dollars"])
    severities = set(judged["severity"].unique())
    if HIGH in severities or dollars > limits.high:
        return "HIGH"
    if MEDIUM in severities or dollars > limits.medium:
        return "MEDIUM"
    return "LOW"


def risk_rule(limits: RiskLimits) -> str:
    """The rule of `risk_level` in words."""
    return (
        f"HIGH: an open HIGH finding, or more than {limits.high:,.2f} at stake in all open findings. MEDIUM: an open"
        f" MEDIUM finding, or more than {limits.medium:,.2f}. Otherwise LOW. INFO findings do not count."
    )
