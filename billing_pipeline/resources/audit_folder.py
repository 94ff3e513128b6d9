"""Source sheets of the audit out of a folder of CSV files: the source without an account of Smartsheet.

What belongs here: `<sheet>.csv`, `<sheet>.history.csv` and `rates.csv`, read whole, every cell as text. What does not:
which column is which (audit_sheets), what a cell means (the engine). Source: spec 1.1-1.3.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from billing_pipeline.engine.audit.tables import RATES, REVISIONS
from billing_pipeline.engine.cells import PRICE, parse_numbers
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.resources.audit_sheets import SheetRead, SourceRow, instant, matched, sheet_read, title_key
from billing_pipeline.resources.files import read_whole
from billing_pipeline.resources.text_tables import csv_table

_ROW_ID, _MODIFIED_AT, _MODIFIED_BY = "ROW_ID", "MODIFIED_AT", "MODIFIED_BY"
_HISTORY = ("ROW_ID", "COLUMN", "AT", "VALUE", "BY")
_NOT_SHEETS = ("rates",)
_LINE = " "  # no header is called so


@dataclass(frozen=True, slots=True)
class AuditFolder:
    """The folder. A sheet's id and name are its file's name without `.csv`; it has no links to its rows.

    Columns are found by their titles as in Smartsheet, besides `Row ID`, `Modified At` (ISO, UTC without a zone) and
    `Modified By`. Without `Row ID` a row is known by its line, so a line that is put in moves all below it.
    """

    path: Path
    _histories: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    def sheets(self) -> dict[str, str]:
        """The names of the sheets by id, which are the same. InputError without a folder."""
        if not self.path.is_dir():
            raise InputError(Problem("the folder of the audited sheets is not there", file=str(self.path)))
        names = sorted(path.stem for path in self.path.glob("*.csv"))
        return {name: name for name in names if name not in _NOT_SHEETS and not name.endswith(".history")}

    def version(self, sheet_id: str) -> int:
        """A number of the file's content."""
        return _version(read_whole(self._file(sheet_id)))

    def sheet(self, sheet_id: str) -> SheetRead:
        """All rows of a sheet. InputError, naming the file and the line: no table of UTF-8 text, a row id that is blank
        or stands there twice, a time that is none.
        """
        path = self._file(sheet_id)
        content = read_whole(path)
        rows, header = _table(path, content)
        places = matched(header)
        ids = rows[_ROW_ID if _ROW_ID in rows.columns else _LINE].str.strip_chars().to_list()
        _check_ids(path, ids, rows[_LINE].to_list())
        times = _times(path, rows, _MODIFIED_AT) if _MODIFIED_AT in rows.columns else [None] * rows.height
        people = rows[_MODIFIED_BY].fill_null("").to_list() if _MODIFIED_BY in rows.columns else [""] * rows.height
        cells = rows.select(pl.nth(place).alias(column) for column, place in places.items()).to_dicts()
        found = [
            SourceRow(row_id, number, at, by, "", texts)
            for number, (row_id, at, by, texts) in enumerate(
                zip(ids, times, people, cells or [{}] * rows.height, strict=True), start=1
            )
        ]
        return sheet_read(sheet_id, sheet_id, _version(content), places, found, len(found))

    def history(self, sheet_id: str, row_id: str, column: str) -> pl.DataFrame:
        """The revisions of a cell in a column of COLUMNS, oldest first; the file is read once for all cells.

        InputError: no `<sheet>.history.csv` (ask `has_history`: no history is not the same as no change), a column of
        it is missing, a time that is none, a title that the sheet does not have.
        """
        if sheet_id not in self._histories:
            self._histories[sheet_id] = self._revisions(sheet_id)
        here = (pl.col("row_id") == row_id) & (pl.col("column") == column)
        return self._histories[sheet_id].filter(here)

    def has_history(self, sheet_id: str) -> bool:
        """Whether the sheet's changes are told."""
        return self._history_file(sheet_id).exists()

    def rates(self) -> pl.DataFrame | None:
        """The contract's rates (RATES), for rate sanity; None without `rates.csv`. InputError: a rate that is none."""
        path = self.path / "rates.csv"
        if not path.exists():
            return None
        rows, _ = _table(path, read_whole(path))
        _check_columns(path, rows, ("UNIT_CODE", "WORK_TYPE", "RATE"))
        parsed = parse_numbers(rows["RATE"], PRICE)
        problem = parsed["problem"].fill_null("").to_list()
        wrong = [
            Problem(said or "is blank", path.name, int(line), cell="rate", value=rate or "")
            for said, line, rate, value in zip(problem, rows[_LINE], rows["RATE"], parsed["value"], strict=True)
            if value is None
        ]
        if wrong:
            raise InputError(wrong)
        return pl.DataFrame([rows["UNIT_CODE"], rows["WORK_TYPE"], parsed["value"]], schema=RATES)

    def _revisions(self, sheet_id: str) -> pl.DataFrame:
        path, sheet = self._history_file(sheet_id), self._file(sheet_id)
        rows, _ = _table(path, read_whole(path))
        _check_columns(path, rows, _HISTORY)
        _, header = _table(sheet, read_whole(sheet))
        names = _names(header)
        columns = [names.get(title_key(title or "")) for title in rows["COLUMN"]]
        for column, title, line in zip(columns, rows["COLUMN"], rows[_LINE], strict=True):
            if column is None:
                raise InputError(Problem(f"{sheet.name} has no such column", path.name, int(line), value=title or ""))
        times = _times(path, rows, "AT")
        if None in times:
            raise InputError(Problem("has no time", path.name, int(rows[_LINE][times.index(None)]), cell="AT"))
        ids = rows["ROW_ID"].fill_null("").str.strip_chars()
        found = zip(ids, columns, times, rows["VALUE"], rows["BY"].fill_null(""), strict=True)
        frame = pl.DataFrame([(sheet_id, *revision) for revision in found], schema=REVISIONS, orient="row")
        return frame.sort("at", maintain_order=True)

    def _file(self, sheet_id: str) -> Path:
        return self.path / f"{sheet_id}.csv"

    def _history_file(self, sheet_id: str) -> Path:
        return self.path / f"{sheet_id}.history.csv"


def _version(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:7])


def _table(path: Path, content: bytes) -> tuple[pl.DataFrame, list[str]]:
    """The cells as text under names like ROW_ID, with the line of each row, and the header as it is written."""
    table = csv_table(path.name, [content])
    return table.rows.with_columns(table.lines.cast(pl.String).alias(_LINE)), table.header


def _names(header: list[str]) -> dict[str, str]:
    """The logical column of each title of a sheet, "" of one the audit has no use for; a logical name is its own."""
    places = matched(header)
    names = dict.fromkeys(map(title_key, header), "")
    return (
        {title_key(column): column for column in places}
        | names
        | {title_key(header[place]): column for column, place in places.items()}
    )


def _times(path: Path, rows: pl.DataFrame, column: str) -> list[datetime | None]:
    found: list[datetime | None] = []
    for text, line in rows.select(column, _LINE).iter_rows():
        try:
            found.append(instant(text) if text and text.strip() else None)
        except ValueError:
            told = "is no time (accepted: 2026-01-09T10:00:00Z)"
            raise InputError(Problem(told, path.name, int(line), cell=column, value=text)) from None
    return found


def _check_ids(path: Path, ids: list[str | None], lines: list[str]) -> None:
    seen: set[str] = set()
    for row_id, line in zip(ids, lines, strict=True):
        if not row_id:
            raise InputError(Problem("has no Row ID", path.name, int(line)))
        if row_id in seen:
            raise InputError(Problem("the Row ID stands there twice", path.name, int(line), value=row_id))
        seen.add(row_id)


def _check_columns(path: Path, rows: pl.DataFrame, needed: Iterable[str]) -> None:
    missing = [column for column in needed if column not in rows.columns]
    if missing:
        raise InputError(Problem(f"column {', '.join(missing)} is missing", path.name, 1))
