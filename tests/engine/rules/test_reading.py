"""The file: what is not a workbook, what is too large, what lies about itself, and how native cells become text."""

import zipfile
from datetime import datetime, time
from decimal import Decimal
from io import BytesIO

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.rules import messages, read_workbook, reading
from tests.engine.rules.books import book, customer, errors, minimum, rewritten, saved, set_cells, tier, told


def file_problem(data: bytes) -> str:
    with pytest.raises(InputError) as refused:
        read_workbook(data, "rules.xlsx")
    return str(refused.value)


@pytest.mark.parametrize("data", [b"", b"partner_id,er_fee\n1,2\n", b"PK\x03\x04 cut off", book()[:-200]])
def test_a_file_that_is_no_workbook_is_refused_with_a_clear_message(data: bytes) -> None:
    assert file_problem(data) == (
        "rules.xlsx: the file is not an Excel workbook (.xlsx) or is damaged; open it in Excel and save it again"
    )


def test_an_archive_without_a_workbook_in_it_is_refused() -> None:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert messages.NOT_A_WORKBOOK in file_problem(stream.getvalue())


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/worksheets/sheet1.xml", "</sheetData>", "</sheet"),
        ("xl/worksheets/sheet1.xml", 't="inlineStr"><is><t>Acme</t></is>', 't="s"><v>99999</v>'),
        ("xl/worksheets/sheet1.xml", 'r="A2"', 'r="2A"'),
        ("xl/worksheets/sheet1.xml", "<v>10</v>", "<v>ten</v>"),
        ("xl/workbook.xml", "rId1", "rId77"),
    ],
)
def test_damage_inside_the_workbook_is_a_message_not_a_traceback(part: str, old: str, new: str) -> None:
    damaged = rewritten(book(), part, lambda text: text.replace(old, new))
    assert messages.NOT_A_WORKBOOK in file_problem(damaged)


def test_a_protected_or_old_workbook_is_told_apart() -> None:
    assert messages.PROTECTED in file_problem(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)


def test_a_workbook_that_unpacks_beyond_the_limit_is_not_even_opened() -> None:
    stream = BytesIO(book())
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", b"\0" * (64 * 1024 * 1024))
    assert len(stream.getvalue()) < 200_000
    assert "the workbook unpacks to more than 64 MiB" in file_problem(stream.getvalue())


def test_too_many_rows_are_an_error_of_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 3)
    assert errors(book(pricing=[tier()] * 3)) == []
    assert errors(book(pricing=[tier()] * 4)) == [("Pricing!", "", messages.TOO_MANY_ROWS)]


def test_a_row_number_beyond_excel_does_not_keep_the_reader_counting() -> None:
    data = rewritten(book(), "xl/worksheets/sheet1.xml", lambda xml: xml.replace('<row r="2"', '<row r="2000000000"'))
    assert errors(data) == [("Pricing!", "", messages.TOO_MANY_ROWS)]


def test_a_sheet_that_claims_every_cell_of_excel_is_read_for_what_it_holds() -> None:
    def lie(xml: str) -> str:
        start, end = xml.index("<dimension"), xml.index("/>", xml.index("<dimension"))
        return xml[:start] + '<dimension ref="A1:XFD1048576"' + xml[end:]

    assert len(read_workbook(rewritten(book(), "xl/worksheets/sheet1.xml", lie), "rules.xlsx").tiers) == 1


def test_a_stray_cell_in_the_last_row_and_column_costs_nothing() -> None:
    rules = read_workbook(book(edit=set_cells("Pricing", XFD1=" ", XFD2="x", XFD1048576="x")), "rules.xlsx")
    assert rules.tiers["sheet_row"].to_list() == [2]


def test_headers_far_out_are_refused() -> None:
    assert errors(book(edit=set_cells("Mapping", IW1="note"))) == [("Mapping!IW1", "note", messages.TOO_MANY_COLUMNS)]


def test_missing_and_misnamed_sheets_come_with_what_was_found() -> None:
    def rename(workbook: openpyxl.Workbook) -> None:
        workbook["Minimums"].title = "Minimum"
        workbook["Config"].title = "Settings"
        workbook["Mapping"].title = "Mappings "

    assert errors(book(edit=rename)) == [
        (
            "!",
            "",
            "the workbook has no sheets 'Minimums', 'Config', 'Mapping'; "
            "sheets found: 'Pricing', 'Minimum', 'Settings', 'Mappings '; "
            "rename 'Minimum' to 'Minimums' and rename 'Mappings ' to 'Mapping' (names are case-sensitive)",
        )
    ]


def test_a_missing_sheet_does_not_hide_the_errors_of_the_others() -> None:
    data = book(pricing=[tier(er_fee="free")], edit=lambda workbook: workbook.remove(workbook["Config"]))
    assert [place for place, _, _ in errors(data)] == ["!", "Pricing!F2"]


def test_a_sheet_named_in_other_case_is_missing() -> None:
    def lower(xml: str) -> str:
        return xml.replace('name="Config"', 'name="config"')

    ((_, _, message),) = errors(rewritten(book(), "xl/workbook.xml", lower))
    assert message.endswith("rename 'config' to 'Config' (names are case-sensitive)")


def test_other_sheets_are_ignored() -> None:
    assert errors(book(edit=lambda workbook: workbook.create_sheet("Notes").append(["#REF!"]))) == []


def test_headers_that_read_the_same_are_refused_with_both() -> None:
    assert errors(book(pricing=[tier(**{"ER Fee ($)": 3})])) == [
        ("Pricing!L1", "ER Fee ($)", "headers 'er_fee' and 'ER Fee ($)' both read as 'er_fee'")
    ]


def test_headers_are_read_whatever_their_case_and_punctuation() -> None:
    rules = read_workbook(book(pricing=[tier(**{" Company  Fee: ": 12})], without=["er_fee"]), "rules.xlsx")
    assert rules.tiers["er_price"].to_list() == [12]


def test_a_formula_counts_with_the_value_that_excel_stored() -> None:
    def stored(xml: str) -> str:
        return xml.replace('<c r="F2" t="n"><v>10</v></c>', '<c r="F2"><f>4*3</f><v>12</v></c>')

    rules = read_workbook(rewritten(book(), "xl/worksheets/sheet1.xml", stored), "rules.xlsx")
    assert rules.tiers["er_price"].to_list() == [12]


def test_a_formula_without_a_stored_value_is_an_error_at_its_cell() -> None:
    assert errors(book(pricing=[tier(er_fee="=4*3")])) == [
        ("Pricing!F2", "=4*3", f"company fee {messages.NO_STORED_VALUE}")
    ]


def test_a_formula_whose_stored_result_is_the_empty_text_is_a_blank_cell() -> None:
    def stored(xml: str) -> str:
        return xml.replace('<c r="F2" t="n"><v>10</v></c>', '<c r="F2" t="str"><f>""</f><v></v></c>')

    rules = read_workbook(rewritten(book(), "xl/worksheets/sheet1.xml", stored), "rules.xlsx")
    assert rules.tiers["er_price"].to_list() == [0]


@pytest.mark.parametrize("cell", ["#REF!", "#N/A", "#DIV/0!"])
def test_excel_errors_are_errors_at_their_cell(cell: str) -> None:
    data = book(pricing=[tier(iu_fee=cell)], mapping=[customer(ns_customer_name=cell)])
    assert errors(data) == [
        ("Pricing!G2", cell, "user fee is an Excel error"),
        ("Mapping!C2", cell, "NetSuite customer name is an Excel error"),
    ]


def test_trouble_in_a_column_nobody_reads_does_not_stop_the_run() -> None:
    assert errors(book(pricing=[tier(notes="#REF!", more="=1+1")])) == []


def test_endless_text_is_cut_and_refused() -> None:
    ((place, value, message),) = errors(book(mapping=[customer(ns_customer_name="x" * 30_000)]))
    assert (place, len(value), message) == ("Mapping!C2", 500, "NetSuite customer name is longer than 500 characters")


@pytest.mark.parametrize(
    ("native", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-3, "-3"),
        (0.335, "0.335"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (True, "TRUE"),
        (datetime(2026, 1, 5, 13, 30), "2026-01-05"),
        (time(13, 30), "13:30:00"),
        (" $7.13 ", " $7.13 "),
        ("NA", "NA"),
        ("   ", None),
    ],
)
def test_native_cells_become_the_text_a_person_would_type(native: object, text: str | None) -> None:
    sheets, _ = reading.read_sheets(book(pricing=[tier(er_fee=native)]), "rules.xlsx")
    assert sheets["Pricing"].rows["er_fee"].to_list() == [text]


def test_a_percentage_is_read_as_it_is_shown_and_so_refused_as_a_price() -> None:
    def percent(workbook: openpyxl.Workbook) -> None:
        workbook["Pricing"]["F2"].number_format = "0%"

    assert errors(book(pricing=[tier(er_fee=0.05)], edit=percent)) == [
        ("Pricing!F2", "5%", "company fee is not a plain number")
    ]


@given(st.decimals(min_value=0, max_value=9_999_999, places=8))
def test_a_price_typed_as_number_arrives_with_every_digit(price: Decimal) -> None:
    text, _ = reading._number_text(float(price), percent=False)
    assert pl.Series([text]).str.to_decimal(scale=8).to_list() == [price]


def test_an_empty_minimums_and_config_sheet_means_nobody_has_a_minimum() -> None:
    workbook = openpyxl.load_workbook(BytesIO(book()))
    for title in ("Minimums", "Config"):
        workbook.remove(workbook[title])
        workbook.create_sheet(title)
    rules = read_workbook(saved(workbook), "rules.xlsx")
    assert (len(rules.minimums), len(rules.contracts)) == (0, 0)


def test_a_sheet_whose_header_is_not_in_its_first_row_is_not_taken_for_empty() -> None:
    data = book(minimums=[minimum()], edit=lambda workbook: workbook["Minimums"].insert_rows(1))
    assert ("Minimums!", "", messages.NO_PARTNER_COLUMN) in errors(data)


def test_warnings_and_errors_come_in_the_order_of_the_workbook() -> None:
    data = book(
        pricing=[tier(iu_fee="x", er_fee="y", tier_start="z"), tier(er_fee="w")],
        mapping=[customer(ns_customer_name="#REF!")],
    )
    with pytest.raises(InputError) as refused:
        read_workbook(data, "rules.xlsx")
    assert [place for place, _, _ in told(refused.value.problems)] == [
        "Pricing!D2",
        "Pricing!F2",
        "Pricing!G2",
        "Pricing!F3",
        "Mapping!C2",
    ]
