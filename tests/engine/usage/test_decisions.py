"""Decisions on flagged rows: the published decision file read and refused, applied to rows, and listed."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.usage import apply_decisions, no_decisions, overrides_applied, read_decisions
from tests.literals import JANUARY, company, usage

NAME, HASH, ROWS = "billing_overrides.json", "a" * 64, 3


def file(*entries: Any, **document: Any) -> bytes:
    return json.dumps({"usage_file_sha256": HASH, "decisions": list(entries)} | document).encode()


def read(data: bytes, *, required: bool = True) -> list[dict[str, Any]]:
    return read_decisions(data, NAME, HASH, ROWS, JANUARY, required=required).to_dicts()


def refused(data: bytes, *, required: bool = True) -> list[Problem]:
    with pytest.raises(InputError) as error:
        read(data, required=required)
    return list(error.value.problems)


def decided(row: int = 0, action: str = "keep", **more: Any) -> dict[str, Any]:
    return {"row_index": row, "action": action} | more


def applied(rows: list[Mapping[str, str]], *entries: dict[str, Any]) -> pl.DataFrame:
    decisions = read_decisions(file(*entries), NAME, HASH, len(rows), JANUARY)
    return apply_decisions(usage(*rows).lazy(), decisions, JANUARY).collect()


def test_every_action_of_the_published_format_is_read() -> None:
    entries = (
        decided(0, "remove", flag_id="early_cancel_0"),
        decided(1, "keep"),
        decided(1, "set_date", set_date=" 2026-02-20 "),
        decided(2, "reassign", reassign_to_partner_name=" Birch ", reassign_to_partner_id="1007"),
        decided(2, "set_date_and_reassign", set_date="2/1/26", reassign_to_partner_name="Cedar"),
    )
    names = ("position", "flag_id", "action", "set_date", "partner_name", "partner_id")
    assert [tuple(row[name] for name in names) for row in read(file(*entries))] == [
        (0, "early_cancel_0", "remove", None, None, None),
        (1, "", "keep", None, None, None),
        (1, "", "set_date", "2026-02-20", None, None),
        (2, "", "reassign", None, "Birch", "1007"),
        (2, "", "set_date_and_reassign", "2/1/26", "Cedar", None),
    ]


def test_a_decision_about_a_partner_is_about_every_row_it_names() -> None:
    rows = read(file(decided(0, "remove", scope="partner", affected_row_indices=[0, 2])))
    assert [(row["position"], row["action"]) for row in rows] == [(0, "remove"), (2, "remove")]


def test_a_decision_without_an_action_keeps_the_row() -> None:
    assert [row["action"] for row in read(file({"row_index": 1}))] == ["keep"]


def test_a_file_without_decisions_decides_nothing() -> None:
    assert read(file()) == read(json.dumps({"usage_file_sha256": HASH}).encode()) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"usage_file_sha256": "x",}', b"\xff\xfe{}", b"not json", b"[" * 100_000],
    ids=["no bytes", "cut off", "trailing comma", "not utf-8", "words", "endless nesting"],
)
def test_a_file_that_is_not_json_is_refused(data: bytes) -> None:
    (problem,) = refused(data)
    assert problem.file == NAME
    assert problem.message.startswith("is not JSON: ")


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"null", b'{"decisions": {}}', b'{"decisions": "remove"}'])
def test_json_of_another_shape_is_refused(data: bytes) -> None:
    shape = 'is not a decision file: expected {"usage_file_sha256": ..., "decisions": [...]}'
    assert refused(data) == [Problem(shape, file=NAME)]


@pytest.mark.parametrize("saved", [None, "", 0])
def test_a_file_that_names_no_usage_file_is_refused(saved: object) -> None:
    assert refused(file(decided(), usage_file_sha256=saved)) == [
        Problem("names no usage_file_sha256, so it cannot be matched to a usage file", file=NAME)
    ]


DIFFERENT = Problem(
    "Billing overrides were created for a different usage file (expected aaaaaaaaaaaaaaaa…, got bbbbbbbbbbbbbbbb…). "
    "Re-run the pre-scan to generate fresh overrides.",
    file=NAME,
)


def test_a_file_for_another_usage_file_is_refused_with_both_hashes() -> None:
    assert refused(file(decided(), usage_file_sha256="b" * 64)) == [DIFFERENT]


def test_another_month_s_file_that_nobody_asked_for_decides_nothing_here() -> None:
    other = file(decided(), usage_file_sha256="b" * 64, for_month="2025.12")
    assert read(other, required=False) == []
    assert refused(other, required=True) == [DIFFERENT]


@pytest.mark.parametrize("month", ["2026.01", None, "soon"])
def test_this_month_s_file_for_another_usage_file_is_refused_even_when_nobody_asked_for_it(month: str | None) -> None:
    assert refused(file(decided(), usage_file_sha256="b" * 64, for_month=month), required=False) == [DIFFERENT]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("remove", "is not an object"),
        (
            decided(0, "delete"),
            "action 'delete' is not one of keep, remove, reassign, set_date, set_date_and_reassign",
        ),
        (decided(0, "Remove"), "action 'Remove' is not one of keep, remove, reassign, set_date, set_date_and_reassign"),
        (decided(scope="company"), "scope 'company' is neither row nor partner"),
        (decided(3), "row_index 3 is not a row of the usage file (0 to 2)"),
        (decided(-1), "row_index -1 is not a row of the usage file (0 to 2)"),
        (decided(row_index="1"), "row_index '1' is not a row of the usage file (0 to 2)"),
        (decided(row_index=1.0), "row_index 1.0 is not a row of the usage file (0 to 2)"),
        (decided(row_index=True), "row_index True is not a row of the usage file (0 to 2)"),
        ({"action": "keep"}, "row_index None is not a row of the usage file (0 to 2)"),
        (
            decided(scope="partner", affected_row_indices=[0, 7]),
            "row_index 7 is not a row of the usage file (0 to 2)",
        ),
        (decided(scope="partner", affected_row_indices=[]), "scope partner names no rows"),
        (decided(scope="partner"), "scope partner names no rows"),
        (decided(0, "set_date", set_date="2026-02-30"), "set_date '2026-02-30' is not a date"),
        (decided(0, "set_date"), "set_date '' is not a date"),
        (decided(0, "reassign"), "reassign names no partner (reassign_to_partner_name)"),
        (
            decided(0, "reassign", reassign_to_partner_id="7", reassign_to_partner_name=" "),
            "reassign names no partner (reassign_to_partner_name)",
        ),
        (decided(0, "set_date_and_reassign", reassign_to_partner_name="Birch"), "set_date '' is not a date"),
    ],
)
def test_a_decision_that_cannot_be_taken_is_refused_by_its_number(entry: Any, message: str) -> None:
    assert refused(file(decided(1), entry)) == [Problem(f"decision 2: {message}", file=NAME)]


def test_everything_wrong_with_a_file_is_told_at_once() -> None:
    found = refused(file("x", decided(0), decided(9)))
    assert [problem.message for problem in found] == [
        "decision 1: is not an object",
        "decision 3: row_index 9 is not a row of the usage file (0 to 2)",
    ]


def test_without_decisions_the_rows_stay_as_they_are() -> None:
    rows = usage(company(1), company(2))
    assert apply_decisions(rows.lazy(), no_decisions(), JANUARY).collect().equals(rows)


def test_a_removed_row_is_marked_and_not_dropped() -> None:
    rows = applied([company(1), company(2)], decided(1, "remove"))
    assert rows.select("ER_ID", "decision").rows() == [("1", None), ("2", "remove")]


def test_a_row_is_named_by_its_place_in_pricing_order() -> None:
    late, early = company(1, FIRST_BILLABLE_ACTIVITY_DATE="2026-01-01"), company(2)
    assert applied([late, early], decided(0, "remove"))["decision"].to_list() == [None, "remove"]


def test_reassigning_sets_name_and_id_together() -> None:
    """A partner without an id takes the old id away (Q31)."""
    rows = applied(
        [company(1), company(2)],
        decided(0, "reassign", reassign_to_partner_name="Birch", reassign_to_partner_id="1007"),
        decided(1, "reassign", reassign_to_partner_name="Name Only"),
    )
    assert rows.select("PARTNER_NAME", "PARTNER_ID", "decision").rows() == [
        ("Birch", "1007", "reassign"),
        ("Name Only", None, "reassign"),
    ]


def test_a_date_is_set_as_text_and_as_a_date_on_every_row_of_the_partner() -> None:
    """The reference set it on the first row only (Q32)."""
    undated = [company(n, FIRST_BILLABLE_ACTIVITY_DATE="") for n in (1, 2)]
    rows = applied(undated, decided(0, "set_date", set_date="2/1/26", scope="partner", affected_row_indices=[0, 1]))
    assert rows.select("FIRST_BILLABLE_ACTIVITY_DATE", "first_billable", "decision").rows() == [
        ("2/1/26", date(2026, 2, 1), "set_date"),
        ("2/1/26", date(2026, 2, 1), "set_date"),
    ]


def test_date_and_partner_can_be_set_together_or_one_after_the_other() -> None:
    moved = {"reassign_to_partner_name": "Birch", "reassign_to_partner_id": "7"}
    rows = applied(
        [company(1), company(2)],
        decided(0, "set_date_and_reassign", set_date="2026-01-09", **moved),
        decided(1, "set_date", set_date="2026-01-09"),
        decided(1, "reassign", **moved),
    )
    assert (
        rows.select("first_billable", "PARTNER_NAME", "decision").rows()
        == [(date(2026, 1, 9), "Birch", "set_date_and_reassign")] * 2
    )


def test_removal_wins_over_everything_else_on_the_row() -> None:
    rows = applied(
        [company(1)],
        decided(0, "remove"),
        decided(0, "set_date_and_reassign", set_date="2026-01-09", reassign_to_partner_name="Birch"),
        decided(0, "keep"),
    )
    assert rows.select("decision", "PARTNER_NAME", "FIRST_BILLABLE_ACTIVITY_DATE").rows() == [
        ("remove", "Acme", "2025-06-01")
    ]


def test_of_repeated_dates_and_partners_the_last_holds() -> None:
    rows = applied(
        [company(1)],
        decided(0, "set_date", set_date="2026-01-01"),
        decided(0, "reassign", reassign_to_partner_name="Birch", reassign_to_partner_id="7"),
        decided(0, "set_date", set_date="2026-01-02"),
        decided(0, "reassign", reassign_to_partner_name="Cedar"),
    )
    assert rows.select("first_billable", "PARTNER_NAME", "PARTNER_ID").rows() == [(date(2026, 1, 2), "Cedar", None)]


def test_the_pricing_order_stays_that_of_the_untouched_file() -> None:
    """New dates and partners do not move a row (Q33)."""
    rows = [company(1, FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"), company(2)]
    assert applied(rows, decided(0, "set_date", set_date="2026-01-31"))["position"].to_list() == [0, 1]


def test_a_date_cures_a_row_whose_only_unreadable_cell_was_that_date() -> None:
    bad_date = company(1, FIRST_BILLABLE_ACTIVITY_DATE="2026-02-30")
    both = company(2, FIRST_BILLABLE_ACTIVITY_DATE="2026-02-30", TOTAL_INDIVIDUAL_USERS="5%")
    count = company(3, TOTAL_INDIVIDUAL_USERS="5%", FIRST_BILLABLE_ACTIVITY_DATE="2026-01-01")
    dates = [decided(n, "set_date", set_date="2026-01-09") for n in range(3)]
    rows = applied([bad_date, both, count], *dates)
    assert dict(zip(rows["ER_ID"], rows["input_status"], strict=True)) == {"1": None, "2": "bad_cell", "3": "bad_cell"}
    assert rows["input_problem"][0] is None


@pytest.mark.parametrize("action", ["keep", "remove", "reassign"])
def test_no_other_decision_makes_an_unreadable_row_readable(action: str) -> None:
    entry = decided(0, action, reassign_to_partner_name="Birch")
    rows = applied([company(1, TOTAL_INDIVIDUAL_USERS="5%"), company(2)], entry)
    assert rows["input_status"].to_list() == ["bad_cell", None]


@pytest.mark.parametrize(("action", "status"), [("keep", None), ("remove", "other_month"), ("set_date", "other_month")])
def test_keeping_a_row_of_another_month_bills_it_in_this_one(action: str, status: str | None) -> None:
    rows = applied(
        [company(1, FOR_MONTH="2025-12-01"), company(2, FIRST_BILLABLE_ACTIVITY_DATE="2025-07-01")],
        decided(0, action, set_date="2025-06-01"),
    )
    assert rows["input_status"].to_list() == [status, None]


@pytest.mark.parametrize(("flag_id", "status"), [("other_month_0", None), ("unmapped_1", "other_month")])
def test_only_a_decision_about_the_month_bills_a_row_of_another_month(flag_id: str, status: str | None) -> None:
    """Keeping the row's partner although it has no customer says nothing about its month."""
    rows = [company(1, FOR_MONTH="2025-12-01"), company(2, FIRST_BILLABLE_ACTIVITY_DATE="2025-07-01")]
    partner = decided(0, "keep", flag_id=flag_id, scope="partner", affected_row_indices=[0, 1])
    assert applied(rows, partner)["input_status"].to_list() == [status, None]


def test_a_row_of_another_month_stays_one_when_its_date_is_cured() -> None:
    bad = company(1, FIRST_BILLABLE_ACTIVITY_DATE="2026-02-30", FOR_MONTH="2025-12-01")
    rows = applied([company(2), bad], decided(1, "set_date", set_date="2026-01-09"))
    assert rows["input_status"].to_list() == [None, "other_month"]
    assert rows["input_problem"][1] == "FOR_MONTH '2025-12-01' is not the month of this file (2026-01)"


def changes(rows: list[Mapping[str, str]], *entries: dict[str, Any]) -> list[dict[str, Any]]:
    return overrides_applied(usage(*rows).lazy(), applied(rows, *entries).lazy()).to_dicts()


def test_what_decisions_changed_is_listed_in_row_order_with_old_and_new() -> None:
    rows: list[Mapping[str, str]] = [
        company(n, COMPANY_UUID=f"u-{n}", FIRST_BILLABLE_ACTIVITY_DATE=f"2025-06-0{n}") for n in (1, 2, 3, 4)
    ]
    rows[1] = {**rows[1], "FIRST_BILLABLE_ACTIVITY_DATE": "6/2/25"}
    listed = changes(
        rows,
        decided(3, "reassign", reassign_to_partner_name="Birch", reassign_to_partner_id="7"),
        decided(1, "set_date", set_date="1/9/26"),
        decided(0, "remove"),
        decided(2, "keep"),
    )
    old = {"Original Partner": None, "New Partner": None, "Original Date": None, "New Date": None}
    assert listed == [
        {"Action": "Removed", "ER_NAME": "Company 1", "COMPANY_UUID": "u-1", **old}
        | {"Original Partner": "Acme", "Original Date": "2025-06-01 00:00:00"},
        {"Action": "Modified", "ER_NAME": "Company 2", "COMPANY_UUID": "u-2", **old}
        | {"Original Date": "2025-06-02 00:00:00", "New Date": "1/9/26"},
        {"Action": "Modified", "ER_NAME": "Company 4", "COMPANY_UUID": "u-4", **old}
        | {"Original Partner": "Acme", "New Partner": "Birch"},
    ]


def test_keeping_is_not_listed_as_a_change() -> None:
    assert changes([company(1)], decided(0, "keep")) == []


def test_a_file_without_uuids_lists_its_changes_too() -> None:
    (change,) = changes([company(1)], decided(0, "remove"))
    assert (change["Action"], change["COMPANY_UUID"]) == ("Removed", None)


def fixed(rows: list[Mapping[str, str]], *fixes: tuple[int, str, str | None], action: str = "fix_cell") -> pl.DataFrame:
    """The rows with cells corrected: position, column, new text."""
    decisions = pl.DataFrame(
        [(position, "bad_cell", action, None, None, None, cell, value) for position, cell, value in fixes],
        schema=no_decisions().schema,
        orient="row",
    )
    return apply_decisions(usage(*rows).lazy(), decisions, JANUARY).collect()


def test_a_corrected_cell_is_read_as_if_the_file_had_held_it() -> None:
    wrong = company(
        1, TOTAL_INDIVIDUAL_USERS="5%", FIRST_BILLABLE_ACTIVITY_DATE="2026-02-30", SUSPENSION_DATE="", REGION="a"
    )
    right = wrong | {
        "TOTAL_INDIVIDUAL_USERS": "1,200",
        "FIRST_BILLABLE_ACTIVITY_DATE": "2/1/26",
        "SUSPENSION_DATE": "46027",
    }
    rows = fixed(
        [wrong],
        (0, "TOTAL_INDIVIDUAL_USERS", "1,200"),
        (0, "FIRST_BILLABLE_ACTIVITY_DATE", "2/1/26"),
        (0, "SUSPENSION_DATE", "46027"),
    )
    assert rows["decision"].to_list() == ["fix_cell"]
    assert rows.drop("decision").equals(usage(right).drop("decision"))


def test_a_corrected_row_keeps_its_line_and_its_place_in_pricing_order() -> None:
    rows = fixed([company(2), company(1)], (1, "FIRST_BILLABLE_ACTIVITY_DATE", "2020-01-01"))
    assert rows.select("ER_ID", "line", "position").rows() == [("2", 2, 0), ("1", 3, 1)]


def test_a_corrected_month_brings_the_row_into_the_bill() -> None:
    rows = fixed([company(2), company(1, FOR_MONTH="2025-12", PARTNER_NAME="Birch")], (1, "FOR_MONTH", "2026-01"))
    assert rows["input_status"].to_list() == [None, None]


def test_a_row_with_another_unreadable_cell_stays_unpriced() -> None:
    wrong = company(1, TOTAL_INDIVIDUAL_USERS="5%", SUSPENSION_DATE="soon")
    rows = fixed([wrong, company(2, PARTNER_NAME="Birch")], (0, "TOTAL_INDIVIDUAL_USERS", "5"))
    assert rows["input_status"][0] == "bad_cell"
    assert rows["input_problem"][0].startswith("SUSPENSION_DATE 'soon' is not a date")


def test_a_cell_can_be_emptied_and_the_last_correction_of_it_holds() -> None:
    rows = fixed([company(1, SUSPENSION_DATE="x")], (0, "SUSPENSION_DATE", "y"), (0, "SUSPENSION_DATE", None))
    assert rows.select("SUSPENSION_DATE", "input_status").rows() == [(None, None)]


def test_names_of_partners_are_no_cells_to_correct() -> None:
    rows = fixed([company(1)], (0, "PARTNER_ID", "7"), (0, "NO_SUCH_COLUMN", "7"))
    assert rows["PARTNER_ID"].to_list() == ["101"]
    assert "NO_SUCH_COLUMN" not in rows.columns


def test_corrected_cells_are_listed_with_old_and_new_text_and_only_then_there_are_columns_for_them() -> None:
    rows: list[Mapping[str, str]] = [company(1, TOTAL_INDIVIDUAL_USERS="5%"), company(2), company(3)]
    decisions = pl.DataFrame(
        [
            (0, "bad_cell", "fix_cell", None, None, None, "TOTAL_INDIVIDUAL_USERS", "5"),
            (0, "bad_cell", "fix_cell", None, None, None, "ER_NAME", "Birch"),
            (1, "", "remove", None, None, None, None, None),
            (2, "", "fix_cell", None, None, None, "ER_NAME", "Cedar"),
            (2, "", "set_date", "2026-01-09", None, None, None, None),
        ],
        schema=no_decisions().schema,
        orient="row",
    )
    before = usage(*rows).lazy()
    listed = overrides_applied(before, apply_decisions(before, decisions, JANUARY))
    names = ("Action", "ER_NAME", "New Date", "Cell", "Original Value", "New Value")
    assert listed.select(names).rows() == [
        ("Modified", "Company 1", None, "ER_NAME", "Company 1", "Birch"),
        ("Modified", "Company 1", None, "TOTAL_INDIVIDUAL_USERS", "5%", "5"),
        ("Removed", "Company 2", None, None, None, None),
        ("Modified", "Company 3", "2026-01-09", None, None, None),
        ("Modified", "Company 3", None, "ER_NAME", "Company 3", "Cedar"),
    ]
    removed = apply_decisions(before, decisions.filter(pl.col("action") == "remove"), JANUARY)
    assert "Cell" not in overrides_applied(before, removed).columns
