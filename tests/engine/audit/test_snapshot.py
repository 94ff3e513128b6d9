"""From the texts of a sheet to typed rows: what each kind of cell takes, and that nothing is taken for zero."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from billing_pipeline.engine.audit.snapshot import cell_text, is_billable, snapshot
from billing_pipeline.engine.audit.tables import CELL_PROBLEMS, ROWS, SOURCE_ROWS, TEXTS
from tests.engine.audit.ledgers import line, taken

NOT_A_NUMBER = "is not a plain number"


def cell(column: str, text: str | None) -> tuple[object, list[str]]:
    """The value of one cell, and its problems."""
    found = taken(line(**{column: text}))
    return found.rows[column][0], found.problems.filter(pl.col("column") == column)["problem"].to_list()


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("($50.00)", "-50.00"),
        ("(50)", "-50.00"),
        ("$1,200", "1200.00"),
        ("-$12.50", "-12.50"),
        ("0", "0.00"),
        ("170.52000000000001", "170.52"),
        ("28.4175", "28.42"),
        ("(0.005)", "-0.01"),
    ],
)
def test_prices_are_exact_to_the_cent_and_parentheses_are_negative(text: str, price: str) -> None:
    assert cell("price", text) == (Decimal(price), [])


@pytest.mark.parametrize("text", ["€10", "abc", "1e3", "(-5)", "(5", "5)", "()", "10%", "nan"])
def test_a_price_that_cannot_be_read_is_a_problem_and_never_zero(text: str) -> None:
    assert cell("price", text) == (None, [NOT_A_NUMBER])


@pytest.mark.parametrize(("text", "quantity"), [("2.9", "2.9"), ("1,000", "1000"), ("-1.5", "-1.5"), ("2.50", "2.5")])
def test_quantities_are_never_truncated(text: str, quantity: str) -> None:
    assert cell("quantity", text) == (Decimal(quantity), [])


@pytest.mark.parametrize(
    ("text", "number"),
    [("10000001.0", "10000001"), ("10000001", "10000001"), (" 10000001 ", "10000001"), ("WR-7", "WR-7"), (".", None)],
)
def test_a_work_request_is_what_stands_before_the_point(text: str, number: str | None) -> None:
    assert cell("work_request", text) == (number, [])


@pytest.mark.parametrize("text", ["true", "True", "Checked", "YES", "on", "1", "1.0"])
def test_a_checkbox_is_checked_by_these_words(text: str) -> None:
    assert cell("completed", text) == (True, [])


@pytest.mark.parametrize("text", ["false", "unchecked", "No", "off", "0", "", None])
def test_a_checkbox_is_unchecked_by_these_and_when_it_is_blank(text: str | None) -> None:
    assert cell("completed", text) == (False, [])


def test_another_word_in_a_checkbox_is_a_problem() -> None:
    assert cell("completed", "maybe") == (None, ["is neither checked nor unchecked"])


@pytest.mark.parametrize("text", ["2026-01-04", "1/4/2026", "01/04/26", "2026-01-04T23:59:00Z", "2026-01-04 05:00"])
def test_dates_are_iso_or_american_and_of_a_date_time_the_date(text: str) -> None:
    assert cell("week_ending", text) == (date(2026, 1, 4), [])


def test_a_date_that_cannot_be_read_is_a_problem() -> None:
    value, problems = cell("work_date", "Jan 4")
    assert (value, len(problems)) == (None, 1)


def test_problems_name_their_cell_and_keep_its_text() -> None:
    found = taken(line("1"), line("2", price="abc"), line("3", quantity="two"))
    assert found.problems.select("row_id", "column", "value").rows() == [
        ("2", "price", "abc"),
        ("3", "quantity", "two"),
    ]


def test_every_row_is_there_whatever_its_state() -> None:
    blank = dict.fromkeys(("work_request", "week_ending", "completed", "price", "quantity"), None)
    assert taken(line("1", **blank), line("2", completed="false", price="0")).rows["row_id"].to_list() == ["1", "2"]


def test_cells_may_come_in_any_order_and_blank_ones_not_at_all() -> None:
    rows = taken(line("1"), line("2")).rows.select(*SOURCE_ROWS)
    cells = [
        ("S1", "2", "price", "20"),
        ("S1", "1", "price", "5"),
        ("S1", "1", "price", "10"),
        ("S9", "1", "price", "7"),
    ]
    found = snapshot(pl.DataFrame(cells, schema=TEXTS, orient="row"), rows)
    assert found.rows.select("row_id", "price", "quantity", "point").rows() == [
        ("1", Decimal(10), None, None),
        ("2", Decimal(20), None, None),
    ]


def test_a_snapshot_of_nothing_has_its_shape() -> None:
    found = snapshot(pl.DataFrame(schema=TEXTS), pl.DataFrame(schema=SOURCE_ROWS))
    assert (dict(found.rows.schema), dict(found.problems.schema)) == (ROWS, CELL_PROBLEMS)


def test_values_have_one_text_each() -> None:
    rows = taken(line(quantity="1,200.50", price="$5", week_ending="1/4/2026", completed="yes", point="P1")).rows
    columns = ("quantity", "price", "week_ending", "completed", "point")
    assert rows.select(cell_text(column) for column in columns).row(0) == ("1200.5", "5.00", "2026-01-04", "true", "P1")


@pytest.mark.parametrize(
    "texts",
    [
        {"completed": "false"},
        {"completed": "maybe"},
        {"price": "0"},
        {"price": None},
        {"price": "-5"},
        {"work_request": None},
        {"week_ending": "soon"},
    ],
)
def test_a_row_without_one_of_these_is_not_billed(texts: dict[str, str | None]) -> None:
    assert taken(line(**texts)).rows.select(is_billable()).to_series().to_list() == [False]
    assert taken(line()).rows.select(is_billable()).to_series().to_list() == [True]
