"""Which tier a value falls into: a partner's plan (mode, metric) and its tiers compiled to a step table.

Tiers may leave gaps and overlap; what then happens is the reference's rule, surfaced as a warning by the rules check.
Values and bounds are whole numbers of 1/10,000 here, so that every boundary is exact.
Source: spec 2.3 (plan, select), Q2, Q2b, Q11, Q12.
"""

import polars as pl

UNIT = 10_000  # one whole user, company or row
METRICS = ("IU", "ER", "FLAT", "IU_PER_ER")


def plans(tiers: pl.DataFrame) -> pl.DataFrame:
    """One row per priced partner: partner_key, `mode` (SPLIT if any tier is), `metric` (the first that counts)."""
    return tiers.group_by("partner_key", maintain_order=True).agg(
        pl.when((pl.col("tier_type") == "SPLIT").any()).then(pl.lit("SPLIT")).otherwise(pl.lit("ALL_IN")).alias("mode"),
        pl.col("metric").filter(pl.col("metric").is_in(METRICS)).first().fill_null("FLAT").alias("metric"),
    )


def effective_tiers(tiers: pl.DataFrame) -> pl.DataFrame:
    """The tiers that can price a row: of the plan's metric and type, or all when there are none; numbered `tier`."""
    chosen = tiers.join(plans(tiers).rename({"metric": "plan_metric"}), on="partner_key", maintain_order="left")
    for column, wanted in (("metric", "plan_metric"), ("tier_type", "mode")):
        fits = pl.col(column) == pl.col(wanted)
        chosen = chosen.filter(fits | ~fits.any().over("partner_key"))
    return chosen.drop("mode", "plan_metric").with_row_index("tier")


def steps(effective: pl.DataFrame) -> pl.DataFrame:
    """The tier of every value: rows partner_key, `from` (Int64, 1/UNIT), `tier`; a row holds until the partner's next
    one.

    Several tiers hold a value: the greatest start wins (first in the sheet on a tie). None does: the lowest tier below
    the smallest start, else the one with the greatest start, gaps included.
    """
    bounds = effective.select("partner_key", "tier", start=units("start"), end=units("end"))
    points = pl.concat(
        [
            bounds.select("partner_key", pl.col("start").alias("from")),
            bounds.drop_nulls("end").select("partner_key", pl.col("end").alias("from") + 1),
            bounds.select("partner_key", pl.lit(0, pl.Int64).alias("from")),
        ]
    ).unique()
    at = ["partner_key", "from"]
    pairs = points.join(bounds, on="partner_key").with_columns(
        covers=(pl.col("start") <= pl.col("from")) & (pl.col("from") <= pl.col("end")).fill_null(value=True)
    )
    covered = pl.col("covers").any().over(at)
    below = pl.col("from") < pl.col("start").min().over(at)
    candidates = pairs.with_columns(lowest=below & ~covered).filter(pl.col("covers") | ~covered)
    target = pl.when("lowest").then(pl.col("start").min().over(at)).otherwise(pl.col("start").max().over(at))
    return candidates.filter(pl.col("start") == target).group_by(at).agg(pl.col("tier").min()).sort(at)


def units(column: str) -> pl.Expr:
    """A QUANTITY column as whole numbers of 1/UNIT."""
    return pl.col(column).to_physical().cast(pl.Int64)
