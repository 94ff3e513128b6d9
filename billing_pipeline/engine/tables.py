"""Declared shapes of the frames that pass between rooms: names, types, units. `conform` checks them at the borders."""

from collections.abc import Iterable

import polars as pl
from polars._typing import PolarsDataType

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.money import AMOUNT, QUANTITY, RATE

Schema = dict[str, PolarsDataType]

# Computed columns of the usage rows; the source columns (text, upper case) stand before them. Key: line.
USAGE: Schema = {
    "line": pl.UInt32,  # physical line of the file
    "position": pl.UInt32,  # place in pricing order; the published decision files call it row_index
    "month": pl.Date,  # first day of FOR_MONTH
    "first_billable": pl.Date,
    "suspended": pl.Date,
    "dissociated": pl.Date,
    "users": QUANTITY,  # as read; below zero is charged as zero
    "next_day": pl.Boolean,  # next-day fees apply
    "input_status": pl.String,  # null, bad_cell, other_month
    "input_problem": pl.String,
    "bad_cells": pl.UInt8,  # cells of the row that cannot be read
    "decision": pl.String,  # null, keep, remove, reassign, set_date, set_date_and_reassign, fix_cell
}

# Computed columns of the priced rows (the fact table). Key: line; true-up rows have no line.
PRICED: Schema = {
    "partner_key": pl.String,
    "tier_type": pl.String,
    "partner_tier_metric": pl.String,
    "tier_start": QUANTITY,
    "tier_end": QUANTITY,  # null: open
    "metric_value_used": QUANTITY,
    "included_users_in_company_fee": pl.Int8,
    "user_fee_units_charged": QUANTITY,
    "company_fee_units_charged": pl.Int8,
    "unit_price_er": RATE,
    "er_fee": AMOUNT,
    "unit_price_iu": RATE,
    "iu_fee": AMOUNT,
    "unit_price_next_day_er": AMOUNT,
    "unit_price_next_day_iu": AMOUNT,
    "next_day_er_fee": AMOUNT,
    "next_day_iu_fee": AMOUNT,
    "total_fee": AMOUNT,
    "fee_calc_status": pl.String,  # ok, bad_data, bad_cell, other_month, missing_tier, removed, min_trueup
    "row_type": pl.String,  # usage, min_trueup
    "partner_minimum_month_index": pl.Int32,
    "partner_minimum_amount": RATE,
    "partner_minimum_shortfall": AMOUNT,
    "partner_minimum_applied": pl.Boolean,
    "netsuite_customer_name": pl.String,
    "rule_row": pl.UInt32,  # row of the sheet Pricing (usage) or Minimums (true-up)
    "bucket": pl.String,  # billed, held, removed, quarantined
}


def source_columns(columns: Iterable[str]) -> list[str]:
    """The columns that came with the file, in order: their names hold no small letters, those of computed ones do.

    >>> source_columns(["ER_NAME", "2026", "total_fee"])
    ['ER_NAME', '2026']
    """
    return [column for column in columns if column == column.upper()]


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame's columns of `schema` in its order; a missing column or another type is our own mistake."""
    wrong = [
        f"{name}: {frame.schema[name] if name in frame.columns else 'missing'}, expected {dtype}"
        for name, dtype in schema.items()
        if name not in frame.columns or frame.schema[name] != dtype
    ]
    if wrong:
        raise BillingError(f"a frame does not have its declared shape: {'; '.join(wrong)}")
    return frame.select(schema.keys())
