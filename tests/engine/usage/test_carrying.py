"""Decisions taken over to a new usage file of the month: rows and flags that are unchanged, and nothing else."""

from datetime import UTC, datetime
from typing import Any

from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import (
    Decision,
    carried,
    flag_subjects,
    is_carried,
    no_decisions,
    partner_called,
    review_flags,
    row_at,
)
from tests.engine.rules.books import customer
from tests.literals import JANUARY, Row, company, rules, usage

OLD, NEW = "a" * 64, "b" * 64
AT = datetime(2026, 2, 3, 9, tzinfo=UTC)
UNMAPPED = rules(mapping=[customer(partner_name="Somebody", partner_id="1")])
UNDATED = company(1, FIRST_BILLABLE_ACTIVITY_DATE="")


def about(subject: Any, action: str = "keep", reason: str = "as agreed") -> Decision:
    s = subject
    return Decision(JANUARY, OLD, s.flag_type, s.scope, s.row_id, s.partner_key, s.line, s.subject, action, "Ana", AT,
                    reason=reason, id=3)  # fmt: skip


def decided(*rows: Row, known: Rules) -> list[Decision]:
    """A decision about every flag of a file with these rows."""
    return [about(subject) for subject in flag_subjects(review_flags(usage(*rows), known, no_decisions(), JANUARY))]


def taken_over(earlier: list[Decision], *rows: Row, known: Rules) -> tuple[list[Decision], list[Decision]]:
    new = usage(*rows)
    return carried(earlier, new, review_flags(new, known, no_decisions(), JANUARY), NEW)


def test_a_decision_follows_its_row_to_another_line() -> None:
    (taken,), left = taken_over(decided(UNDATED, known=rules()), company(8), company(9), UNDATED, known=rules())
    assert (taken.line, taken.usage_sha256, taken.reviewer, taken.decided_at, taken.id) == (4, NEW, "Ana", AT, 0)
    assert taken.reason == "carried over from usage file aaaaaaaaaaaaaaaa: as agreed"
    assert is_carried(taken)
    assert left == []


def test_a_row_with_any_other_cell_is_another_row() -> None:
    earlier = decided(UNDATED, known=rules())
    assert taken_over(earlier, UNDATED | {"TOTAL_INDIVIDUAL_USERS": "6"}, known=rules()) == ([], earlier)


def test_a_row_that_nobody_flagged_is_found_again_too() -> None:
    row = row_at(usage(company(1), company(2)), 3)
    (taken,), _ = taken_over([about(row, "remove")], company(2), company(1), known=rules())
    assert (taken.line, taken.flag_type) == (2, "")


def test_of_equal_rows_the_number_counts() -> None:
    earlier = decided(UNDATED, UNDATED, known=rules())
    taken, left = taken_over(earlier, UNDATED, known=rules())
    assert [d.row_id for d in taken] == [earlier[0].row_id]
    assert left == earlier[1:]


def test_a_decision_about_a_partner_is_taken_over_while_its_flag_is_there() -> None:
    earlier = decided(company(1), known=UNMAPPED)
    (taken,), _ = taken_over(earlier, company(5), company(6), known=UNMAPPED)
    assert (taken.scope, taken.partner_key, taken.line) == ("partner", "101", 2)
    assert taken_over(earlier, company(5), known=rules()) == ([], earlier)


def test_a_decision_about_a_partner_without_a_flag_needs_its_rows_only() -> None:
    acme = partner_called(usage(company(1)), "Acme")
    taken, _ = taken_over([about(acme)], company(8, PARTNER_ID="7"), company(9), known=rules())
    assert [d.line for d in taken] == [3]
    assert taken_over([about(acme)], company(8, PARTNER_ID="7"), known=rules())[0] == []


def test_where_a_decision_came_from_first_is_told_once() -> None:
    earlier = [about(row_at(usage(UNDATED), 2), reason="carried over from usage file 0123456789abcdef: as agreed")]
    (taken,), _ = taken_over(earlier, UNDATED, known=rules())
    assert taken.reason == "carried over from usage file aaaaaaaaaaaaaaaa: as agreed"
    (plain,), _ = taken_over([about(row_at(usage(UNDATED), 2), reason="")], UNDATED, known=rules())
    assert plain.reason == "carried over from usage file aaaaaaaaaaaaaaaa"
