"""A month's life: conservation of rows and money, its states, the verdict on publication, releases and adjustments."""

from billing_pipeline.engine.close.conservation import BUCKETS, conservation
from billing_pipeline.engine.close.gate import FAIL, PASS, REVIEW, Sending, Verdict, overall_status, verdict
from billing_pipeline.engine.close.releases import (
    adjustment_lines,
    line_differences,
    partner_differences,
    posting_date,
)
from billing_pipeline.engine.close.states import next_state

__all__ = [
    "BUCKETS",
    "FAIL",
    "PASS",
    "REVIEW",
    "Sending",
    "Verdict",
    "adjustment_lines",
    "conservation",
    "line_differences",
    "next_state",
    "overall_status",
    "partner_differences",
    "posting_date",
    "verdict",
]
