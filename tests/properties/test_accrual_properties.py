"""For every two months of a book: the bridge sums to the variance, its rounding is small, entry and reversal cancel."""

import polars as pl
import pytest
from hypothesis import given, settings

from billing_pipeline.engine.accruals import (
    PARTS,
    AccrualTerms,
    Materiality,
    bridge,
    customer_totals,
    held_revenue,
    journal_lines,
    journal_problems,
    reversal_lines,
    rounding_bound,
    variances,
)
from billing_pipeline.engine.accruals.usage import for_month
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.invoicing import InvoiceTerms
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.usage import read_usage
from tests.properties.books import Case, cases
from tests.properties.rendering import rules, usage_csv, usage_name

pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example


def priced(case: Case, by: Case, period: Period) -> pl.DataFrame:
    """A case's usage under another one's rules, as if it were of `period`."""
    usage = read_usage(usage_csv(case), usage_name(case), Period(case.year, case.month))
    return priced_rows(for_month(usage.lazy(), period).collect(), rules(by.book), period)


@given(cases(), cases())
@settings(max_examples=60)
def test_the_parts_of_every_bridge_sum_to_the_variance(before: Case, after: Case) -> None:
    period = Period(after.year, after.month)
    try:
        estimate, actual = priced(before, before, period), priced(after, after, period)
    except InputError:
        return  # a month without a row of its own is refused
    booked, billed = customer_totals(estimate), customer_totals(actual)
    parts = bridge(estimate, actual, booked, billed, rules(before.book), period)
    compared = variances(booked, billed, Materiality())
    by_customer = parts.select("customer", explained=pl.sum_horizontal(PARTS))
    both = compared.head(-1).join(by_customer, on="customer", how="full", coalesce=True)
    assert both.filter(pl.col("variance").fill_null(0) != pl.col("explained").fill_null(0)).is_empty()
    assert total(by_customer["explained"]) == compared["variance"][-1]
    far = parts.join(rounding_bound(estimate, actual), on="customer", how="left")
    assert far.filter(pl.col("rounding").abs() > pl.col("bound").fill_null(0)).is_empty()


@given(cases())
@settings(max_examples=60)
def test_every_entry_balances_and_its_reversal_leaves_nothing(case: Case) -> None:
    period = Period(case.year, case.month)
    try:
        fact = priced(case, case, period)
    except InputError:
        return
    totals, terms, invoice = customer_totals(fact), AccrualTerms(), InvoiceTerms()
    entry, reversal = (make(totals, terms, invoice, period) for make in (journal_lines, reversal_lines))
    if totals.height:
        assert not any(journal_problems(entry, totals, terms).values())
        assert not any(journal_problems(reversal, totals, terms).values())
    net = pl.concat([entry, reversal]).group_by("Customer", "Account").agg((pl.col("Debit") - pl.col("Credit")).sum())
    assert (net["Debit"] == 0).all()
    priced_in_all = total(fact.filter(pl.col("bucket").is_in(["billed", "held"]))["total_fee"].cast(AMOUNT))
    assert total(totals["total"]) + total(held_revenue(fact)["total"]) == priced_in_all
