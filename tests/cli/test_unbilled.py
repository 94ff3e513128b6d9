"""`unbilled`: the worked example, what is told beneath the table, HALT, and the watch on a real terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from billing_pipeline.cli import unbilling
from billing_pipeline.cli.unbilling import TwoFiles, looks
from billing_pipeline.engine.unbilled.terms import UnbilledTerms
from billing_pipeline.resources.unbilled_folder import UnbilledFiles
from tests.months import COMMAND, Said, command_line
from tests.unbilled_feeds import ARRIVED, CONTRACT_TITLES, CONTRACTS, FIRST, LOG_TITLES, contracts, log, logs, write

TITLE = "Immediate Action Required Leakage Report"
STALE = "STALE"


@pytest.fixture(name="folder")
def the_worked_example(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "unbilled"
    logs(folder, *FIRST)
    contracts(folder, *CONTRACTS)
    return folder


@pytest.fixture(name="run")
def the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    return command_line(monkeypatch, capsys)


def reported(said: Said) -> list[list[str]]:
    """The cells of the rows of the leakage report; none when there is no report."""
    lines = said.err.splitlines()
    if TITLE not in said.err:
        return []
    first = next(number for number, line in enumerate(lines) if line.startswith(TITLE))
    assert re.split(r" {2,}", lines[first + 1].strip()) == [
        "Project ID", "Client Name", "Unbilled Hours", "Leakage (USD)",
    ]  # fmt: skip
    table = lines[first + 2 :]
    end = next(number for number, line in enumerate(table) if not line or line.startswith("and more"))
    return [re.split(r" {2,}", line.strip()) for line in table[:end]]


P001, P002 = ["P001", "TechSolutions Inc."], ["P002", "Global Commerce"]


# The worked example


def test_the_first_cycle_tells_the_one_project_above_the_threshold(folder: Path, run: Callable[..., Said]) -> None:
    said = run("unbilled")
    assert (said.code, said.out) == (3, "")
    assert reported(said) == [[*P002, "16.50", "$1,980.00"]]
    assert "below the threshold: 1 project, 10.00 h, $1,500.00" in said.err
    assert "quarantined, missing project: 1 (110)" in said.err
    assert "4.00 hours worth 600.00 were logged as non-billable" in said.err
    assert (
        "logged 8 (40.50 h, $3,480.00) = billed 0 (0.00 h, $0.00) + unbilled 5 (26.50 h, $3,480.00)"
        " + excluded 2 (12.00 h, $0.00) + quarantined 1 (2.00 h, $0.00)"
    ) in said.err
    assert "by age: not available" in said.err
    assert "expenses: not available" in said.err


def test_the_second_cycle_tells_both_the_larger_leakage_first(folder: Path, run: Callable[..., Said]) -> None:
    logs(folder, *FIRST, *ARRIVED)
    said = run("unbilled")
    assert (said.code, reported(said)) == (3, [[*P002, "20.50", "$2,460.00"], [*P001, "15.00", "$2,250.00"]])
    assert "below the threshold" not in said.err


def test_files_of_any_name_are_taken_instead_of_the_folder(tmp_path: Path, run: Callable[..., Said]) -> None:
    hours = write(tmp_path / "march.csv", LOG_TITLES, (*FIRST, *ARRIVED))
    rules = write(tmp_path / "rules.csv", CONTRACT_TITLES, CONTRACTS)
    said = run("unbilled", "--time-logs", hours, "--contracts", rules)
    assert (said.code, len(reported(said))) == (3, 2)


def test_the_folder_of_the_settings_is_read(
    folder: Path, tmp_path: Path, run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "feeds")
    assert run("unbilled").code == 2
    monkeypatch.setenv("BILLING_UNBILLED_DIR", str(tmp_path / "feeds"))
    assert run("unbilled").code == 3


def test_exactly_the_threshold_is_not_above_it(folder: Path, run: Callable[..., Said]) -> None:
    said = run("unbilled", "--threshold", "1980")
    assert (said.code, reported(said)) == (0, [])
    assert "No critical leakage was found: nothing is above its threshold." in said.err
    assert "below the threshold: 2 projects, 26.50 h, $3,480.00" in said.err
    assert reported(run("unbilled", "--threshold", "$1,979.99")) == [[*P002, "16.50", "$1,980.00"]]


def test_the_document_has_every_figure_as_text_and_standard_output_to_itself(
    folder: Path, run: Callable[..., Said]
) -> None:
    logs(folder, *FIRST, *ARRIVED, log(120, "P001", "0.125"))
    said = run("unbilled", "--json", "--threshold", "2300.00")
    told = said.document
    assert (said.code, said.err) == (3, "")
    assert list(told) == ["as_of", "summary", "clients", "alerts", "findings", "quarantine", "balance"]
    assert [(one["project_id"], one["hours"], one["amount"], one["threshold"]) for one in told["summary"]] == [
        ("P002", "20.50", "2460.00", "2300.00"), ("P001", "15.125", "2268.75", "2300.00"),
    ]  # fmt: skip
    assert [one["project_id"] for one in told["alerts"]] == ["P002"]
    assert [one["log_id"] for one in told["quarantine"]] == ["110"]
    parts = [told["balance"][state] for state in ("billed", "unbilled", "excluded", "quarantined")]
    for figure in ("rows", "hours", "amount"):
        assert sum(Decimal(part[figure]) for part in parts) == Decimal(told["balance"]["logged"][figure])


def test_an_overrun_hides_nothing_and_comes_first(folder: Path, run: Callable[..., Said]) -> None:
    logs(folder, *FIRST, log(121, "P003", "93", "Non-Billable", "Invoiced"))
    said = run("unbilled")
    assert reported(said) == [[*P002, "16.50", "$1,980.00"]]
    findings = said.err.split("Other findings")[1].splitlines()[2:4]
    assert re.split(r" {2,}", findings[0].strip())[:4] == ["fixed price overrun", "P003", "Innovation Hub", "$180.00"]
    assert findings[1].startswith("non billable work")


def test_work_with_a_date_is_told_by_age(folder: Path, run: Callable[..., Said]) -> None:
    dated = [(*log(1, "P001", "2"), "2020-01-31"), (*log(2, "P001", "1"), "")]
    write(folder / "time_logs.csv", (*LOG_TITLES, "Work_Date"), dated)
    said = run("unbilled")
    assert "by age: 0-30 days $0.00, 31-60 $0.00, 61-90 $0.00, 90+ $300.00, undated $150.00" in said.err


def test_the_first_logs_of_a_reason_are_named_by_id_or_line(folder: Path, run: Callable[..., Said]) -> None:
    logs(folder, *FIRST, *(log(number, "P9", "1") for number in range(201, 207)), log("", "P001", "1"))
    said = run("unbilled")
    assert "quarantined, unknown project: 6 (201, 202, 203, 204, 205, …)" in said.err
    assert "quarantined, no Log_ID: 1 (time_logs.csv line 16)" in said.err


def test_of_very_many_alerts_the_largest_are_shown_and_the_others_summed(
    folder: Path, run: Callable[..., Said]
) -> None:
    many = [f"Q{number:02}" for number in range(27)]
    contracts(folder, *((name, "Acme", "1000.00", "T&M", "", "") for name in many))
    logs(folder, *(log(name, name, f"{number + 2}.125") for number, name in enumerate(many)))
    said = run("unbilled")
    assert (len(reported(said)), reported(said)[0]) == (25, ["Q26", "Acme", "28.13", "$28,125.00"])
    assert "and more above it; --json has them all: 2 projects, 5.25 h, $5,250.00" in said.err
    assert "logged 27 (408.375 h, $408,375.00)" in said.err


def test_names_from_outside_change_neither_colours_nor_lines(folder: Path, run: Callable[..., Said]) -> None:
    evil = "[bold red]Evil[/bold red] \x1b[2J\x07[/nonsense]"
    contracts(folder, *CONTRACTS, (evil, evil, "1000", "T&M", "", ""), ("P8", evil, "1", "Fixed-Price", "", "1"))
    logs(folder, *FIRST, log(130, evil, "9"), log(evil, "P9", "1"), log(131, "P8", "2"))
    said = run("unbilled")
    harmless = "[bold red]Evil[/bold red] \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}[/nonsense]"
    assert reported(said)[0] == [harmless, harmless, "9.00", "$9,000.00"]
    assert f"unknown project: 1 ({harmless})" in said.err
    assert said.err.count(harmless) == 4
    assert "\x1b" not in said.err


# What is refused


def test_a_missing_or_empty_feed_halts_without_a_figure(folder: Path, run: Callable[..., Said]) -> None:
    logs(folder)
    said = run("unbilled", "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(" HALT  time logs are empty: ")
    (folder / "contracts.csv").unlink()
    logs(folder, *FIRST)
    said = run("unbilled")
    assert said.code == 2
    assert f" HALT  contracts are missing: the folder {folder} has no contracts*.csv" in said.err
    assert "$" not in said.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--time-logs", "a.csv"), "--time-logs and --contracts go together"),
        (("--contracts", "a.csv"), "--time-logs and --contracts go together"),
        (("--threshold", "1e3"), "--threshold: is not a plain number (found '1e3')"),
        (("--threshold", "-1"), "--threshold: is below zero"),
        (("--threshold", "1.005"), "--threshold: has more than 2 decimals"),
        (("--threshold", " "), "--threshold: is blank"),
        (("--watch", "0"), "--watch: is not between 0.1 and 86400 seconds"),
        (("--watch", "nan"), "--watch: is not between 0.1 and 86400 seconds"),
        (("--watch", "5", "--json"), "--json is one document and --watch never ends"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    folder: Path, run: Callable[..., Said], options: tuple[str, ...], problem: str
) -> None:
    said = run("unbilled", *options)
    assert (said.code, said.out) == (2, "")
    assert problem in said.err


def test_a_contract_that_stands_there_twice_is_named(folder: Path, run: Callable[..., Said]) -> None:
    contracts(folder, *CONTRACTS, CONTRACTS[0])
    said = run("unbilled")
    assert said.code == 2
    assert "contracts.csv, line 5, Project_ID: project P001 has a second contract" in said.err


# The watch


def two_files(folder: Path) -> TwoFiles:
    return TwoFiles(UnbilledFiles(folder / "time_logs.csv", folder / "contracts.csv"))


@dataclass
class Feeds:
    """A source whose reading goes as it is told: an error is raised."""

    files: TwoFiles
    error: Exception | None = None
    reads: int = 0

    def read(self, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        self.reads += 1
        if self.error:
            raise self.error
        return self.files.read(today)

    def fingerprint(self, today: date) -> str:
        return self.files.fingerprint(today)


@pytest.mark.timeout(20)  # a look that never comes is waited for without a pause
def test_a_look_that_fails_as_nobody_foresaw_keeps_the_last_good_figures_until_one_is_good_again(
    folder: Path,
) -> None:
    feeds = Feeds(two_files(folder))
    told = looks(feeds, UnbilledTerms(), ZoneInfo("UTC"), 0)
    good = next(told)
    assert (good.problems, good.found is None, good.good_at is None) == ((), False, False)
    feeds.error = RuntimeError("the disk sings")
    logs(folder, *FIRST, *ARRIVED)
    stale = next(told)
    assert stale.problems == ("RuntimeError: the disk sings",)
    assert stale.found is good.found
    assert stale.good_at is not None
    assert stale.good_at >= good.good_at
    feeds.error = None
    again = next(told)
    assert again.problems == ()
    assert again.found is not None
    assert again.found.projects["amount"].to_list() == [Decimal(2460), Decimal(2250)]
    assert feeds.reads == 3


@pytest.mark.timeout(20)
def test_another_day_is_another_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter([datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)])
    monkeypatch.setattr(unbilling, "datetime", SimpleNamespace(now=lambda _: next(days)))
    told = looks(two_files(folder), UnbilledTerms(), ZoneInfo("UTC"), 0)
    found = [look.found for look in islice(told, 2)]
    assert [one.as_of for one in found if one] == [date(2026, 1, 31), date(2026, 2, 1)]


class Watch:
    """`unbilled --watch` as a process, on a terminal of its own or with its messages in a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self.terminal = process, terminal
        self.said = ""

    def until(self, expected: str, seconds: float = 30) -> str:
        """What it says until that comes; what comes later is left for the next time."""
        give_up = time.monotonic() + seconds
        while expected not in self.said:
            self._take(give_up - time.monotonic())
            assert time.monotonic() < give_up, f"no {expected!r} in {self.said!r}"
        told, _, self.said = self.said.partition(expected)
        return told

    def silent(self, seconds: float) -> bool:
        """Whether it says nothing for so long."""
        self._take(seconds)
        return not self.said

    def ended(self) -> int:
        """Its exit code, when everything it says has been taken."""
        code = self.process.wait(30)
        while self._take(0.1):
            pass
        return code

    def _take(self, seconds: float) -> bool:
        if not select.select([self.terminal], [], [], max(seconds, 0))[0]:
            return False
        with suppress(OSError):  # a terminal nobody writes to any more
            data = os.read(self.terminal, 65536)
            self.said += data.decode(errors="replace")
            return bool(data)
        return False


@contextmanager
def watching(folder: Path, *, on_terminal: bool = True, **environ: str) -> Iterator[Watch]:
    """The real command, watching the folder every 0.1 seconds; ended at last, whatever happens."""
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    environment = os.environ | {"COLUMNS": "200", "LINES": "60", "TERM": "xterm", "BILLING_UNBILLED_DIR": str(folder)}
    process = subprocess.Popen(
        [COMMAND, "unbilled", "--watch", "0.1"],
        stdin=theirs if on_terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment | environ,
        start_new_session=True,
        preexec_fn=_own_terminal if on_terminal else None,  # noqa: PLW1509  # one ioctl: no lock to wait for
    )
    os.close(theirs)
    try:
        yield Watch(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _own_terminal() -> None:
    """So that Ctrl-C typed there reaches the process as it does from a keyboard."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_the_watch_shows_changes_outlives_a_bad_look_and_ends_with_ctrl_c(folder: Path) -> None:
    with watching(folder) as watch:
        watch.until(HIDE)
        watch.until("$1,980.00")
        watch.until("Ctrl-C ends")
        watch.silent(0.3)
        watch.said = ""
        assert watch.silent(0.5)

        logs(folder, *FIRST, *ARRIVED)
        watch.until("$2,460.00")
        watch.until("$2,250.00")
        watch.until("Ctrl-C ends")

        logs(folder)
        watch.until("HALT")
        watch.until("time logs are empty")
        watch.until(STALE)
        watch.until("$2,460.00")
        (folder / "time_logs.csv").write_text("Log_ID,Hours\n1,2\n", "utf-8")
        watch.until("the column is missing")
        watch.until("logged 10 ")
        watch.silent(0.3)
        watch.said = ""
        assert watch.silent(0.5)  # the same problem is not told again

        logs(folder, *FIRST)
        told = watch.until("$1,980.00")
        assert STALE not in told
        watch.until("Ctrl-C ends")

        os.write(watch.terminal, b"\x03")
        assert watch.ended() == 0
        assert SHOW in watch.said
        assert "Traceback" not in watch.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_watch_ends_with_other_signals_as_well(folder: Path, number: signal.Signals) -> None:
    with watching(folder) as watch:
        watch.until("Ctrl-C ends")
        watch.process.send_signal(number)
        assert watch.ended() == 0
        assert SHOW in watch.said
        assert "Traceback" not in watch.said


def test_a_watch_that_begins_without_feeds_waits_for_them(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "later")
    with watching(folder) as watch:
        told = watch.until("there are no time logs")
        assert STALE not in told
        (tmp_path / "later").rename(folder)
        watch.until("$1,980.00")


@pytest.mark.parametrize("on_terminal", [False, True], ids=["pipe", "dumb terminal"])
def test_where_nothing_can_be_drawn_every_change_is_a_report_below_the_last(folder: Path, on_terminal: bool) -> None:
    with watching(folder, on_terminal=on_terminal, TERM="dumb") as watch:
        watch.until("$1,980.00")
        watch.until("Ctrl-C ends")
        watch.silent(0.3)
        assert watch.said.strip() == ""
        logs(folder, *FIRST, *ARRIVED)
        watch.until("$2,460.00")
        watch.until("Ctrl-C ends")
        watch.process.send_signal(signal.SIGTERM)
        assert watch.ended() == 0
        assert "\x1b" not in watch.said
        assert "Traceback" not in watch.said
