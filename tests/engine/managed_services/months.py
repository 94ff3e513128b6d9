"""A month of clients written as literals: listings as they were pulled, sheets of the book, what is made of both."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.managed_services.entries import BILLED, CLOSED
from billing_pipeline.engine.managed_services.listings import typed
from billing_pipeline.engine.managed_services.merging import merged
from billing_pipeline.engine.managed_services.month import ClientMonth, client_month
from billing_pipeline.engine.managed_services.pulled import LISTINGS, stored
from billing_pipeline.engine.managed_services.reference import sheet_frames
from billing_pipeline.engine.managed_services.sheets import Row
from billing_pipeline.engine.period import Period
from tests.engine.managed_services.listings import Texts, texts

SEPTEMBER = Period(2025, 9)
PULLED = datetime(2025, 9, 20, 12, tzinfo=UTC)
GOLD: Row = {
    "plan": "Gold", "term": "1 Year", "valid_from": "2020-01-01", "support_level": "Billed Hourly",
    "per_user_cost": "15", "per_workstation_cost": "50", "per_server_cost": "150", "per_vm_cost": "100",
    "per_switch_cost": "25", "per_firewall_cost": "75", "per_hour_ticket_cost": "150",
    "backup_base_fee_workstation": "5", "backup_base_fee_server": "20", "backup_included_tb": "1",
    "backup_per_tb_fee": "10",
}  # fmt: skip


def pulled(name: str, *records: Texts, gone: Iterable[Texts] = (), since: datetime = PULLED) -> pl.DataFrame:
    """A listing as it is stored; `gone`: records that a pull before had, and that were missing first at `since`."""
    both = typed(name, texts(name, *records, *gone))
    first = merged(name, None, both.frame, datetime(2020, 1, 1, tzinfo=UTC), complete=True)
    found = typed(name, texts(name, *records))
    kept = merged(name, first.frame, found.frame, since, complete=True, largest_drop=Decimal(1)).frame
    return stored(kept, found.problems, since)


def sheets(**rows: list[Row]) -> dict[str, pl.DataFrame]:
    """The book of clients as frames of texts; without other plans, the plan Gold."""
    return sheet_frames({"plans": [GOLD], **rows})


def month_of(
    listings: Mapping[str, pl.DataFrame],
    period: Period = SEPTEMBER,
    closed: Iterable[tuple[str, date]] = (),
    billed: Iterable[tuple[str, str, str, date]] = (),
    zone: str = "UTC",
    **rows: list[Row],
) -> ClientMonth:
    """The month of these listings (others are empty), with these sheets of the book."""
    every = {name: listings[name] if name in listings else pulled(name) for name in LISTINGS}
    accepted = pl.DataFrame(list(closed), schema=CLOSED, orient="row")
    entries = pl.DataFrame(list(billed), schema=BILLED, orient="row")
    return client_month(every, sheets(**rows), accepted, entries, period, zone)
