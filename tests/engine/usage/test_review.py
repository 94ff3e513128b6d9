"""Recorded decisions: which are in force, which rows they are about, and beside a decision file."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from billing_pipeline.engine.usage import Decision, decisions_frame, in_force, no_decisions, together
from tests.literals import JANUARY, company, usage

AT = datetime(2026, 2, 3, 9, tzinfo=UTC)


def decision(action: str = "keep", row: str = "r1", flag: str = "missing_fba", **more: Any) -> Decision:
    values = {"partner_key": "101", "line": 2, "scope": "row", "reviewer": "Ana", "decided_at": AT} | more
    return Decision(JANUARY, "a" * 64, flag, row_id=row, subject="Company 1 of Acme", action=action, **values)


def test_the_last_decision_on_a_flag_is_in_force() -> None:
    kept, removed, other = decision("keep"), decision("remove"), decision("keep", row="r2")
    assert in_force([kept, other, removed]) == [other, removed]


def test_two_flags_of_one_row_are_decided_apart() -> None:
    both = [decision(flag="early_cancel"), decision(flag="dup_uuid")]
    assert in_force(both) == both


def test_withdrawing_leaves_the_question_open() -> None:
    assert in_force([decision("keep"), decision("remove"), decision("withdraw")]) == []


def test_a_partner_is_decided_about_by_its_key_whatever_its_first_row() -> None:
    first = decision(row="r1", scope="partner", flag="unmapped")
    second = decision("remove", row="r2", scope="partner", flag="unmapped")
    assert in_force([first, second]) == [second]


def test_corrections_of_two_cells_hold_together_until_something_else_is_decided() -> None:
    users, day = decision("fix_cell", cell="USERS", value="5"), decision("fix_cell", cell="DAY", value="x")
    again = decision("fix_cell", cell="USERS", value="6")
    assert in_force([decision("remove"), users, day, again]) == [day, again]
    assert in_force([users, day, decision("withdraw", cell="DAY")]) == [users]
    assert [d.action for d in in_force([users, day, decision("remove")])] == ["remove"]


# Aaron, in line 3, is the first in pricing order.
ROWS = usage(company(1), company(2, PARTNER_ID="7", PARTNER_NAME="Aaron"), company(3), company(4))


def test_a_decision_about_a_row_is_placed_by_its_line_in_pricing_order() -> None:
    frame = decisions_frame([decision("set_date", line=4, set_date="2026-01-09"), decision(row="r2", line=3)], ROWS)
    assert frame.select("position", "flag_id", "action", "set_date").rows() == [
        (0, "missing_fba", "keep", None),
        (2, "missing_fba", "set_date", "2026-01-09"),
    ]


def test_a_decision_about_a_partner_is_about_all_its_rows() -> None:
    frame = decisions_frame([decision("remove", scope="partner", flag="unmapped")], ROWS)
    theirs = ROWS.filter(pl.col("PARTNER_ID") == "101")["position"].sort().to_list()
    assert frame["position"].to_list() == theirs
    assert frame["action"].unique().to_list() == ["remove"]


def test_the_same_decisions_give_the_same_frame_whoever_made_them_and_when() -> None:
    one = [decision(line=2), decision("remove", row="r2", line=3)]
    later = AT + timedelta(days=1)
    two = [
        decision("remove", row="r2", line=3, reviewer="Ben", decided_at=later, id=9, reason="other"),
        decision("remove", line=2),
        decision(line=2, decided_at=later),
    ]
    assert decisions_frame(one, ROWS).equals(decisions_frame(two, ROWS))


def test_a_recorded_decision_replaces_what_the_decision_file_says_of_its_flag() -> None:
    schema = no_decisions().schema
    empty = [None] * 5
    file = pl.DataFrame(
        [(0, "missing_fba_7", "remove", *empty), (0, "dup_uuid_1", "keep", *empty)], schema=schema, orient="row"
    )
    recorded = pl.DataFrame([(0, "missing_fba", "keep", *empty)], schema=schema, orient="row")
    assert together(file, recorded).select("flag_id", "action").rows() == [
        ("dup_uuid_1", "keep"),
        ("missing_fba", "keep"),
    ]
