"""The reference data of managed services, sheet by sheet: its columns, what may stand in them, what is unique.

One description serves the workbook that people edit, the tables of the database, and the check of every value on its
way in. Values are kept as texts in one spelling each, so that a book that is exported and imported changes nothing.
Source: spec 1.1 to 1.3; decision 17.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

from billing_pipeline.engine.errors import Problem
from billing_pipeline.engine.managed_services.tables import PREPAID, RATES, TYPES

Kind = Literal["text", "money", "whole", "date"]
_LARGEST = Decimal(10) ** 10
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `negative` money may be below zero (credits); `choices`, if any, are all that may stand there."""

    name: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    negative: bool = False
    bounds: tuple[int, int] = (0, 9999)  # of a whole number


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of the book and a table of the database. The `key` columns, which come first, are unique together."""

    name: str
    title: str
    key: tuple[Column, ...]
    values: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.key, *self.values)


def _money(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "money") for name in names)


_ACCOUNT, _NAME = Column("account", required=True), Column("name", required=True)
_SOURCE = (Column("source", required=True), Column("source_id", required=True))
_COST = Column("custom_cost", "money", negative=True)
_DEVICE_TYPE = Column("type", required=True, choices=TYPES)
_PERSON_TYPE = Column("type", required=True, choices=("Paid", "No Charge", "Custom"))
TERMS = ("Month to Month", "1 Year", "2 Year", "3 Year")
SHEETS = (
    Sheet(
        "plans",
        "Plans",
        (
            Column("plan", required=True),
            Column("term", required=True, choices=TERMS),
            Column("valid_from", "date", required=True),
        ),
        (Column("support_level"), *_money(*RATES)),
    ),
    Sheet(
        "settings", "Client rates", (_ACCOUNT,), (Column("plan"), Column("support_level"), *_money(*RATES, *PREPAID))
    ),
    Sheet("device_overrides", "Device overrides", _SOURCE, (_DEVICE_TYPE, _COST)),
    Sheet("person_overrides", "User overrides", _SOURCE, (_PERSON_TYPE, _COST)),
    Sheet("manual_devices", "Manual devices", (_ACCOUNT, _NAME), (_DEVICE_TYPE, _COST, Column("notes"))),
    Sheet("manual_people", "Manual users", (_ACCOUNT, _NAME), (_PERSON_TYPE, _COST, Column("notes"))),
    Sheet(
        "line_items",
        "Line items",
        (_ACCOUNT, _NAME),
        (
            Column("description"),
            *(Column(name, "money", negative=True) for name in ("monthly_fee", "one_off_fee")),
            Column("one_off_year", "whole", bounds=(1900, 2199)),
            Column("one_off_month", "whole", bounds=(1, 12)),
            Column("yearly_fee", "money", negative=True),
            Column("yearly_bill_month", "whole", bounds=(1, 12)),
        ),
    ),
    Sheet(
        "plan_features",
        "Plan features",
        (
            Column("plan", required=True),
            Column("term", required=True, choices=TERMS),
            Column("feature", required=True),
        ),
        (Column("value", required=True),),
    ),
    Sheet("features", "Features", (_ACCOUNT, Column("feature", required=True)), (Column("value", required=True),)),
    Sheet(
        "contracts",
        "Contracts",
        (_ACCOUNT, Column("start", "date", required=True)),
        (Column("end", "date"), Column("term", choices=TERMS), Column("notes")),
    ),
)

Row = Mapping[str, str | None]


def checked_rows(
    sheet: Sheet, rows: Iterable[tuple[Sequence[str], Mapping[str, str]]], file: str
) -> tuple[list[dict[str, str | None]], list[Problem]]:
    """The rows with their values in one spelling, and everything that is wrong, each with its cell.

    rows: cell addresses in the order of the columns, and texts by column; blank texts are missing.
    """
    found: list[dict[str, str | None]] = []
    problems: list[Problem] = []
    seen: dict[tuple[str | None, ...], str] = {}
    for addresses, texts in rows:
        row: dict[str, str | None] = {}
        for column, cell in zip(sheet.columns, addresses, strict=True):
            value, wrong = checked_value(column, texts.get(column.name, ""))
            row[column.name] = value
            if wrong:
                problems.append(Problem(wrong, file, sheet=sheet.title, cell=cell, value=texts.get(column.name, "")))
        key = tuple(row[column.name] for column in sheet.key)
        if key in seen and None not in key:
            named = ", ".join(column.name for column in sheet.key)
            problems.append(
                Problem(f"{named} stand in {seen[key]} already", file, sheet=sheet.title, cell=addresses[0])
            )
        seen.setdefault(key, addresses[0])
        problems += _row_problems(sheet, row, addresses, file)
        found.append(row)
    return found, problems


def checked_value(column: Column, text: str) -> tuple[str | None, str]:
    """The text in its one spelling, and what is wrong with it ("" when nothing is).

    >>> checked_value(Column("fee", "money"), " 1,200.5 ")
    ('1200.50', '')
    >>> checked_value(Column("fee", "money"), "-3")
    (None, 'is below zero')
    """
    stripped = text.strip()
    if not stripped:
        return None, "is missing" if column.required else ""
    if column.kind == "money":
        return _money_value(stripped, negative=column.negative)
    if column.kind == "whole":
        low, high = column.bounds
        if not re.fullmatch(r"[0-9]{1,9}", stripped) or not low <= int(stripped) <= high:
            return None, f"is not a whole number from {low} to {high}"
        return str(int(stripped)), ""
    if column.kind == "date":
        try:
            return date.fromisoformat(stripped).isoformat(), ""
        except ValueError:
            return None, "is not a date (YYYY-MM-DD)"
    if column.choices and stripped not in column.choices:
        return None, f"is none of {', '.join(column.choices)}"
    if len(stripped) > _LONGEST or not stripped.isprintable():
        return None, f"is longer than {_LONGEST} characters, or holds characters that cannot be shown"
    return stripped, ""


def _money_value(text: str, *, negative: bool) -> tuple[str | None, str]:
    plain = text.replace(",", "") if re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?", text) else text
    try:
        value = Decimal(plain) if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]*", plain) else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        return None, "is not an amount"
    if value != value.quantize(Decimal("0.01")):
        return None, "has more than two decimals"
    if abs(value) >= _LARGEST:
        return None, "has more than ten digits before the point"
    if value < 0 and not negative:
        return None, "is below zero"
    return f"{value:.2f}", ""


def _row_problems(sheet: Sheet, row: Row, addresses: Sequence[str], file: str) -> list[Problem]:
    """What no cell is wrong about by itself."""
    at = {column.name: cell for column, cell in zip(sheet.columns, addresses, strict=True)}
    found: list[Problem] = []
    if "custom_cost" in at and row["custom_cost"] is not None and row["type"] not in (None, "Custom"):
        found.append(
            Problem("a cost of its own is for the type Custom only", file, sheet=sheet.title, cell=at["custom_cost"])
        )
    if sheet.name == "contracts" and row["end"] and row["start"] and row["end"] < row["start"]:
        found.append(Problem("ends before it starts", file, sheet=sheet.title, cell=at["end"]))
    if sheet.name == "line_items":
        once = (row["one_off_fee"], row["one_off_year"], row["one_off_month"])
        if any(once) and not all(once):
            found.append(Problem("needs fee, year and month", file, sheet=sheet.title, cell=at["one_off_fee"]))
        if (row["yearly_fee"] is None) != (row["yearly_bill_month"] is None):
            found.append(Problem("needs fee and month", file, sheet=sheet.title, cell=at["yearly_fee"]))
        if not any((row["monthly_fee"], row["one_off_fee"], row["yearly_fee"])):
            found.append(Problem("has no fee, and would never be billed", file, sheet=sheet.title, cell=at["name"]))
    return found
