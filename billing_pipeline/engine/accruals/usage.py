"""Last month's usage as if it were the accrued month's."""

import polars as pl

from billing_pipeline.engine.period import Period


def for_month(usage: pl.LazyFrame, period: Period) -> pl.LazyFrame:
    """The usage rows of an earlier month with their month replaced by `period`; everything else stays.

    Rows that review would ask about (unreadable, or of a month that is not even their file's) stay unpriced: an
    estimate is made of what is known. Source: spec 5.1 step 2.
    """
    whole = pl.col("input_status").is_null()
    return usage.with_columns(
        pl.when(whole).then(pl.lit(f"{period.key}-01")).otherwise("FOR_MONTH").alias("FOR_MONTH"),
        pl.when(whole).then(pl.lit(period.first)).otherwise("month").alias("month"),
    )
