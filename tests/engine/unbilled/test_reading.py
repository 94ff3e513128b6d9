"""Time logs and contracts as they are read: a bad log is kept with its first problem, a bad contract is refused."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.unbilled.tables import LOGS
from tests.engine.unbilled.records import contract, contracts, log, logs


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (log(" "), "no Log_ID"),
        (log(None), "no Log_ID"),
        (log("2", " "), "missing project"),
        (log("2", None), "missing project"),
        (log("2", hours=None), "hours not readable"),
        (log("2", hours="eight"), "hours not readable"),
        (log("2", hours="0.123456789"), "hours not readable"),
        (log("2", hours="1000000"), "hours not readable"),
        (log("2", hours="0"), "hours not above zero"),
        (log("2", hours="-3"), "hours not above zero"),
        (log("2", activity=""), "unknown activity"),
        (log("2", activity="Bilable"), "unknown activity"),
        (log("2", status=None), "unknown status"),
        (log("2", status="Sent"), "unknown status"),
        (log("2", work_date="2026-02-30"), "work date not readable"),
        (log("2", expense_amount="-1"), "expense not readable"),
        (log("2", expense_amount="ten"), "expense not readable"),
        (log("2", expense="perhaps"), "expense not readable"),
    ],
)
def test_what_a_log_lacks_is_its_problem_and_the_others_have_none(row: dict[str, Any], problem: str) -> None:
    assert logs(log("1"), row, log("3"))["problem"].to_list() == ["", problem, ""]


def test_of_several_problems_the_first_is_told() -> None:
    bad = {"activity": "?", "status": "?", "work_date": "?", "expense": "?"}
    order = [log("", "", "?", **bad), log("1", "", "?", **bad), log("1", "", "?", **bad), log("3", "P1", "?", **bad),
             log("4", "P1", "0", **bad), log("5", **bad), log("6", **(bad | {"activity": "Billable"})),
             log("7", work_date="?", expense="?")]  # fmt: skip
    assert logs(*order)["problem"].to_list() == [
        "no Log_ID", "missing project", "duplicate Log_ID", "hours not readable", "hours not above zero",
        "unknown activity", "unknown status", "work date not readable",
    ]  # fmt: skip


def test_every_row_of_an_id_after_the_first_is_a_duplicate_whatever_the_order_they_come_in() -> None:
    rows = [log("7", line=9), log("7", line=2), log(" 7 ", line=5), log("8", line=3), log(None, line=1)]
    assert logs(*rows)["problem"].to_list() == ["duplicate Log_ID", "", "duplicate Log_ID", "", "no Log_ID"]


@pytest.mark.parametrize("text", ["Non-Billable", "non billable", " NON-BILLABLE ", "Non_Billable"])
def test_activities_are_read_in_any_case(text: str) -> None:
    assert logs(log("1", activity=text), log("2", activity="BILLABLE"))["activity"].to_list() == [
        "Non-Billable", "Billable",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["Written-Off", "written off", "WRITTEN-OFF "])
def test_statuses_are_read_in_any_case(text: str) -> None:
    given = logs(log("1", status=text), log("2", status="invoiced"), log("3", status=" logged"))
    assert given["status"].to_list() == ["Written-Off", "Invoiced", "Logged"]


@pytest.mark.parametrize(
    ("flag", "amount", "expense"),
    [("false", "12.5", "12.50"), ("", "12.50", "12.50"), (None, "12.50", "12.50"), ("TRUE", None, None),
     ("Yes", "$1,200", "1200"), ("0", "", None)],
)  # fmt: skip
def test_an_expense_is_what_has_an_amount(flag: str | None, amount: str | None, expense: str | None) -> None:
    row = logs(log("1", expense=flag, expense_amount=amount)).row(0, named=True)
    assert (row["expense_amount"], row["problem"]) == (expense and Decimal(expense), "")


def test_hours_keep_eight_decimals_and_dates_are_optional() -> None:
    given = logs(log(" 1 ", " P1 ", "0.33333333", employee_id=None), log("2", work_date="1/5/26"))
    assert given.select("log_id", "project_id", "employee_id", "hours", "work_date", "covered").rows() == [
        ("1", "P1", "", Decimal("0.33333333"), None, ""),
        ("2", "P1", "E1", Decimal(1), date(2026, 1, 5), ""),
    ]


def test_without_a_row_there_are_none() -> None:
    assert logs().schema == LOGS
    assert logs().is_empty()
    assert contracts().is_empty()


@pytest.mark.parametrize(
    ("text", "model"),
    [("T&M", "T&M"), ("t & m", "T&M"), ("Time and Materials", "T&M"), ("TM", "T&M"), ("fixed price", "Fixed-Price"),
     ("FIXED-PRICE", "Fixed-Price"), ("", None), (None, None), ("Retainer", None)],
)  # fmt: skip
def test_a_model_that_is_none_refuses_nothing(text: str | None, model: str | None) -> None:
    assert contracts(contract("P1", model=text))["model"].to_list() == [model]


def test_contracts_are_typed_in_their_order() -> None:
    given = contracts(
        contract("P2", " ", reimbursable_limit="1,000", max_hours="10.5", starts="2026-01-01", ends="2026-01-01"),
        contract(" P1 ", "99.1234", client=None),
    )
    assert given.rows() == [
        ("P2", "Acme", None, "T&M", Decimal(1000), Decimal("10.5"), date(2026, 1, 1), date(2026, 1, 1)),
        ("P1", "", Decimal("99.1234"), "T&M", None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("more", "cell", "message"),
    [
        ({"project_id": " "}, "Project_ID", "the contract has no project"),
        ({"rate": "abc"}, "Client_Rate_per_Hour", "is not a plain number"),
        ({"rate": "-1"}, "Client_Rate_per_Hour", "is below zero"),
        ({"rate": "1.23456"}, "Client_Rate_per_Hour", "has more than 4 decimals"),
        ({"reimbursable_limit": "-1"}, "Reimbursable_Limit", "is below zero"),
        ({"max_hours": "many"}, "Max_FP_Hours", "is not a plain number"),
        ({"max_hours": "-2"}, "Max_FP_Hours", "is below zero"),
        ({"starts": "soon"}, "Contract_Start_Date", "is not a date"),
        ({"ends": "2026-02-30"}, "Contract_End_Date", "is not a date"),
        ({"starts": "2026-01-02", "ends": "2026-01-01"}, "Contract_End_Date", "ends before its start on 2026-01-02"),
    ],
)
def test_a_bad_contract_is_refused_with_its_place(more: dict[str, str], cell: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        contracts(contract("P0"), contract("P1") | more)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line, problem.cell) == ("contracts.csv", 3, cell)
    assert message in problem.message
    assert problem.value in list(more.values()) or cell == "Project_ID"


def test_a_second_contract_of_a_project_names_the_project_and_both_lines() -> None:
    rows = [contract("P1"), contract("P2"), contract(" P1"), contract("P2", file="more.csv", line=9)]
    with pytest.raises(InputError) as refused:
        contracts(*rows)
    assert [str(problem) for problem in refused.value.problems] == [
        "contracts.csv, line 4, Project_ID: project P1 has a second contract in line 4; the first is in line 2"
        " (found 'P1')",
        "more.csv, line 9, Project_ID: project P2 has a second contract in line 9; the first is in contracts.csv,"
        " line 3 (found 'P2')",
    ]


def test_every_problem_of_the_contracts_is_told_by_line() -> None:
    with pytest.raises(InputError) as refused:
        contracts(contract("P1", "x", ends="y"), contract(None), contract("P1"))
    assert [problem.line for problem in refused.value.problems] == [2, 2, 3, 4]
