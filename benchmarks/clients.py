"""`python -m benchmarks.clients`: a month of 10,000 managed-services clients, phase by phase, medians of the rounds.

What belongs here: which pieces run, each in a process of its own, and the table. What does not: the pieces
(`client_month`), the book (`client_book`).
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measure import measured

# Known here without importing the pieces: this process must stay small (see `measured`).
_TITLE = "10,000 clients, 500,000 devices, 500,000 people, 500,000 time entries; 20,000 CSV files"
_PHASES = "phases.json"
_SCAN, _ENGINE, _MONTH = "scan", "engine", "month"
_WITH_FILES = "both CSV sets"
_BILLED = ("month", "bills", "explained lines", "hash of what it is made of", _WITH_FILES)
_LAST = "workbook"
Phases = dict[str, list[float]]  # seconds, seconds of the processor, the peak of memory until its end in MiB
Rounds = list[dict[str, Phases]]


def main() -> None:
    """Measure the rounds asked for and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description="Measure a month of clients.")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: 3)")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error("rounds are counted from 1")
    console = Console()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory(prefix="billing-clients-") as name, console.status("making the book") as status:
        measured("client_book", f"{name}/book")
        rounds = _rounds(Path(name), options.repeat, status.update)
    console.print(f"{cores} cores{load}, {options.repeat} rounds")
    console.print(_table(rounds))


def _rounds(folder: Path, repeat: int, progress: Callable[[str], None]) -> Rounds:
    """Every piece once a round."""
    rounds: Rounds = []
    for number in range(1, repeat + 1):
        found: dict[str, Phases] = {}
        for piece in (_SCAN, _ENGINE, _MONTH):
            progress(f"round {number} of {repeat}: {piece}")
            work = folder / "work"
            work.mkdir()
            measured("client_month", piece, str(folder / "book"), str(work))
            found[piece] = json.loads((work / _PHASES).read_text())
            shutil.rmtree(work)
        rounds.append(found)
    return rounds


def _table(rounds: Rounds) -> Table:
    table = Table(title=_TITLE, title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("", no_wrap=True)
    for heading in ("seconds", "user+sys", "x scan", "peak MiB"):
        table.add_column(heading, justify="right", no_wrap=True)

    def row(label: str, piece: str, names: Sequence[str]) -> None:
        seconds = [sum(one[piece][name][0] for name in names) for one in rounds]
        scans = [sum(part[0] for part in one[_SCAN].values()) for one in rounds]
        worked = [sum(one[piece][name][1] for name in names) for one in rounds]
        peaks = [max(one[piece][name][2] for name in names) for one in rounds]
        ratio = median(mine / scan for mine, scan in zip(seconds, scans, strict=True))
        table.add_row(label, f"{median(seconds):.2f}", f"{median(worked):.2f}", f"{ratio:.1f}", f"{median(peaks):,.0f}")

    row("plain scan of the files, summed by client", _SCAN, _names(rounds, _SCAN))
    table.add_section()
    for name in _names(rounds, _ENGINE):
        row(f"in memory: {name}", _ENGINE, [name])
    table.add_section()
    phases = _names(rounds, _MONTH)
    for name in phases:
        row(name, _MONTH, [name])
    table.add_section()
    row("billed, and both CSV sets written", _MONTH, _BILLED)
    row("from the folder to both CSV sets", _MONTH, phases[: phases.index(_WITH_FILES) + 1])
    row("all but the workbook", _MONTH, phases[: phases.index(_LAST)])
    row("all", _MONTH, phases)
    return table


def _names(rounds: Rounds, piece: str) -> list[str]:
    return list(rounds[0][piece])


if __name__ == "__main__":
    main()
