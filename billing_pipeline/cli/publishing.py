"""What the release commands do: approve and run, take back, record, close, read, pack. Prints nothing."""

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from billing_pipeline.cli.closing import Month, installed_month, progress_bar, run_month
from billing_pipeline.engine.close.states import CLOSED, PENDING, PRICED, PUBLISHED, RELEASED
from billing_pipeline.engine.errors import GateError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.evidence import write_pack
from billing_pipeline.resources import months, releases, reviews
from billing_pipeline.resources.leases import billing_lease, lease
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.releases import Release
from billing_pipeline.resources.reviews import Approval
from billing_pipeline.run_tags import FILE, SHA256


def this_person() -> str:
    """The user of this computer; "" where the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def publish_month(period: Period, by: str, reason: str) -> dict[str, Any]:
    """Approve the month's waiting draft and run the month; its state then, why it waits, its releases.

    GateError while flags are undecided. A month that never ran, or was refused, is run first.
    """
    month = installed_month(period)
    with progress_bar() as progress:
        event = month.database.run(partial(months.latest, period=period))
        if event is None or event.state not in PENDING:
            run_month(month, "close_month", progress)
            event = month.database.run(partial(months.latest, period=period))
        if event and event.state in PENDING:
            _approve(month, event, by, reason)
            run_month(month, "close_month", progress, {FILE: event.usage_name, SHA256: event.usage_sha256})
    return _state_document(month)


def void_release(period: Period, number: int | None, by: str, reason: str) -> Release:
    """Take the month's last release back; GateError when it was imported, InputError when there is none."""
    month = installed_month(period)
    with _held(month):
        found = _release(month, number)
        last = month.database.run(partial(releases.current, period=period))
        if last is None or found.number != last.number:
            raise GateError(f"release {found.number} of {period} is not its last one; void the later ones first")
        if found.imported_at:
            raise GateError(f"release {found.number} of {period} was imported; only an adjustment can correct it")
        now = datetime.now(UTC)

        def work(connection: sa.Connection) -> Release | None:
            changes = {"state": releases.VOID, "voided_at": now, "voided_by": by, "void_reason": reason}
            releases.mark(connection, found, **changes)
            before = releases.current(connection, period)
            state = PUBLISHED if before else PRICED
            made_of = before or found
            detail = {"reasons": [f"release {found.number} was voided by {by}: {reason or 'no reason given'}"]}
            event = MonthEvent(
                period, state, now, usage_sha256=made_of.usage_sha256, rules_sha256=made_of.rules_sha256,
                last_decision=made_of.last_decision, detail=detail,
            )  # fmt: skip
            months.record(connection, event)
            return before

        before = month.database.run(work)
        outputs = month.outputs
        outputs.withdraw(outputs.manifest_of(period, found.run_id))
        if before:
            outputs.place(outputs.manifest_of(period, before.run_id))
        return _release(month, found.number)


def import_release(period: Period, number: int | None, by: str) -> Release:
    """Record that the ERP took a release; again does no harm. GateError for one that is void or not yet whole."""
    month = installed_month(period)
    found = _release(month, number)
    if found.state != releases.PUBLISHED:
        raise GateError(f"release {found.number} of {period} is {found.state}; it cannot have been imported")
    if not found.imported_at:
        month.database.run(partial(releases.mark, release=found, imported_at=datetime.now(UTC), imported_by=by))
    return _release(month, found.number)


def close_period(period: Period, *, closed: bool, by: str, reason: str) -> None:
    """Close or reopen the ledger period; a released month shows it as its state."""
    month = installed_month(period)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> None:
        releases.set_closed(connection, period, closed=closed, by=by, reason=reason, at=now)
        last = months.latest(connection, period)
        if last and last.state in RELEASED:
            detail = {"reasons": [f"{'closed' if closed else 'reopened'} by {by}", *[reason] * bool(reason)]}
            months.record(connection, _again(last, CLOSED if closed else PUBLISHED, now, detail))

    month.database.run(work)


def history_document(period: Period | None) -> dict[str, Any]:
    """Releases and events of one month or all: hashes, totals, times; amounts are texts."""
    database = installed_month(period or Period(2000, 1)).database

    def work(connection: sa.Connection) -> tuple[list[Release], list[MonthEvent]]:
        known = [period] if period else sorted({event.period for event in months.latest_of_all(connection)})
        return (
            [release for each in known for release in releases.releases_of(connection, each)],
            [event for each in known for event in months.events_of(connection, each)],
        )

    made, happened = database.run(work)
    return {
        "releases": [release_document(release) for release in made],
        "events": [
            {**_plain(asdict(event)), "period": event.period.key, "reasons": list(event.detail.get("reasons", []))}
            for event in happened
        ],
    }


def release_document(release: Release) -> dict[str, Any]:
    """A release as plain values."""
    return {**_plain(asdict(release)), "period": release.period.key}


def write_evidence(period: Period, number: int | None, out: Path) -> dict[str, Any]:
    """Pack a release's run set and what the database knows of it into one ZIP; how many files it holds."""
    month = installed_month(period)
    found = _release(month, number)

    def work(connection: sa.Connection) -> dict[str, Any]:
        decided = reviews.history(connection, period, found.usage_sha256)
        approved = reviews.approvals_of(connection, period, found.usage_sha256)
        return {
            "release": release_document(found),
            "events": [
                {**_plain(asdict(event)), "period": period.key} for event in months.events_of(connection, period)
                if event.usage_sha256 == found.usage_sha256
            ],
            "decisions": [{**_plain(asdict(decision)), "period": period.key} for decision in decided],
            "approvals": [{**_plain(asdict(approval)), "period": period.key} for approval in approved],
        }  # fmt: skip

    document = month.database.run(work)
    files = month.outputs.set_files(period, found.run_id)
    return {"release": found.number, "files": write_pack(out, files, document), "path": str(out)}


def _approve(month: Month, event: MonthEvent, by: str, reason: str) -> None:
    """Record the approval of the draft as it is decided now; undecided flags still close the gate."""

    def work(connection: sa.Connection) -> None:
        last = reviews.last_decision(connection, event.period, event.usage_sha256)
        reviews.approve(
            connection,
            Approval(event.period, event.usage_sha256, event.rules_sha256, last, by, datetime.now(UTC), reason),
        )

    month.database.run(work)


def _held(month: Month) -> Any:
    return lease(month.database, billing_lease(month.period), seconds=month.gate.lease_seconds)


def _release(month: Month, number: int | None) -> Release:
    made = month.database.run(partial(releases.releases_of, period=month.period))
    wanted = [release for release in made if number in (None, release.number)]
    live = [release for release in wanted if number or release.state == releases.PUBLISHED]
    if not live:
        which = f"no release {number}" if number else "no release"
        raise InputError(f"{month.period} has {which}; billing-pipeline history --month {month.period} lists them")
    return live[-1]


def _again(event: MonthEvent, state: str, at: datetime, detail: dict[str, Any]) -> MonthEvent:
    values = {name: getattr(event, name) for name in MonthEvent.__slots__}
    return MonthEvent(**{**values, "state": state, "at": at, "detail": detail})


def _state_document(month: Month) -> dict[str, Any]:
    event = month.database.run(partial(months.latest, period=month.period))
    made = month.database.run(partial(releases.releases_of, period=month.period))
    return {
        "period": month.period.key,
        "state": event.state if event else "waiting_for_usage",
        "reasons": list(event.detail.get("reasons", [])) if event else [],
        "releases": [release_document(release) for release in made],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value
        for key, value in values.items()
    }
