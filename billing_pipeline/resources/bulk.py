"""Frames into tables and out of them, many rows in one statement; and their values as texts, for documents.

What belongs here: what every store of frames needs. What does not: any table. Decimals are texts in the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from billing_pipeline.engine.tables import Schema, conform

_WRITERS = 620240102  # one number for all stores that read, judge and write


def alone(connection: sa.Connection) -> None:
    """Until the transaction ends, nobody else who asks for this goes on: what was read still holds when it is written.

    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_WRITERS})"))


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    columns: Iterable[str],
    later: str | None = None,
) -> None:
    """Insert the rows; of those whose key is there, take over these columns. No columns: those there stay.

    `later`: a column of times; a row that is there is only changed by one whose time is later.
    """
    if not rows:
        return
    insert = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    keys = [column.name for column in table.primary_key]
    taken = {name: insert.excluded[name] for name in columns}
    newer = insert.excluded[later] > table.c[later] if later else None
    statement = (
        insert.on_conflict_do_update(index_elements=keys, set_=taken, where=newer)
        if taken
        else insert.on_conflict_do_nothing(index_elements=keys)
    )
    # PostgreSQL's driver sends only what answers something in batches, all else row by row
    batched = connection.dialect.name == "postgresql"
    connection.execute(statement.returning(table.c[keys[0]]) if batched else statement, list(rows))


def frame_of(connection: sa.Connection, query: sa.Select[Any], schema: Schema) -> pl.DataFrame:
    """The rows of a query, whose columns are those of `schema` in its order."""
    return framed([tuple(row) for row in connection.execute(query)], schema)


def framed(rows: Sequence[Sequence[Any]], schema: Schema) -> pl.DataFrame:
    """Rows of the database, by the columns of `schema` in its order."""
    stored = {name: pl.String if dtype.is_decimal() else dtype for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=stored, orient="row")
    return conform(frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()), schema)


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows as the database takes them: decimals as texts, no character that PostgreSQL cannot keep."""
    return frame.with_columns(pl.selectors.decimal().cast(pl.String), _kept(pl.selectors.string())).to_dicts()


def texts(frame: pl.DataFrame) -> list[dict[str, str | None]]:
    """The rows with every value as text: days and times in ISO 8601, decimals exact, booleans true and false."""
    rows: list[dict[str, str | None]] = frame.select(
        _kept(_text(pl.col(name), dtype)) for name, dtype in frame.schema.items()
    ).to_dicts()
    return rows


def typed(rows: Sequence[Mapping[str, str | None]], schema: Schema) -> pl.DataFrame:
    """The rows of `texts` as a frame of `schema`; null is what a row does not have, or what cannot be read."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String))
    return conform(frame.select(_value(pl.col(name), dtype) for name, dtype in schema.items()), schema)


def _kept(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all("\x00", "\N{REPLACEMENT CHARACTER}", literal=True)


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return column.dt.to_string("iso:strict") if dtype.is_temporal() else column.cast(pl.String)


def _value(text: pl.Expr, dtype: Any) -> pl.Expr:
    if dtype == pl.Boolean:
        return text == "true"
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if dtype.is_temporal():
        return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return text.cast(dtype, strict=False)
