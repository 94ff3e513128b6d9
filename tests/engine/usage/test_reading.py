"""From text cells to typed rows: counts, dates, months, pricing order, and what sends a row to review."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from billing_pipeline.engine import tables
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage import read_usage
from tests.literals import COLUMNS, JANUARY, USAGE_NAME, company, usage, usage_csv

NOT_A_DATE = "is not a date (accepted: YYYY-MM-DD, M/D/YY, M/D/YYYY, an Excel serial)"


def refused(data: bytes) -> list[Problem]:
    with pytest.raises(InputError) as error:
        read_usage(data, USAGE_NAME, JANUARY)
    return list(error.value.problems)


def only(column: str, **cells: str) -> object:
    """The one value of a computed column for a file of one row."""
    return usage(company(99), company(**cells))[column][1]


def test_source_columns_stay_the_text_they_were_and_typed_columns_stand_beside_them() -> None:
    rows = usage(company(7, TOTAL_INDIVIDUAL_USERS=" 1,200 ", REGION="  EMEA "))
    assert rows.columns == [*COLUMNS, "REGION", *tables.USAGE]
    assert rows.select("TOTAL_INDIVIDUAL_USERS", "REGION", "users").row(0) == (" 1,200 ", "  EMEA ", Decimal(1200))
    assert dict(rows.select(tables.USAGE.keys()).schema) == tables.USAGE


def test_a_row_has_its_line_its_month_its_dates_and_its_users() -> None:
    row = usage(
        company(
            FIRST_BILLABLE_ACTIVITY_DATE="6/1/25",
            SUSPENSION_DATE="2026-01-31T10:00:00Z",
            DISSOCIATION_DATE="46050",
            TOTAL_INDIVIDUAL_USERS="1.5",
        )
    ).row(0, named=True)
    assert {name: row[name] for name in tables.USAGE} == {
        "line": 2,
        "position": 0,
        "month": date(2026, 1, 1),
        "first_billable": date(2025, 6, 1),
        "suspended": date(2026, 1, 31),
        "dissociated": date(2026, 1, 28),
        "users": Decimal("1.5"),
        "next_day": False,
        "input_status": None,
        "input_problem": None,
        "bad_cells": 0,
        "decision": None,
    }


@pytest.mark.parametrize(
    ("text", "counted"), [("", "0"), ("  ", "0"), ("-3", "-3"), ("$7", "7"), ("1,200", "1200"), ("007", "7")]
)
def test_a_count_is_read_and_a_blank_one_is_none(text: str, counted: str) -> None:
    assert only("users", TOTAL_INDIVIDUAL_USERS=text) == Decimal(counted)
    assert only("input_status", TOTAL_INDIVIDUAL_USERS=text) is None


@pytest.mark.parametrize("text", ["1e3", "(5)", "inf", "5%", "5+", "n/a", "five"])
def test_a_count_that_cannot_be_read_sends_the_row_to_review(text: str) -> None:
    assert only("input_status", TOTAL_INDIVIDUAL_USERS=text) == "bad_cell"
    assert only("input_problem", TOTAL_INDIVIDUAL_USERS=text) == (
        f"TOTAL_INDIVIDUAL_USERS '{text}' is not a plain number"
    )


@pytest.mark.parametrize("column", ["FIRST_BILLABLE_ACTIVITY_DATE", "SUSPENSION_DATE", "DISSOCIATION_DATE"])
def test_a_date_that_cannot_be_read_sends_the_row_to_review(column: str) -> None:
    assert only("input_problem", **{column: "2026-02-30"}) == f"{column} '2026-02-30' {NOT_A_DATE}"
    assert only("bad_cells", **{column: "2026-02-30"}) == 1


def test_every_bad_cell_of_a_row_is_told() -> None:
    bad = {"TOTAL_INDIVIDUAL_USERS": "5%", "SUSPENSION_DATE": "soon", "FOR_MONTH": "Jan"}
    assert only("bad_cells", **bad) == 3
    assert only("input_problem", **bad) == (
        "TOTAL_INDIVIDUAL_USERS '5%' is not a plain number; "
        "FOR_MONTH 'Jan' is not a month (accepted: YYYY-MM, YYYY.MM, YYYY/MM, YYYYMM or a date); "
        f"SUSPENSION_DATE 'soon' {NOT_A_DATE}"
    )


@pytest.mark.parametrize("text", ["2025-12-01", "2026-02", "202512", "1/1/25", "2026"])
def test_a_row_of_another_month_goes_to_review(text: str) -> None:
    assert only("input_status", FOR_MONTH=text) == "other_month"
    assert only("input_problem", FOR_MONTH=text) == f"FOR_MONTH '{text}' is not the month of this file (2026-01)"


def test_a_row_without_a_month_goes_to_review() -> None:
    assert only("input_status", FOR_MONTH="") == "other_month"
    assert only("input_problem", FOR_MONTH="") == "FOR_MONTH '' is not the month of this file (2026-01)"


def test_a_bad_cell_is_told_before_a_wrong_month() -> None:
    assert only("input_status", FOR_MONTH="2025-12", TOTAL_INDIVIDUAL_USERS="x") == "bad_cell"


@pytest.mark.parametrize("text", ["2026-01", "2026.01", "202601", "2026/01", "1/31/26", "2026-01-15T00:00:00Z"])
def test_every_day_and_spelling_of_the_month_belongs_to_it(text: str) -> None:
    assert only("input_status", FOR_MONTH=text) is None


def test_the_month_asked_for_decides_and_not_the_first_row() -> None:
    rows = usage(company(1, FOR_MONTH="2025-12"), company(2), period=JANUARY)
    assert rows["input_status"].to_list() == ["other_month", None]
    rows = usage(company(1, FOR_MONTH="2025-12"), company(2), period=Period(2025, 12))
    assert rows["input_status"].to_list() == [None, "other_month"]


def test_a_file_without_a_row_of_its_own_month_is_refused_and_its_months_are_named() -> None:
    data = usage_csv(company(1, FOR_MONTH="2026-02-01"), company(2, FOR_MONTH="2025-12"), company(3, FOR_MONTH="Jan"))
    assert refused(data) == [
        Problem("has no row of 2026-01; months in the file: 2025-12, 2026-02", file=USAGE_NAME, cell="FOR_MONTH")
    ]


def test_a_file_without_any_readable_month_is_refused() -> None:
    assert refused(usage_csv(company(FOR_MONTH="January"), company(FOR_MONTH=""))) == [
        Problem("has no row of 2026-01; months in the file: none that can be read", file=USAGE_NAME, cell="FOR_MONTH")
    ]


@pytest.mark.parametrize(
    "column", ["FOR_MONTH", "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", "TOTAL_INDIVIDUAL_USERS"]
)
def test_a_required_column_that_is_missing_is_named_with_the_columns_there_are(column: str) -> None:
    others = ", ".join(c for c in COLUMNS if c != column)
    assert refused(usage_csv(company(), without=[column])) == [
        Problem(f"column {column} is missing; the file has: {others}", file=USAGE_NAME, line=1)
    ]


def test_all_missing_columns_are_told_at_once() -> None:
    (problem,) = refused(usage_csv(company(), without=["ER_ID", "TOTAL_INDIVIDUAL_USERS"]))
    assert problem.message.startswith("column ER_ID, TOTAL_INDIVIDUAL_USERS is missing;")


def test_the_other_columns_may_be_missing() -> None:
    data = usage_csv(company(), without=["FIRST_BILLABLE_ACTIVITY_DATE", "CURRENT_ACH_SPEED"])
    row = read_usage(data, USAGE_NAME, JANUARY).row(0, named=True)
    assert (row["first_billable"], row["FIRST_BILLABLE_ACTIVITY_DATE"], row["next_day"]) == (None, None, False)


@pytest.mark.parametrize(
    "speed", ["1-day", "1 day", "Same Day", "SAME DAY", "Next 1 day", " 1-Day ", "11-day", "21 days", "same day ACH"]
)
def test_next_day_fees_apply_when_the_speed_contains_the_words(speed: str) -> None:
    assert only("next_day", CURRENT_ACH_SPEED=speed) is True


@pytest.mark.parametrize("speed", ["", "2-day", "4 day", "same-day", "next-day", "1day", "1  day", "instant"])
def test_next_day_fees_do_not_apply_to_another_speed(speed: str) -> None:
    assert only("next_day", CURRENT_ACH_SPEED=speed) is False


def test_pricing_order_is_by_raw_partner_name_then_date_then_file_order() -> None:
    rows = usage(
        company(1, PARTNER_NAME="b", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"),
        company(2, PARTNER_NAME="", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"),
        company(3, PARTNER_NAME="a", FIRST_BILLABLE_ACTIVITY_DATE=""),
        company(4, PARTNER_NAME="a", FIRST_BILLABLE_ACTIVITY_DATE="2/1/25"),
        company(5, PARTNER_NAME="a", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-31"),
        company(6, PARTNER_NAME="B", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"),
        company(7, PARTNER_NAME="a", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-31"),
        company(8, PARTNER_NAME=" a", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"),
        company(9, PARTNER_NAME="É", FIRST_BILLABLE_ACTIVITY_DATE="2025-01-01"),
    )
    assert rows.sort("position")["ER_ID"].to_list() == ["8", "6", "5", "7", "4", "3", "1", "9", "2"]
    assert sorted(rows["position"]) == list(range(9))


def test_lines_are_those_of_the_file_with_blank_lines_and_line_breaks_in_cells() -> None:
    data = usage_csv(company(1, ER_NAME="Two\nlines"), company(2), company(3)).replace(b"\n2026", b"\n\n2026", 1)
    rows = read_usage(data, USAGE_NAME, JANUARY)
    assert rows["line"].to_list() == [3, 5, 6]
    assert rows["ER_NAME"].to_list() == ["Two\nlines", "Company 2", "Company 3"]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    data = usage_csv(company(1), company(2))
    windows = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    assert read_usage(windows, USAGE_NAME, JANUARY).equals(read_usage(data, USAGE_NAME, JANUARY))


def test_quotes_around_cells_change_nothing() -> None:
    data = usage_csv(company(1, CURRENT_ACH_SPEED="", TOTAL_INDIVIDUAL_USERS=""), company(2))
    header, *lines = data.decode().splitlines()
    quoted = "\n".join([header, *(",".join(f'"{cell}"' for cell in line.split(",")) for line in lines)]).encode()
    assert read_usage(quoted, USAGE_NAME, JANUARY).equals(read_usage(data, USAGE_NAME, JANUARY))


def test_a_name_like_null_or_na_is_a_name() -> None:
    """Only the empty cell is missing (Q7)."""
    rows = usage(*(company(n, PARTNER_NAME=name) for n, name in enumerate(["NA", "null", "None", "n/a", "NaN"])))
    assert rows["PARTNER_NAME"].to_list() == ["NA", "null", "None", "n/a", "NaN"]


def test_an_empty_cell_is_null_and_a_blank_one_its_blanks() -> None:
    rows = usage(company(1, PARTNER_NAME="", REGION="x"), company(2, PARTNER_NAME=" ", REGION=""))
    assert rows.select("PARTNER_NAME", "REGION").rows() == [(None, "x"), (" ", None)]


def test_a_whole_row_of_commas_is_a_row_to_look_at_not_a_blank_line() -> None:
    data = usage_csv(company(1)) + b"," * (len(COLUMNS) - 1) + b"\n"
    rows = read_usage(data, USAGE_NAME, JANUARY)
    assert rows["line"].to_list() == [2, 3]
    assert rows["PARTNER_ID"].to_list() == ["101", None]


def test_ids_are_text_to_the_last_digit() -> None:
    rows = usage(company("00101", PARTNER_ID="90071992547409931"), company("101.0", PARTNER_ID="1e3"))
    assert rows["ER_ID"].to_list() == ["00101", "101.0"]
    assert rows["PARTNER_ID"].to_list() == ["90071992547409931", "1e3"]
    assert rows["PARTNER_ID"].dtype == pl.String
