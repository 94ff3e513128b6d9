"""A draft becomes a release: what was sent before, who approved, and the three steps that a crash cannot tear apart.

A release is noted as preparing, its run set is committed, and then one transaction makes it published, moves the
month's state and posts the notice; the named files follow. `finish_release` completes or drops what a crash left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.run_set import Evidence
from billing_pipeline.assets.telling import accrual_notice, draft_detail, refusal_notice, release_notice, waiting_notice
from billing_pipeline.engine.close import FAIL, Sending, Verdict, next_state
from billing_pipeline.engine.close.states import PUBLISHED, REFUSED, WAITING
from billing_pipeline.engine.money import total
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.notices import run_page
from billing_pipeline.resources import leases, months, outbox, releases, reviews
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.outbox import Notice
from billing_pipeline.resources.outputs import DraftFile, OutputFiles
from billing_pipeline.resources.releases import Release
from billing_pipeline.run_tags import BILLING


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a draft was made of, as approvals and states name it."""

    period: Period
    usage_name: str
    usage_sha256: str
    rules_sha256: str
    last_decision: int
    rules: str = ""  # as-of: those the month was released with, whatever the workbook says now


def sending(connection: sa.Connection, gate: Gate, made_of: MadeOf, *, differs: bool) -> Sending:
    """What decides over sending a draft: approvals of exactly its inputs, earlier releases, the ledger's period."""
    earlier = releases.releases_of(connection, made_of.period)
    voided = releases.last_voided(earlier)
    draft = (made_of.period, made_of.usage_sha256, made_of.rules_sha256, made_of.last_decision)
    return Sending(
        approvals=reviews.approvers(connection, *draft, since=voided),
        required=gate.approvers,
        manual=gate.manual or any(release.state == releases.VOID for release in earlier),
        released=any(release.state == releases.PUBLISHED for release in earlier),
        differs=differs,
        closed=made_of.period in releases.closed_periods(connection),
    )


def move(
    connection: sa.Connection, made_of: MadeOf, run: str, state: str, detail: Mapping[str, Any], notice: Notice | None
) -> None:
    """Move the month on, and post what is told of it, in the caller's transaction."""
    before = months.latest(connection, made_of.period)
    state = next_state(before.state if before else WAITING, state)
    if state == PUBLISHED:
        state = releases.sent_state(connection, made_of.period)
    now = datetime.now(UTC)
    months.record(
        connection,
        MonthEvent(
            made_of.period, state, now, run, made_of.usage_name, made_of.usage_sha256, made_of.rules_sha256,
            made_of.last_decision, detail,
        ),
    )  # fmt: skip
    if notice:
        outbox.post(connection, notice, now)


def note_waiting(
    connection: sa.Connection,
    gate: Gate,
    made_of: MadeOf,
    run: str,
    judged: Verdict,
    summary: dict[str, Any],
    differences: pl.DataFrame,
) -> None:
    """The month waits for people, or all of its draft was sent before: its state, and what they are told."""
    last = releases.current(connection, made_of.period.previous)
    billed = last.billed if last else None
    draft = (len(releases.releases_of(connection, made_of.period)), made_of.last_decision)
    notice = waiting_notice(judged, summary, differences, billed, gate.ui_url, draft)
    detail = {
        "reasons": list(judged.reasons),
        "unchanged": judged.unchanged,
        "rules": made_of.rules,
        **draft_detail(summary, differences),
    }
    move(connection, made_of, run, judged.state, detail, notice)


def note_refusal(
    connection: sa.Connection, gate: Gate, made_of: MadeOf, run: str, dagster_run: str, controls: pl.DataFrame
) -> None:
    """A blocking control failed: the month is refused (one that was sent stays as it is), and people are told."""
    failed = controls.filter(pl.col("Status") == FAIL)
    usage, page = (made_of.usage_name, made_of.usage_sha256), run_page(gate.ui_url, dagster_run)
    notice = refusal_notice(made_of.period, usage, made_of.rules_sha256, controls, page)
    detail = {"reasons": [f"control {name} failed" for name in failed["Control Check"]]}
    move(connection, made_of, run, REFUSED, detail, notice)


def new_release(
    connection: sa.Connection, made_of: MadeOf, run: str, summary: dict[str, Any], differences: pl.DataFrame
) -> Release:
    """The release that this draft would make: its number, what it adds, what the ERP then holds of the month."""
    earlier = releases.releases_of(connection, made_of.period)
    sent = releases.current(connection, made_of.period)
    billed = next(Decimal(row["amount"]) for row in summary["buckets"] if row["bucket"] == "billed")
    return Release(
        period=made_of.period,
        number=len(earlier) + 1,
        state=releases.PREPARING,
        run_id=run,
        usage_sha256=made_of.usage_sha256,
        rules_sha256=made_of.rules_sha256,
        last_decision=made_of.last_decision,
        billed=billed,
        difference=total(differences["difference"]) if sent else billed,
        prepared_at=datetime.now(UTC),
    )


def release_facts(release: Release, differences: pl.DataFrame) -> dict[str, Any]:
    """What a manifest says of the release it makes; `charged` and `credited` are its positive and negative lines."""
    changed = pl.col("difference")
    return {
        "number": release.number,
        "billed": str(release.billed),
        "difference": str(release.difference),
        "charged": str(total(differences.filter(changed > 0)["difference"])),
        "credited": str(-total(differences.filter(changed < 0)["difference"])),
    }


def evidence_of(connection: sa.Connection, made_of: MadeOf, usage: Path) -> Evidence:
    """Who decided and approved on this usage file, for the run's set."""
    decided = reviews.history(connection, made_of.period, made_of.usage_sha256)
    approved = reviews.approvals_of(connection, made_of.period, made_of.usage_sha256)
    return Evidence(tuple(decided), tuple(approved), usage)


def publish_release(
    database: Database,
    outputs: OutputFiles,
    gate: Gate,
    release: Release,
    files: list[DraftFile],
    manifest: dict[str, Any],
) -> None:
    """Make the release. Killed anywhere, `finish_release` leaves it made or never begun."""

    def note(connection: sa.Connection) -> None:
        leases.confirm(connection, leases.month_lease(release.capability, release.period), gate.lease_seconds)
        left = releases.unfinished(connection, release.period, release.capability)
        if left is None or left.run_id != release.run_id:  # noted already, if the answer to its commit was lost
            releases.prepare(connection, release)

    database.run(note)
    complete = partial(database.run, _completing(outputs, release, manifest, gate))
    outputs.publish(release.period, release.run_id, files, manifest, complete)
    outputs.discard_drafts(release.period)
    database.run(partial(releases.mark, release=release, placed_at=datetime.now(UTC)))


def finish_release(database: Database, outputs: OutputFiles, gate: Gate, period: Period) -> None:
    """Complete or drop the release that a crash left behind, and remove what else it left half done.

    The named files of a release that was taken back go, and those of the release before it come back.
    """
    outputs.clear(period)
    _withdraw_void(database, outputs, period)
    left = database.run(partial(releases.unfinished, period=period, capability=outputs.capability))
    if left is None:
        return
    if not outputs.is_committed(period, left.run_id):
        database.run(partial(releases.drop, release=left))
        return
    manifest = outputs.manifest_of(period, left.run_id)
    if left.state == releases.PREPARING:
        database.run(_completing(outputs, left, manifest, gate))
    outputs.place(manifest)
    database.run(partial(releases.mark, release=left, placed_at=datetime.now(UTC)))


def _withdraw_void(database: Database, outputs: OutputFiles, period: Period) -> None:
    made = database.run(partial(releases.releases_of, period=period, capability=outputs.capability))
    for release in made:
        if release.state == releases.VOID and release.placed_at:
            outputs.withdraw(outputs.manifest_of(period, release.run_id))
            sent = next((found for found in reversed(made) if found.state == releases.PUBLISHED), None)
            if sent:
                outputs.place(outputs.manifest_of(period, sent.run_id))
            database.run(partial(releases.mark, release=release, placed_at=None))


def _completing(
    outputs: OutputFiles, release: Release, manifest: dict[str, Any], gate: Gate
) -> Callable[[sa.Connection], None]:
    """What makes a release published, in one transaction with what it changes and its notice. Done already: nothing."""

    def complete(connection: sa.Connection) -> None:
        made = releases.releases_of(connection, release.period, release.capability)
        if next(found for found in made if found.number == release.number).state != releases.PREPARING:
            return
        releases.mark(connection, release, state=releases.PUBLISHED, published_at=datetime.now(UTC))
        if release.capability == BILLING:
            _bill_is_out(connection, release, manifest, gate)
        else:
            named = [outputs.address(entry["name"]) for entry in manifest["files"] if entry["named"]]
            outbox.post(connection, accrual_notice(manifest, release, named, gate.ui_url), datetime.now(UTC))

    return complete


def _bill_is_out(connection: sa.Connection, release: Release, manifest: dict[str, Any], gate: Gate) -> None:
    """The month's state, and what people are told."""
    usage = manifest["usage_file"]["place"]
    made_of = MadeOf(release.period, usage, release.usage_sha256, release.rules_sha256, release.last_decision)
    last = releases.current(connection, release.period.previous)
    notice = release_notice(manifest, release, last.billed if last else None, gate.ui_url)
    move(connection, made_of, release.run_id, PUBLISHED, manifest["release"], notice)
