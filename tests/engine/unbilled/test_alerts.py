"""People are told once that a project crossed its limit, that it grew by a step, that it is over. Source: U6."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.unbilled import alerts, told_after
from billing_pipeline.engine.unbilled.tables import ALERTS, CLEARED, CROSSED, GREW, TOLD
from billing_pipeline.engine.unbilled.terms import UnbilledTerms
from tests.engine.unbilled.records import TERMS, projects, told


@pytest.mark.parametrize(
    ("amount", "before", "events"),
    [
        ("1500.00", None, []),
        ("1500.01", None, [CROSSED]),
        ("2499.99", "2000.00", []),
        ("2500.00", "2000.00", [GREW]),
        ("1600.00", "2000.00", []),
        ("1500.00", "2000.00", [CLEARED]),
        (None, "2000.00", [CLEARED]),
        (None, None, []),
    ],
)
def test_what_is_told_depends_on_what_was(amount: str | None, before: str | None, events: list[str]) -> None:
    now, known = projects(**({"P1": amount} if amount else {})), told(**({"P1": before} if before else {}))
    sent = alerts(now, known, TERMS)
    assert sent.schema == ALERTS
    assert sent["event"].to_list() == events
    assert sent["amount"].to_list() == [Decimal(amount or 0) for _ in events]


def test_a_step_of_nothing_does_not_tell_the_same_for_ever() -> None:
    terms = UnbilledTerms(growth=Decimal(0))
    assert alerts(projects(P1="2000.00"), told(P1="2000.00"), terms).is_empty()
    assert alerts(projects(P1="2000.01"), told(P1="2000.00"), terms)["event"].to_list() == [GREW]


def test_news_come_by_amount_then_what_is_over() -> None:
    now = projects(A="1700", B="3000", C="9000", D="10", E="1700")
    sent = alerts(now, told(B="2000", C="8900", D="5000", F="3000"), TERMS)
    assert sent.select("event", "project_id", "amount", "told_amount").rows() == [
        (GREW, "B", Decimal(3000), Decimal(2000)),
        (CROSSED, "A", Decimal(1700), None),
        (CROSSED, "E", Decimal(1700), None),
        (CLEARED, "D", Decimal(10), Decimal(5000)),
        (CLEARED, "F", Decimal(0), Decimal(3000)),
    ]
    assert sent.filter(project_id="F").select("client", "hours", "age_days").row(0) == ("Acme", Decimal(0), None)


def test_what_was_told_is_remembered_and_what_is_over_forgotten() -> None:
    now, before = projects(A="1700", B="3000", C="9000"), told(B="2000", C="8900", D="5000")
    after = told_after(before, alerts(now, before, TERMS))
    assert after.rows() == told(A="1700", B="3000", C="8900").rows()
    assert after.schema == TOLD


_HISTORY = st.lists(
    st.dictionaries(st.sampled_from("ABC"), st.integers(0, 12).map(lambda n: f"{n * 250}.00")), max_size=12
)


@settings(max_examples=40)
@given(_HISTORY, st.sampled_from(["0.00", "250.00", "500.00", "600.00"]), st.sets(st.integers(0, 11)))
def test_the_same_alert_is_never_told_twice(history: list[dict[str, str]], step: str, restarts: set[int]) -> None:
    """Of a project: crossed, grown by the step as often as it likes, over; nothing that is to be told is left out."""
    terms, known, said = UnbilledTerms(growth=Decimal(step)), told(), dict[str, Decimal]()
    for number, amounts in enumerate(history):
        now = projects(**amounts)
        sent = alerts(now, known, terms)
        assert sent["project_id"].is_unique().all()
        for event, project, amount in sent.select("event", "project_id", "amount").rows():
            if event == CROSSED:
                assert project not in said
            elif event == GREW:
                assert amount >= said[project] + Decimal(step)
                assert amount > said[project]
            if event == CLEARED:
                del said[project]
            else:
                said[project] = amount
        assert said.keys() == set(now.filter("alert")["project_id"])
        known = told_after(known, sent)
        assert dict(known.select("project_id", "told_amount").iter_rows()) == said
        if number in restarts:  # it is read again, in whatever order it was kept
            known = pl.DataFrame(known.rows()[::-1], schema=TOLD, orient="row")
        assert alerts(now, known, terms).is_empty()
