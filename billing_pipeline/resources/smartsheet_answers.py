"""The records in Smartsheet's answers: columns, cells, times, people. Nothing that is missing is taken for nothing.

What belongs here: reading one record. What does not: the calls that gave it (smartsheet). Source: spec 7.4; Q20, Q37.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_pipeline.resources.audit_sheets import cell_text, instant
from billing_pipeline.resources.upstream_answers import Answer


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet."""

    column_id: str
    title: str
    kind: str  # TEXT_NUMBER, DATE, CONTACT_LIST, ...


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at a row, its newest version."""

    attachment_id: str
    name: str
    created_at: str


def cells_of(answer: Answer, row: dict[str, Any]) -> dict[str, str | None]:
    """The texts of a row's cells by column id."""
    cells = row.get("cells")
    if not isinstance(cells, list):
        raise answer.misshapen("a list `cells`")
    return {id_of(answer, cell, "columnId"): value_of(cell) for cell in cells}


def value_of(cell: Mapping[str, Any]) -> str | None:
    """Source: spec 1.3: what is shown, where there is no value."""
    value = cell_text(cell.get("value"))
    return cell_text(cell.get("displayValue")) if value is None else value


def columns_of(answer: Answer, found: Iterable[dict[str, Any]]) -> tuple[Column, ...]:
    """The columns of these records."""
    return tuple(
        Column(id_of(answer, column), answer.text(column, "title") or "", answer.text(column, "type") or "")
        for column in found
    )


def all_of(answer: Answer) -> list[dict[str, Any]]:
    """The records of a list that was asked for as a whole; UpstreamError when it has fewer than it says."""
    found, said = answer.rows("data"), answer.number(answer.document, "totalCount")
    if said is not None and said != len(found):
        raise answer.incomplete(len(found), said)
    return found


def id_of(answer: Answer, record: Mapping[str, Any], name: str = "id") -> str:
    """An id as text: it has 16 digits."""
    return str(number_of(answer, record, name))


def number_of(answer: Answer, record: Any, name: str) -> int:
    """A whole number that has to be there."""
    found = answer.number(record, name)
    if found is None:
        raise answer.misshapen(f"a number `{name}`")
    return found


def at_of(answer: Answer, record: Mapping[str, Any]) -> datetime:
    """When the record was changed, in UTC."""
    try:
        return instant(answer.text(record, "modifiedAt", required=True) or "")
    except ValueError:
        raise answer.misshapen("a time `modifiedAt`") from None


def person_of(answer: Answer, record: Mapping[str, Any]) -> str:
    """Source: Q20: what is not known stays blank."""
    return answer.text(record, "modifiedBy", "email") or answer.text(record, "modifiedBy", "name") or ""
