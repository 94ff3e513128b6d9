"""Partners of a usage file: their keys, their ERP customers, and which row speaks for them.

A file has a few hundred distinct (id, name) pairs; everything about partners is computed on those and looked up by
code. Source: spec 1.6 (key, clean_id), 1.7 Mapping, 2.2, 2.4 step 2.
"""

import polars as pl

from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.rules import Rules

_MISSING = 2**32 - 1


def partner_pairs(usage: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, pl.Series]:
    """The distinct (PARTNER_ID, PARTNER_NAME) pairs of the rows, and each row's index into them.

    Columns: PARTNER_ID, PARTNER_NAME (raw), partner_key, name_key, customer ("" when unmapped), `first_position` (the
    earliest row in pricing order that is in this month's invoices; null when none is).
    """
    codes = usage.select(_code("PARTNER_ID") * 2**32 + _code("PARTNER_NAME")).to_series()
    distinct = codes.unique().sort()
    index = distinct.search_sorted(codes).cast(pl.UInt32).alias("pair")
    invoiced = pl.col("decision").ne_missing("remove") & pl.col("input_status").ne_missing("other_month")
    kept = pl.col("position").filter(invoiced)
    pairs = (
        usage.select("position", "decision", "input_status")
        .with_columns(index)
        .with_row_index("row")
        .group_by("pair")
        .agg(pl.col("row").first(), kept.min().alias("first_position"))
        .sort("pair")
    )
    raw = usage.select("PARTNER_ID", "PARTNER_NAME")[pairs["row"]]
    return with_customers(with_keys(raw).hstack(pairs.select("first_position")), rules), index


def with_keys(partners: pl.DataFrame) -> pl.DataFrame:
    """Adds partner_key (trimmed id, else lower-case name), name_key and clean_id (digits of the id only)."""
    identifier, name = key_text(pl.col("PARTNER_ID")), key_text(pl.col("PARTNER_NAME")).str.to_lowercase()
    return partners.with_columns(
        pl.when(identifier != "").then(identifier).otherwise(name).alias("partner_key"),
        name.alias("name_key"),
        identifier.str.replace_all("[^0-9]", "").alias("clean_id"),
    )


def company_key() -> pl.Expr:
    """Trimmed ER_ID, else lower-case ER_NAME. Source: spec 2.2."""
    identifier = key_text(pl.col("ER_ID"))
    return pl.when(identifier != "").then(identifier).otherwise(key_text(pl.col("ER_NAME")).str.to_lowercase())


def with_customers(partners: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Adds `customer`: by the digits of the id, else by name, else by partner key; the last mapping row wins."""
    found = partners
    for ours, theirs in (("clean_id", "clean_id"), ("name_key", "partner_name_key"), ("partner_key", "partner_key")):
        lookup = (
            rules.customers.filter(pl.col(theirs) != "")
            .unique(subset=theirs, keep="last")
            .select(pl.col(theirs).alias(ours), pl.col("customer").alias(f"by_{ours}"))
        )
        found = found.join(lookup, on=ours, how="left", maintain_order="left")
    by = ["by_clean_id", "by_name_key", "by_partner_key"]
    return found.with_columns(pl.coalesce(*by, pl.lit("")).alias("customer")).drop(by)


def _code(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Categorical).to_physical().cast(pl.UInt64).fill_null(_MISSING)
