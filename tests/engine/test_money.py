"""Exact decimals: rounding half away from zero, products without a float on the way, sums to the cent."""

from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.money import AMOUNT, QUANTITY, RATE, cents, product_cents, total


def rounded(value: str) -> Decimal:
    frame = pl.DataFrame({"value": pl.Series([value]).cast(pl.Decimal(38, 8))})
    return frame.select(cents(pl.col("value"))).item()


def product(quantity: str, rate: str) -> Decimal:
    frame = pl.DataFrame({"q": pl.Series([quantity]).cast(QUANTITY), "r": pl.Series([rate]).cast(RATE)})
    return frame.select(product_cents(pl.col("q"), pl.col("r"))).item()


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("1.005", "1.01"),
        ("2.675", "2.68"),
        ("-1.005", "-1.01"),
        ("-2.675", "-2.68"),
        ("0.125", "0.13"),
        ("0.135", "0.14"),
        ("0.00499999", "0.00"),
        ("-0.00500000", "-0.01"),
        ("1.0049", "1.00"),
    ],
)
def test_half_a_cent_rounds_away_from_zero(value: str, amount: str) -> None:
    assert rounded(value) == Decimal(amount)


@pytest.mark.parametrize(
    ("quantity", "rate", "amount"),
    [
        ("3", "0.335", "1.01"),
        ("4", "0.335", "1.34"),
        ("7", "0.125", "0.88"),
        ("55", "0.051", "2.81"),
        ("1.5", "0.9", "1.35"),
        ("0", "0.335", "0.00"),
    ],
)
def test_units_times_price_is_rounded_once(quantity: str, rate: str, amount: str) -> None:
    assert product(quantity, rate) == Decimal(amount)


@pytest.mark.parametrize(("quantity", "rate", "amount"), [("5", "0.011", "0.06"), ("15", "0.141", "2.12")])
def test_where_a_binary_product_falls_below_half_a_cent_the_exact_one_is_billed(
    quantity: str, rate: str, amount: str
) -> None:
    """Decision 2: 5 x 0.011 is 0.055, although as doubles it prints 0.05499999999999999."""
    assert product(quantity, rate) == Decimal(amount)
    assert round(float(quantity) * float(rate), 2) < float(amount)


@given(st.decimals(0, 9_999_999, places=4), st.decimals(0, 99_999, places=8))
@settings(deadline=None, max_examples=200)
@example(Decimal("0.0001"), Decimal("50.00000000"))
@example(Decimal("9999999.9999"), Decimal("99999.99999999"))
def test_every_product_is_the_exact_one_rounded_half_up(quantity: Decimal, rate: Decimal) -> None:
    assert product(f"{quantity:f}", f"{rate:f}") == (quantity * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_amounts_are_of_the_type_of_documents() -> None:
    frame = pl.DataFrame({"q": pl.Series(["2"]).cast(QUANTITY), "r": pl.Series(["0.5"]).cast(RATE)})
    priced = frame.select(product=product_cents(pl.col("q"), pl.col("r")), price=cents(pl.col("r")))
    assert priced.schema == {"product": AMOUNT, "price": AMOUNT}


def test_a_sum_of_cents_is_exact() -> None:
    assert total(pl.Series(["0.10"] * 1000 + ["0.01"]).cast(AMOUNT)) == Decimal("100.01")


def test_the_sum_of_nothing_is_zero_cents() -> None:
    assert str(total(pl.Series([], dtype=AMOUNT))) == "0.00"
    assert str(total(pl.Series([None], dtype=AMOUNT))) == "0.00"
