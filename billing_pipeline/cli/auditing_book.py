"""What `audit book` does. Prints nothing."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.build import database_resource, resources_from
from billing_pipeline.cli.closing import progress_bar, run_job
from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.findings import CLEAN, FINDINGS, NOT_VERIFIED, RESOLVED
from billing_pipeline.engine.money import total
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import findings
from billing_pipeline.resources.leases import lease
from billing_pipeline.run_tags import ALL, BOOK_MONTH, OWN_BOOK
from billing_pipeline.settings import load_settings

_TOLD = (
    "finding_key", "status", "severity", "category", "sheet_id", "work_request", "row_id", "column", "old", "new",
    "dollars", "why", "first_seen_at", "reopen_count", "disposition",
)  # fmt: skip


def book_audited(month: str | None) -> dict[str, Any]:
    """Look at our own book, or one month of it; what is open, dearest first. GateError while another look goes on."""
    settings = load_settings()
    resources: dict[str, Any] = resources_from(settings)
    period = Period.parse(month) if month else None
    database = resources["database"].opened()
    with lease(database, f"{OWN_BOOK}:{ALL}", seconds=settings.lease_seconds), progress_bar() as bar:
        run_job(resources, "audit_book", bar, "Own book", tags={BOOK_MONTH: period.key} if period else {})
    shown, places = database.run(_kept)
    if period:
        places = [place for place in places if place["month"] == period.key]
        shown = shown.filter(pl.col("sheet_id").str.ends_with(f" {period.key}"))
    still = shown.filter(pl.col("status") != RESOLVED).sort("dollars", "finding_key", descending=[True, False])
    status = NOT_VERIFIED if any(place["error"] for place in places) else FINDINGS if still.height else CLEAN
    texts = still.select(_TOLD).with_columns(
        pl.col("dollars").cast(pl.String), pl.col("first_seen_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    return {
        "status": status,
        "open": still.height,
        "dollars": str(total(still["dollars"])),
        "resolved": shown.height - still.height,
        "places": places,
        "findings": texts.to_dicts(),
    }


def accept_finding(key: str, by: str, reason: str) -> None:
    """Close a finding of our own book. InputError: there is none of that key, or no reason is given."""
    if not reason.strip():
        raise InputError("say why the change is accepted, with --reason: the finding keeps it")
    said = f"Accepted: {reason.strip()}"
    now = datetime.now(UTC)
    dispose = partial(findings.dispose, capability=OWN_BOOK, key=key, disposition=said, by=by, at=now)
    database_resource(load_settings()).opened().run(dispose)


def _kept(connection: sa.Connection) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    last = findings.runs_of(connection, OWN_BOOK, last=1)
    return findings.findings_of(connection, OWN_BOOK, FOUND), list(last[0].coverage["places"]) if last else []
