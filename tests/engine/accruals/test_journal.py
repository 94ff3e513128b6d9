"""The journal entry and its reversal: lines, ids, dates, and everything a ledger would refuse."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

from billing_pipeline.engine.accruals import AccrualTerms, journal_lines, journal_problems, reversal_lines
from billing_pipeline.engine.accruals.journal import EXTERNAL_ID
from billing_pipeline.engine.invoicing import InvoiceTerms
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

DECEMBER = Period(2025, 12)
TERMS, INVOICE = AccrualTerms(), InvoiceTerms()


def totals(**customers: tuple[str, str, str]) -> pl.DataFrame:
    names = ("usage", "next_day", "minimums")
    frame = pl.DataFrame(
        [{"customer": name, **dict(zip(names, amounts, strict=True))} for name, amounts in customers.items()]
    ).with_columns(pl.col(names).cast(AMOUNT))
    return frame.with_columns(pl.sum_horizontal(names).cast(AMOUNT).alias("total"))


BOTH = totals(Acme=("10.50", "1.00", "0"), Birch=("0", "0", "7.25"))


def shown(lines: pl.DataFrame) -> list[tuple[str, ...]]:
    columns = ("Customer", "Product", "Account", "Debit", "Credit", "Journal Entry - Line Memo")
    return [tuple("" if value is None else str(value) for value in row) for row in lines.select(columns).rows()]


def test_a_receivable_line_then_the_revenue_lines_that_have_an_amount() -> None:
    lines = journal_lines(BOTH, TERMS, INVOICE, DECEMBER)
    memo = "December 2025 Embedded Payroll Estimate"
    assert shown(lines) == [
        ("Acme", "", "11140", "11.50", "0.00", memo),
        ("Acme", "GEP Usage", "40113", "0.00", "10.50", f"{memo} - GEP Usage"),
        ("Acme", "GEP Next-Day Direct Deposit", "40113", "0.00", "1.00", f"{memo} - GEP Next-Day Direct Deposit"),
        ("Birch", "", "11140", "7.25", "0.00", memo),
        ("Birch", "GEP Minimums", "40113", "0.00", "7.25", f"{memo} - GEP Minimums"),
    ]
    assert set(lines["Transaction Date"]) == {"12/31/2025"}
    assert set(lines["Journal Entry : Memo"]) == {memo}
    assert set(lines[EXTERNAL_ID]) == {"JE-GEP-202512"}


def test_the_reversal_is_the_same_the_other_way_round_on_the_first_day_of_the_next_year() -> None:
    lines = reversal_lines(BOTH, TERMS, INVOICE, DECEMBER)
    assert [row[3:5] for row in shown(lines)] == [
        ("0.00", "11.50"), ("10.50", "0.00"), ("1.00", "0.00"), ("0.00", "7.25"), ("7.25", "0.00"),
    ]  # fmt: skip
    assert set(lines["Transaction Date"]) == {"01/01/2026"}
    assert set(lines[EXTERNAL_ID]) == {"JER-GEP-202512"}


def test_accrual_and_reversal_cancel_out_per_account_and_customer() -> None:
    both = pl.concat([make(BOTH, TERMS, INVOICE, DECEMBER) for make in (journal_lines, reversal_lines)])
    sums = both.group_by("Customer", "Account").agg((pl.col("Debit") - pl.col("Credit")).sum().alias("net"))
    assert set(sums["net"]) == {Decimal("0.00")}
    assert sums.height == 4


def test_the_profile_adds_columns_after_the_reference_s_and_none_by_default() -> None:
    plain = journal_lines(BOTH, TERMS, INVOICE, DECEMBER).columns
    terms = replace(TERMS, reversal="column", posting_period="%b %Y", subsidiary="Parent : US", currency="USD")
    lines = journal_lines(BOTH, terms, INVOICE, DECEMBER)
    assert lines.columns == [*plain, "Posting Period", "Subsidiary", "Currency", "Reversal Date"]
    assert lines.row(0)[len(plain) :] == ("Dec 2025", "Parent : US", "USD", "01/01/2026")
    assert reversal_lines(BOTH, terms, INVOICE, DECEMBER)["Posting Period"][0] == "Jan 2026"


def test_more_customers_than_an_entry_takes_make_a_second_entry_and_cut_none_in_two() -> None:
    many = totals(**{f"C{number:05d}": ("1", "1", "1") for number in range(2501)})
    lines = journal_lines(many, TERMS, INVOICE, DECEMBER)
    assert lines[EXTERNAL_ID].rle().struct.unnest().rows() == [(10_000, "JE-GEP-202512"), (4, "JE-GEP-202512-2")]
    assert not any(journal_problems(lines, many, TERMS).values())


def problems(
    lines: pl.DataFrame, other_ids: tuple[str, ...] = (), expected: pl.DataFrame = BOTH
) -> dict[str, list[str]]:
    return {name: texts for name, texts in journal_problems(lines, expected, TERMS, other_ids).items() if texts}


def test_a_good_entry_has_no_problem() -> None:
    assert problems(journal_lines(BOTH, TERMS, INVOICE, DECEMBER), ("INV-GEP-202512-101",)) == {}


def edited(row: int, **cells: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def edit(lines: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == row
        return lines.with_columns(
            pl.when(at).then(pl.lit(value)).otherwise(name).cast(lines.schema[name]).alias(name)
            for name, value in cells.items()
        )

    return edit


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (edited(1, Credit=Decimal("10.49")), {
            "debits_equal_credits_per_customer": ["Acme: debit 11.50, credit 11.49"],
            "debits_equal_credits": ["debits are 18.75, credits 18.74"]}),
        (lambda lines: lines.head(3), {"every_customer_is_booked": ["Birch: 7.25 to book, nothing booked"]}),
        (edited(0, Debit=Decimal(10) ** 10), {"amounts": ["line 2, Acme: debit 10000000000.00, credit 0.00"]}),
        (edited(2, Debit=Decimal(1)), {"amounts": ["line 4, Acme: debit 1.00, credit 1.00"]}),
        (edited(1, Account="40114"), {"accounts": ["account 40114 is not the profile's"]}),
        (edited(0, Product="GEP Usage"), {"accounts": ["a receivable line has a product, or a revenue line has none"]}),
        (lambda lines: lines[[0, 3, 1, 4, 2]].with_columns(pl.Series(EXTERNAL_ID, ["A", "B", "A", "B", "A"])),
         {"external_ids": ["the lines of an entry are not consecutive"]}),
        (edited(1, **{EXTERNAL_ID: "je-gep-202512"}), {"external_ids": ["external ids differ only in case"]}),
        (edited(0, **{EXTERNAL_ID: "JE GEP"}),
         {"external_ids": ["an external id has other characters than letters, digits, - and _"]}),
    ],
    ids=["unbalanced", "missing", "too large", "both sides", "account", "product", "apart", "case", "blank"],
)  # fmt: skip
def test_what_a_ledger_would_refuse_is_found(
    break_it: Callable[[pl.DataFrame], pl.DataFrame], found: dict[str, list[str]]
) -> None:
    said = problems(break_it(journal_lines(BOTH, TERMS, INVOICE, DECEMBER)))
    for name, texts in found.items():
        assert set(texts) <= set(said[name]), said


def test_an_id_that_an_invoice_has_in_other_letters_is_found() -> None:
    said = problems(journal_lines(BOTH, TERMS, INVOICE, DECEMBER), ("je-gep-202512",))
    assert said == {"external_ids": ["external id je-gep-202512 is an invoice's or another entry's"]}
