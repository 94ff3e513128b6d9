"""Accruals: what a month will come to, the journal entry of it and its reversal, and how good the estimate was."""

from billing_pipeline.engine.accruals.bridge import BRIDGE_NEED, PARTS, bridge, rounding_bound
from billing_pipeline.engine.accruals.estimators import (
    ESTIMATORS,
    LOOKS_BACK,
    METHODOLOGY,
    Estimator,
    backtest,
    before,
    estimated_totals,
)
from billing_pipeline.engine.accruals.journal import CHECKS, journal_lines, journal_problems, reversal_lines
from billing_pipeline.engine.accruals.rollforward import roll_forward
from billing_pipeline.engine.accruals.terms import AccrualTerms
from billing_pipeline.engine.accruals.totals import COMPONENTS, TOTALS_NEED, customer_totals, held_revenue, side_by_side
from billing_pipeline.engine.accruals.variance import Materiality, variances

__all__ = [
    "BRIDGE_NEED",
    "CHECKS",
    "COMPONENTS",
    "ESTIMATORS",
    "LOOKS_BACK",
    "METHODOLOGY",
    "PARTS",
    "TOTALS_NEED",
    "AccrualTerms",
    "Estimator",
    "Materiality",
    "backtest",
    "before",
    "bridge",
    "customer_totals",
    "estimated_totals",
    "held_revenue",
    "journal_lines",
    "journal_problems",
    "reversal_lines",
    "roll_forward",
    "rounding_bound",
    "side_by_side",
    "variances",
]
