"""What changed between two rules workbooks: by partner and tier, not by row number."""

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.rules import CHANGES, diff, read_workbook
from tests.engine.rules.books import book, contract, customer, minimum, tier

TWO = [tier(tier_end=10), tier(tier_start=11, er_fee=8)]


def test_equal_workbooks_have_no_changes_whatever_the_order_and_spelling() -> None:
    other = [tier(tier_start="11", er_fee="$8.00", partner_id=101), tier(tier_end="10", include_iu=None)]
    changes = diff(book(pricing=TWO), book(pricing=other, config=[contract(minimums_start_month="7/1/2025")]))
    assert changes.schema == CHANGES
    assert changes.is_empty()


def test_a_changed_price_is_told_with_its_new_address() -> None:
    new = [tier(partner_id="100"), *TWO[:1], tier(tier_start=11, er_fee="7.50")]
    changes = diff(book(pricing=[tier(partner_id="100"), *TWO][::-1]), book(pricing=new))
    assert changes.rows() == [("changed", "Pricing", "F4", "101", "er_fee", "8", "7.5")]


def test_added_and_removed_tiers_are_told_cell_by_cell() -> None:
    sparse = {"partner_name": None, "tier_type": None, "include_iu": None, "iu_fee": None}
    added = tier(partner_id="102", **sparse)
    removed = tier(partner_id="100", **sparse)
    assert diff(book(pricing=[tier(), removed]), book(pricing=[added, tier()])).rows() == [
        ("removed", "Pricing", "D3", "100", "tier_start", "1", ""),
        ("removed", "Pricing", "C3", "100", "tier_metric", "ER", ""),
        ("removed", "Pricing", "F3", "100", "er_fee", "10", ""),
        ("added", "Pricing", "D2", "102", "tier_start", "", "1"),
        ("added", "Pricing", "C2", "102", "tier_metric", "", "ER"),
        ("added", "Pricing", "F2", "102", "er_fee", "", "10"),
    ]


def test_a_cell_filled_or_emptied_is_a_change_unless_it_means_the_same() -> None:
    changes = diff(book(pricing=[tier(tier_end=10, iu_fee=0)]), book(pricing=[tier(tier_end=None, iu_fee=None)]))
    assert changes.rows() == [("changed", "Pricing", "E2", "101", "tier_end", "10", "")]


def test_repeated_keys_are_matched_in_their_order() -> None:
    changes = diff(book(pricing=[tier(), tier(er_fee=20)]), book(pricing=[tier(), tier(er_fee=21)]))
    assert changes.rows() == [("changed", "Pricing", "F3", "101", "er_fee", "20", "21")]


def test_every_sheet_is_compared_in_the_order_of_the_workbook() -> None:
    old = book()
    new = book(
        minimums=[minimum(minimum_amount=600)],
        config=[contract(minimums_end_month="2026-12")],
        mapping=[customer(partner_name="Acme Pay", ns_customer_name="Acme Holding")],
    )
    assert diff(old, new).rows() == [
        ("changed", "Minimums", "E2", "101", "minimum_amount", "500", "600"),
        ("changed", "Config", "D2", "101", "minimums_end_month", "", "2026-12"),
        ("changed", "Mapping", "B2", "101", "partner_name", "Acme", "Acme Pay"),
        ("changed", "Mapping", "C2", "101", "ns_customer_name", "Acme, Inc.", "Acme Holding"),
    ]


def test_tiers_come_in_the_order_of_their_starts() -> None:
    old = [tier(tier_start=start) for start in (100, 25, 1)]
    new = [tier(tier_start=start, er_fee=9) for start in (100, 25, 1)]
    assert diff(book(pricing=old), book(pricing=new))["cell"].to_list() == ["F4", "F3", "F2"]


def test_a_broken_workbook_can_be_compared_with_its_repair() -> None:
    changes = diff(book(pricing=[tier(er_fee="free")]), book(pricing=[tier(er_fee=0)]))
    assert changes.rows() == [("changed", "Pricing", "F2", "101", "er_fee", "free", "0")]


def test_validated_rules_are_compared_like_their_bytes() -> None:
    old, new = book(), book(pricing=[tier(er_fee=11)])
    assert diff(read_workbook(old, "old.xlsx"), read_workbook(new, "new.xlsx")).equals(diff(old, new))


def test_a_workbook_without_a_needed_column_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="new workbook, Pricing: the sheet has no column for the company fee"):
        diff(book(), book(without=["er_fee"]))
