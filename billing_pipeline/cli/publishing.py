"""What the release commands do: approve and run, take back, record, close, read, pack. Prints nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from billing_pipeline.assets.releasing import finish_release
from billing_pipeline.assets.run_set import plain_values
from billing_pipeline.cli.closing import Month, installed_month, progress_bar
from billing_pipeline.cli.drafting import as_drafted, changed_since, closed_month
from billing_pipeline.engine.close.states import CLOSED, PENDING, PRICED, PUBLISHED, REBILL
from billing_pipeline.engine.errors import GateError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.evidence import write_pack
from billing_pipeline.reports.notices import accrual_voided, dismissed, voided
from billing_pipeline.resources import months, outbox, releases, reviews
from billing_pipeline.resources.leases import lease, month_lease
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.outbox import Notice
from billing_pipeline.resources.releases import Release
from billing_pipeline.resources.reviews import Approval
from billing_pipeline.run_tags import BILLING, CALLED, SHA256

_PATIENCE = 10.0  # seconds a command waits for a run of the month to end
_SENT = ("import", "held", "adjustment", "credit_memo")


def publish_month(period: Period, by: str, reason: str) -> dict[str, Any]:
    """Approve the month's waiting draft and run the month; its state then, why it waits, its releases, its files.

    A month that never ran, or was refused, is run first. A draft whose usage file or rules have changed is not approved
    but made again. GateError while flags are undecided, and when a control failed.
    """
    month = installed_month(period)
    with progress_bar() as progress:
        event = month.database.run(partial(months.latest, period=period))
        if event is None or event.state not in PENDING:
            event = closed_month(month, progress)
        changed = changed_since(month, event) if event.state in PENDING else ""
        if changed:
            again = {name: value for name, value in as_drafted(event).items() if name != SHA256}
            event = closed_month(month, progress, again)
        elif event.state in PENDING:
            _approve(month, event, by, reason)
            event = closed_month(month, progress, as_drafted(event))
    reasons = list(event.detail.get("reasons", []))
    if event.state in PENDING and event.detail.get("undecided"):
        raise GateError(f"{period} is not published: {'; '.join(reasons)} (see `review list --month {period}`)")
    made = month.database.run(partial(releases.releases_of, period=period))
    last = next((release for release in reversed(made) if release.state == releases.PUBLISHED), None)
    return {
        "period": period.key,
        "state": event.state,
        "unchanged": bool(event.detail.get("unchanged")),
        "reasons": [f"{changed} changed since the draft, which was made again: look at it, then publish"]
        * bool(changed)
        + reasons,
        "difference": event.detail.get("difference", ""),
        "releases": [plain_values(release) for release in made],
        "files": _sent_files(month, last) if last else [],
    }


def void_release(period: Period, number: int | None, by: str, reason: str, capability: str = BILLING) -> Release:
    """Take the month's last release back, or its accrual; GateError: it was imported, InputError: there is none.

    Killed anywhere, the release is void or not; what its files still lack is done by the month's next run or `void`.
    """
    month = installed_month(period)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> Release:
        found = _chosen(connection, period, number, capability)
        if found.state == releases.VOID and found.voided_at == now:
            return found  # done already, if the answer to its commit was lost
        _refuse_void(found, releases.current(connection, period, capability))
        taken = replace(found, state=releases.VOID, voided_at=now, voided_by=by, void_reason=reason)
        releases.mark(connection, found, state=releases.VOID, voided_at=now, voided_by=by, void_reason=reason)
        holds = releases.current(connection, period, capability)
        if capability == BILLING:
            months.record(connection, _after_void(connection, taken, now))
            told = voided(period, found.number, found.billed, holds.number if holds else 0, by, reason)
        else:
            told = accrual_voided(period, found.billed, by, reason)
        outbox.post(connection, Notice(f"voided:{capability}:{period.key}:{found.number}", "voided", told), now)
        return taken

    sets = month.outputs.of(capability)
    with _held(month, capability):
        finish_release(month.database, sets, month.gate, period)
        found = month.database.run(work)
        finish_release(month.database, sets, month.gate, period)
    return found


def dismiss_rebill(period: Period, by: str, reason: str) -> MonthEvent:
    """Leave what was sent as it is: the difference that waits is not sent. GateError when none waits."""
    month = installed_month(period)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> MonthEvent:
        last = months.latest(connection, period)
        if last is None or last.state != REBILL:
            raise GateError(f"{period} is {last.state if last else 'not released'}: no re-bill waits to be dismissed")
        sent = releases.current(connection, period)
        said = f"the re-bill of {last.usage_name} was dismissed by {by}" + (f": {reason}" if reason else "")
        rules = sent.rules_sha256 if sent else last.rules_sha256
        state = releases.sent_state(connection, period)
        event = replace(last, state=state, at=now, run_id="", rules_sha256=rules, detail={"reasons": [said]})
        months.record(connection, event)
        told = dismissed(period, Decimal(last.detail["difference"]), last.usage_name, by, reason)
        draft = (last.usage_sha256, last.rules_sha256, last.at.isoformat())
        outbox.post(connection, Notice(":".join(("dismissed", period.key, *draft)), "dismissed", told), now)
        return event

    with _held(month):
        return month.database.run(work)


def import_release(period: Period, number: int | None, by: str, capability: str = BILLING) -> Release:
    """Record that the ERP took a release; again does no harm. GateError for one that is void or not yet whole."""
    month = installed_month(period)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> Release:
        found = _chosen(connection, period, number, capability)
        if found.state != releases.PUBLISHED:
            raise GateError(f"release {found.number} of {period} is {found.state}; it cannot have been imported")
        if found.imported_at:
            return found
        releases.mark(connection, found, imported_at=now, imported_by=by)
        return replace(found, imported_at=now, imported_by=by)

    with _held(month, capability):
        return month.database.run(work)


def close_period(period: Period, *, closed: bool, by: str, reason: str) -> None:
    """Close or reopen the ledger period; a released month that waits for nobody shows it as its state."""
    month = installed_month(period)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> None:
        if closed == (period in releases.closed_periods(connection)):
            return
        releases.set_closed(connection, period, closed=closed, by=by, reason=reason, at=now)
        last = months.latest(connection, period)
        if last and last.state in (PUBLISHED, CLOSED):
            said = f"{'closed' if closed else 'reopened'} by {by}" + (f": {reason}" if reason else "")
            state = CLOSED if closed else PUBLISHED
            months.record(connection, replace(last, state=state, at=now, run_id="", detail={"reasons": [said]}))

    month.database.run(work)


def history_document(period: Period | None) -> dict[str, Any]:
    """Releases and events of one month or all: hashes, totals, times; amounts are texts."""
    database = installed_month(period or Period(2000, 1)).database

    def work(connection: sa.Connection) -> tuple[list[Release], list[MonthEvent]]:
        known = [period] if period else [event.period for event in months.latest_of_all(connection)]
        every = releases.all_releases(connection)
        return (
            sorted(
                (release for release in every if period in (None, release.period)),
                key=lambda release: (release.period, release.capability != BILLING, release.number),
            ),
            [event for each in known for event in months.events_of(connection, each)],
        )

    made, happened = database.run(work)
    return {
        "releases": [plain_values(release) for release in made],
        "events": [{**plain_values(event), "reasons": list(event.detail.get("reasons", []))} for event in happened],
    }


def write_evidence(period: Period, number: int | None, out: Path, capability: str = BILLING) -> dict[str, Any]:
    """Pack a release's run set and what the database knows of it into one ZIP; how many files it holds.

    The database's part ends with the release: what happens later, to the month or its decisions, is of a later one.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of the ZIP file to write")
    month = installed_month(period)

    def work(connection: sa.Connection) -> tuple[Release, dict[str, Any]]:
        found = _chosen(connection, period, number, capability)
        if found.published_at is None:
            raise GateError(f"release {found.number} of {period} is not complete; run the month again")
        until, of = found.published_at, (period, found.usage_sha256)
        happened = [event for event in months.events_of(connection, period) if event.run_id == found.run_id]
        decided = [made for made in reviews.history(connection, *of) if made.id <= found.last_decision]
        approved = [given for given in reviews.approvals_of(connection, *of) if given.approved_at <= until]
        return found, {
            "release": plain_values(found),
            "events": [plain_values(event) for event in happened],
            "decisions": [plain_values(decision) for decision in decided],
            "approvals": [plain_values(approval) for approval in approved],
        }

    found, record = month.database.run(work)
    count = write_pack(out, month.outputs.of(capability).set_files(period, found.run_id), record)
    return {"period": period.key, "release": found.number, "files": count, "path": str(out)}


def _approve(month: Month, event: MonthEvent, by: str, reason: str) -> None:
    """Record the approval of the draft as it is decided now; GateError when nothing was decided about open flags."""

    def work(connection: sa.Connection) -> None:
        last = reviews.last_decision(connection, event.period, event.usage_sha256)
        undecided = event.detail.get("undecided", 0)
        if undecided and last <= event.last_decision:
            waits = "1 flag waits" if undecided == 1 else f"{undecided} flags wait"
            see = f"`review list --month {event.period}`"
            raise GateError(f"{event.period} is not published: {waits} for a decision (see {see})")
        reviews.approve(
            connection,
            Approval(event.period, event.usage_sha256, event.rules_sha256, last, by, datetime.now(UTC), reason),
        )

    month.database.run(work)


def _held(month: Month, capability: str = BILLING) -> Any:
    seconds = month.gate.lease_seconds
    return lease(month.database, month_lease(capability, month.period), seconds=seconds, wait=_PATIENCE)


def _chosen(connection: sa.Connection, period: Period, number: int | None, capability: str) -> Release:
    """The release of that number, or the last one that holds; InputError when there is none."""
    made = releases.releases_of(connection, period, capability)
    found = [
        release for release in made if (release.number == number if number else release.state == releases.PUBLISHED)
    ]
    if not found:
        kind = CALLED[capability]
        which = f"no {kind} {number}" if number else f"no {kind}"
        raise InputError(f"{period} has {which}; billing-pipeline history --month {period} lists what there is")
    return found[-1]


def _refuse_void(found: Release, last: Release | None) -> None:
    named = f"{CALLED[found.capability]} {found.number} of {found.period}"
    if found.state == releases.VOID:
        raise GateError(f"{named} is void already")
    if last is None or found.number != last.number:
        raise GateError(f"{named} is not its last one; void the later ones first")
    if found.imported_at:
        how = "an adjustment" if found.capability == BILLING else "the next month's entries"
        raise GateError(f"{named} was imported; only {how} can correct it")


def _after_void(connection: sa.Connection, found: Release, now: datetime) -> MonthEvent:
    """The month as the release before holds it again; without one its draft waits to be published."""
    before = releases.current(connection, found.period)
    made_of = before or found
    published = releases.sent_state(connection, found.period)
    known = [event for event in months.events_of(connection, found.period) if event.run_id == made_of.run_id]
    said = f"release {found.number} was voided by {found.voided_by}: {found.void_reason or 'no reason given'}"
    return replace(known[-1], state=published if before else PRICED, at=now, run_id="", detail={"reasons": [said]})


def _sent_files(month: Month, release: Release) -> list[str]:
    """What of a release goes to the ERP, or is held back from it."""
    manifest = month.outputs.manifest_of(release.period, release.run_id)
    named = [entry["name"] for entry in manifest["files"] if entry["named"] and entry["kind"] in _SENT]
    return [month.outputs.address(name) for name in named]
