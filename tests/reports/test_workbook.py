"""Workbooks: values stay what they are, files are whole and identical, long sheets continue."""

import resource
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from billing_pipeline.reports.workbook import Cell, Page, Table, write_workbook
from billing_pipeline.reports.workbook_parts import Style


def cells(path: Path, sheet: str) -> list[list[Any]]:
    """The sheet as another reader sees it."""
    return [list(row) for row in load_workbook(path)[sheet].iter_rows(values_only=True)]


def column(tmp_path: Path, series: pl.Series) -> list[Any]:
    """What one column of a table becomes."""
    path = tmp_path / "column.xlsx"
    write_workbook(path, [Table("S", pl.DataFrame({"first": ["-"] * len(series), "x": series}))])
    return [row[1] for row in cells(path, "S")[1:]]


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x.example")',
        "http://x.example",
        "+1",
        "-1",
        "@x",
        "00123",
        "1e5",
        "TRUE",
        "a & <b>",
        " pad ",
    ],
)
def test_text_is_always_a_text_cell(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text.xlsx"
    page = Page("P", [Cell(0, 0, text)])
    write_workbook(path, [Table("S", pl.DataFrame({text: [text]})), page])
    book = load_workbook(path)
    for cell in (book["S"]["A1"], book["S"]["A2"], book["P"]["A1"]):
        assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_gives_a_readable_file(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "any.xlsx"
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    write_workbook(path, [Table("S", frame), Page("P", [Cell(i, 0, text) for i, text in enumerate(texts)])])
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            ElementTree.fromstring(package.read(name))  # noqa: S314  (written a moment ago)
        sheet = ElementTree.fromstring(package.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    kinds = {cell.get("t") for cell in sheet.iter("{http://schemas.openxmlformats.org/spreadsheetml/2006/main}c")}
    assert kinds <= {"s", "inlineStr"}  # the two kinds of text cell; blank texts give none


def test_characters_a_workbook_cannot_hold_are_shown_replaced(tmp_path: Path) -> None:
    texts = pl.Series(["bell\x07 nul\x00", "\ufffe", "a\r\nb\rc", "_x0041_x0042_"])
    assert column(tmp_path, texts) == ["bell\ufffd nul\ufffd", "\ufffd", "a\nb\nc", "_x0041_x0042_"]


def test_a_text_longer_than_a_cell_is_cut_and_says_so(tmp_path: Path) -> None:
    plain, wide = column(tmp_path, pl.Series(["x" * 40_000, "😀" * 20_000]))
    assert plain.endswith("x… [cut; the text has 40000 characters]")
    assert wide.endswith("😀… [cut; the text has 20000 characters]")
    assert all(30_000 < len(text.encode("utf-16-le")) // 2 <= 32_767 for text in (plain, wide))
    assert column(tmp_path, pl.Series(["x" * 32_767])) == ["x" * 32_767]


def test_decimals_are_exact_numbers(tmp_path: Path) -> None:
    values = pl.Series([Decimal("0.07"), Decimal("-5.10"), None, Decimal("0.335")], dtype=pl.Decimal(18, 8))
    assert [None if v is None else Decimal(str(v)) for v in column(tmp_path, values)] == [
        Decimal("0.07"), Decimal("-5.1"), None, Decimal("0.335")
    ]  # fmt: skip


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("rows", [1, 1_500])
def test_every_cent_survives_the_double_of_the_file_format(tmp_path: Path, scale: int, rows: int) -> None:
    texts = ["0.1", "0.30", "1.005", "99999999.99", "-0.07", "8.165", "1234567.89", "9999999999.99"]
    values = [Decimal(text) for text in texts if -Decimal(text).as_tuple().exponent <= scale]
    written = column(tmp_path, pl.Series(values * rows, dtype=pl.Decimal(18, scale)))[: len(values)]
    assert [Decimal(str(value)) for value in written] == values


def test_a_number_of_more_digits_than_excel_keeps_becomes_text(tmp_path: Path) -> None:
    money = pl.Series([Decimal("1234567890123456.78"), Decimal("9999999999999.99")], dtype=pl.Decimal(18, 2))
    assert column(tmp_path, money) == ["1234567890123456.78", 9999999999999.99]
    assert column(tmp_path, pl.Series([2**53 + 1, 10**15 - 1, -(2**60)])) == [str(2**53 + 1), 10**15 - 1, str(-(2**60))]
    assert column(tmp_path, pl.Series([Decimal("1.5")], dtype=pl.Decimal(5, 2))) == [1.5]


def test_blanks_booleans_dates_and_enumerations(tmp_path: Path) -> None:
    assert column(tmp_path, pl.Series(["", None, "x"])) == [None, None, "x"]
    assert column(tmp_path, pl.Series([True, False, None])) == [True, False, None]
    assert column(tmp_path, pl.Series([date(2026, 1, 31), date(1899, 1, 1)])) == [datetime(2026, 1, 31), "1899-01-01"]
    assert column(tmp_path, pl.Series([datetime(2026, 1, 31, 9, 30)])) == ["2026-01-31 09:30:00"]
    assert column(tmp_path, pl.Series(["a&"], dtype=pl.Enum(["a&"]))) == ["a&"]
    assert column(tmp_path, pl.Series([float("nan"), 1.5])) == ["NaN", 1.5]


def test_header_widths_formats_marks_and_frozen_row(tmp_path: Path) -> None:
    path = tmp_path / "styled.xlsx"
    frame = pl.DataFrame({"Status": ["PASS", "FAIL"], "Amount": [Decimal("1.50"), None]})
    marks = {"Status": {"FAIL": Style(fill="FFC7CE")}}
    write_workbook(path, [Table("S", frame, formats={"Amount": "#,##0.00"}, marks=marks, widths=(8, 30))])
    sheet = load_workbook(path)["S"]
    header = sheet["A1"]
    assert (header.font.bold, header.alignment.horizontal, header.border.left.style) == (True, "center", "thin")
    assert (sheet.freeze_panes, sheet["B2"].number_format) == ("A2", "#,##0.00")
    assert (sheet["A2"].fill.fgColor.rgb, sheet["A3"].fill.fgColor.rgb) == ("00000000", "FFFFC7CE")
    assert sheet.column_dimensions["A"].width == 8


def test_a_large_workbook_looks_like_a_small_one(tmp_path: Path) -> None:
    status = pl.DataFrame({"Status": ["PASS", "FAIL"], "x*": [date(2026, 1, 31), None]})
    page = Page("P", [Cell(0, 0, "Title", Style(bold=True)), Cell(2, 1, Decimal("0.30"))], ["A1:D1"], gridlines=False)
    marks = {"Status": {"FAIL": Style(fill="FFC7CE")}}
    styled = Table("S", status, Style(bold=True, wrap=True), {"x*": "d.m.yyyy"}, marks, (3, 30))
    looks = []
    for name, rows in (("small", 10), ("large", 10_000)):
        path = tmp_path / f"{name}.xlsx"
        write_workbook(path, [page, styled, Table("L", pl.DataFrame({"n": range(rows)}))])
        book = load_workbook(path)
        looks.append(
            [
                (cell.value, cell.font.b, cell.fill.fgColor.rgb, cell.number_format, cell.data_type)
                for sheet in ("P", "S")
                for row in book[sheet].iter_rows(max_col=2)
                for cell in row
            ]
        )
        assert (book["P"].sheet_view.showGridLines, book["S"].freeze_panes) == (False, "A2")
    assert looks[0] == looks[1]


def test_a_free_page_can_hide_its_gridlines_and_merge(tmp_path: Path) -> None:
    path = tmp_path / "page.xlsx"
    write_workbook(path, [Page("P", [Cell(0, 0, "Title"), Cell(1, 1, 7)], merged=["A1:D1"], gridlines=False)])
    sheet = load_workbook(path)["P"]
    assert (sheet["A1"].value, sheet["B2"].value, sheet.sheet_view.showGridLines) == ("Title", 7, False)
    assert [str(merged) for merged in sheet.merged_cells.ranges] == ["A1:D1"]
    assert (sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.orientation) == (True, "landscape")


def test_the_same_input_gives_the_same_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheets: list[Table | Page] = [
        Table("S", pl.DataFrame({"a": range(30_000), "t": ["x & y"] * 30_000})),
        Page("P", [Cell(0, 0, "x")]),
    ]
    write_workbook(tmp_path / "one.xlsx", sheets)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    write_workbook(tmp_path / "two.xlsx", sheets)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


def test_a_sheet_beyond_the_row_limit_continues_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "long.xlsx"
    frame = pl.DataFrame({"n": range(1, 8), "t": list("abcdefg")})
    assert write_workbook(path, [Table("Source Data", frame)], row_limit=5) == (
        "Source Data", "Source Data (2)", "Source Data (3)"
    )  # fmt: skip
    assert cells(path, "Source Data")[-2:] == [[3, "c"], ["Continued on sheet Source Data (2)", None]]
    assert cells(path, "Source Data (3)") == [["n", "t"], [7, "g"]]
    assert write_workbook(path, [Table("Source Data", frame)], row_limit=8) == ("Source Data",)


def test_empty_frame_gives_the_header(tmp_path: Path) -> None:
    path = tmp_path / "empty.xlsx"
    write_workbook(path, [Table("S", pl.DataFrame(schema={"a": pl.String, "b": pl.Decimal(18, 2)}))])
    assert cells(path, "S") == [["a", "b"]]


@pytest.mark.parametrize("name", ["", "a/b", "x" * 32, "'quoted'", "a\nb"])
def test_sheet_names_excel_refuses_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a sheet"):
        write_workbook(tmp_path / "x.xlsx", [Page(name, [])])
    with pytest.raises(ValueError, match="unique"):
        write_workbook(tmp_path / "x.xlsx", [Page("Same", []), Page("SAME", [])])
    assert not list(tmp_path.iterdir())


def test_a_type_no_cell_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'pair'"):
        write_workbook(tmp_path / "x.xlsx", [Table("S", pl.DataFrame({"pair": [[1, 2]]}))])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [5_000, 50_000])
def test_a_full_disk_keeps_the_earlier_file_and_names_the_path(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "report.xlsx"
    path.write_bytes(b"earlier")
    frame = pl.DataFrame({"n": pl.int_range(rows, eager=True).hash()})
    with files_limited_to(20_000), pytest.raises(OSError, match=r"report\.xlsx"):
        write_workbook(path, [Table("S", frame)])
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("report.xlsx", b"earlier")]


def test_a_sheet_too_large_for_a_plain_zip_continues_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_pipeline.reports.workbook._SHEET_BYTES", 40_000)
    frame = pl.DataFrame({"n": range(1_000)})
    assert write_workbook(tmp_path / "wide.xlsx", [Table("S", frame)]) == ("S", "S (2)")
    assert cells(tmp_path / "wide.xlsx", "S (2)")[-1] == [999]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """The operating system refuses to let a file grow beyond `size` bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
