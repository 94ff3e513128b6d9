"""The sheets of the reference data as frames that bills are made of: which plan row is in force, whose override it is.

Values stand in the database as texts that were checked on their way in. Source: spec 1.1, 1.2; Q28, Q38, Q43.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from billing_pipeline.engine.managed_services import tables
from billing_pipeline.engine.managed_services.contracts import contract_term
from billing_pipeline.engine.managed_services.entries import record_id
from billing_pipeline.engine.managed_services.sheets import SHEETS, Row
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema, conform

_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "text": pl.String, "money": AMOUNT, "whole": pl.Int32, "date": pl.Date,
}  # fmt: skip
_SHEETS = {sheet.name: sheet for sheet in SHEETS}


def sheet_frames(rows: Mapping[str, Iterable[Row]]) -> dict[str, pl.DataFrame]:
    """Every sheet as a frame of texts, those without rows included."""
    return {
        sheet.name: pl.DataFrame(list(rows.get(sheet.name, [])), schema=dict.fromkeys(_names(sheet.name), pl.String))
        for sheet in SHEETS
    }


def sheet_values(name: str, texts: pl.DataFrame) -> pl.DataFrame:
    """A sheet with the types of its columns: amounts AMOUNT, days Date, counts Int32."""
    return texts.select(
        pl.col(column.name).str.to_date("%Y-%m-%d")
        if column.kind == "date"
        else pl.col(column.name).cast(_TYPES[column.kind])
        for column in _SHEETS[name].columns
    )


def plans_in_force(plans: pl.DataFrame, period: Period) -> pl.DataFrame:
    """tables.PLANS: of each plan and term the row that is valid on the first day of the period."""
    valid = plans.filter(pl.col("valid_from") <= period.first).sort("valid_from")
    return conform(valid.group_by("plan", "term", maintain_order=True).last().sort("plan", "term"), tables.PLANS)


def client_settings(settings: pl.DataFrame) -> pl.DataFrame:
    """tables.SETTINGS."""
    return conform(settings, tables.SETTINGS)


def overrides(rows: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """DEVICE_OVERRIDES or PERSON_OVERRIDES, keyed by the one name of a record."""
    return conform(rows.with_columns(record_id().alias(next(iter(schema)))), schema)


def manual_rows(rows: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """DEVICES or PEOPLE of what was entered by hand: without an id of a source, typed, without a volume."""
    fixed = {"typed": True, "active": True, "bytes": 0}
    missing = [pl.lit(fixed.get(name), dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    return conform(rows.with_columns(missing), schema)


def contracts(companies: pl.DataFrame, own: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The companies with their contract of the book, where there is one that has begun by the end of the period.

    It stands for what the directory says of start and end; of the term where it names one.
    """
    begun = own.filter(pl.col("start") <= period.last).sort("start").group_by("account", maintain_order=True).last()
    named = begun.select("account", own_start="start", own_end="end", own_term="term")
    joined = companies.join(named, on="account", how="left", maintain_order="left")
    ours = pl.col("own_start").is_not_null()
    return joined.with_columns(
        pl.when(ours).then("own_start").otherwise("contract_start").alias("contract_start"),
        pl.when(ours).then("own_end").otherwise("contract_end").alias("contract_end"),
        pl.coalesce("own_term", contract_term()).alias("term"),
    ).drop("own_start", "own_end", "own_term")


def _names(sheet: str) -> tuple[str, ...]:
    return tuple(column.name for column in _SHEETS[sheet].columns)
