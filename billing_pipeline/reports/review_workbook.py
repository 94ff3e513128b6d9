"""The review workbook: a month's flags with drop-down lists to decide about them.

What belongs here: sheets, cells, addresses. What does not: reading it back (`review_answers`), whether a decision may
be made (engine.usage). Text from outside is written as text, never as a formula.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from typing import Any

import openpyxl
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from billing_pipeline.engine.usage import Choice
from billing_pipeline.reports.review_guide import GUIDE
from billing_pipeline.reports.sheet_cells import exact_value

DECISIONS, PARTNERS, HOW_TO, SCAN = "Decisions", "Partners", "How to", "Scan"
BLANK = "(blank)"  # New value of a cell that is to be emptied
FIRST = 4  # row of the first flag; above it title, sub-title and header
FACTS = {
    "Flag": 16, "What": 20, "Why it is flagged": 46, "Line": 8, "Partner": 20, "Company": 22, "Users": 8,
    "First billable": 12, "Suspended": 12, "Dissociated": 12, "Amount": 12,
}  # fmt: skip
INPUTS = {"Action": 20, "New date": 12, "New partner": 24, "Cell": 22, "New value": 16, "Reason": 30}
_WRAPPED = ("Why it is flagged", "Partner", "Company", "Reason", "Decided so far")
_LINE_HEIGHT = 15.0  # points
_FIELDS = {
    "action": "Action", "set_date": "New date", "partner_name": "New partner", "partner_id": "New partner",
    "cell": "Cell", "value": "New value", "reason": "Reason",
}  # fmt: skip
_WIDTHS = FACTS | INPUTS | {"Decided so far": 36}
COLUMNS = list(_WIDTHS)
_LETTER = {name: get_column_letter(number) for number, name in enumerate(COLUMNS, 1)}
ABOUT = ("period", "usage_sha256", "rules_sha256", "last_decision", "usage_name")
KEYS = ("flag", "kind", "scope", "row_id", "partner_key", "action", "set_date", "partner", "cell", "value")
_THIN = Side(style="thin", color="D9D9D9")
_LINE, _BOX = Border(bottom=_THIN), Border(bottom=_THIN, left=_THIN, right=_THIN)
_INK, _PAPER, _QUIET = "1F3864", "FFF8DC", "7F7F7F"


@dataclass(frozen=True, slots=True)
class About:
    """Which scan a workbook belongs to: month as YYYY-MM, hashes, id of the last decision then."""

    period: str
    usage_sha256: str
    rules_sha256: str
    last_decision: int
    usage_name: str


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One row of the sheet. `facts`: flag, what, why, line, partner, company, users, three dates, amount; the flag is
    unique. `before`: what was decided so far, with partner and value as the cells show them.
    """

    facts: Sequence[str | int | Decimal | None]
    kind: str
    scope: str
    row_id: str
    partner_key: str
    actions: tuple[str, ...]
    before: Choice = field(default_factory=lambda: Choice(""))
    decided: str = ""


def review_workbook(about: About, title: str, rows: Sequence[FlagRow], partners: Sequence[tuple[str, str]],
                    columns: Sequence[str]) -> bytes:  # fmt: skip
    """The workbook of a month's flags. `partners`: name and id ("" for none); `columns`: those of the usage file."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = DECISIONS
    _heading(sheet, title, about)
    for number, row in enumerate(rows, FIRST):
        _flag_row(sheet, number, row)
    _drop_downs(sheet, rows, len(partners), len(columns))
    _finish(sheet, len(rows))
    _partner_sheet(book.create_sheet(PARTNERS), partners)
    _guide_sheet(book.create_sheet(HOW_TO))
    _scan_sheet(book.create_sheet(SCAN), about, rows, columns)
    data = BytesIO()
    book.save(data)
    return data.getvalue()


def address(row: int, choice_field: str) -> str:
    """The cell in which a row holds a field of its choice (or `reason`)."""
    return f"{_LETTER[_FIELDS[choice_field]]}{row}"


def partner_label(name: str, identifier: str) -> str:
    """A partner as the drop-down list shows it.

    >>> partner_label("Acme", "101")
    'Acme [101]'
    """
    return f"{name} [{identifier}]" if identifier else name


def _put(sheet: Any, row: int, column: int, value: object) -> Any:
    """A value in a cell; a text stays text, whatever it begins with."""
    cell = sheet.cell(row, column)
    if isinstance(value, str):
        cell.value = exact_value(value)
        if cell.value is not None:
            cell.data_type = "s"
            cell.quotePrefix = value[:1] in "=+-@"
    else:
        cell.value = value
    return cell


def _heading(sheet: Any, title: str, about: About) -> None:
    _put(sheet, 1, 1, title).font = Font(bold=True, size=16, color=_INK)
    told = f"Usage file {about.usage_name} · yellow cells are yours to fill · see the sheet {HOW_TO}"
    _put(sheet, 2, 1, told).font = Font(color=_QUIET)
    for number, name in enumerate(COLUMNS, 1):
        cell = _put(sheet, FIRST - 1, number, name)
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="BF8F00" if name in INPUTS else _INK)
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS[name]
    sheet.row_dimensions[FIRST - 1].height = 22


def _flag_row(sheet: Any, number: int, row: FlagRow) -> None:
    before = row.before
    chosen = (before.action, before.set_date, before.partner_name, before.cell, before.value, "")
    for column, content in enumerate((*row.facts, *chosen, row.decided), 1):
        name = COLUMNS[column - 1]
        cell = _put(sheet, number, column, content)
        cell.border = _BOX if name in INPUTS else _LINE
        cell.alignment = Alignment(
            vertical="top", wrap_text=name in _WRAPPED, horizontal="center" if name == "Line" else None
        )
        if name == "Amount":
            cell.number_format = "#,##0.00"
        if name in INPUTS:
            cell.fill = PatternFill("solid", fgColor=_PAPER)
            cell.protection = Protection(locked=False)
            cell.number_format = "yyyy-mm-dd" if name == "New date" else "@"
    texts = dict(zip(COLUMNS, (*row.facts, *chosen, row.decided), strict=True))
    lines = max(_lines(str(texts[name] or ""), _WIDTHS[name]) for name in _WRAPPED)
    sheet.row_dimensions[number].height = _LINE_HEIGHT * lines


def _lines(text: str, width: int) -> int:
    """How many lines of a column a text takes, at most ten: heights do not adjust themselves to wrapped text."""
    return min(10, sum(max(1, -(-len(part) * 11 // (width * 10))) for part in text.split("\n")))


def _drop_downs(sheet: Any, rows: Sequence[FlagRow], partners: int, columns: int) -> None:
    last = FIRST + max(len(rows), 1) - 1
    by_actions: dict[tuple[str, ...], DataValidation] = {}
    for number, row in enumerate(rows, FIRST):
        if row.actions not in by_actions:
            listed = ",".join(row.actions)
            check = DataValidation("list", formula1=f'"{listed}"', allow_blank=True, showErrorMessage=True)
            check.errorTitle, check.error = "Action", f"Choose one of: {listed}"
            by_actions[row.actions] = check
            sheet.add_data_validation(check)
        by_actions[row.actions].add(f"{_LETTER['Action']}{number}")
    lists = (("New partner", f"{PARTNERS}!$C$2:$C${partners + 1}"), ("Cell", f"{SCAN}!$L$2:$L${columns + 1}"))
    for name, source in lists:
        check = DataValidation("list", formula1=source, allow_blank=True, showErrorMessage=False)
        check.add(f"{_LETTER[name]}{FIRST}:{_LETTER[name]}{last}")
        sheet.add_data_validation(check)


def _finish(sheet: Any, flags: int) -> None:
    sheet.freeze_panes = f"B{FIRST}"
    sheet.auto_filter.ref = f"A{FIRST - 1}:{get_column_letter(len(COLUMNS))}{FIRST + max(flags, 1) - 1}"
    sheet.sheet_view.showGridLines = False
    _protect(sheet)
    _one_page_wide(sheet)
    sheet.print_title_rows = f"{FIRST - 1}:{FIRST - 1}"


def _protect(sheet: Any) -> None:
    """Locked cells against slips of the hand, without a password; filters, sorting and widths stay free."""
    sheet.protection.sheet = True
    for allowed in ("autoFilter", "sort", "formatColumns", "formatRows"):
        setattr(sheet.protection, allowed, False)


def _one_page_wide(sheet: Any) -> None:
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = openpyxl.worksheet.properties.PageSetupProperties(fitToPage=True)


def _partner_sheet(sheet: Any, partners: Sequence[tuple[str, str]]) -> None:
    rows: Iterator[tuple[str, str, str]] = ((name, key, partner_label(name, key)) for name, key in partners)
    for number, row in enumerate([("Partner", "Id", "As it is chosen"), *rows], 1):
        for column, text in enumerate(row, 1):
            _put(sheet, number, column, text).font = Font(bold=number == 1)
    for letter, width in zip("ABC", (36, 16, 44), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    _one_page_wide(sheet)
    _protect(sheet)


def _guide_sheet(sheet: Any) -> None:
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 100
    for number, (word, text) in enumerate(GUIDE, 1):
        _put(sheet, number, 1, word).font = Font(bold=True, color=_INK, size=14 if number == 1 else 11)
        _put(sheet, number, 2, text).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.row_dimensions[number].height = (_LINE_HEIGHT + 3) * _lines(text, 100) + 4
        sheet.cell(number, 1).alignment = Alignment(vertical="top")
    _one_page_wide(sheet)
    sheet.sheet_view.showGridLines = False
    _protect(sheet)


def _scan_sheet(sheet: Any, about: About, rows: Sequence[FlagRow], columns: Sequence[str]) -> None:
    """What the reader needs to know the rows again, and the columns that can be corrected."""
    for number, name in enumerate(ABOUT, 1):
        _put(sheet, number, 1, name)
        _put(sheet, number, 2, str(getattr(about, name)))
    start = len(ABOUT) + 1
    for number, row in enumerate(rows, start + 1):
        before = row.before
        texts = (str(row.facts[0]), row.kind, row.scope, row.row_id, row.partner_key, before.action, before.set_date,
                 before.partner_name, before.cell, before.value)  # fmt: skip
        for column, text in enumerate(texts, 1):
            _put(sheet, number, column, text)
    for column, name in enumerate(KEYS, 1):
        _put(sheet, start, column, name)
    for number, name in enumerate(columns, 2):
        _put(sheet, number, 12, name)
    sheet.sheet_state = "hidden"
    _protect(sheet)
