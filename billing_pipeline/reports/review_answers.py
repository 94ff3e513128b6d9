"""A filled-in review workbook, read back: what was chosen about each flag, as a person typed it.

What belongs here: cells to texts, and what only a workbook can get wrong. What does not: whether a choice may be made
(engine.usage). A formula in an input cell is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import openpyxl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.usage import Choice
from billing_pipeline.reports.review_workbook import ABOUT, COLUMNS, DECISIONS, FACTS, FIRST, INPUTS, KEYS, SCAN, About
from billing_pipeline.reports.workbook_reading import MOST_ROWS, refuse_unreadable


@dataclass(frozen=True, slots=True)
class FilledRow:
    """A row read back: what it is about, what was chosen, what stood there when it was written, the reason given.

    In both choices `partner_name` is the text of the cell (see partner_label), and `value` may be BLANK.
    """

    row: int
    flag: str
    kind: str
    scope: str
    row_id: str
    partner_key: str
    choice: Choice
    before: Choice
    reason: str


def read_review_workbook(data: bytes, name: str) -> tuple[About, list[FilledRow]]:
    """The scan a workbook belongs to, and its rows; InputError lists every cell that cannot be taken as text."""
    refuse_unreadable(data, name, "a review workbook")
    try:
        book = openpyxl.load_workbook(BytesIO(data), keep_links=False)
        about, known = _scan_of(book[SCAN])
        sheet = book[DECISIONS]
        last = min(sheet.max_row, MOST_ROWS)  # asking for rows beyond the last one would make them
        cells = list(sheet.iter_rows(min_row=FIRST, max_col=len(COLUMNS), max_row=last))
    except Exception as error:  # a damaged or foreign workbook fails anywhere in openpyxl
        raise InputError(Problem("is not a review workbook; make one with `review export`", file=name)) from error
    rows: list[FilledRow] = []
    problems: list[Problem] = []
    for row in cells:
        texts = {column: _text(cell) for column, cell in zip(COLUMNS, row, strict=True)}
        flag = texts["Flag"]
        formulas = [c.coordinate for c in row[len(FACTS) : -1] if c.data_type == "f"]
        problems += [Problem("holds a formula; type the value itself", name, None, DECISIONS, c) for c in formulas]
        if flag in known:
            keys = known[flag]
            rows.append(_filled(row[0].row, texts, keys))
        elif any(texts[column] for column in INPUTS):
            message = "this row belongs to no flag; the column Flag must stay as it was written"
            problems.append(Problem(message, name, None, DECISIONS, row[0].coordinate, flag))
    if problems:
        raise InputError(problems)
    return about, rows


def _filled(number: int, texts: dict[str, str], keys: dict[str, str]) -> FilledRow:
    action, day = (texts[column].strip() for column in ("Action", "New date"))
    choice = Choice(action, day, texts["New partner"].strip(), "", texts["Cell"].strip(), texts["New value"])
    before = Choice(keys["action"], keys["set_date"], keys["partner"], "", keys["cell"], keys["value"])
    return FilledRow(
        number, keys["flag"], keys["kind"], keys["scope"], keys["row_id"], keys["partner_key"], choice, before,
        texts["Reason"].strip(),
    )  # fmt: skip


def _text(cell: Any) -> str:
    """A cell as a person would type it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return str(value.date() if value.time() == value.min.time() else value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _scan_of(sheet: Any) -> tuple[About, dict[str, dict[str, str]]]:
    facts = {sheet.cell(number, 1).value: _text(sheet.cell(number, 2)) for number in range(1, len(ABOUT) + 1)}
    about = About(facts["period"], facts["usage_sha256"], facts["rules_sha256"], int(facts["last_decision"]),
                  facts["usage_name"])  # fmt: skip
    known: dict[str, dict[str, str]] = {}
    for row in sheet.iter_rows(min_row=len(ABOUT) + 2, max_col=len(KEYS)):
        keys = dict(zip(KEYS, map(_text, row), strict=True))
        if keys["flag"]:
            known[keys["flag"]] = keys
    return about, known
