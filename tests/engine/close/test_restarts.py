"""Which waiting month is run again, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing_pipeline.engine.close.restarts import Waiting, restart_cause

NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
WAITING = Waiting(
    state="in_review", since=datetime(2026, 2, 3, 9, tzinfo=UTC), rules_sha256="a" * 64, release=1, run_decision=4,
    last_decision=4, decided_at=NOW - timedelta(hours=1), approvals=(),
)  # fmt: skip


def cause(required: int = 1, rules: str = "a" * 64, **changes: object) -> str:
    return restart_cause(replace(WAITING, **changes), rules, required, NOW)  # type: ignore[arg-type]


def test_a_month_that_nobody_touched_goes_on_waiting() -> None:
    assert cause() == ""


@pytest.mark.parametrize("state", ["published", "closed", "waiting_for_usage"])
def test_a_month_that_waits_for_nobody_is_never_run_again(state: str) -> None:
    assert cause(state=state, approvals=("Ana",), rules="b" * 64) == ""


@pytest.mark.parametrize("state", ["in_review", "priced", "rebill_waiting", "refused"])
def test_other_rules_are_another_draft_once_for_each_workbook(state: str) -> None:
    assert cause(state=state, rules="b" * 64) == "rules-bbbbbbbbbbbbbbbb-20260203T090000Z"


def test_rules_that_come_back_are_looked_at_again() -> None:
    later = WAITING.since + timedelta(hours=2)
    assert cause(rules="b" * 64, since=later) != cause(rules="b" * 64)


def test_a_workbook_that_cannot_be_read_changes_nothing() -> None:
    assert cause(rules="") == ""


@pytest.mark.parametrize("state", ["in_review", "priced", "rebill_waiting"])
def test_an_approved_month_is_run(state: str) -> None:
    assert cause(state=state, approvals=("Ana",)) == "approved-4-1-r1"


def test_a_refused_month_is_not_run_because_somebody_approved_it() -> None:
    assert cause(state="refused", approvals=("Ana",)) == ""


def test_two_approvals_are_of_two_people() -> None:
    assert cause(required=2, approvals=("Ana", "ANA")) == ""
    assert cause(required=2, approvals=("Ana", "Bo")) == "approved-4-2-r1"


def test_an_approval_after_a_release_was_taken_back_is_another_one() -> None:
    assert cause(approvals=("Ana",), release=2) == "approved-4-1-r2"


@pytest.mark.parametrize("state", ["priced", "rebill_waiting"])
def test_without_approvers_a_person_still_says_yes_to_what_is_priced_or_billed_again(state: str) -> None:
    assert cause(required=0, state=state) == ""
    assert cause(required=0, state=state, approvals=("Ana",)) == "approved-4-1-r1"


def test_without_approvers_decisions_start_the_run_once_people_paused() -> None:
    decided = {"required": 0, "last_decision": 7}
    assert cause(**decided, decided_at=NOW - timedelta(seconds=14)) == ""  # type: ignore[arg-type]
    assert cause(**decided, decided_at=NOW - timedelta(seconds=15)) == "decided-7"  # type: ignore[arg-type]


def test_with_approvers_decisions_alone_start_nothing() -> None:
    assert cause(last_decision=7) == ""


def test_decisions_that_the_run_knew_start_nothing() -> None:
    assert cause(required=0) == ""
