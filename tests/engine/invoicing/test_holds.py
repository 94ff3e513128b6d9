"""Which invoices may be imported: a customer, an external id of its own, and nothing a spreadsheet would run."""

import polars as pl
import pytest

from billing_pipeline.engine.invoicing.holds import invoice_groups

NO_CUSTOMER = "no customer is mapped"
FORMULA = "its customer name would be read as a formula by a spreadsheet"
COLLISION = "its external id would meet another partner's"


def groups(*partners: tuple[str | None, str, str]) -> list[tuple[str, str | None]]:
    """Token and reason of each future invoice; partners are (id, key, customer)."""
    frame = pl.DataFrame(
        list(partners), schema=dict.fromkeys(("PARTNER_ID", "partner_key", "customer"), pl.String), orient="row"
    )
    return invoice_groups(frame).select("token", "held").rows()


def test_a_partner_with_an_id_and_a_customer_is_imported_under_its_id() -> None:
    assert groups(("101", "101", "Acme NS"), (" 102 ", "102", "Birch NS")) == [("101", None), ("102", None)]


def test_an_id_keeps_its_letters_and_digits_only() -> None:
    assert groups(("P-101/a b", "P-101/a b", "Acme NS")) == [("P101ab", None)]


def test_without_a_customer_an_invoice_is_held() -> None:
    assert groups(("101", "101", "")) == [("101", NO_CUSTOMER)]


@pytest.mark.parametrize("partner_id", [None, "", "  ", "--"])
def test_the_only_partner_without_a_usable_id_is_unknown(partner_id: str | None) -> None:
    assert groups((partner_id, "acme", "Acme NS"), ("102", "102", "Birch NS")) == [("UNKNOWN", None), ("102", None)]


def test_two_partners_without_ids_would_share_one_invoice_so_both_are_held() -> None:
    assert groups((None, "acme", "Acme NS"), (None, "birch", "Birch NS"), ("103", "103", "Cedar NS")) == [
        ("UNKNOWN", COLLISION),
        ("UNKNOWN", COLLISION),
        ("103", None),
    ]


@pytest.mark.parametrize(("one", "other"), [("A-1", "A1"), ("abc", "ABC"), ("p 7", "P7"), ("unknown", "--")])
def test_ids_that_differ_in_case_or_punctuation_only_are_both_held(one: str, other: str) -> None:
    """NetSuite compares external ids without regard to case."""
    assert [held for _, held in groups((one, one, "One NS"), (other, other, "Other NS"))] == [COLLISION, COLLISION]


def test_partners_that_share_a_customer_have_invoices_of_their_own() -> None:
    assert groups(("101", "101", "Acme NS"), ("102", "102", "Acme NS")) == [("101", None), ("102", None)]


def test_a_partner_that_is_held_anyway_does_not_hold_another_back() -> None:
    assert groups((None, "acme", ""), (None, "birch", "Birch NS")) == [("UNKNOWN", NO_CUSTOMER), ("UNKNOWN", None)]


def test_one_partner_under_two_customers_would_be_two_invoices_of_one_id() -> None:
    assert [held for _, held in groups(("101", "101", "Acme NS"), ("101", "101", "Acme Two NS"))] == [COLLISION] * 2


@pytest.mark.parametrize("customer", ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "a\tb", "a\nb", "\r=1"])
def test_a_customer_that_a_spreadsheet_would_run_is_held(customer: str) -> None:
    assert groups(("101", "101", customer)) == [("101", FORMULA)]


@pytest.mark.parametrize("customer", ["A=B", "a-b", "Me + You", "x@y", "'=1"])
def test_such_characters_inside_a_name_do_no_harm(customer: str) -> None:
    assert groups(("101", "101", customer)) == [("101", None)]


def test_several_rows_of_a_partner_are_one_invoice() -> None:
    assert groups(("101", "101", "Acme NS"), (" 101", "101", "Acme NS")) == [("101", None)]
