"""What one cell may be, column by column: accepted forms, blanks, alternative headers, errors with their place."""

from datetime import date
from decimal import Decimal

import pytest

from billing_pipeline.engine.rules import messages, read_workbook
from tests.engine.rules.books import book, contract, customer, errors, minimum, tier, warnings


@pytest.mark.parametrize(
    ("cell", "price"), [("$7.13", "7.13"), ("1,200", "1200"), (" 5. ", "5"), (None, "0"), ("  ", "0")]
)
def test_prices_that_are_taken(cell: object, price: str) -> None:
    rules = read_workbook(book(pricing=[tier(er_fee=cell)]), "rules.xlsx")
    assert rules.tiers["er_price"].to_list() == [Decimal(price)]


@pytest.mark.parametrize(
    ("cell", "found", "why"),
    [
        ("free", "free", "is not a plain number"),
        ("N/A", "N/A", "is not a plain number"),
        ("5%", "5%", "is not a plain number"),
        ("(5)", "(5)", "is not a plain number"),
        ("1e3", "1e3", "is not a plain number"),
        ("inf", "inf", "is not a plain number"),
        ("5+", "5+", "is not a plain number"),
        (True, "TRUE", "is not a plain number"),
        (date(2026, 1, 5), "2026-01-05", "is not a plain number"),
        (-1, "-1", "is below zero"),
        (0.123456789, "0.123456789", "has more than 8 decimals"),
        (12345678901, "12345678901", "has more than 10 digits before the point"),
    ],
)
def test_prices_that_are_errors(cell: object, found: str, why: str) -> None:
    data = book(pricing=[tier(er_fee=cell, unit_price_next_day_iu=cell)])
    assert errors(data) == [
        ("Pricing!F2", found, f"company fee {why}"),
        ("Pricing!K2", found, f"next-day user price {why}"),
    ]


def test_bounds_take_an_open_ended_number_and_a_blank_end_is_open() -> None:
    rules = read_workbook(book(pricing=[tier(tier_start="1", tier_end="4+"), tier(tier_start=5)]), "rules.xlsx")
    assert rules.tiers.select("start", "end").rows() == [(1, 4), (5, None)]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("unlimited", "tier end is not a plain number"),
        (1.00001, "tier end has more than 4 decimals"),
        (-1, "tier end is below zero"),
        ("0.5", "tier end 0.5 is before its start 1"),
    ],
)
def test_bounds_that_are_errors(cell: object, why: str) -> None:
    assert errors(book(pricing=[tier(tier_end=cell)])) == [("Pricing!E2", str(cell), why)]


def test_a_blank_tier_start_is_zero_and_said() -> None:
    data = book(pricing=[tier(tier_start=None)])
    assert read_workbook(data, "rules.xlsx").tiers["start"].to_list() == [0]
    assert warnings(data, "tier_start") == [("Pricing!D2", "", "tier start is missing and taken as 0")]


@pytest.mark.parametrize(
    ("cell", "metric"),
    [
        (" ER", "ER"),
        ("iu", "IU"),
        ("IU per ER", "IU_PER_ER"),
        ("by iu_per_er volume", "IU_PER_ER"),
        ("ACH Speed", "ACH_SPEED"),
        ("flat", "FLAT"),
        (None, "FLAT"),
    ],
)
def test_metrics_that_are_taken(cell: object, metric: str) -> None:
    assert read_workbook(book(pricing=[tier(tier_metric=cell)]), "rules.xlsx").tiers["metric"].to_list() == [metric]


def test_an_unknown_metric_or_tier_type_is_an_error() -> None:
    assert errors(book(pricing=[tier(tier_metric="IU-PER-ER", tier_type="TIERED")])) == [
        ("Pricing!C2", "IU-PER-ER", f"tier metric {messages.NOT_A_METRIC}"),
        ("Pricing!I2", "TIERED", f"tier type {messages.NOT_A_TIER_TYPE}"),
    ]


def test_tier_types_are_read_in_any_case_and_blank_means_all_in() -> None:
    rules = read_workbook(book(pricing=[tier(tier_type=" split "), tier(tier_type=None)]), "rules.xlsx")
    assert rules.tiers["tier_type"].to_list() == ["SPLIT", "ALL_IN"]


def test_included_users_are_zero_or_one_and_other_numbers_are_said() -> None:
    data = book(pricing=[tier(include_iu=cell) for cell in (None, 0, 1, 3, 0.5)])
    assert read_workbook(data, "rules.xlsx").tiers["included"].to_list() == [0, 0, 1, 1, 1]
    assert warnings(data, "included_users") == [
        ("Pricing!H5", "3", "included users can be 0 or 1 per company; this counts as 1"),
        ("Pricing!H6", "0.5", "included users can be 0 or 1 per company; this counts as 1"),
    ]


@pytest.mark.parametrize(("cell", "found"), [(True, "TRUE"), ("Yes", "Yes")])
def test_included_users_in_words_are_an_error(cell: object, found: str) -> None:
    assert errors(book(pricing=[tier(include_iu=cell)])) == [
        ("Pricing!H2", found, "included users is not a plain number")
    ]


def test_of_several_headers_the_first_filled_cell_of_the_row_counts_and_gives_the_address() -> None:
    rows = [tier(er_fee=None, company_fee=11), tier(er_fee=12, company_fee=13), tier(er_fee="  ", company_fee=14)]
    tiers = read_workbook(book(pricing=rows), "rules.xlsx").tiers
    assert tiers.select("er_price", "er_cell").rows() == [(11, "L2"), (12, "F3"), (14, "L4")]


def test_of_the_next_day_headers_the_preferred_one_serves_the_whole_column() -> None:
    row = tier(unit_price_next_day_er=None, next_day_fee_er=5)
    both = read_workbook(book(pricing=[row]), "rules.xlsx").tiers
    other = read_workbook(book(pricing=[row], without=["unit_price_next_day_er"]), "rules.xlsx").tiers
    assert both.select("nd_er_price", "nd_er_cell").row(0) == (0, "J2")
    assert other.select("nd_er_price", "nd_er_cell").row(0) == (5, "K2")


def test_optional_columns_may_be_absent_and_have_no_address() -> None:
    absent = ["tier_type", "include_iu", "unit_price_next_day_er", "unit_price_next_day_iu", "minimums_end_month"]
    tiers = read_workbook(book(without=absent), "rules.xlsx").tiers
    assert tiers.select("tier_type", "included", "nd_er_price", "included_cell").row(0) == ("ALL_IN", 0, 0, None)


def test_missing_columns_are_listed_for_every_sheet_with_what_would_be_accepted() -> None:
    data = book(
        pricing=[tier(er_fees=3)], without=["er_fee", "partner_id", "partner_name", "month_end", "ns_customer_name"]
    )
    assert [problem for problem in errors(data) if problem[2] != messages.NO_PARTNER_COLUMN] == [
        (
            "Pricing!",
            "",
            "the sheet has no column for the company fee (accepted: er_fee, company_fee, unit_price_er); "
            "is it the column 'er_fees'?",
        ),
        (
            "Minimums!",
            "",
            "the sheet has no column for the last month of the minimum (accepted: month_end, end_month, min_month_end)",
        ),
        (
            "Mapping!",
            "",
            "the sheet has no column for the NetSuite customer name "
            "(accepted: ns_customer_name, netsuite_customer_name, customer_name)",
        ),
    ]
    assert errors(data).count(("Config!", "", messages.NO_PARTNER_COLUMN)) == 1


def test_a_misspelt_optional_column_is_said() -> None:
    data = book(pricing=[tier(tier_typ="SPLIT")], without=["tier_type"])
    assert warnings(data, "unread_column") == [
        ("Pricing!K1", "tier_typ", "column 'tier_typ' is not read; for the tier type name it 'tier_type'")
    ]


def test_a_minimum_needs_its_start_end_and_amount() -> None:
    blank = minimum(month_start=None, month_end=None, minimum_amount=None)
    assert errors(book(minimums=[blank])) == [
        ("Minimums!C2", "", "first month of the minimum is missing"),
        ("Minimums!D2", "", "last month of the minimum is missing"),
        ("Minimums!E2", "", "minimum amount is missing"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (1, 12.5, f"last month of the minimum {messages.NOT_A_MONTH_INDEX}"),
        (1, "12+", "last month of the minimum is not a plain number"),
        (1, 9_000_000_000, f"last month of the minimum {messages.NOT_A_MONTH_INDEX}"),
        (1, date(2026, 1, 1), "last month of the minimum is not a plain number"),
        (7, 6, "last month of the minimum 6 is before its start 7"),
        (0, 0, messages.MINIMUM_NEVER),
    ],
)
def test_months_of_a_minimum_that_are_errors(start: object, end: object, why: str) -> None:
    assert errors(book(minimums=[minimum(month_start=start, month_end=end)])) == [("Minimums!D2", str(end), why)]


@pytest.mark.parametrize(
    ("cell", "month"),
    [
        (date(2025, 12, 15), date(2025, 12, 1)),
        (202512, date(2025, 12, 1)),
        ("202512", date(2025, 12, 1)),
        ("2025-12", date(2025, 12, 1)),
        ("2025.12", date(2025, 12, 1)),
        ("12/1/2025", date(2025, 12, 1)),
        (46023, date(2026, 1, 1)),
        (None, None),
        ("  ", None),
    ],
)
def test_months_of_the_contract_that_are_taken(cell: object, month: date | None) -> None:
    rules = read_workbook(book(config=[contract(minimums_start_month=cell)]), "rules.xlsx")
    assert rules.contracts["minimums_start"].to_list() == [month]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("Jan-26", "is not a month"),
        ("today", "is not a month"),
        (19.99, "is not a month"),
        (2026, messages.EARLY_MONTH),
        (2025.1, messages.EARLY_MONTH),
    ],
)
def test_months_of_the_contract_that_are_errors(cell: object, why: str) -> None:
    ((place, value, message),) = errors(book(config=[contract(minimums_start_month=cell)]))
    assert (place, value) == ("Config!C2", str(cell))
    assert message.startswith(f"start of the minimums {why}")


def test_a_contract_that_ends_before_it_starts_goes_on_and_is_said() -> None:
    data = book(config=[contract(minimums_end_month="2025-06")])
    assert read_workbook(data, "rules.xlsx").contracts["minimums_end"].to_list() == [None]
    assert warnings(data, "minimum_end") == [
        (
            "Config!D2",
            "2025-06",
            "end of the minimums 2025-06 is before its start 2025-07; the end is ignored and the minimum goes on",
        )
    ]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"partner_id": 101}, "101"),
        ({"partner_id": 101.0}, "101"),
        ({"partner_id": " P-101 "}, "P-101"),
        ({"partner_id": None, "partner_name": " Acme Pay "}, "acme pay"),
        ({"partner_id": "  ", "partner_name": "ACME"}, "acme"),
        ({"partner_id": "NA"}, "NA"),
    ],
)
def test_a_partner_is_known_by_the_trimmed_id_else_by_the_lower_case_name(row: dict[str, object], key: str) -> None:
    rules = read_workbook(book([tier(**row)], [minimum(**row)], [contract(**row)], [customer(**row)]), "rules.xlsx")
    for table in (rules.tiers, rules.minimums, rules.contracts, rules.customers):
        assert table["partner_key"].to_list() == [key]


def test_rows_without_a_partner_are_ignored_and_said_and_blank_rows_are_neither() -> None:
    nobody = {"partner_id": None, "partner_name": " "}
    data = book(pricing=[tier(), tier(**dict.fromkeys(tier())), tier(**nobody, er_fee="see notes")])
    assert len(read_workbook(data, "rules.xlsx").tiers) == 1
    assert warnings(data, "row_without_partner") == [("Pricing!C4", "ER", messages.ROW_IGNORED)]


def test_an_id_or_name_that_excel_turned_into_something_else_is_an_error() -> None:
    data = book(mapping=[customer(partner_id=date(2026, 1, 2)), customer(partner_name=True)])
    assert errors(data) == [
        ("Mapping!A2", "2026-01-02", f"partner id {messages.IS_A_DATE}"),
        ("Mapping!B3", "TRUE", f"partner name {messages.IS_A_BOOLEAN}"),
    ]


def test_ids_that_look_like_numbers_but_are_text_are_said_once_a_sheet() -> None:
    ids = ["101.0", "00101", "00101", 101, 1234567890123456789, "P-0"]
    data = book(mapping=[customer(partner_id=each, partner_name=None) for each in ids])
    assert warnings(data, "unusual_id") == [
        ("Mapping!A2", "101.0", messages.ID_DECIMALS),
        ("Mapping!A3", "00101", messages.ID_ZEROS),
        ("Mapping!A6", "1234567890123460000", messages.ID_DIGITS),
    ]
