"""The log sheet: one row for each finding, whatever happens between us and Smartsheet.

What belongs here: which rows are inserted, updated and deleted, and the proof that each key stands there once. What
does not: what stands in a row (log_rows), the report's file (log_report), what has still to be written (the caller's
outbox). A row is ours by its `Finding Key` only; `Disposition` is a reviewer's and is never written.
Source: spec 9.3; Q18, Q19, Q23.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem, UpstreamError, nearest
from billing_pipeline.resources.log_rows import COLUMNS, DISPOSITION, FACTS, KEY, REPORT, LogRow, wire_row
from billing_pipeline.resources.smartsheet import MOST_ROWS, DryRun, Smartsheet
from billing_pipeline.resources.smartsheet_answers import Column
from billing_pipeline.resources.smartsheet_client import UnclearWriteError

ENTRIES = (KEY, "Status", "First Seen", "Last Seen", DISPOSITION, *FACTS)
_ROUNDS = 4  # of reading, sending what is missing, and reading again
_SETTLING = 5.0  # seconds for a write that may still be under way
_FINDING_KEY = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the log now. In a dry run the counts say what would have been done, and nothing was."""

    row_ids: dict[str, str]  # by finding key, of the rows that were wanted
    dispositions: dict[str, str]  # by finding key, of all rows; "" where nobody said anything
    inserted: int
    updated: int
    deleted: int
    twice: tuple[str, ...]  # keys that stand in several rows with a disposition: a person has to choose


@dataclass(slots=True)
class _Done:
    """What the rounds have done so far."""

    updated: set[str] = field(default_factory=set)
    inserted: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


def converge(
    client: Smartsheet, sheet_id: str, wanted: Sequence[LogRow], known: Mapping[str, str] | None = None
) -> Written:
    """Make the log have one row for each wanted key: update what is there, insert what is not; the keys are read first.

    `known`: row ids by key of earlier runs; of several rows with one key it is the known one that stays. After a write
    with an unclear outcome nothing is sent again before the keys were read again. InputError when columns are missing;
    UpstreamError otherwise, and then one more call brings the log to the same end.
    """
    columns = _log_columns(client, sheet_id)
    palette = client.palette() if any(row.tint for row in wanted) else []
    by_key = {row.key: row for row in wanted}
    done = _Done()
    unclear: UnclearWriteError | None = None
    for _ in range(_ROUNDS):
        found = _found(client, sheet_id, columns)
        kept, surplus = _kept(found, {*by_key, *(known or {})}, known or {})
        absent = [row for key, row in by_key.items() if key not in kept]
        stale = [row for key, row in by_key.items() if key in kept and key not in done.updated | done.inserted]
        if isinstance(client, DryRun) or not (absent or stale or surplus):
            return _written(found, by_key, kept, done, (len(absent), len(stale), len(surplus)))
        try:
            _send(client, sheet_id, columns, palette, done, (absent, stale, surplus), kept)
        except UnclearWriteError as error:
            unclear = error
            client.pause(_SETTLING)
    raise unclear or UpstreamError(
        f"the log sheet {sheet_id} did not come to rest in {_ROUNDS} rounds", permanent=False
    )


def entries(client: Smartsheet, sheet_id: str) -> pl.DataFrame:
    """What the log remembers of findings when our own state is lost: `log_row_id` and texts (ENTRIES), a row each.

    Of several rows with one key it is the one with a disposition. Source: spec 9.2 (BOOTSTRAP).
    """
    columns = _log_columns(client, sheet_id)
    cells = client.cells(sheet_id, [columns[title][0] for title in ENTRIES])
    rows = [
        {"log_row_id": row_id, **{title: row.get(columns[title][0]) for title in ENTRIES}}
        for row_id, row in cells.items()
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("log_row_id", *ENTRIES), pl.String))
    findings = frame.filter(pl.col(KEY).is_not_null() & ~pl.col(KEY).str.starts_with(REPORT))
    disposed_first = findings.sort(pl.col(DISPOSITION).is_null(), maintain_order=True)
    return disposed_first.unique(KEY, keep="first", maintain_order=True)


def setup_problems(client: Smartsheet, sheet_id: str) -> list[str]:
    """What keeps the sheet from being a log: a sentence for each column that is missing or of another type."""
    return _problems(client, sheet_id, client.columns(sheet_id))


def setup_apply(client: Smartsheet, sheet_id: str) -> list[str]:
    """Add the columns that are missing, at the right; their titles. Types of others are left alone.

    InputError when `Finding Key` is missing but another column holds such keys: with a new column every finding would
    be written a second time.
    """
    holders = _holders(client, sheet_id, client.columns(sheet_id))
    if holders:
        problem = f"column {holders[0]!r} of the log sheet {sheet_id} holds the finding keys; name it {KEY!r} again"
        raise InputError(Problem(problem))
    added: list[str] = []
    for _ in range(_ROUNDS):
        there = client.columns(sheet_id)
        missing = [title for title in COLUMNS if title not in {column.title for column in there}]
        if not missing:
            return added
        try:
            client.add_columns(sheet_id, {title: COLUMNS[title][0] for title in missing}, len(there))
        except UnclearWriteError:
            client.pause(_SETTLING)
        added = [title for title in COLUMNS if title in {*added, *missing}]
    raise UpstreamError(f"the columns of the log sheet {sheet_id} could not be added", permanent=False)


def _log_columns(client: Smartsheet, sheet_id: str) -> dict[str, tuple[str, str]]:
    """(id, type) by title; InputError unless the sheet has all columns in their types. Source: Q23."""
    columns = client.columns(sheet_id)
    problems = _problems(client, sheet_id, columns)
    if problems:
        raise InputError([Problem(f"the log sheet {sheet_id} cannot be written: {problem}") for problem in problems])
    return {column.title: (column.column_id, column.kind) for column in columns}


def _problems(client: Smartsheet, sheet_id: str, columns: Sequence[Column]) -> list[str]:
    there = {column.title: column for column in columns}
    problems = []
    for title, kinds in COLUMNS.items():
        if title not in there:
            problems.append(f"column {title!r} is missing{_perhaps(title, there)}")
        elif there[title].kind not in kinds:
            problems.append(f"column {title!r} has the type {there[title].kind}; it has to be {' or '.join(kinds)}")
    holders = _holders(client, sheet_id, columns)
    return problems + [f"column {title!r} holds the finding keys; name it {KEY!r} again" for title in holders]


def _found(client: Smartsheet, sheet_id: str, columns: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """row id -> its disposition, by key: all rows that are ours."""
    key, disposition = columns[KEY][0], columns[DISPOSITION][0]
    found: dict[str, dict[str, str]] = {}
    for row_id, cells in client.cells(sheet_id, [key, disposition]).items():
        text = (cells.get(key) or "").strip()
        if text:
            found.setdefault(text, {})[row_id] = (cells.get(disposition) or "").strip()
    return found


def _kept(
    found: Mapping[str, Mapping[str, str]], ours: set[str], known: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The row that stays, by key, and the rows to delete: those of our keys that stand there again, undisposed."""
    kept: dict[str, str] = {}
    surplus: list[str] = []
    for key, rows in found.items():
        disposed = [row_id for row_id, disposition in rows.items() if disposition]
        first = known[key] if known.get(key) in rows else next(iter(rows))
        kept[key] = disposed[0] if disposed and first not in disposed else first
        if key in ours:
            surplus += [row_id for row_id in rows if row_id != kept[key] and row_id not in disposed]
    return kept, surplus


def _send(
    client: Smartsheet,
    sheet_id: str,
    columns: Mapping[str, tuple[str, str]],
    palette: Sequence[str],
    done: _Done,
    work: tuple[list[LogRow], list[LogRow], list[str]],
    kept: Mapping[str, str],
) -> None:
    absent, stale, surplus = work
    for part in _parts(stale):
        client.update_rows(sheet_id, [wire_row(row, columns, palette, kept[row.key]) for row in part])
        done.updated.update(row.key for row in part)
    for top in (False, True):
        parts = list(_parts([row for row in absent if row.top == top]))
        for part in reversed(parts) if top else parts:  # the last one that goes to the top stands first
            done.inserted.update(row.key for row in part)  # what of it arrived is read, never assumed
            client.add_rows(sheet_id, [wire_row(row, columns, palette) for row in part], top=top)
    if surplus:
        client.delete_rows(sheet_id, surplus)
        done.deleted.update(surplus)


def _written(
    found: Mapping[str, Mapping[str, str]],
    wanted: Mapping[str, LogRow],
    kept: Mapping[str, str],
    done: _Done,
    left: tuple[int, int, int],
) -> Written:
    told = {key: [text for text in rows.values() if text] for key, rows in found.items()}
    return Written(
        row_ids={key: kept[key] for key in wanted if key in kept},
        dispositions={key: texts[0] if texts else "" for key, texts in told.items()},
        inserted=len(done.inserted) + left[0],
        updated=len(done.updated) + left[1],
        deleted=len(done.deleted) + left[2],
        twice=tuple(key for key, rows in found.items() if key in wanted and len(rows) > 1 and len(told[key]) > 1),
    )


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


def _perhaps(title: str, there: Mapping[str, Column]) -> str:
    alike = nearest(title, [found for found in there if found not in COLUMNS])
    return f"; is it {alike!r}?" if alike else ""


def _holders(client: Smartsheet, sheet_id: str, columns: Sequence[Column]) -> list[str]:
    """Where `Finding Key` is missing: the titles of columns that hold such keys, because it was renamed."""
    if KEY in {column.title for column in columns}:
        return []
    titles = {column.column_id: column.title for column in columns if column.title not in COLUMNS}
    rows = client.cells(sheet_id, list(titles)) if titles else {}
    holding = {
        column for cells in rows.values() for column, text in cells.items() if text and _FINDING_KEY.fullmatch(text)
    }
    return [title for column_id, title in titles.items() if column_id in holding]
