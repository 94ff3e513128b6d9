"""For every history of runs: the laws of a finding's life, whatever was found, judged and said by reviewers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.findings import DISPOSITIONS, KNOWN, STATE, UTC_TIME, disposed, next_state

pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example

FIRST = datetime(2026, 1, 9, tzinfo=UTC)
KEYS = st.sampled_from("abcd")
HALF_HOURS = st.integers(0, 12).map(lambda number: FIRST + timedelta(minutes=30 * number))
FOUND = {"finding_key": pl.String, "born_resolved": pl.Boolean, "last_event_at": UTC_TIME}


@dataclass(frozen=True)
class Step:
    """A run: what is true with its flag and event, what else is judged, and what reviewers said before it."""

    true: dict[str, tuple[bool, datetime | None]]
    judged: set[str]
    said: dict[str, tuple[str | None, datetime]]


steps = st.lists(
    st.builds(
        Step,
        true=st.dictionaries(KEYS, st.tuples(st.booleans(), st.none() | HALF_HOURS), max_size=4),
        judged=st.sets(KEYS),
        said=st.dictionaries(KEYS, st.tuples(st.sampled_from((None, "Accepted", "asked Bo")), HALF_HOURS), max_size=2),
    ),
    min_size=1,
    max_size=6,
)


def true(step: Step) -> pl.DataFrame:
    return pl.DataFrame([(key, *rest) for key, rest in step.true.items()], schema=FOUND, orient="row")


def said(step: Step) -> pl.DataFrame:
    return pl.DataFrame([(key, *rest) for key, rest in step.said.items()], schema=DISPOSITIONS, orient="row")


def judged(step: Step) -> pl.Series:
    return pl.Series(sorted(step.judged), dtype=pl.String)


def lived(history: list[Step]) -> list[pl.DataFrame]:
    """The state after each run; an hour between two."""
    states = [pl.DataFrame(schema=STATE)]
    for number, step in enumerate(history):
        known = disposed(states[-1].select(KNOWN.keys()), said(step))
        states.append(next_state(known, true(step), judged(step), f"r{number}", FIRST + timedelta(hours=number)))
    return states


def rows(state: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["finding_key"]: row for row in state.to_dicts()}


@settings(max_examples=80)
@given(steps)
def test_a_finding_has_one_state_and_is_resolved_at_some_time_if_and_only_if_it_is_closed(history: list[Step]) -> None:
    for state in lived(history):
        assert state["finding_key"].is_unique().all()
        assert set(state["status"]) <= {"NEW", "ONGOING", "RESOLVED", "REOPENED"}
        assert ((state["status"] == "RESOLVED") == state["resolved_at"].is_not_null()).all()


@settings(max_examples=80)
@given(steps)
def test_no_finding_is_lost_and_none_is_told_as_new_twice(history: list[Step]) -> None:
    states = lived(history)
    for step, (before, after) in zip(history, pairwise(states), strict=True):
        assert set(after["finding_key"]) == set(before["finding_key"]) | step.true.keys()
    told = pl.concat(states).filter(pl.col("told") & (pl.col("status") == "NEW"))["finding_key"]
    assert told.is_unique().all()


@settings(max_examples=80)
@given(steps)
def test_each_status_follows_from_the_one_before(history: list[Step]) -> None:
    allowed = {
        None: {"NEW", "RESOLVED"},
        "NEW": {"NEW", "ONGOING", "RESOLVED"},
        "ONGOING": {"ONGOING", "RESOLVED"},
        "REOPENED": {"REOPENED", "ONGOING", "RESOLVED"},
        "RESOLVED": {"RESOLVED", "REOPENED"},
    }
    for state in lived(history)[1:]:
        for row in state.to_dicts():
            assert row["status"] in allowed[row["before"]]
            assert row["told"] or row["status"] == row["before"] or row["status"] == "ONGOING"


@settings(max_examples=80)
@given(steps)
def test_only_what_was_judged_changes(history: list[Step]) -> None:
    states = lived(history)
    for step, before, after in zip(history, states, states[1:], strict=False):
        known = rows(disposed(before.select(KNOWN.keys()), said(step)))
        for key, row in rows(after).items():
            if key not in step.true and key not in step.judged:
                assert {name: row[name] for name in KNOWN} == known[key]


@settings(max_examples=80)
@given(steps)
def test_every_reopening_is_counted(history: list[Step]) -> None:
    counted = dict.fromkeys("abcd", 0)
    for state in lived(history)[1:]:
        for key, row in rows(state).items():
            counted[key] += row["told"] and row["before"] == "RESOLVED"
            assert row["reopen_count"] == counted[key]


@settings(max_examples=80)
@given(steps)
def test_the_last_run_again_changes_and_tells_nothing(history: list[Step]) -> None:
    state, step = lived(history)[-1], history[-1]
    last, later = f"r{len(history) - 1}", FIRST + timedelta(hours=len(history), minutes=7)
    again = next_state(state.select(KNOWN.keys()), true(step), judged(step), last, later)
    assert again.select(KNOWN.keys()).equals(state.select(KNOWN.keys()))
    assert not again["told"].any()


@settings(max_examples=60)
@given(steps, st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(history: list[Step], random: Any) -> None:
    *_, before, after = lived(history)
    seed = random.randrange(1000)
    known = disposed(before.select(KNOWN.keys()), said(history[-1])).sample(fraction=1, shuffle=True, seed=seed)
    found, keys = true(history[-1]).reverse(), judged(history[-1]).reverse()
    number = len(history) - 1
    assert next_state(known, found, keys, f"r{number}", FIRST + timedelta(hours=number)).equals(after)
