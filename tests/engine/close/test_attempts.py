"""When a failed run is tried again, when that ends, and which failures people hear of."""

from datetime import UTC, datetime

import pytest

from billing_pipeline.engine.close.attempts import Attempt, NextAttempt, is_told, next_attempt

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 2, 1, 12, minute, second, tzinfo=UTC)


def following(*attempts: Attempt, now: datetime = NOON, limit: int = 5) -> NextAttempt:
    return next_attempt(attempts, now, retry_seconds=60, limit=limit)


def test_the_first_attempt_is_due_at_once() -> None:
    assert following() == NextAttempt("due", 1, NOON)


@pytest.mark.parametrize(
    ("failed", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8)], ids=["second", "third", "fourth", "fifth"]
)
def test_the_pause_doubles_with_every_attempt(failed: int, minutes: int) -> None:
    last = Attempt(failed, "failed", NOON)
    assert following(last, now=at(minutes - 1, 59)) == NextAttempt("later", failed + 1, at(minutes))
    assert following(last, now=at(minutes)) == NextAttempt("due", failed + 1, at(minutes))


def test_no_more_attempts_are_made_than_the_limit() -> None:
    assert following(Attempt(5, "failed", NOON), now=at(59)) == NextAttempt("given_up")
    assert following(Attempt(1, "failed", NOON), now=at(59), limit=1) == NextAttempt("given_up")


def test_an_attempt_number_that_somebody_typed_is_no_reason_to_calculate_for_ever() -> None:
    assert following(Attempt(9999, "failed", NOON)).step == "given_up"


def test_nothing_follows_while_a_run_goes_on() -> None:
    assert following(Attempt(1, "failed", NOON), Attempt(2, "running"), now=at(59)) == NextAttempt("running")


def test_nothing_follows_a_success() -> None:
    assert following(Attempt(1, "failed", NOON), Attempt(2, "succeeded", NOON), now=at(59)).step == "succeeded"


def test_what_a_person_stopped_is_not_started_again() -> None:
    assert following(Attempt(1, "cancelled", NOON), now=at(59)).step == "cancelled"


def test_a_run_that_a_person_repeated_counts_by_its_end_and_not_as_a_new_number() -> None:
    repeated = [Attempt(1, "failed", NOON), Attempt(2, "failed", at(2)), Attempt(1, "failed", at(10))]
    assert following(*repeated, now=at(11)) == NextAttempt("later", 3, at(12))


@pytest.mark.parametrize(
    ("number", "input_error", "limit", "told"),
    [
        (1, False, 5, False),
        (2, False, 5, True),
        (3, False, 5, True),
        (1, True, 5, True),
        (1, False, 1, True),
        (1, False, 2, False),
        (2, False, 2, True),
    ],
)
def test_a_fault_in_an_input_is_told_at_once_and_any_other_from_the_second_attempt_on(
    number: int, input_error: bool, limit: int, told: bool
) -> None:
    assert is_told(number, input_error=input_error, limit=limit) is told
