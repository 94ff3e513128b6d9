"""Time logs and contracts as they are read, written as literals: a test names what it is about."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.unbilled import judged_logs, leaks, project_summary, typed_contracts, typed_logs
from billing_pipeline.engine.unbilled.tables import CONTRACT_TEXTS, LOG_TEXTS, PROJECTS, TOLD
from billing_pipeline.engine.unbilled.terms import UnbilledTerms

AS_OF = date(2026, 2, 4)
TERMS = UnbilledTerms()


def log(log_id: str | None, project: str | None = "P1", hours: str | None = "1", **more: Any) -> dict[str, Any]:
    row = {"log_id": log_id, "project_id": project, "employee_id": "E1", "hours": hours, "activity": "Billable",
           "status": "Logged", "file": "logs.csv"}  # fmt: skip
    return row | more


def contract(project: str | None, rate: str | None = "100", **more: Any) -> dict[str, Any]:
    row = {"project_id": project, "client": "Acme", "rate": rate, "model": "T&M", "file": "contracts.csv"}
    return row | more


def texts(rows: tuple[dict[str, Any], ...], schema: dict[str, Any]) -> pl.DataFrame:
    """Rows from line 2 on, as below a header; `line` may say otherwise."""
    numbered = [{"line": line, **row} for line, row in enumerate(rows, 2)]
    return pl.DataFrame(numbered, schema=schema)


def logs(*rows: dict[str, Any]) -> pl.DataFrame:
    return typed_logs(texts(rows, LOG_TEXTS))


def contracts(*rows: dict[str, Any]) -> pl.DataFrame:
    return typed_contracts(texts(rows, CONTRACT_TEXTS))


def judged(given: pl.DataFrame, *rules: dict[str, Any]) -> pl.DataFrame:
    return judged_logs(given, contracts(*(rules or (contract("P1"),))))


def found(given: pl.DataFrame, *rules: dict[str, Any], terms: UnbilledTerms = TERMS) -> pl.DataFrame:
    made = contracts(*(rules or (contract("P1"),)))
    return leaks(judged_logs(given, made), made, AS_OF, terms)


def of_kind(kind: str, given: pl.DataFrame, *rules: dict[str, Any], terms: UnbilledTerms = TERMS) -> dict[str, Any]:
    """The only finding of a kind."""
    return found(given, *rules, terms=terms).filter(pl.col("category") == kind).row(0, named=True)


def summed(given: pl.DataFrame, *rules: dict[str, Any], terms: UnbilledTerms = TERMS) -> pl.DataFrame:
    return project_summary(judged(given, *rules), AS_OF, terms)


def projects(**amounts: str) -> pl.DataFrame:
    """PROJECTS by their amounts; above 1,500.00 they are alerts."""
    zero = dict.fromkeys(("days_0_30", "days_31_60", "days_61_90", "days_over_90", "undated"), Decimal(0))
    rows = [
        {**zero, "project_id": name, "client": "Acme", "entries": 1, "hours": Decimal(1), "amount": Decimal(amount),
         "age_days": 3, "threshold": Decimal(1500), "alert": Decimal(amount) > 1500}
        for name, amount in amounts.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=PROJECTS)


def told(**amounts: str) -> pl.DataFrame:
    rows = [{"project_id": name, "client": "Acme", "told_amount": Decimal(amount)} for name, amount in amounts.items()]
    return pl.DataFrame(rows, schema=TOLD)
