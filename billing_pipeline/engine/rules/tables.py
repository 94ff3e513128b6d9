"""The rules as typed tables, and their one-row frame for storage.

What belongs here: the shape that pricing relies on. What does not: how it is read (`parsing`) or judged (`validation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from billing_pipeline.engine.money import QUANTITY, RATE
from billing_pipeline.engine.rules.layout import CONFIG, MAPPING, MINIMUMS, PRICING
from billing_pipeline.engine.rules.messages import Warned
from billing_pipeline.engine.rules.parsing import Table, clean_id, name_key
from billing_pipeline.engine.rules.reading import ROW

TIERS = pl.Schema(
    {
        "partner_key": pl.String(),
        "sheet_row": pl.UInt32(),
        "tier_type": pl.String(),  # ALL_IN, SPLIT
        "metric": pl.String(),  # IU, ER, FLAT, IU_PER_ER, ACH_SPEED
        "start": QUANTITY,
        "end": QUANTITY,  # null = open
        "er_price": RATE,  # per company
        "iu_price": RATE,  # per user
        "included": pl.Int8(),  # 0 or 1 user in the company fee
        "nd_er_price": RATE,
        "nd_iu_price": RATE,
        "start_cell": pl.String(),  # addresses on sheet Pricing, null when there is no such column
        "end_cell": pl.String(),
        "er_cell": pl.String(),
        "iu_cell": pl.String(),
        "included_cell": pl.String(),
        "nd_er_cell": pl.String(),
        "nd_iu_cell": pl.String(),
    }
)
MINIMUM_ROWS = pl.Schema(
    {
        "partner_key": pl.String(),
        "sheet_row": pl.UInt32(),
        "start": pl.Int32(),  # month indexes, 1 = first month, both included
        "end": pl.Int32(),
        "amount": RATE,
        "amount_cell": pl.String(),
    }
)
CONTRACTS = pl.Schema(
    {"partner_key": pl.String(), "sheet_row": pl.UInt32(), "minimums_start": pl.Date(), "minimums_end": pl.Date()}
)
CUSTOMERS = pl.Schema(
    {
        "partner_key": pl.String(),
        "partner_id": pl.String(),
        "clean_id": pl.String(),  # digits of the id
        "partner_name_key": pl.String(),  # lower case
        "customer": pl.String(),
        "sheet_row": pl.UInt32(),
    }
)
_WARNING = {
    "message": pl.String(),
    "file": pl.String(),
    "line": pl.UInt32(),
    "sheet": pl.String(),
    "cell": pl.String(),
    "value": pl.String(),
    "kind": pl.String(),
}
_TABLES = {
    "tiers": TIERS,
    "minimums": MINIMUM_ROWS,
    "contracts": CONTRACTS,
    "customers": CUSTOMERS,
    "warnings": _WARNING,
}


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """A validated rules workbook: its bytes and hash, four typed tables, and the warnings that came with it.

    tiers: sorted by partner_key and start, stable on sheet order. minimums: the same. contracts: one row a partner, the
    last of the sheet; an end before its start is left out. customers: every usable row in sheet order; a lookup takes
    the last that matches.
    """

    name: str
    sha256: str  # of the bytes
    workbook: bytes = field(repr=False)
    tiers: pl.DataFrame
    minimums: pl.DataFrame
    contracts: pl.DataFrame
    customers: pl.DataFrame
    warnings: tuple[Warned, ...]


def rules_from_tables(
    tables: Mapping[str, Table], *, name: str, sha256: str, workbook: bytes, warnings: tuple[Warned, ...]
) -> Rules:
    """The rules of four parsed sheets without errors."""
    rows = {title: table.rows.rename({ROW: "sheet_row"}) for title, table in tables.items()}
    cells = {
        f"{name}_cell": f"{name}{price}.cell"
        for price, names in {"": ("start", "end", "included"), "_price": ("er", "iu", "nd_er", "nd_iu")}.items()
        for name in names
    }
    tiers = rows[PRICING].with_columns(
        (pl.col("included") > 0).cast(pl.Int8).alias("included"), **{new: pl.col(old) for new, old in cells.items()}
    )
    customers = (
        rows[MAPPING].drop_nulls("customer").with_columns(pl.col("partner_id").fill_null(""), name_key(), clean_id())
    )
    contracts = (
        rows[CONFIG]
        .unique("partner_key", keep="last", maintain_order=True)
        .with_columns(minimums_end=pl.when(pl.col("minimums_end") >= pl.col("minimums_start")).then("minimums_end"))
    )
    return Rules(
        name=name,
        sha256=sha256,
        workbook=workbook,
        tiers=_shaped(tiers.sort("partner_key", "start", maintain_order=True), TIERS),
        minimums=_shaped(
            rows[MINIMUMS]
            .with_columns(pl.col("amount.cell").alias("amount_cell"))
            .sort("partner_key", "start", maintain_order=True),
            MINIMUM_ROWS,
        ),
        contracts=_shaped(contracts, CONTRACTS),
        customers=_shaped(customers, CUSTOMERS),
        warnings=warnings,
    )


def rules_frame(rules: Rules) -> pl.DataFrame:
    """The rules as one row, which `rules_from_frame` turns back.

    Columns: name, sha256, workbook (Binary); tiers, minimums, contracts, customers, warnings (lists of structs).
    """
    lists = {
        "tiers": rules.tiers,
        "minimums": rules.minimums,
        "contracts": rules.contracts,
        "customers": rules.customers,
        "warnings": pl.DataFrame([warning.as_dict() for warning in rules.warnings], schema=_WARNING),
    }
    return pl.DataFrame(
        {"name": [rules.name], "sha256": [rules.sha256], "workbook": pl.Series([rules.workbook], dtype=pl.Binary)}
        | {name: table.to_struct(name).implode() for name, table in lists.items()}
    )


def rules_from_frame(frame: pl.DataFrame) -> Rules:
    """The rules stored by `rules_frame`."""
    tables = {name: frame[name][0].struct.unnest() for name in _TABLES}
    warnings = tuple(Warned(**row) for row in tables.pop("warnings").iter_rows(named=True))
    name, sha256, workbook = frame.select("name", "sha256", "workbook").row(0)
    return Rules(name=name, sha256=sha256, workbook=workbook, warnings=warnings, **tables)


def _shaped(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return rows.select(pl.col(column).cast(dtype) for column, dtype in schema.items())
