"""The run of a month is killed, at every kind of point of its work: after its next attempt nothing shows it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation, release_of

HOOK = Path(__file__).with_name("killing")
MONTHS = [f"2025-{month:02d}" for month in range(1, 13)]


def hooked(folder: Path) -> dict[str, str]:
    """The environment in which run processes count their points, and die at the one their ticket names."""
    (folder / "tickets").mkdir(exist_ok=True)
    path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH", "")]))
    return {"KILL_TICKETS": str(folder / "tickets"), "PYTHONPATH": path}


def billed(there: Installation, months: Sequence[str], points: Mapping[str, int]) -> None:
    """Let the running daemon bill these months, killing the first run of each at its point."""
    for month in months:
        if month in points:
            (there.folder / "tickets" / month).write_text(str(points[month]))
        there.drop(month)
    for month in months:  # a run that died after its commit leaves a published month whose files the next run places
        there.until(lambda month=month: is_placed(there, month), 400)
    there.until(lambda: all(run.is_finished for run in there.runs()), 400)
    there.until(lambda: {release_of(month) for month in months} <= {*there.notices()}, 60)


def is_placed(there: Installation, month: str) -> bool:
    """Whether the month has a release, and all of its files stand outside."""
    made = there.releases(month)
    return bool(made) and all(release.placed_at for release in made)


def points_of(there: Installation, month: str) -> int:
    """How many points the run of a month had that nobody killed."""
    return int((there.folder / "tickets" / f"{month}.count").read_text())


def spread(first: int, last: int, wanted: int) -> set[int]:
    """So many points from the first to the last, evenly."""
    return {first + round(n * (last - first) / (wanted - 1)) for n in range(wanted)}


def check(there: Installation, month: str) -> None:
    """The month was killed, and everything is as if it had not been: same bytes, one release, one set, one notice."""
    runs = there.runs(**{"dagster/partition": month})
    assert runs[0].status.value == "FAILURE", month
    assert all(run.status.value == "SUCCESS" for run in runs[1:]), month
    assert there.amiss(month) == []


@pytest.mark.timeout(400)
def test_a_killed_run_leaves_no_trace(tmp_path: Path) -> None:
    """The short version: killed before the commit, and between the commit and the end."""
    there = Installation(tmp_path)
    with there.daemon(**hooked(tmp_path)):
        billed(there, MONTHS[:1], {})
        count = points_of(there, MONTHS[0])
        points = dict(zip(MONTHS[1:3], (count - 100, count - 40), strict=True))
        billed(there, MONTHS[1:3], points)
    for month in points:
        check(there, month)
    assert there.leftovers() == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["from the usage file to the end", "where the release is made"])
def test_killed_at_eighty_points_a_run_leaves_no_trace(tmp_path: Path, where: str) -> None:
    """Sixty over all of its work, twenty-five more around the release."""
    first = Installation(tmp_path / "first")
    with first.daemon(**hooked(tmp_path / "first")):
        billed(first, MONTHS[:1], {})
    count = points_of(first, MONTHS[0])
    points = sorted(spread(1, count - 5, 60) if where.startswith("from") else spread(count - 150, count - 6, 25))
    killed = 0
    for number, start in enumerate(range(0, len(points), len(MONTHS))):
        there = Installation(tmp_path / str(number))
        at = dict(zip(MONTHS, points[start : start + len(MONTHS)], strict=False))
        with there.daemon(**hooked(there.folder)):
            billed(there, list(at), at)
        for month in at:
            check(there, month)
        assert there.leftovers() == []
        killed += len(at)
    assert killed == len(points)
