"""The published decision file (billing_overrides.json), read and validated as a whole.

A decision file belongs to exactly one usage file (its SHA-256). Rows are named by `row_index`, the place in pricing
order of the untouched file. Source: spec 3.3, 3.4, Q29 to Q34, Q65.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.cells import parse_dates, parse_months
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.decisions import DATED, MOVED, no_decisions

ACTIONS = ("keep", "remove", "reassign", "set_date", "set_date_and_reassign")


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision of the file; `positions` are the rows it names, `number` its place in the list, from 1."""

    number: int
    flag_id: str
    action: str
    scope: str
    positions: tuple[int, ...]
    set_date: str = ""
    partner_name: str = ""
    partner_id: str = ""


def read_decisions(
    data: bytes, name: str, usage_sha256: str, rows: int, period: Period, *, required: bool = True
) -> pl.DataFrame:
    """The decisions of a decision file as apply_decisions() takes them: one row per decided usage row, in its order.

    A file that nobody asked for (`required` false) and that names another month has no decisions for this one; for
    everything else see read_entries.
    """
    entries = read_entries(data, name, usage_sha256, rows, period, required=required)
    return pl.DataFrame(list(_rows(entries)), schema=no_decisions().schema, orient="row")


def read_entries(
    data: bytes, name: str, usage_sha256: str, rows: int, period: Period, *, required: bool = True
) -> list[Entry]:
    """The entries of a decision file. `rows` is the number of rows of the usage file.

    InputError lists every entry that cannot be taken, and a file made for another usage file, or for none (Q65).
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"is not JSON: {error}", file=name)) from None
    if not isinstance(document, dict) or not isinstance(document.get("decisions", []), list):
        raise InputError(
            Problem('is not a decision file: expected {"usage_file_sha256": ..., "decisions": [...]}', name)
        )
    saved = str(document.get("usage_file_sha256") or "")
    if not saved:
        raise InputError(Problem("names no usage_file_sha256, so it cannot be matched to a usage file", file=name))
    if saved != usage_sha256:
        if not required and _is_of_another_month(document.get("for_month"), period):
            return []
        message = (
            f"Billing overrides were created for a different usage file (expected {usage_sha256[:16]}…, "
            f"got {saved[:16]}…). Re-run the pre-scan to generate fresh overrides."
        )
        raise InputError(Problem(message, file=name))
    read = [_entry(number, entry, rows) for number, entry in enumerate(document.get("decisions", []), 1)]
    problems = [
        Problem(f"decision {number}: {found}", file=name)
        for number, found in enumerate(read, 1)
        if isinstance(found, str)
    ]
    if problems:
        raise InputError(problems)
    return [entry for entry in read if isinstance(entry, Entry)]


def _rows(entries: list[Entry]) -> Iterator[tuple[int | str | None, ...]]:
    for entry in entries:
        texts = (entry.set_date or None, entry.partner_name or None, entry.partner_id or None, None, None)
        for position in entry.positions:
            yield position, entry.flag_id, entry.action, *texts


def _is_of_another_month(text: object, period: Period) -> bool:
    months = parse_months(pl.Series([str(text or "")]))["value"]
    return months[0] is not None and months[0] != period.first


def _entry(number: int, entry: object, rows: int) -> Entry | str:
    """An entry, or what is wrong with it."""
    if not isinstance(entry, dict):
        return "is not an object"
    action, scope = entry.get("action") or "keep", entry.get("scope") or "row"
    if action not in ACTIONS:
        return f"action {action!r} is not one of {', '.join(ACTIONS)}"
    if scope not in ("row", "partner"):
        return f"scope {scope!r} is neither row nor partner"
    places = entry.get("affected_row_indices") if scope == "partner" else [entry.get("row_index")]
    if not isinstance(places, list) or not places:
        return f"scope {scope} names no rows"
    outside = [p for p in places if not isinstance(p, int) or isinstance(p, bool) or not 0 <= p < rows]
    if outside:
        return f"row_index {outside[0]!r} is not a row of the usage file (0 to {rows - 1})"
    date = str(entry.get("set_date") or "").strip() if action in DATED else ""
    name = str(entry.get("reassign_to_partner_name") or "").strip() if action in MOVED else ""
    identifier = str(entry.get("reassign_to_partner_id") or "").strip() if action in MOVED else ""
    if action in DATED and parse_dates(pl.Series([date], dtype=pl.String))["value"][0] is None:
        return f"set_date {date!r} is not a date"
    if action in MOVED and not name:
        return "reassign names no partner (reassign_to_partner_name)"
    return Entry(number, str(entry.get("flag_id") or ""), action, scope, tuple(places), date, name, identifier)
