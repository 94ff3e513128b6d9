"""The log sheet's columns, and a finding as a row of it.

What belongs here: titles, types, what stands in each cell, colours. What does not: writing it (log_sheet), what a
finding is (the engine). Source: spec 3.3, 7.5, 9.4; Q19-Q23.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.findings import NEW, REOPENED, RESOLVED

KEY, DISPOSITION = "Finding Key", "Disposition"
REPORT = "REPORT-"  # the key of a day's report row begins with it
_TEXT, _DATE, _CONTACT = "TEXT_NUMBER", "DATE", "CONTACT_LIST"
_CHOICE = (_TEXT, "PICKLIST")
_TIME = (_TEXT, _DATE, "DATETIME", "ABSTRACT_DATETIME")
COLUMNS: dict[str, tuple[str, ...]] = {  # title -> types it may have; setup makes the first
    "Work Request #": (_TEXT,),
    "Week Ending": (_DATE,),
    "Column": _CHOICE,
    "Old Value": (_TEXT,),
    "New Value": (_TEXT,),
    "Delta": (_TEXT,),
    "Changed By": (_CONTACT, _TEXT),
    "Changed At": (_DATE, *_TIME),
    "Run At": _TIME,
    "Source Sheet ID": (_TEXT,),
    "Source Row ID": (_TEXT,),
    "Run ID": (_TEXT,),
    "Note": _CHOICE,
    "Sheet Reference": (_TEXT,),
    "Is Historical?": _CHOICE,
    "Severity": _CHOICE,
    "Issue Description": (_TEXT,),
    "Suggested Fix": (_TEXT,),
    KEY: (_TEXT,),
    "Status": _CHOICE,
    "First Seen": (_TEXT,),
    "Last Seen": (_TEXT,),
    DISPOSITION: _CHOICE,
    "Changed At (UTC)": (_TEXT,),
}
FACTS = {  # title -> the fact of a finding that stands there; what else a finding has the next run finds again
    "Work Request #": "work_request",
    "Week Ending": "week_ending",
    "Column": "column",
    "Old Value": "old",
    "New Value": "new",
    "Source Sheet ID": "sheet_id",
    "Source Row ID": "row_id",
    "Note": "category",
    "Sheet Reference": "permalink",
    "Severity": "severity",
    "Issue Description": "why",
    "Changed At (UTC)": "at",
}
_LONGEST = 4000  # characters of a cell, as the API has it
_TINTS = {tables.HIGH: "#FFCCD2", tables.MEDIUM: "#FFE1AF", tables.LOW: "#FFFEE6", tables.INFO: "#E2F2FE"}
_SOLVED = "#E7F5E9"
_CHECK = "Check the change with the person who made it; put the billed value back or bill the difference."
_ENTRY = "Correct the cell in the source sheet."
_FIXES = {
    tables.EDIT_AFTER_CLOSE: _CHECK,
    tables.LATE_ENTRY: "Check that the line was meant to be billed, and in which week.",
    tables.TRANSIENT_EDIT: "Nothing is left to correct; ask why the cell was changed and put back.",
    tables.ROW_REMOVED: "Bring the row back, or credit what was billed.",
    tables.COMPLETION_REVOKED: "Check the unit again, or credit what was billed.",
    tables.PRICE_REMOVED: "Put the price back, or credit what was billed.",
    tables.WEEK_MOVED: "Put the row back into the week it was billed in.",
    tables.OUTSIDE_WEEK: "Correct the work date or the week of the row.",
    tables.DATE_TOO_OLD: _ENTRY,
    tables.DATE_TOO_FUTURE: _ENTRY,
    tables.FUTURE_WORK_DATE: _ENTRY,
    tables.UNREADABLE: _ENTRY,
    tables.MISSING_VALUE: _ENTRY,
    tables.NOT_POSITIVE: _ENTRY,
    tables.RATE_MISMATCH: "Compare the line with the contract's rate, and correct the price formula.",
    tables.PRICE_ANOMALY: "Compare the unit price with other lines of this unit code.",
    tables.DUPLICATE: "Keep one of the rows.",
    tables.DUPLICATE_ACROSS: "Keep the row in one of the sheets.",
}
Value = str | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the log sheet. `values` by title, without the key; a title that is not named stays as it is."""

    key: str
    values: Mapping[str, Value]
    top: bool = False  # above all others when it is inserted
    tint: str = ""  # `#RRGGBB`; "" is none
    bold: str = ""  # the title of the cell in bold type


def log_rows(findings: pl.DataFrame, run: str, at: datetime) -> list[LogRow]:
    """Findings (FOUND and KNOWN side by side) as rows of the log, in their order; `run` and `at` are the run's.

    Ids and times are text, an unknown person stays blank and is named in the description. Source: spec 3.3; Q15, Q20,
    Q21.
    """
    return [_finding_row(finding, run, at) for finding in findings.iter_rows(named=True)]


def report_row(day: date, sentence: str, run: str, at: datetime) -> LogRow:
    """The one report row of a day: the workbook hangs at it, every run of the day brings it up to date. Source: Q19."""
    caption = f"Audit report {day.isoformat()}"
    values: dict[str, Value] = {"Work Request #": caption, "Issue Description": sentence}
    values |= {"Run ID": run, "Run At": at, "Last Seen": at}
    return LogRow(f"{REPORT}{day.isoformat()}", values, top=True)


def wire_row(row: LogRow, columns: Mapping[str, tuple[str, str]], palette: Sequence[str], row_id: str = "") -> Any:
    """The row as the API takes it: {"cells": ...}, with "id" to update one; `columns`: (id, type) by title.

    Cells without a value are left out of a new row and cleared in an old one. The disposition is never written.
    """
    tint = str(nearest_colour(row.tint, palette)) if row.tint else ""
    cells = []
    for title, value in {**row.values, KEY: row.key}.items():
        column_id, kind = columns[title]
        wire = _wire(value, kind)
        if title != DISPOSITION and (row_id or wire != ""):
            form = _format(tint, bold=row.bold == title)
            cells.append({"columnId": int(column_id), "value": wire, **({"format": form} if form else {})})
    return {**({"id": int(row_id)} if row_id else {}), "cells": cells}


def nearest_colour(colour: str, palette: Sequence[str]) -> int:
    """The place in the palette of the colour nearest to this one. Source: spec 7.5: the vendor's hexes drift."""
    hexes = {place: found for place, found in enumerate(palette) if found.startswith("#") and len(found) == 7}
    aim = _rgb(colour)
    return min(hexes, key=lambda place: sum((a - b) ** 2 for a, b in zip(aim, _rgb(hexes[place]), strict=True)))


def _finding_row(finding: dict[str, Any], run: str, at: datetime) -> LogRow:
    status, severity, by = finding["status"], finding["severity"], finding["by"] or ""
    unnamed = f" Changed by {by}." if by and "@" not in by else ""
    values: dict[str, Value] = {
        "Work Request #": finding["work_request"],
        "Week Ending": finding["week_ending"],
        "Column": finding["column"],
        "Old Value": finding["old"],
        "New Value": finding["new"],
        "Delta": finding["delta"],
        "Changed By": by,
        "Changed At": finding["at"],
        "Run At": at,
        "Source Sheet ID": finding["sheet_id"],
        "Source Row ID": finding["row_id"],
        "Run ID": run,
        "Note": finding["category"],
        "Sheet Reference": finding["permalink"],
        "Is Historical?": "Yes" if finding["evidence"] == "history" else "No",
        "Severity": severity,
        "Issue Description": f"{finding['why'] or ''}{unnamed}".strip(),
        "Suggested Fix": _FIXES.get(finding["category"], ""),
        "Status": status,
        "First Seen": finding["first_seen_at"],
        "Last Seen": finding["last_seen_at"],
        "Changed At (UTC)": finding["at"],
    }
    tint = _SOLVED if status == RESOLVED else _TINTS.get(severity, "")
    bold = "Status" if status in {NEW, REOPENED} else ""
    return LogRow(finding["finding_key"], values, top=status == NEW, tint=tint, bold=bold)


def _wire(value: Value, kind: str) -> str | int | float:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        return utc.date().isoformat() if kind == _DATE else utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    text = value or ""
    if kind == _CONTACT and "@" not in text:
        return ""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _number(value: Decimal) -> str | int | float:
    """A number of JSON with the same digits; text, where a float would have others."""
    if value == value.to_integral_value():
        return int(value)
    wire = float(value)  # the SDK knows no other
    return wire if Decimal(repr(wire)) == value else format(value, "f")


def _format(tint: str, *, bold: bool) -> str:
    """The 17 places of a format: 2 is bold, 9 the background; "" is none. Source: spec 7.5."""
    places = [""] * 17
    places[2], places[9] = "1" if bold else "", tint
    return ",".join(places) if any(places) else ""


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
