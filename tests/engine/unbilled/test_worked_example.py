"""The worked example of the specification, executed on the reference: both cycles, to the cent. Source: spec 3."""

from datetime import timedelta
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.unbilled import alerts, balance, client_summary, told_after
from billing_pipeline.engine.unbilled.tables import CROSSED, NON_BILLABLE_WORK, QUARANTINE, TIME_LEAKAGE
from tests.engine.unbilled.records import AS_OF, TERMS, contract, found, judged, log, logs, summed, told

CONTRACTS = (
    contract("P001", "150.00", client="TechSolutions Inc."),
    contract("P002", "120.00", client="Global Commerce"),
    contract("P003", "180.00", client="Innovation Hub", model="Fixed-Price", max_hours="100"),
)
FIRST = (
    log("101", "P001", "8"), log("102", "P001", "4", activity="Non-Billable"), log("103", "P002", "7.5"),
    log("104", "P002", "6"), log("105", "P001", "2"), log("106", "P003", "8"), log("107", "P002", "3"),
    log("110", None, "2"),
)  # fmt: skip
SECOND = (*FIRST, log("108", "P001", "5"), log("109", "P002", "4"))
FIGURES = ("project_id", "client", "hours", "amount", "alert")


def test_the_first_cycle_alerts_only_what_is_above_the_threshold_and_not_what_is_at_it() -> None:
    assert summed(logs(*FIRST), *CONTRACTS).select(FIGURES).rows() == [
        ("P002", "Global Commerce", Decimal("16.5"), Decimal("1980.00"), True),
        ("P001", "TechSolutions Inc.", Decimal(10), Decimal("1500.00"), False),
    ]


def test_the_second_cycle_alerts_both_the_larger_first() -> None:
    assert summed(logs(*SECOND), *CONTRACTS).select(FIGURES).rows() == [
        ("P002", "Global Commerce", Decimal("20.5"), Decimal("2460.00"), True),
        ("P001", "TechSolutions Inc.", Decimal(15), Decimal("2250.00"), True),
    ]


def test_each_cycle_tells_what_the_one_before_did_not() -> None:
    first, second = (summed(logs(*rows), *CONTRACTS) for rows in (FIRST, SECOND))
    sent = alerts(first, told(), TERMS)
    assert sent.select("event", "project_id", "amount").rows() == [(CROSSED, "P002", Decimal("1980.00"))]
    news = alerts(second, told_after(told(), sent), TERMS)  # P002 grew by 480.00, less than the step
    assert news.select("event", "project_id", "amount").rows() == [(CROSSED, "P001", Decimal("2250.00"))]


def test_log_110_is_quarantined_log_102_is_compliance_leakage_and_the_fixed_price_is_not_overrun() -> None:
    leaked = found(logs(*SECOND), *CONTRACTS)
    assert leaked.select("category", "project_id", "log_id", "hours", "dollars").rows() == [
        (TIME_LEAKAGE, "P002", "", Decimal("20.5"), Decimal("2460.00")),
        (TIME_LEAKAGE, "P001", "", Decimal(15), Decimal("2250.00")),
        (NON_BILLABLE_WORK, "P001", "", Decimal(4), Decimal("600.00")),
        (QUARANTINE, "", "110", Decimal(2), None),
    ]


def test_the_sentence_has_the_figures() -> None:
    days = {row["log_id"]: str(AS_OF - timedelta(days=34 if row["log_id"] == "105" else 3)) for row in SECOND}
    dated = [row | {"work_date": days[row["log_id"]]} for row in SECOND]
    why = found(logs(*dated), *CONTRACTS).filter(pl.col("project_id") == "P001")["why"]
    assert why[0] == "15.00 hours worth 2,250.00 are not invoiced, the oldest 34 days old"


def test_the_balance_counts_every_log_in_one_state() -> None:
    assert balance(judged(logs(*SECOND), *CONTRACTS)).rows() == [
        ("billed", 0, Decimal(0), Decimal(0)),
        ("unbilled", 7, Decimal("35.5"), Decimal("4710.00")),
        ("excluded", 2, Decimal(12), Decimal(0)),
        ("quarantined", 1, Decimal(2), Decimal(0)),
        ("logged", 10, Decimal("49.5"), Decimal("4710.00")),
    ]


def test_clients_are_the_sums_of_their_projects() -> None:
    both = client_summary(summed(logs(*SECOND), *(row | {"client": "Acme"} for row in CONTRACTS)))
    assert both.select("client", "projects", "entries", "hours", "amount", "undated", "alerts").rows() == [
        ("Acme", 2, 7, Decimal("35.5"), Decimal("4710.00"), Decimal("4710.00"), 2)
    ]
