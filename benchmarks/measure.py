"""One piece of work in a process of its own: how long, how much processor time, how much memory at the most.

A piece is a module of this package whose main times its work with `told`. Its `seconds` are its own, without starting
Python and importing; `process` is the whole process as seen from outside.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one piece. Times in seconds, `peak` in bytes (resident, mapped file pages included)."""

    seconds: float
    process: float
    user: float
    system: float
    peak: int


def measured(module: str, *arguments: str) -> Measured:
    """Run `python -m benchmarks.<module> <arguments>` and measure it. RuntimeError when it fails.

    The caller must stay small: Linux counts the memory of the process that started another in the other's peak.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BILLING_", "DAGSTER_"))}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=environment)
    assert process.stdout is not None  # noqa: S101  # asked for above
    with process.stdout:
        told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # already waited for: Popen need not do it again
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} ended with code {process.returncode}")
    seconds = json.loads(told.splitlines()[-1])["seconds"]
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(seconds, elapsed, usage.ru_utime, usage.ru_stime, peak)


@contextmanager
def told() -> Iterator[None]:
    """For a piece: time the block and tell it to the process that measures."""
    started = time.perf_counter()
    yield
    print(json.dumps({"seconds": time.perf_counter() - started}))
