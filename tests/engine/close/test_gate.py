"""May a month be published: what controls, open flags, approvals and earlier releases say together."""

import polars as pl
import pytest

from billing_pipeline.engine.close import FAIL, PASS, REVIEW, Sending, Verdict, overall_status, verdict


def controls(**statuses: str) -> pl.DataFrame:
    names = [name.replace("_", " ") for name in statuses]
    return pl.DataFrame(
        {"Control Check": names, "Status": list(statuses.values())}, schema_overrides={"Status": pl.String}
    )


def flags(undecided: int = 0, decided: int = 0) -> pl.Series:
    """The decisions of so many flags."""
    return pl.Series([None] * undecided + ["keep"] * decided, dtype=pl.String)


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        ([PASS, PASS], PASS),
        ([PASS, REVIEW], REVIEW),
        ([REVIEW, FAIL, PASS], FAIL),
        ([FAIL, FAIL], FAIL),
        ([REVIEW], REVIEW),
    ],
)
def test_the_worst_control_is_the_status_of_the_month(statuses: list[str], overall: str) -> None:
    assert overall_status(controls(**{f"c{n}": status for n, status in enumerate(statuses)})) == overall


def test_passed_controls_publish() -> None:
    judged = verdict(controls(Rows=PASS), flags(), gated=True)
    assert (judged.publish, judged.state, judged.controls_status, judged.reasons) == (True, "published", PASS, ())


def test_a_control_that_asks_for_review_does_not_keep_a_month_back() -> None:
    judged = verdict(controls(Rows=PASS, Tie_Out=REVIEW), flags(), gated=True)
    assert (judged.publish, judged.controls_status) == (True, REVIEW)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("undecided", [0, 3])
def test_a_failed_control_refuses_publication_gate_or_not(gated: bool, undecided: int) -> None:
    judged = verdict(controls(Rows=FAIL, Users=PASS, Tie_Out=FAIL), flags(undecided), gated=gated)
    assert not judged.publish
    assert judged.state == "refused"
    assert judged.controls_status == FAIL
    assert judged.reasons == ("control Rows failed", "control Tie Out failed")


def test_open_flags_keep_a_month_in_review_behind_the_gate() -> None:
    judged = verdict(controls(Rows=PASS), flags(3), gated=True)
    assert (judged.publish, judged.state) == (False, "in_review")
    assert judged.reasons == ("3 flags wait for a decision",)


def test_open_flags_are_only_counted_without_the_gate() -> None:
    assert verdict(controls(Rows=PASS), flags(3), gated=False).publish


def sent(**facts: object) -> Verdict:
    """The verdict on a month with two decided flags that is sent to people."""
    return verdict(controls(Rows=PASS), flags(decided=2), gated=True, sending=Sending(**facts))  # type: ignore[arg-type]


def test_a_month_without_flags_is_published_by_itself() -> None:
    assert verdict(controls(Rows=PASS), flags(), gated=True, sending=Sending()).publish


def test_a_reviewed_month_waits_for_its_approval() -> None:
    judged = sent()
    assert (judged.state, judged.reasons) == ("in_review", ("0 of 1 approvals of the decisions",))
    assert sent(approvals=("Ada",)).publish


def test_two_approvals_are_of_two_people() -> None:
    judged = sent(approvals=("Ada", "ada"), required=2)
    assert (judged.state, judged.reasons) == ("in_review", ("1 of 2 approvals of the decisions",))
    assert sent(approvals=("Ada", "Bea"), required=2).publish


def test_deciding_is_enough_where_nobody_has_to_approve() -> None:
    assert sent(required=0).publish


def test_where_people_publish_a_month_without_questions_waits_for_one_of_them() -> None:
    waits = verdict(controls(Rows=PASS), flags(), gated=True, sending=Sending(manual=True, required=0))
    assert (waits.state, waits.reasons) == ("priced", ("0 of 1 approvals to publish",))
    told = Sending(manual=True, required=0, approvals=("Ada",))
    assert verdict(controls(Rows=PASS), flags(), gated=True, sending=told).publish


def test_what_was_sent_already_is_not_sent_again() -> None:
    judged = sent(released=True, differs=False)
    assert (judged.state, judged.publish, judged.unchanged) == ("published", False, True)


def test_what_differs_from_what_was_sent_waits_even_without_flags_and_approvers() -> None:
    change = Sending(released=True, differs=True, required=0)
    judged = verdict(controls(Rows=PASS), flags(), gated=True, sending=change)
    assert (judged.state, judged.reasons) == (
        "rebill_waiting",
        ("0 of 1 approvals of the difference to what was sent",),
    )
    assert sent(released=True, differs=True, required=0, approvals=("Ada",)).publish


def test_open_flags_of_a_changed_month_wait_as_a_rebill() -> None:
    judged = verdict(controls(Rows=PASS), flags(1), gated=True, sending=Sending(released=True, differs=True))
    assert (judged.state, judged.reasons) == ("rebill_waiting", ("1 flag waits for a decision",))


def test_a_closed_ledger_period_takes_no_first_release_but_adjustments() -> None:
    judged = sent(closed=True, approvals=("Ada",))
    assert (judged.state, judged.reasons) == ("refused", ("the ledger period is closed",))
    assert sent(closed=True, released=True, differs=True, approvals=("Ada",)).publish


def test_a_failed_control_refuses_a_released_month_too() -> None:
    change = Sending(released=True, differs=True, approvals=("Ada",))
    assert verdict(controls(Rows=FAIL), flags(), gated=True, sending=change).state == "refused"
