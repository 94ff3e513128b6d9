"""What a re-run changed of our own book: charges of a month that are new, vanished or of another amount.

What belongs here: what a charge is, of usage billing and of client bills, and the findings between two books of them.
What does not: which two books are compared (`assets.own_book`), and what becomes of a finding (`engine.findings`).
Source: spec 9.1 of the billing audit; the issue's "our own book".
"""

from collections.abc import Iterable

import polars as pl

from billing_pipeline.engine.audit.keys import with_finding_keys
from billing_pipeline.engine.audit.severity import of_dollars
from billing_pipeline.engine.audit.tables import (
    CHARGE_ADDED,
    CHARGE_CHANGED,
    CHARGE_REMOVED,
    FOUND,
    SNAPSHOT,
    UTC_TIME,
)
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.money import AMOUNT, QUANTITY
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema, conform

RULE = "own_book"
MOST = 20_000  # findings of a book and month, each by itself
CHARGES: Schema = {  # what somebody is charged for something in a month; key: all but the last two
    "who": pl.String,  # the customer, or the client's account
    "item": pl.String,  # what is charged, unique within `who`
    "fee": pl.String,  # which fee of it
    "named": pl.String,  # the item as people know it
    "amount": AMOUNT,  # never 0.00: a charge of nothing is none
}
USAGE_NEED = (
    "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", "partner_key", "netsuite_customer_name", "bucket",
    "er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee",
)  # fmt: skip
"""Columns of the fact table that usage_charges() reads."""
_FEES = USAGE_NEED[-4:]
_KEY = ("who", "item", "fee")
_COMPANY = ("netsuite_customer_name", "partner_key", "company", "bucket")
_CHARGED = ("billed", "held")


def usage_charges(before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """CHARGES of two fact tables (USAGE_NEED) that differ: what a customer pays for a company of a partner, by fee.

    Rows of one company are summed: a row has no name of its own that another usage count would not change. A held row
    is another charge than a billed one, for one is invoiced and the other is not. Names are made of the few that differ
    only, which is what makes a million rows quick.
    """
    one, other = _sums(before), _sums(after)
    exact = [*_COMPANY, *_FEES]
    return _named_fees(one.join(other, on=exact, how="anti")), _named_fees(other.join(one, on=exact, how="anti"))


def client_charges(lines: pl.DataFrame) -> pl.DataFrame:
    """CHARGES of client bills, from their lines (account, kind, record, name, type, amount).

    A line is its record whatever that is called; one without a record is its name and type.
    """
    of = pl.coalesce("record", pl.format("{} | {}", pl.col("name").fill_null(""), pl.col("type").fill_null("")))
    sums = lines.group_by(
        pl.col("account").alias("who"), pl.concat_str("kind", of, separator=" | ").alias("item"), fee="kind"
    ).agg(pl.col("name").first().alias("named"), pl.col("amount").cast(AMOUNT).sum().cast(AMOUNT))
    return _charges([sums])


def charge_findings(
    before: pl.DataFrame,
    after: pl.DataFrame,
    kind: str,
    month: Period,
    base: str,
    thresholds: Thresholds,
    most: int = MOST,
) -> pl.DataFrame:
    """What is found (FOUND, by key) between two books of CHARGES: every changed, new and vanished charge.

    `kind`: which book, billing or clients; `base`: the run that `before` is of. Dollars are the difference. A finding
    is named by the charge, its base and its amount now: what a reviewer says of it holds for this very change, and a
    charge that changes again is another finding. Every one of them stands in `sheet_id` place_of(kind, month).
    Above `most` of them, which another price of everything makes, there is one finding for each customer and fee.
    """
    columns = list(CHARGES)
    gone = conform(before, CHARGES).join(after, on=[*_KEY, "amount"], how="anti")
    come = conform(after, CHARGES).join(before, on=[*_KEY, "amount"], how="anti")
    both = gone.select(columns).join(come.select(columns), on=_KEY, how="full", coalesce=True, suffix="_now")
    found = (
        _differences(both.with_columns(pl.coalesce("named_now", "named").alias("named")), most)
        .select(
            _category().alias("category"),
            pl.lit(RULE).alias("rule"),
            pl.lit(place_of(kind, month)).alias("sheet_id"),
            pl.format("{} | {}", "who", "item").alias("row_id"),
            pl.col("fee").alias("column"),
            pl.col("who").alias("work_request"),
            pl.lit(None, pl.Date).alias("week_ending"),
            pl.lit(None, pl.Date).alias("first_week_ending"),
            pl.col("amount").cast(pl.String).alias("old"),
            pl.col("amount_now").cast(pl.String).alias("new"),
            pl.col("difference").cast(QUANTITY).alias("delta"),
            "dollars",
            pl.col("charges").alias("events"),
            pl.lit("").alias("by"),
            pl.lit(None, UTC_TIME).alias("at"),
            pl.lit(SNAPSHOT).alias("evidence"),
            _why(month, base).alias("why"),
            pl.lit("").alias("permalink"),
            pl.concat_str(
                pl.lit(base), pl.col("amount_now").cast(pl.String).fill_null(""), "who", "item", separator="\x1f"
            ).alias("discriminator"),
        )
        .with_columns(of_dollars(pl.col("dollars"), thresholds).alias("severity"))
    )
    return conform(with_finding_keys(found), FOUND).sort("finding_key")


def place_of(kind: str, month: Period) -> str:
    """What the findings of a book and month have for their sheet."""
    return f"{kind} {month.key}"


def _sums(priced: pl.LazyFrame) -> pl.DataFrame:
    """A row for each company of a partner and customer, billed and held apart: its fees, and what it is called."""
    company = pl.coalesce(_filled("ER_ID"), _filled("ER_NAME"), pl.lit(""))
    return (
        priced.filter(pl.col("bucket").is_in(_CHARGED))
        .with_columns(pl.col("netsuite_customer_name", "partner_key").fill_null(""), company=company)
        .group_by(_COMPANY)
        .agg(pl.col("ER_NAME", "PARTNER_NAME", "PARTNER_ID").first(), pl.col(_FEES).sum().cast(AMOUNT))
        .collect(engine="streaming")
    )


def _named_fees(sums: pl.DataFrame) -> pl.DataFrame:
    company = pl.coalesce(_filled("ER_NAME"), _filled("company"), pl.lit("no company"))
    partner = pl.coalesce(_filled("PARTNER_NAME"), _filled("PARTNER_ID"), pl.lit("no partner"))
    told = sums.select(
        pl.col("netsuite_customer_name").alias("who"),
        pl.concat_str("partner_key", "company", "bucket", separator=" | ").alias("item"),
        pl.format("{} of {}", company, partner).alias("named"),
        pl.col(_FEES),
    )
    return _charges(told.with_columns(pl.lit(fee).alias("fee"), pl.col(fee).alias("amount")) for fee in _FEES)


def _charges(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    none = pl.lit("0").cast(AMOUNT)
    return conform(pl.concat(part.filter(pl.col("amount") != none).select(CHARGES.keys()) for part in parts), CHARGES)


def _differences(both: pl.DataFrame, most: int) -> pl.DataFrame:
    """The charges that differ with `difference`, `dollars` and how many `charges` they are; many of them summed."""
    none = pl.lit("0").cast(AMOUNT)
    difference = (pl.col("amount_now").fill_null(none) - pl.col("amount").fill_null(none)).cast(AMOUNT)
    each = both.with_columns(difference.alias("difference")).with_columns(
        pl.col("difference").abs().alias("dollars"), pl.lit(1, pl.Int64).alias("charges")
    )
    if each.height <= most:
        return each
    sums = pl.col("amount", "amount_now", "difference", "dollars").sum().cast(AMOUNT)
    summed = each.group_by("who", "fee", maintain_order=True).agg(sums, pl.col("charges").sum())
    return summed.with_columns(pl.lit("all").alias("item"), pl.format("{} charges", "charges").alias("named"))


def _category() -> pl.Expr:
    return (
        pl.when(pl.col("amount").is_null())
        .then(pl.lit(CHARGE_ADDED))
        .when(pl.col("amount_now").is_null())
        .then(pl.lit(CHARGE_REMOVED))
        .otherwise(pl.lit(CHARGE_CHANGED))
    )


def _why(month: Period, base: str) -> pl.Expr:
    """The charge with both amounts, in a sentence."""
    charge = pl.format("{}, {}: {} of {}", pl.lit(month.key), "who", "fee", "named")
    return (
        pl.when(pl.col("amount").is_null())
        .then(pl.format("{} is {} and was not charged in run {}", charge, "amount_now", pl.lit(base)))
        .when(pl.col("amount_now").is_null())
        .then(pl.format("{} was {} in run {} and is not charged any more", charge, "amount", pl.lit(base)))
        .otherwise(pl.format("{} was {} in run {} and is {}", charge, "amount", pl.lit(base), "amount_now"))
    )


def _filled(column: str) -> pl.Expr:
    text = key_text(pl.col(column))
    return pl.when(text != "").then(text)
