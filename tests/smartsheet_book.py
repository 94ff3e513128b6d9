"""What a Smartsheet keeps, and what its API does with it: sheets with their cells' history, folders, attachments.

What belongs here: the state and the routes. What does not: HTTP (smartsheet_api).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

ROBOT = {"name": "Billing Robot", "email": "robot@example.com"}
PALETTE = [
    "none", "#000000", "#FFFFFF", "transparent", "#FEEEF0", "#FFF3DF", "#FFFEE6", "#E7F5E9", "#E6F5FE", "#F4E4F5",
    "#F2E8DE", "#FFCCD2", "#FFE1AF", "#FEFF85", "#C6E7C8", "#B9DDFC", "#EBC7EF", "#EEDCCA", "#E5E5E5", "#F87E7D",
    "#FFCD7A", "#FEFF00", "#7ED085", "#5FB3F9", "#D190DA", "#D0AF8F", "#BDBDBD", "#EA352E", "#FF8D00", "#FFED00",
    "#40B14B", "#1061C3",
]  # fmt: skip
_MOST_ROWS = 500


class RefusedError(Exception):
    """An answer that is no success."""


@dataclass
class SheetBook:
    """A sheet as Smartsheet keeps it; `rows` in their order, cells and formats by column id."""

    sheet_id: int
    name: str
    ids: Iterator[int]
    version: int = 1
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[int, list[list[dict[str, Any]]]] = field(default_factory=dict)  # row -> files -> versions, newest last
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def column(self, title: str) -> int:
        return next(column["id"] for column in self.columns if column["title"] == title)

    def add(self, **by_title: Any) -> int:
        """A row that a person typed: a title's spaces and signs may be left out of its name; its id."""
        return self.insert({self._like(name): value for name, value in by_title.items()}, {}, "person@example.com")

    def edit(self, row_id: int, title: str, value: Any, by: str = "person@example.com", at: str = "") -> None:
        """A person changes a cell."""
        if at:
            self.now = datetime.fromisoformat(at)
        row = next(row for row in self.rows if row["id"] == row_id)
        self.set(row, {self.column(title): value}, {}, {"name": by.partition("@")[0], "email": by})

    def rename(self, title: str, new: str) -> None:
        next(column for column in self.columns if column["title"] == title)["title"] = new

    def table(self, *titles: str) -> list[tuple[Any, ...]]:
        """The values of these columns, top down."""
        return [tuple(row["values"].get(self.column(title)) for title in titles) for row in self.rows]

    def insert(self, values: Mapping[int, Any], formats: Mapping[int, str], by: str, place: int | None = None) -> int:
        row = {"id": next(self.ids), "values": {}, "formats": {}}
        self.rows.insert(len(self.rows) if place is None else place, row)
        self.set(row, values, formats, {"name": by.partition("@")[0], "email": by})
        return int(row["id"])

    def set(self, row: dict[str, Any], values: Mapping[int, Any], formats: Mapping[int, str], by: Any) -> None:
        self.version += 1
        self.now += timedelta(seconds=1)
        at = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        row.update(modifiedAt=at, modifiedBy=by)
        row["formats"].update(formats)
        for column, value in values.items():
            row["values"][column] = value
            revision = {"columnId": column, "modifiedAt": at, "modifiedBy": by}
            told = {} if value in {None, ""} else {"value": value, "displayValue": str(value)}
            self.histories.setdefault((row["id"], column), []).insert(0, revision | told)

    def _like(self, name: str) -> int:
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        return next(c["id"] for c in self.columns if re.sub(r"[^a-z0-9]", "", c["title"].lower()) == plain)


class Account:
    """An account of Smartsheet: `sheets` and `folders` by id, `contents` of attachments by the id of the version."""

    def __init__(self) -> None:
        self.sheets: dict[int, SheetBook] = {}
        self.folders: dict[int, list[tuple[str, int, str]]] = {}
        self.contents: dict[int, bytes] = {}
        self.palette = list(PALETTE)
        self.folder_page = 2
        self._ids = count(4_000_000_000_000_001)

    def sheet(self, name: str, columns: Sequence[tuple[str, str]]) -> SheetBook:
        """A new sheet with these columns (title, type)."""
        book = SheetBook(self.new_id(), name, self._ids)
        book.columns = [{"id": self.new_id(), "title": title, "type": kind} for title, kind in columns]
        self.sheets[book.sheet_id] = book
        return book

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """What the API gives for a request; RefusedError, and AssertionError for what it would not take."""
        for verb, pattern, act in _ROUTES:
            found = re.fullmatch(pattern, path)
            if verb == method and found:
                return act(self, [int(part) for part in found.groups()], query, body)
        raise RefusedError("404")

    def book(self, sheet_id: int) -> SheetBook:
        if sheet_id not in self.sheets:
            raise RefusedError("404")
        return self.sheets[sheet_id]

    def new_id(self) -> int:
        return next(self._ids)


def _sheet(api: Account, ids: list[int], query: Mapping[str, str], _: Any) -> Any:
    book = api.book(ids[0])
    only = [int(column) for column in query["columnIds"].split(",")] if "columnIds" in query else None
    columns = [c | {"index": i} for i, c in enumerate(book.columns) if only is None or c["id"] in only]
    size, page = int(query.get("pageSize", 100)), int(query.get("page", 1))
    rows = list(enumerate(book.rows, start=1))[size * (page - 1) : size * page]
    include = query.get("include", "").split(",")
    told = [_row(book, row, number, [c["id"] for c in columns], include) for number, row in rows]
    head = {"id": book.sheet_id, "name": book.name, "version": book.version, "totalRowCount": len(book.rows)}
    return {**head, "columns": columns, "rows": told}


def _row(book: SheetBook, row: dict[str, Any], number: int, columns: list[int], include: list[str]) -> Any:
    cells = []
    for column in columns:
        value, form = row["values"].get(column), row["formats"].get(column)
        cell = {"columnId": column} | ({} if value in {None, ""} else {"value": value, "displayValue": str(value)})
        cells.append(cell | ({"format": form} if form and "format" in include else {}))
    told = {"id": row["id"], "rowNumber": number, "modifiedAt": row["modifiedAt"], "cells": cells}
    if "writerInfo" in include:
        told["modifiedBy"] = row["modifiedBy"]
    if "rowPermalink" in include:
        told["permalink"] = f"https://app.smartsheet.com/sheets/s{book.sheet_id}?rowId={row['id']}"
    return told


def _version(api: Account, ids: list[int], *_: Any) -> Any:
    return {"version": api.book(ids[0]).version}


def _columns(api: Account, ids: list[int], *_: Any) -> Any:
    return _list([column | {"index": place} for place, column in enumerate(api.book(ids[0]).columns)])


def _add_columns(api: Account, ids: list[int], _: Any, body: Any) -> Any:
    book = api.book(ids[0])
    assert len({column["index"] for column in body}) == 1, "all columns of a request have one index"
    added = [{"id": api.new_id(), "title": column["title"], "type": column["type"]} for column in body]
    book.columns[body[0]["index"] : body[0]["index"]] = added
    book.version += 1
    return _success(book, added)


def _history(api: Account, ids: list[int], *_: Any) -> Any:
    return _list(api.book(ids[0]).histories.get((ids[1], ids[2]), []))


def _checked(book: SheetBook, row: dict[str, Any]) -> tuple[dict[int, Any], dict[int, str]]:
    kinds = {column["id"]: column["type"] for column in book.columns}
    for cell in row["cells"]:
        assert "value" in cell, "1012: Required object attribute(s) are missing: cell.value"
        value = cell["value"]
        if kinds[cell["columnId"]] == "DATE" and value:
            datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007
        if kinds[cell["columnId"]] == "CONTACT_LIST" and value:
            assert "@" in value, "1041: the value is no e-mail"
        assert len(str(value)) <= 4000, "1041: the value is too long"
    values = {cell["columnId"]: cell["value"] for cell in row["cells"]}
    return values, {cell["columnId"]: cell["format"] for cell in row["cells"] if "format" in cell}


def _add_rows(api: Account, ids: list[int], _: Any, body: Any) -> Any:
    book = api.book(ids[0])
    assert len(body) <= _MOST_ROWS, "too many rows in one request"
    tops = {row.get("toTop", False) for row in body}
    assert len(tops) == 1, "all rows of a request have one location"
    added = []
    for place, row in enumerate(body):
        values, formats = _checked(book, row)
        added.append({"id": book.insert(values, formats, ROBOT["email"], place if tops == {True} else None)})
    return _success(book, added)


def _update_rows(api: Account, ids: list[int], _: Any, body: Any) -> Any:
    book = api.book(ids[0])
    assert len(body) <= _MOST_ROWS, "too many rows in one request"
    rows = {row["id"]: row for row in book.rows}
    if any(row["id"] not in rows for row in body):
        raise RefusedError("404")
    for row in body:
        values, formats = _checked(book, row)
        book.set(rows[row["id"]], values, formats, ROBOT)
    return _success(book, [{"id": row["id"]} for row in body])


def _delete_rows(api: Account, ids: list[int], query: Mapping[str, str], _: Any) -> Any:
    book, gone = api.book(ids[0]), [int(row) for row in query["ids"].split(",")]
    book.rows = [row for row in book.rows if row["id"] not in gone]
    book.version += 1
    return _success(book, gone)


def _attachments(api: Account, ids: list[int], *_: Any) -> Any:
    return _list([versions[-1] for versions in api.book(ids[0]).files.get(ids[1], [])])


def _attach(api: Account, ids: list[int], _: Any, body: Any) -> Any:
    file = _stored(api, body)
    api.book(ids[0]).files.setdefault(ids[1], []).append([file])
    return _success(api.book(ids[0]), file)


def _attach_version(api: Account, ids: list[int], _: Any, body: Any) -> Any:
    file = _stored(api, body)
    _versions(api, ids).append(file)
    return _success(api.book(ids[0]), file)


def _detach(api: Account, ids: list[int], *_: Any) -> Any:
    versions, book = _versions(api, ids), api.book(ids[0])
    for files in book.files.values():
        if versions in files:
            files.remove(versions)
    return _success(book, None)


def _versions(api: Account, ids: list[int]) -> list[dict[str, Any]]:
    for files in api.book(ids[0]).files.values():
        for versions in files:
            if any(version["id"] == ids[1] for version in versions):
                return versions
    raise RefusedError("404")


def _stored(api: Account, body: Any) -> dict[str, Any]:
    name, content = body
    file = {"id": api.new_id(), "name": name, "attachmentType": "FILE", "createdAt": datetime.now(UTC).isoformat()}
    api.contents[file["id"]] = content
    return file


def _children(api: Account, ids: list[int], query: Mapping[str, str], _: Any) -> Any:
    if ids[0] not in api.folders:
        raise RefusedError("404")
    start = int(query.get("lastKey", 0))
    found = api.folders[ids[0]]
    end = start + api.folder_page
    page = [{"resourceType": kind, "id": child, "name": name} for kind, child, name in found[start:end]]
    return {"data": page} | ({"lastKey": str(end)} if end < len(found) else {})


def _server_info(api: Account, *_: Any) -> Any:
    return {"supportedLocales": ["en_US"], "formats": {"defaults": "", "color": api.palette}}


def _list(data: list[Any]) -> Any:
    return {"pageNumber": 1, "totalPages": 1, "totalCount": len(data), "data": data}


def _success(book: SheetBook, result: Any) -> Any:
    return {"message": "SUCCESS", "resultCode": 0, "version": book.version, "result": result}


_ROUTES = [
    ("GET", r"/sheets/(\d+)", _sheet),
    ("GET", r"/sheets/(\d+)/version", _version),
    ("GET", r"/sheets/(\d+)/columns", _columns),
    ("POST", r"/sheets/(\d+)/columns", _add_columns),
    ("GET", r"/sheets/(\d+)/rows/(\d+)/columns/(\d+)/history", _history),
    ("POST", r"/sheets/(\d+)/rows", _add_rows),
    ("PUT", r"/sheets/(\d+)/rows", _update_rows),
    ("DELETE", r"/sheets/(\d+)/rows", _delete_rows),
    ("GET", r"/sheets/(\d+)/rows/(\d+)/attachments", _attachments),
    ("POST", r"/sheets/(\d+)/rows/(\d+)/attachments", _attach),
    ("POST", r"/sheets/(\d+)/attachments/(\d+)/versions", _attach_version),
    ("DELETE", r"/sheets/(\d+)/attachments/(\d+)", _detach),
    ("GET", r"/folders/(\d+)/children", _children),
    ("GET", r"/serverinfo", _server_info),
]
