"""Adjustments: what a changed draft adds to, or takes from, what was sent."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_pipeline.engine.close import adjustment_lines, line_differences, partner_differences, posting_date
from billing_pipeline.engine.invoicing import COLUMNS, import_problems
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from tests.literals import JANUARY

Line = tuple[str, str, str, str]  # customer, partner id, description, amount


def lines(*found: Line, held: str | None = None) -> pl.DataFrame:
    """Invoice lines as invoice_lines() gives them; partner and item follow from the rest."""
    return pl.DataFrame(
        [
            (customer, f"INV-GEP-202601-{partner}", "January 2026 Invoice", "01/31/2026", "Payroll", text, 1,
             Decimal(amount), "Usage", partner, held)
            for customer, partner, text, amount in found
        ],
        schema={
            **dict.fromkeys(COLUMNS[:6], pl.String), "Quantity": pl.Int64, "Amount": AMOUNT, "Product": pl.String,
            "partner_key": pl.String, "held": pl.String,
        },
        orient="row",
    )  # fmt: skip


def differences(before: pl.DataFrame, after: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Invoice, description, difference."""
    found = line_differences(before, after)
    return [
        (row["Invoice External ID"], row["Description"], str(row["difference"])) for row in found.iter_rows(named=True)
    ]


def adjusted(before: pl.DataFrame, after: pl.DataFrame, number: int = 2) -> pl.DataFrame:
    return adjustment_lines(line_differences(before, after), JANUARY, number, date(2026, 1, 31), "%m/%d/%Y")


SENT = lines(("Acme", "101", "End Users", "10.00"), ("Acme", "101", "Individual Users", "5.00"))


def test_the_same_lines_differ_in_nothing() -> None:
    assert differences(SENT, SENT) == []


def test_only_the_lines_that_changed_are_told() -> None:
    now = lines(("Acme", "101", "End Users", "12.50"), ("Acme", "101", "Individual Users", "5.00"))
    assert differences(SENT, now) == [("INV-GEP-202601-101", "End Users", "2.50")]


def test_a_line_that_is_gone_is_taken_back_whole_and_a_new_one_charged_whole() -> None:
    now = lines(("Acme", "101", "End Users", "10.00"), ("Birch", "102", "End Users", "7.00"))
    assert differences(SENT, now) == [
        ("INV-GEP-202601-101", "Individual Users", "-5.00"),
        ("INV-GEP-202601-102", "End Users", "7.00"),
    ]


def test_a_held_line_was_not_sent_and_is_charged_when_it_no_longer_is() -> None:
    now = lines(("Acme", "101", "End Users", "10.00"))
    assert differences(lines(("", "101", "End Users", "10.00"), held="no customer is mapped"), now) == [
        ("INV-GEP-202601-101", "End Users", "10.00")
    ]


def test_an_invoice_that_was_never_sent_is_not_named_as_an_original() -> None:
    found = adjusted(SENT, pl.concat([SENT, lines(("Birch", "102", "End Users", "7.00"))]))
    assert found.select("Invoice External ID", "Original Invoice External ID").rows() == [
        ("INV-GEP-202601-102-R2", None)
    ]


def test_a_partner_that_moves_to_another_customer_is_credited_there_and_charged_here() -> None:
    found = adjusted(SENT, lines(("Birch", "101", "End Users", "15.00")))
    told = found.select("Customer", "Invoice External ID", "Description", "Amount", "kind").rows()
    assert told == [
        ("Acme", "CM-GEP-202601-101-R2", "End Users", Decimal("10.00"), "credit_memo"),
        ("Acme", "CM-GEP-202601-101-R2", "Individual Users", Decimal("5.00"), "credit_memo"),
        ("Birch", "INV-GEP-202601-101-R2", "End Users", Decimal("15.00"), "invoice"),
    ]


def test_an_adjustment_names_its_release_its_invoice_and_its_day() -> None:
    (line,) = adjusted(
        SENT, lines(("Acme", "101", "End Users", "10.00"), ("Acme", "101", "Individual Users", "6.00"))
    ).to_dicts()
    assert line == {
        "Customer": "Acme",
        "Invoice External ID": "INV-GEP-202601-101-R2",
        "Memo": "January 2026 Adjustment 2",
        "Transaction Date": "01/31/2026",
        "Item": "Payroll",
        "Description": "Individual Users",
        "Quantity": 1,
        "Amount": Decimal("1.00"),
        "Product": "Usage",
        "Original Invoice External ID": "INV-GEP-202601-101",
        "kind": "invoice",
    }


def test_partners_are_told_with_the_largest_difference_first() -> None:
    before = lines(("Acme", "101", "End Users", "10.00"), ("Birch", "102", "End Users", "10.00"))
    now = lines(("Acme", "101", "End Users", "11.00"), ("Birch", "102", "End Users", "1.00"))
    found = partner_differences(line_differences(before, now))
    assert found.select("partner_key", "customers", "difference").rows() == [
        ("102", "Birch", Decimal("-9.00")),
        ("101", "Acme", Decimal("1.00")),
    ]


@pytest.mark.parametrize(
    ("closed", "posted"),
    [
        ((), date(2026, 1, 31)),
        (((2026, 2),), date(2026, 1, 31)),
        (((2026, 1),), date(2026, 2, 1)),
        (((2026, 1), (2026, 2), (2026, 4)), date(2026, 3, 1)),
    ],
)
def test_adjustments_are_posted_in_the_month_or_the_first_open_one_after(
    closed: tuple[tuple[int, int], ...], posted: date
) -> None:
    assert posting_date(JANUARY, frozenset(Period(*month) for month in closed)) == posted


AMOUNTS = st.decimals(0, 10**6, places=2).map(str)
BOOKS = st.lists(
    st.tuples(
        st.sampled_from(["Acme", "Birch"]), st.sampled_from(["101", "102", "x-1"]), st.sampled_from("ABC"), AMOUNTS
    ),
    unique_by=lambda line: (line[1], line[2]),
    max_size=8,
)


@given(BOOKS, BOOKS)
def test_what_was_sent_and_its_adjustments_are_what_is_billed_now(before: list[Line], after: list[Line]) -> None:
    """To the cent, for every customer: one customer for one partner, as the holds make sure."""
    of_partner = {"101": "Acme", "102": "Birch", "x-1": "Acme"}
    then = lines(*((of_partner[p], p, text, amount) for _, p, text, amount in before))
    now = lines(*after) if len({(p, c) for c, p, _, _ in after}) == len({p for _, p, _, _ in after}) else then
    found = adjusted(then, now)

    def by_customer(frame: pl.DataFrame, amount: pl.Expr) -> dict[str, Decimal]:
        sums = frame.group_by("Customer").agg(amount.sum().alias("sum")).filter(pl.col("sum") != 0)
        return dict(sums.rows())

    signed = pl.when(pl.col("kind") == "invoice").then("Amount").otherwise(-pl.col("Amount"))
    total = pl.concat([then.select("Customer", "Amount"), found.select("Customer", signed.alias("Amount"))])
    assert by_customer(total, pl.col("Amount")) == by_customer(now, pl.col("Amount"))
    assert (found["Amount"] > 0).all()
    assert import_problems(found) == []
