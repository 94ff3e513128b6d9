"""In which month a time entry is billed: its own, or the next one that is open for its client."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from billing_pipeline.engine.managed_services.entries import BILLED, CLOSED, book_entries, dated_entries
from billing_pipeline.engine.managed_services.pulled import ENTRIES, KEPT, LISTINGS

SCHEMA = LISTINGS[ENTRIES] | KEPT
JULY, AUGUST, SEPTEMBER, OCTOBER = (date(2025, month, 1) for month in (7, 8, 9, 10))


def entry(at: datetime, number: int = 1, account: str | None = "A", **more: Any) -> dict[str, Any]:
    return {
        "source": "desk",
        "source_id": str(number),
        "account": account,
        "at": at,
        "worked": timedelta(hours=1),
        "billable": True,
        "pulled_at": datetime(2025, 10, 1, tzinfo=UTC),
    } | more


def dated(
    *entries: dict[str, Any],
    closed: list[tuple[str, date]] | None = None,
    billed: list[tuple[str, str, str, date]] | None = None,
    zone: str = "UTC",
    flag: bool = True,
) -> pl.DataFrame:
    given = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in entries], schema=SCHEMA)
    months = pl.DataFrame(closed or [], schema=CLOSED, orient="row")
    ledger = pl.DataFrame(billed or [], schema=BILLED, orient="row")
    return dated_entries(given, months, ledger, zone, honour_billable_flag=flag)


def at(month: int, day: int = 10) -> datetime:
    return datetime(2025, month, day, tzinfo=UTC)


def test_an_entry_belongs_to_the_month_of_its_own_date_which_is_half_open() -> None:
    last, first = datetime(2025, 9, 30, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)
    assert dated(entry(last), entry(first, 2))["month"].to_list() == [SEPTEMBER, OCTOBER]


def test_months_begin_in_the_zone_that_is_given() -> None:
    late = datetime(2025, 9, 30, 23, 30, tzinfo=UTC)
    assert dated(entry(late), zone="Europe/Berlin")["month"].to_list() == [OCTOBER]
    assert dated(entry(late), zone="America/New_York")["month"].to_list() == [SEPTEMBER]


def test_a_late_entry_goes_to_the_next_open_month_of_its_own_client() -> None:
    closed = [("A", JULY), ("A", AUGUST), ("A", OCTOBER), ("B", AUGUST)]
    found = dated(entry(at(7)), entry(at(8), 2, "B"), entry(at(8), 3, "C"), entry(at(6), 4), closed=closed)
    assert found["month"].to_list() == [SEPTEMBER, SEPTEMBER, AUGUST, date(2025, 6, 1)]
    assert found["state"].to_list() == ["counted late", "counted late", "counted", "counted"]


def test_an_entry_that_was_billed_stays_in_the_month_that_billed_it() -> None:
    closed = [("A", JULY), ("A", AUGUST), ("A", SEPTEMBER)]
    billed = [("desk", "1", "A", JULY), ("desk", "2", "A", SEPTEMBER)]
    found = dated(entry(at(7)), entry(at(7), 2), entry(at(7), 3), closed=closed, billed=billed)
    assert found["month"].to_list() == [JULY, SEPTEMBER, OCTOBER]


def test_what_was_deleted_or_is_gone_is_kept_and_not_billed() -> None:
    found = dated(
        entry(at(9)),
        entry(at(9), 2, deleted=True),
        entry(at(9), 3, removed_at=at(9)),
        entry(at(9), 4, billable=False),
        entry(at(9), 5, account=None),
    )
    assert found["state"].to_list() == [
        "counted",
        "its ticket was deleted",
        "no longer in its source",
        "not billable",
        "counted",
    ]
    assert book_entries(found)["entry_id"].to_list() == ["desk:1", "desk:4"]


def test_time_that_is_billed_in_spite_of_its_flag_counts_and_so_is_billed_once() -> None:
    found = dated(entry(at(9), billable=False), entry(at(8), 2, billable=False), closed=[("A", AUGUST)], flag=False)
    assert found["state"].to_list() == ["counted", "counted late"]
    assert dated(entry(at(9), billable=False))["state"].to_list() == ["not billable"]


def test_time_that_was_billed_to_a_client_is_not_billed_to_another_when_its_ticket_is_moved() -> None:
    billed = [("desk", "1", "A", AUGUST), ("desk", "2", "A", AUGUST), ("desk", "3", "A", AUGUST)]
    moved = [entry(at(8), 1, "B"), entry(at(8), 2, None), entry(at(8), 3)]
    found = dated(*moved, closed=[("A", AUGUST)], billed=billed)
    assert found["state"].to_list() == ["billed to another client", "billed to another client", "counted"]
    assert book_entries(found)["entry_id"].to_list() == ["desk:3"]
