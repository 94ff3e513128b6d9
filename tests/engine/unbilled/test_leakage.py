"""Each rule finds what it names, with its figures, and hides nothing else. Source: U1, U2, U3, U7, U8, U9, U10."""

from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.unbilled.tables import (
    CONTRACT_EXPIRED,
    FIXED_PRICE_OVERRUN,
    KINDS,
    LEAKS,
    NON_BILLABLE_WORK,
    QUARANTINE,
    RATE_MISSING,
    TIME_LEAKAGE,
    TIME_TOO_OLD,
)
from billing_pipeline.engine.unbilled.tables import EXPENSES_ABOVE_LIMIT as EXPENSES
from billing_pipeline.engine.unbilled.terms import ClientLimit, UnbilledTerms
from tests.engine.unbilled.records import contract, found, log, logs, of_kind


def fixed(project: str, most: str | None, rate: str | None = "100") -> dict[str, Any]:
    return contract(project, rate, model="Fixed-Price", max_hours=most)


def kinds(leaked: pl.DataFrame) -> list[str]:
    return leaked["category"].to_list()


def test_nothing_wrong_finds_nothing() -> None:
    rules = contract("P1", reimbursable_limit="10"), fixed("P2", "5"), fixed("P3", None)
    rows = log("1", status="Invoiced", expense_amount="10"), log("2", "P2", "5"), log("3", "P3", "900")
    nothing = found(logs(*rows), *rules)
    assert nothing.schema == LEAKS
    assert nothing.is_empty()


def test_an_overrun_hides_nothing_and_every_one_is_told() -> None:  # U1, U2
    rules = fixed("F1", "10"), fixed("F2", "1", "150"), fixed("F3", "3"), contract("P1")
    rows = (log("1", "F1", "8"), log("2", "F1", "4.5", activity="Non-Billable", status="Invoiced"), log("3", "F2", "3"),
            log("4", "F3", "3"), log("5", "P1", "2"), log("6", "P1", "1", activity="Non-Billable"))  # fmt: skip
    assert found(logs(*rows), *rules).select("category", "project_id", "hours", "dollars").rows() == [
        (TIME_LEAKAGE, "P1", Decimal(2), Decimal(200)),
        (FIXED_PRICE_OVERRUN, "F2", Decimal(2), Decimal(300)),
        (FIXED_PRICE_OVERRUN, "F1", Decimal("2.5"), Decimal(250)),
        (NON_BILLABLE_WORK, "P1", Decimal(1), Decimal(100)),
    ]


def test_hours_that_are_quarantined_are_no_part_of_an_overrun_and_those_written_off_are() -> None:
    rows = log("1", hours="6"), log("1", hours="6"), log("2", hours="5", status="Written-Off")
    row = of_kind(FIXED_PRICE_OVERRUN, logs(*rows), fixed("P1", "10"))
    assert (row["hours"], row["entries"]) == (Decimal(1), 2)
    assert row["why"] == "11.00 hours were worked of a fixed price of 10.00 hours: 1.00 hours worth 100.00 over it"


@pytest.mark.parametrize("rate", [None, "0"])
def test_an_overrun_without_a_rate_is_of_unknown_worth(rate: str | None) -> None:
    row = of_kind(FIXED_PRICE_OVERRUN, logs(log("1", hours="1234")), fixed("P1", "0", rate))
    assert (row["hours"], row["dollars"], row["severity"]) == (Decimal(1234), None, "MEDIUM")
    assert row["why"].endswith("1,234.00 hours of unknown worth over it")


def test_non_billable_work_is_worth_its_rate_unless_written_off_or_unknown() -> None:
    spent = {"activity": "Non-Billable"}
    rules = contract("P1", "99.99"), contract("P2", None)
    rows = (log("1", hours="0.5", **spent), log("2", hours="0.5", status="Invoiced", **spent),
            log("3", hours="9", status="Written-Off", **spent), log("4", "P2", "2", **spent))  # fmt: skip
    leaked = found(logs(*rows), *rules)
    assert leaked.select("category", "project_id", "hours", "dollars", "entries").rows() == [
        (NON_BILLABLE_WORK, "P1", Decimal(1), Decimal("100.00"), 2),  # 49.995 twice, each rounded
        (NON_BILLABLE_WORK, "P2", Decimal(2), None, 1),
    ]
    assert leaked["why"][0] == "1.00 hours worth 100.00 were logged as non-billable"


def test_expenses_above_the_limit_are_told_whatever_the_model() -> None:  # U9
    rules = contract("P1", reimbursable_limit="100"), fixed("P2", None) | {"reimbursable_limit": "0"}, contract("P3")
    rows = (log("1", status="Invoiced", expense_amount="60"), log("2", status="Invoiced", expense_amount="40.01"),
            log("2", expense_amount="500"), log("3", "P2", expense_amount="5"), log("4", "P2"),
            log("5", "P3", status="Invoiced", expense_amount="9999"))  # fmt: skip
    leaked = found(logs(*rows), *rules).filter(pl.col("category") == EXPENSES)
    assert leaked.select("project_id", "dollars", "hours", "entries").rows() == [
        ("P2", Decimal(5), Decimal(0), 1),
        ("P1", Decimal("0.01"), Decimal(0), 2),
    ]
    assert leaked["why"][1] == "expenses of 100.01 are 0.01 above the limit of 100.00"


def test_work_without_a_rate_is_a_finding_of_its_project_and_of_each_log() -> None:
    rows = log("1", hours="2", work_date="2026-02-03"), log("2", hours="3"), log("3", status="Invoiced")
    leaked = found(logs(*rows), contract("P1", None))
    assert kinds(leaked) == [RATE_MISSING, QUARANTINE, QUARANTINE]
    row = leaked.row(0, named=True)
    assert (row["hours"], row["entries"], row["dollars"], row["severity"]) == (Decimal(5), 2, None, "MEDIUM")
    assert row["why"] == "5.00 hours cannot be invoiced without a rate, the oldest 1 day old"


@pytest.mark.parametrize(
    ("days", "entries", "sentence"),
    [
        (("2026-01-31", "2026-01-01"), 0, ""),
        (("2026-02-01", "2026-01-31"), 1, "after the contract ended on 2026-01-31"),
        (("2025-12-31", "2026-01-01"), 1, "before the contract started on 2026-01-01"),
        (
            ("2025-12-31", "2026-02-01"),
            2,
            "before the contract started on 2026-01-01 or after it ended on 2026-01-31",
        ),
    ],
)
def test_work_outside_the_contract_says_on_which_side(days: tuple[str, str], entries: int, sentence: str) -> None:
    rule = contract("P1", starts="2026-01-01", ends="2026-01-31")
    rows = [log(day, work_date=day) for day in days]
    leaked = found(logs(*rows, log("x")), rule).filter(pl.col("category") == CONTRACT_EXPIRED)
    told = [
        (
            entries,
            Decimal(100 * entries),
            f"{entries}.00 hours worth {entries}00.00 are not invoiced and dated {sentence}",
        )
    ]
    assert leaked.select("entries", "dollars", "why").rows() == (told if entries else [])


def test_invoiced_work_outside_the_contract_is_none() -> None:
    rule = contract("P1", ends="2025-12-31")
    assert found(logs(log("1", status="Invoiced", work_date="2026-01-01")), rule).is_empty()


def test_old_work_is_older_than_the_limit_not_as_old() -> None:
    rows = log("1", work_date="2025-11-06"), log("2", work_date="2025-11-05"), log("3")  # 90 and 91 days
    row = of_kind(TIME_TOO_OLD, logs(*rows))
    assert (row["entries"], row["dollars"], row["age_days"], row["months"]) == (1, Decimal(100), 91, "2025-11")
    assert row["why"] == "1.00 hours worth 100.00 are not invoiced after more than 90 days, the oldest 91 days old"


def test_a_finding_is_aged_and_tied_to_its_months_and_to_who_worked_most() -> None:  # U10
    rows = (log("1", hours="2", employee_id="B", work_date="2026-01-31"), log("2", hours="1", employee_id="A",
            work_date="2025-12-01"), log("3", hours="1", employee_id="A", work_date="2026-01-02"), log("4", hours="9",
            employee_id=""))  # fmt: skip
    row = of_kind(TIME_LEAKAGE, logs(*rows))
    told = {name: row[name] for name in ("owner", "oldest", "age_days", "months", "client", "log_id")}
    assert told == {"owner": "A", "oldest": date(2025, 12, 1), "age_days": 65, "months": "2025-12, 2026-01",
                    "client": "Acme", "log_id": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "owner"),
    [({"A": "1", "B": "3", "": "9"}, "B"), ({"A": "3", "B": "1"}, "A"), ({"B": "2", "A": "2"}, "A"), ({"": "1"}, "")],
)
def test_the_owner_has_most_of_the_hours_and_a_name_if_anybody_has(hours: dict[str, str], owner: str) -> None:
    rows = [log(f"L{person}", hours=worked, employee_id=person) for person, worked in hours.items()]
    assert of_kind(TIME_LEAKAGE, logs(*rows))["owner"] == owner


def test_work_still_to_come_is_of_age_zero_and_without_a_date_of_none() -> None:
    given = found(logs(log("1", work_date="2026-03-01"), log("2", "P2")), contract("P1"), contract("P2", "99"))
    assert given.select("age_days", "oldest", "months").rows() == [(0, date(2026, 3, 1), "2026-03"), (None, None, "")]
    assert given["why"][1] == "1.00 hours worth 99.00 are not invoiced"


def test_a_quarantined_log_has_reason_owner_age_and_place() -> None:  # U3
    row = of_kind(QUARANTINE, logs(log("7", "P9", "4", employee_id="E7", work_date="2026-01-25")))
    wanted = {"why": "unknown project (logs.csv, line 2)", "owner": "E7", "age_days": 10, "months": "2026-01",
              "project_id": "P9", "client": "", "log_id": "7", "hours": Decimal(4), "entries": 1, "dollars": None,
              "severity": "MEDIUM"}  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("file", "line", "why"), [("a.csv", None, "no Log_ID (a.csv)"), (None, 2, "no Log_ID"), ("", None, "no Log_ID")]
)
def test_a_log_without_a_place_is_told_all_the_same(file: str | None, line: int | None, why: str) -> None:
    row = of_kind(QUARANTINE, logs(log(None, file=file, line=line)))
    key = sha256(f"QUARANTINE||{file or ''}|{line or ''}".encode()).hexdigest()[:20]
    assert (row["why"], row["finding_key"]) == (why, key)


def test_a_quarantined_log_is_worth_what_is_known_and_above_zero() -> None:
    rows = log("1", hours="2", status="?"), log("2", hours="-2"), log("3", hours="?"), log(None, hours="20")
    leaked = found(logs(*rows))
    assert leaked.select("log_id", "hours", "dollars", "severity").rows() == [
        ("", Decimal(20), Decimal(2000), "HIGH"),
        ("1", Decimal(2), Decimal(200), "LOW"),
        ("2", Decimal(-2), None, "MEDIUM"),
        ("3", Decimal(0), None, "MEDIUM"),
    ]


def test_keys_hold_category_and_project_or_log_and_reason_or_its_place() -> None:
    rows = log("1"), log("1", hours="7"), log(None), log("2", "P9")
    leaked = found(logs(*rows))
    texts = [f"{TIME_LEAKAGE}|P1", f"{QUARANTINE}||logs.csv|4", f"{QUARANTINE}|1|logs.csv|3",
             f"{QUARANTINE}|2|unknown project"]  # fmt: skip
    by_log = leaked.sort("category", "log_id", descending=[True, False])
    assert by_log["finding_key"].to_list() == [sha256(text.encode()).hexdigest()[:20] for text in texts]


def test_a_key_stays_when_hours_dates_and_people_change() -> None:
    before = found(logs(log("1", work_date="2026-01-01"), log("2", hours="0")))
    after = found(logs(log("1", hours="7", employee_id="E9"), log("2", hours="-1", employee_id="E9"), log("3")))
    assert before["finding_key"].to_list() == after["finding_key"].to_list()


@pytest.mark.parametrize(("hours", "severity"), [("15", "LOW"), ("15.01", "HIGH")])
def test_the_general_threshold_is_strict(hours: str, severity: str) -> None:
    assert of_kind(TIME_LEAKAGE, logs(log("1", hours=hours)))["severity"] == severity


@pytest.mark.parametrize(("hours", "severity"), [("2", "LOW"), ("2.01", "HIGH")])
def test_a_client_may_have_a_threshold_of_its_own(hours: str, severity: str) -> None:  # U8
    terms = UnbilledTerms(clients={"Acme": ClientLimit(Decimal(200)), "Other": ClientLimit(Decimal(1))})
    assert of_kind(TIME_LEAKAGE, logs(log("1", hours=hours)), terms=terms)["severity"] == severity


def test_findings_are_sorted_by_kind_then_dollars_then_project() -> None:
    rules = [contract(name, rate) for name, rate in (("A", "100"), ("B", "300"), ("C", "100"), ("D", None))]
    rows = [log(name, name, work_date="2025-01-01") for name in "DCBA"] + [
        log(f"n{name}", name, activity="Non-Billable") for name in "DCBA"
    ]
    leaked = found(logs(*rows), *rules)
    per_kind = leaked.group_by("category", maintain_order=True).agg("project_id").rows()
    assert per_kind == [(TIME_LEAKAGE, ["B", "A", "C"]), (NON_BILLABLE_WORK, ["B", "A", "C", "D"]),
                        (RATE_MISSING, ["D"]), (TIME_TOO_OLD, ["B", "A", "C"]), (QUARANTINE, ["D"])]  # fmt: skip
    assert list(dict.fromkeys(kinds(leaked))) == [kind for kind in KINDS if kind in kinds(leaked)]
