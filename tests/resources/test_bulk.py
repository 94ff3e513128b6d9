"""Values as texts and back: exact, in one spelling; what cannot be read is no value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.resources.bulk import texts, typed


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        (pl.String, "a\n", "a\n"),
        (pl.Boolean, True, "true"),
        (pl.Boolean, False, "false"),
        (pl.Int64, 2**60, "1152921504606846976"),
        (pl.Date, date(2026, 1, 4), "2026-01-04"),
        (pl.Datetime("us", "UTC"), datetime(2026, 1, 4, 5, 6, 7, 8, tzinfo=UTC), "2026-01-04T05:06:07.000008+00:00"),
        (pl.Decimal(18, 4), Decimal("-12345678901234.5000"), "-12345678901234.5000"),
        (pl.Decimal(18, 2), None, None),
    ],
)
def test_a_value_is_a_text_and_comes_back(dtype: Any, value: object, text: str | None) -> None:
    frame = pl.DataFrame({"a": [value]}, schema={"a": dtype})
    assert texts(frame) == [{"a": text}]
    assert typed(texts(frame), {"a": dtype}).equals(frame)


def test_a_character_that_postgresql_cannot_keep_is_replaced() -> None:
    assert texts(pl.DataFrame({"a": ["x\x00y"]})) == [{"a": "x\ufffdy"}]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Date, pl.Datetime("us", "UTC"), pl.Decimal(18, 2)])
def test_what_cannot_be_read_is_no_value(dtype: Any) -> None:
    assert typed([{"a": "$1"}], {"a": dtype})["a"].to_list() == [None]


def test_a_value_that_is_not_there_is_null_and_others_are_left_out() -> None:
    assert typed([{"b": "1"}, {"a": "2", "b": "3"}], {"a": pl.Int64}).to_dicts() == [{"a": None}, {"a": 2}]
