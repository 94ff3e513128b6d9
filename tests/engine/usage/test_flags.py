"""Review flags: what is flagged, in which order, under which id and reason, and what a decision answers."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import no_decisions, review_flags
from tests.engine.rules.books import customer, tier
from tests.literals import JANUARY, company, rules, usage

NOTHING_WRONG = rules()


def flags(
    *rows: Mapping[str, str], known: Rules = NOTHING_WRONG, decided: pl.DataFrame | None = None
) -> list[dict[str, Any]]:
    return review_flags(usage(*rows), known, no_decisions() if decided is None else decided, JANUARY).to_dicts()


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    """Id, type, reason and line of each flag."""
    return [(flag["flag_id"], flag["flag_type"], flag["flag_reason"], flag["line"]) for flag in found]


def decisions(*entries: tuple[int, str, str]) -> pl.DataFrame:
    """Decisions: position, flag id, action."""
    rows = [(position, flag, action, *[None] * 5) for position, flag, action in entries]
    return pl.DataFrame(rows, schema=no_decisions().schema, orient="row")


def test_a_row_that_is_in_order_has_no_flag() -> None:
    assert flags(company()) == []


def test_a_row_without_a_date_has_a_flag_with_everything_a_person_needs() -> None:
    (flag,) = flags(
        company(1), company(7, FIRST_BILLABLE_ACTIVITY_DATE="", COMPANY_UUID="u-7", TOTAL_INDIVIDUAL_USERS="1,200")
    )
    assert {name: value for name, value in flag.items() if name != "row_id"} == {
        "flag_id": "missing_fba_0",
        "flag_type": "missing_billing_trigger",
        "flag_reason": "Missing FIRST_BILLABLE_ACTIVITY_DATE",
        "available_actions": ["remove", "keep", "set_date", "reassign", "set_date_and_reassign", "fix_cell"],
        "scope": "row",
        "row_index": 1,
        "line": 3,
        "COMPANY_UUID": "u-7",
        "ER_NAME": "Company 7",
        "ER_ID": "7",
        "PARTNER_NAME": "Acme",
        "PARTNER_ID": "101",
        "TOTAL_INDIVIDUAL_USERS": "1,200",
        "FIRST_BILLABLE_ACTIVITY_DATE": "",
        "partner_key": "101",
        "affected_row_indices": None,
        "decision": None,
    }


def test_an_undated_row_gets_no_other_row_check() -> None:
    found = flags(company(1, FIRST_BILLABLE_ACTIVITY_DATE="", ER_ID="", ER_NAME="", SUSPENSION_DATE="1/1/20"))
    assert [flag["flag_id"] for flag in found] == ["missing_fba_0"]


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ({"SUSPENSION_DATE": "2025-06-01"}, "SUSPENSION_DATE (6/1/25) <= FIRST_BILLABLE_ACTIVITY_DATE (6/1/25)"),
        ({"DISSOCIATION_DATE": "5/31/25"}, "DISSOCIATION_DATE (5/31/25) <= FIRST_BILLABLE_ACTIVITY_DATE (6/1/25)"),
        (
            {"SUSPENSION_DATE": "2025-05-01", "DISSOCIATION_DATE": "2025-05-02"},
            "SUSPENSION_DATE (5/1/25) <= FIRST_BILLABLE_ACTIVITY_DATE (6/1/25); "
            "DISSOCIATION_DATE (5/2/25) <= FIRST_BILLABLE_ACTIVITY_DATE (6/1/25)",
        ),
        (
            {"SUSPENSION_DATE": "2025-07-01", "DISSOCIATION_DATE": "2025-05-02"},
            "DISSOCIATION_DATE (5/2/25) <= FIRST_BILLABLE_ACTIVITY_DATE (6/1/25)",
        ),
    ],
)
def test_a_company_that_ended_before_its_billing_began_is_flagged(ends: dict[str, str], reason: str) -> None:
    assert told(flags(company(1, **ends))) == [("early_cancel_0", "early_cancellation", reason, 2)]


def test_a_company_that_ended_a_day_later_is_not() -> None:
    assert flags(company(1, SUSPENSION_DATE="2025-06-02", DISSOCIATION_DATE="2025-06-02")) == []


@pytest.mark.parametrize(
    "missing", [{"ER_ID": "", "ER_NAME": ""}, {"ER_ID": " ", "ER_NAME": " "}, {"PARTNER_ID": "", "PARTNER_NAME": ""}]
)
def test_a_row_without_partner_or_company_is_flagged(missing: dict[str, str]) -> None:
    assert told(flags(company(1, **missing))) == [
        ("bad_data_0", "missing_tier", "Missing PARTNER_ID/PARTNER_NAME and/or ER_ID/ER_NAME", 2)
    ]


@pytest.mark.parametrize(
    "half", [{"ER_ID": ""}, {"ER_NAME": ""}, {"PARTNER_NAME": ""}, {"PARTNER_ID": "", "PARTNER_NAME": "ACME"}]
)
def test_one_of_id_and_name_is_enough(half: dict[str, str]) -> None:
    by_name = rules([tier(), tier(partner_id=None)], mapping=[customer(), customer(partner_id=None)])
    assert flags(company(1, **half), known=by_name) == []


def test_a_company_of_two_partners_is_flagged_on_each_of_its_rows() -> None:
    known = rules([tier(), tier(partner_id="102")], mapping=[customer(), customer(partner_id="102")])
    found = flags(
        company(1, COMPANY_UUID="u-1"),
        company(2, COMPANY_UUID="u-2", PARTNER_ID="102", PARTNER_NAME="Birch"),
        company(3, COMPANY_UUID=" u-1 ", PARTNER_ID="102", PARTNER_NAME="Birch"),
        company(4, COMPANY_UUID="u-2", PARTNER_ID="102", PARTNER_NAME="Birch"),
        known=known,
    )
    reason = "COMPANY_UUID 'u-1' appears under multiple partners: Acme, Birch"
    assert told(found) == [
        ("dup_uuid_0", "duplicate_uuid", reason, 2),
        ("dup_uuid_1", "duplicate_uuid", reason, 4),
    ]
    assert all("reassign" in flag["available_actions"] for flag in found)


def test_a_partner_without_a_customer_is_flagged_once_with_all_its_rows() -> None:
    (flag,) = flags(company(1), company(2, PARTNER_ID="999"), company(3, PARTNER_ID="999"), known=rules_for("999"))
    assert (flag["flag_id"], flag["flag_type"], flag["scope"]) == ("unmapped_0", "unmapped_partner", "partner")
    assert flag["flag_reason"] == "No NetSuite customer mapping for partner 'Acme'"
    assert (flag["partner_key"], flag["row_index"], flag["affected_row_indices"]) == ("999", 1, [1, 2])


def rules_for(partner_id: str) -> Rules:
    """A second partner that has prices and no customer (its name is another one's in the Mapping)."""
    return rules([tier(), tier(partner_id=partner_id)], mapping=[customer(partner_name="Somebody")])


def test_a_partner_without_prices_is_flagged_once_with_all_its_rows() -> None:
    known = rules(mapping=[customer(), customer(partner_id="999", partner_name="Birch")])
    (flag,) = flags(company(1), company(2, PARTNER_ID="999", PARTNER_NAME="Birch"), known=known)
    assert told([flag]) == [("missing_tier_0", "missing_tier", "No pricing tier found for partner 'Birch'", 3)]
    assert flag["affected_row_indices"] == [1]


def test_a_partner_without_a_name_is_called_by_its_key() -> None:
    known = rules(mapping=[customer(partner_name="Somebody")])
    found = flags(company(1), company(2, PARTNER_ID="999", PARTNER_NAME=""), known=known)
    assert [flag["flag_reason"] for flag in found] == [
        "No NetSuite customer mapping for partner '999'",
        "No pricing tier found for partner '999'",
    ]


def test_an_unreadable_row_is_flagged_as_that_and_nothing_else() -> None:
    found = flags(company(1, TOTAL_INDIVIDUAL_USERS="5%", FIRST_BILLABLE_ACTIVITY_DATE=""))
    assert told(found) == [("bad_cell_0", "bad_cell", "TOTAL_INDIVIDUAL_USERS '5%' is not a plain number", 2)]
    assert found[0]["available_actions"] == ["remove", "fix_cell"]


def test_a_date_that_cannot_be_read_can_also_be_set() -> None:
    (flag,) = flags(company(1, FIRST_BILLABLE_ACTIVITY_DATE="2026-02-30"))
    assert flag["available_actions"] == ["remove", "fix_cell", "set_date"]


def test_a_row_of_another_month_is_flagged() -> None:
    found = flags(company(1), company(2, FOR_MONTH="2025-12-01"))
    reason = "FOR_MONTH '2025-12-01' is not the month of this file (2026-01)"
    assert told(found) == [("other_month_0", "other_month", reason, 3)]
    assert found[0]["available_actions"] == ["remove", "keep", "fix_cell"]


def test_flags_stand_in_the_reference_s_order_and_share_its_counter() -> None:
    """Row by row in pricing order, then by UUID, then partners without customer, then partners without prices."""
    known = rules(mapping=[customer(partner_name="Somebody")])
    found = flags(
        company(1, FIRST_BILLABLE_ACTIVITY_DATE=""),
        company(2, COMPANY_UUID="u-1", SUSPENSION_DATE="2025-01-01"),
        company(3, COMPANY_UUID="u-1", PARTNER_ID="999", PARTNER_NAME="Birch"),
        company(4, TOTAL_INDIVIDUAL_USERS="x"),
        company(5, FOR_MONTH="2025-12"),
        company(6, TOTAL_INDIVIDUAL_USERS="y"),
        company(7, ER_ID="", ER_NAME="", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-02"),
        known=known,
    )
    assert [(flag["flag_id"], flag["line"]) for flag in found] == [
        ("early_cancel_0", 3),
        ("bad_cell_0", 5),
        ("other_month_0", 6),
        ("bad_cell_1", 7),
        ("bad_data_1", 8),
        ("missing_fba_2", 2),
        ("dup_uuid_3", 3),
        ("dup_uuid_4", 4),
        ("unmapped_5", 4),
        ("missing_tier_6", 4),
    ]


def test_a_decision_is_shown_beside_the_flag_it_answers() -> None:
    rows = company(1, FIRST_BILLABLE_ACTIVITY_DATE=""), company(2, FIRST_BILLABLE_ACTIVITY_DATE="")
    found = flags(*rows, decided=decisions((1, "missing_fba_1", "keep")))
    assert [flag["decision"] for flag in found] == [None, "keep"]


def test_a_flag_number_may_shift_between_scans_the_row_counts() -> None:
    (flag,) = flags(company(1, FIRST_BILLABLE_ACTIVITY_DATE=""), decided=decisions((0, "missing_fba_17", "keep")))
    assert flag["decision"] == "keep"


def test_keeping_one_flag_of_a_row_leaves_its_other_flag_open() -> None:
    known = rules([tier(), tier(partner_id="102")], mapping=[customer(), customer(partner_id="102")])
    rows = (
        company(1, COMPANY_UUID="u", SUSPENSION_DATE="2025-01-01"),
        company(2, COMPANY_UUID="u", PARTNER_ID="102", PARTNER_NAME="Birch"),
    )
    found = flags(*rows, known=known, decided=decisions((0, "early_cancel_0", "keep")))
    assert [(flag["flag_id"], flag["decision"]) for flag in found] == [
        ("early_cancel_0", "keep"),
        ("dup_uuid_1", None),
        ("dup_uuid_2", None),
    ]


@pytest.mark.parametrize(("flag_id", "action"), [("early_cancel_0", "remove"), ("", "keep")])
def test_removing_a_row_or_deciding_without_naming_a_flag_answers_every_flag_of_the_row(
    flag_id: str, action: str
) -> None:
    known = rules([tier(), tier(partner_id="102")], mapping=[customer(), customer(partner_id="102")])
    rows = (
        company(1, COMPANY_UUID="u", SUSPENSION_DATE="2025-01-01"),
        company(2, COMPANY_UUID="u", PARTNER_ID="102", PARTNER_NAME="Birch"),
    )
    found = flags(*rows, known=known, decided=decisions((0, flag_id, action)))
    assert [flag["decision"] for flag in found] == [action, action, None]


def test_removing_one_row_of_a_partner_leaves_the_flag_about_the_partner_open() -> None:
    rows = (
        company(1, PARTNER_ID="999", SUSPENSION_DATE="2025-01-01"),
        company(2, PARTNER_ID="999", FIRST_BILLABLE_ACTIVITY_DATE="2025-06-02"),
    )
    found = flags(*rows, known=rules_for("999"), decided=decisions((0, "early_cancel_0", "remove")))
    assert [(flag["flag_id"], flag["decision"]) for flag in found] == [
        ("early_cancel_0", "remove"),
        ("unmapped_1", None),
    ]


def test_removing_every_row_of_a_partner_answers_the_flag_about_the_partner() -> None:
    rows = (
        company(1, PARTNER_ID="999", SUSPENSION_DATE="2025-01-01"),
        company(2, PARTNER_ID="999", SUSPENSION_DATE="2025-01-01"),
    )
    removed = decisions((0, "early_cancel_0", "remove"), (1, "early_cancel_1", "remove"))
    found = flags(*rows, known=rules_for("999"), decided=removed)
    assert [(flag["flag_id"], flag["decision"]) for flag in found][2:] == [("unmapped_2", "remove")]


def test_the_last_decision_about_a_flag_counts() -> None:
    (flag,) = flags(
        company(1, FIRST_BILLABLE_ACTIVITY_DATE=""),
        decided=decisions((0, "missing_fba_0", "keep"), (0, "missing_fba_0", "remove")),
    )
    assert flag["decision"] == "remove"


def test_a_row_is_known_by_its_content_and_its_number_among_equals() -> None:
    undated = company(1, FIRST_BILLABLE_ACTIVITY_DATE="")
    same, other = flags(undated, undated), flags(company(2), undated)
    first, second = (flag["row_id"] for flag in same)
    assert second == f"{first}#2"
    assert [flag["row_id"] for flag in other] == [first]
    assert len(first) == 20


def test_another_cell_makes_another_row() -> None:
    (one,) = flags(company(1, FIRST_BILLABLE_ACTIVITY_DATE="", REGION="a"))
    (two,) = flags(company(1, FIRST_BILLABLE_ACTIVITY_DATE="", REGION="b"))
    assert one["row_id"] != two["row_id"]


def fixes(*cells: tuple[str, str]) -> pl.DataFrame:
    """Corrections of cells of the first row, about its flag bad_cell."""
    rows = [(0, "bad_cell", "fix_cell", None, None, None, cell, value) for cell, value in cells]
    return pl.DataFrame(rows, schema=no_decisions().schema, orient="row")


@pytest.mark.parametrize(
    ("corrected", "decision"),
    [
        ([("TOTAL_INDIVIDUAL_USERS", "5")], None),
        ([("TOTAL_INDIVIDUAL_USERS", "5"), ("SUSPENSION_DATE", "2026-01-09")], "fix_cell"),
    ],
)
def test_a_flag_about_unreadable_cells_stays_open_until_all_of_them_can_be_read(
    corrected: list[tuple[str, str]], decision: str | None
) -> None:
    row = company(1, TOTAL_INDIVIDUAL_USERS="5%", SUSPENSION_DATE="soon")
    (flag,) = flags(row, decided=fixes(*corrected))
    assert flag["decision"] == decision
