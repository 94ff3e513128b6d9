"""What the log sheet has to say of each finding, stored with the findings, and whether it says so already.

What belongs here: the entries, from pending to sent. What does not: the sheet, its columns and its vendor. An entry is
a whole row: a later one of the same finding replaces it, so that the sheet converges to one row per finding.
Source: spec 9.3 of the billing audit; Q10, Q11, Q19.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.errors import printable
from billing_pipeline.resources.bulk import texts, upsert
from billing_pipeline.resources.database.finding_tables import findings, log_outbox

PENDING, SENT = "pending", "sent"


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row the log sheet shall have: texts by column, and the id of the row that it has for the finding, if known."""

    finding_key: str
    payload: Mapping[str, str | None]
    payload_sha256: str
    row_id: str | None
    attempts: int = 0
    last_error: str = ""


def post(connection: sa.Connection, capability: str, rows: pl.DataFrame, at: datetime) -> int:
    """Store what the rows of findings shall say (finding_key and any columns), in the caller's transaction.

    Of those that say nothing new, none is sent again. Answers how many have to be sent. Source: Q19.
    """
    mine = log_outbox.c.capability == capability
    known = {row[0]: row[1] for row in connection.execute(_select("finding_key", "payload_sha256").where(mine))}
    common = {"capability": capability, "state": PENDING, "attempts": 0, "last_error": "", "at": at}
    keys, payloads = rows["finding_key"].to_list(), texts(rows.drop("finding_key"))
    entries = [
        {**common, "finding_key": key, "payload": payload, "payload_sha256": digest}
        for key, payload in zip(keys, payloads, strict=True)
        if known.get(key) != (digest := _digest(payload))
    ]
    upsert(connection, log_outbox, entries, ("payload", "payload_sha256", "state", "attempts", "last_error", "at"))
    return len(entries)


def waiting(connection: sa.Connection, capability: str, most: int = 500) -> list[LogRow]:
    """What has to be written, oldest first; of those that failed, the least often tried first."""
    return _entries(connection, capability, PENDING, most)


def sent(connection: sa.Connection, capability: str) -> list[LogRow]:
    """What the sheet should show by now: a row that a person deleted is seen by comparing."""
    return _entries(connection, capability, SENT)


def confirm(connection: sa.Connection, capability: str, written: Iterable[tuple[LogRow, str]], at: datetime) -> None:
    """The sheet has these rows under these ids. One that has something new to say since it was read stays pending."""
    done = [
        {"key": row.finding_key, "digest": row.payload_sha256, "row": row_id, "moment": at} for row, row_id in written
    ]
    if not done:
        return
    mine = (log_outbox.c.capability == capability) & (log_outbox.c.finding_key == sa.bindparam("key"))
    same = log_outbox.c.payload_sha256 == sa.bindparam("digest")
    values = {"state": SENT, "last_error": "", "at": sa.bindparam("moment")}
    connection.execute(log_outbox.update().where(mine, same).values(values), done)
    finding = (findings.c.capability == capability) & (findings.c.finding_key == sa.bindparam("key"))
    connection.execute(findings.update().where(finding).values(log_row_id=sa.bindparam("row")), done)


def failed(connection: sa.Connection, capability: str, keys: Iterable[str], error: str, at: datetime) -> None:
    """An attempt to write these rows failed, or nobody knows; they stay pending."""
    values = {"attempts": log_outbox.c.attempts + 1, "last_error": printable(error, 500), "at": at}
    _update(connection, log_outbox, capability, keys, values)


def again(connection: sa.Connection, capability: str, keys: Iterable[str], at: datetime) -> None:
    """The sheet does not have these rows any more: they are to be written anew."""
    gone = list(keys)
    _update(connection, log_outbox, capability, gone, {"state": PENDING, "attempts": 0, "at": at})
    _update(connection, findings, capability, gone, {"log_row_id": None})


def _update(
    connection: sa.Connection, table: sa.Table, capability: str, keys: Iterable[str], values: Mapping[str, object]
) -> None:
    mine = (table.c.capability == capability) & (table.c.finding_key == sa.bindparam("key"))
    rows = [{"key": key} for key in keys]
    if rows:
        connection.execute(table.update().where(mine).values(**values), rows)


def _entries(connection: sa.Connection, capability: str, state: str, most: int | None = None) -> list[LogRow]:
    entry = log_outbox.c
    same = (findings.c.capability == entry.capability) & (findings.c.finding_key == entry.finding_key)
    names = ("finding_key", "payload", "payload_sha256", "attempts", "last_error")
    query = (
        _select(*names, findings.c.log_row_id.label("row_id"))
        .select_from(log_outbox.outerjoin(findings, same))
        .where(entry.capability == capability, entry.state == state)
        .order_by(entry.attempts, entry.at, entry.finding_key)
        .limit(most)
    )
    return [LogRow(**row) for row in connection.execute(query).mappings()]


def _select(*columns: str | sa.ColumnElement[object]) -> sa.Select[tuple[object, ...]]:
    return sa.select(*(log_outbox.c[one] if isinstance(one, str) else one for one in columns))


def _digest(payload: Mapping[str, str | None]) -> str:
    return sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
