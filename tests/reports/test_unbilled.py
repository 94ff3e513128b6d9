"""The document of unbilled hours: exact texts, alerts and quarantine apart."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.tables import Schema
from billing_pipeline.engine.unbilled.tables import BALANCE, CLIENTS, LEAKS, PROJECTS
from billing_pipeline.reports.unbilled import unbilled_document

DAY = date(2026, 1, 31)


def frame(schema: Schema, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a declared shape; what is not given is null."""
    return pl.DataFrame([dict.fromkeys(schema) | row for row in rows], schema=schema)


def document(
    *projects: dict[str, Any], leaks: tuple[dict[str, Any], ...] = (), balance: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    clients = frame(CLIENTS, {"client": "Acme", "projects": 2, "amount": Decimal("1.5")})
    return unbilled_document(frame(PROJECTS, *projects), clients, frame(LEAKS, *leaks), frame(BALANCE, *balance), DAY)


def test_amounts_have_two_decimals_hours_at_least_two_and_what_is_not_known_is_null() -> None:
    project = {"project_id": "0042", "hours": Decimal("16.5"), "amount": Decimal(1980), "entries": 3, "oldest": DAY}
    (told,) = document(project)["summary"]
    assert {name: told[name] for name in (*project, "age_days", "client", "threshold")} == {
        "project_id": "0042", "hours": "16.50", "amount": "1980.00", "entries": 3, "oldest": "2026-01-31",
        "age_days": None, "client": None, "threshold": None,
    }  # fmt: skip
    assert set(told) == set(PROJECTS)


def test_hours_that_are_finer_keep_every_digit() -> None:
    hours = ("0.125", "0.33333333", "8", "0")
    projects = [{"project_id": str(number), "hours": Decimal(text)} for number, text in enumerate(hours)]
    assert [told["hours"] for told in document(*projects)["summary"]] == ["0.125", "0.33333333", "8.00", "0.00"]


def test_alerts_are_the_projects_that_are_one_as_in_the_summary() -> None:
    told = document({"project_id": "A", "alert": True}, {"project_id": "B", "alert": False})
    assert [project["project_id"] for project in told["summary"]] == ["A", "B"]
    assert told["alerts"] == told["summary"][:1]
    assert (told["clients"][0]["projects"], told["clients"][0]["amount"]) == (2, "1.50")


def test_quarantined_logs_stand_apart_from_findings() -> None:
    leaks = ({"category": "TIME_LEAKAGE", "dollars": Decimal("9.9")}, {"category": "QUARANTINE", "log_id": "007"})
    told = document(leaks=leaks)
    assert [(one["category"], one["dollars"]) for one in told["findings"]] == [("TIME_LEAKAGE", "9.90")]
    assert [(one["log_id"], one["dollars"]) for one in told["quarantine"]] == [("007", None)]
    assert set(told["findings"][0]) == set(LEAKS)


def test_the_balance_is_told_by_state_and_everything_is_json() -> None:
    states = ("logged", "billed")
    rows = [{"state": state, "rows": 1, "hours": Decimal("2.25"), "amount": Decimal(3)} for state in states]
    told = document({"project_id": "A", "oldest": DAY}, balance=tuple(rows))
    assert told["as_of"] == "2026-01-31"
    assert told["balance"] == {state: {"rows": 1, "hours": "2.25", "amount": "3.00"} for state in states}
    assert json.loads(json.dumps(told)) == told
