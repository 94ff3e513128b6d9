"""What is known of findings, kept in the database: whole runs or nothing, reviewers' words, the history of runs.

What belongs here: the only writer of runs, findings and events. What does not: which status a finding gets
(engine.findings), the rules that find, and sending (log_outbox, outbox). A run is committed once, with its findings,
events, baseline, watermarks and what the log sheet has to say, in the caller's transaction.
Source: spec 9.1-9.3 of the billing audit; Q5, Q10, Q11.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from billing_pipeline.engine.audit.tables import EVENTS
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.findings import DISPOSITIONS, KNOWN, SUMMARY, UTC_TIME, disposed
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema, conform
from billing_pipeline.resources import audit_memory, log_outbox
from billing_pipeline.resources.bulk import alone, frame_of, framed, rows_of, texts, typed, upsert
from billing_pipeline.resources.database.finding_tables import finding_events, finding_runs, findings
from billing_pipeline.resources.finding_rows import STORED, keep_findings, known_findings, of_capability, put

FACTS: Schema = {  # what every found row has, beside further columns of its capability
    "finding_key": pl.String,
    "category": pl.String,
    "severity": pl.String,
    "dollars": AMOUNT,
}
HISTORY: Schema = {  # counts of runs, oldest first; a run without findings has one row, without category
    "run_id": pl.String,
    "at": UTC_TIME,
    "run_status": pl.String,
    "comparable": pl.String,
    **SUMMARY,
}
_SAID: Schema = {**DISPOSITIONS, "disposed_by": pl.String}


@dataclass(frozen=True, slots=True)
class Run:
    """A run that judged: CLEAN, FINDINGS or NOT_VERIFIED; runs of the same `comparable` judged the same things."""

    run_id: str
    at: datetime
    status: str
    comparable: str
    coverage: Mapping[str, Any]


def known(connection: sa.Connection, capability: str) -> pl.DataFrame:
    """Every finding that was ever seen (KNOWN), by key."""
    return known_findings(connection, capability)


def commit_run(
    connection: sa.Connection,
    capability: str,
    run: Run,
    state: pl.DataFrame,
    found: pl.DataFrame,
    counts: pl.DataFrame,
    *,
    events: pl.DataFrame | None = None,
    baseline: pl.DataFrame | None = None,
    watermarks: pl.DataFrame | None = None,
    log_rows: pl.DataFrame | None = None,
) -> bool:
    """Keep a run: False, and nothing written, when this run was kept before.

    `state` has KNOWN (engine.findings.next_state), `found` FACTS and more, `counts` SUMMARY, `events` EVENTS,
    `baseline` BASELINE and `watermarks` WATERMARKS (the rows to take over), `log_rows` finding_key and the columns of
    the log sheet. What a reviewer said while the run went on is heard. Source: spec 9.2, 9.3; Q10, Q11.
    """
    alone(connection)
    if not _first(connection, capability, run, counts):
        return False
    conform(found, FACTS)
    keep_findings(connection, capability, run.run_id, run.at, state, found)
    if events is not None:
        rows = [{"capability": capability, **row} for row in rows_of(conform(events, EVENTS))]
        upsert(connection, finding_events, rows, ())
    if baseline is not None:
        audit_memory.remember_billed(connection, baseline)
    if watermarks is not None:
        audit_memory.advance(connection, watermarks)
    if log_rows is not None:
        log_outbox.post(connection, capability, log_rows, run.at)
    return True


def dispose(connection: sa.Connection, capability: str, key: str, disposition: str, by: str, at: datetime) -> bool:
    """What a reviewer says of a finding, "" to take it back; whether that changes anything. InputError: unknown key."""
    if known_findings(connection, capability, key).is_empty():
        raise InputError(f"there is no finding {key}")
    said = {"finding_key": key, "disposition": disposition, "disposed_at": at, "disposed_by": by}
    return dispose_all(connection, capability, pl.DataFrame([said], schema=_SAID)) == 1


def dispose_all(connection: sa.Connection, capability: str, said: pl.DataFrame) -> int:
    """What reviewers say (DISPOSITIONS and disposed_by), as in the log sheet; how many findings that changes.

    Findings that are not known are left out. Source: spec 9.1.
    """
    alone(connection)
    before = known(connection, capability)
    after = disposed(before, said).join(before, on=list(KNOWN), how="anti", nulls_equal=True)
    changed = after.join(said.select("finding_key", pl.col("disposed_by").fill_null("")), on="finding_key")
    put(connection, capability, rows_of(changed), [*STORED, "disposed_by"])
    return changed.height


def findings_of(
    connection: sa.Connection,
    capability: str,
    shape: Schema,
    *,
    statuses: Collection[str] = (),
    severities: Collection[str] = (),
    categories: Collection[str] = (),
) -> pl.DataFrame:
    """Findings (KNOWN, disposed_by, log_row_id, and what `shape` names of their last sight), by key; () is all."""
    more: Schema = {**KNOWN, "disposed_by": pl.String, "log_row_id": pl.String}
    query = of_capability(capability, *more, "payload")
    for column, wanted in (("status", statuses), ("severity", severities), ("category", categories)):
        if wanted:
            query = query.where(findings.c[column].in_(sorted(wanted)))
    rows = connection.execute(query).all()
    facts = {name: dtype for name, dtype in shape.items() if name not in more}
    return framed([row[:-1] for row in rows], more).hstack(typed([row.payload for row in rows], facts))


def events_of(connection: sa.Connection, capability: str) -> pl.DataFrame:
    """Every event (EVENTS), by time."""
    table = finding_events.c
    query = sa.select(*(table[name] for name in EVENTS)).where(table.capability == capability)
    return frame_of(connection, query.order_by(table.at, table.event_key), EVENTS)


def runs_of(connection: sa.Connection, capability: str, last: int | None = None) -> list[Run]:
    """The last runs, oldest first."""
    return [Run(**{name: row[name] for name in Run.__slots__}) for row in _runs(connection, capability, last, None)]


def history(
    connection: sa.Connection, capability: str, last: int | None = None, comparable: str | None = None
) -> pl.DataFrame:
    """Counts (HISTORY) of the last runs, of those that judged the same things when `comparable` is given."""
    rows: list[dict[str, Any]] = []
    for run in _runs(connection, capability, last, comparable):
        told = {"run_id": run["run_id"], "at": run["at"].isoformat(), "run_status": run["status"]}
        counts = run["counts"] or [{"findings": "0", "dollars": "0.00", "not_valued": "0"}]
        rows += [{**told, "comparable": run["comparable"], **count} for count in counts]
    return typed(rows, HISTORY)


def _first(connection: sa.Connection, capability: str, run: Run, counts: pl.DataFrame) -> bool:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {name: getattr(run, name) for name in Run.__slots__}
    row |= {"capability": capability, "coverage": dict(run.coverage), "counts": texts(conform(counts, SUMMARY))}
    new = insert(finding_runs).values(row).on_conflict_do_nothing(index_elements=["capability", "run_id"])
    return connection.execute(new.returning(finding_runs.c.id)).first() is not None


def _runs(connection: sa.Connection, capability: str, last: int | None, comparable: str | None) -> list[sa.RowMapping]:
    """The last runs, oldest first."""
    query = sa.select(finding_runs).where(finding_runs.c.capability == capability)
    if comparable is not None:
        query = query.where(finding_runs.c.comparable == comparable)
    return list(connection.execute(query.order_by(sa.desc("id")).limit(last)).mappings())[::-1]
