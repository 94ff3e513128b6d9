"""What `doctor` reads in the application's database: migration, months that wait, releases, notices, leases.

What belongs here: looking with a connection that changes nothing. What does not: Dagster (`running`), files (`health`).
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding, listed
from billing_pipeline.engine.close.states import IN_REVIEW, PRICED, REBILL, REFUSED
from billing_pipeline.engine.errors import InputError
from billing_pipeline.instance import database_url, reason_of, refuse_unusable_urls
from billing_pipeline.resources import database
from billing_pipeline.resources.database import current_revision
from billing_pipeline.resources.leases import holders
from billing_pipeline.resources.months import MonthEvent, latest_of_all
from billing_pipeline.resources.outbox import waiting
from billing_pipeline.resources.releases import PREPARING, PUBLISHED, VOID, all_releases
from billing_pipeline.run_tags import BILLING, CALLED
from billing_pipeline.settings import Settings

SUBJECT = "database"
Answer = TypeVar("Answer")
_TO_DO = {
    IN_REVIEW: "billing-pipeline review scan shows what to decide; then decide and approve",
    PRICED: "billing-pipeline publish --month {month} publishes it (BILLING_PUBLISH is manual)",
    REBILL: "look at the difference in the notice or the draft; approve it to send the adjustments",
    REFUSED: "a control failed: the run in Dagster's pages says which; correct the input, a new file starts a new run",
}


def stored(settings: Settings, now: datetime) -> tuple[list[Finding], frozenset[str]]:
    """What the database says, and the months told of already, as partition keys."""
    try:
        refuse_unusable_urls(settings)
    except InputError as error:
        return [Finding(SUBJECT, ATTENTION, str(error))], frozenset()
    url = sa.make_url(database_url(settings))
    place = url.render_as_string() if settings.database_url else str(url.database)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        return [Finding(SUBJECT, FINE, f"{place} does not exist yet; the first start makes it")], frozenset()
    engine = read_only(url)
    try:
        with engine.connect() as connection:
            here, known = current_revision(connection), _known()
            migration = _migration(place, here, known)
            if here not in known:
                return [migration], frozenset()
            told = [event for event in latest_of_all(connection) if event.state in _TO_DO]
            found = [
                migration,
                *(_month(event, now) for event in told),
                *_releases(connection, now),
                *_notices(connection, now),
                *_leases(connection, now),
            ]
            return found, frozenset(event.period.key for event in told)
    except sa.exc.SQLAlchemyError as error:
        advice = "is it running, and are user, password and name right? sensors wait for it, nothing is lost"
        return [Finding(SUBJECT, ATTENTION, f"{place} cannot be reached: {reason_of(error)}", advice)], frozenset()


def asked(settings: Settings, question: Callable[[sa.Connection], Answer], unmade: Answer) -> Answer | None:
    """What the database answers, `unmade` of one that is not made yet; None when it cannot be read, which is said of it
    already.
    """
    url = sa.make_url(database_url(settings))
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        return unmade
    try:
        with read_only(url).connect() as connection:
            return question(connection)
    except sa.exc.SQLAlchemyError:
        return None


def read_only(url: sa.URL) -> sa.Engine:
    """An engine that gives up soon, for one look."""
    seconds = {"timeout": 3} if url.get_backend_name() == "sqlite" else {"connect_timeout": 3}
    return sa.create_engine(url, connect_args=seconds, poolclass=sa.NullPool)


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that is not zero."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{seconds} seconds ago"


def _known() -> list[str]:
    """The migrations of this version, newest first."""
    script = ScriptDirectory(str(Path(str(database.__file__)).with_name("migrations")))
    return [found.revision for found in script.walk_revisions()]


def _migration(place: str, here: str | None, known: list[str]) -> Finding:
    if here == known[0]:
        return Finding(SUBJECT, FINE, f"{place}: reachable, at migration {here}")
    if here in known:
        found = f"{place} is at migration {here}, this version wants {known[0]}"
        return Finding(SUBJECT, ATTENTION, found, "billing-pipeline prepare, or the next start, brings it up")
    if here is None:
        return Finding(SUBJECT, NOTE, f"{place}: reachable, empty", "the first start makes its tables")
    found = f"{place} is at migration {here}, which this version does not know"
    return Finding(SUBJECT, ATTENTION, found, "it belongs to a newer version: install that one, or restore a backup")


def _month(event: MonthEvent, now: datetime) -> Finding:
    found = f"{event.state} since {event.at:%Y-%m-%d %H:%M} UTC ({ago(event.at, now)}): {event.usage_name or 'no file'}"
    return Finding(str(event.period), ATTENTION, found, _TO_DO[event.state].format(month=event.period))


def _releases(connection: sa.Connection, now: datetime) -> Iterator[Finding]:
    for release in all_releases(connection):
        kind, job = CALLED[release.capability], "close_month" if release.capability == BILLING else "accrue_month"
        subject = f"{kind} {release.number} of {release.period}"
        again = f"run {job} for {release.period}: it finishes the {kind} or drops it"
        if release.state == VOID and release.placed_at:
            yield Finding(subject, ATTENTION, "is void, but its files are still there", again)
        if release.state == PREPARING:
            yield Finding(subject, ATTENTION, f"was begun {ago(release.prepared_at, now)} and is not complete", again)
        elif release.state == PUBLISHED and release.placed_at is None:
            yield Finding(subject, ATTENTION, "is published, but its files are not all in place", again)


def _notices(connection: sa.Connection, now: datetime) -> Iterator[Finding]:
    notices = waiting(connection)
    failing = [notice for notice in notices if notice.failing]
    for notice in failing[:3]:
        found = f"{notice.key}: {notice.attempts} attempts, the last one failed: {notice.last_error}"
        advice = "it is tried again by itself; check BILLING_SLACK_* and the network"
        yield Finding("notice", ATTENTION, found, advice)
    if not notices:
        yield Finding("notices", FINE, "all delivered")
    elif len(failing) < len(notices):
        others = [notice.key for notice in notices if not notice.failing]
        oldest = min(notice.created_at for notice in notices if not notice.failing)
        found = f"{len(others)} wait, the oldest since {ago(oldest, now)}: {listed(others)}"
        late = (now - oldest).total_seconds() > 3600
        advice = "is the product up, and the sensor `outbox` on?" if late else ""
        yield Finding("notices", ATTENTION if late else NOTE, found, advice)


def _leases(connection: sa.Connection, now: datetime) -> Iterator[Finding]:
    for name, holder, expires_at in holders(connection):
        if expires_at >= now:
            yield Finding(name, NOTE, f"a run works on it now ({holder})")
        else:
            found = f"{holder} fell silent {ago(expires_at, now)}"
            yield Finding(name, NOTE, found, "its process has died; the next run of the month takes over by itself")
