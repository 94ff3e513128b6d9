"""The reference data of managed services in the database: rows of each sheet, and who changed what, when, from and to.

What belongs here: reading and replacing rows with a record of every change. What does not: what may stand in a value
(engine.managed_services.sheets), files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from billing_pipeline.engine.managed_services.sheets import Row, Sheet
from billing_pipeline.resources.database.tables import client_changes, client_tables

ROW = "(row)"  # the column of a change that adds or removes a whole row


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one row that was changed; None was or is no value."""

    sheet: str
    key: str
    column: str
    old: str | None
    new: str | None
    by: str = ""
    reason: str = ""
    at: datetime | None = None


def rows_of(connection: sa.Connection, sheet: Sheet) -> list[dict[str, str | None]]:
    """Every row of the sheet by its key."""
    table = client_tables[sheet.name]
    found = sa.select(table).order_by(*(table.c[column.name] for column in sheet.key))
    return [dict(row._mapping) for row in connection.execute(found)]


def differences(connection: sa.Connection, sheet: Sheet, rows: Iterable[Row]) -> list[Change]:
    """What has to change so that the sheet holds exactly these rows."""
    before = {_key(sheet, row): row for row in rows_of(connection, sheet)}
    after = {_key(sheet, row): row for row in rows}
    changes = [Change(sheet.name, key, ROW, key, None) for key in before if key not in after]
    for key, row in after.items():
        old = before.get(key)
        if old is None:
            changes.append(Change(sheet.name, key, ROW, None, key))
        names = [column.name for column in sheet.values]
        changes += [
            Change(sheet.name, key, name, old[name] if old else None, row[name])
            for name in names
            if row[name] != (old[name] if old else None)
        ]
    return changes


def replace_rows(
    connection: sa.Connection, sheet: Sheet, rows: list[dict[str, str | None]], by: str, reason: str, at: datetime
) -> list[Change]:
    """Make the sheet hold exactly these rows, and record every change of it; nothing changed leaves no trace."""
    changes = differences(connection, sheet, rows)
    if not changes:
        return []
    table = client_tables[sheet.name]
    touched = {change.key for change in changes}
    for row in rows_of(connection, sheet):
        if _key(sheet, row) in touched:
            connection.execute(
                table.delete().where(*(table.c[column.name] == row[column.name] for column in sheet.key))
            )
    new = [row for row in rows if _key(sheet, row) in touched]
    if new:
        connection.execute(table.insert(), new)
    recorded = [
        {"sheet": one.sheet, "key": one.key, "column": one.column, "old": one.old, "new": one.new}
        | {"by": by, "reason": reason, "at": at}
        for one in changes
    ]
    connection.execute(client_changes.insert(), recorded)
    return changes


def changes_of(connection: sa.Connection, sheet: str = "") -> list[Change]:
    """Every recorded change, oldest first; of one sheet when it is named."""
    found = sa.select(client_changes).order_by("id")
    rows = connection.execute(found.where(client_changes.c.sheet == sheet) if sheet else found)
    names = ("sheet", "key", "column", "old", "new", "by", "reason", "at")
    return [Change(**{name: row._mapping[name] for name in names}) for row in rows]


def changes_since(connection: sa.Connection, at: datetime) -> int:
    """How many values were changed after a time."""
    found = sa.select(sa.func.count()).select_from(client_changes).where(client_changes.c.at > at)
    return int(connection.execute(found).scalar_one())


def _key(sheet: Sheet, row: Row) -> str:
    return " | ".join(str(row[column.name]) for column in sheet.key)
