"""Estimate against actual: percentages, what is material, the TOTAL row."""

from decimal import Decimal

import polars as pl
import pytest

from billing_pipeline.engine.accruals import Materiality, variances
from billing_pipeline.engine.money import AMOUNT

FIVE_PERCENT = Materiality()


def totals(**customers: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer": [*customers], "total": [*customers.values()]}, schema={"customer": pl.String, "total": pl.String}
    ).cast({"total": AMOUNT})


def told(
    estimated: pl.DataFrame, actual: pl.DataFrame, materiality: Materiality = FIVE_PERCENT
) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in variances(estimated, actual, materiality).rows()]


def test_the_examples_of_the_description() -> None:
    assert told(totals(A="500", B="0", C="19.50"), totals(A="9.50", B="10", C="25.50")) == [
        ("A", "500.00", "9.50", "-490.50", "-98.10", "⚠"),
        ("B", "0.00", "10.00", "10.00", "100.00", "⚠"),
        ("C", "19.50", "25.50", "6.00", "30.77", "⚠"),
        ("TOTAL", "519.50", "45.00", "-474.50", "-91.34", "⚠"),
    ]


def test_customers_of_either_side_are_there_sorted_and_a_small_total_is_ticked() -> None:
    assert told(totals(b="100", a="100"), totals(b="103", C="0.50")) == [
        ("C", "0.00", "0.50", "0.50", "100.00", "⚠"),
        ("a", "100.00", "0.00", "-100.00", "-100.00", "⚠"),
        ("b", "100.00", "103.00", "3.00", "3.00", ""),
        ("TOTAL", "200.00", "103.50", "-96.50", "-48.25", "⚠"),
    ]
    assert told(totals(a="100"), totals(a="101"))[-1] == ("TOTAL", "100.00", "101.00", "1.00", "1.00", "✓")


def test_a_total_of_nothing_estimated_has_no_percentage() -> None:
    assert told(totals(), totals(a="5"))[-1] == ("TOTAL", "0.00", "5.00", "5.00", "0.00", "✓")


@pytest.mark.parametrize(
    ("actual", "percent", "flag"),
    [
        ("105.00", "5.00", ""),
        ("105.01", "5.01", "⚠"),
        ("95.00", "-5.00", ""),
        ("94.99", "-5.01", "⚠"),
        ("100", "0.00", ""),
    ],
)
def test_material_is_above_the_bound_and_not_at_it(actual: str, percent: str, flag: str) -> None:
    assert told(totals(a="100"), totals(a=actual))[0][4:] == (percent, flag)


def test_material_is_judged_before_the_percentage_is_rounded() -> None:
    """5.0000001 % is shown as 5.00 and is material all the same."""
    assert told(totals(a="10000000"), totals(a="10500000.01"))[0][4:] == ("5.00", "⚠")


def test_half_a_hundredth_of_a_percent_is_rounded_away_from_zero() -> None:
    assert told(totals(a="200"), totals(a="200.01"))[0][4] == "0.01"
    assert told(totals(a="200"), totals(a="199.99"))[0][4] == "-0.01"


def test_with_an_amount_both_bounds_must_be_passed() -> None:
    bounds = Materiality(Decimal(5), Decimal(100))
    found = told(totals(a="10", b="1000", c="10000"), totals(a="20", b="1101", c="10101"), bounds)
    assert [row[5] for row in found] == ["", "⚠", "", "✓"]
    only_amount = Materiality(Decimal(0), Decimal(100))
    assert [row[5] for row in told(totals(a="10", c="10000"), totals(a="20", c="10101"), only_amount)][:2] == ["", "⚠"]


def test_amounts_of_any_size_stay_exact() -> None:
    assert told(totals(a="9999999999999999.99"), totals(a="0.01"))[0][3:5] == ("-9999999999999999.98", "-100.00")
