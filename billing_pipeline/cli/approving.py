"""Approval of a month that waits: of exactly one usage file, rules workbook and set of decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from billing_pipeline.cli.reviewing import Review
from billing_pipeline.engine.close.states import PENDING
from billing_pipeline.engine.errors import GateError, printable
from billing_pipeline.resources import months, reviews
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.releases import last_voided, releases_of


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved: the review it was given on, the month's state and its figures then, who has approved so far,
    how many more people have to.
    """

    review: Review
    state: str
    detail: Mapping[str, Any]
    approvers: tuple[str, ...]
    missing: int


def approved(review: Review, approver: str, reason: str) -> Approved:
    """Record an approval of the month as it stands.

    GateError: a flag is open, nothing waits for an approval, or this person has approved it before.
    """
    if review.undecided:
        waits = "1 flag waits" if review.undecided == 1 else f"{review.undecided} flags wait"
        raise GateError(f"{review.month.period} cannot be approved: {waits} for a decision (see `review list`)")
    gate: Gate = review.month.resources["gate"]
    period, rules = review.month.period, review.rules.sha256
    of = (period, review.usage_sha256, rules, review.last_decision)

    def work(connection: sa.Connection) -> Approved:
        event = months.latest(connection, period)
        if event is None or event.state not in PENDING:
            state = event.state.replace("_", " ") if event else "nothing was drafted yet"
            raise GateError(f"nothing of {period} waits for an approval: {state}")
        if reviews.last_decision(connection, period, review.usage_sha256) != review.last_decision:
            raise GateError(f"somebody has just decided about {period}; look at it again, then approve")
        since = last_voided(releases_of(connection, period))
        before = reviews.approvers(connection, *of, since=since)
        if approver.casefold() in (name.strip().casefold() for name in before):
            raise GateError(f"{printable(approver)} has approved this already; another person has to")
        reviews.approve(connection, reviews.Approval(*of, approver, datetime.now(UTC), reason.strip()))
        people = reviews.approvers(connection, *of, since=since)
        same = (event.usage_sha256, event.rules_sha256) == (review.usage_sha256, rules)
        missing = max(max(1, gate.approvers) - len(people), 0)
        return Approved(review, event.state, event.detail if same else {}, people, missing)

    return review.month.database.run(work)
