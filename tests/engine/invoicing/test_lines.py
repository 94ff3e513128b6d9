"""The lines of the invoices: which, in which order, under which id, for how much."""

from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.invoicing import COLUMNS, InvoiceTerms, invoice_lines
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import no_decisions
from tests.engine.rules.books import customer, minimum, tier
from tests.literals import JANUARY, company, priced, rules, running_minimum, users

ACME = rules(
    [tier(er_fee="10.005", iu_fee=1, unit_price_next_day_er=2, unit_price_next_day_iu="0.5")],
    [minimum(minimum_amount=100)],
    [running_minimum()],
)


def lines(
    rows: list[dict[str, str]],
    known: Rules,
    decisions: pl.DataFrame | None = None,
    terms: InvoiceTerms = InvoiceTerms(),  # noqa: B008
    period: Period = JANUARY,
) -> list[dict[str, Any]]:
    return invoice_lines(priced(rows, known, decisions, period), terms, period).to_dicts()


def short(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Invoice, description and amount of each line."""
    return [(line["Invoice External ID"], line["Description"], str(line["Amount"])) for line in found]


def test_an_invoice_has_five_kinds_of_line_in_a_fixed_order() -> None:
    fast, slow = company(1, CURRENT_ACH_SPEED="1-day"), company(2)
    found = invoice_lines(priced([fast, slow], ACME), InvoiceTerms(), JANUARY)
    assert found.columns == [*COLUMNS, "partner_key", "held"]
    head = ("Acme, Inc.", "INV-GEP-202601-101", "January 2026 Invoice", "01/31/2026")
    item, next_day, least = (
        "Embedded Payroll",
        "Embedded Payroll : Next-Day Direct Deposit",
        "Embedded Payroll : Monthly Minimum",
    )
    assert found.rows() == [
        (*head, item, "End Users", 1, Decimal("20.02"), "GEP Usage", "101", None),
        (*head, item, "Individual Users", 1, Decimal("10.00"), "GEP Usage", "101", None),
        (*head, next_day, "End Users", 1, Decimal("2.00"), "GEP Next-Day Direct Deposit", "101", None),
        (*head, next_day, "Individual Users", 1, Decimal("2.50"), "GEP Next-Day Direct Deposit", "101", None),
        (*head, least, "Minimum True-up", 1, Decimal("65.48"), "GEP Minimums", "101", None),
    ]


def test_next_day_and_minimum_lines_are_left_out_when_they_are_nothing() -> None:
    found = lines(users("5"), rules([tier(er_fee=10, iu_fee=0)]))
    assert short(found) == [
        ("INV-GEP-202601-101", "End Users", "10.00"),
        ("INV-GEP-202601-101", "Individual Users", "0.00"),
    ]


def test_a_customer_with_nothing_priced_keeps_its_two_lines_of_nothing() -> None:
    found = lines(users("5"), rules([tier(partner_id="102")]))
    assert short(found) == [
        ("INV-GEP-202601-101", "End Users", "0.00"),
        ("INV-GEP-202601-101", "Individual Users", "0.00"),
    ]


def test_amounts_are_sums_of_cents_not_rounded_sums() -> None:
    found = lines(users("1", "1", "1"), rules([tier(er_fee="0.335", iu_fee=0)]))
    assert short(found)[0] == ("INV-GEP-202601-101", "End Users", "1.02")


def test_invoices_are_ordered_by_customer_then_partner_id_as_text() -> None:
    known = rules(
        [tier(partner_id=key) for key in ("9", "10", "200", "7")],
        mapping=[
            customer(partner_id="9", partner_name=None, ns_customer_name="b"),
            customer(partner_id="10", partner_name=None, ns_customer_name="b"),
            customer(partner_id="200", partner_name=None, ns_customer_name="B"),
        ],
    )
    rows = [company(n, PARTNER_ID=key, PARTNER_NAME=f"P{key}") for n, key in enumerate(("9", "7", "10", "200"))]
    ids = [line["Invoice External ID"] for line in lines(rows, known)]
    assert list(dict.fromkeys(ids)) == [f"INV-GEP-202601-{key}" for key in ("7", "200", "10", "9")]


def test_of_one_customer_s_partners_the_one_without_an_id_comes_last() -> None:
    mapping = [customer(partner_id=None, partner_name=name, ns_customer_name="NS") for name in ("Acme", "Birch")]
    rows = [company(1, PARTNER_ID="", PARTNER_NAME="Acme"), company(2, PARTNER_ID="z", PARTNER_NAME="Birch")]
    ids = [line["Invoice External ID"] for line in lines(rows, rules(mapping=mapping))]
    assert list(dict.fromkeys(ids)) == ["INV-GEP-202601-z", "INV-GEP-202601-UNKNOWN"]


def test_rows_of_one_partner_are_one_invoice_however_its_id_and_name_are_written() -> None:
    rows = [company(1), company(2, PARTNER_ID=" 101 "), company(3, PARTNER_NAME="ACME")]
    found = lines(rows, rules([tier(er_fee=10, iu_fee=0)]))
    assert short(found)[0] == ("INV-GEP-202601-101", "End Users", "30.00")
    assert len(found) == 2


def test_a_removed_row_is_in_no_invoice() -> None:
    removed = pl.DataFrame([(0, "", "remove", *[None] * 5)], schema=no_decisions().schema, orient="row")
    known = rules([tier(er_fee=10, iu_fee=0)])
    assert short(lines(users("5", "5"), known, removed))[0][2] == "10.00"
    assert lines(users("5"), known, removed) == []


def test_held_lines_are_beside_the_others_with_their_reason() -> None:
    known = rules([tier(er_fee=10, iu_fee=0), tier(partner_id="102", er_fee=20, iu_fee=0)])
    found = lines([company(1), company(2, PARTNER_ID="102", PARTNER_NAME="Birch")], known)
    assert [(line["Customer"], line["partner_key"], line["held"]) for line in found] == [
        ("", "102", "no customer is mapped"),
        ("", "102", "no customer is mapped"),
        ("Acme, Inc.", "101", None),
        ("Acme, Inc.", "101", None),
    ]


def test_the_names_of_the_profile_are_used() -> None:
    terms = InvoiceTerms(
        prefix="XY", item="Payroll", usage_product="Usage", next_day_item="Fast", next_day_product="Fast P",
        minimum_item="Least", minimum_product="Least P", date_format="%Y-%m-%d",
    )  # fmt: skip
    found = lines([company(1, CURRENT_ACH_SPEED="1-day")], ACME, terms=terms)
    assert {line["Invoice External ID"] for line in found} == {"INV-XY-202601-101"}
    assert {line["Transaction Date"] for line in found} == {"2026-01-31"}
    assert [(line["Item"], line["Product"]) for line in found] == [
        ("Payroll", "Usage"),
        ("Payroll", "Usage"),
        ("Fast", "Fast P"),
        ("Fast", "Fast P"),
        ("Least", "Least P"),
    ]


def test_the_month_s_last_day_is_the_transaction_date() -> None:
    february = Period(2024, 2)
    found = lines([company(1, FOR_MONTH="2024-02")], rules(), period=february)
    assert (found[0]["Transaction Date"], found[0]["Memo"]) == ("02/29/2024", "February 2024 Invoice")
