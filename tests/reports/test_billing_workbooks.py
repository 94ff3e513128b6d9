"""The Master Billing Report and the partner workbooks: sheets, rows and styles, read back cell by cell."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from openpyxl import load_workbook

from billing_pipeline.engine.money import AMOUNT, QUANTITY
from billing_pipeline.reports.billing import (
    FeeSummary,
    PartnerWorkbook,
    write_master_report,
    write_partner_workbook,
    write_partner_workbooks,
)

CONTROLS = pl.DataFrame(
    {
        "Control Check": ["Completeness (Rows)", "NetSuite Tie-Out", "Data Quality Flags"],
        "Input": [Decimal(2), Decimal("31.20"), Decimal(0)],
        "Output": [Decimal(2), Decimal("31.10"), Decimal(1)],
        "Variance": [Decimal(0), Decimal("0.10"), Decimal(1)],
        "Status": ["PASS", "FAIL", "REVIEW REQUIRED"],
    },
    schema_overrides=dict.fromkeys(("Input", "Output", "Variance"), AMOUNT),
)
SUMMARY = pl.DataFrame(
    {
        "Partner Name": ["Split Partner"],
        "Billable Indiv. Users": [Decimal("16.5")],
        "Total Billed": [Decimal("1231.20")],
        "% from Minimums": [Decimal("0.755930")],
    }
)
SOURCE = pl.DataFrame({"ER_NAME": ["=1+1", "Eps Co"], "total_fee": [Decimal("5.40"), Decimal("17.00")]})
NOTHING = pl.DataFrame(schema={"FLAG_REASON": pl.String})
LINES = pl.DataFrame(
    {
        "product": ["Company Fee (Tier: 1 – 4)", "Monthly Minimum True-Up (minimum: 2,000.00)"],
        "rate": ["5.00 / company", None],
        "quantity": ["1 companies", None],
        "amount": [Decimal("5.00"), Decimal("1511.86")],
    },
    schema_overrides={"amount": AMOUNT},
)
FEES = FeeSummary("Fee Summary", "Split Partner", "February 2026", 3, 16, LINES, Decimal("1516.86"), "A note.")
DETAIL = pl.DataFrame(
    {
        "ER_ID": ["00077", None],
        "TOTAL_INDIVIDUAL_USERS": [Decimal(3), Decimal("1.5")],
        "er_fee": [Decimal(3), Decimal(5)],
    },
    schema_overrides={"TOTAL_INDIVIDUAL_USERS": QUANTITY, "er_fee": AMOUNT},
)


def master(path: Path, **sheets: Any) -> tuple[str, ...]:
    given = {"controls": CONTROLS, "summary": SUMMARY, "source": SOURCE, "quality": NOTHING, "overrides": NOTHING}
    return write_master_report(path, **{**given, **sheets})


def values(path: Path, sheet: str) -> list[list[Any]]:
    return [list(row) for row in load_workbook(path)[sheet].iter_rows(values_only=True)]


def test_master_report_sheets_in_order(tmp_path: Path) -> None:
    path = tmp_path / "master.xlsx"
    assert master(path) == ("Audit & Controls", "Executive Summary", "Source Data")
    flagged = pl.DataFrame({"FLAG_REASON": ["Missing FIRST_BILLABLE_ACTIVITY_DATE"]})
    sheets = master(path, quality=flagged, overrides=flagged, extra_sheets=[("Conservation", flagged)])
    assert sheets[3:] == ("Data Quality Flags", "Overrides Applied", "Conservation")


def test_master_report_values_formats_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "master.xlsx"
    master(path)
    book = load_workbook(path)
    audit, executive = book["Audit & Controls"], book["Executive Summary"]
    assert values(path, "Audit & Controls")[2] == ["NetSuite Tie-Out", 31.2, 31.1, 0.1, "FAIL"]
    assert [audit[f"E{row}"].fill.fgColor.rgb for row in (2, 3, 4)] == ["FFC6EFCE", "FFFFC7CE", "FFFFEB9C"]
    assert [executive[f"{letter}2"].number_format for letter in "ABCD"] == ["General", "#,##0", "#,##0.00", "0%"]
    assert [executive.column_dimensions[letter].width for letter in "AC"] == [15, 15]
    assert values(path, "Source Data")[1] == ["=1+1", 5.4]
    assert {sheet.freeze_panes for sheet in book} == {"A2"}


def test_fee_summary_rows(tmp_path: Path) -> None:
    path = tmp_path / "Split_Partner" / "Split Partner - 2026.02.xlsx"
    write_partner_workbook(path, FEES, DETAIL)
    assert values(path, "Fee Summary") == [
        ["Fee Summary", None, None, None],
        [None] * 4,
        ["Partner", "Split Partner", None, None],
        ["Period", "February 2026", None, None],
        ["Total Companies", 3, None, None],
        ["Total Individual Users", 16, None, None],
        [None] * 4,
        ["Product Summary", "Rate", "Quantity", "Amount"],
        ["Company Fee (Tier: 1 – 4)", "5.00 / company", "1 companies", 5],
        ["Monthly Minimum True-Up (minimum: 2,000.00)", None, None, 1511.86],
        [None, None, "Total Fees", 1516.86],
        [None] * 4,
        ["A note.", None, None, None],
    ]


def test_fee_summary_styles(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    write_partner_workbook(path, FEES, DETAIL)
    sheet = load_workbook(path)["Fee Summary"]
    assert [sheet.column_dimensions[letter].width for letter in "ABCD"] == [40, 24, 30, 18]
    assert {str(merged) for merged in sheet.merged_cells.ranges} == {"A1:D1", "A13:D13"}
    assert sheet.sheet_view.showGridLines is False
    title, label, heading, cell, total, note = (sheet[at] for at in ("A1", "A3", "A8", "A9", "C11", "A13"))
    assert (title.font.size, title.font.color.rgb, title.border.bottom.style) == (14, "FF1F2937", "medium")
    assert (label.font.bold, label.font.color.rgb) == (True, "FF6B7280")
    assert (heading.font.color.rgb, heading.fill.fgColor.rgb) == ("FFFFFFFF", "FF374151")
    assert heading.alignment.wrap_text is True
    assert (cell.border.left.style, cell.border.left.color.rgb) == ("thin", "FFE5E7EB")
    assert (sheet["D9"].number_format, sheet["D11"].number_format) == ("#,##0.00", "#,##0.00")
    assert (total.font.bold, total.fill.fgColor.rgb) == (True, "FFF3F4F6")
    assert (note.font.italic, note.font.size, note.font.color.rgb) == (True, 10, "FF9CA3AF")


def test_fee_detail_keeps_ids_text_and_formats_numbers(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    write_partner_workbook(path, FEES, DETAIL)
    sheet = load_workbook(path)["Fee Detail"]
    assert values(path, "Fee Detail") == [
        ["ER_ID", "TOTAL_INDIVIDUAL_USERS", "er_fee"],
        ["00077", 3, 3],
        [None, 1.5, 5],
    ]
    assert [sheet[at].number_format for at in ("B2", "C2")] == ["0", "#,##0.00"]
    widths = sheet.column_dimensions["A"]  # one entry for neighbours of one width
    assert (widths.width, widths.min, widths.max) == (18, 1, 3)


def test_many_workbooks_report_progress_and_equal_single_ones(tmp_path: Path) -> None:
    jobs = [PartnerWorkbook(tmp_path / f"P{i}" / "book.xlsx", FEES, DETAIL) for i in range(5)]
    told: list[tuple[int, int]] = []
    paths = write_partner_workbooks(jobs, workers=2, progress=lambda done, of: told.append((done, of)))
    assert paths == [job.path for job in jobs]
    assert told == [(i, 5) for i in range(1, 6)]
    assert len({path.read_bytes() for path in paths}) == 1


def test_two_workbooks_never_share_a_path(tmp_path: Path) -> None:
    jobs = [PartnerWorkbook(tmp_path / name, FEES, DETAIL) for name in ("a.xlsx", "A.xlsx")]
    with pytest.raises(ValueError, match="same path"):
        write_partner_workbooks(jobs)
    assert not list(tmp_path.iterdir())


def test_a_failing_workbook_stops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        write_partner_workbooks([PartnerWorkbook(tmp_path / "file" / "book.xlsx", FEES, DETAIL)])
