"""A month's life: which state may follow which."""

from itertools import product

import pytest

from billing_pipeline.engine.close import next_state
from billing_pipeline.engine.close.states import RELEASED, UNRELEASED
from billing_pipeline.engine.errors import GateError

LEGAL_AFTER_RELEASE = {"published", "rebill_waiting", "closed", "waiting_for_usage"}


@pytest.mark.parametrize(("before", "after"), list(product(sorted(UNRELEASED), sorted(UNRELEASED | {"published"}))))
def test_before_the_first_release_every_verdict_may_follow_every_other(before: str, after: str) -> None:
    assert next_state(before, after) == after


@pytest.mark.parametrize(("before", "after"), list(product(sorted(UNRELEASED), ["rebill_waiting", "closed"])))
def test_nothing_can_be_rebilled_or_closed_that_was_not_sent(before: str, after: str) -> None:
    with pytest.raises(GateError, match="nothing of it was sent"):
        next_state(before, after)


@pytest.mark.parametrize(("before", "after"), list(product(sorted(RELEASED), ["in_review", "priced"])))
def test_a_released_month_never_looks_unreleased_again(before: str, after: str) -> None:
    with pytest.raises(GateError, match="what was sent stays sent"):
        next_state(before, after)


@pytest.mark.parametrize("before", sorted(RELEASED))
def test_a_refused_draft_leaves_a_released_month_as_it_was(before: str) -> None:
    assert next_state(before, "refused") == before


@pytest.mark.parametrize(("before", "after"), list(product(sorted(RELEASED), sorted(LEGAL_AFTER_RELEASE))))
def test_a_released_month_is_changed_closed_or_taken_back(before: str, after: str) -> None:
    assert next_state(before, after) == after
