"""What every source of the audit gives: a sheet's rows and cells in the declared frames, and a cell's history.

What belongs here: which column is which, texts of cells, times, frames. What does not: where a sheet comes from
(smartsheet, audit_folder), what a cell's text means (the engine). Source: spec 1.1-1.3; Q2, Q6, Q22.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import polars as pl

from billing_pipeline.engine.audit.tables import COLUMNS, REQUIRED, REVISIONS, SHEETS, SOURCE_ROWS, TEXTS
from billing_pipeline.engine.errors import printable

_DATES = ("DATE", "DATETIME", "ABSTRACT_DATETIME")
_LIKELY = {"week_ending": ("weekly", "reference", "logged", "weekending"), "work_date": ("snapshot",)}
_LONGEST_EXPONENT = 30  # of a number that is written out


@dataclass(frozen=True, slots=True)
class SheetRead:
    """One sheet as it was read. `sheet` has one row; without rows where `sheet` says why it could not be read."""

    sheet: pl.DataFrame  # SHEETS
    rows: pl.DataFrame  # SOURCE_ROWS
    texts: pl.DataFrame  # TEXTS: every column that is known, in every row


class AuditSource(Protocol):
    """Where source sheets come from. UpstreamError or InputError of a sheet: `unread` makes it a SheetRead."""

    def version(self, sheet_id: str) -> int:
        """Changes whenever the sheet was changed by somebody."""

    def sheet(self, sheet_id: str) -> SheetRead:
        """The whole sheet, or an error."""

    def history(self, sheet_id: str, row_id: str, column: str) -> pl.DataFrame:
        """The revisions (REVISIONS) of the cell in a column of COLUMNS, oldest first."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row before it stands in a frame; `cells`: text by logical column."""

    row_id: str
    number: int
    modified_at: datetime | None
    modified_by: str
    permalink: str
    cells: Mapping[str, str | None]


def matched(titles: Sequence[str], types: Sequence[str] = ()) -> dict[str, int]:
    """The place of each logical column of COLUMNS that is there, by its title; the first accepted title wins.

    An exact title comes before one that differs in case, spaces, hyphens or a final `?` or `#`. A date without any
    accepted title is found by its type and words (`Weekly Referenced Logged Date`). Source: spec 1.2.
    """
    folded = [title_key(title) for title in titles]
    found: dict[str, int] = {}
    for column, accepted in COLUMNS.items():
        exact = [titles.index(title) for title in accepted if title in titles]
        alike = [folded.index(title_key(title)) for title in accepted if title_key(title) in folded]
        place = next(iter(exact + alike), None)
        if place is not None:
            found[column] = place
    for column, words in _LIKELY.items():
        dated = [i for i, kind in enumerate(types) if kind in _DATES and "date" in folded[i]]
        likely = [i for i in dated if i not in found.values() and any(word in folded[i] for word in words)]
        if column not in found and likely:
            found[column] = likely[0]
    return found


def title_key(title: str) -> str:
    """What two titles that mean the same have in common."""
    return re.sub(r"[\s\-_]+", "", title.casefold()).rstrip("?#")


def sheet_read(
    sheet_id: str, name: str, version: int, columns: Iterable[str], rows: Sequence[SourceRow], said: int
) -> SheetRead:
    """A sheet that was read; `columns`: the logical ones it has, `said`: how many rows it says it has."""
    known = list(columns)
    missing = ", ".join(COLUMNS[column][0] for column in REQUIRED if column not in known)
    ids = [row.row_id for row in rows]
    texts = [
        pl.DataFrame(
            {
                "sheet_id": pl.repeat(sheet_id, len(rows), dtype=pl.String, eager=True),
                "row_id": pl.Series(ids, dtype=pl.String),
                "column": pl.repeat(column, len(rows), dtype=pl.String, eager=True),
                "value": pl.Series([row.cells.get(column) for row in rows], dtype=pl.String),
            }
        )
        for column in known
    ]
    sources = [(sheet_id, row.row_id, row.number, row.modified_at, row.modified_by, row.permalink) for row in rows]
    return SheetRead(
        _sheet(sheet_id, name, version=version, rows=said, read=len(rows), missing=missing, error=""),
        pl.DataFrame(sources, schema=SOURCE_ROWS, orient="row"),
        pl.concat(texts) if texts else pl.DataFrame(schema=TEXTS),
    )


def unread(sheet_id: str, name: str, error: Exception) -> SheetRead:
    """A sheet that could not be read, so that the audit can tell so instead of finding nothing. Source: Q4, Q17."""
    sheet = _sheet(sheet_id, name, version=None, rows=None, read=0, missing="", error=printable(str(error), 300))
    return SheetRead(sheet, pl.DataFrame(schema=SOURCE_ROWS), pl.DataFrame(schema=TEXTS))


def revisions(
    sheet_id: str, row_id: str, column: str, found: Iterable[tuple[datetime, str | None, str]]
) -> pl.DataFrame:
    """REVISIONS of one cell out of (at, value, by), oldest first."""
    rows = [(sheet_id, row_id, column, at, value, by) for at, value, by in found]
    return pl.DataFrame(rows, schema=REVISIONS, orient="row").sort("at", maintain_order=True)


def cell_text(value: Any) -> str | None:
    """A cell's value as text: numbers as they were written, without an exponent; `true` and `false`; null of blank."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= _LONGEST_EXPONENT:
        return format(value, "f")
    text = "" if value is None else str(value).encode("utf-8", "replace").decode()
    return text or None


def instant(text: str) -> datetime:
    """An ISO time as UTC; without a zone it is UTC. ValueError."""
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _sheet(sheet_id: str, name: str, **told: Any) -> pl.DataFrame:
    return pl.DataFrame([{"sheet_id": sheet_id, "sheet": name, **told}], schema=SHEETS)
