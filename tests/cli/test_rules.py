"""`rules check` and `rules diff`: what a biller and a script are told about a workbook."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Billing
from tests.engine.rules.books import book, tier


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return tmp_path / "rules.xlsx"


def test_a_workbook_in_order_is_said_to_be(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book())
    outcome = billing("rules", "check", workbook)
    assert (outcome.code, outcome.out, outcome.err) == (0, "0 errors, 0 warnings\n", "")


def test_errors_come_first_with_their_cells_and_exit_code_2(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book(pricing=[tier(er_fee="5%"), tier(tier_start=5, er_fee=1.005)]))
    outcome = billing("rules", "check", workbook)
    assert outcome.code == 2
    assert "Pricing!F2  5%     company fee is not a plain number" in outcome.out
    assert outcome.out.index("Errors") < outcome.out.index("Warnings") < outcome.out.index("Pricing!F3")
    assert "1 error, " in outcome.out


def test_warnings_alone_are_no_error(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book(pricing=[tier(er_fee=1.005)]))
    outcome = billing("rules", "check", workbook)
    assert outcome.code == 0
    assert "0 errors, 1 warning\n" in outcome.out


def test_the_document_of_a_check_stands_alone_on_standard_output(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book(pricing=[tier(er_fee="5%", iu_fee=1.005)]))
    outcome = billing("rules", "check", workbook, "--json")
    assert (outcome.code, outcome.err) == (2, "")
    told = json.loads(outcome.out)
    assert [(error["sheet"], error["cell"], error["value"]) for error in told["errors"]] == [("Pricing", "F2", "5%")]
    assert [(warning["cell"], warning["value"]) for warning in told["warnings"]] == [("G2", "1.005")]


def test_a_file_that_is_no_workbook_is_an_error_of_the_check(billing: Billing, workbook: Path) -> None:
    workbook.write_text("partner_id,er_fee\n")
    outcome = billing("rules", "check", workbook, "--json")
    assert outcome.code == 2
    assert "is not an Excel workbook" in json.loads(outcome.out)["errors"][0]["message"]


@pytest.mark.parametrize("arguments", [("check", "none.xlsx"), ("diff", "none.xlsx", "none.xlsx")])
def test_a_missing_file_is_said_without_a_traceback(billing: Billing, arguments: tuple[str, ...]) -> None:
    outcome = billing("rules", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert "none.xlsx: cannot be read: No such file or directory" in outcome.err
    assert "Traceback" not in outcome.err


def test_text_of_the_workbook_cannot_style_or_steer_the_terminal(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book(pricing=[tier(er_fee="[bold]9[/bold]\u202e")]))
    outcome = billing("rules", "check", workbook)
    assert "[bold]9[/bold]\N{REPLACEMENT CHARACTER}" in outcome.out


def test_changes_between_two_workbooks_are_listed_and_counted(billing: Billing, workbook: Path, tmp_path: Path) -> None:
    (old := tmp_path / "old.xlsx").write_bytes(book())
    workbook.write_bytes(book(pricing=[tier(er_fee=11)]))
    outcome = billing("rules", "diff", old, workbook)
    assert outcome.code == 0
    assert "changed  Pricing  F2    101      er_fee  10   11" in outcome.out
    assert outcome.out.endswith("1 changed cells of 1 partner\n")
    told = json.loads(billing("rules", "diff", old, workbook, "--json").out)
    change = {"kind": "changed", "sheet": "Pricing", "cell": "F2", "partner": "101", "field": "er_fee"}
    assert told == {"old": str(old), "new": str(workbook), "changes": [change | {"old": "10", "new": "11"}]}


def test_equal_workbooks_are_said_to_be(billing: Billing, workbook: Path) -> None:
    workbook.write_bytes(book())
    outcome = billing("rules", "diff", workbook, workbook)
    assert (outcome.code, outcome.out) == (0, "No rule differs.\n")
