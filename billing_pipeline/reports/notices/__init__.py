"""Notices as messages: facts in, `text` and Slack's `blocks` out. Every text of them stands in `texts`."""

from billing_pipeline.reports.notices.facts import ControlFacts, FailureFacts, MonthFacts
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

__all__ = [
    "ControlFacts",
    "FailureFacts",
    "FileKind",
    "MonthFacts",
    "adjusted",
    "asset_page",
    "billed",
    "deadline",
    "dismissed",
    "failed",
    "file_notice",
    "published",
    "rebill",
    "refused",
    "run_page",
    "voided",
    "waiting",
]
