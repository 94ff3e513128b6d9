"""Totals and variance files: what is read, and every way in which they can be wrong."""

from decimal import Decimal

import pytest

from billing_pipeline.engine.accruals.reading import totals_from_csv, variance_from_csv
from billing_pipeline.engine.errors import InputError

HEADER = "Customer,Usage,Next_Day,Minimums,Total\n"


def refused(text: str | bytes) -> list[str]:
    with pytest.raises(InputError) as error:
        totals_from_csv(text if isinstance(text, bytes) else text.encode(), "totals.csv")
    return [str(problem) for problem in error.value.problems]


def test_totals_of_the_reference_and_of_ours_are_read_exactly() -> None:
    found = totals_from_csv(f'{HEADER}"B, Inc.",1.5,0.0,2,3.5\nA,0.10,,0.00,0.10\n'.encode(), "totals.csv")
    assert found.rows() == [
        ("A", Decimal("0.10"), Decimal("0.00"), Decimal("0.00"), Decimal("0.10")),
        ("B, Inc.", Decimal("1.50"), Decimal("0.00"), Decimal("2.00"), Decimal("3.50")),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEADER}A,1,0,0,1\nB,n/a,0,0,1\n", "totals.csv, line 3, Usage: is not a number (found 'n/a')"),
        (f"{HEADER}A,1e3,0,0,1000\n", "totals.csv, line 2, Usage: is not a number (found '1e3')"),
        (f"{HEADER}A,1,0,0,1.01\n", "totals.csv, line 2, Total: Total is not the sum of Usage, Next_Day and Minimums"),
        (f"{HEADER},1,0,0,1\n", "totals.csv, line 2, Customer: a line has no customer"),
        (f"{HEADER}A,1,0,0,1\nA,1,0,0,1\n", "totals.csv, line 2, Customer: a customer stands there twice (found 'A')"),
        ("Customer,Total\nA,1\n", "totals.csv: column Usage, Next_Day, Minimums is missing; it has: Customer, Total"),
        ("", "totals.csv: is not a CSV table: empty CSV"),
        (b"Customer\n\xff\n", "totals.csv: is not UTF-8 (byte 9)"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str | bytes, problem: str) -> None:
    assert problem in refused(text)


def test_a_variance_file_is_read_with_its_bridge() -> None:
    header = "Customer,Estimated,Actual,Variance,Variance_Pct,Flag,Volume"
    text = f"{header}\nA,1.00,2.00,1.00,100.00,⚠,1.00\nTOTAL,1,2,1,100,✓,1\n"
    found = variance_from_csv(text.encode(), "variance.csv")
    assert found.row(0) == (
        "A",
        Decimal("1.00"),
        Decimal("2.00"),
        Decimal("1.00"),
        Decimal("100.00"),
        "⚠",
        Decimal("1.00"),
    )
    with pytest.raises(InputError, match="column Flag is missing"):
        variance_from_csv(b"Customer,Estimated,Actual,Variance,Variance_Pct\n", "variance.csv")
