"""The journal entry of an accrual and its reversal, and what of them a ledger would refuse.

Per customer one receivable line and up to three revenue lines; the reversal is the same lines with debit and credit
exchanged, on the first day of the next month. Source: spec 5.1; decision 15; NetSuite's import contract.
"""

from collections.abc import Iterable

import polars as pl

from billing_pipeline.engine.accruals.terms import AccrualTerms
from billing_pipeline.engine.invoicing import InvoiceTerms
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

EXTERNAL_ID = "Journal Entry External ID"
COLUMNS = (
    "Customer",
    "Product",
    "Transaction Date",
    "Account",
    "Debit",
    "Credit",
    "Journal Entry - Line Memo",
    "Journal Entry : Memo",
    EXTERNAL_ID,
)
CHECKS = {
    "debits_equal_credits_per_customer": "Debits and credits are equal for every customer.",
    "debits_equal_credits": "Debits and credits are equal in total.",
    "every_customer_is_booked": "Every customer's total is on its receivable line, and no other customer has one.",
    "amounts": "Every line has one amount above zero, of at most ten digits before the point.",
    "accounts": "Receivable lines and revenue lines are on the accounts of the profile.",
    "external_ids": "An entry's lines are consecutive; its id is no other document's, regardless of case.",
}
"""What journal_problems() looks at."""
MOST_LINES = 10_000  # of one entry
_CUSTOMERS_OF_AN_ENTRY = MOST_LINES // 4  # a customer has four lines at most, and is never cut in two
_ZERO = pl.lit("0").cast(AMOUNT)


def journal_lines(
    totals: pl.DataFrame, terms: AccrualTerms, invoice: InvoiceTerms, period: Period, source: Period | None = None
) -> pl.DataFrame:
    """The accrual's lines, COLUMNS and what the terms add; consecutive by customer, in the order of `totals`.

    `totals` is customer_totals(); `source` the month of the usage, said in the memo when it is not the one before.
    Entries beyond the first (above 2,500 customers) are numbered `-2`, `-3`.
    """
    lines = _lines(totals, terms, invoice, _memo(terms, period, source), _id("JE", invoice, period))
    return _dated(lines, terms, invoice, period, reversal_date=terms.reversal == "column")


def reversal_lines(
    totals: pl.DataFrame, terms: AccrualTerms, invoice: InvoiceTerms, period: Period, source: Period | None = None
) -> pl.DataFrame:
    """The reversing entry's lines, dated the first day of the month after `period`: columns as journal_lines()."""
    memo = f"{_memo(terms, period, source)} - Reversal"
    lines = _lines(totals, terms, invoice, memo, _id("JER", invoice, period))
    swapped = lines.with_columns(pl.col("Credit").alias("Debit"), pl.col("Debit").alias("Credit"))
    return _dated(swapped, terms, invoice, period.next, first_day=True)


def journal_problems(
    lines: pl.DataFrame, expected: pl.DataFrame, terms: AccrualTerms, other_ids: Iterable[str] = ()
) -> dict[str, list[str]]:
    """What is wrong with journal lines, by check; every check is a key, its list empty when it holds.

    lines: read back from the file (Debit and Credit AMOUNT). expected: customer and total (AMOUNT) that have to be
    booked. other_ids: external ids that invoices or other entries have.
    """
    gaps = (
        lines.group_by("Customer", EXTERNAL_ID)
        .agg(pl.col("Debit", "Credit").sum())
        .filter(pl.col("Debit") != pl.col("Credit"))
    )
    booked = lines.filter(pl.col("Account") == terms.receivable_account).group_by("Customer")
    both = expected.join(
        booked.agg((pl.col("Debit") + pl.col("Credit")).sum().alias("booked")),
        left_on="customer", right_on="Customer", how="full", coalesce=True,
    )  # fmt: skip
    wrong = both.filter(pl.col("total").fill_null(0) != pl.col("booked").fill_null(0)).sort("customer")
    debit, credit = lines["Debit"].sum(), lines["Credit"].sum()
    return {
        "debits_equal_credits_per_customer": [
            f"{row['Customer']}: debit {row['Debit']}, credit {row['Credit']}"
            for row in gaps.sort("Customer").to_dicts()
        ],
        "debits_equal_credits": [] if debit == credit else [f"debits are {debit}, credits {credit}"],
        "every_customer_is_booked": [
            f"{row['customer']}: {row['total'] or 'nothing'} to book, {row['booked'] or 'nothing'} booked"
            for row in wrong.to_dicts()
        ],
        "amounts": _amount_problems(lines),
        "accounts": _account_problems(lines, terms),
        "external_ids": _id_problems(lines, other_ids),
    }


def _lines(
    totals: pl.DataFrame, terms: AccrualTerms, invoice: InvoiceTerms, memo: str, external_id: str
) -> pl.DataFrame:
    products = {
        "usage": invoice.usage_product, "next_day": invoice.next_day_product, "minimums": invoice.minimum_product,
    }  # fmt: skip
    entry = pl.col("place") // _CUSTOMERS_OF_AN_ENTRY + 1
    numbered = totals.with_row_index("place").with_columns(
        pl.when(entry == 1)
        .then(pl.lit(external_id))
        .otherwise(pl.format("{}-{}", pl.lit(external_id), entry))
        .alias("id")
    )
    receivable = _line(numbered, 0, "", terms.receivable_account, pl.col("total"), _ZERO, memo)
    revenue = [
        _line(numbered, number, product, terms.revenue_account, _ZERO, pl.col(name), f"{memo} - {product}")
        for number, (name, product) in enumerate(products.items(), 1)
    ]
    lines = pl.concat([receivable, *revenue]).filter((pl.col("Debit") > 0) | (pl.col("Credit") > 0))
    named = lines.sort("place", "line").with_columns(pl.lit(memo).alias("Journal Entry : Memo"))
    return named.select(*(column for column in COLUMNS if column != "Transaction Date"))


def _line(
    totals: pl.DataFrame, line: int, product: str, account: str, debit: pl.Expr, credit: pl.Expr, memo: str
) -> pl.DataFrame:
    return totals.select(
        "place",
        pl.lit(line).alias("line"),
        pl.col("customer").alias("Customer"),
        pl.lit(product or None, pl.String).alias("Product"),
        pl.lit(account).alias("Account"),
        debit.alias("Debit"),
        credit.alias("Credit"),
        pl.lit(memo).alias("Journal Entry - Line Memo"),
        pl.col("id").alias(EXTERNAL_ID),
    )


def _dated(
    lines: pl.DataFrame,
    terms: AccrualTerms,
    invoice: InvoiceTerms,
    period: Period,
    *,
    first_day: bool = False,
    reversal_date: bool = False,
) -> pl.DataFrame:
    """The lines with their date, and the columns that the terms ask for."""
    day = period.first if first_day else period.last
    more = {
        "Posting Period": period.first.strftime(terms.posting_period) if terms.posting_period else "",
        "Subsidiary": terms.subsidiary,
        "Currency": terms.currency,
        "Reversal Date": period.next.first.strftime(invoice.date_format) if reversal_date else "",
    }
    dated = lines.with_columns(pl.lit(day.strftime(invoice.date_format)).alias("Transaction Date")).select(COLUMNS)
    return dated.with_columns(pl.lit(value).alias(name) for name, value in more.items() if value)


def _memo(terms: AccrualTerms, period: Period, source: Period | None) -> str:
    other = f" (from usage of {source})" if source not in (None, period.previous) else ""
    return f"{period.title} {terms.memo}{other}"


def _id(kind: str, invoice: InvoiceTerms, period: Period) -> str:
    return f"{kind}-{invoice.prefix}-{period.compact}"


def _amount_problems(lines: pl.DataFrame) -> list[str]:
    one_side = (pl.col("Debit") > 0) ^ (pl.col("Credit") > 0)
    small = pl.all_horizontal(pl.col("Debit", "Credit").is_between(0, 10**10, closed="left"))
    broken = lines.with_row_index("line", offset=2).filter(~one_side | ~small)
    found = [
        f"line {row['line']}, {row['Customer']}: debit {row['Debit']}, credit {row['Credit']}"
        for row in broken.to_dicts()
    ]
    return found if lines.height >= 2 else [*found, "an entry needs two lines at least"]


def _account_problems(lines: pl.DataFrame, terms: AccrualTerms) -> list[str]:
    known = [terms.receivable_account, terms.revenue_account]
    unknown = lines.filter(~pl.col("Account").is_in(known))["Account"].unique().sort()
    receivable = (pl.col("Account") == terms.receivable_account) == pl.col("Product").is_null()
    return [f"account {account} is not the profile's" for account in unknown] + (
        [] if lines.select(receivable.all()).item() else ["a receivable line has a product, or a revenue line has none"]
    )


def _id_problems(lines: pl.DataFrame, other_ids: Iterable[str]) -> list[str]:
    ids = lines[EXTERNAL_ID]
    runs = ids.rle().struct.field("value")
    lengths = lines.group_by(EXTERNAL_ID).len()
    foreign = (~ids.str.contains(r"^[A-Za-z0-9_-]+$")).any()
    folded, others = {text.casefold() for text in ids.unique()}, {text.casefold() for text in other_ids}
    found = {
        "the lines of an entry are not consecutive": runs.is_duplicated().any(),
        "external ids differ only in case": len(folded) < ids.n_unique(),
        "an external id has other characters than letters, digits, - and _": foreign,
        f"an entry has more than {MOST_LINES:,} lines": (lengths["len"] > MOST_LINES).any(),
    }  # fmt: skip
    taken = [f"external id {text} is an invoice's or another entry's" for text in sorted(folded & others)]
    return [message for message, broken in found.items() if broken] + taken
