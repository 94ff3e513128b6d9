"""The weekly workbook: its days, what lies outside of them, and that its header is their sum."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from billing_pipeline.engine.audit.weekly import weekly_groups, weekly_rows
from billing_pipeline.engine.errors import BillingError
from billing_pipeline.reports.weekly import write_weekly
from tests.engine.audit.test_weekly import SUNDAY, snapshot

LINES = (
    {"work_date": date(2026, 1, 2), "price": Decimal("100.00"), "customer": "Acme", "description": "=1+1"},
    {"work_date": SUNDAY, "price": Decimal("20.50"), "customer": "Acme"},
    {"work_date": date(2026, 2, 1), "price": Decimal("3.00"), "customer": "Acme"},
)


def written(path: Path, *lines: dict[str, Any]) -> list[list[Any]]:
    """The rows of the sheet."""
    rows = weekly_rows(snapshot(*lines))
    write_weekly(path, weekly_groups(rows).row(0, named=True), rows)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Work Report"]
    return [list(row) for row in book["Work Report"].iter_rows(values_only=True)]


def test_the_header_says_what_is_billed_and_for_whom(tmp_path: Path) -> None:
    header = {row[0]: row[1] for row in written(tmp_path / "a.xlsx", *LINES)[:13]}
    assert (header["Total billed:"], header["Line items:"]) == (123.5, 3)
    assert header["Billing period:"] == "12/29/2025 to 01/04/2026"
    assert (header["Foreman:"], header["Work Request #:"], header["Customer:"]) == ("Ada", "10000001", "Acme")


def test_each_day_is_a_block_with_its_total_and_what_lies_outside_the_week_has_its_own(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.xlsx", *LINES)
    titles = [row[0] for row in rows if row[0] and row[1:] == [None] * 7]
    assert [title for title in titles if "," in title or "Outside" in title] == [
        "Friday, 01/02/2026", "Sunday, 01/04/2026", "Outside the billing window",
    ]  # fmt: skip
    totals = [row[7] for row in rows if row[0] == "TOTAL"]
    assert totals == [100, 20.5, 3]
    assert next(row for row in rows if row[0] == "Point Number") == [
        "Point Number", "Billable Unit Code", "Work Type", "Unit Description", "Unit of Measure", "# Units", "N/A",
        "Pricing",
    ]  # fmt: skip
    assert ["P1", "POLE-40", "Install", "=1+1", None, 2, None, 100] in rows


def test_the_same_group_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        written(tmp_path / name, *LINES)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_a_total_that_the_blocks_do_not_add_up_to_is_refused(tmp_path: Path) -> None:
    rows = weekly_rows(snapshot(*LINES))
    group = weekly_groups(rows).row(0, named=True)
    with pytest.raises(BillingError, match="do not add up"):
        write_weekly(tmp_path / "a.xlsx", group | {"total": Decimal("123.51")}, rows)
    assert not (tmp_path / "a.xlsx").exists()
