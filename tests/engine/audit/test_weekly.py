"""Weekly workbooks: which rows are billed work, how they are grouped, and by what a group is known to be the same."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.audit.tables import ROWS
from billing_pipeline.engine.audit.weekly import weekly_groups, weekly_rows

SUNDAY = date(2026, 1, 4)
LINE = {
    "sheet_id": "S1", "row_id": "1", "work_request": "10000001", "week_ending": SUNDAY, "work_date": date(2026, 1, 2),
    "completed": True, "price": Decimal("100.00"), "quantity": Decimal("2.0000"), "unit_code": "POLE-40",
    "work_type": "Install", "point": "P1", "foreman": "Ada",
}  # fmt: skip


def groups(*lines: dict[str, Any]) -> list[dict[str, Any]]:
    return weekly_groups(weekly_rows(snapshot(*lines))).to_dicts()


def snapshot(*lines: dict[str, Any]) -> pl.DataFrame:
    rows = [dict.fromkeys(ROWS) | LINE | {"row_id": str(number)} | line for number, line in enumerate(lines)]
    return pl.DataFrame(rows, schema=ROWS)


def content(*lines: dict[str, Any]) -> str:
    (group,) = groups(*lines)
    return str(group["content_hash"])


def test_a_work_request_has_a_workbook_for_each_of_its_weeks() -> None:
    made = groups({}, {}, {"week_ending": date(2026, 1, 11)}, {"work_request": "10000002"})
    assert [(one["file"], one["rows"], one["total"]) for one in made] == [
        ("2026-01-04/WR_10000001_WeekEnding_010426.xlsx", 2, Decimal("200.00")),
        ("2026-01-11/WR_10000001_WeekEnding_011126.xlsx", 1, Decimal("100.00")),
        ("2026-01-04/WR_10000002_WeekEnding_010426.xlsx", 1, Decimal("100.00")),
    ]


@pytest.mark.parametrize(
    "line",
    [
        {"work_request": None}, {"week_ending": None}, {"completed": False}, {"completed": None}, {"price": None},
        {"price": Decimal("0.00")}, {"price": Decimal("-5.00")}, {"unit_code": "No Match found"},
    ],
)  # fmt: skip
def test_a_row_that_is_no_billed_work_is_in_no_workbook(line: dict[str, Any]) -> None:
    assert groups(line) == []


def test_a_row_without_a_work_date_or_of_another_week_counts_and_is_outside() -> None:
    days = [date(2025, 12, 28), date(2025, 12, 29), SUNDAY, date(2026, 1, 5), None]
    rows = weekly_rows(snapshot(*({"work_date": day} for day in days)))
    expected = dict(zip(days, [True, False, False, True, True], strict=True))
    assert dict(rows.select("work_date", "outside").rows()) == expected
    assert weekly_groups(rows)["rows"].to_list() == [5]


def test_the_same_rows_in_another_order_and_with_other_ids_are_the_same_content() -> None:
    one, other = {"point": "P1"}, {"point": "P2", "price": Decimal("50.00")}
    assert content(one, other) == content(other, one | {"row_id": "77", "sheet_id": "S9"})
    assert len(content(one)) == 16


@pytest.mark.parametrize(
    "changed",
    [
        {"price": Decimal("100.01")}, {"quantity": Decimal("3.0000")}, {"unit_code": "POLE-45"}, {"point": "P2"},
        {"work_date": date(2026, 1, 3)}, {"foreman": "Bob"}, {"department": "7"}, {"description": "a pole"},
        {"customer": "Acme"}, {"area": "North"},
    ],
)  # fmt: skip
def test_another_value_of_a_row_is_another_content(changed: dict[str, Any]) -> None:
    assert content(changed) != content({})


def test_a_row_more_is_another_content() -> None:
    assert content({}, {}) != content({})


def test_the_foreman_is_that_of_the_row_that_was_worked_on_last() -> None:
    (group,) = groups({"foreman": "Bob", "work_date": SUNDAY}, {}, {"foreman": "Cy", "work_date": None})
    assert group["foreman"] == "Bob"
    assert groups({"foreman": None})[0]["foreman"] == "Unknown Foreman"


def test_two_work_requests_of_one_file_name_are_both_quarantined() -> None:
    made = groups({"work_request": "10 1"}, {"work_request": "10/1"}, {"work_request": "10-1"})
    assert {one["work_request"]: one["quarantined"] for one in made} == {"10 1": True, "10/1": True, "10-1": False}


def test_a_file_name_holds_nothing_that_leads_elsewhere() -> None:
    (group,) = groups({"work_request": "/etc/passwd" + "x" * 60})
    assert group["file"] == f"2026-01-04/WR__etc_passwd{'x' * 39}_WeekEnding_010426.xlsx"
