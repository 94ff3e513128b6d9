"""A pulled listing made exact: its texts typed, and every record that is wrong told by name, none lost in silence.

What belongs here: which records of a listing are used, which are left out and why, what a device is billed as by its
category. What does not: how a single cell is read (listing_cells), what becomes of records on hand (merging).
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services import listing_cells as cells
from billing_pipeline.engine.managed_services.pulled import (
    COMPANIES,
    CONTACTS,
    DEVICES,
    ENTRIES,
    KEYS,
    LISTINGS,
    NEEDED,
    PROBLEMS,
    VOLUMES,
)
from billing_pipeline.engine.managed_services.tables import UTC_TIME, WORKED
from billing_pipeline.engine.tables import conform

_TYPES = {
    "workstation": "Workstation",
    "laptop": "Workstation",
    "desktop": "Workstation",
    "server": "Server",
    "esxi host": "Server",
    "virtual machine": "VM",
}
_PARSERS: dict[object, Callable[[pl.Series], pl.DataFrame]] = {
    pl.Boolean: cells.flags,
    pl.Date: cells.days,
    pl.Int64: cells.volumes,
    UTC_TIME: cells.moments,
    WORKED: cells.times_worked,
}
_IDENTITY = ("source", "source_id")
_REQUIRED: dict[str, tuple[str, ...]] = {  # without one of these a record cannot be used
    COMPANIES: ("account",),
    CONTACTS: _IDENTITY,
    DEVICES: _IDENTITY,
    VOLUMES: _IDENTITY,
    ENTRIES: (*_IDENTITY, "at", "worked"),
}
_CALLED = {"source_id": "id", "at": "time", "worked": "time worked"}
_KINDS = {
    COMPANIES: "company",
    CONTACTS: "contact",
    DEVICES: "device",
    VOLUMES: "backup volume of device",
    ENTRIES: "time entry",
}
_FOUND = {"row": pl.UInt32, "problem": pl.String, "left_out": pl.Boolean}


@dataclass(frozen=True, slots=True)
class Typed:
    """A listing, each key once, as LISTINGS says; what is wrong with its records, as PROBLEMS says, in their order.

    `left_out`: keys of records that the source has but that cannot be used. They are not gone: what is on hand of them
    stays as it is.
    """

    frame: pl.DataFrame
    problems: pl.DataFrame
    left_out: pl.DataFrame


def typed(name: str, texts: pl.DataFrame) -> Typed:
    """The listing `name` from columns of text, in any order, others ignored; InputError without a column of NEEDED.

    A record without a key, and time without a moment or a length, is left out; so are companies that share an account
    and differ. Of other records with one key the last counts. A value that cannot be read is blank, but that of a
    volume is null, which stands for the last one known. Source: spec 2.5; Q5, Q9, Q12, Q14, Q20, Q41; decision 18.
    """
    missing = [column for column in NEEDED[name] if column not in texts.columns]
    if missing:
        seen = ", ".join(texts.columns) or "none"
        raise InputError(f"the listing {name} has no column {', '.join(missing)}; its columns: {seen}")
    rows = _trimmed(name, texts)
    values, wrong = _typed_columns(name, rows)
    values = values.filter(pl.all_horizontal(pl.col(column).is_not_null() for column in _REQUIRED[name]))
    frame, doubles = _each_once(name, values)
    found = pl.concat([*wrong, doubles]).sort("row", maintain_order=True)
    told = pl.concat([found, rows[found["row"]].drop("row")], how="horizontal")
    keys = told.filter("left_out").select(KEYS[name]).drop_nulls(_key_of(name)).unique(maintain_order=True)
    return Typed(
        conform(frame, LISTINGS[name]),
        conform(told.with_columns(pl.lit(name).alias("listing"), _record(name).alias("record")), PROBLEMS),
        keys.join(frame, on=KEYS[name], how="anti", nulls_equal=True, maintain_order="left") if keys.height else keys,
    )


def billed_type(category: pl.Expr) -> pl.Expr:
    """What a device of the source's category is billed as (tables.TYPES); null for one that somebody has to look at.

    Source: Q2.

    >>> names = ["Laptop", "ESXI Host", "Network Device (Switch)", "Router", None]
    >>> pl.DataFrame({"category": names}).select(billed_type(pl.col("category"))).to_series().to_list()
    ['Workstation', 'Server', 'Switch', None, None]
    """
    text = category.str.strip_chars().str.to_lowercase()
    switch, firewall = text.str.contains("switch", literal=True), text.str.contains("firewall", literal=True)
    return (
        pl.when(switch & ~firewall)
        .then(pl.lit("Switch"))
        .when(firewall & ~switch)
        .then(pl.lit("Firewall"))
        .otherwise(text.replace_strict(_TYPES, default=None, return_dtype=pl.String))
    )


def _trimmed(name: str, texts: pl.DataFrame) -> pl.DataFrame:
    """The listing's columns, trimmed, blank as null, absent ones all null, under the number of the row."""
    schema = dict.fromkeys(LISTINGS[name], pl.String)
    absent = [pl.lit(None, pl.String).alias(column) for column in schema if column not in texts.columns]
    return (
        conform(texts.with_columns(absent), dict(schema))
        .with_columns(pl.all().str.strip_chars().replace("", None))
        .with_row_index("row")
    )


def _typed_columns(name: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The rows with typed columns, and what is wrong with their values."""
    values = rows
    wrong = [_absent(rows, column) for column in _REQUIRED[name]]
    for column, dtype in LISTINGS[name].items():
        if dtype == pl.String:
            continue
        parsed = _PARSERS[dtype](rows[column]).insert_column(0, rows["row"])
        values = values.with_columns(parsed["value"].alias(column))
        wrong.append(_unreadable(name, column, parsed))
    if name == COMPANIES:
        values = values.with_columns(_term(), _active())
    return values, wrong


def _absent(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    called = _CALLED.get(column, column)
    return _found(rows.filter(pl.col(column).is_null()), pl.lit(f"has no {called}, and is left out"), left_out=True)


def _unreadable(name: str, column: str, parsed: pl.DataFrame) -> pl.DataFrame:
    """What is said of the column's cells; the consequence of one without a value is said as well."""
    left_out = column in _REQUIRED[name]
    consequence = "the last volume known is kept" if name == VOLUMES else "the record is left out" if left_out else ""
    end = (
        pl.when(pl.col("value").is_null())
        .then(pl.lit(f"; {consequence or 'it counts as blank'}"))
        .otherwise(pl.lit(""))
    )
    said = pl.format("{} {}{}", pl.lit(_CALLED.get(column, column)), "problem", end)
    return _found(
        parsed.filter(pl.col("problem").is_not_null()), said, left_out=pl.col("value").is_null() & pl.lit(left_out)
    )


def _term() -> pl.Expr:
    """The terms' one spelling: `1-year`, `2 YEARS`, `monthly`; another text stays as it is. Source: spec 2.5; Q20."""
    plain = pl.col("term").str.to_lowercase().str.replace_all(r"[\s_-]+", " ")
    years = plain.str.extract(r"^([123]) years?$", 1)
    monthly = plain.is_in(("month to month", "monthly"))
    return (
        pl.when(years.is_not_null())
        .then(years + " Year")
        .when(monthly)
        .then(pl.lit("Month to Month"))
        .otherwise("term")
        .alias("term")
    )


def _active() -> pl.Expr:
    """A client on the plan `Inactive`, in any case, is not active, whatever its flag says. Source: spec 1.5; Q41."""
    inactive = (pl.col("plan").str.to_lowercase() == "inactive").fill_null(value=False)
    return pl.when(inactive).then(pl.lit(value=False)).otherwise("active").alias("active")


def _each_once(name: str, values: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with each key once, and those that are left out because their key stands there with other content."""
    key = pl.struct(KEYS[name])
    repeated = values.select(key.is_duplicated()).to_series()
    if not repeated.any():
        return values, pl.DataFrame(schema=_FOUND)
    once, twice = values.filter(~repeated), values.filter(repeated)
    distinct = twice.unique(list(LISTINGS[name]), keep="last", maintain_order=True)
    if name == COMPANIES:
        clash = distinct.filter(key.is_duplicated())
        chosen, out = distinct.filter(~key.is_duplicated()), twice.join(clash, on=KEYS[name], how="semi")
        said = "stands there more than once with other content, and nobody can say which is right; all are left out"
    else:
        chosen = distinct.unique(list(KEYS[name]), keep="last", maintain_order=True)
        out = distinct.join(chosen, on="row", how="anti")
        said = "stands there again further down with other content; the last one counts, this one is left out"
    return pl.concat([once, chosen]).sort("row"), _found(out, pl.lit(said), left_out=True)


def _found(rows: pl.DataFrame, problem: pl.Expr, *, left_out: bool | pl.Expr) -> pl.DataFrame:
    flag = pl.lit(left_out) if isinstance(left_out, bool) else left_out
    return rows.select("row", problem.alias("problem"), flag.alias("left_out"))


def _key_of(name: str) -> list[str]:
    """The columns that a key cannot do without; a contact may be of no account."""
    return [column for column in KEYS[name] if column in _REQUIRED[name]]


def _record(name: str) -> pl.Expr:
    """What people call the record: by its id, else its name, else its place in the listing."""
    kind = _KINDS[name]
    by_row = pl.format(f"{kind} in row {{}}", pl.col("row") + 1)
    by_name = pl.format(f"{kind} '{{}}'", cells.shown(pl.col("name"))) if "name" in LISTINGS[name] else by_row
    if name == COMPANIES:
        return pl.coalesce(by_name, pl.format(f"{kind} {{}}", cells.shown(pl.col("account"))), by_row)
    by_id = pl.format(f"{kind} {{}}:{{}}", *(cells.shown(pl.col(column)) for column in _IDENTITY))
    return pl.coalesce(by_id, by_name, by_row)
