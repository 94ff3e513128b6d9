"""The typed tables that pricing relies on, on the golden workbooks and through Parquet."""

import hashlib
from collections import Counter
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.rules import (
    CONTRACTS,
    CUSTOMERS,
    MINIMUM_ROWS,
    TIERS,
    Rules,
    read_workbook,
    rules_frame,
    rules_from_frame,
)
from tests.engine.rules.books import book, contract, customer, minimum, tier

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "usage-billing").glob("*/inputs/gep_billing_rules.xlsx"))
TABLES = ("tiers", "minimums", "contracts", "customers")


def assert_same(left: Rules, right: Rules) -> None:
    for table in TABLES:
        assert getattr(left, table).schema == getattr(right, table).schema
        assert getattr(left, table).rows() == getattr(right, table).rows()
    assert (left.name, left.sha256, left.workbook) == (right.name, right.sha256, right.workbook)
    assert left.warnings == right.warnings


def through_parquet(rules: Rules) -> Rules:
    stream = BytesIO()
    rules_frame(rules).write_parquet(stream)
    return rules_from_frame(pl.read_parquet(stream.getvalue()))


def test_the_golden_workbooks_are_there() -> None:
    assert len(GOLDEN) == 9


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parts[-3])
def test_golden_workbooks_have_no_errors_and_survive_storage(path: Path) -> None:
    rules = read_workbook(path.read_bytes(), path.name)
    assert min(len(rules.tiers), len(rules.minimums), len(rules.contracts), len(rules.customers)) > 0
    assert_same(through_parquet(rules), rules)


def test_the_warnings_of_the_golden_quirks_are_these() -> None:
    (path,) = (path for path in GOLDEN if path.parts[-3] == "quirks")
    warned = read_workbook(path.read_bytes(), path.name).warnings
    assert Counter(each.kind for each in warned) == {
        "tier_gap": 1,
        "tier_overlap": 1,
        "mixed_metric": 1,
        "mixed_type": 1,
        "minimum_overlap": 1,
    }


def test_the_rules_know_their_bytes() -> None:
    data = book()
    rules = read_workbook(data, "rules.xlsx")
    assert (rules.name, rules.sha256, rules.workbook) == ("rules.xlsx", hashlib.sha256(data).hexdigest(), data)


def test_tiers_are_sorted_by_partner_and_start_and_keep_the_sheet_order_of_equals() -> None:
    rows = [
        tier(partner_id="2", tier_start=5),
        tier(partner_id="10", tier_start=1),
        tier(partner_id="2", tier_start=1, er_fee=7),
        tier(partner_id="2", tier_start=1, er_fee=6),
    ]
    tiers = read_workbook(book(pricing=rows), "rules.xlsx").tiers
    assert tiers.schema == TIERS
    assert tiers.select("partner_key", "sheet_row").rows() == [("10", 3), ("2", 4), ("2", 5), ("2", 2)]


def test_a_tier_row_has_exact_prices_and_the_addresses_of_its_cells() -> None:
    row = tier(tier_end=10, er_fee="$9.50", iu_fee=0.335, include_iu=2, unit_price_next_day_er=1.125)
    assert read_workbook(book(pricing=[row]), "rules.xlsx").tiers.row(0, named=True) == {
        "partner_key": "101",
        "sheet_row": 2,
        "tier_type": "ALL_IN",
        "metric": "ER",
        "start": Decimal(1),
        "end": Decimal(10),
        "er_price": Decimal("9.5"),
        "iu_price": Decimal("0.335"),
        "included": 1,
        "nd_er_price": Decimal("1.125"),
        "nd_iu_price": Decimal(0),
        "start_cell": "D2",
        "end_cell": "E2",
        "er_cell": "F2",
        "iu_cell": "G2",
        "included_cell": "H2",
        "nd_er_cell": "J2",
        "nd_iu_cell": "K2",
    }


def test_minimums_contracts_and_customers_as_pricing_finds_them() -> None:
    rules = read_workbook(
        book(
            minimums=[minimum(month_start=7, month_end=999), minimum(month_end=6, minimum_amount="2,000")],
            config=[contract(minimums_end_month="2026-03")],
            mapping=[customer(partner_id="P-101"), customer(partner_id=None)],
        ),
        "rules.xlsx",
    )
    assert (rules.minimums.schema, rules.contracts.schema, rules.customers.schema) == (
        MINIMUM_ROWS,
        CONTRACTS,
        CUSTOMERS,
    )
    assert rules.minimums.rows() == [("101", 3, 1, 6, Decimal(2000), "E3"), ("101", 2, 7, 999, Decimal(500), "E2")]
    assert rules.contracts.rows() == [("101", 2, date(2025, 7, 1), date(2026, 3, 1))]
    assert rules.customers.rows() == [
        ("P-101", "P-101", "101", "acme", "Acme, Inc.", 2),
        ("acme", "", "", "acme", "Acme, Inc.", 3),
    ]


def test_rules_of_empty_sheets_survive_storage() -> None:
    rules = read_workbook(book([], [], [], []), "rules.xlsx")
    assert rules_frame(rules).height == 1
    assert_same(through_parquet(rules), rules)


_text = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Co", "Cn"]), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(_text, st.decimals(0, 9999, places=4), st.decimals(0, 9999, places=4)).filter(
            lambda row: "_x" not in row[0]
        ),
        max_size=5,
    )
)
def test_whatever_is_read_survives_storage(drawn: list[tuple[str, Decimal, Decimal]]) -> None:
    rows = [tier(partner_id=f"P{name}", tier_start=start, er_fee=str(price)) for name, start, price in drawn]
    names = [customer(partner_id=f"P{name}", ns_customer_name=f"N{name}") for name, _, _ in drawn]
    rules = read_workbook(book(pricing=rows, mapping=names), "rules.xlsx")
    assert sorted(rules.tiers["er_price"]) == sorted(price for _, _, price in drawn)
    assert_same(through_parquet(rules), rules)
