"""The files of a credit note, made of the files of the invoice it takes back."""

from datetime import date

import polars as pl

from billing_pipeline.engine.managed_services.credits import credit_rows, sent_rows
from billing_pipeline.reports.managed_services import EMPTY_TEXT, client_texts


def credit_files(sent: tuple[str, str], number: str, day: date) -> tuple[str, str]:
    """Invoice CSV and accounting CSV of the credit note `number` of that day, from those of its invoice.

    Texts that a spreadsheet could take for a formula were made harmless when the invoice was written; they stay so.
    """
    invoice, accounting = (_turned_round(text, number, day) for text in sent)
    return invoice, accounting


def _turned_round(text: str, number: str, day: date) -> str:
    rows = credit_rows(sent_rows(text), number, day).with_columns(pl.lit(number).alias("account"))
    return str(client_texts(rows)["text"][0]) if rows.height else EMPTY_TEXT
