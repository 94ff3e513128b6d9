"""A month's accrual in an installation: booked once, explained against the bill, taken back, made as of its time."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from rich.progress import Progress

from billing_pipeline.assets import accruals as accrual_assets
from billing_pipeline.assets import releasing
from billing_pipeline.cli.closing import installed_month, run_month
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import releases
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.releases import Release
from tests.installed import Installed
from tests.literals import company

FEBRUARY = Period(2026, 2)
ENTRY, REVERSAL = "gep_accrual/gep_accrual_JE_202602.csv", "gep_accrual/gep_accrual_JE_reversal_202602.csv"
VARIANCE = "gep_accrual/variance_202602.csv"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installed:
    """Usage of January 2026: 15.00 for each of two partners. February is to be accrued."""
    return Installed(tmp_path, monkeypatch, capsys)


def accruals(book: Installed) -> list[Release]:
    return book.database.run(partial(releases.releases_of, period=FEBRUARY, capability="accruals"))


def table(book: Installed, name: str) -> list[dict[str, str]]:
    with (book.outputs / name).open(newline="") as file:
        return list(csv.DictReader(file))


def explain(book: Installed) -> None:
    """Run the job that the sensor asks for."""
    run_month(installed_month(FEBRUARY), "explain_variance", Progress(disable=True), capability="variances")


def named(book: Installed) -> list[str]:
    return sorted(path.name for path in (book.outputs / "gep_accrual").glob("*202602*") if "manifest" not in path.name)


def test_a_month_is_accrued_from_the_month_before_and_told(book: Installed) -> None:
    said = book.run("accrue", "--month", "2026-02", "--json")
    assert said.code == 0, said.err
    assert {key: said.document[key] for key in ("state", "total", "held", "usage_file", "usage_month")} == {
        "state": "accrued", "total": "30.00", "held": "0.00", "usage_file": "2026.01_usage.csv",
        "usage_month": "2026-01",
    }  # fmt: skip
    assert named(book) == [
        "gep_accrual_JE_202602.csv", "gep_accrual_JE_reversal_202602.csv", "gep_accrual_JE_support_202602.xlsx",
        "gep_accrual_totals_202602.csv",
    ]  # fmt: skip
    (release,) = accruals(book)
    assert (release.number, release.state, str(release.billed), release.placed_at is not None) == (
        1,
        "published",
        "30.00",
        True,
    )
    folder = book.outputs / "runs" / "accruals" / "2026-02" / release.run_id
    assert (folder / "inputs" / "2026.01_usage.csv").read_bytes() == (book.usage_dir / "2026.01_usage.csv").read_bytes()
    assert (folder / ENTRY).read_bytes() == (book.outputs / ENTRY).read_bytes()
    assert book.kinds() == ["accrued"]
    told = book.last_notice()
    for text in (
        "February 2026 is accrued",
        "Total: 30.00",
        "Customers: 2",
        "March 2026 has to be open",
        str(book.outputs / ENTRY),
    ):
        assert text in told
    assert book.state("2026-02") == "", "an accrual is no state of the bill"


def test_the_same_again_books_and_tells_nothing(book: Installed) -> None:
    book.run("accrue", "--month", "2026-02")
    before = {path.name: path.read_bytes() for path in (book.outputs / "gep_accrual").glob("*202602*")}
    said = book.run("accrue", "--month", "2026-02")
    assert (said.code, said.err) == (0, "2026-02 is accrued already, with these very amounts: 30.00\n")
    assert {path.name: path.read_bytes() for path in (book.outputs / "gep_accrual").glob("*202602*")} == before
    assert (len(accruals(book)), book.kinds()) == (1, ["accrued"])


def test_another_amount_is_refused_until_the_first_accrual_is_taken_back(book: Installed) -> None:
    book.run("accrue", "--month", "2026-02")
    before = (book.outputs / ENTRY).read_bytes()
    book.rules(101, 102, er_fee=20)
    said = book.run("accrue", "--month", "2026-02")
    assert (said.code, "with 30.00; this run comes to 50.00" in said.err) == (4, True)
    assert (book.outputs / ENTRY).read_bytes() == before
    taken = book.run("void", "--month", "2026-02", "--what", "accruals", "--by", "Ana", "--reason", "new prices")
    assert (taken.code, taken.err) == (0, "accrual 1 of 2026-02 is void: its files are gone\n")
    assert named(book) == []
    assert "the accrual was taken back" in book.last_notice()
    assert book.run("accrue", "--month", "2026-02", "--json").document["total"] == "50.00"
    assert [(one.number, one.state) for one in accruals(book)] == [(1, "void"), (2, "published")]


def test_an_imported_accrual_stays(book: Installed) -> None:
    book.run("accrue", "--month", "2026-02")
    assert book.run("imported", "--month", "2026-02", "--what", "accruals", "--by", "Ana").code == 0
    said = book.run("void", "--month", "2026-02", "--what", "accruals")
    assert (said.code, "accrual 1 of 2026-02 was imported" in said.err) == (4, True)


def test_nothing_is_accrued_in_a_closed_ledger_period(book: Installed) -> None:
    book.run("close", "--month", "2026-02")
    said = book.run("accrue", "--month", "2026-02")
    assert (said.code, "the ledger period 2026-02 is closed" in said.err, accruals(book)) == (4, True, [])


def test_revenue_without_a_customer_is_held_with_its_amount(book: Installed) -> None:
    book.rules(101, 102, mapped=[101])
    said = book.run("accrue", "--month", "2026-02", "--json")
    assert (said.code, said.document["total"], said.document["held"]) == (3, "15.00", "15.00")
    (row,) = table(book, "gep_accrual/gep_accrual_held_202602.csv")
    assert (row["Partner"], row["Total"], row["Reason"]) == ("Birch", "15.00", "no customer is mapped")
    book.rules(101, 102, mapped=[])
    nobody = book.run("accrue", "--month", "2026-02")
    assert nobody.code == 2
    assert "no customer has anything to accrue; 30.00 is held for want of a customer" in nobody.err


@pytest.mark.parametrize("name", ["", "2026.01_other.csv"])
def test_no_file_or_two_files_of_the_month_before_are_refused(book: Installed, name: str) -> None:
    if name:
        book.drop("2026-01", company(3), name="other")
    else:
        (book.usage_dir / "2026.01_usage.csv").rename(book.usage_dir / "2025.12_usage.csv")
    said = book.run("accrue", "--month", "2026-02")
    assert said.code == 2
    assert ("more than one usage file for 2026-01" if name else "no usage file 2026.01_*.csv for 2026-01") in said.err


def test_the_bill_is_explained_against_the_accrual_and_every_later_release_again(book: Installed) -> None:
    book.run("accrue", "--month", "2026-02")
    explain(book)
    assert not (book.outputs / VARIANCE).exists(), "there is no bill yet"
    book.users(9, 5, company(3), month="2026-02")
    book.close("2026-02")
    explain(book)
    rows = table(book, VARIANCE)
    assert [(row["Customer"], row["Variance"], row["Variance_Pct"], row["Flag"]) for row in rows] == [
        ("Customer 101", "19.00", "126.67", "⚠"),
        ("Customer 102", "0.00", "0.00", ""),
        ("TOTAL", "19.00", "63.33", "⚠"),
    ]
    assert (rows[0]["New_companies"], rows[0]["Volume"], rows[2]["New_companies"]) == ("15.00", "4.00", "15.00")
    assert (book.outputs / VARIANCE).with_suffix(".xlsx").is_file()
    told = book.last_notice()
    for text in ("accrual against actual bill", "Estimated: 30.00", "New companies  +15.00", "Volume          +4.00"):
        assert text in told, told
    explain(book)
    assert book.kinds() == ["accrued", "published", "variance"], "the same pair is told once"
    book.users(5, 5, month="2026-02")
    assert book.publish(month="2026-02").code == 0
    explain(book)
    assert table(book, VARIANCE)[-1]["Variance"] == "0.00"
    assert book.kinds().count("variance") == 2


def test_the_next_accrual_rolls_the_balance_forward_and_shows_the_last_variance(book: Installed) -> None:
    book.run("accrue", "--month", "2026-02")
    book.users(9, 5, month="2026-02")
    book.close("2026-02")
    explain(book)
    said = book.run("accrue", "--month", "2026-03", "--json")
    assert said.document["total"] == "34.00"
    support = book.outputs / "gep_accrual" / "gep_accrual_JE_support_202603.xlsx"
    rolled = pl.read_excel(support, sheet_name="Roll-forward", has_header=False)
    total = next(row for row in rolled.rows() if row[0] == "TOTAL")
    assert [float(value) for value in total[1:]] == [30, 34, 30, 34, 34, 4]
    compared = pl.read_excel(support, sheet_name="Variance", has_header=False)
    assert compared.row(0)[0] == "Prior-Period Accrual vs Actual (Estimate Accuracy)"
    assert "Customer 101  +4.00" in book.last_notice()


def test_the_profile_lets_the_ledger_reverse_by_itself(book: Installed, tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('[accrual]\nreversal = "column"\nposting_period = "%b %Y"\nrevenue_account = "40200"\n')
    book.setting("profile", profile)
    assert book.run("accrue", "--month", "2026-02").code == 0
    assert REVERSAL.rpartition("/")[2] not in named(book)
    row = table(book, ENTRY)[1]
    assert (row["Account"], row["Posting Period"], row["Reversal Date"]) == ("40200", "Feb 2026", "03/01/2026")


def test_another_estimator_needs_its_months_and_is_written_into_the_support(book: Installed) -> None:
    book.setting("accrual_estimator", "run-rate")
    missing = book.run("accrue", "--month", "2026-02")
    assert (missing.code, "no usage file 2025.12_*.csv for 2025-12" in missing.err) == (2, True)
    book.users(8, 5, month="2025-12")
    book.users(11, 5, month="2025-11")
    found = book.run("accrue", "--month", "2026-02", "--json").document
    assert (found["estimator"], found["total"]) == ("run-rate", "33.00")
    support = pl.read_excel(
        book.outputs / "gep_accrual/gep_accrual_JE_support_202602.xlsx", sheet_name="Summary", has_header=False
    )
    assert "Mean of the last three months' usage re-priced at current contract rates" in support.to_series(1).to_list()


def test_decisions_on_the_last_bill_come_back_unless_the_billed_rows_are_taken(book: Installed) -> None:
    book.users(5, 5, company(9, FIRST_BILLABLE_ACTIVITY_DATE=""))
    book.close()
    book.run("review", "decide", "--month", "2026-01", "--flag", "missing_fba_0", "--action", "remove", "--by", "Ana")
    book.publish()
    assert book.run("accrue", "--month", "2026-02", "--json").document["total"] == "45.00"
    book.run("void", "--month", "2026-02", "--what", "accruals")
    book.setting("accrual_estimator", "prior-month-billed")
    assert book.run("accrue", "--month", "2026-02", "--json").document["total"] == "30.00"


def before_the_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OutputFiles, "publish", gone)


def at_the_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(releasing, "accrual_notice", gone)


def while_files_are_placed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OutputFiles, "_drop_stale", gone)


def gone(*_: object, **__: object) -> None:
    raise ConnectionError("gone")


@pytest.mark.parametrize("crash", [before_the_commit, at_the_commit, while_files_are_placed])
def test_a_crash_leaves_one_accrual_or_none_and_the_next_run_finishes_it(
    book: Installed, crash: Callable[[pytest.MonkeyPatch], None]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        crash(patched)
        assert book.run("accrue", "--month", "2026-02").code == 1
    assert book.run("accrue", "--month", "2026-02").code == 0
    (release,) = accruals(book)
    assert (release.state, release.placed_at is not None, book.kinds()) == ("published", True, ["accrued"])
    folder = book.outputs / "runs" / "accruals" / "2026-02" / release.run_id
    assert (folder / ENTRY).read_bytes() == (book.outputs / ENTRY).read_bytes()
    assert book.half_written() == []


def test_an_entry_that_does_not_balance_is_not_published(book: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    good = accrual_assets.journal_lines

    def unbalanced(*arguments: object) -> pl.DataFrame:
        lines = good(*arguments)  # type: ignore[arg-type]
        return lines.with_columns(
            pl.when(pl.col("Credit") > 0).then("Credit").otherwise("Credit").alias("Credit")
        ).head(-1)

    monkeypatch.setattr(accrual_assets, "journal_lines", unbalanced)
    said = book.run("accrue", "--month", "2026-02")
    assert said.code == 4
    assert "journal: Customer 102: debit 15.00, credit 0.00" in said.err
    assert (accruals(book), named(book)) == ([], [])


def test_past_months_are_accrued_as_of_their_time_with_their_variance(book: Installed) -> None:
    """February has a bill, so its rules are known; March has none, so the workbook is taken, which is said."""
    book.users(9, 5, month="2026-02")
    book.close("2026-02")
    book.rules(101, 102, er_fee=20)
    said = book.run("backfill", "--from", "2026-02", "--to", "2026-03", "--what", "accruals", "--json")
    assert said.code == 0, said.err
    months = said.document["months"]
    assert [(found["period"], found["state"], found["billed"], found["difference"]) for found in months] == [
        ("2026-02", "accrued", "30.00", "4.00"),
        ("2026-03", "accrued", "54.00", ""),
    ]
    whys = [found["why"] for found in months]
    assert whys == [
        "the rules that the bill of 2026-02 was made with",
        "the rules workbook as it is: no rules were kept of 2026-03",
    ]
    again = book.run("backfill", "--from", "2026-02", "--to", "2026-02", "--what", "accruals", "--json")
    assert again.document["months"][0]["state"] == "unchanged"


def test_a_backfill_from_the_pages_takes_the_rules_of_the_time(book: Installed) -> None:
    book.users(9, 5, month="2026-02")
    book.close("2026-02")
    book.rules(101, 102, er_fee=20)
    tags = {"dagster/backfill": "abcdef"}
    run_month(installed_month(FEBRUARY), "accrue_month", Progress(disable=True), tags, capability="accruals")
    (release,) = accruals(book)
    assert str(release.billed) == "30.00"
    assert table(book, VARIANCE)[-1]["Variance"] == "4.00", "accrual and variance in one run"


def test_the_evidence_of_an_accrual_is_its_whole_set(book: Installed, tmp_path: Path) -> None:
    book.run("accrue", "--month", "2026-02")
    said = book.run("evidence", "--month", "2026-02", "--what", "accruals", "--out", tmp_path / "e.zip", "--json")
    assert (said.code, said.document["release"]) == (0, 1)
    made = json.loads(book.run("history", "--month", "2026-02", "--json").out)["releases"]
    assert [(one["capability"], one["billed"]) for one in made] == [("accruals", "30.00")]
