"""Time logs and contracts out of CSV or Parquet files, every cell as text; without them everything halts.

What belongs here: finding the files of a feed and reading them whole. What does not: what a cell means
(engine.unbilled). Source: spec 1, 2.1 and U11 of unbilled hours.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.errors import InputError, Problem, printable
from billing_pipeline.engine.tables import Schema
from billing_pipeline.engine.unbilled.tables import CONTRACT_TEXTS, LOG_TEXTS
from billing_pipeline.resources.files import read_whole, sha256_of
from billing_pipeline.resources.text_tables import csv_table, parquet_table

HALT = "HALT: "  # begins what a HaltError says
_NOT_READ = (".xlsx", ".xls", ".ods", ".tsv")  # tables whose rows would be missing without anybody noticing
_TEXTS = (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Null, pl.Categorical, pl.Enum)


class HaltError(InputError):
    """A feed is missing or empty: there is no figure then, because one of missing data would look like no leakage."""


@dataclass(frozen=True, slots=True)
class _Feed:
    """What a feed is called, how its files' names begin, its shape, its titles by column, the columns it needs."""

    name: str
    stem: str
    schema: Schema
    titles: Mapping[str, str]
    needed: tuple[str, ...]

    @property
    def pattern(self) -> str:
        return f"{self.stem}*.csv or {self.stem}*.parquet"

    def halt(self, message: str) -> HaltError:
        return HaltError(f"{HALT}{self.name} {message}; no figure is reported from missing data")


_LOGS = _Feed(
    "time logs",
    "time_logs",
    LOG_TEXTS,
    {
        "log_id": "Log_ID", "project_id": "Project_ID", "employee_id": "Employee_ID", "hours": "Hours",
        "activity": "Activity_Type", "status": "Invoicing_Status", "expense": "Expense_Check",
        "work_date": "Work_Date", "expense_amount": "Expense_Amount",
    },
    ("log_id", "project_id", "hours", "activity", "status"),
)  # fmt: skip
_CONTRACTS = _Feed(
    "contracts",
    "contracts",
    CONTRACT_TEXTS,
    {
        "project_id": "Project_ID", "client": "Client_Name", "rate": "Client_Rate_per_Hour", "model": "Billing_Model",
        "reimbursable_limit": "Reimbursable_Limit", "max_hours": "Max_FP_Hours", "starts": "Contract_Start_Date",
        "ends": "Contract_End_Date",
    },
    ("project_id", "rate", "model"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnbilledFolder:
    """The folder with `time_logs*` and `contracts*`, .csv or .parquet; several files of a feed are one, by name.

    Titles are matched regardless of case, blanks and underscores; other columns are ignored.
    """

    path: Path

    def logs(self) -> pl.DataFrame:
        """The time logs as LOG_TEXTS; errors as read_logs."""
        return self._feed(_LOGS)

    def contracts(self) -> pl.DataFrame:
        """The contracts as CONTRACT_TEXTS; errors as read_logs."""
        return self._feed(_CONTRACTS)

    def fingerprint(self) -> str:
        """SHA-256, as hex, over names and content of the files of both feeds: the same when nothing was changed."""
        return _fingerprint(path for feed in (_LOGS, _CONTRACTS) for path in self._paths(feed))

    def _feed(self, feed: _Feed) -> pl.DataFrame:
        paths = self._paths(feed)
        if not paths:
            what = f"has no {feed.pattern}" if self.path.is_dir() else "is not there"
            raise feed.halt(f"are missing: the folder {printable(str(self.path), limit=1000)} {what}")
        rows = pl.concat([_read(feed, path) for path in paths])
        if rows.is_empty():
            raise feed.halt(f"are empty: {', '.join(_shown(path) for path in paths)} without a row")
        return rows

    def _paths(self, feed: _Feed) -> list[Path]:
        suffixes = (".csv", ".parquet", *_NOT_READ)
        found = (path for path in self.path.glob(f"{feed.stem}*") if path.suffix.lower() in suffixes)
        return sorted(found, key=lambda path: path.name)


@dataclass(frozen=True, slots=True)
class UnbilledFiles:
    """The same of two files, whatever their names before .csv or .parquet."""

    time_logs: Path
    contract_rules: Path

    def logs(self) -> pl.DataFrame:
        """The time logs as LOG_TEXTS; errors as read_logs."""
        return read_logs(self.time_logs)

    def contracts(self) -> pl.DataFrame:
        """The contracts as CONTRACT_TEXTS; errors as read_logs."""
        return read_contracts(self.contract_rules)

    def fingerprint(self) -> str:
        """SHA-256, as hex, over names and content of both files."""
        return _fingerprint((self.time_logs, self.contract_rules))


def read_logs(path: Path) -> pl.DataFrame:
    """The time logs of one file as LOG_TEXTS: cells as they stand in it, columns it does not have null.

    `line`: of a CSV file the physical line, of a Parquet file the number of the row. HaltError: no file, or no row in
    it. InputError, naming file, line and column: another ending than .csv and .parquet, ragged rows, not UTF-8, titles
    that mean the same, a column that it cannot do without is missing, a Parquet column of another kind than texts,
    numbers, dates and booleans.
    """
    return _one_file(_LOGS, path)


def read_contracts(path: Path) -> pl.DataFrame:
    """The contracts of one file as CONTRACT_TEXTS; the rest as read_logs."""
    return _one_file(_CONTRACTS, path)


def _one_file(feed: _Feed, path: Path) -> pl.DataFrame:
    if not path.exists():
        raise feed.halt(f"are missing: {_shown(path)} is not there")
    rows = _read(feed, path)
    if rows.is_empty():
        raise feed.halt(f"are empty: {_shown(path)} without a row")
    return rows


def _read(feed: _Feed, path: Path) -> pl.DataFrame:
    readers = {".csv": _csv, ".parquet": _parquet}
    suffix = path.suffix.lower()
    if suffix not in readers:
        message = "is neither .csv nor .parquet; save the table as one of them"
        raise InputError(Problem(message, file=path.name))
    content = read_whole(path)
    if not content:
        raise feed.halt(f"are empty: {_shown(path)} has 0 bytes")
    rows, titles, lines = readers[suffix](path, content)
    places = _places(feed, path, titles, line=1 if suffix == ".csv" else None)
    cells = {column: _text(path, feed.titles[column], rows.to_series(place)) for column, place in places.items()}
    absent = [pl.lit(None, pl.String).alias(column) for column in feed.titles if column not in cells]
    texts = pl.DataFrame({**cells, "line": lines.cast(pl.Int64)})
    return texts.with_columns(*absent, file=pl.lit(path.name)).select(feed.schema.keys())


def _csv(path: Path, content: bytes) -> tuple[pl.DataFrame, list[str], pl.Series]:
    """The cells, the header as it is written, the line of each row."""
    table = csv_table(path.name, [content])
    return table.rows, table.header, table.lines


def _parquet(path: Path, content: bytes) -> tuple[pl.DataFrame, list[str], pl.Series]:
    """The cells, the names of the columns, the number of each row."""
    rows = parquet_table(path.name, content)
    return rows, rows.columns, pl.int_range(1, rows.height + 1, eager=True)


def _text(path: Path, column: str, cells: pl.Series) -> pl.Series:
    """A column as the text that a CSV file would have."""
    if cells.dtype.is_float():
        return cells.fill_nan(None).cast(pl.String)  # how frames write a number that is not given
    if cells.dtype.is_integer() or cells.dtype.is_decimal() or cells.dtype in _TEXTS:
        return cells.cast(pl.String)
    raise InputError(Problem(f"holds {cells.dtype}, which is no text, number, date or boolean", path.name, cell=column))


def _places(feed: _Feed, path: Path, titles: list[str], line: int | None) -> dict[str, int]:
    """Where each column of the feed stands in the file."""
    keys = [_key(title) for title in titles]
    problems = []
    for column, title in feed.titles.items():
        same = [repr(printable(written)) for written, key in zip(titles, keys, strict=True) if key == _key(title)]
        if len(same) > 1:
            problems.append(
                Problem(f"two headers mean the same column: {', '.join(same)}", path.name, line, cell=title)
            )
        if not same and column in feed.needed:
            seen = ", ".join(map(printable, titles))
            problems.append(Problem(f"the column is missing; the file has: {seen}", path.name, line, cell=title))
    if problems:
        raise InputError(problems)
    return {column: keys.index(_key(title)) for column, title in feed.titles.items() if _key(title) in keys}


def _key(title: str) -> str:
    return header_name(title).replace("_", "")


def _shown(path: Path) -> str:
    return printable(str(path), limit=1000)


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(os.fsencode(path.name) + b"\0" + _content(path) + b"\n")
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """What stands for a file's content; a file that cannot be read is told by reading it, not here."""
    try:
        return sha256_of(path).encode()
    except OSError:
        return b"unread"
