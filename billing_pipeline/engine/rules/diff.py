"""What changed between two rules workbooks, cell by cell, whatever moved to another row.

What belongs here: matching of rows and comparison of values. What does not: whether the values are good (`validation`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.rules.layout import CONFIG, FIELDS, MAPPING, MINIMUMS, PARTNER, PRICING, Field
from billing_pipeline.engine.rules.parsing import parse_sheet
from billing_pipeline.engine.rules.reading import read_sheets
from billing_pipeline.engine.rules.tables import Rules

CHANGES = pl.Schema(dict.fromkeys(("kind", "sheet", "cell", "partner", "field", "old", "new"), pl.String))
_KEYS = {PRICING: ("start", "metric", "tier_type"), MINIMUMS: ("start",), CONFIG: (), MAPPING: ()}
_COMPARED = FIELDS | {MAPPING: (PARTNER[1], *FIELDS[MAPPING])}

_Row = dict[str, Any]
_Key = tuple[Any, ...]  # partner, then number and text of each key field, then the repetition


def diff(old: Rules | bytes, new: Rules | bytes) -> pl.DataFrame:
    """Changes from `old` to `new`: kind (added, removed, changed), sheet, cell, partner, field, old, new; all text.

    Rows are matched by partner and tier start, metric and type (Pricing) or first month (Minimums); repeated keys by
    their order. Values are compared, not spellings (`$7.13` is 7.13); a cell that cannot be read is compared as text.
    An added or removed row has one line per filled cell. `cell` is the address in the new workbook, in the old one for
    what was removed. Sorted by sheet, partner, key and column. A workbook that cannot be read, or lacks a sheet or a
    column, is an InputError.
    """
    before, after = _tables(old, "old workbook"), _tables(new, "new workbook")
    changes: list[tuple[str, ...]] = []
    for sheet, fields in _COMPARED.items():
        for key in sorted(before[sheet].keys() | after[sheet].keys()):
            changes += _row_changes(sheet, fields, before[sheet].get(key), after[sheet].get(key))
    return pl.DataFrame(changes, schema=CHANGES, orient="row")


def _tables(source: Rules | bytes, name: str) -> dict[str, dict[_Key, _Row]]:
    data, name = (source, name) if isinstance(source, bytes) else (source.workbook, source.name)
    sheets, problems = read_sheets(data, name)
    tables = [parse_sheet(sheet, name) for sheet in sheets.values()]
    problems += [error for table in tables for error in table.errors if not error.cell]
    if problems:
        raise InputError(problems)
    keyed: dict[str, dict[_Key, _Row]] = {}
    for table in tables:
        rows = keyed.setdefault(table.title, {})
        repeats = Counter[_Key]()
        for row in table.rows.iter_rows(named=True):
            key = (row["partner_key"], *(_key_part(row, field) for field in _KEYS[table.title]))
            rows[(*key, repeats[key])] = row
            repeats[key] += 1
    return keyed


def _key_part(row: _Row, field: str) -> tuple[Decimal | int, str]:
    """Numbers by size, words and unreadable cells by text."""
    value = row[field]
    return (value, "") if isinstance(value, Decimal | int) else (-1, value or row[f"{field}.text"] or "")


def _row_changes(
    sheet: str, fields: tuple[Field, ...], old: _Row | None, new: _Row | None
) -> Iterator[tuple[str, ...]]:
    kind = "added" if old is None else "removed" if new is None else "changed"
    for field in fields:
        before, after = _shown(old, field.name), _shown(new, field.name)
        same = old is not None and new is not None and _value(old, field.name) == _value(new, field.name)
        if same or before == after:
            continue
        row = new or old or {}
        yield kind, sheet, row[f"{field.name}.cell"] or "", row["partner_key"], field.headers[0], before, after


def _shown(row: _Row | None, field: str) -> str:
    """The value of a cell as text, empty when blank or without a row."""
    return "" if row is None or row[f"{field}.text"] is None else _value(row, field)


def _value(row: _Row, field: str) -> str:
    """What the cell means: a blank price and a price of 0 are the same."""
    match row[field]:
        case None:
            return str(row[f"{field}.text"] or "")
        case Decimal() as number:
            return f"{number.normalize():f}"
        case date() as month:
            return f"{month:%Y-%m}"
        case value:
            return str(value)
