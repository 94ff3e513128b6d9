"""Decisions and approvals in the database: appended, read back, the last one, other usage files, different people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.resources import reviews
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.reviews import Approval, Decision

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
OLD, NEW = "a" * 64, "b" * 64


def decision(action: str = "keep", usage: str = NEW, period: Period = JANUARY, **more: Any) -> Decision:
    values = {"flag_type": "missing_fba", "row_id": "r1", "line": 2, "reviewer": "Ana", **more}
    return Decision(
        period, usage, scope="row", partner_key="101", subject="Company 1", action=action, decided_at=AT, **values
    )


def decided(database: Database, *made: Decision) -> None:
    database.run(partial(reviews.decide, new=made))


def history(database: Database, usage: str = NEW) -> list[Decision]:
    return database.run(partial(reviews.history, period=JANUARY, usage_sha256=usage))


def approved(database: Database, *people: str, rules: str = "rules", last: int = 0) -> tuple[str, ...]:
    """Approve as these people; who has approved exactly this."""
    for name in people:
        one = Approval(JANUARY, NEW, rules, last, name, AT, "fine")
        database.run(partial(reviews.approve, approval=one))
    return database.run(
        partial(reviews.approvers, period=JANUARY, usage_sha256=NEW, rules_sha256="rules", last_decision=0)
    )


def test_decisions_come_back_as_they_were_made_oldest_first(database: Database) -> None:
    first = decision("fix_cell", cell="ER_NAME", value="=1+1 \u2028 \U0001f600", reason="typed twice")
    second = decision("set_date_and_reassign", set_date="2026-01-09", partner_name="Acme", partner_id="101")
    decided(database, first, second)
    assert [replace(d, id=0) for d in history(database)] == [first, second]
    assert [d.decided_at for d in history(database)] == [AT, AT]


def test_a_later_decision_is_added_and_the_earlier_one_stays(database: Database) -> None:
    decided(database, decision("keep"))
    decided(database, decision("withdraw"))
    assert [d.action for d in history(database)] == ["keep", "withdraw"]
    assert reviews.in_force(history(database)) == []


def test_the_last_decision_is_the_one_of_this_month_and_file(database: Database) -> None:
    last = partial(reviews.last_decision, period=JANUARY, usage_sha256=NEW)
    assert database.run(last) == 0
    decided(database, decision(), decision("remove"))
    mine = history(database)[-1].id
    decided(database, decision(usage=OLD), decision(period=FEBRUARY))
    assert database.run(last) == mine > 0


def test_nothing_of_a_transaction_that_fails_is_kept(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        decided(database, decision(), replace(decision(), reviewer=None))  # type: ignore[arg-type]
    assert history(database) == []


def test_what_may_be_carried_over_is_in_force_on_the_other_file_decided_about_last(database: Database) -> None:
    decided(database, decision(usage="c" * 64, row_id="older"))
    decided(database, decision(usage=OLD, row_id="r1"), decision(usage=OLD, row_id="r2"))
    decided(database, decision("withdraw", usage=OLD, row_id="r1"), decision(), decision(usage=OLD, period=FEBRUARY))
    earlier = database.run(partial(reviews.carried_over, period=JANUARY, usage_sha256=NEW))
    assert [(d.usage_sha256, d.row_id) for d in earlier] == [(OLD, "r2")]
    assert database.run(partial(reviews.carried_over, period=Period(2025, 1), usage_sha256=NEW)) == []


def test_a_person_approves_once_in_whatever_letter_case(database: Database) -> None:
    assert approved(database, "Ben", "ana", "BEN ", "Ana") == ("Ben", "ana")


def test_an_approval_covers_one_file_one_workbook_and_the_decisions_up_to_one(database: Database) -> None:
    approved(database, "Ana", rules="others")
    approved(database, "Ben", last=4)
    assert approved(database, "Cid") == ("Cid",)


def test_times_are_kept_to_the_moment_in_any_zone(database: Database) -> None:
    at = AT + timedelta(microseconds=1)
    decided(database, replace(decision(), decided_at=at))
    assert history(database)[0].decided_at == at
