"""Notices as messages: facts in, `text` and Slack's `blocks` out.

Texts stand in `texts`, those of accruals in `accruals`, of the audit in `audit` and `own_book`, of hours in
`unbilled`.
"""

from billing_pipeline.reports.notices.accruals import accrual_voided, accrued, varied
from billing_pipeline.reports.notices.audit import audited
from billing_pipeline.reports.notices.facts import ControlFacts, FailureFacts, MonthFacts
from billing_pipeline.reports.notices.own_book import book_changed
from billing_pipeline.reports.notices.pages import asset_page, run_page
from billing_pipeline.reports.notices.texts import (
    FileKind,
    adjusted,
    billed,
    deadline,
    dismissed,
    failed,
    file_notice,
    published,
    rebill,
    refused,
    voided,
    waiting,
)
from billing_pipeline.reports.notices.unbilled import unbilled_alerts, unbilled_digest

__all__ = [
    "ControlFacts",
    "FailureFacts",
    "FileKind",
    "MonthFacts",
    "accrual_voided",
    "accrued",
    "adjusted",
    "asset_page",
    "audited",
    "billed",
    "book_changed",
    "deadline",
    "dismissed",
    "failed",
    "file_notice",
    "published",
    "rebill",
    "refused",
    "run_page",
    "unbilled_alerts",
    "unbilled_digest",
    "varied",
    "voided",
    "waiting",
]
