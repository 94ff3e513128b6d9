"""Figures inside a sentence: every digit that counts, no zero that does not."""

from collections.abc import Callable

import polars as pl
import pytest

from billing_pipeline.engine.money import AMOUNT, QUANTITY, RATE
from billing_pipeline.engine.pricing.figures import price_text, quantity_text, range_text, rounding_text


def text(of: Callable[..., pl.Expr], *values: tuple[str | None, pl.DataType]) -> str | None:
    """What a function makes of decimals given as text."""
    columns = {
        str(place): pl.Series([value], dtype=pl.String).cast(dtype) for place, (value, dtype) in enumerate(values)
    }
    told: str | None = pl.DataFrame(columns).select(of(*map(pl.col, columns))).item()
    return told


@pytest.mark.parametrize(
    ("value", "told"), [("12", "12"), ("100", "100"), ("1.5", "1.5"), ("0", "0"), ("-3", "-3"), (None, None)]
)
def test_quantities_have_the_decimals_they_need(value: str | None, told: str | None) -> None:
    assert text(quantity_text, (value, QUANTITY)) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [("9.5", "9.50"), ("0.335", "0.335"), ("0.00000001", "0.00000001"), ("100", "100.00"), ("-1.005", "-1.005")],
)
def test_prices_have_two_decimals_or_all_they_have(value: str, told: str) -> None:
    assert text(price_text, (value, RATE)) == told


def test_amounts_have_two_decimals() -> None:
    assert text(price_text, ("1234567890.1", AMOUNT)) == "1234567890.10"


def test_an_open_tier_has_no_end() -> None:
    assert text(range_text, ("1", QUANTITY), ("10.5", QUANTITY)) == "1 to 10.5"
    assert text(range_text, ("11", QUANTITY), (None, QUANTITY)) == "11 and up"


@pytest.mark.parametrize(("exact", "amount", "told"), [("1.005", "1.01", "1.005 -> 1.01"), ("1.34", "1.34", "1.34")])
def test_rounding_is_shown_where_something_was_rounded(exact: str, amount: str, told: str) -> None:
    assert text(rounding_text, (exact, RATE), (amount, AMOUNT)) == told
