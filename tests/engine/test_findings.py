"""The life of findings: new, ongoing, resolved, reopened; what was not judged keeps its status; what people close."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.findings import (
    DISPOSITIONS,
    KNOWN,
    STATE,
    UTC_TIME,
    changes_told,
    disposed,
    next_state,
    summary,
)
from billing_pipeline.engine.money import AMOUNT

FIRST = datetime(2026, 1, 9, 10, tzinfo=UTC)
NOTHING = pl.DataFrame(schema=KNOWN)


def hour(number: int) -> datetime:
    """Runs are an hour apart: run `r1` is at hour 1."""
    return FIRST + timedelta(hours=number - 1)


def found(*keys: str, born_resolved: bool = False, event: datetime | None = None) -> pl.DataFrame:
    rows = [{"finding_key": key, "born_resolved": born_resolved, "last_event_at": event} for key in keys]
    schema = {"finding_key": pl.String, "born_resolved": pl.Boolean, "last_event_at": UTC_TIME}
    return pl.DataFrame(rows, schema=schema)


def run(number: int, before: pl.DataFrame, true: pl.DataFrame, verified: str = "abc") -> pl.DataFrame:
    keys = pl.Series([*verified], dtype=pl.String)
    return next_state(before.select(KNOWN.keys()), true, keys, f"r{number}", hour(number))


def told(state: pl.DataFrame) -> list[tuple[str, str]]:
    return changes_told(state).select("finding_key", "status").rows()


def one(state: pl.DataFrame) -> dict[str, Any]:
    return state.row(0, named=True)


def said(before: pl.DataFrame, text: str | None, at: datetime, key: str = "a") -> pl.DataFrame:
    row = {"finding_key": key, "disposition": text, "disposed_at": at}
    return disposed(before.select(KNOWN.keys()), pl.DataFrame([row], schema=DISPOSITIONS))


def closed_by_a_reviewer(event: datetime | None = None) -> pl.DataFrame:
    """`a`, found in the first run and accepted half an hour after it."""
    return said(run(1, NOTHING, found("a", event=event)), "Accepted", hour(1) + timedelta(minutes=30))


def test_what_was_never_seen_is_new() -> None:
    state = run(1, NOTHING, found("b", "a"))
    assert dict(state.schema) == STATE
    assert state.select("finding_key", "status", "before", "told").rows() == [
        ("a", "NEW", None, True), ("b", "NEW", None, True),
    ]  # fmt: skip
    assert one(state) | {"finding_key": "a"} == {
        "finding_key": "a", "status": "NEW", "first_seen_run": "r1", "first_seen_at": FIRST, "last_seen_run": "r1",
        "last_seen_at": FIRST, "resolved_at": None, "reopen_count": 0, "last_event_at": None, "disposition": None,
        "disposed_at": None, "before": None, "told": True,
    }  # fmt: skip


def test_what_is_still_true_is_ongoing_and_told_no_more() -> None:
    state = run(2, run(1, NOTHING, found("a")), found("a"))
    assert (one(state)["before"], one(state)["status"], told(state)) == ("NEW", "ONGOING", [])
    assert (one(state)["first_seen_run"], one(state)["last_seen_run"]) == ("r1", "r2")
    assert (one(state)["first_seen_at"], one(state)["last_seen_at"]) == (hour(1), hour(2))


def test_what_is_no_longer_true_is_resolved_when_it_was_judged() -> None:
    state = run(2, run(1, NOTHING, found("a")), found())
    assert told(state) == [("a", "RESOLVED")]
    assert (one(state)["resolved_at"], one(state)["last_seen_run"]) == (hour(2), "r1")
    later = run(3, state, found())
    assert (one(later)["resolved_at"], told(later)) == (hour(2), [])


def test_what_was_not_judged_keeps_its_status() -> None:
    before = run(1, NOTHING, found("a"))
    state = run(2, before, found(), verified="")
    assert told(state) == []
    assert state.select(KNOWN.keys()).equals(before.select(KNOWN.keys()))
    assert told(run(3, state, found("a"))) == []


def test_what_is_true_again_is_reopened_and_counted() -> None:
    state = run(3, run(2, run(1, NOTHING, found("a")), found()), found("a"))
    assert told(state) == [("a", "REOPENED")]
    assert (one(state)["resolved_at"], one(state)["reopen_count"], one(state)["first_seen_run"]) == (None, 1, "r1")
    ongoing = run(4, state, found("a"))
    assert (one(ongoing)["status"], one(ongoing)["reopen_count"], told(ongoing)) == ("ONGOING", 1, [])


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_the_same_run_again_changes_and_tells_nothing(runs: int) -> None:
    """After one run `a` is new, after two ongoing or resolved, after three reopened or ongoing."""
    state = NOTHING
    for number in range(1, runs + 1):
        state = run(number, state, found("a" if number != 2 else "b", "c"))
    again = next_state(
        state.select(KNOWN.keys()),
        found("a" if runs != 2 else "b", "c"), pl.Series([*"abc"]), f"r{runs}", hour(runs) + timedelta(minutes=5),
    )  # fmt: skip
    assert again.select(KNOWN.keys()).equals(state.select(KNOWN.keys()))
    assert told(again) == []


def test_an_edit_that_was_taken_back_between_two_runs_is_born_resolved_and_told_once() -> None:
    state = run(1, NOTHING, found("a", born_resolved=True, event=FIRST))
    assert told(state) == [("a", "RESOLVED")]
    assert (one(state)["resolved_at"], one(state)["reopen_count"]) == (hour(1), 0)
    overlap = run(2, state, found("a", born_resolved=True, event=FIRST))
    assert (told(overlap), one(overlap)["resolved_at"]) == ([], hour(1))


def test_another_edit_that_was_taken_back_is_told_again() -> None:
    state = run(1, NOTHING, found("a", born_resolved=True, event=FIRST))
    again = run(5, state, found("a", born_resolved=True, event=hour(4)))
    assert told(again) == [("a", "RESOLVED")]
    assert (one(again)["resolved_at"], one(again)["reopen_count"], one(again)["last_event_at"]) == (
        hour(5), 1, hour(4),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["Accepted", " accepted ", "FALSE POSITIVE", "Closed: see memo 12", "approved - Bo", "Waived\nby Bo"]
)
def test_a_closing_disposition_closes_at_its_own_time_and_is_no_news(text: str) -> None:
    state = said(run(1, NOTHING, found("a")), text, hour(1) + timedelta(minutes=30))
    assert (one(state)["status"], one(state)["resolved_at"]) == ("RESOLVED", hour(1) + timedelta(minutes=30))
    assert (one(state)["disposition"], told(run(2, state, found("a")))) == (text.strip(), [])


@pytest.mark.parametrize("text", ["looking into it", "accepted?", "closed week, asked Bo", "not accepted"])
def test_another_disposition_is_kept_and_closes_nothing(text: str) -> None:
    state = said(run(1, NOTHING, found("a")), text, hour(2))
    assert (one(state)["status"], one(state)["disposition"]) == ("NEW", text)


def test_what_a_reviewer_closed_stays_closed_while_nothing_further_happens() -> None:
    state = run(2, closed_by_a_reviewer(event=hour(0)), found("a", event=hour(0)))
    assert (one(state)["status"], told(state)) == ("RESOLVED", [])
    assert (one(state)["last_seen_run"], one(state)["resolved_at"]) == ("r2", hour(1) + timedelta(minutes=30))


def test_a_further_edit_reopens_what_a_reviewer_closed_and_his_words_stay() -> None:
    state = run(3, closed_by_a_reviewer(event=hour(0)), found("a", event=hour(2)))
    assert told(state) == [("a", "REOPENED")]
    assert (one(state)["disposition"], one(state)["reopen_count"]) == ("Accepted", 1)
    ongoing = run(4, said(state, "Accepted", hour(4)), found("a", event=hour(2)))
    assert one(ongoing)["status"] == "ONGOING"


def test_an_edit_that_the_reviewer_had_not_seen_reopens_even_when_it_was_made_before_he_closed() -> None:
    unseen = hour(1) + timedelta(minutes=10)
    assert told(run(2, closed_by_a_reviewer(event=hour(0)), found("a", event=unseen))) == [("a", "REOPENED")]


def test_without_a_known_event_one_after_the_disposition_reopens() -> None:
    assert told(run(3, closed_by_a_reviewer(), found("a", event=hour(1)))) == []
    assert told(run(3, closed_by_a_reviewer(), found("a", event=hour(2)))) == [("a", "REOPENED")]


def test_a_disposition_that_is_taken_back_lets_the_next_run_judge() -> None:
    state = said(closed_by_a_reviewer(), " ", hour(2))
    assert (one(state)["status"], one(state)["disposition"], one(state)["disposed_at"]) == ("RESOLVED", None, hour(2))
    assert told(run(3, state, found("a"))) == [("a", "REOPENED")]


def test_a_disposition_holds_for_one_closing_only() -> None:
    reopened = run(3, closed_by_a_reviewer(event=hour(0)), found("a", event=hour(2)))
    resolved = run(4, reopened, found())
    assert told(run(5, resolved, found("a", event=hour(2)))) == [("a", "REOPENED")]


def test_a_new_text_closes_again_what_had_reopened() -> None:
    reopened = run(3, closed_by_a_reviewer(event=hour(0)), found("a", event=hour(2)))
    state = said(reopened, "Accepted: the second edit too", hour(3) + timedelta(minutes=1))
    assert one(state)["status"] == "RESOLVED"


def test_an_older_word_does_not_replace_a_later_one() -> None:
    state = said(closed_by_a_reviewer(), "looking into it", hour(1))
    assert (one(state)["disposition"], one(state)["status"]) == ("Accepted", "RESOLVED")


def test_dispositions_of_findings_that_are_not_known_are_left_out() -> None:
    before = run(1, NOTHING, found("a")).select(KNOWN.keys())
    assert said(before, "Accepted", hour(2), key="z").equals(before)


def test_a_finding_may_come_with_its_key_alone() -> None:
    state = run(1, NOTHING, pl.DataFrame({"finding_key": ["a"], "why": ["text"]}))
    assert told(state) == [("a", "NEW")]


@pytest.mark.parametrize("keys", [["a", "a"], [None]])
def test_a_key_twice_or_missing_is_our_own_mistake(keys: list[str | None]) -> None:
    with pytest.raises(BillingError, match=f"no key, or stands there twice: {keys[0]}"):
        run(1, NOTHING, pl.DataFrame({"finding_key": keys}, schema={"finding_key": pl.String}))


def test_news_are_told_new_first_then_reopened_then_resolved() -> None:
    state = run(2, run(1, NOTHING, found("a", "d", "e")), found("d"))
    state = run(3, state, found("a", "c", "b", "d"), verified="abcde")
    assert told(state) == [("b", "NEW"), ("c", "NEW"), ("a", "REOPENED"), ("e", "RESOLVED")]


def test_findings_are_counted_with_their_dollars() -> None:
    rows = [
        ("EDIT_AFTER_CLOSE", "HIGH", "NEW", Decimal("1000.10")),
        ("EDIT_AFTER_CLOSE", "HIGH", "NEW", Decimal("0.20")),
        ("EDIT_AFTER_CLOSE", "HIGH", "NEW", None),
        ("EDIT_AFTER_CLOSE", "LOW", "RESOLVED", None),
        ("DATE_TOO_OLD", "HIGH", "NEW", Decimal("5.00")),
    ]
    schema = {"category": pl.String, "severity": pl.String, "status": pl.String, "dollars": AMOUNT}
    counted = summary(pl.DataFrame(rows, schema=schema, orient="row"))
    assert counted.rows() == [
        ("DATE_TOO_OLD", "HIGH", "NEW", 1, Decimal("5.00"), 0),
        ("EDIT_AFTER_CLOSE", "HIGH", "NEW", 3, Decimal("1000.30"), 1),
        ("EDIT_AFTER_CLOSE", "LOW", "RESOLVED", 1, Decimal("0.00"), 1),
    ]


def test_no_findings_are_counted_as_none() -> None:
    assert summary(
        pl.DataFrame(schema={**STATE, "category": pl.String, "severity": pl.String, "dollars": AMOUNT})
    ).is_empty()
