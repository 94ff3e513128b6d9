"""What is billed as written but may not be meant: gaps, overlaps, mixtures, duplicates, rates of many decimals."""

import pytest

from billing_pipeline.engine.rules import check, check_document, messages, read_workbook
from tests.engine.rules.books import book, contract, customer, minimum, tier, warnings


def tiers(*bounds: tuple[object, object], **cells: object) -> bytes:
    return book(pricing=[tier(tier_start=start, tier_end=end, **cells) for start, end in bounds])


@pytest.mark.parametrize(
    "bounds",
    [
        [(1, 10), (11, 20), (21, None)],
        [(0, None)],
        [(11, 999_999), (1, 10)],
        [(1, "10.5"), (11, 20)],
        [(1, 10), (10.5, 20)],
    ],
)
def test_tiers_that_meet_are_not_remarked(bounds: list[tuple[object, object]]) -> None:
    assert check(tiers(*bounds), "rules.xlsx") == ([], [])


def test_a_gap_is_said_with_the_tier_that_will_serve_it() -> None:
    assert warnings(tiers((1, 10), (21, 50), (51, None)), "tier_gap") == [
        (
            "Pricing!D3",
            "21",
            "no tier of partner 101 covers the values between 10 and 21; they are priced at the tier from 51",
        )
    ]


def test_values_below_the_first_tier_are_a_gap_too() -> None:
    assert warnings(tiers((25, None)), "tier_gap") == [
        ("Pricing!D2", "25", "no tier of partner 101 covers the values below 25; they are priced at the first tier")
    ]


def test_an_overlap_is_said_with_the_tier_that_wins() -> None:
    assert warnings(tiers((1, 10), (5, 20), (5, 8)), "tier_overlap") == [
        ("Pricing!D3", "5", "tiers 1 to 10 and 5 to 20 of partner 101 overlap; the one that starts higher applies"),
        (
            "Pricing!D4",
            "5",
            "tiers 5 to 20 and 5 to 8 of partner 101 start together; where both match the first in the sheet applies",
        ),
    ]


def test_nothing_can_follow_an_open_tier() -> None:
    ((place, _, message),) = warnings(tiers((1, None), (11, 20)), "tier_overlap")
    assert (place, message) == (
        "Pricing!D3",
        "tiers from 1 and 11 to 20 of partner 101 overlap; the one that starts higher applies",
    )


def test_only_the_tiers_that_count_are_looked_at() -> None:
    rows = [
        tier(tier_start=1, tier_end=10, tier_metric="IU"),
        tier(tier_start=1, tier_end=500, tier_metric="ER"),
        tier(tier_start=11, tier_metric="IU"),
    ]
    data = book(pricing=rows)
    assert warnings(data, "tier_overlap") == []
    assert warnings(data, "mixed_metric") == [
        ("Pricing!C3", "ER", "partner 101 mixes the metrics ER, IU; only its IU tiers count")
    ]


def test_split_wins_over_all_in() -> None:
    rows = [
        tier(tier_start=1, tier_end=2),
        tier(tier_start=1, tier_end=2, tier_type="SPLIT"),
        tier(tier_start=3, tier_type="SPLIT"),
    ]
    data = book(pricing=rows)
    assert warnings(data, "tier_overlap") == []
    assert warnings(data, "mixed_type") == [
        ("Pricing!I2", "ALL_IN", "partner 101 mixes ALL_IN and SPLIT tiers; only the SPLIT tiers count")
    ]


def test_partners_are_looked_at_one_by_one() -> None:
    rows = [tier(partner_id=partner, tier_start=1, tier_end=10) for partner in ("101", "102")]
    assert check(book(pricing=rows), "rules.xlsx") == ([], [])


def test_an_unreadable_bound_is_one_error_and_no_gap() -> None:
    errors, warned = check(tiers((1, "ten"), (21, None)), "rules.xlsx")
    assert [problem.cell for problem in errors] == ["E2"]
    assert warned == []


def test_rates_of_more_than_two_decimals_are_listed_cell_by_cell() -> None:
    data = book(
        pricing=[tier(er_fee=10.005, iu_fee="0.50"), tier(iu_fee=0.335)], minimums=[minimum(minimum_amount=99.999)]
    )
    assert warnings(data, "rate_over_two_decimals") == [
        ("Pricing!F2", "10.005", "company fee has more than two decimals"),
        ("Pricing!G3", "0.335", "user fee has more than two decimals"),
        ("Minimums!E2", "99.999", "minimum amount has more than two decimals"),
    ]


def test_a_next_day_price_is_said_to_be_rounded_before_use() -> None:
    assert warnings(book(pricing=[tier(unit_price_next_day_iu=0.125)]), "rate_over_two_decimals") == [
        (
            "Pricing!K2",
            "0.125",
            "next-day user price has more than two decimals and is rounded to 0.13 before it is multiplied",
        )
    ]


def test_overlapping_minimums_are_said_with_the_row_that_applies() -> None:
    rows = [
        minimum(month_start=6, month_end=24),
        minimum(month_start=1, month_end=12),
        minimum(month_start=25, month_end=99),
    ]
    assert warnings(book(minimums=rows), "minimum_overlap") == [
        ("Minimums!C2", "6", "months 6 to 24 of partner 101 overlap with row 3, which starts first and applies")
    ]


def test_month_zero_is_said() -> None:
    assert warnings(book(minimums=[minimum(month_start=0)]), "month_zero") == [
        ("Minimums!C2", "0", messages.MONTH_ZERO)
    ]


def test_a_minimum_that_can_never_be_billed_is_said_once() -> None:
    rows = [minimum(partner_id="102", month_end=5), minimum(partner_id="102", month_start=6)]
    assert warnings(book(minimums=rows), "minimum_unpriced") == [
        ("Minimums!A2", "102", "partner 102 has a minimum but no pricing")
    ]
    assert warnings(book(config=[contract(minimums_start_month=None)]), "minimum_without_start") == [
        ("Minimums!A2", "101", "partner 101 has a minimum but no start month on sheet Config; it is never billed")
    ]


def test_the_last_of_two_contracts_of_a_partner_applies() -> None:
    data = book(config=[contract(), contract(minimums_start_month="2026-01")])
    rules = read_workbook(data, "rules.xlsx")
    assert rules.contracts.select("sheet_row", "minimums_start").rows() == [(3, rules.contracts["minimums_start"][0])]
    assert warnings(data, "duplicate_partner") == [
        ("Config!A2", "101", "partner 101 is there again in row 3; the last row applies")
    ]


def test_customers_keep_every_row_and_duplicates_are_said() -> None:
    data = book(mapping=[customer(), customer(partner_id=101, ns_customer_name="Acme (new)")])
    assert read_workbook(data, "rules.xlsx").customers["customer"].to_list() == ["Acme, Inc.", "Acme (new)"]
    assert warnings(data, "duplicate_partner") == [
        ("Mapping!A2", "101", "partner 101 is there again in row 3; the last row applies")
    ]


def test_customer_names_are_trimmed_and_that_is_said() -> None:
    data = book(mapping=[customer(ns_customer_name=" Acme, Inc.\N{NO-BREAK SPACE}")])
    assert read_workbook(data, "rules.xlsx").customers["customer"].to_list() == ["Acme, Inc."]
    assert warnings(data, "trimmed") == [("Mapping!C2", " Acme, Inc.\N{NO-BREAK SPACE}", messages.TRIMMED)]


def test_a_mapping_row_without_customer_is_ignored_and_said() -> None:
    data = book(mapping=[customer(ns_customer_name=None)])
    assert read_workbook(data, "rules.xlsx").customers.is_empty()
    assert warnings(data, "no_customer") == [
        ("Mapping!C2", "", "partner 101 has no customer name in this row; the row is ignored")
    ]


def test_different_ids_with_the_same_digits_are_said() -> None:
    rows = [customer(partner_id="A-12", partner_name="A"), customer(partner_id="B12", partner_name="B")]
    assert warnings(book(mapping=rows), "id_collision") == [
        (
            "Mapping!A2",
            "A-12",
            "partner id 'A-12' has the same digits as 'B12' in row 3; by digits alone the last row applies",
        )
    ]


def test_one_name_for_two_customers_is_said() -> None:
    rows = [customer(partner_id="1"), customer(partner_id="2", partner_name="ACME ", ns_customer_name="Other")]
    assert warnings(book(mapping=rows), "name_clash") == [
        ("Mapping!B2", "Acme", "partner name 'acme' has another customer in row 3; without an id the last row applies")
    ]


def test_pricing_without_rows_is_said() -> None:
    assert warnings(book(pricing=[]), "no_rows") == [("Pricing!", "", messages.NO_ROWS)]


def test_the_document_for_programs_holds_places_values_and_messages_only() -> None:
    errors, warned = check(book(pricing=[tier(er_fee="free", iu_fee=0.335)]), "rules.xlsx")
    assert check_document(errors, warned) == {
        "errors": [{"sheet": "Pricing", "cell": "F2", "value": "free", "message": "company fee is not a plain number"}],
        "warnings": [
            {"sheet": "Pricing", "cell": "G2", "value": "0.335", "message": "user fee has more than two decimals"}
        ],
    }


def test_check_lists_what_read_workbook_would_raise_for_a_file_that_is_no_workbook() -> None:
    errors, warned = check(b"not a workbook", "rules.xlsx")
    assert ([problem.message for problem in errors], warned) == ([messages.NOT_A_WORKBOOK], [])
