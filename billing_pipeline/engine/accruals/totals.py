"""What a priced month comes to per customer: the amounts an accrual books, and the actual bill it is compared with.

One aggregation for both, so that they differ by what happened and not by how it was added up. Source: spec 5.1, 5.2.
"""

from collections.abc import Mapping

import polars as pl

from billing_pipeline.engine.invoicing.holds import customer_hold
from billing_pipeline.engine.money import AMOUNT

COMPONENTS = ("usage", "next_day", "minimums")
TOTALS_NEED = (
    "netsuite_customer_name", "partner_key", "PARTNER_ID", "PARTNER_NAME", "position", "row_type", "bucket", "er_fee",
    "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee",
)  # fmt: skip
"""The columns of the fact table that totals read."""
_PRICED = pl.col("bucket").is_in(["billed", "held"])


def customer_totals(fact: pl.DataFrame) -> pl.DataFrame:
    """customer, usage, next_day, minimums, total (AMOUNT) of the priced rows; customers in code-point order.

    Rows without a customer that the ledger can take are not here but in `held_revenue`. An invoice that is held because
    its external id meets another one's counts: its revenue was earned, and an entry names customers only. Customers
    whose total is not above zero are left out.

    >>> fact = pl.DataFrame(
    ...     {
    ...         "netsuite_customer_name": ["Acme"] * 2,
    ...         "row_type": ["usage", "min_trueup"],
    ...         "bucket": ["billed"] * 2,
    ...         "er_fee": ["1.50", "0"],
    ...         "iu_fee": ["0.25", "3"],
    ...         "next_day_er_fee": ["0.10", "0"],
    ...         "next_day_iu_fee": ["0", "0"],
    ...         "total_fee": ["1.85", "3"],
    ...     }
    ... ).with_columns(pl.col("^.*fee$").cast(AMOUNT))
    >>> [str(value) for value in customer_totals(fact).row(0)]
    ['Acme', '1.75', '0.10', '3.00', '4.85']
    """
    return (
        fact.lazy()
        .filter(is_booked())
        .group_by(pl.col("netsuite_customer_name").alias("customer"))
        .agg(*_amounts())
        .with_columns(_total())
        .filter(pl.col("total") > 0)
        .sort("customer")
        .collect()
    )


def held_revenue(fact: pl.DataFrame) -> pl.DataFrame:
    """What is not accrued, for want of a customer: partner (as written), partner_id, amounts as above, reason.

    Partners in order of their first row; those without an amount are left out. Source: decision 4, Q49.
    """
    return (
        fact.lazy()
        .filter(_PRICED & ~is_booked())
        .group_by("partner_key", "netsuite_customer_name")
        .agg(
            pl.col("PARTNER_NAME", "PARTNER_ID").sort_by("position").first(),
            pl.col("position").min(),
            *_amounts(),
        )
        .with_columns(_total())
        .filter(pl.col("total") > 0)
        .sort("position", "partner_key")
        .select(
            pl.col("netsuite_customer_name").alias("customer"),
            pl.col("PARTNER_NAME").fill_null("").alias("partner"),
            pl.col("PARTNER_ID").fill_null("").alias("partner_id"),
            *COMPONENTS,
            "total",
            customer_hold(pl.col("netsuite_customer_name")).alias("reason"),
        )
        .collect()
    )


def side_by_side(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """customer, then the `total` of every frame under its name (AMOUNT), 0.00 where a frame has no such customer."""
    joined = pl.concat([frame.select("customer") for frame in frames.values()]).unique().sort("customer")
    for name, frame in frames.items():
        amounts = frame.select("customer", pl.col("total").alias(name))
        joined = joined.join(amounts, on="customer", how="left", maintain_order="left")
    return joined.with_columns(pl.col(*frames).fill_null(0).cast(AMOUNT))


def is_booked() -> pl.Expr:
    """Whether a row of the fact table counts in `customer_totals`."""
    return _PRICED & customer_hold(pl.col("netsuite_customer_name")).is_null()


def _amounts() -> list[pl.Expr]:
    usage = pl.col("row_type") == "usage"
    fees = {
        "usage": (pl.col("er_fee") + pl.col("iu_fee")).filter(usage),
        "next_day": (pl.col("next_day_er_fee") + pl.col("next_day_iu_fee")).filter(usage),
        "minimums": pl.col("total_fee").filter(~usage),
    }
    return [fee.sum().cast(AMOUNT).alias(name) for name, fee in fees.items()]


def _total() -> pl.Expr:
    return pl.sum_horizontal(*COMPONENTS).cast(AMOUNT).alias("total")
