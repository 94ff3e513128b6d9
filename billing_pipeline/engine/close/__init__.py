"""A month's life: conservation of rows and money, and the verdict on publication."""

from billing_pipeline.engine.close.conservation import BUCKETS, conservation
from billing_pipeline.engine.close.gate import FAIL, PASS, REVIEW, Verdict, overall_status, verdict

__all__ = ["BUCKETS", "FAIL", "PASS", "REVIEW", "Verdict", "conservation", "overall_status", "verdict"]
