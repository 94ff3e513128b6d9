"""May a month be published: what the controls and the open flags say together."""

import polars as pl
import pytest

from billing_pipeline.engine.close import FAIL, PASS, REVIEW, overall_status, verdict


def controls(**statuses: str) -> pl.DataFrame:
    names = [name.replace("_", " ") for name in statuses]
    return pl.DataFrame(
        {"Control Check": names, "Status": list(statuses.values())}, schema_overrides={"Status": pl.String}
    )


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
    judged = verdict(controls(Rows=PASS), undecided=0, gated=True)
    assert (judged.publish, judged.state, judged.controls_status, judged.reasons) == (True, "published", PASS, ())


def test_a_control_that_asks_for_review_does_not_keep_a_month_back() -> None:
    judged = verdict(controls(Rows=PASS, Tie_Out=REVIEW), undecided=0, gated=True)
    assert (judged.publish, judged.controls_status) == (True, REVIEW)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("undecided", [0, 3])
def test_a_failed_control_refuses_publication_gate_or_not(gated: bool, undecided: int) -> None:
    judged = verdict(controls(Rows=FAIL, Users=PASS, Tie_Out=FAIL), undecided, gated=gated)
    assert not judged.publish
    assert judged.state == "refused"
    assert judged.controls_status == FAIL
    assert judged.reasons == ("control Rows failed", "control Tie Out failed")


def test_open_flags_keep_a_month_in_review_behind_the_gate() -> None:
    judged = verdict(controls(Rows=PASS), undecided=3, gated=True)
    assert (judged.publish, judged.state) == (False, "in_review")
    assert judged.reasons == ("3 flags wait for a decision",)


def test_open_flags_are_only_counted_without_the_gate() -> None:
    assert verdict(controls(Rows=PASS), undecided=3, gated=False).publish
