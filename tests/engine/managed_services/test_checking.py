"""What the checks of a month's bills find, and that they find nothing in bills that are right."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.managed_services import Bills, accounting_rows, client_bills, invoice_rows
from billing_pipeline.engine.managed_services.checking import billed_twice, untied, wrongly_placed
from billing_pipeline.engine.managed_services.entries import BILLED
from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, ENTRIES, records
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema
from tests.engine.managed_services.listings import company, contact, device, entry
from tests.engine.managed_services.months import SEPTEMBER, month_of, pulled

AUGUST = date(2025, 8, 1)
CHARGED: Schema = {"source": pl.String, "source_id": pl.String, "account": pl.String, "month": pl.Date}
Files = dict[str, pl.DataFrame]


def september() -> tuple[Bills, Files]:
    """100 pays 275.00 for a device and 1.5 hours, 200 pays 15.00 for a person, 300 nothing; and their files."""
    listings = {
        COMPANIES: pulled(COMPANIES, company(), company("200"), company("300")),
        DEVICES: pulled(DEVICES, device()),
        CONTACTS: pulled(CONTACTS, contact(account="200")),
        ENTRIES: pulled(ENTRIES, entry()),
    }
    found = client_bills(month_of(listings).book, SEPTEMBER)
    return found, {"invoice": invoice_rows(found, SEPTEMBER), "accounting": accounting_rows(found, SEPTEMBER)}


def with_amount(frame: pl.DataFrame, account: str, column: str, amount: str) -> pl.DataFrame:
    mine = pl.col("account") == account
    return frame.with_columns(pl.when(mine).then(pl.lit(amount).cast(AMOUNT)).otherwise(column).alias(column))


def test_bills_as_they_are_made_tie_out() -> None:
    found, files = september()
    assert found.bills["total"].to_list() == [Decimal("275.00"), Decimal("15.00"), Decimal("0.00")]
    assert untied(found.bills, found.lines, files, {}) == []


def test_a_component_that_is_not_in_the_total_is_found() -> None:
    found, files = september()
    changed = with_amount(found.bills, "200", "backup_charge", "0.01")
    assert untied(changed, found.lines, files, {}) == ["200: its components are not its total 15.00"]


def test_tax_is_a_component_of_the_total() -> None:
    found, files = september()
    changed = with_amount(found.bills, "300", "tax_charge", "0.01")
    assert untied(changed, found.lines, files, {}) == ["300: its components are not its total 0.00"]


def test_a_line_that_is_missing_is_found() -> None:
    found, files = september()
    assert untied(found.bills, found.lines.filter(pl.col("kind") != "ticket"), files, {}) == [
        "100: its lines are not its total 275.00"
    ]


def test_lines_of_a_client_that_pays_nothing_are_found() -> None:
    found, files = september()
    more = pl.concat([found.lines, found.lines.head(1).with_columns(pl.lit("300").alias("account"))])
    assert untied(found.bills, more, files, {}) == ["300: its lines are not its total 0.00"]


def test_a_total_that_is_wrong_is_found_in_every_place() -> None:
    found, files = september()
    assert untied(with_amount(found.bills, "200", "total", "15.01"), found.lines, files, {}) == [
        "200: its components are not its total 15.01",
        "200: its lines are not its total 15.01",
        "200-202509: the rows of its invoice file sum to 15.00, not to 15.01",
        "200-202509: the rows of its accounting file sum to 15.00, not to 15.01",
    ]


def test_a_row_that_is_missing_in_one_file_is_found_with_the_file_and_the_invoice() -> None:
    found, files = september()
    rows = files["accounting"].filter(pl.col("Item(Product/Service)") != "Hourly Labor")
    assert untied(found.bills, found.lines, files | {"accounting": rows}, {}) == [
        "100-202509: the rows of its accounting file sum to 50.00, not to 275.00"
    ]


def test_a_file_without_a_client_and_one_of_nobody_are_found() -> None:
    found, files = september()
    renamed = pl.col("InvoiceNo").replace("200-202509", "900-202509")
    assert untied(found.bills, found.lines, {"invoice": files["invoice"].with_columns(renamed)}, {}) == [
        "200-202509: the rows of its invoice file sum to 0.00, not to 15.00",
        "900-202509: the rows of its invoice file sum to 15.00, not to None",
    ]


def test_the_files_of_an_accepted_invoice_are_those_that_were_sent() -> None:
    found, files = september()
    sent = {name: with_amount(rows, "200", "Amount", "12.00") for name, rows in files.items()}
    assert untied(found.bills, found.lines, sent, {"200-202509": Decimal("12.00")}) == []
    assert untied(found.bills, found.lines, files, {"200-202509": Decimal("12.00")}) == [
        "200-202509: the rows of its invoice file sum to 15.00, not to 12.00",
        "200-202509: the rows of its accounting file sum to 15.00, not to 12.00",
    ]


def test_no_more_than_fifty_are_told() -> None:
    bills = september()[0].bills.head(1)
    many = pl.concat([with_amount(bills, "100", "total", f"{number}") for number in range(60)])
    assert len(untied(many, september()[0].lines, {}, {})) == 50


def placed(billed: list[str], others: list[str], **listing: object) -> list[str]:
    companies = records(COMPANIES, pulled(COMPANIES, company(), company("200"), **listing))  # type: ignore[arg-type]
    frames = [pl.DataFrame({"account": names}, schema={"account": pl.String}) for names in (billed, others)]
    return wrongly_placed(companies, frames[0], frames[1], SEPTEMBER)


def test_every_client_is_billed_or_told_of_once() -> None:
    assert placed(["100"], ["200"]) == []
    assert placed(["100"], ["200", "", ""]) == [], "records without an account are told by their names"


def test_a_client_that_is_nowhere_and_one_that_is_twice_are_found() -> None:
    assert placed(["100"], []) == ["200: is nowhere"]
    assert placed(["100", "200"], ["200"]) == ["200: is in 2 places"]
    assert placed(["100", "100"], ["200"]) == ["100: is in 2 places"]


def test_a_client_that_left_before_the_month_may_be_nowhere_and_one_that_left_in_it_may_not() -> None:
    gone = [company("300")]
    assert placed(["100"], ["200"], gone=gone, since=datetime(2025, 8, 31, tzinfo=UTC)) == []
    assert placed(["100"], ["200"], gone=gone, since=datetime(2025, 9, 1, tzinfo=UTC)) == ["300: is nowhere"]


def twice(charged: list[tuple[str, str, str]], billed: list[tuple[str, str, str, date]]) -> list[str]:
    mine = [(*entry, SEPTEMBER.first) for entry in charged]
    frames = pl.DataFrame(mine, schema=CHARGED, orient="row"), pl.DataFrame(billed, schema=BILLED, orient="row")
    return billed_twice(*frames, SEPTEMBER)


def test_an_entry_that_stands_in_the_bills_twice_is_found() -> None:
    assert twice([("desk", "1", "A"), ("desk", "1", "B"), ("desk", "2", "A")], []) == [
        "desk:1: stands in the bills twice"
    ]
    assert twice([("desk", "1", "A"), ("folder", "1", "A")], []) == []


def test_an_entry_of_another_month_s_invoice_or_another_client_s_is_found() -> None:
    charged = [("desk", "1", "A")]
    assert twice(charged, [("desk", "1", "A", AUGUST)]) == ["desk:1: was billed to A in 2025-08"]
    assert twice(charged, [("desk", "1", "B", SEPTEMBER.first)]) == ["desk:1: was billed to B in 2025-09"]


def test_an_entry_of_this_very_invoice_is_in_order() -> None:
    assert twice([("desk", "1", "A")], [("desk", "1", "A", SEPTEMBER.first), ("desk", "2", "A", AUGUST)]) == []
