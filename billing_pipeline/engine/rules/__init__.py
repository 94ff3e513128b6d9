"""The rules workbook: reading, validation with cell addresses, typed tables, and what changed between two of them."""

from billing_pipeline.engine.rules.diff import CHANGES, diff
from billing_pipeline.engine.rules.messages import Warned
from billing_pipeline.engine.rules.tables import (
    CONTRACTS,
    CUSTOMERS,
    MINIMUM_ROWS,
    TIERS,
    Rules,
    rules_frame,
    rules_from_frame,
)
from billing_pipeline.engine.rules.workbook import check, check_document, partner_names, read_workbook

__all__ = [
    "CHANGES",
    "CONTRACTS",
    "CUSTOMERS",
    "MINIMUM_ROWS",
    "TIERS",
    "Rules",
    "Warned",
    "check",
    "check_document",
    "diff",
    "partner_names",
    "read_workbook",
    "rules_frame",
    "rules_from_frame",
]
