"""The rows of a credit note: those of its invoice turned round, as texts, nothing rounded."""

from datetime import date

import pytest

from billing_pipeline.engine.errors import BillingError
from billing_pipeline.engine.managed_services.credits import credit_rows, sent_rows
from billing_pipeline.engine.managed_services.exports import COLUMNS

HEADER = ",".join(COLUMNS)
DAY = date(2026, 2, 3)


def invoice(*values: str) -> str:
    """An invoice with one row for each `Qty,Rate,Amount`."""
    start = "A-202601,Example Co,2026-01-31,2026-03-02,Managed Services,User: Zoë (Paid)"
    return "\n".join([HEADER, *(f"{start},{value}" for value in values)]) + "\n"


def credited(*values: str) -> list[tuple[str, ...]]:
    rows = credit_rows(sent_rows(invoice(*values)), "A-202601-CN1", DAY)
    return rows.select("Qty", "Rate", "Amount").rows()


def test_a_credit_note_has_its_own_number_and_day_and_names_its_invoice() -> None:
    assert credit_rows(sent_rows(invoice("1,10.00,10.00")), "A-202601-CN1", DAY).rows() == [
        ("A-202601-CN1", "Example Co", "2026-02-03", "2026-02-03", "Managed Services",
         "User: Zoë (Paid) (credit of A-202601)", "-1", "10.00", "-10.00"),
    ]  # fmt: skip


def test_quantities_and_amounts_are_turned_round_and_rates_stay() -> None:
    assert credited("2.50,99.99,249.98") == [("-2.50", "99.99", "-249.98")]


def test_a_credit_on_the_invoice_is_charged_again() -> None:
    assert credited("1,-10.50,-10.50") == [("-1", "-10.50", "10.50")]


def test_a_negative_quantity_becomes_a_positive_one() -> None:
    assert credited("-2,5.00,-10.00") == [("2", "5.00", "10.00")]


def test_nothing_stays_nothing_without_a_sign() -> None:
    assert credited("0.00,15.00,0.00") == [("0.00", "15.00", "0.00")]


def test_amounts_too_long_for_a_float_stay_exact() -> None:
    assert credited("1,12345678901234567.89,12345678901234567.89")[0][2] == "-12345678901234567.89"


def test_an_invoice_without_rows_is_credited_by_one_without_rows() -> None:
    assert credited() == []


def test_texts_are_read_as_they_were_sent() -> None:
    text = f'{HEADER}\nA-202601,"X, ""Y""\nZ",2026-01-31,2026-03-02,Custom Charge,,001,1.50,1.50\n'
    assert sent_rows(text).rows() == [
        ("A-202601", 'X, "Y"\nZ', "2026-01-31", "2026-03-02", "Custom Charge", "", "001", "1.50", "1.50")
    ]


@pytest.mark.parametrize("value", ["'-1,5.00,5.00", "1,5.00,five", "1,5.00,1e3", ",5.00,5.00"])
def test_a_quantity_or_amount_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(BillingError, match=r"^the invoice cannot be credited: .* is no number$"):
        credited(value)


@pytest.mark.parametrize(("text", "columns"), [("a,b\n1,2\n", "a, b"), ("", "none")])
def test_a_text_that_is_no_file_of_an_invoice_is_refused(text: str, columns: str) -> None:
    with pytest.raises(BillingError, match=f"no file of an invoice: its columns are {columns}"):
        sent_rows(text)
