"""The review workbook: what a person sees and may change, and what is read back from it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import openpyxl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.usage import Choice
from billing_pipeline.reports.review_answers import FilledRow, read_review_workbook
from billing_pipeline.reports.review_workbook import About, FlagRow, address, review_workbook

ABOUT = About("2026-01", "a" * 64, "b" * 64, 7, "2026.01_usage.csv")
EVIL = '=HYPERLINK("http://x","y")'
ROWS = (
    FlagRow(
        ("missing_fba_0", "missing billing trigger", "No date", 12, "Acme", EVIL, "5", "", "", "", Decimal("24.10")),
        "missing_fba", "row", "r1", "101", ("remove", "keep", "set_date"),
    ),
    FlagRow(
        ("unmapped_1", "unmapped partner", "No customer", 3, "Birch", "", "", "", "", "", None),
        "unmapped", "partner", "r2", "7", ("remove", "keep", "withdraw"), Choice("keep"), "keep by Ana on 2026-02-03",
    ),
)  # fmt: skip
PARTNERS = (("Acme", "101"), ("+Birch", ""))


def workbook(change: Callable[[Any], None] = lambda _: None) -> bytes:
    """The workbook after a person has changed it."""
    book = openpyxl.load_workbook(BytesIO(review_workbook(ABOUT, "Review of January", ROWS, PARTNERS, ("ER_NAME",))))
    change(book)
    data = BytesIO()
    book.save(data)
    return data.getvalue()


def answered(**cells: object) -> list[FilledRow]:
    """The rows read back after these cells of the sheet were filled."""

    def change(book: Any) -> None:
        for place, value in cells.items():
            book["Decisions"][place] = value

    return read_review_workbook(workbook(change), "r.xlsx")[1]


def sheet(name: str = "Decisions") -> Any:
    return openpyxl.load_workbook(BytesIO(workbook()))[name]


def test_every_flag_is_a_row_with_its_facts_and_what_was_decided() -> None:
    first, second = sheet().iter_rows(min_row=4, max_row=5, values_only=True)
    assert first[:11] == ("missing_fba_0", "missing billing trigger", "No date", 12, "Acme", EVIL, "5", None, None,
                          None, 24.1)  # fmt: skip
    assert (second[11], second[17]) == ("keep", "keep by Ana on 2026-02-03")


def test_text_from_outside_is_text_and_never_a_formula() -> None:
    assert (sheet()["F4"].data_type, sheet()["F4"].quotePrefix) == ("s", True)
    assert sheet("Partners")["A3"].data_type == "s"
    assert not [cell for name in ("Decisions", "Partners", "Scan") for row in sheet(name) for cell in row
                if cell.data_type == "f"]  # fmt: skip


def test_only_the_cells_to_fill_in_can_be_changed_and_there_is_no_password() -> None:
    page = sheet()
    unlocked = {cell.column_letter for cell in page[4] if not cell.protection.locked}
    assert (page.protection.sheet, page.protection.password) == (True, None)
    assert unlocked == {"L", "M", "N", "O", "P", "Q"}
    assert (page.freeze_panes, page.auto_filter.ref) == ("B4", "A3:R5")


def test_each_row_offers_exactly_its_own_actions() -> None:
    lists = {str(check.sqref): check.formula1 for check in sheet().data_validations.dataValidation}
    assert lists["L4"] == '"remove,keep,set_date"'
    assert lists["L5"] == '"remove,keep,withdraw"'
    assert lists["N4:N5"] == "Partners!$C$2:$C$3"
    assert lists["O4:O5"] == "Scan!$L$2:$L$2"


def test_what_the_reader_needs_is_hidden_and_how_to_decide_is_not() -> None:
    book = openpyxl.load_workbook(BytesIO(workbook()))
    assert {page.title: page.sheet_state for page in book} == {
        "Decisions": "visible", "Partners": "visible", "How to": "visible", "Scan": "hidden",
    }  # fmt: skip


def test_an_untouched_workbook_reads_back_as_it_was_written() -> None:
    about, rows = read_review_workbook(workbook(), "r.xlsx")
    assert about == ABOUT
    assert [(row.flag, row.kind, row.row_id, row.partner_key, row.choice == row.before) for row in rows] == [
        ("missing_fba_0", "missing_fba", "r1", "101", True),
        ("unmapped_1", "unmapped", "r2", "7", True),
    ]


def test_answers_are_read_as_a_person_would_type_them() -> None:
    first = answered(
        L4=" set_date ", M4=datetime(2026, 1, 9), N4="Acme [101]", O4="ER_NAME", P4=1200.0, Q4=" as agreed "
    )[0]
    assert first.choice == Choice("set_date", "2026-01-09", "Acme [101]", "", "ER_NAME", "1200")
    assert (first.reason, first.before) == ("as agreed", Choice(""))


def test_a_row_is_known_by_its_flag_wherever_it_was_sorted_to() -> None:
    rows = answered(A4="unmapped_1", A5="missing_fba_0", L5="remove")
    assert [(row.row, row.kind, row.choice.action) for row in rows] == [
        (4, "unmapped", ""),
        (5, "missing_fba", "remove"),
    ]


def test_a_formula_in_an_answer_is_refused_by_its_cell() -> None:
    with pytest.raises(InputError, match="Decisions!P4: holds a formula"):
        answered(P4="=1+1")


def test_an_answer_without_its_flag_is_refused_by_its_cell() -> None:
    with pytest.raises(InputError, match="Decisions!A4: this row belongs to no flag"):
        answered(A4="something", L4="keep")


@pytest.mark.parametrize("data", [b"", b"PK", b"flag,action"])
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="is not an Excel workbook"):
        read_review_workbook(data, "r.xlsx")


def test_another_workbook_is_refused() -> None:
    data = BytesIO()
    openpyxl.Workbook().save(data)
    with pytest.raises(InputError, match="is not a review workbook"):
        read_review_workbook(data.getvalue(), "r.xlsx")


def test_a_cell_is_named_by_what_it_holds() -> None:
    assert [address(4, name) for name in ("action", "set_date", "partner_id", "cell", "value", "reason")] == [
        "L4", "M4", "N4", "O4", "P4", "Q4",
    ]  # fmt: skip
