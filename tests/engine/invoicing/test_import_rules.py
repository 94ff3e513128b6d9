"""NetSuite's import contract: what breaks each rule, and how lines are split into files without cutting an invoice."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.invoicing import import_problems, split_lines
from billing_pipeline.engine.invoicing.import_rules import MOST_BYTES, MOST_LINES, MOST_RECORDS
from billing_pipeline.reports.csv_files import csv_bytes

Line = tuple[str | None, str, str]  # customer, external id, amount


def file(*lines: Line) -> pl.DataFrame:
    frame = pl.DataFrame(
        list(lines), schema=dict.fromkeys(("Customer", "Invoice External ID", "Amount"), pl.String), orient="row"
    )
    return frame.with_columns(pl.col("Amount").cast(pl.Decimal(18, 2)))


def test_the_limits_are_the_vendor_s() -> None:
    assert (MOST_RECORDS, MOST_BYTES, MOST_LINES) == (25_000, 50_000_000, 5_000)


def test_a_file_that_keeps_the_contract_has_no_problems() -> None:
    good = file(
        ("Acme", "INV-1", "10.00"), ("Acme", "INV-1", "0.00"), ("Birch", "INV_2", "-3.50"), ("Acme", "INV-3", "1")
    )
    assert import_problems(good) == []


def test_a_file_without_lines_has_no_problems() -> None:
    assert import_problems(file()) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            [("Acme", "INV-1", "1"), ("Birch", "INV-2", "1"), ("Acme", "INV-1", "1")],
            "lines of an invoice are not consecutive",
        ),
        ([("Acme", "INV-a", "1"), ("Acme", "INV-A", "1")], "external ids differ only in case"),
        ([("Acme", "INV-1", "1"), ("Birch", "INV-1", "1")], "an external id has more than one customer"),
        (
            [("Acme", "INV 1", "1")],
            "an external id has other characters than letters, digits, - and _",
        ),
        ([("Acme", "INV-é", "1")], "an external id has other characters than letters, digits, - and _"),
        ([("Acme", "", "1")], "an external id has other characters than letters, digits, - and _"),
        ([("", "INV-1", "1")], "a line has no customer"),
        ([(None, "INV-1", "1")], "a line has no customer"),
        ([("Acme", "INV-1", "10000000000.00")], "an amount has more than 10 digits before the point"),
        ([("Acme", "INV-1", "-10000000000.00")], "an amount has more than 10 digits before the point"),
        ([("Acme", "INV-1", "1")] * (MOST_LINES + 1), "an invoice has more than 5000 lines"),
        (
            [("Acme", f"INV-{n // 100}", "1") for n in range(MOST_RECORDS + 1)],
            "a file has more than 25000 records",
        ),
    ],
    ids=[
        "not consecutive", "case", "two customers", "blank in id", "letter in id", "no id", "no customer",
        "null customer", "amount", "negative amount", "lines", "records",
    ],
)  # fmt: skip
def test_each_rule_that_is_broken_is_told(lines: Sequence[Line], problem: str) -> None:
    assert import_problems(file(*lines)) == [problem]


def test_the_largest_file_that_keeps_the_limits_is_fine() -> None:
    lines: list[Line] = [("Acme", f"INV-{n // MOST_LINES}", "9999999999.99") for n in range(MOST_RECORDS)]
    assert import_problems(file(*lines)) == []


def test_all_broken_rules_are_told_at_once() -> None:
    found = import_problems(file(("", "INV 1", "1"), ("Birch", "inv 1", "1")))
    assert found == [
        "external ids differ only in case",
        "an external id has more than one customer",
        "an external id has other characters than letters, digits, - and _",
        "a line has no customer",
    ]


def test_a_small_month_is_one_part() -> None:
    lines = file(("Acme", "INV-1", "1"), ("Birch", "INV-2", "1"))
    (part,) = split_lines(lines)
    assert part.equals(lines)


def test_no_lines_are_one_part_without_lines() -> None:
    (part,) = split_lines(file())
    assert part.equals(file())


def test_parts_are_filled_up_to_the_limit_of_records() -> None:
    lines = file(*(("Acme", f"INV-{n // 2}", "1") for n in range(10)))
    assert [part.height for part in split_lines(lines, records=4)] == [4, 4, 2]
    assert [part.height for part in split_lines(lines, records=5)] == [4, 4, 2]
    assert [part.height for part in split_lines(lines, records=10)] == [10]


def test_an_invoice_beyond_the_limit_stays_whole_in_a_part_of_its_own() -> None:
    lines = file(("Acme", "INV-0", "1"), *[("Acme", "INV-1", "1")] * 5, ("Acme", "INV-2", "1"))
    assert [part["Invoice External ID"].unique().to_list() for part in split_lines(lines, records=3)] == [
        ["INV-0"],
        ["INV-1"],
        ["INV-2"],
    ]


invoices = st.lists(
    st.tuples(st.integers(1, 6), st.text('aé,"\n', max_size=8)), min_size=1, max_size=12
)  # lines and customer of each invoice


@given(invoices, st.integers(1, 20), st.integers(40, 400))
@settings(deadline=None, max_examples=100)
def test_a_split_keeps_every_line_in_order_cuts_no_invoice_and_keeps_the_limits(
    sizes: list[tuple[int, str]], records: int, size: int
) -> None:
    lines = file(*((customer, f"INV-{n}", "1") for n, (count, customer) in enumerate(sizes) for _ in range(count)))
    parts = split_lines(lines, records, size)
    assert pl.concat(parts).equals(lines)
    homes = [number for number, part in enumerate(parts) for _ in part["Invoice External ID"].unique()]
    assert len(homes) == len(sizes)
    for part in parts:
        single = part["Invoice External ID"].n_unique() == 1
        assert single or part.height <= records
        assert single or len(csv_bytes(part).split(b"\n", 1)[1]) <= size


@given(invoices, st.integers(1, 12))
@settings(deadline=None, max_examples=50)
def test_a_split_by_records_makes_no_more_parts_than_needed(sizes: list[tuple[int, str]], records: int) -> None:
    lines = file(*(("Acme", f"INV-{n}", "1") for n, (count, _) in enumerate(sizes) for _ in range(count)))
    needed, room = 0, 0
    for count, _ in groupby(lines["Invoice External ID"]):
        height = lines.filter(pl.col("Invoice External ID") == count).height
        needed, room = (needed, room - height) if room >= height else (needed + 1, records - height)
    assert len(split_lines(lines, records)) == needed


def test_amounts_of_all_parts_together_are_the_amount() -> None:
    lines = file(*(("Acme", f"INV-{n}", f"{n}.01") for n in range(7)))
    assert sum(part["Amount"].sum() for part in split_lines(lines, records=2)) == Decimal("21.07")
