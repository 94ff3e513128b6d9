"""`accrue`, `variance`, `backtest` on folders and files: what they write, say and refuse."""

import csv
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from tests.engine.rules.books import book, customer, tier
from tests.literals import Row, company, usage_csv
from tests.months import Said, command_line

TOTALS = "Customer,Usage,Next_Day,Minimums,Total\n"
FEES = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")


class Folder:
    """Usage files and rules in a folder, and a folder for what comes out."""

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        self.inputs, self.outputs, self.run = folder / "in", folder / "out", run
        self.inputs.mkdir()
        (self.inputs / "gep_billing_rules.xlsx").write_bytes(book([tier()], (), (), [customer()]))

    def usage(self, month: str, *rows: Row) -> Path:
        path = self.inputs / f"{month.replace('-', '.')}_usage.csv"
        path.write_bytes(usage_csv(*({**row, "FOR_MONTH": f"{month}-01"} for row in rows)))
        return path

    def accrue(self, month: str, *more: object) -> Said:
        return self.run("accrue", "--month", month, "--usage-dir", self.inputs, "--outputs-dir", self.outputs, *more)

    def variance(self, totals: Path, report: Path, *more: object) -> Said:
        output = self.outputs / "gep_accrual" / "variance_202602.csv"
        return self.run("variance", "--accrual-totals", totals, "--actual-report", report, "--output", output, *more)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, command_line(monkeypatch, capsys))


@pytest.mark.parametrize("command", ["accrue", "variance", "backtest"])
def test_every_command_explains_itself_with_an_example(folder: Folder, command: str) -> None:
    said = folder.run(command, "--help")
    assert (said.code, f"billing-pipeline {command} " in said.out) == (0, True)


def test_a_month_is_accrued_into_a_folder_again_and_again_and_the_last_one_stands(folder: Folder) -> None:
    folder.usage("2026-01", company(1))
    said = folder.accrue("2026-02", "--save-billing-detail")
    assert said.code == 0
    assert "2026-02 is accrued: 20.00 of 1 customers, from 2026.01_usage.csv" in said.err
    folder.usage("2026-01", company(1), company(2))
    assert folder.accrue("2026-02", "--json").document["total"] == "40.00"
    names = sorted(path.name for path in (folder.outputs / "gep_accrual").iterdir() if "manifest" not in path.name)
    assert names == [
        "gep_accrual_JE_202602.csv", "gep_accrual_JE_reversal_202602.csv", "gep_accrual_JE_support_202602.xlsx",
        "gep_accrual_totals_202602.csv",
    ]  # fmt: skip
    assert len(list((folder.outputs / "runs" / "accruals" / "2026-02").iterdir())) == 2


def test_another_month_s_usage_is_taken_when_it_is_asked_for_and_said_in_every_output(folder: Folder) -> None:
    path = folder.usage("2025-11", company(1))
    assert folder.accrue("2026-02").code == 2, "only the very month before is taken by itself"
    said = folder.run(
        "accrue", "--month", "2026-02", "--usage-file", path, "--rules-file", folder.inputs / "gep_billing_rules.xlsx",
        "--outputs-dir", folder.outputs,
    )  # fmt: skip
    assert said.code == 0
    assert "Note: usage of 2025-11, which is not the month before, as asked for" in said.err
    root = folder.outputs / "gep_accrual"
    with (root / "gep_accrual_JE_202602.csv").open(newline="") as file:
        assert {row["Journal Entry : Memo"] for row in csv.DictReader(file)} == {
            "February 2026 Embedded Payroll Estimate (from usage of 2025-11)"
        }
    with (root / "gep_accrual_totals_202602.csv").open(newline="") as file:
        assert {row["Usage_Month"] for row in csv.DictReader(file)} == {"2025-11"}
    sheet = openpyxl.load_workbook(root / "gep_accrual_JE_support_202602.xlsx")["Summary"]
    assert sheet["B6"].value == "2025.11_usage.csv (2025-11, not the month before)"


def test_a_month_that_is_none_and_folders_that_are_not_named_are_refused(folder: Folder) -> None:
    assert folder.accrue("2026-13").code == 2
    assert "with --outputs-dir" in folder.run("accrue", "--month", "2026-02", "--usage-dir", folder.inputs).err
    assert "give --usage-dir" in folder.run("accrue", "--month", "2026-02", "--outputs-dir", folder.outputs).err


def test_two_files_of_the_month_before_are_both_named(folder: Folder) -> None:
    folder.usage("2026-01", company(1))
    (folder.inputs / "2026.1_b.csv").write_bytes(usage_csv(company(1)))
    said = folder.accrue("2026-02")
    assert (said.code, "2026.01_usage.csv and 2026.1_b.csv" in said.err) == (2, True)


@pytest.fixture
def totals(tmp_path: Path) -> Path:
    path = tmp_path / "totals.csv"
    path.write_text(f"{TOTALS}Acme,10,0,0,10\n")
    return path


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Path]:
    """report(("Acme", "usage", 1.5), ...) is a master report with these rows and company fees."""

    def written(*rows: tuple[str, str, object], sheet: str = "Source Data", without: str = "") -> Path:
        columns = [name for name in ("netsuite_customer_name", "row_type", *FEES) if name != without]
        workbook = openpyxl.Workbook()
        active = workbook.active
        assert active
        active.title = sheet
        active.append(columns)
        for customer_name, kind, fee in rows:
            values = {"netsuite_customer_name": customer_name, "row_type": kind, **dict.fromkeys(FEES, 0)}
            values |= {"er_fee": fee, "total_fee": fee}
            active.append([values[name] for name in columns])
        path = tmp_path / "2026.02_Master_Billing_Report.xlsx"
        workbook.save(path)
        return path

    return written


def test_a_report_is_compared_by_usage_and_true_up_and_written_twice(
    folder: Folder, totals: Path, report: Callable[..., Path]
) -> None:
    said = folder.variance(
        totals, report(("Acme", "usage", 9.1), ("Acme", "min_trueup", 2), ("", "usage", 5)), "--json"
    )
    assert said.code == 0
    assert [(row["customer"], row["variance"], row["percent"], row["flag"]) for row in said.document["customers"]] == [
        ("Acme", "1.10", "11.00", "⚠"), ("TOTAL", "1.10", "11.00", "⚠"),
    ]  # fmt: skip
    assert [Path(path).name for path in said.document["files"]] == ["variance_202602.csv", "variance_202602.xlsx"]
    text = (folder.outputs / "gep_accrual" / "variance_202602.csv").read_text("utf-8")
    assert text.splitlines()[1] == "Acme,10.00,11.10,1.10,11.00,⚠"


def test_materiality_is_a_percentage_an_amount_or_both(
    folder: Folder, totals: Path, report: Callable[..., Path]
) -> None:
    path = report(("Acme", "usage", 11.1))
    flags = [
        folder.variance(totals, path, *more, "--json").document["customers"][0]["flag"]
        for more in (
            (),
            ("--materiality-pct", 11),
            ("--materiality-amount", "1.10"),
            ("--materiality-pct", 0, "--materiality-amount", 1),
        )
    ]
    assert flags == ["⚠", "", "", "⚠"]
    for option in ("--materiality-pct", "--materiality-amount"):
        said = folder.variance(totals, path, option, "much")
        assert (said.code, said.err) == (2, f"error {option} 'much' is not a number of zero or more\n")


@pytest.mark.parametrize(
    ("sheet", "without", "fee", "message"),
    [
        ("Data", "", 1, "2026.02_Master_Billing_Report.xlsx, Source Data: the sheet is missing"),
        ("Source Data", "er_fee", 1, "er_fee"),
        ("Source Data", "", "ten", "Source Data!er_fee, row 2: is not a number (found 'ten')"),
    ],
)
def test_a_report_that_is_none_is_refused(
    folder: Folder, totals: Path, report: Callable[..., Path], sheet: str, without: str, fee: object, message: str
) -> None:
    said = folder.variance(totals, report(("Acme", "usage", fee), sheet=sheet, without=without))
    assert (said.code, message in said.err) == (2, True), said.err
    assert not (folder.outputs / "gep_accrual").exists()


def test_totals_that_are_no_numbers_and_files_that_are_not_there_are_refused(
    folder: Folder, totals: Path, report: Callable[..., Path]
) -> None:
    path = report(("Acme", "usage", 1))
    assert "no such totals file" in folder.variance(totals.with_name("x.csv"), path).err
    assert "no such master report" in folder.variance(totals, path.with_name("x.xlsx")).err
    totals.write_text(f"{TOTALS}Acme,ten,0,0,10\n")
    assert "totals.csv, line 2, Usage: is not a number (found 'ten')" in folder.variance(totals, path).err


def test_estimators_are_scored_over_the_months_on_hand(folder: Folder) -> None:
    for month, users in (("2025-11", "5"), ("2025-12", "6"), ("2026-01", "7"), ("2026-02", "6")):
        folder.usage(month, company(1, TOTAL_INDIVIDUAL_USERS=users))
    said = folder.run("backtest", "--usage-dir", folder.inputs, "--json")
    assert said.code == 0
    found = {(row["customer"], row["estimator"]): row for row in said.document["scores"]}
    assert found["TOTAL", "prior-month"] | {} == {
        "customer": "TOTAL", "estimator": "prior-month", "months": 3, "estimated": "66.00", "actual": "68.00",
        "bias": "-2.94", "wape": "8.82", "within": "0.00",
    }  # fmt: skip
    assert found["Acme, Inc.", "run-rate"]["estimated"] == "22.00"
    assert said.document["missing"] == ["seasonal could not be scored: it needs usage of 13 months before"]
    assert "prior-month" in folder.run("backtest", "--usage-dir", folder.inputs, "--from", "2026-01").err


def test_a_single_month_cannot_be_scored(folder: Folder) -> None:
    folder.usage("2026-01", company(1))
    said = folder.run("backtest", "--usage-dir", folder.inputs)
    assert (said.code, said.err) == (2, "error at least two months in a row are needed to score an estimate\n")
