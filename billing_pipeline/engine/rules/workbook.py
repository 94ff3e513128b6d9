"""The rules workbook, read and validated as a whole: the questions that the rest of the product asks of it.

What belongs here: the order of the steps. What does not: the steps.
"""

import hashlib
import re
from collections.abc import Sequence

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.rules.layout import FIELDS, MAPPING, PRICING
from billing_pipeline.engine.rules.messages import Warned
from billing_pipeline.engine.rules.parsing import Table, parse_sheet
from billing_pipeline.engine.rules.reading import read_sheets
from billing_pipeline.engine.rules.tables import Rules, rules_from_tables
from billing_pipeline.engine.rules.validation import judge

_ADDRESS = re.compile(r"([A-Z]+)([0-9]+)")


def read_workbook(data: bytes, name: str) -> Rules:
    """The rules in the workbook `data`, called `name` in messages.

    Any error stops: one InputError with every problem, each with its sheet, cell and the value found.
    Source: spec 1.7, decisions 5 and 6.
    """
    tables, errors, warnings = _validated(data, name)
    if errors:
        raise InputError(errors)
    digest = hashlib.sha256(data).hexdigest()
    return rules_from_tables(tables, name=name, sha256=digest, workbook=data, warnings=tuple(warnings))


def partner_names(rules: Rules) -> pl.DataFrame:
    """The partners that the rules name, as they are spelled there: name, id ("" for none), each once, by name."""
    sheets, _ = read_sheets(rules.workbook, rules.name)
    columns = ("partner_name", "partner_id")
    found = [
        sheet.rows.select(
            (pl.col(c) if c in sheet.columns else pl.lit(None, pl.String)).str.strip_chars().fill_null("").alias(c)
            for c in columns
        )
        for title, sheet in sheets.items()
        if title in (PRICING, MAPPING)
    ]
    named = pl.concat(found).filter(pl.col("partner_name") != "").unique()
    return named.sort(columns).rename({"partner_name": "name", "partner_id": "id"})


def check(data: bytes, name: str) -> tuple[list[Problem], list[Warned]]:
    """Errors and warnings of the workbook, without raising; in the order of sheet, row and column."""
    try:
        _, errors, warnings = _validated(data, name)
    except InputError as error:
        return list(error.problems), []
    return errors, warnings


def check_document(errors: Sequence[Problem], warnings: Sequence[Problem]) -> dict[str, list[dict[str, str]]]:
    """The JSON document of `rules check`: lists `errors` and `warnings` of {sheet, cell, value, message}."""
    return {
        "errors": [_document(problem) for problem in errors],
        "warnings": [_document(problem) for problem in warnings],
    }


def _document(problem: Problem) -> dict[str, str]:
    return {"sheet": problem.sheet, "cell": problem.cell, "value": problem.value, "message": problem.message}


def _validated(data: bytes, name: str) -> tuple[dict[str, Table], list[Problem], list[Warned]]:
    sheets, problems = read_sheets(data, name)
    tables = {title: parse_sheet(sheet, name) for title, sheet in sheets.items()}
    errors, warnings = judge(tables, name)
    errors += [*problems, *(error for table in tables.values() for error in table.errors)]
    warnings += (warning for table in tables.values() for warning in table.warnings)
    return tables, sorted(errors, key=_position), sorted(warnings, key=_position)


def _position(problem: Problem) -> tuple[int, int, int, str]:
    """Sheets in their usual order, then rows, then columns; what concerns the file or a whole sheet first."""
    sheet = list(FIELDS).index(problem.sheet) if problem.sheet else -1
    address = _ADDRESS.fullmatch(problem.cell)
    return (sheet, int(address[2]), len(address[1]), address[1]) if address else (sheet, 0, 0, "")
