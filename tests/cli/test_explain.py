"""`explain`: an amount of a published month, taken apart on a terminal and as JSON."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.cli import explanation
from tests.cli.conftest import Billing

MARCH = ("--month", "2026-03")


def document(billing: Billing, outputs: Path, *arguments: str) -> dict[str, Any]:
    outcome = billing("explain", "--outputs-dir", outputs, *MARCH, *arguments, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    told: dict[str, Any] = json.loads(outcome.out)
    return told


def the_run(outputs: Path) -> Path:
    (folder,) = (outputs / "runs" / "2026-03").iterdir()
    return folder


def test_a_partner_is_explained_from_summary_to_workings(billing: Billing, published_once: Path) -> None:
    outcome = billing("explain", "--outputs-dir", published_once, *MARCH, "--partner", "101")
    assert (outcome.code, outcome.err) == (0, "")
    told = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert told[0] == "Gap Partner (101) · March 2026 · 1200.55"
    assert "priced by IU, ALL_IN: every row at one tier, which the partner's volume of the month selects" in told
    assert "51 and up 4 3 15 15 30.00 15.00 18.75 63.75" in told
    assert "Monthly minimum 3 1 0 0 0.00 0.00 0.00 1136.80" in told
    expected = [
        "line 2 Co 901 (901) 18.75",
        "volume 15: users of all 3 priced rows of the partner",
        "tier 15 lies in no tier; the one that starts highest applies: 51 and up [Pricing!D4, Pricing!E4]",
        "company fee 10.00 [Pricing!F4] 10.00",
        "users charged 3 [Pricing!H4]",
        "user fee 3 x 1.00 = 3.00 [Pricing!G4] 3.00",
        "next-day ACH speed 'Same Day' is next-day",
        "company 5.00 [Pricing!J4] 5.00",
        "users 3 x 0.25 = 0.75 [Pricing!K4] 0.75",
        "total 10.00 + 3.00 + 5.00 + 0.75 = 18.75 18.75",
    ]
    start = told.index(expected[0])
    assert told[start : start + len(expected)] == expected
    assert "shortfall 1200.55 - 63.75 = 1136.80 (minimum - fees so far) 1136.80" in told


@pytest.mark.parametrize("typed", ["104", " 104 ", "Mixed Type", "mixed type"])
def test_a_partner_is_found_by_id_or_name_in_any_case(billing: Billing, published_once: Path, typed: str) -> None:
    assert document(billing, published_once, "--partner", typed)["partner"] == {
        "key": "104",
        "id": "104",
        "name": "Mixed Type",
        "customer": "Mixed Type NS",
        "rows": 6,
        "total": "70.00",
    }


def test_a_partner_without_an_id_is_found_by_its_name(billing: Billing, published_once: Path) -> None:
    assert document(billing, published_once, "--partner", "Name Only Inc")["partner"]["key"] == "name only inc"


@pytest.mark.parametrize("typed", ["911", "co 911"])
def test_one_company_is_shown_alone(billing: Billing, published_once: Path, typed: str) -> None:
    told = document(billing, published_once, "--partner", "104", "--company", typed)
    assert [row["company"] for row in told["rows"]] == ["Co 911"]
    assert (
        told["rows"][0]["metric_source"]
        == "companies so far, at row 2 of 6 in pricing order: 1 before + 1 new with this row"
    )
    assert told["partner"]["rows"] == 6  # the whole partner is still told
    outcome = billing("explain", "--outputs-dir", published_once, *MARCH, "--partner", "104", "--company", typed)
    assert "Co 911" in outcome.out
    assert "Co 912" not in outcome.out
    assert "Fees by tier" not in outcome.out


def test_the_document_of_every_partner_adds_up(billing: Billing, published_once: Path) -> None:
    fact = pl.read_parquet(the_run(published_once) / "priced_rows.parquet")
    for (key,), rows in fact.group_by("partner_key"):
        told = document(billing, published_once, "--partner", str(key))
        total = rows["total_fee"].sum()
        assert Decimal(told["partner"]["total"]) == total
        assert sum(Decimal(part["total"]) for part in told["summary"]) == total
        assert sum(Decimal(row["total"]) for row in told["rows"]) == total
        for row in told["rows"]:
            if row["status"] == "ok":
                assert sum(Decimal(fee["amount"]) for fee in row["fees"].values()) == Decimal(row["total"])
                assert row["total_working"].endswith(f"= {row['total']}")


def test_rows_that_are_not_billed_are_told_with_their_reason(billing: Billing, published_once: Path) -> None:
    told = document(billing, published_once, "--partner", "102")
    outcomes = {row["company"]: (row["outcome"], row["decision"]) for row in told["rows"]}
    assert outcomes["Co 933"] == ("removed by a decision: not billed", "remove")
    assert outcomes["Co 932"] == ("billed", "keep")
    (row,) = document(billing, published_once, "--partner", "200")["rows"]
    assert row["outcome"] == "not priced: sheet Pricing has no tier for partner key '200'"


def test_a_large_partner_is_cut_with_a_word_how_to_go_on(
    billing: Billing, published_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanation, "MOST_ROWS", 2)
    outcome = billing("explain", "--outputs-dir", published_once, *MARCH, "--partner", "104")
    assert "4 more rows; see one with --company ID or NAME, all with --json" in outcome.out
    assert "Co 911" in outcome.out
    assert "Co 912" not in outcome.out
    assert len(document(billing, published_once, "--partner", "104")["rows"]) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--month", "2026-05", "--partner", "101"), "2026-05 has not been published in"),
        (("--month", "March", "--partner", "101"), "'March' is not a month; write it as YYYY-MM"),
        ((*MARCH, "--partner", "Gap Partnr"), "no partner 'Gap Partnr' in 2026-03; did you mean 'Gap Partner' (101)"),
        ((*MARCH, "--partner", "split"), "did you mean 'Split Users' (107)?"),
        ((*MARCH, "--partner", "zzz"), "no partner 'zzz' in 2026-03; known are "),
        ((*MARCH, "--partner", "101", "--company", "Co 9001"), "did you mean 'Co 901' (901)"),
    ],
)
def test_what_is_unknown_is_said_with_what_is_near(
    billing: Billing, published_once: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = billing("explain", "--outputs-dir", published_once, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_folder_without_a_published_month_is_said(billing: Billing, tmp_path: Path) -> None:
    outcome = billing("explain", "--outputs-dir", tmp_path / "none", *MARCH, "--partner", "101")
    assert outcome.code == 2
    assert "nothing has been published in" in outcome.err


def test_the_outputs_folder_of_the_settings_is_the_default(
    billing: Billing, published_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_OUTPUTS_DIR", str(published_once))
    assert billing("explain", *MARCH, "--partner", "101").code == 0


def test_partners_of_one_name_are_told_apart_by_id(billing: Billing, published: Path) -> None:
    rewrite(published, pl.when(pl.col("partner_key") == "104").then(pl.lit("Gap Partner")).otherwise("PARTNER_NAME"))
    outcome = billing("explain", "--outputs-dir", published, *MARCH, "--partner", "gap partner")
    assert outcome.code == 2
    assert "several partners of 2026-03 are called 'gap partner'; name one by its id: '101', '104'" in outcome.err


def test_names_from_outside_cannot_style_or_steer_the_terminal(billing: Billing, published: Path) -> None:
    rewrite(published, pl.lit("[red]Evil[/red]\x1b[2J\u202e"))
    outcome = billing("explain", "--outputs-dir", published, *MARCH, "--partner", "101")
    assert outcome.code == 0
    assert "[red]Evil[/red]\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER} (101)" in outcome.out
    assert "\x1b" not in outcome.out


def test_rules_that_are_not_those_of_the_run_are_refused(billing: Billing, published: Path) -> None:
    (snapshot,) = the_run(published).glob("*/rules_snapshots/*.xlsx")
    snapshot.unlink()
    snapshot.write_bytes(
        (Path(__file__).parents[1] / "golden/usage-billing/clean/inputs/gep_billing_rules.xlsx").read_bytes()
    )
    outcome = billing("explain", "--outputs-dir", published, *MARCH, "--partner", "101")
    assert outcome.code == 2
    assert "is no longer the workbook that the run priced with" in outcome.err


def test_a_run_that_is_still_being_built_is_not_read(billing: Billing, published: Path) -> None:
    the_run(published).rename(published / "runs" / "2026-03" / ".20990101T000000Z-00000000.part")
    outcome = billing("explain", "--outputs-dir", published, *MARCH, "--partner", "101")
    assert outcome.code == 2
    assert "nothing has been published" in outcome.err


def test_dagster_is_not_loaded_to_explain_an_amount(published_once: Path) -> None:
    script = (
        "import sys; from billing_pipeline.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code and 'dagster' not in sys.modules"
    )
    arguments = ["explain", "--outputs-dir", str(published_once), *MARCH, "--partner", "101"]
    ran = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def rewrite(outputs: Path, partner_name: pl.Expr) -> None:
    """Change the partner names of the committed run behind its back."""
    path = the_run(outputs) / "priced_rows.parquet"
    changed = pl.read_parquet(path).with_columns(partner_name.alias("PARTNER_NAME"))
    path.unlink()
    changed.write_parquet(path)
