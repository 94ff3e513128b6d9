"""The rows of a credit note: those of the invoice it takes back, with quantities and amounts turned round.

What belongs here: reading a file of an archived invoice, and turning its rows round. They are taken as they were sent,
whatever prices say today. What does not: who may void what (resources.client_archive).
"""

import io
from datetime import date

import polars as pl

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.managed_services.exports import COLUMNS

_NUMBER = r"^-?\d+(\.\d+)?$"
_ZERO = r"^0+(\.0+)?$"
_TURNED = ("Qty", "Amount")


def sent_rows(csv: str) -> pl.DataFrame:
    """The rows of an invoice's or credit note's CSV text: exports.COLUMNS, every value as the text it is.

    BillingError for a text with other columns.
    """
    rows = pl.read_csv(io.BytesIO(csv.encode()), infer_schema=False, raise_if_empty=False).fill_null("")
    if tuple(rows.columns) != COLUMNS:
        raise BillingError(f"this is no file of an invoice: its columns are {', '.join(rows.columns) or 'none'}")
    return rows


def credit_rows(rows: pl.DataFrame, number: str, day: date) -> pl.DataFrame:
    """The rows (sent_rows) under the credit note's number, dated and due on its day; Qty and Amount turned round.

    Rate stays; Description names the invoice. Texts stay texts, so nothing is rounded. BillingError for a Qty or
    Amount that is no number. Source: quirk Q28.
    """
    given = pl.concat([rows[name].alias("value") for name in _TURNED])
    wrong = given.filter(~given.str.contains(_NUMBER))
    if wrong.len():
        raise BillingError(f"the invoice cannot be credited: {wrong[0]!r} is no number")
    return rows.with_columns(
        pl.format("{} (credit of {})", "Description", "InvoiceNo").alias("Description"),
        pl.lit(number).alias("InvoiceNo"),
        pl.lit(f"{day}").alias("InvoiceDate"),
        pl.lit(f"{day}").alias("DueDate"),
        *(_turned(pl.col(name)) for name in _TURNED),
    )


def _turned(text: pl.Expr) -> pl.Expr:
    return (
        pl.when(text.str.starts_with("-"))
        .then(text.str.strip_prefix("-"))
        .when(text.str.contains(_ZERO))
        .then(text)
        .otherwise(pl.concat_str(pl.lit("-"), text))
    ).name.keep()
