"""Releases and events of a month in the database: order, the current one, what a crash left, closed periods."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest
import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.resources import months, releases
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.releases import PREPARING, PUBLISHED, VOID, Release

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)


def release(number: int = 1, state: str = PUBLISHED, period: Period = JANUARY, **more: object) -> Release:
    values = {"billed": Decimal("10.00"), "difference": Decimal("10.00"), "placed_at": AT, **more}
    return Release(period, number, state, f"run-{period}-{number}", "usage", "rules", 7, prepared_at=AT, **values)  # type: ignore[arg-type]


def prepared(database: Database, *made: Release) -> None:
    for one in made:
        database.run(partial(releases.prepare, release=one))


def test_a_release_comes_back_as_it_was_noted(database: Database) -> None:
    one = release(billed=Decimal("12345678901234567.89"), difference=Decimal("-0.01"))
    prepared(database, one)
    assert database.run(partial(releases.releases_of, period=JANUARY)) == [one]


def test_a_number_is_given_once(database: Database) -> None:
    prepared(database, release())
    with pytest.raises(sa.exc.IntegrityError):
        prepared(database, release())


def test_the_current_release_is_the_last_published_one(database: Database) -> None:
    assert database.run(partial(releases.current, period=JANUARY)) is None
    prepared(database, release(1), release(2), release(3, VOID), release(4, PREPARING), release(1, period=FEBRUARY))
    current = database.run(partial(releases.current, period=JANUARY))
    assert current
    assert current.number == 2


@pytest.mark.parametrize(
    ("left", "number"),
    [
        ([release(1)], None),
        ([release(1), release(2, PREPARING, placed_at=None)], 2),
        ([release(1, placed_at=None)], 1),
        ([release(1, VOID, placed_at=None)], None),
    ],
)
def test_what_a_crash_left_is_found(database: Database, left: list[Release], number: int | None) -> None:
    prepared(database, *left)
    found = database.run(partial(releases.unfinished, period=JANUARY))
    assert (found.number if found else None) == number


def test_only_a_release_that_was_never_committed_can_be_forgotten(database: Database) -> None:
    prepared(database, release(1), release(2, PREPARING))
    for one in (release(1), release(2, PREPARING)):
        database.run(partial(releases.drop, release=one))
    assert [one.number for one in database.run(releases.all_releases)] == [1]


def test_a_period_is_closed_until_it_is_reopened(database: Database) -> None:
    def put(period: Period, *, closed: bool) -> None:
        database.run(partial(releases.set_closed, period=period, closed=closed, by="Ada", reason="", at=AT))

    put(JANUARY, closed=True)
    put(FEBRUARY, closed=True)
    put(JANUARY, closed=False)
    assert database.run(releases.closed_periods) == {FEBRUARY}


def test_the_last_event_of_a_month_is_its_state(database: Database) -> None:
    for state in ("in_review", "published"):
        event = MonthEvent(JANUARY, state, AT, "run", "2026.01_a.csv", "sha", "rules", 3, {"reasons": ["é"]})
        database.run(partial(months.record, event=event))
    database.run(partial(months.record, event=MonthEvent(FEBRUARY, "refused", AT)))
    assert database.run(partial(months.latest, period=JANUARY)) == event
    assert [e.state for e in database.run(partial(months.events_of, period=JANUARY))] == ["in_review", "published"]
    assert [(e.period, e.state) for e in database.run(months.latest_of_all)] == [
        (JANUARY, "published"),
        (FEBRUARY, "refused"),
    ]
    assert database.run(partial(months.latest, period=Period(2026, 3))) is None


def test_contents_that_reached_a_verdict_are_known_by_month(database: Database) -> None:
    for period, sha256 in ((JANUARY, "a"), (JANUARY, "a"), (FEBRUARY, "b"), (FEBRUARY, "")):
        database.run(partial(months.record, event=MonthEvent(period, "in_review", AT, usage_sha256=sha256)))
    assert database.run(months.contents) == {("2026-01", "a"), ("2026-02", "b")}
