"""Unbilled hours as a document for programs: ids, hours and amounts are texts. Source: spec 2.7, U2, U3, U10."""

from datetime import date
from typing import Any

import polars as pl

from billing_pipeline.engine.pricing.figures import price_text
from billing_pipeline.engine.unbilled.tables import HOURS, QUARANTINE


def unbilled_document(
    projects: pl.DataFrame, clients: pl.DataFrame, leaks: pl.DataFrame, balance: pl.DataFrame, as_of: date
) -> dict[str, Any]:
    """{as_of, summary, clients, alerts, findings, quarantine, balance} of PROJECTS, CLIENTS, LEAKS and BALANCE.

    `alerts` are the projects of `summary` that are one. `quarantine`: a finding for each log that cannot be judged;
    `findings`: all others. `balance`: {state: {rows, hours, amount}}, `logged` being all. Dollars with two decimals,
    hours with two where that is exact, else with as many as they have; dates ISO; what is not known is null.
    """
    summary = _plain(projects)
    quarantined = pl.col("category") == QUARANTINE
    return {
        "as_of": as_of.isoformat(),
        "summary": summary,
        "clients": _plain(clients),
        "alerts": [project for project in summary if project["alert"]],
        "findings": _plain(leaks.filter(~quarantined)),
        "quarantine": _plain(leaks.filter(quarantined)),
        "balance": {row.pop("state"): row for row in _plain(balance)},
    }


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows with every decimal and date as text; counts and truths stay what they are."""
    return frame.select(_column(name, dtype) for name, dtype in frame.schema.items()).to_dicts()


def _column(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == HOURS:
        return price_text(column).alias(name)
    if dtype.is_decimal():
        return column.cast(pl.String)
    return column.dt.to_string("iso") if dtype == pl.Date else column
