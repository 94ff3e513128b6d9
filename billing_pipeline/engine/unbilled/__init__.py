"""Unbilled hours: work that was done and not invoiced, by project and kind, aged, alerted once."""

from billing_pipeline.engine.unbilled.alerts import alerts, told_after
from billing_pipeline.engine.unbilled.judging import balance, judged_logs
from billing_pipeline.engine.unbilled.leakage import leaks
from billing_pipeline.engine.unbilled.reading import typed_contracts, typed_logs
from billing_pipeline.engine.unbilled.summary import client_summary, project_summary

__all__ = [
    "alerts",
    "balance",
    "client_summary",
    "judged_logs",
    "leaks",
    "project_summary",
    "told_after",
    "typed_contracts",
    "typed_logs",
]
