"""What a person may decide: offered actions, dates, partners that exist, corrections that can be read."""

from typing import Any

import pytest

from billing_pipeline.engine.usage import (
    Choice,
    Wish,
    checked,
    flag_subjects,
    known_partners,
    no_decisions,
    partner_called,
    review_flags,
    row_at,
)
from tests.engine.rules.books import customer, tier
from tests.literals import JANUARY, company, rules, usage

KNOWN = rules(
    [tier(), tier(partner_id="7", partner_name="Birch")],
    mapping=[customer(), customer(partner_id="8", partner_name="Cedar")],
)
ROWS = usage(
    company(1, FIRST_BILLABLE_ACTIVITY_DATE=""),
    company(2, TOTAL_INDIVIDUAL_USERS="5%", SUSPENSION_DATE="soon", PARTNER_NAME="Birch", PARTNER_ID="7"),
    company(3, PARTNER_NAME="Twin", PARTNER_ID="31"),
    company(4, PARTNER_NAME="twin", PARTNER_ID="32"),
    company(5, PARTNER_NAME="Name Only", PARTNER_ID=""),
)
FLAGS = review_flags(ROWS, KNOWN, no_decisions(), JANUARY)
SUBJECTS = dict(zip(FLAGS["flag_id"], flag_subjects(FLAGS), strict=True))
UNDATED, UNREAD = next(s for f, s in SUBJECTS.items() if "missing_fba" in f), SUBJECTS["bad_cell_0"]


def told(choice: Choice, subject: Any = UNDATED) -> list[tuple[str, str]]:
    """Field and message of every fault."""
    _, faults = checked([Wish(subject, choice)], ROWS, known_partners(ROWS, KNOWN), JANUARY)
    return [(fault.field, fault.message) for fault in faults]


def partner(name: str = "", identifier: str = "") -> tuple[str, str] | str:
    """Name and id a reassignment comes to, or why not."""
    wish = Wish(UNDATED, Choice("reassign", partner_name=name, partner_id=identifier))
    taken, faults = checked([wish], ROWS, known_partners(ROWS, KNOWN), JANUARY)
    return faults[0].message if faults else (taken[0].choice.partner_name, taken[0].choice.partner_id)


def test_only_actions_that_the_flag_offers_are_taken() -> None:
    assert told(Choice("keep")) == []
    assert told(Choice("keep"), UNREAD) == [("action", "is not offered for this bad_cell: remove, fix_cell")]
    assert told(Choice("erase"))[0][0] == "action"


@pytest.mark.parametrize("day", ["2026-02-30", "", "soon", "5%"])
def test_a_date_must_be_one(day: str) -> None:
    assert told(Choice("set_date", set_date=day)) == [("set_date", "is not a date; write it as YYYY-MM-DD")]


def test_nothing_that_was_given_is_lost_without_a_word() -> None:
    choice = Choice("keep", "2026-01-01", "Acme", "", "ER_NAME", "x")
    assert [field for field, _ in told(choice)] == ["set_date", "partner_name", "cell"]


def test_a_partner_is_found_by_name_in_any_letter_case_or_by_id_and_gives_both() -> None:
    assert partner("birch") == ("Birch", "7")
    assert partner(identifier="8") == ("Cedar", "8")
    assert partner("Name Only") == ("Name Only", "")


def test_a_new_partner_needs_name_and_id() -> None:
    assert partner("Zebra", "99") == ("Zebra", "99")
    assert partner("Brich") == (
        "is no partner of the file or the rules; give name and id of a new one; did you mean Birch?"
    )
    assert partner(identifier="99") == "is no partner of the file or the rules; give name and id of a new one"


def test_a_partner_that_is_not_clear_is_asked_for() -> None:
    assert partner("twin") == "several partners have this name; give the id, one of 31, 32"
    assert partner("twin", "32") == ("twin", "32")
    assert partner("Birch", "8") == "8 is the id of Cedar, not of this partner"


@pytest.mark.parametrize(
    ("cell", "value", "fault"),
    [
        ("TOTAL_INDIVIDUAL_USERS", "1,200", None),
        ("SUSPENSION_DATE", "", None),
        ("TOTAL_INDIVIDUAL_USERS", "5x", ("value", "is not a plain number")),
        ("FOR_MONTH", "2025-12", ("value", "is not the month of this file (2026-01)")),
        ("TOTAL_INDIVIDUAL_USERS", "5%", ("value", "is not a plain number")),
        ("ER_NAME", "Company 2", ("value", "is what the cell holds already")),
        ("PARTNER_ID", "8", ("cell", "is not a column that can be corrected")),
        ("NO_SUCH", "8", ("cell", "is not a column that can be corrected")),
    ],
)
def test_a_correction_must_be_readable_by_the_parser_of_the_file(
    cell: str, value: str, fault: tuple[str, str] | None
) -> None:
    found = told(Choice("fix_cell", cell=cell, value=value), UNREAD)
    assert [field for field, _ in found][:1] == ([fault[0]] if fault else [])
    assert not fault or found[0][1].startswith(fault[1])


def test_rows_and_partners_that_nobody_flagged_can_be_decided_about() -> None:
    row, name_only = row_at(ROWS, 4), partner_called(ROWS, "NAME ONLY")
    assert row
    assert (row.flag_type, row.scope, row.subject, len(row.row_id)) == ("", "row", "Company 3 of Twin", 20)
    assert name_only
    assert (name_only.scope, name_only.partner_key, name_only.subject) == ("partner", "name only", "Name Only")
    assert row_at(ROWS, 99) is None
    assert partner_called(ROWS, "nobody") is None
