"""Writes the sample book into a folder that can be used as inputs folder as it stands.

What belongs here: files. What does not: what stands in them (`companies`, `incidents`, `workbook`).
"""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.sample.companies import COLUMNS, Row, monthly_rows
from billing_pipeline.sample.incidents import with_incidents
from billing_pipeline.sample.workbook import rules_workbook

MONTHS = tuple(Period(2026, month) for month in range(1, 7))
RULES_FILE = "gep_billing_rules.xlsx"
_SEED = 20260101

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SampleBook:
    """Where the sample book lies and what is in it; partners and companies are those of the last month."""

    inputs_dir: Path
    rules_file: Path
    usage_files: tuple[Path, ...]
    months: tuple[Period, ...]
    partners: int
    companies: int


def write_sample(directory: Path, progress: Progress | None = None) -> SampleBook:
    """Write six usage files and the rules workbook into `directory`, which is made when it does not exist.

    The same bytes every time; a file that is there already with these bytes stays as it is. `progress` is called with
    file name, number of the file and number of files. InputError: `directory` or a part of its path is a file, cannot
    be written, or holds a file of the same name with other contents, which is never overwritten.
    """
    random = Random(_SEED)  # noqa: S311
    with _reported(directory):
        directory.mkdir(parents=True, exist_ok=True)
    exports = {month: with_incidents(rows, month, random) for month, rows in monthly_rows(MONTHS, random)}
    usage = {directory / f"{month.dotted}_usage_export.csv": _csv(rows) for month, rows in exports.items()}
    rules_file = directory / RULES_FILE
    files = {**usage, rules_file: rules_workbook()}
    with _reported(directory):
        _refuse_other_contents(files)
    for number, (path, content) in enumerate(files.items(), start=1):
        with _reported(directory):
            _write(path, content)
        if progress:
            progress(path.name, number, len(files))
    last = exports[MONTHS[-1]]
    return SampleBook(
        inputs_dir=directory,
        rules_file=rules_file,
        usage_files=tuple(usage),
        months=MONTHS,
        partners=len({row["PARTNER_ID"] for row in last}),
        companies=len({row["ER_ID"] for row in last}),
    )


@contextmanager
def _reported(directory: Path) -> Iterator[None]:
    """What the file system refuses, as an error with the folder in it."""
    try:
        yield
    except OSError as error:
        message = f"the sample book cannot be written: {error.strerror}"
        raise InputError(Problem(message, file=str(directory))) from error


def _csv(rows: list[Row]) -> bytes:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _refuse_other_contents(files: dict[Path, bytes]) -> None:
    message = "is not the file of the sample book; choose another folder, or move the file away"
    other = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if other:
        raise InputError([Problem(message, file=str(path)) for path in other])


def _write(path: Path, content: bytes) -> None:
    """Under a temporary name first, so that nobody sees half a file."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
