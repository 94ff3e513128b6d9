"""Two of everything at once: whoever comes first bills the month, and nobody can tell that there was another one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation

BILLED, REFUSED = 0, 4  # exit codes of a command that another one may have been ahead of
MONTHS = ("2026-01", "2026-02", "2026-03")


def commands_at_once(there: Installation, *commands: tuple[str, ...]) -> list[int]:
    """The exit codes of commands started at the same moment; what they say is a message, whatever it is."""
    with ThreadPoolExecutor(len(commands)) as pool:
        done = list(pool.map(lambda command: there.command(*command), commands))
    assert not [one.stderr for one in done if "Traceback" in one.stderr]
    return [one.returncode for one in done]


@pytest.mark.timeout(120)
def test_two_commands_bill_a_month_once(tmp_path: Path) -> None:
    there = Installation(tmp_path)
    assert there.command("prepare").returncode == 0
    there.drop("2026-01")
    codes = commands_at_once(
        there, ("publish", "--month", "2026-01", "--by", "Ada"), ("publish", "--month", "2026-01", "--by", "Bea")
    )
    assert BILLED in codes
    assert {*codes} <= {BILLED, REFUSED}
    assert [release.number for release in there.releases("2026-01")] == [1]
    assert len(list((there.outputs / "runs/2026-01").iterdir())) == 1
    assert there.bytes_of("2026-01") == there.undisturbed("2026-01")
    assert there.undelivered() == 1
    assert there.leftovers() == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_daemons_and_two_commands_bill_each_month_once(installation: Installation) -> None:
    """Both daemons see every file; the commands come while the daemons' runs of the same months are going on."""
    there = installation
    with there.daemon(), there.daemon():
        for month in MONTHS:
            there.drop(month)
        there.until(lambda: there.runs(**{"dagster/partition": "2026-01"}))
        commands_at_once(
            there,
            ("publish", "--month", "2026-01", "--by", "Ada"),
            ("backfill", "--from", MONTHS[0], "--to", MONTHS[-1]),
        )
        there.until(lambda: {"published"} == {there.state(month) for month in MONTHS}, 180)
        there.until(lambda: all(run.is_finished for run in there.runs()), 180)
        there.until(lambda: not there.undelivered())
    assert [what for month in MONTHS for what in there.amiss(month)] == []
    assert there.leftovers() == []
