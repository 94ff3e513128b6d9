"""Unbilled work by project and client: aged, and against the limits of the client. Source: spec 2.7, U8, U10."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing_pipeline.engine.unbilled import client_summary
from billing_pipeline.engine.unbilled.tables import CLIENTS, PROJECTS
from billing_pipeline.engine.unbilled.terms import ClientLimit, UnbilledTerms
from tests.engine.unbilled.records import AS_OF, contract, log, logs, summed

RANGES = ("days_0_30", "days_31_60", "days_61_90", "days_over_90", "undated")


def aged(*ages: int, hours: str = "1") -> list[dict[str, str]]:
    return [log(f"a{age}", hours=hours, work_date=str(AS_OF - timedelta(days=age))) for age in ages]


def test_amounts_fall_into_ranges_of_age_to_the_day() -> None:
    given = summed(logs(*aged(-5, 0, 30, 31, 60, 61, 90, 91, 400), log("x")))
    assert given.select(RANGES).row(0) == tuple(Decimal(100 * count) for count in (3, 2, 2, 2, 1))
    assert given.select("entries", "amount", "oldest", "age_days").row(0) == (
        10, Decimal(1000), AS_OF - timedelta(days=400), 400,
    )  # fmt: skip


def test_only_unbilled_work_counts() -> None:
    rows = log("1", status="Invoiced"), log("2", activity="Non-Billable"), log("3", "P9")
    assert summed(logs(*rows)).is_empty()
    assert summed(logs(*rows)).schema == PROJECTS
    assert client_summary(summed(logs(*rows))).schema == CLIENTS


@pytest.mark.parametrize(
    ("limit", "hours", "age", "threshold", "alert"),
    [
        (None, "15", 0, "1500", False),
        (None, "15.01", 0, "1500", True),
        (None, "1", 400, "1500", False),
        (ClientLimit(Decimal(2000)), "20", 0, "2000", False),
        (ClientLimit(Decimal(2000)), "20.01", 0, "2000", True),
        (ClientLimit(days=30), "1", 30, "1500", False),
        (ClientLimit(days=30), "1", 31, "1500", True),
        (ClientLimit(days=30), "16", 1, "1500", True),
        (ClientLimit(Decimal(0), 0), "0.01", 0, "0", True),
    ],
)
def test_an_alert_is_above_the_threshold_or_older_than_the_client_allows(
    limit: ClientLimit | None, hours: str, age: int, threshold: str, alert: bool
) -> None:
    terms = UnbilledTerms(clients={"Acme": limit} if limit else {})
    given = summed(logs(*aged(age, hours=hours)), terms=terms)
    assert given.select("threshold", "alert").row(0) == (Decimal(threshold), alert)


def test_work_without_a_date_is_never_too_old() -> None:
    terms = UnbilledTerms(clients={"Acme": ClientLimit(days=0)})
    assert summed(logs(log("1")), terms=terms)["alert"].to_list() == [False]


def test_projects_and_clients_come_largest_first_then_by_name() -> None:
    rules = [contract("A"), contract("B", client="Beta"), contract("C", "300"), contract("D", "400", client="Alpha")]
    given = summed(logs(*(log(name, name, work_date="2026-02-01") for name in "ABCD")), *rules)
    assert given["project_id"].to_list() == ["D", "C", "A", "B"]
    assert client_summary(given).select("client", "projects", "amount", "days_0_30", "age_days").rows() == [
        ("Acme", 2, Decimal(400), Decimal(400), 3) if name == "Acme" else (name, 1, Decimal(each), Decimal(each), 3)
        for name, each in (("Acme", 400), ("Alpha", 400), ("Beta", 100))
    ]
