"""Small rules workbooks for tests: one partner, one tier, changed where a test looks."""

import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from io import BytesIO
from typing import Any

import openpyxl
from openpyxl.workbook import Workbook

from billing_pipeline.engine.errors import Problem
from billing_pipeline.engine.rules import check

Row = Mapping[str, Any]


def tier(**cells: Any) -> Row:
    """Pricing columns A to K, then what a test adds."""
    return {
        "partner_id": "101",
        "partner_name": "Acme",
        "tier_metric": "ER",
        "tier_start": 1,
        "tier_end": None,
        "er_fee": 10,
        "iu_fee": 2,
        "include_iu": 0,
        "tier_type": "ALL_IN",
        "unit_price_next_day_er": None,
        "unit_price_next_day_iu": None,
    } | cells


def minimum(**cells: Any) -> Row:
    """Minimums columns A to E."""
    return {
        "partner_id": "101",
        "partner_name": "Acme",
        "month_start": 1,
        "month_end": 12,
        "minimum_amount": 500,
    } | cells


def contract(**cells: Any) -> Row:
    """Config columns A to D."""
    return {
        "partner_id": "101",
        "partner_name": "Acme",
        "minimums_start_month": date(2025, 7, 1),
        "minimums_end_month": None,
    } | cells


def customer(**cells: Any) -> Row:
    """Mapping columns A to C."""
    return {"partner_id": "101", "partner_name": "Acme", "ns_customer_name": "Acme, Inc."} | cells


def book(
    pricing: Iterable[Row] = (tier(),),
    minimums: Iterable[Row] = (minimum(),),
    config: Iterable[Row] = (contract(),),
    mapping: Iterable[Row] = (customer(),),
    *,
    without: Iterable[str] = (),
    edit: Callable[[Workbook], None] = lambda _: None,
) -> bytes:
    """A workbook of the four sheets, headers in row 1; `without` drops columns, `edit` has the last word."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    sheets = {
        "Pricing": (tier(), pricing),
        "Minimums": (minimum(), minimums),
        "Config": (contract(), config),
        "Mapping": (customer(), mapping),
    }
    for title, (standard, given) in sheets.items():
        rows = list(given)
        given_headers = (header for row in rows for header in row)
        headers = [header for header in dict.fromkeys([*standard, *given_headers]) if header not in without]
        sheet = workbook.create_sheet(title)
        sheet.append(headers)
        for row in rows:
            sheet.append([row.get(header) for header in headers])
    edit(workbook)
    return saved(workbook)


def saved(workbook: Workbook) -> bytes:
    stream = BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def set_cells(sheet: str, **cells: Any) -> Callable[[Workbook], None]:
    """An edit that writes values at addresses."""

    def edit(workbook: Workbook) -> None:
        for address, value in cells.items():
            workbook[sheet][address] = value

    return edit


def rewritten(data: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """The workbook with the text of one of its parts changed: what no honest program would save."""
    stream = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text.decode()).encode() if name == part else text)
    return stream.getvalue()


def told(problems: Iterable[Problem]) -> list[tuple[str, str, str]]:
    """Place, value, message of each problem."""
    return [(f"{each.sheet}!{each.cell}", each.value, each.message) for each in problems]


def errors(data: bytes) -> list[tuple[str, str, str]]:
    return told(check(data, "rules.xlsx")[0])


def warnings(data: bytes, kind: str) -> list[tuple[str, str, str]]:
    """Warnings of one kind in a workbook without errors."""
    found, warned = check(data, "rules.xlsx")
    assert told(found) == []
    return told(each for each in warned if each.kind == kind)
