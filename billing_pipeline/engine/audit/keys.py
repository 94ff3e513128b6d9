"""The names of events and findings that stay the same from run to run: hashes of what they are, not of when or whose.

Work request, dollars, people and run are in neither of them. Source: spec 9.1 of the billing audit.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import polars as pl

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def finding_key(category: str, sheet_id: str, row_id: str, column: str, rule: str, discriminator: str = "") -> str:
    """20 hex digits. discriminator: "" of an edit, the wrong value of a value, the sorted row ids of duplicates."""
    return _key((category, sheet_id, row_id, column, rule, discriminator))


def event_key(sheet_id: str, row_id: str, column: str, at: datetime, old: str | None, new: str | None) -> str:
    """20 hex digits; `at` counts in milliseconds, a missing value is as an empty one."""
    milliseconds = (at - _EPOCH) // _MILLISECOND
    return _key((sheet_id, row_id, column, str(milliseconds), old or "", new or ""))


def with_finding_keys(found: pl.DataFrame) -> pl.DataFrame:
    """The few rows found (category, sheet_id, row_id, column, rule, discriminator) with their `finding_key`."""
    parts = found.select("category", "sheet_id", "row_id", "column", "rule", "discriminator")
    return _with_keys(found, "finding_key", (finding_key(*row) for row in parts.iter_rows()))


def with_event_keys(events: pl.DataFrame) -> pl.DataFrame:
    """The few events (sheet_id, row_id, column, at, old, new) with their `event_key`."""
    parts = events.select("sheet_id", "row_id", "column", "at", "old", "new")
    return _with_keys(events, "event_key", (event_key(*row) for row in parts.iter_rows()))


def _with_keys(frame: pl.DataFrame, name: str, keys: Iterable[str]) -> pl.DataFrame:
    return frame.with_columns(pl.Series(name, list(keys), dtype=pl.String))


def _key(parts: Sequence[str]) -> str:
    return sha256("|".join(parts).encode()).hexdigest()[:20]
