"""Behind the audit of our own book: which two books of a month are compared, what is found, and what is kept of it.

A month's book is compared with what was sent of it: its release, or the run that an accepted client bill is of. Of
what was not sent yet, the latest run is compared with the one that the last look had seen; while a change of it is
open, with the one from before the change. So a finding lives until what it is about is sent, or comes back, or a
reviewer closes it.
Source: spec 9.1 of the billing audit.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit.own_book import USAGE_NEED, charge_findings, client_charges, place_of, usage_charges
from billing_pipeline.engine.audit.tables import FOUND
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.findings import RESOLVED
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import client_archive, releases
from billing_pipeline.resources.client_documents import INVOICE
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import BILLING, CLIENTS

_FRAME = "priced_rows"
_LINES = ("account", "kind", "record", "name", "type", "amount")


@dataclass(frozen=True, slots=True)
class Place:
    """A book and month, and what is compared of it: the run or content `base`, with the run or content `now`.

    `sent`: what says which client bills were sent; `error`: why it could not be judged, "" is none.
    """

    kind: str
    month: str
    base: str
    now: str
    sent: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        return place_of(self.kind, Period.parse(self.month))


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at our own book found: FOUND, the places it judged anew, and every place there is."""

    found: pl.DataFrame
    judged: frozenset[str]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class _Books:
    outputs: OutputFiles
    database: Database
    last: Mapping[str, Place]  # of the last look, by name
    open_places: Collection[str]  # where findings are open
    terms: Thresholds
    at: datetime


_Compare = Callable[[], list[pl.DataFrame]]


def look_at_book(
    outputs: OutputFiles,
    database: Database,
    last: Mapping[str, Place],
    open_places: Collection[str],
    terms: Thresholds,
    at: datetime,
    only: Period | None = None,
) -> Look:
    """What our own book says now against what it said. A place where nothing new was made since the last look is not
    read again; one that cannot be read is judged by no later look than the next that can.
    """
    books = _Books(outputs, database, last, open_places, terms, at)
    found = [pl.DataFrame(schema=FOUND)]
    places, judged = dict(last), set()
    for month in _months(books):
        if only is not None and month != only:
            continue
        for kind, prepare in ((BILLING, _billing), (CLIENTS, _clients)):
            place, made = _judged(books, kind, month, prepare)
            if place is not None:
                places[place.name] = place
            if place is not None and made is not None:
                judged.add(place.name)
                found += made
    return Look(pl.concat(found), frozenset(judged), tuple(places[name] for name in sorted(places)))


def place_from(document: Mapping[str, str]) -> Place:
    """The place that a run kept."""
    return Place(**document)


def document_of(place: Place) -> dict[str, str]:
    """What a run keeps of a place."""
    return asdict(place)


def _judged(
    books: _Books, kind: str, month: Period, prepare: Callable[[_Books, Period], tuple[Place, _Compare] | None]
) -> tuple[Place | None, list[pl.DataFrame] | None]:
    """The place with its findings; None for findings that were not looked for, because nothing is new or readable."""
    before = books.last.get(place_of(kind, month))
    try:
        prepared = prepare(books, month)
        if prepared is None:
            return None, None
        place, compare = prepared
        if place == before:
            return place, None
        return place, compare()
    except InputError as error:
        return replace(before or Place(kind, month.key, "", ""), error=str(error)), None


def _billing(books: _Books, month: Period) -> tuple[Place, _Compare] | None:
    """Priced usage: the release against the latest draft; without releases the latest run set as `_unsent`."""
    made = books.database.run(partial(releases.releases_of, period=month))
    sent = next((one for one in reversed(made) if one.state == releases.PUBLISHED), None)
    outputs = books.outputs
    if sent is not None:
        before = partial(outputs.priced_rows, outputs.manifest_of(month, sent.run_id))
        if not outputs.has_frame(_FRAME, month):
            return None
        path = outputs.frame_path(_FRAME, month)
        stat = path.stat()  # frames are replaced whole
        place = Place(BILLING, month.key, sent.run_id, f"{stat.st_size} {stat.st_mtime_ns}")
        return place, lambda: [_usage_found(books, month, sent.run_id, before(), pl.scan_parquet(path))]
    if made:  # all of it was taken back: there is nothing that a change could be a change of
        return Place(BILLING, month.key, "", ""), list
    runs = _by_age(outputs.manifests(month))
    if not runs:
        return None
    base, now = _unsent(books, BILLING, month, runs)
    rows = outputs.priced_rows
    return (
        Place(BILLING, month.key, base["run_id"], now["run_id"]),
        lambda: [_usage_found(books, month, base["run_id"], rows(base), rows(now))],
    )


def _clients(books: _Books, month: Period) -> tuple[Place, _Compare] | None:
    """Client bills: each accepted one against the latest run, of the others the latest run as `_unsent`."""
    sets = books.outputs.of(CLIENTS)
    runs = _by_age(sets.manifests(month))
    if not runs:
        return None
    invoices = books.database.run(partial(_standing, period=month))
    base, now = _unsent(books, CLIENTS, month, runs)
    over = books.at.date() > month.last  # until then its bills are a preview
    signature = sha256("\n".join(f"{account} {run}" for account, run in sorted(invoices.items())).encode()).hexdigest()
    place = Place(CLIENTS, month.key, base["run_id"] if over else "", now["run_id"], signature[:20])

    def compare() -> list[pl.DataFrame]:
        after = _lines(sets, now)
        sent = [_sent_found(books, sets, month, run, invoices, after) for run in sorted({*invoices.values()})]
        if not over:
            return sent
        unsent = ~pl.col("account").is_in([*invoices])
        before = _lines(sets, base).filter(unsent)
        return [*sent, _client_found(books, month, base["run_id"], before, after.filter(unsent))]

    return place, compare


def _sent_found(
    books: _Books, sets: OutputFiles, month: Period, run: str, invoices: Mapping[str, str], after: pl.DataFrame
) -> pl.DataFrame:
    """What differs from the bills that were accepted of a run; of a run that is gone their archived lines tell."""
    mine = pl.col("account").is_in([account for account, its_run in invoices.items() if its_run == run])
    if sets.is_committed(month, run):
        before = _lines(sets, sets.manifest_of(month, run)).filter(mine)
    else:
        archived = books.database.run(
            partial(client_archive.facts_of, period=month, names=["account", "run_id", "rows"])
        )
        rows = [line for _, its_run, lines in archived if its_run == run for line in lines]
        before = pl.DataFrame(rows, schema=dict.fromkeys(_LINES, pl.String)).filter(mine)
    return _client_found(books, month, run, before, after.filter(mine))


def _usage_found(books: _Books, month: Period, base: str, before: pl.LazyFrame, after: pl.LazyFrame) -> pl.DataFrame:
    one, other = usage_charges(before.select(USAGE_NEED), after.select(USAGE_NEED))
    return charge_findings(one, other, BILLING, month, base, books.terms)


def _client_found(books: _Books, month: Period, base: str, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return charge_findings(client_charges(before), client_charges(after), CLIENTS, month, base, books.terms)


def _unsent(
    books: _Books, kind: str, month: Period, runs: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifests of the two runs to compare. A base that is gone gives way to the oldest run that is still there."""
    seen = books.last.get(place_of(kind, month))
    if seen is None or not seen.now:
        return runs[-2:][0], runs[-1]
    wanted = seen.base if seen.name in books.open_places else seen.now
    return next((run for run in runs if run["run_id"] == (wanted or seen.now)), runs[0]), runs[-1]


def _standing(connection: sa.Connection, period: Period) -> dict[str, str]:
    """The run of every accepted bill of the month that is not void, by account."""
    rows = client_archive.facts_of(connection, period, ["number", "kind", "account", "run_id", "credits"])
    void = {credited for *_, credited in rows if credited}
    return {account: run for number, kind, account, run, _ in rows if kind == INVOICE and number not in void}


def _lines(sets: OutputFiles, manifest: dict[str, Any]) -> pl.DataFrame:
    return pl.read_parquet(sets.file_of(manifest, "lines"), columns=list(_LINES))


def _by_age(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(manifests, key=lambda one: (one["finished_at_utc"], one["run_id"]))


def _months(books: _Books) -> list[Period]:
    return sorted({*books.outputs.committed_months(), *books.outputs.of(CLIENTS).committed_months()})


def still_open(stored: pl.DataFrame, judged: Collection[str]) -> pl.DataFrame:
    """Open findings (FOUND) of places that were not judged anew: they are as true as they were."""
    kept = (pl.col("status") != RESOLVED) & ~pl.col("sheet_id").is_in([*judged])
    return stored.filter(kept).select(FOUND.keys())
