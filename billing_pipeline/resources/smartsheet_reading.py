"""Smartsheet read: sheets, cells' histories and folders, whole or not at all.

What belongs here: the calls of the API that read, and that nothing is missing from what they gave. What does not:
time-outs and retries (smartsheet_client), what a cell means (audit_sheets and the engine), writing (smartsheet).
Source: spec 1.1, 1.3, 7.4, 7.6; Q6, Q37, Q40.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from smartsheet import models

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.resources.audit_sheets import (
    SheetRead,
    SourceRow,
    matched,
    revisions,
    sheet_read,
)
from billing_pipeline.resources.smartsheet_answers import (
    Attachment,
    Column,
    all_of,
    at_of,
    cells_of,
    columns_of,
    id_of,
    number_of,
    person_of,
    value_of,
)
from billing_pipeline.resources.smartsheet_client import PATIENT, Call, Pace, SmartsheetClient
from billing_pipeline.resources.upstream_answers import Answer

_DEPTH = 5  # folders in folders that are followed
_MOST_PAGES = 100  # of one folder
_READINGS = 3  # of a sheet that changes while it is read


@dataclass(frozen=True, slots=True)
class _Whole:
    """A sheet's columns that were asked for and all of its rows, of one version."""

    name: str
    version: int
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    answer: Answer


class SmartsheetReading:
    """What can be read of an account of Smartsheet. Ids are texts; every method raises UpstreamError."""

    dry = False

    def __init__(self, token: str, base: str, *, pace: Pace = PATIENT) -> None:
        self._client = SmartsheetClient(token, base, pace=pace, writes=not self.dry)
        self._mapped: dict[str, dict[str, str]] = {}  # sheet -> logical column -> column id

    def sheets_in(self, folders: Iterable[str]) -> dict[str, str]:
        """The names of all sheets in these folders and in theirs, five floors down, by id. Source: spec 1.1."""
        found: dict[str, str] = {}
        seen: set[str] = set()
        floor = list(dict.fromkeys(folders))
        for _ in range(_DEPTH + 1):
            below: list[str] = []
            for folder in floor:
                seen.add(folder)
                for kind, child, name in self._children(folder):
                    if kind == "sheet":
                        found.setdefault(child, name)
                    elif child not in seen:
                        below.append(child)
            floor = list(dict.fromkeys(below))
        return found

    def version(self, sheet_id: str) -> int:
        """The sheet's version; recalculated or linked values may change without it. Source: spec 9.2."""
        answer = self._read(
            f"version of sheet {sheet_id}", lambda sdk: sdk.Sheets.get_sheet_version(sheet_id), models.Version
        )
        return number_of(answer, answer.document, "version")

    def columns(self, sheet_id: str) -> tuple[Column, ...]:
        """The columns of a sheet, from left to right, without its rows. Source: Q40."""
        answer = self._read(
            f"columns of sheet {sheet_id}",
            lambda sdk: sdk.Sheets.get_columns(sheet_id, include_all=True),
            models.IndexResult,
        )
        return columns_of(answer, all_of(answer))

    def sheet(self, sheet_id: str) -> SheetRead:
        """All rows of a sheet with the cells of its known columns. Source: spec 1.2, 1.3; Q6, Q22."""
        known = _known(self.columns(sheet_id))
        whole = self._whole(sheet_id, [column.column_id for column in known.values()])
        places = {name: column.column_id for name, column in _known(whole.columns).items()}
        self._mapped[sheet_id] = places
        rows = [_source_row(whole.answer, row, places) for row in whole.rows]
        return sheet_read(sheet_id, whole.name, whole.version, places, rows, len(rows))

    def cells(self, sheet_id: str, column_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """The text of these columns' cells by row id, top down, by column id."""
        whole = self._whole(sheet_id, column_ids)
        return {id_of(whole.answer, row): cells_of(whole.answer, row) for row in whole.rows}

    def history(self, sheet_id: str, row_id: str, column: str) -> pl.DataFrame:
        """The revisions of a cell in a column of COLUMNS; at most 30 calls a minute. Source: spec 7.4, 7.6."""
        places = self._mapped.get(sheet_id)
        if places is None:
            known = _known(self.columns(sheet_id))
            places = self._mapped[sheet_id] = {name: found.column_id for name, found in known.items()}
        if column not in places:
            raise UpstreamError(f"Smartsheet: sheet {sheet_id} has no column for {column}", permanent=True)
        answer = self._client.read(
            f"history of row {row_id} in sheet {sheet_id}",
            lambda sdk: sdk.Cells.get_cell_history(sheet_id, row_id, places[column], include_all=True),
            models.IndexResult,
            history=True,
        )
        found = ((at_of(answer, one), value_of(one), person_of(answer, one)) for one in all_of(answer))
        return revisions(sheet_id, row_id, column, found)

    def palette(self) -> list[str]:
        """The colours a cell's format can name by their place, as `#RRGGBB`, `none` or `transparent`. Source: 7.5."""
        answer = self._read("its tables of formats", lambda sdk: sdk.Server.server_info(), models.ServerInfo)
        colours = answer.record("formats").get("color")
        if not isinstance(colours, list) or not any(str(colour).startswith("#") for colour in colours):
            raise answer.misshapen("a list `formats.color`")
        return [str(colour) for colour in colours]

    def attachments(self, sheet_id: str, row_id: str) -> list[Attachment]:
        """The files at a row, in the newest version each."""
        answer = self._read(
            f"attachments of row {row_id} in sheet {sheet_id}",
            lambda sdk: sdk.Attachments.list_row_attachments(sheet_id, row_id, include_all=True),
            models.IndexResult,
        )
        return [
            Attachment(id_of(answer, file), answer.text(file, "name") or "", answer.text(file, "createdAt") or "")
            for file in all_of(answer)
        ]

    def pause(self, seconds: float) -> None:
        """Wait, for instance until a write that may be under way is done."""
        self._client.pace.sleep(seconds)

    def _read(self, what: str, call: Call, expected: type) -> Answer:
        return self._client.read(what, call, expected)

    def _children(self, folder: str) -> Iterable[tuple[str, str, str]]:
        """(sheet or folder, id, name) of what a folder holds, all pages of it."""
        keys: list[str] = []
        while len(keys) < _MOST_PAGES:
            answer = self._children_after(folder, keys[-1] if keys else None)
            for child in answer.rows("data"):
                kind = (answer.text(child, "resourceType") or "").lower()
                yield kind, id_of(answer, child), answer.text(child, "name") or ""
            following = answer.text(answer.document, "lastKey")
            if not following:
                return
            if following in keys:
                raise UpstreamError(f"{answer.where} goes round in circles", permanent=False)
            keys.append(following)
        raise UpstreamError(f"Smartsheet: folder {folder} has more than {_MOST_PAGES} pages", permanent=True)

    def _children_after(self, folder: str, key: str | None) -> Answer:
        kinds = ["sheets", "folders"]
        return self._read(
            f"children of folder {folder}",
            lambda sdk: sdk.Folders.get_folder_children(folder, children_resource_types=kinds, last_key=key),
            models.PaginatedChildrenResult,
        )

    def _whole(self, sheet_id: str, column_ids: Sequence[str]) -> _Whole:
        for _ in range(_READINGS):
            whole = self._pages(sheet_id, column_ids)
            if whole:
                return whole
        raise UpstreamError(f"Smartsheet: sheet {sheet_id} changed while it was read", permanent=False)

    def _pages(self, sheet_id: str, column_ids: Sequence[str]) -> _Whole | None:
        """All pages of a sheet; None when it changed between two of them."""
        rows: dict[str, dict[str, Any]] = {}
        version, page = None, 0
        while True:
            page += 1
            answer = self._page(sheet_id, column_ids, page)
            found = number_of(answer, answer.document, "version")
            if version not in {None, found}:
                return None
            version = found
            given, said = answer.rows("rows"), number_of(answer, answer.document, "totalRowCount")
            before = len(rows)
            rows.update({id_of(answer, row): row for row in given})
            if len(rows) != before + len(given) or len(rows) > said or (not given and len(rows) < said):
                raise answer.incomplete(len(rows), said)
            if len(rows) == said:
                name, columns = answer.text(answer.document, "name") or "", columns_of(answer, answer.rows("columns"))
                return _Whole(name, found, columns, list(rows.values()), answer)

    def _page(self, sheet_id: str, column_ids: Sequence[str], page: int) -> Answer:
        """By the SDK's pass-through: its models take a second for ten thousand cells, and make floats of numbers."""
        asked = {"include": "rowPermalink,writerInfo", "pageSize": str(self._client.pace.page), "page": str(page)}
        if column_ids:
            asked["columnIds"] = ",".join(column_ids)
        return self._read(
            f"sheet {sheet_id}", lambda sdk: sdk.Passthrough.get(f"/sheets/{sheet_id}", asked), models.JSONObject
        )


def _known(columns: Sequence[Column]) -> dict[str, Column]:
    places = matched([column.title for column in columns], [column.kind for column in columns])
    return {name: columns[place] for name, place in places.items()}


def _source_row(answer: Answer, row: dict[str, Any], places: Mapping[str, str]) -> SourceRow:
    cells = cells_of(answer, row)
    return SourceRow(
        id_of(answer, row),
        number_of(answer, row, "rowNumber"),
        at_of(answer, row),
        person_of(answer, row),
        answer.text(row, "permalink") or "",
        {name: cells.get(column_id) for name, column_id in places.items()},
    )
