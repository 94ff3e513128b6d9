"""The audit as literals: findings, events, rows, runs and coverage; a test names what it is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit import tables, views
from billing_pipeline.engine.tables import Schema

NOW = datetime(2026, 1, 16, 18, tzinfo=UTC)  # a Friday, noon in Chicago
ZONE = "America/Chicago"
SHEET = "1111222233334444"


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def finding(key: str, dollars: str | None = "50.00", **values: Any) -> dict[str, Any]:
    """An edit of a quantity that is open for a day; its row bears the key of the finding."""
    return {
        "finding_key": key,
        "category": "EDIT_AFTER_CLOSE",
        "rule": "edit_after_close",
        "severity": "LOW",
        "sheet_id": SHEET,
        "row_id": f"row {key}",
        "column": "quantity",
        "work_request": "10000001",
        "week_ending": date(2026, 1, 4),
        "first_week_ending": date(2026, 1, 4),
        "old": "2",
        "new": "5",
        "delta": Decimal(3),
        "dollars": None if dollars is None else Decimal(dollars),
        "events": 1,
        "by": "pat@example.com",
        "at": ago(1),
        "evidence": "history",
        "why": "Quantity 2 was changed to 5 after the week had closed.",
        "permalink": "https://app.example.com/sheets/abc?rowId=1",
        "status": "ONGOING",
        "before": "NEW",
        "told": False,
        "first_seen_run": "r1",
        "first_seen_at": ago(1),
        "last_seen_at": NOW,
        "reopen_count": 0,
    } | values


def new(key: str, dollars: str | None = "50.00", **values: Any) -> dict[str, Any]:
    """A finding of this run."""
    return finding(key, dollars, **{"status": "NEW", "before": None, "told": True, "first_seen_at": NOW} | values)


def resolved(key: str, dollars: str | None = "50.00", **values: Any) -> dict[str, Any]:
    """A finding that this run saw resolved."""
    return finding(key, dollars, **{"status": "RESOLVED", "told": True, "resolved_at": NOW} | values)


def findings(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return frame(rows, views.FINDINGS)


def event(key: str = "f1", at: datetime = NOW, by: str = "pat@example.com", **values: Any) -> dict[str, Any]:
    """An edit of a quantity that a finding is about."""
    return {"finding_key": key, "sheet_id": SHEET, "row_id": "1", "column": "quantity", "at": at, "by": by} | values


def events(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return frame(rows, tables.EVENTS)


def row(row_id: str, quantity: str | None = "1", **values: Any) -> dict[str, Any]:
    """A completed row of unit code A1."""
    amount = None if quantity is None else Decimal(quantity)
    given = {"sheet_id": SHEET, "row_id": row_id, "completed": True, "quantity": amount, "unit_code": "A1"}
    return given | {"work_request": "10000001", "foreman": "Ann"} | values


def rows(*given: Mapping[str, Any]) -> pl.DataFrame:
    return frame(given, tables.ROWS)


def run(run_id: str, days_ago: float = 0, comparable: str = "same") -> dict[str, Any]:
    return {"run_id": run_id, "at": ago(days_ago), "status": "FINDINGS", "comparable": comparable}


def runs(*given: Mapping[str, Any]) -> pl.DataFrame:
    return frame(given, views.RUNS)


def count(run_id: str, number: int, standing: str = "NEW", dollars: str = "0", **values: Any) -> dict[str, Any]:
    """So many findings of a run."""
    kind = {"category": "EDIT_AFTER_CLOSE", "severity": "LOW", "standing": standing}
    return {"run_id": run_id, "findings": number, "dollars": Decimal(dollars)} | kind | values


def counts(*given: Mapping[str, Any]) -> pl.DataFrame:
    return frame(given, views.COUNTS)


def sheet(sheet_id: str = SHEET, name: str = "Feeder 12", **values: Any) -> dict[str, Any]:
    whole = {"rows": 10, "cells": 20, "not_verified": 0, "unreadable": 0, "error": ""}
    return {"sheet_id": sheet_id, "sheet": name} | whole | values


def coverage(*given: Mapping[str, Any]) -> pl.DataFrame:
    return frame(given or [sheet()], tables.COVERAGE)


def frame(given: Sequence[Mapping[str, Any]], schema: Schema) -> pl.DataFrame:
    """The records as a frame; what one does not say is null."""
    return pl.DataFrame(list(given), schema=schema, orient="row")
