"""Runs that judge, written as literals: what they find, and how it is kept; a test names what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.findings import KNOWN, UTC_TIME, next_state, summary
from billing_pipeline.resources import findings
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.findings import Run

FIRST = datetime(2026, 1, 9, 10, tzinfo=UTC)
ALL = [f"k{number}" for number in range(10)]


def hour(number: int) -> datetime:
    """Runs are an hour apart: run `r1` is at hour 1."""
    return FIRST + timedelta(hours=number - 1)


def found_row(key: str, **more: Any) -> dict[str, Any]:
    return {
        "finding_key": key,
        "category": "EDIT_AFTER_CLOSE",
        "rule": "A1",
        "severity": "HIGH",
        "sheet_id": "7000000000000001",
        "row_id": "7000000000000002",
        "column": "quantity",
        "delta": Decimal("3.0000"),
        "dollars": Decimal("1200.50"),
        "events": 1,
        "by": "bo@example.com",
        "at": hour(0),
        "why": "it was 2 and is 5",
    } | more


def found(*rows: str | Mapping[str, Any]) -> pl.DataFrame:
    """FOUND with last_event_at; a key alone is a finding like any other."""
    made = [found_row(row) if isinstance(row, str) else dict(row) for row in rows]
    return pl.DataFrame(made, schema={**FOUND, "last_event_at": UTC_TIME})


@dataclass(frozen=True)
class Judged:
    """A run as it is committed; `frames` as commit_run names them."""

    number: int
    true: pl.DataFrame
    verified: list[str] = field(default_factory=lambda: ALL)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    capability: str = "audit"
    status: str = "FINDINGS"
    comparable: str = "all sheets"

    @property
    def run(self) -> Run:
        coverage = {"rows": 2, "sheets": ["Ledger"]}
        return Run(f"r{self.number}", hour(self.number), self.status, self.comparable, coverage)

    def state(self, known: pl.DataFrame) -> pl.DataFrame:
        keys = pl.Series(self.verified, dtype=pl.String)
        return next_state(known, self.true, keys, self.run.run_id, self.run.at)


def judge(database: Database, *rows: str | Mapping[str, Any], number: int, **more: Any) -> pl.DataFrame:
    """Read what is known, judge and commit; the state of the run."""
    return commit(database, Judged(number, found(*rows), **more))[0]


def commit(
    database: Database, judged: Judged, known: pl.DataFrame | None = None, then: Any = None
) -> tuple[pl.DataFrame, bool]:
    """The state of the run, and whether it was kept; `then` is called at the end of its transaction."""
    known = known_of(database, judged.capability) if known is None else known
    state = judged.state(known)
    facts = state.join(judged.true.select("finding_key", pl.exclude(KNOWN)), on="finding_key")
    with database.begin() as connection:
        kept = findings.commit_run(
            connection, judged.capability, judged.run, state, judged.true, summary(facts), **judged.frames
        )
        if then:
            then()
    return state, kept


def known_of(database: Database, capability: str = "audit") -> pl.DataFrame:
    return database.run(partial(findings.known, capability=capability))


def statuses(database: Database) -> dict[str, str]:
    return dict(known_of(database).select("finding_key", "status").rows())
