"""Behind unbilled hours: what becomes of each finding, who is told what, and how the published figures stand.

What belongs here: the way between the engine and the database. What does not: what is found (engine.unbilled), the
feeds (unbilled_feeds), wording (reports.notices). Source: U6, U7, U11 of unbilled hours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit.keys import with_event_keys
from billing_pipeline.engine.audit.tables import EVENTS, SNAPSHOT
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.findings import CLEAN, FINDINGS, KNOWN, RESOLVED, next_state, summary
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema, conform
from billing_pipeline.engine.unbilled import alerts, told_after
from billing_pipeline.engine.unbilled.examining import Examined
from billing_pipeline.engine.unbilled.tables import LEAKS, TIME_LEAKAGE, TOLD
from billing_pipeline.engine.unbilled.terms import UnbilledTerms
from billing_pipeline.reports.notices import unbilled_alerts, unbilled_digest
from billing_pipeline.resources import findings, outbox
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outbox import Notice
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import UNBILLED

SUMMARY_FILE = "unbilled/unbilled_summary.json"
STORED: Schema = {**LEAKS, "told_amount": AMOUNT}  # told_amount: of leakage, when people were last told; null: not now
STANDING: Schema = {  # findings with what became of them; key: finding_key
    **LEAKS,
    **{name: KNOWN[name] for name in ("status", "first_seen_at", "last_seen_at", "resolved_at", "reopen_count")},
    "disposition": KNOWN["disposition"],
    "before": pl.String,
    "told": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that judged: found (STORED), state (engine.findings.STATE), standing (STANDING), alerts (ALERTS), events
    (EVENTS: amounts that changed).
    """

    found: pl.DataFrame
    state: pl.DataFrame
    standing: pl.DataFrame
    alerts: pl.DataFrame
    events: pl.DataFrame


def outcome(now: Examined, database: Database, terms: UnbilledTerms, run: str, at: datetime) -> Outcome:
    """What becomes of every finding, and of whom people are told now: each crossing, step and end once."""
    known, stored = database.run(_remembered)
    still = stored.filter(pl.col("status") != RESOLVED)
    told = conform(still.filter(pl.col("told_amount").is_not_null()), TOLD)
    news = alerts(now.projects, told, terms)
    after = told_after(told, news).select("project_id", "told_amount", category=pl.lit(TIME_LEAKAGE))
    found = conform(now.leaks.join(after, on=["project_id", "category"], how="left"), STORED)
    state = next_state(known, found.select("finding_key"), known["finding_key"], run, at)
    rest = conform(stored.join(found, on="finding_key", how="anti"), LEAKS)
    standing = conform(state.join(pl.concat([conform(found, LEAKS), rest]), on="finding_key"), STANDING)
    return Outcome(found, state, standing, news, _amounts(found, still, at))


def keep(
    connection: sa.Connection,
    made: Outcome,
    run: str,
    at: datetime,
    fingerprint: str,
    notices: list[Notice],
) -> None:
    """Keep the run and what people are told of it, in one transaction: a restart tells nothing again."""
    open_ones = made.standing.filter(pl.col("status") != RESOLVED)
    about = findings.Run(run, at, FINDINGS if open_ones.height else CLEAN, UNBILLED, {"content": fingerprint})
    first = findings.commit_run(
        connection,
        UNBILLED,
        about,
        made.state.select(KNOWN.keys()),
        made.found,
        summary(made.standing.filter((pl.col("status") != RESOLVED) | pl.col("told"))),
        events=made.events,
    )
    for notice in notices if first else ():
        outbox.post(connection, notice, at)


def notices_of(
    made: Outcome, document: Mapping[str, Any], run: str, today: date, page: str, *, digest: bool
) -> list[Notice]:
    """What people are told of a run: of alerts when there are any, and how things stand once a day."""
    told = []
    if made.alerts.height:
        message = unbilled_alerts(made.alerts.rows(named=True), document, page)
        told.append(Notice(f"unbilled:{run}", UNBILLED, message))
    if digest:
        counts = made.standing.filter("told")["status"].value_counts()
        message = unbilled_digest(document, dict(counts.iter_rows()), page)
        told.append(Notice(f"unbilled_digest:{today}", UNBILLED, message))
    return told


def publish(outputs: OutputFiles, document: Mapping[str, Any]) -> str:
    """Write the figures for programs; their address."""
    return outputs.write_named(SUMMARY_FILE, json.dumps(document, indent=2, ensure_ascii=False).encode())


def mark_stale(outputs: OutputFiles, error: InputError, at: datetime) -> None:
    """Say of the published figures that they are those of an earlier run, since when and why; they stay."""
    try:
        document = json.loads(outputs.read_named(SUMMARY_FILE))
    except FileNotFoundError:
        return
    since = document["stale"]["since"] if document.get("stale") else at.isoformat()
    publish(outputs, {**document, "stale": {"since": since, "reason": str(error)}})


def _remembered(connection: sa.Connection) -> tuple[pl.DataFrame, pl.DataFrame]:
    return findings.known(connection, UNBILLED), findings.findings_of(connection, UNBILLED, STORED)


def _amounts(found: pl.DataFrame, before: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """EVENTS: the amount of each finding, when it is not what it was."""
    was = before.select("finding_key", was="dollars", known=pl.lit(value=True))
    joined = found.join(was, on="finding_key", how="left", maintain_order="left")
    changed = joined.filter(pl.col("known").is_null() | pl.col("dollars").ne_missing(pl.col("was")))
    events = changed.select(
        "finding_key",
        sheet_id="project_id",
        row_id="log_id",
        column="category",
        at=pl.lit(at, EVENTS["at"]),
        old=pl.col("was").cast(pl.String),
        new=pl.col("dollars").cast(pl.String),
        by=pl.lit(""),
        evidence=pl.lit(SNAPSHOT),
    )
    return conform(with_event_keys(events), EVENTS)
