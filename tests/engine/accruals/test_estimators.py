"""Other ways to estimate, and their scores over past months."""

from decimal import Decimal

import polars as pl

from billing_pipeline.engine.accruals import Materiality, backtest, before, estimated_totals
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

JANUARY = Period(2026, 1)


def totals(**usage: str) -> pl.DataFrame:
    """customer_totals() of usage alone."""
    amounts = {"usage": [*usage.values()], "next_day": ["0"] * len(usage), "minimums": ["0"] * len(usage)}
    frame = pl.DataFrame({"customer": [*usage], **amounts}).with_columns(pl.exclude("customer").cast(AMOUNT))
    return frame.with_columns(pl.col("usage").alias("total"))


def amounts(frame: pl.DataFrame) -> dict[str, str]:
    return {customer: str(amount) for customer, amount in frame.select("customer", "total").rows()}


def test_months_are_counted_back_over_the_turn_of_the_year() -> None:
    assert [before(JANUARY, months) for months in (0, 1, 12, 13)] == [
        JANUARY, Period(2025, 12), Period(2025, 1), Period(2024, 12),
    ]  # fmt: skip


def test_the_prior_month_is_taken_as_it_is() -> None:
    assert amounts(estimated_totals("prior-month", {1: totals(Acme="10.01")})) == {"Acme": "10.01"}


def test_the_run_rate_is_the_mean_of_three_months_to_the_cent() -> None:
    """A customer that had nothing in a month counts with nothing; half a cent goes away from zero."""
    months = {1: totals(Acme="10.00", New="3.01"), 2: totals(Acme="10.01"), 3: totals(Acme="10.01", Gone="0.015")}
    assert amounts(estimated_totals("run-rate", months)) == {"Acme": "10.01", "Gone": "0.01", "New": "1.00"}


def test_the_season_scales_the_prior_month_by_last_year_s_change_of_each_customer() -> None:
    months = {
        1: totals(Acme="100", Flat="50", Fell="7"), 12: totals(Acme="30", Fell="1"), 13: totals(Acme="20", Fell="2"),
    }  # fmt: skip
    assert amounts(estimated_totals("seasonal", months)) == {"Acme": "150.00", "Fell": "3.50", "Flat": "50.00"}


def test_scores_are_exact_and_only_of_months_with_enough_before_them() -> None:
    actual = {
        Period(2025, month): totals(Acme=str(amount)) for month, amount in ((9, 100), (10, 110), (11, 99), (12, 99))
    }

    def repriced(usage: Period, _: Period) -> pl.DataFrame:
        return actual[usage]

    months = tuple(actual)
    scores = backtest(months, months, repriced, Materiality())
    found = {(row["customer"], row["estimator"]): row for row in scores.to_dicts()}
    assert set(found) == {(who, how) for who in ("TOTAL", "Acme") for how in ("prior-month", "run-rate")}
    prior = found["TOTAL", "prior-month"]
    assert (prior["months"], prior["estimated"], prior["actual"]) == (3, Decimal("309.00"), Decimal("308.00"))
    assert (prior["bias"], prior["wape"], prior["within"]) == (Decimal("0.32"), Decimal("6.82"), Decimal("33.33"))
    rate = found["Acme", "run-rate"]
    assert (rate["months"], rate["estimated"], rate["within"]) == (1, Decimal("103.00"), Decimal("100.00"))


def test_without_two_months_in_a_row_there_is_nothing_to_score() -> None:
    months = (JANUARY, Period(2025, 11))
    assert backtest(months, months, lambda *_: totals(Acme="1"), Materiality()).is_empty()
