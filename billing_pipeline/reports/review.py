"""The review file `pre_scan_results_<month>.json`: flags in the reference's shape, warnings after it."""

import json
from typing import Any

import polars as pl

from billing_pipeline.engine.pricing.partners import with_keys

ROSTER_ROWS = 20_000  # above this many rows the roster lists the flagged rows only, and says so
_TEXTS = ("COMPANY_UUID", "ER_NAME", "ER_ID", "PARTNER_NAME", "PARTNER_ID", "TOTAL_INDIVIDUAL_USERS")
_ROSTER = ("COMPANY_UUID", "ER_NAME", "ER_ID", "TOTAL_INDIVIDUAL_USERS")


def review_document(
    usage: pl.DataFrame, flags: pl.DataFrame, warnings: pl.DataFrame, about: dict[str, Any]
) -> dict[str, Any]:
    """The document: `about` (scan time, files, month) first, then counts, flags, partners, roster, status, warnings.

    Status is `review_required` while a flag has no decision. Source: spec 3.2.
    """
    rows = with_keys(usage.with_columns(pl.lit(None, pl.String).alias(c) for c in _TEXTS if c not in usage.columns))
    all_rows = usage.height <= ROSTER_ROWS
    roster = rows if all_rows else rows.filter(pl.col("position").is_in(flags["row_index"].unique().implode()))
    by_type = flags.group_by("flag_type", maintain_order=True).len()
    return {
        **about,
        "total_usage_rows": usage.height,
        "total_flags": flags.height,
        "flags_by_type": dict(by_type.iter_rows()),
        "flags": [_flag(flag) for flag in flags.iter_rows(named=True)],
        "all_partners": _partners(rows),
        "partner_company_roster": _rosters(roster),
        "status": "review_required" if flags["decision"].null_count() else "clean",
        "partner_company_roster_scope": "all rows" if all_rows else "flagged rows",
        "warnings": warnings.to_dicts(),
    }


def review_bytes(document: dict[str, Any]) -> bytes:
    """The document as it is written: indented by two, ASCII only."""
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()


def _flag(flag: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in flag.items() if key not in ("partner_key", "affected_row_indices")}
    if flag["scope"] == "partner":
        shown |= {"partner_key": flag["partner_key"], "affected_row_indices": flag["affected_row_indices"]}
    return shown


def _partners(rows: pl.DataFrame) -> list[dict[str, Any]]:
    first = rows.sort("position").unique("partner_key", keep="first", maintain_order=True)
    named = first.filter(pl.col("PARTNER_NAME").str.strip_chars() != "").select(
        "partner_key",
        pl.col("PARTNER_NAME").str.strip_chars().alias("partner_name"),
        pl.col("PARTNER_ID").str.strip_chars().fill_null("").alias("partner_id"),
    )
    return named.sort("partner_name").to_dicts()


def _rosters(rows: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    name, identifier = pl.col("PARTNER_NAME").str.strip_chars(), pl.col("PARTNER_ID").str.strip_chars()
    label = pl.coalesce(pl.when(name != "").then(name), pl.when(identifier != "").then(identifier), pl.lit("Unknown"))
    company = pl.struct(pl.col("position").alias("row_index"), *(pl.col(c).fill_null("") for c in _ROSTER))
    grouped = rows.sort("position").group_by(label.alias("label"), maintain_order=True).agg(company.alias("companies"))
    return dict(grouped.iter_rows())
