"""The reference data of managed services as one workbook: a sheet for each table, written and read back exactly.

What belongs here: cells. What does not: which sheets and columns there are and what may stand in them
(engine.managed_services.sheets), the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services.sheets import SHEETS, Column, Row, Sheet, checked_rows
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.reports.workbook import Table, write_workbook
from billing_pipeline.reports.workbook_parts import Style
from billing_pipeline.reports.workbook_reading import MOST_ROWS, refuse_unreadable

_HEADER = Style(bold=True, color="FFFFFF", fill="1F3864", border="thin", align="center")
_MOST = 200  # problems told of one workbook
_DTYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "money": AMOUNT,
    "whole": pl.Int64,
    "text": pl.String,
    "date": pl.String,
}


def write_client_book(path: Path, rows: Mapping[str, Sequence[Row]]) -> tuple[str, ...]:
    """Write the rows of every sheet, by its name; the titles written. Errors as `write_workbook`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_workbook(
        path, [Table(sheet.title, _frame(sheet, rows.get(sheet.name, ())), _HEADER) for sheet in SHEETS]
    )


def read_client_book(data: bytes, name: str) -> dict[str, list[dict[str, str | None]]]:
    """The rows of every sheet that the workbook has, by the sheet's name; a sheet that is missing is not in the answer.

    InputError with everything that is wrong, by sheet and cell.
    """
    refuse_unreadable(data, name, "a book of clients")
    try:
        book = openpyxl.load_workbook(BytesIO(data), keep_links=False)
    except Exception as error:  # a damaged workbook fails anywhere in openpyxl
        raise InputError(Problem("cannot be read as a workbook", file=name)) from error
    known = {sheet.title: sheet for sheet in SHEETS}
    problems = [
        Problem(f"is no sheet of the book; there are {', '.join(known)}", name, sheet=title)
        for title in book.sheetnames
        if title not in known
    ]
    found: dict[str, list[dict[str, str | None]]] = {}
    for title in (title for title in book.sheetnames if title in known):
        sheet, wrong = known[title], list[Problem]()
        rows = list(_cells(book[title], sheet, name, wrong))
        values, more = checked_rows(sheet, rows, name)
        found[sheet.name] = values
        problems += [*wrong, *more]
    if problems:
        raise InputError(problems[:_MOST])
    return found


def _frame(sheet: Sheet, rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            column.name: pl.Series(
                column.name, [_typed(column, row[column.name]) for row in rows], dtype=_DTYPES[column.kind]
            )
            for column in sheet.columns
        }
    )


def _typed(column: Column, text: str | None) -> Decimal | int | str | None:
    if text is None:
        return None
    return Decimal(text) if column.kind == "money" else int(text) if column.kind == "whole" else text


def _cells(sheet: Any, of: Sheet, name: str, problems: list[Problem]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The filled rows of a sheet: addresses in the order of its columns, texts by column."""
    header = [str(cell.value or "").strip() for cell in next(sheet.iter_rows(min_row=1, max_row=1), ())]
    wanted = [column.name for column in of.columns]
    missing = [column for column in wanted if column not in header]
    unknown = [column for column in header if column and column not in wanted]
    problems += [Problem(f"column {column} is missing", name, sheet=of.title) for column in missing]
    problems += [Problem("is no column of this sheet", name, sheet=of.title, value=column) for column in unknown]
    if missing:
        return
    places = [header.index(column) for column in wanted]
    for row in sheet.iter_rows(min_row=2, max_row=min(sheet.max_row, MOST_ROWS), max_col=len(header)):
        cells = [row[place] for place in places]
        formulas = [cell.coordinate for cell in cells if cell.data_type == "f"]
        problems += [
            Problem("holds a formula; type the value itself", name, sheet=of.title, cell=cell) for cell in formulas
        ]
        texts = {column: _text(cell.value) for column, cell in zip(wanted, cells, strict=True)}
        if any(texts.values()):
            yield [cell.coordinate for cell in cells], texts


def _text(value: Any) -> str:
    """A cell as a person would type it; a number as the shortest decimal that stands for it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(value.date() if value.time() == value.min.time() else value)
    if isinstance(value, date):
        return str(value)
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    return str(value)
