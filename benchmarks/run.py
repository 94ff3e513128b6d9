"""`python -m benchmarks.run`: speed and memory at growing sizes, each piece in a process of its own, several rounds.

Nothing is asserted: seconds belong to a machine and to what else it does, so every figure stands beside a yardstick
measured in the same round. What belongs here: which pieces run at which size, and the table. What does not: the pieces.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measured, measured

SIZES = (10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work: what it is called, how it is started, the most rows it is run with."""

    label: str
    command: tuple[str, ...]
    most_rows: int


SCAN, OPENPYXL = "plain scan", "openpyxl report"
PIECES = (
    Piece(SCAN, ("pricing", "scan"), TEN_MILLION),
    Piece("pricing", ("pricing", "price"), TEN_MILLION),
    Piece("pricing + check", ("pricing", "check-and-price"), TEN_MILLION),
    Piece(OPENPYXL, ("report", "openpyxl"), SIZES[0]),
    Piece("our report", ("report", "product"), SIZES[0]),
    Piece("end to end", ("close",), SIZES[-1]),
)
Rounds = dict[str, list[Measured]]


def main() -> None:
    """Measure the sizes asked for and print a table for each; with --json also write every single run to a file."""
    options = _options()
    sizes = sorted({*options.rows, *([TEN_MILLION] if options.ten_million else [])})
    console = Console()
    console.print(_machine())
    results: dict[int, Rounds] = {}
    openpyxl: float | None = None  # seconds per row
    for rows in sizes:
        with console.status(f"{rows:,} rows") as status:
            results[rows] = rounds = _rounds(rows, options.repeat, status.update)
        if OPENPYXL in rounds:
            openpyxl = _median(run.seconds for run in rounds[OPENPYXL]) / rows
        console.print(_table(rows, rounds, openpyxl))
    console.print(
        "Plain scan: scan_csv to sink_parquet with Polars' defaults. Pricing: usage file to priced Parquet and invoice "
        "CSV; + check: with proof of structure and hash. Reports: one master report, the same cells. End to end: all "
        "workbooks and controls, through Dagster. Medians; x scan is the median of the ratios within a round; openpyxl "
        f"writes at most {SIZES[0]:,} rows, beyond which its time per row is taken. Process, user+sys and peak include "
        "starting Python, importing, and, for reports, pricing the rows they show.",
        style="dim",
    )
    if options.json:
        options.json.write_text(json.dumps(_document(results), indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure speed and memory.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes of the books to bill")
    parser.add_argument("--repeat", type=int, default=3, help="rounds at each size (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run to FILE")
    parser.add_argument("--ten-million", action="store_true", help="also price ten million rows (needs 5 GB of disk)")
    options = parser.parse_args()
    if min(*options.rows, options.repeat, 1) < 1:
        parser.error("rows and rounds are counted from 1")
    return options


def _rounds(rows: int, repeat: int, progress: Callable[[str], None]) -> Rounds:
    """Every piece of the size once a round, in turn, so that a slow moment of the machine meets them all."""
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as name:
        book, work = Path(name) / "book", Path(name) / "work"
        progress(f"{rows:,} rows: making the book")
        measured("book", str(book), str(rows))
        pieces = [piece for piece in PIECES if rows <= piece.most_rows]
        rounds: Rounds = {piece.label: [] for piece in pieces}
        for number in range(1, repeat + 1):
            for piece in pieces:
                progress(f"{rows:,} rows, round {number} of {repeat}: {piece.label}")
                work.mkdir()
                rounds[piece.label].append(measured(*piece.command, str(book), str(work)))
                shutil.rmtree(work)
        return rounds


def _table(rows: int, rounds: Rounds, openpyxl: float | None) -> Table:
    table = Table(title=f"{rows:,} rows", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("", no_wrap=True)
    for heading in ("seconds", "rows/s", "process", "user+sys", "peak MiB", "x scan", "x openpyxl"):
        table.add_column(heading, justify="right", no_wrap=True)
    for label, runs in rounds.items():
        seconds = _median(run.seconds for run in runs)
        to_scan = _median(run.seconds / base.seconds for run, base in zip(runs, rounds[SCAN], strict=True))
        table.add_row(
            label,
            f"{seconds:.2f}",
            f"{rows / seconds:,.0f}",
            f"{_median(run.process for run in runs):.2f}",
            f"{_median(run.user + run.system for run in runs):.2f}",
            f"{_median(run.peak for run in runs) / _MIB:,.0f}",
            f"{to_scan:.2f}",
            f"{seconds / rows / openpyxl:.3f}" if openpyxl else "",
        )
    return table


def _median(values: Iterable[float]) -> float:
    return median(values)


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("polars", "dagster", "openpyxl"))
    return f"{_cores()} cores{load}, Python {platform.python_version()}, {packages}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _document(results: dict[int, Rounds]) -> dict[str, object]:
    return {
        "machine": _machine(),
        "runs": [
            {"rows": rows, "piece": label, "round": number, **asdict(run)}
            for rows, rounds in results.items()
            for label, runs in rounds.items()
            for number, run in enumerate(runs, 1)
        ],
    }


if __name__ == "__main__":
    main()
