"""Declared shapes of the audit: source rows, their cells' history, what the rules find. Times are UTC.

Source: spec 1.2, 9.1, 9.2 of the billing audit.
"""

import polars as pl

from billing_pipeline.engine.money import AMOUNT, QUANTITY, RATE
from billing_pipeline.engine.tables import Schema

UTC_TIME = pl.Datetime("us", "UTC")

TEXTS: Schema = {  # a cell of a source sheet as it was read, one row each; ids are texts, they have 16 digits
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,  # logical name, one of COLUMNS
    "value": pl.String,  # null: an empty cell
}
SHEETS: Schema = {  # a source sheet of a run
    "sheet_id": pl.String,
    "sheet": pl.String,  # its name
    "version": pl.Int64,
    "rows": pl.Int64,  # as the sheet says (totalRowCount)
    "read": pl.Int64,  # rows that were read
    "missing": pl.String,  # required columns it does not have, joined by ", "; "" is none
    "error": pl.String,  # why it could not be read; "" is none
}
SOURCE_ROWS: Schema = {  # a row of a source sheet, before its cells
    "sheet_id": pl.String,
    "row_id": pl.String,
    "row_number": pl.Int64,
    "modified_at": UTC_TIME,
    "modified_by": pl.String,  # e-mail, else name, else ""
    "permalink": pl.String,
}
COLUMNS: dict[str, tuple[str, ...]] = {  # logical name -> titles that are accepted, the first found wins
    "work_request": ("Work Request #",),
    "week_ending": ("Weekly Reference Logged Date",),
    "work_date": ("Snapshot Date",),
    "completed": ("Units Completed?", "Units Completed"),
    "price": ("Units Total Price", "Total Price", "Redlined Total Price"),
    "quantity": ("Quantity", "Qty", "# Units"),
    "unit_code": ("CU", "Billable Unit Code"),
    "work_type": ("Work Type",),
    "point": ("Point #", "Point Number", "Pole #"),
    "foreman": ("Foreman Assigned?", "Foreman"),
    "department": ("Dept #",),
    "customer": ("Customer Name",),
    "work_order": ("Work Order #",),
    "area": ("Area",),
    "description": ("CU Description", "Unit Description"),
    "unit_of_measure": ("Unit of Measure", "UOM"),
    "scope": ("Scope #", "Scope ID"),
    "job": ("Job #",),
}
REQUIRED = ("work_request", "week_ending", "completed", "price", "quantity")
TRACKED = ("quantity", "price")
"""Cells that are locked once their week is closed."""

ROWS: Schema = {  # the typed snapshot: a row of a source sheet, whatever its state; key: sheet_id, row_id
    **SOURCE_ROWS,
    "work_request": pl.String,  # 10000001.0 is 10000001
    "week_ending": pl.Date,
    "work_date": pl.Date,
    "completed": pl.Boolean,
    "price": AMOUNT,
    "quantity": QUANTITY,
    **dict.fromkeys([*COLUMNS][6:], pl.String),
}
CELL_PROBLEMS: Schema = {  # a cell whose text cannot be read as what its column is
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "value": pl.String,
    "problem": pl.String,
}
REVISIONS: Schema = {  # one revision of one cell, as the history tells it
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "at": UTC_TIME,
    "value": pl.String,
    "by": pl.String,  # e-mail, else name, else ""
}
BASELINE: Schema = {  # what a row was when its week was first billed; key: sheet_id, row_id
    "sheet_id": pl.String,
    "row_id": pl.String,
    "work_request": pl.String,
    "week_ending": pl.Date,
    "price": AMOUNT,  # null: history showed later that nothing was billed of it
    "quantity": QUANTITY,
    "billed_at": UTC_TIME,  # when its values were locked: the close of the week, or the start of the first look-back
}
SEEN: Schema = {  # when a sheet was last judged
    "sheet_id": pl.String,
    "at": UTC_TIME,
}
WATERMARKS: Schema = {  # up to when a cell's history was examined; without one up to the row's previous modified_at
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "at": UTC_TIME,
}
EXAMINED: Schema = {  # a cell whose history is needed in a run, and what came of it
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "state": pl.String,  # WANTED, READ, FAILED, CARRIED
    "dollars": AMOUNT,  # the price of its line, the larger of then and now: dearest first
    "watermark": UTC_TIME,  # examined up to here so far
}
WANTED, READ, FAILED, CARRIED = "wanted", "read", "failed", "carried"
"""A cell is asked for, and then its history could be read or not; or it is left for the next run by the budget."""

CHANGES: Schema = {  # what differs between two snapshots: one row for a cell, or for a row that came or went
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,  # "" for a row
    "old": pl.String,
    "new": pl.String,
    "kind": pl.String,  # ADDED, REMOVED, CHANGED, REVOKED, UNPRICED
}
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
REVOKED, UNPRICED = "completion revoked", "price removed"
KINDS = (ADDED, REMOVED, CHANGED, REVOKED, UNPRICED)
RATES: Schema = {  # contract rates; key: unit_code, work_type
    "unit_code": pl.String,
    "work_type": pl.String,  # install, remove, transfer
    "rate": RATE,
}
COVERAGE: Schema = {  # what of a sheet could be judged in a run
    "sheet_id": pl.String,
    "sheet": pl.String,
    "rows": pl.Int64,
    "cells": pl.Int64,  # tracked cells that were checked
    "not_verified": pl.Int64,  # tracked cells that could not be checked: history failed or left for later, no sheet
    "unreadable": pl.Int64,  # cells with a problem
    "error": pl.String,  # why the sheet could not be judged; "" is none
}
SKIPPED: Schema = {  # rows that a rule could not judge, counted
    "rule": pl.String,
    "reason": pl.String,
    "rows": pl.Int64,
}
EVENTS: Schema = {  # one observed revision of a locked cell, or a row that came or went; never changes
    "event_key": pl.String,
    "finding_key": pl.String,
    "sheet_id": pl.String,
    "row_id": pl.String,
    "column": pl.String,
    "at": UTC_TIME,
    "old": pl.String,
    "new": pl.String,
    "by": pl.String,
    "evidence": pl.String,  # history, snapshot
}
FOUND: Schema = {  # a condition that is true in a run, as a rule found it; key: finding_key
    "finding_key": pl.String,
    "category": pl.String,
    "rule": pl.String,
    "severity": pl.String,  # HIGH, MEDIUM, LOW, INFO
    "sheet_id": pl.String,
    "row_id": pl.String,  # of several rows the first
    "column": pl.String,
    "work_request": pl.String,
    "week_ending": pl.Date,
    "first_week_ending": pl.Date,  # the week it was first billed in; null: never
    "old": pl.String,  # locked value
    "new": pl.String,  # current value
    "delta": QUANTITY,  # of numbers; null of anything else
    "dollars": AMOUNT,  # at stake, never below zero; null: not known
    "events": pl.Int64,
    "by": pl.String,
    "at": UTC_TIME,  # of the last event; null of a value that is wrong whenever it came
    "evidence": pl.String,  # history, snapshot, value
    "why": pl.String,  # a sentence with the figures of the rule
    "permalink": pl.String,
}
DRAFT: Schema = {  # FOUND as a rule leaves it: without key, severity and what the events tell
    **{name: FOUND[name] for name in FOUND if name not in {"finding_key", "severity", "events", "at"}},
    "discriminator": pl.String,  # part of the key, see keys
    "least": pl.String,  # the severity it has at least; null: that of its dollars
}
HISTORY, SNAPSHOT, VALUE = "history", "snapshot", "value"
"""Evidence: the cell's own history, the difference of two snapshots, the value as it stands."""

EDIT_AFTER_CLOSE, LATE_ENTRY, TRANSIENT_EDIT = "EDIT_AFTER_CLOSE", "LATE_ENTRY", "TRANSIENT_EDIT"
ROW_REMOVED, COMPLETION_REVOKED, PRICE_REMOVED = "ROW_REMOVED", "COMPLETION_REVOKED", "PRICE_REMOVED"
WEEK_MOVED, OUTSIDE_WEEK = "WEEK_MOVED", "OUTSIDE_WEEK"
DATE_TOO_OLD, DATE_TOO_FUTURE, FUTURE_WORK_DATE = "DATE_TOO_OLD", "DATE_TOO_FUTURE", "FUTURE_SNAPSHOT"
UNREADABLE, MISSING_VALUE, NOT_POSITIVE = "UNREADABLE_VALUE", "MISSING_VALUE", "NOT_POSITIVE"
RATE_MISMATCH, PRICE_ANOMALY = "RATE_MISMATCH", "PRICE_ANOMALY"
DUPLICATE, DUPLICATE_ACROSS = "DUPLICATE_IN_SHEET", "DUPLICATE_ACROSS_SHEETS"
CHARGE_CHANGED, CHARGE_ADDED, CHARGE_REMOVED = "CHARGE_CHANGED", "CHARGE_ADDED", "CHARGE_REMOVED"
"""Categories; the last three are of our own book: a charge of a month that another run of it priced differently."""
CATEGORIES = frozenset(
    {
        EDIT_AFTER_CLOSE, LATE_ENTRY, TRANSIENT_EDIT, ROW_REMOVED, COMPLETION_REVOKED, PRICE_REMOVED, WEEK_MOVED,
        OUTSIDE_WEEK, DATE_TOO_OLD, DATE_TOO_FUTURE, FUTURE_WORK_DATE, UNREADABLE, MISSING_VALUE, NOT_POSITIVE,
        RATE_MISMATCH, PRICE_ANOMALY, DUPLICATE, DUPLICATE_ACROSS, CHARGE_CHANGED, CHARGE_ADDED, CHARGE_REMOVED,
    }
)  # fmt: skip
HIGH, MEDIUM, LOW, INFO = "HIGH", "MEDIUM", "LOW", "INFO"
