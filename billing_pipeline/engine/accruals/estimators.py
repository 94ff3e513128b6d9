"""Ways to estimate a month from the months before it, and how good each would have been.

Every way starts from usage that is on hand, re-priced for the month with its rules by the pricing of the bill, so that
a change of prices or a new step of a minimum is in the estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import polars as pl

from billing_pipeline.engine.accruals.totals import COMPONENTS
from billing_pipeline.engine.accruals.variance import TOTAL, Materiality, variances
from billing_pipeline.engine.money import AMOUNT, cents, percent
from billing_pipeline.engine.period import Period

Estimator = Literal["prior-month", "prior-month-billed", "run-rate", "seasonal"]
ESTIMATORS = get_args(Estimator)
PRIOR: Estimator = "prior-month"
LOOKS_BACK: Mapping[Estimator, tuple[int, ...]] = {
    "prior-month": (1,),
    "prior-month-billed": (1,),
    "run-rate": (1, 2, 3),
    "seasonal": (1, 12, 13),
}
"""The months before the accrued one whose usage an estimator needs, the last month first."""
METHODOLOGY: Mapping[Estimator, str] = {
    "prior-month": "Prior-month actual usage re-priced at current contract rates",
    "prior-month-billed": "Prior-month usage as it was billed, re-priced at current contract rates",
    "run-rate": "Mean of the last three months' usage re-priced at current contract rates",
    "seasonal": "Prior-month usage re-priced at current contract rates, times last year's change into the month",
}
_SCORES = ("months", "estimated", "actual", "bias", "wape", "within")


def estimated_totals(estimator: Estimator, repriced: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    """The amounts to accrue: columns of customer_totals().

    repriced: months before (1: the last one) and customer_totals() of that month's usage, priced for the accrued month;
    all that LOOKS_BACK names.
    """
    if estimator == "run-rate":
        return _run_rate([repriced[back] for back in LOOKS_BACK[estimator]])
    if estimator == "seasonal":
        return _seasonal(*(repriced[back] for back in LOOKS_BACK[estimator]))
    return repriced[1]


def backtest(
    months: Sequence[Period],
    on_hand: Sequence[Period],
    repriced: Callable[[Period, Period], pl.DataFrame],
    materiality: Materiality,
) -> pl.DataFrame:
    """How each estimator would have done: customer (TOTAL first), estimator, months, estimated, actual (AMOUNT), and as
    percentages bias (estimated - actual, of actual), wape (the sum of absolute errors, of actual), within (share of the
    months whose variance was not material).

    months: those that are estimated; on_hand: those whose usage there is. repriced(usage month, priced month):
    customer_totals() of that usage at the rules of the priced month. `prior-month-billed` is not scored: what would be
    decided is not known then.
    """
    known = set(on_hand)
    found = [
        _errors(estimator, month, repriced, materiality)
        for month in months
        for estimator in ESTIMATORS
        if estimator != "prior-month-billed"
        and known.issuperset(before(month, back) for back in (0, *LOOKS_BACK[estimator]))
    ]
    if not found:
        return pl.DataFrame(schema={"customer": pl.String, "estimator": pl.String})
    errors = pl.concat(found)
    order = pl.col("estimator").replace_strict(list(ESTIMATORS), list(range(len(ESTIMATORS))), return_dtype=pl.Int8)
    scored = pl.concat([_scored(errors.with_columns(pl.lit(TOTAL).alias("customer"))), _scored(errors)])
    return scored.sort(pl.col("customer") != TOTAL, "customer", order).select("customer", "estimator", *_SCORES)


def before(period: Period, months: int) -> Period:
    """The month so many months before."""
    year, month = divmod(period.year * 12 + period.month - 1 - months, 12)
    return Period(year, month + 1)


def _run_rate(months: Sequence[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat(months).group_by("customer").agg(pl.col(*COMPONENTS).sum())
    share = pl.lit(len(months)).cast(pl.Decimal(38, 0))
    mean = [cents(pl.col(name).cast(pl.Decimal(38, 8)) / share).alias(name) for name in COMPONENTS]
    return _whole(every.with_columns(mean))


def _seasonal(prior: pl.DataFrame, year_ago: pl.DataFrame, before_that: pl.DataFrame) -> pl.DataFrame:
    """Each customer's amounts times what its total did a year ago; unchanged where it had none then."""
    then = year_ago.select("customer", then="total").join(before_that.select("customer", base="total"), on="customer")
    joined = prior.join(then, on="customer", how="left")
    scaled = [_scaled(name).alias(name) for name in COMPONENTS]
    return _whole(joined.with_columns(scaled))


def _scaled(name: str) -> pl.Expr:
    """amount x then / base in whole cents, half away from zero: exact, and amounts are never negative."""
    amount, then, base = (pl.col(column).to_physical().cast(pl.Int128) for column in (name, "then", "base"))
    rounded = ((2 * amount * then + base) // (2 * base)).cast(pl.Decimal(38, 4))
    grown = (rounded / pl.lit(100).cast(pl.Decimal(38, 0))).cast(AMOUNT)
    return pl.when(base > 0).then(grown).otherwise(name)


def _whole(totals: pl.DataFrame) -> pl.DataFrame:
    summed = totals.with_columns(pl.sum_horizontal(*COMPONENTS).cast(AMOUNT).alias("total"))
    return summed.filter(pl.col("total") > 0).sort("customer").select("customer", *COMPONENTS, "total")


def _errors(
    estimator: Estimator,
    month: Period,
    repriced: Callable[[Period, Period], pl.DataFrame],
    materiality: Materiality,
) -> pl.DataFrame:
    totals = {back: repriced(before(month, back), month) for back in LOOKS_BACK[estimator]}
    compared = variances(estimated_totals(estimator, totals), repriced(month, month), materiality)
    return compared.filter(pl.col("customer") != TOTAL).with_columns(
        pl.lit(month.key).alias("month"), pl.lit(estimator).alias("estimator")
    )


def _scored(errors: pl.DataFrame) -> pl.DataFrame:
    sums = errors.group_by("customer", "estimator").agg(
        pl.col("month").n_unique().cast(pl.Int64).alias("months"),
        pl.col("estimated", "actual").sum().cast(AMOUNT),
        (pl.col("estimated") - pl.col("actual")).sum().cast(AMOUNT).alias("error"),
        pl.col("variance").abs().sum().cast(AMOUNT).alias("absolute"),
        (pl.col("flag") == "").sum().cast(pl.Decimal(38, 2)).cast(AMOUNT).alias("good"),
        pl.len().cast(pl.Decimal(38, 2)).cast(AMOUNT).alias("all"),
    )
    return sums.with_columns(
        bias=percent(pl.col("error"), pl.col("actual")),
        wape=percent(pl.col("absolute"), pl.col("actual")),
        within=percent(pl.col("good"), pl.col("all")),
    )
