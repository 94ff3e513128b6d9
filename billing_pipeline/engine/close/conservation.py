"""Conservation: every row of the file is in exactly one bucket, in rows, users and money.

Source: "Conservation buckets" of the interface document; Q67.
"""

from decimal import Decimal

import polars as pl

from billing_pipeline.engine.money import total

BUCKETS = ("billed", "held", "removed", "quarantined")


def conservation(fact: pl.DataFrame, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """What became of the file's rows: per bucket rows, users (QUANTITY) and amount (AMOUNT, true-ups included).

    Removed rows carry no fee; `value` says what they were priced at before the decisions, taken from `before`, the fact
    table of the undecided file (None: nothing was decided). In the other buckets `value` equals the amount.
    """
    totals = fact.group_by("bucket").agg(
        (pl.col("row_type") == "usage").sum().cast(pl.Int64).alias("rows"),
        pl.col("users").filter(pl.col("row_type") == "usage").sum(),
        pl.col("total_fee").sum().alias("amount"),
    )
    buckets = pl.DataFrame({"bucket": BUCKETS}).join(totals, on="bucket", how="left", maintain_order="left")
    removed = fact.filter(pl.col("bucket") == "removed").select("line")
    worth = Decimal("0.00")
    if before is not None and removed.height:
        worth = total(before.join(removed, on="line")["total_fee"])
    return buckets.with_columns(pl.col("rows", "users", "amount").fill_null(0)).with_columns(
        value=pl.when(pl.col("bucket") == "removed").then(pl.lit(worth)).otherwise("amount")
    )
