"""What is at stake in a review: the amount behind each flag, as the file stands before any decision."""

import polars as pl

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.draft import NEEDS, priced_rows
from billing_pipeline.engine.rules import Rules


def at_stake(usage: pl.DataFrame, flags: pl.DataFrame, rules: Rules, period: Period) -> pl.Series:
    """The fees of each flag's row, or of all rows of its partner (AMOUNT), in the order of `flags`.

    Null where no row can be priced. `usage` is the untouched file; a partner's minimum is no part of it.
    """
    rows = pl.coalesce("affected_row_indices", pl.concat_list("row_index")).alias("position")
    named = flags.select(rows).with_row_index("flag").explode("position")
    priced = priced_rows(usage.select(NEEDS), rules, period).filter(pl.col("fee_calc_status") == "ok")
    amounts = named.join(priced.select("position", "total_fee"), on="position", how="left")
    known = pl.when(pl.col("total_fee").count() > 0).then(pl.col("total_fee").sum())
    return amounts.group_by("flag").agg(known).sort("flag")["total_fee"]
