"""When a week is closed."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from billing_pipeline.engine.audit.closing import closes


def close(week: date | None, zone: str = "America/Chicago", grace: timedelta = timedelta(0)) -> datetime | None:
    found = pl.DataFrame({"week": [week]}, schema={"week": pl.Date}).select(closes(pl.col("week"), zone, grace)).item()
    return found.astimezone(UTC) if found else None


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("UTC", "2026-01-05T00:00:00"),
        ("America/Chicago", "2026-01-05T06:00:00"),
        ("Asia/Kolkata", "2026-01-04T18:30:00"),
    ],
)
def test_a_week_closes_at_the_end_of_its_last_day_in_the_zone(zone: str, instant: str) -> None:
    assert close(date(2026, 1, 4), zone) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


def test_a_grace_is_added() -> None:
    assert close(date(2026, 1, 4), grace=timedelta(hours=36)) == datetime(2026, 1, 6, 18, tzinfo=UTC)


def test_summer_time_moves_the_close() -> None:
    assert close(date(2026, 7, 5)) == datetime(2026, 7, 6, 5, tzinfo=UTC)


def test_a_midnight_that_the_zone_skips_is_the_hour_after_it() -> None:
    # in Beirut the clock went from 00:00 to 01:00 on 2024-03-31
    assert close(date(2024, 3, 30), "Asia/Beirut") == datetime(2024, 3, 30, 22, tzinfo=UTC)


def test_a_midnight_that_comes_twice_is_the_first() -> None:
    # in Havana the clock went from 01:00 back to 00:00 on 2024-11-03
    assert close(date(2024, 11, 2), "America/Havana") == datetime(2024, 11, 3, 4, tzinfo=UTC)


def test_a_row_without_a_week_never_closes() -> None:
    assert close(None) is None
