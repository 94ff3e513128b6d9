"""What a system answered, read field by field: every number as text, and another shape than expected as an error.

What belongs here: reading a JSON document, and the frame of a listing. What does not: HTTP (upstream), the fields of a
single system (directory, tickets, backups). Source: spec 2.1-2.3; quirk Q39.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import LISTINGS


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document, and which call gave it. Every number in it is text: nothing becomes a float."""

    where: str  # "Freshservice: GET /api/v2/departments"
    document: Any
    more: bool = False  # a Link header names a next page

    def rows(self, *names: str) -> list[dict[str, Any]]:
        """The records in the list of the first of these names that is there; without names, in the document itself."""
        found = self.document
        if names:
            here = [name for name in names if isinstance(found, dict) and name in found]
            found = found[here[0]] if here else None
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise self.misshapen(f"a list `{names[0]}`" if names else "a list of records")
        return found

    def record(self, name: str) -> dict[str, Any]:
        """The record of this name."""
        found = self.document.get(name) if isinstance(self.document, dict) else None
        if not isinstance(found, dict):
            raise self.misshapen(f"a record `{name}`")
        return found

    def text(self, record: Mapping[str, Any], *path: str, required: bool = False) -> str | None:
        """The value below these names as text; yes and no of a boolean, null of null and of what is not there.

        A `required` name that is not there, or a list or record instead of a value, is UpstreamError.
        """
        value: Any = record
        for name in path:
            if not isinstance(value, dict) or (required and name not in value):
                raise self.misshapen(f"`{'.'.join(path)}`")
            value = value.get(name)
            if value is None:
                return None
        if isinstance(value, (dict, list)):
            raise self.misshapen(f"a plain value `{'.'.join(path)}`")
        if isinstance(value, bool):
            return "yes" if value else "no"
        return str(value).encode("utf-8", "replace").decode()  # half a character has no place in a frame

    def number(self, record: Mapping[str, Any], *path: str) -> int | None:
        """A whole number the system counts by, if it gives one."""
        text = self.text(record, *path)
        return int(text) if text is not None and text.isdecimal() else None

    def misshapen(self, missing: str) -> UpstreamError:
        """The document is of another shape: permanent."""
        return UpstreamError(f"{self.where} gave an answer without {missing}: its interface changed", permanent=True)

    def incomplete(self, given: int, said: int) -> UpstreamError:
        """There are fewer records than the system says: transient."""
        return UpstreamError(f"{self.where} gave {given} records and says there are {said}", permanent=False)


def listing(name: str, rows: Iterable[Mapping[str, str | None]]) -> pl.DataFrame:
    """The rows as a listing from a source: its columns in their order, all text."""
    return pl.DataFrame(list(rows), schema=dict.fromkeys(LISTINGS[name], pl.String))
