"""Support hours of clients as time logs: what a bill would charge is there, what it would not says why."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.managed_services.entries import BILLED, CLOSED, dated_entries
from billing_pipeline.engine.managed_services.pulled import ENTRIES, KEPT, LISTINGS
from billing_pipeline.engine.unbilled.client_hours import TERMS, client_work

SCHEMA = LISTINGS[ENTRIES] | KEPT
JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
COMPANIES = pl.DataFrame({"account": ["A", "B"], "name": ["Acme", "Bolt"]})


def entry(number: int, hours: float | None = 1, month: int = 6, day: int = 10, **more: Any) -> dict[str, Any]:
    worked = None if hours is None else timedelta(hours=hours)
    return {
        "source": "desk", "source_id": str(number), "account": "A", "worked": worked,
        "at": datetime(2026, month, day, 12, number % 60, tzinfo=UTC), "pulled_at": datetime(2026, 7, 15, tzinfo=UTC),
    } | more  # fmt: skip


def term(account: str = "A", month: date = JUNE, rate: str = "90.00", monthly: str = "0", left: str = "0") -> Any:
    return (account, month, "Acme Ltd", Decimal(rate), Decimal(monthly), Decimal(left), None)


def work(
    *entries: dict[str, Any], terms: tuple[Any, ...] = (term(),), billed: tuple[Any, ...] = (), zone: str = "UTC"
) -> tuple[list[tuple[Any, ...]], pl.DataFrame]:
    """Log id, project, hours, status and why it is not charged; and the contracts."""
    given = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in entries], schema=SCHEMA)
    ledger = pl.DataFrame(list(billed), schema=BILLED, orient="row")
    closed = ledger.select("account", "month").unique().cast(CLOSED)  # type: ignore[arg-type]
    frame = pl.DataFrame(list(terms), schema=TERMS, orient="row")
    logs, contracts = client_work(dated_entries(given, closed, ledger, zone), ledger, frame, COMPANIES, JULY, zone)
    return logs.sort("log_id").select("log_id", "project_id", "hours", "status", "covered").rows(), contracts


def test_an_hour_of_a_month_that_is_over_and_was_not_billed_is_logged_under_the_number_of_its_invoice() -> None:
    logs, contracts = work(entry(1, 1.5))
    assert logs == [("desk:1", "A-202606", Decimal("1.5"), "Logged", "")]
    assert contracts.select("project_id", "client", "rate", "model").rows() == [
        ("A-202606", "Acme Ltd", Decimal(90), "T&M")
    ]


def test_what_an_accepted_bill_charged_is_invoiced() -> None:
    assert work(entry(1), billed=(("desk", "1", "A", JUNE),))[0][0][3] == "Invoiced"


def test_hours_of_the_month_that_goes_on_are_not_due() -> None:
    assert work(entry(1, month=7))[0] == [("desk:1", "A-202607", Decimal(1), "Logged", "its month is not over")]


def test_prepaid_hours_cover_the_first_hours_of_the_month_and_an_entry_in_part() -> None:
    logs, _ = work(entry(1, 1), entry(2, 2), entry(3, 4), terms=(term(monthly="1.5", left="1"),))
    assert logs == [
        ("desk:1", "A-202606", Decimal(1), "Logged", "prepaid hours"),
        ("desk:2", "A-202606", Decimal("0.5"), "Logged", ""),
        ("desk:2 (prepaid)", "A-202606", Decimal("1.5"), "Logged", "prepaid hours"),
        ("desk:3", "A-202606", Decimal(4), "Logged", ""),
    ]


def test_a_rate_of_zero_is_an_all_inclusive_plan_and_no_rate_is_none() -> None:
    assert work(entry(1), terms=(term(rate="0.00"),))[0][0][4] == "all-inclusive plan"
    logs, contracts = work(entry(1, account="B"))
    assert (logs[0][4], contracts.select("client", "rate").row(0)) == ("", ("Bolt", None))


def test_tickets_that_were_deleted_and_entries_that_are_gone_or_empty_are_not_charged() -> None:
    gone = datetime(2026, 7, 1, tzinfo=UTC)
    logs, _ = work(entry(1, deleted=True), entry(2, removed_at=gone), entry(3, None))
    assert [row[4] for row in logs] == ["its ticket was deleted", "no longer in its source", "no time was entered"]


def test_a_month_that_was_never_billed_has_the_terms_of_the_last_one() -> None:
    _, contracts = work(entry(1, month=5), entry(2), terms=(term(month=JUNE, rate="120.00"),))
    assert contracts.select("project_id", "rate").rows() == [("A-202605", Decimal(120)), ("A-202606", Decimal(120))]


def test_time_of_a_client_nobody_knows_has_no_contract_and_that_of_nobody_no_project() -> None:
    logs, contracts = work(entry(1, account="X"), entry(2, account=None))
    assert [row[1] for row in logs] == ["X-202606", None]
    assert contracts.is_empty()


def test_no_hour_is_lost_between_what_is_charged_and_what_is_prepaid() -> None:
    third = [entry(number, 1 / 3) for number in range(1, 8)]
    logs, _ = work(*third, terms=(term(monthly="1.50"),))
    assert abs(sum(row[2] for row in logs) - Decimal(7) / 3) < Decimal("0.0000001")
    assert abs(sum(row[2] for row in logs if row[4]) - Decimal("1.5")) < Decimal("0.0000001")
