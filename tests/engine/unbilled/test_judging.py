"""Every log is in exactly one state, with its reason; amounts are exact and rounded once for each entry."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.exceptions import InvalidOperationError

from billing_pipeline.engine.unbilled import balance, judged_logs
from billing_pipeline.engine.unbilled.tables import (
    BALANCE,
    BILLED,
    CONTRACTS,
    EXCLUDED,
    JUDGED,
    LOGS,
    QUARANTINED,
    UNBILLED,
)
from tests.engine.unbilled.records import contract, contracts, judged, log, logs

FIXED, NOBODY = contract("P1", model="Fixed-Price"), contract("P1", model="?")


def verdict(row: dict[str, Any], *rules: dict[str, Any], covered: str = "") -> tuple[Any, ...]:
    given = logs(row).with_columns(covered=pl.lit(covered))
    return judged(given, *rules).select("state", "reason", "amount").row(0)


@pytest.mark.parametrize(
    ("row", "rule", "state", "reason", "amount"),
    [
        (log("1"), contract("P1"), UNBILLED, "", "100"),
        (log("1", status="Invoiced"), contract("P1"), BILLED, "", "100"),
        (log("1", status="Invoiced"), contract("P1", None), BILLED, "", "0"),
        (log("1", status="Invoiced"), contract("P1", "0"), BILLED, "", "0"),
        (log("1", status="Written-Off"), contract("P1"), EXCLUDED, "written off", "100"),
        (log("1", activity="Non-Billable"), contract("P1"), EXCLUDED, "non-billable work", "0"),
        (log("1", activity="Non-Billable", status="Written-Off"), contract("P1"), EXCLUDED, "written off", "0"),
        (log("1"), FIXED, EXCLUDED, "fixed price", "0"),
        (log("1", status="Written-Off"), FIXED, EXCLUDED, "fixed price", "0"),
        (log("1"), contract("P1", None), QUARANTINED, "rate missing", "0"),
        (log("1"), contract("P1", "0.0000"), QUARANTINED, "rate missing", "0"),
        (log("1", status="Written-Off"), contract("P1", None), EXCLUDED, "written off", "0"),
        (log("1"), NOBODY, QUARANTINED, "unknown billing model", "0"),
        (log("1"), contract("P2"), QUARANTINED, "unknown project", "0"),
        (log("1", None), contract("P1"), QUARANTINED, "missing project", "0"),
        (log("1", hours="-2"), contract("P1"), QUARANTINED, "hours not above zero", "-200"),
        (log("1", hours="?"), contract("P1"), QUARANTINED, "hours not readable", "0"),
        (log("1", work_date="?"), contract("P1"), QUARANTINED, "work date not readable", "100"),
        (log("1", status="?"), FIXED, QUARANTINED, "unknown status", "0"),
        (log("1", activity="?"), contract("P1"), QUARANTINED, "unknown activity", "0"),
        (log("1", expense="?"), contract("P2"), QUARANTINED, "expense not readable", "0"),
        (log(None), contract("P1"), QUARANTINED, "no Log_ID", "100"),
    ],
)
def test_each_log_has_one_verdict(
    row: dict[str, Any], rule: dict[str, Any], state: str, reason: str, amount: str
) -> None:
    assert verdict(row, rule) == (state, reason, Decimal(amount))


@pytest.mark.parametrize(
    ("row", "rule", "state", "reason"),
    [
        (log("1"), contract("P1"), EXCLUDED, "prepaid hours"),
        (log("1", status="Invoiced"), contract("P1"), EXCLUDED, "prepaid hours"),
        (log("1"), contract("P1", None), EXCLUDED, "prepaid hours"),
        (log("1", activity="Non-Billable"), contract("P1"), EXCLUDED, "non-billable work"),
        (log("1"), FIXED, EXCLUDED, "fixed price"),
        (log("1", hours="0"), contract("P1"), QUARANTINED, "hours not above zero"),
    ],
)
def test_covered_work_is_left_out_unless_something_else_comes_first(
    row: dict[str, Any], rule: dict[str, Any], state: str, reason: str
) -> None:
    assert verdict(row, rule, covered="prepaid hours")[:2] == (state, reason)


def test_a_duplicate_is_quarantined_and_the_first_counts() -> None:
    given = judged(logs(log("1"), log("1", hours="5"), log("1", status="Invoiced")))
    assert given.select("state", "reason").rows() == [
        (UNBILLED, ""),
        (QUARANTINED, "duplicate Log_ID"),
        (QUARANTINED, "duplicate Log_ID"),
    ]


def test_two_contracts_of_a_project_never_multiply_a_log() -> None:
    twice = pl.concat([contracts(contract("P1")), contracts(contract("P1", "120"))])
    with pytest.raises(InvalidOperationError, match="duplicates"):
        judged_logs(logs(log("1")), twice)


@pytest.mark.parametrize(
    ("hours", "rate", "amount"),
    [
        ("0.1", "0.05", "0.01"),  # exactly half a cent: up
        ("0.07", "150.5", "10.54"),  # 10.535
        ("0.33333333", "150", "50.00"),
        ("1.005", "1", "1.01"),  # 1.00 in binary floats
        ("0.00000001", "0.0001", "0.00"),
        ("999999.99999999", "9999999999.9999", "9999999999999800.00"),
    ],
)
def test_amounts_are_exact_and_rounded_half_up(hours: str, rate: str, amount: str) -> None:
    assert verdict(log("1", hours=hours), contract("P1", rate))[2] == Decimal(amount)


def test_entries_are_rounded_before_they_are_added() -> None:
    given = judged(logs(*(log(str(number), hours="0.1") for number in range(10))), contract("P1", "0.05"))
    assert balance(given).row(1)[3] == Decimal("0.10")


def test_the_balance_has_every_state_also_without_a_log() -> None:
    nothing = balance(judged_logs(pl.DataFrame(schema=LOGS), pl.DataFrame(schema=CONTRACTS)))
    assert nothing.schema == BALANCE
    assert nothing["state"].to_list() == [BILLED, UNBILLED, EXCLUDED, QUARANTINED, "logged"]
    assert nothing["rows"].sum() == nothing["hours"].sum() == nothing["amount"].sum() == 0


def test_logs_keep_their_order_without_any_contract() -> None:
    given = judged_logs(logs(log("2"), log("1"), log("3", None)), pl.DataFrame(schema=CONTRACTS))
    assert given.schema == JUDGED
    assert given.select("log_id", "client", "reason").rows() == [
        ("2", None, "unknown project"), ("1", None, "unknown project"), ("3", None, "missing project"),
    ]  # fmt: skip
