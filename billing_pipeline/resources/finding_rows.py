"""Rows of the table of findings: read as they are remembered, written in few statements.

What belongs here: what the stores of findings share. What does not: what a run or a reviewer means. Most findings of a
run are the ones of the run before: of those that only go on, nothing is written but that they were seen.
"""

import json
from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.findings import DISPOSITIONS, KNOWN, ONGOING, disposed
from billing_pipeline.engine.tables import conform
from billing_pipeline.resources.bulk import frame_of, rows_of, texts, upsert
from billing_pipeline.resources.database.finding_tables import findings

STORED = tuple(name for name in KNOWN if name != "finding_key")
_FACTS = ("category", "severity", "dollars", "payload", "payload_sha256")
_SEEN = ("last_seen_run", "last_seen_at")
_AT_ONCE = 10_000  # keys in one statement
_DIGEST = "payload_sha256"


def known_findings(connection: sa.Connection, capability: str, key: str | None = None) -> pl.DataFrame:
    """Findings (KNOWN), by key; of one key when it is given."""
    query = of_capability(capability, *KNOWN)
    return frame_of(connection, query if key is None else query.where(findings.c.finding_key == key), KNOWN)


def of_capability(capability: str, *columns: str) -> sa.Select[Any]:
    """Columns of the capability's findings, by key."""
    query = sa.select(*(findings.c[name] for name in columns)).where(findings.c.capability == capability)
    return query.order_by(findings.c.finding_key)


def keep_findings(
    connection: sa.Connection, capability: str, run: str, at: datetime, state: pl.DataFrame, found: pl.DataFrame
) -> None:
    """Write the findings after a run (KNOWN), of those found their facts, and what reviewers said since it began.

    BillingError: something was found that has no status.
    """
    before = known_findings(connection, capability)
    now = disposed(state, before.select(DISPOSITIONS.keys()))
    seen = now.join(found.select("finding_key", pl.exclude(KNOWN)), on="finding_key", maintain_order="left")
    if seen.height != found.height:
        raise BillingError(f"{found.height - seen.height} findings that were found have no status")
    rows = stored_rows(seen)
    same = _facts_unchanged(connection, capability, rows)
    going_on = now.join(before, on=[name for name in KNOWN if name not in ("status", *_SEEN)], nulls_equal=True).filter(
        pl.col("status") == ONGOING, pl.col("last_seen_run") == run, pl.col("last_seen_at") == at
    )
    on = set(going_on["finding_key"]) & same
    put(connection, capability, [row for row in rows if row["finding_key"] not in on], (*STORED, *_FACTS))
    _seen_again(connection, capability, sorted(on), run, at)
    rest = now.join(found, on="finding_key", how="anti").join(before, on=list(KNOWN), how="anti", nulls_equal=True)
    put(connection, capability, rows_of(rest), STORED)


def stored_rows(seen: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of the table from KNOWN columns and facts, which are the rest."""
    facts = texts(seen.drop(KNOWN))
    return [
        {
            **row,
            "category": fact.get("category") or "",
            "severity": fact.get("severity") or "",
            "dollars": fact.get("dollars"),
            "payload": fact,
            _DIGEST: sha256(json.dumps(fact).encode()).hexdigest(),
        }
        for row, fact in zip(rows_of(conform(seen, KNOWN)), facts, strict=True)
    ]


def put(connection: sa.Connection, capability: str, rows: list[dict[str, Any]], columns: Collection[str]) -> None:
    """Insert rows of findings; of those that are there, take over these columns."""
    upsert(connection, findings, [{"capability": capability, **row} for row in rows], columns)


def _facts_unchanged(connection: sa.Connection, capability: str, rows: list[dict[str, Any]]) -> set[str]:
    """Keys of the rows whose facts are stored already."""
    stored = {tuple(row) for row in connection.execute(of_capability(capability, "finding_key", _DIGEST))}
    return {row["finding_key"] for row in rows if (row["finding_key"], row[_DIGEST]) in stored}


def _seen_again(connection: sa.Connection, capability: str, keys: list[str], run: str, at: datetime) -> None:
    values = {"status": ONGOING, "last_seen_run": run, "last_seen_at": at}
    for start in range(0, len(keys), _AT_ONCE):
        some = findings.c.finding_key.in_(keys[start : start + _AT_ONCE])
        connection.execute(findings.update().where(findings.c.capability == capability, some).values(values))
