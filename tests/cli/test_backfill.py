"""`backfill`: past months again, side by side; with the rules of their time or of today."""

from pathlib import Path

import pytest

from tests.installed import Installed
from tests.months import Said


@pytest.fixture
def months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installed:
    """An installation with usage of January to March 2026, but for February."""
    installed = Installed(tmp_path, monkeypatch, capsys)
    installed.users(month="2026-03")
    return installed


def backfill(months: Installed, start: str, end: str, *more: object) -> Said:
    return months.run("backfill", "--from", start, "--to", end, *more)


def states(said: Said) -> list[tuple[str, str, str]]:
    """Month, state, difference of each month."""
    return [(found["period"], found["state"], found["difference"]) for found in said.document["months"]]


def test_a_month_without_usage_is_told_and_the_others_go_on(months: Installed) -> None:
    said = backfill(months, "2026-01", "2026-03", "--json", "--jobs", 2)
    assert said.code == 2
    assert states(said) == [("2026-01", "published", "30.00"), ("2026-02", "bad_input", ""),
                            ("2026-03", "published", "30.00")]  # fmt: skip
    assert "no usage file 2026.02_*.csv for 2026-02" in said.document["months"][1]["why"]
    assert (months.state("2026-01"), months.state("2026-03")) == ("published", "published")


def test_a_released_month_is_unchanged_under_its_own_rules_and_waits_under_new_ones(months: Installed) -> None:
    months.released()
    months.rules(101, 102, er_fee=20)
    own = backfill(months, "2026-01", "2026-01", "--json")
    assert (own.code, states(own)) == (0, [("2026-01", "unchanged", "0.00")])
    now = backfill(months, "2026-01", "2026-01", "--rules", "current", "--json")
    assert (now.code, states(now)) == (3, [("2026-01", "rebill_waiting", "20.00")])


def test_what_waits_is_told_with_the_command_that_goes_on(months: Installed) -> None:
    months.released()
    months.users(9)
    said = backfill(months, "2026-01", "2026-01")
    assert (said.code, said.out) == (3, "")
    assert (
        "1 month waits (rebill waiting): look at the difference; billing-pipeline publish --month 2026-01" in said.err
    )
    assert "━" not in said.err


def test_of_several_files_of_a_month_the_one_that_was_billed_is_taken(months: Installed) -> None:
    months.released()
    (months.usage_dir / "2026.01_copy.csv").write_bytes((months.usage_dir / "2026.01_usage.csv").read_bytes())
    assert states(backfill(months, "2026-01", "2026-01", "--json")) == [("2026-01", "unchanged", "0.00")]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2026-03", "2026-01", "--from 2026-03 lies after --to 2026-01"),
        ("2024-12", "2026-01", "2024-12 is not a month that can be billed"),
        ("2026-01", "2027-06", "2027-06 is not a month that can be billed"),
        ("1950-01", "2026-01", "at most 600 at a time"),
        ("2026-1x", "2026-01", "2026-1x"),
    ],
)
def test_a_range_that_cannot_be_meant_is_bad_input(months: Installed, start: str, end: str, message: str) -> None:
    said = backfill(months, start, end)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_difference_drafted_with_the_rules_of_the_release_is_published_with_them(months: Installed) -> None:
    months.released()
    months.rules(101, 102, er_fee=20)
    months.users(9)
    assert states(backfill(months, "2026-01", "2026-01", "--json")) == [("2026-01", "rebill_waiting", "4.00")]
    assert months.publish().code == 0
    first, second = months.releases("2026-01")
    assert (str(second.difference), second.rules_sha256) == ("4.00", first.rules_sha256)
