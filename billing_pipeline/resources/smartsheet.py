"""Smartsheet written: rows, columns and files. A client for a dry run has no way to write.

What belongs here: the calls of the API that write. What does not: those that read (smartsheet_reading), what is
written and how often (log_sheet, log_report). A POST is sent once: UnclearWriteError when its outcome is not known.
Source: spec 7.2, 7.4, 7.6; Q18, Q24.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from smartsheet import models

from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.resources.smartsheet_answers import id_of
from billing_pipeline.resources.smartsheet_client import PATIENT, Call, Pace, UnclearWriteError
from billing_pipeline.resources.smartsheet_reading import SmartsheetReading
from billing_pipeline.resources.upstream_answers import Answer

MOST_ROWS = 500  # in one request, as the API has it
_MOST_BYTES = 30 * 1000 * 1000  # of a file
_DELETED_AT_ONCE = 200  # rows; their ids stand in the address
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class DryRunError(BillingError):
    """Asked to write in a dry run."""


class Smartsheet(SmartsheetReading):
    """An account of Smartsheet that is read and written. Ids are texts."""

    def add_rows(self, sheet_id: str, rows: Sequence[Mapping[str, Any]], *, top: bool) -> None:
        """Insert up to 500 rows ({"cells": [...]}) in their order, above or below all others."""
        wire = [{"toTop" if top else "toBottom": True, **row} for row in rows]
        answer = self._write("add rows to", sheet_id, len(wire), lambda sdk: sdk.Sheets.add_rows(sheet_id, wire))
        added = answer.document.get("result")
        if not isinstance(added, list) or len(added) != len(wire):
            raise UnclearWriteError(f"{answer.where} did not give the {len(wire)} rows that were sent")

    def update_rows(self, sheet_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Set cells of up to 500 rows ({"id": ..., "cells": [...]}); other cells stay as they are."""
        wire = [dict(row) for row in rows]
        self._write(
            "update rows of", sheet_id, len(wire), lambda sdk: sdk.Sheets.update_rows(sheet_id, wire), repeatable=True
        )

    def delete_rows(self, sheet_id: str, row_ids: Sequence[str]) -> None:
        """Delete rows; those that are gone already are no error."""
        for start in range(0, len(row_ids), _DELETED_AT_ONCE):
            self._delete(sheet_id, list(row_ids[start : start + _DELETED_AT_ONCE]))

    def add_columns(self, sheet_id: str, columns: Mapping[str, str], place: int) -> None:
        """Add columns (title: type) at this place from the left, the first is 0."""
        wire = [{"title": title, "type": kind, "index": place} for title, kind in columns.items()]
        self._write("add columns to", sheet_id, len(wire), lambda sdk: sdk.Sheets.add_columns(sheet_id, wire))

    def attach(self, sheet_id: str, row_id: str, name: str, content: bytes) -> str:
        """Attach a workbook to a row; its id."""
        file = _file(name, content)
        return self._attached(sheet_id, lambda sdk: sdk.Attachments.attach_file_to_row(sheet_id, row_id, file))

    def attach_version(self, sheet_id: str, attachment_id: str, name: str, content: bytes) -> str:
        """Put a new version in the place of an attached workbook; the version's id."""
        file = _file(name, content)
        return self._attached(sheet_id, lambda sdk: sdk.Attachments.attach_new_version(sheet_id, attachment_id, file))

    def delete_attachment(self, sheet_id: str, attachment_id: str) -> None:
        """Delete an attached file with all of its versions."""
        self._write(
            "delete an attachment of",
            sheet_id,
            1,
            lambda sdk: sdk.Attachments.delete_attachment(sheet_id, attachment_id),
        )

    def _attached(self, sheet_id: str, call: Call) -> str:
        answer = self._write("attach a file to", sheet_id, 1, call)
        return id_of(answer, answer.record("result"))

    def _write(self, what: str, sheet_id: str, count: int, call: Call, *, repeatable: bool = False) -> Answer:  # noqa: ARG002
        return self._client.write(f"{what} sheet {sheet_id}", call, models.Result, repeatable=repeatable)

    def _delete(self, sheet_id: str, row_ids: list[str]) -> None:
        call: Call = lambda sdk: sdk.Sheets.delete_rows(sheet_id, row_ids, ignore_rows_not_found=True)  # noqa: E731
        self._write("delete rows of", sheet_id, len(row_ids), call, repeatable=True)


class DryRun(Smartsheet):
    """An account that is read and cannot be written to. `would`: the rows, columns, files it was asked to write."""

    dry = True

    def __init__(self, token: str, base: str, *, pace: Pace = PATIENT) -> None:
        super().__init__(token, base, pace=pace)
        self.would: Counter[str] = Counter()

    def _write(self, what: str, sheet_id: str, count: int, call: Call, *, repeatable: bool = False) -> NoReturn:  # noqa: ARG002
        self.would[what] += count
        raise DryRunError(f"dry run: did not {what} sheet {sheet_id} ({count})")


def _file(name: str, content: bytes) -> tuple[str, bytes, str]:
    if len(content) > _MOST_BYTES:
        raise InputError(f"{name} has {len(content):,} bytes; Smartsheet takes no file above {_MOST_BYTES:,}")
    return name, content, _XLSX
