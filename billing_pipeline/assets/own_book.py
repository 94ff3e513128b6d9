"""The audit of our own book: a re-run that changes what was billed does not stay unnoticed."""

from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.book_changes import Look, document_of, look_at_book, place_from, still_open
from billing_pipeline.assets.finding_runs import keep_run, shown_findings
from billing_pipeline.assets.metadata import OWNERS, preview, started_at
from billing_pipeline.assets.telling import book_notice
from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.audit.views import open_findings
from billing_pipeline.engine.findings import CLEAN, NOT_VERIFIED, RESOLVED, next_state
from billing_pipeline.engine.findings import FINDINGS as FOUND_SOME
from billing_pipeline.engine.period import Period
from billing_pipeline.profile import Profile
from billing_pipeline.reports.notices import run_page
from billing_pipeline.resources import findings, outbox
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import AUDIT, BOOK_MONTH, OWN_BOOK


@dg.asset(
    group_name=AUDIT,
    description="What runs changed of months that were billed: every changed, new and vanished charge, until settled.",
    kinds={"polars"},
    owners=OWNERS,
)
def own_book_findings(
    context: dg.AssetExecutionContext,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    profile: dg.ResourceParam[Profile],
    gate: Gate,
) -> pl.DataFrame:
    """engine.audit.views.FINDINGS, every one that is known."""
    at, run = started_at(context), run_of(context)
    only = context.run.tags.get(BOOK_MONTH)
    known, stored, last = database.run(_remembered)
    before = {place.name: place for place in map(place_from, last)}
    open_places = stored.filter(pl.col("status") != RESOLVED)["sheet_id"].unique().to_list()
    month = Period.parse(only) if only else None
    look = look_at_book(outputs, database, before, open_places, profile.audit, at, month)
    found = pl.concat([look.found, still_open(stored, look.judged)])
    verified = stored.filter(pl.col("sheet_id").is_in([*look.judged]))["finding_key"]
    state = next_state(known, found, verified, run, at)
    shown = shown_findings(state, found, stored)
    status = _status(look, shown)
    page = run_page(gate.ui_url, context.run.run_id)
    database.run(partial(_keep, look=look, state=state, found=found, shown=shown, about=(run, at, status, page)))
    context.add_output_metadata(
        {
            "status": status,
            "open": open_findings(shown).height,
            "places": len(look.places),
            "compared": len(look.judged),
            "preview": preview(shown.filter("told").select("status", "severity", "dollars", "why"), 20),
        }
    )
    return shown


def _remembered(connection: sa.Connection) -> tuple[pl.DataFrame, pl.DataFrame, list[dict[str, str]]]:
    last = findings.runs_of(connection, OWN_BOOK, last=1)
    places = list(last[0].coverage["places"]) if last else []
    return findings.known(connection, OWN_BOOK), findings.findings_of(connection, OWN_BOOK, FOUND), places


def _status(look: Look, shown: pl.DataFrame) -> str:
    if any(place.error for place in look.places):
        return NOT_VERIFIED
    return CLEAN if open_findings(shown).is_empty() else FOUND_SOME


def _keep(
    connection: sa.Connection,
    look: Look,
    state: pl.DataFrame,
    found: pl.DataFrame,
    shown: pl.DataFrame,
    about: tuple[str, datetime, str, str],
) -> None:
    """Keep the look and what people are told of it, in one transaction."""
    run, at, status, page = about
    coverage: dict[str, Any] = {"places": [document_of(place) for place in look.places]}
    kept = findings.Run(run, at, status, OWN_BOOK, coverage)
    new = keep_run(connection, OWN_BOOK, kept, state, found, shown)
    notice = book_notice(run, shown, page) if new else None
    if notice is not None:
        outbox.post(connection, notice, at)
