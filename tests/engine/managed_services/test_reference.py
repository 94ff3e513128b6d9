"""The sheets of the book as what bills are made of: plans in force, contracts, overrides, what was entered by hand."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from billing_pipeline.engine.managed_services import tables
from billing_pipeline.engine.managed_services.pulled import COMPANIES, records
from billing_pipeline.engine.managed_services.reference import (
    client_settings,
    contracts,
    manual_rows,
    overrides,
    plans_in_force,
    sheet_frames,
    sheet_values,
)
from billing_pipeline.engine.managed_services.sheets import SHEETS, Row
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema
from tests.engine.managed_services.listings import company
from tests.engine.managed_services.months import GOLD, SEPTEMBER, pulled


def values(name: str, *rows: Row) -> pl.DataFrame:
    """The sheet with these rows, typed."""
    return sheet_values(name, sheet_frames({name: rows})[name])


def test_every_sheet_is_there_with_its_columns_when_the_book_is_empty() -> None:
    found = sheet_frames({})
    assert {name: frame.columns for name, frame in found.items()} == {
        sheet.name: [column.name for column in sheet.columns] for sheet in SHEETS
    }
    assert sum(frame.height for frame in found.values()) == 0


def test_amounts_days_and_counts_are_exact_and_a_blank_is_nothing() -> None:
    item = {"account": "A", "name": "Setup", "one_off_fee": "-0.10", "one_off_year": "2025", "one_off_month": "9"}
    row = values("line_items", item).row(0, named=True)
    assert (row["one_off_fee"], row["one_off_year"], row["monthly_fee"]) == (Decimal("-0.10"), 2025, None)
    assert values("contracts", {"account": "A", "start": "2024-02-29"})["start"].to_list() == [date(2024, 2, 29)]


def in_force(period: Period, *rows: Row) -> list[tuple[str, str, str]]:
    found = plans_in_force(values("plans", *rows), period)
    return found.select("plan", "term", pl.col("per_user_cost").cast(pl.String)).rows()


PRICES = [
    GOLD | {"valid_from": valid, "per_user_cost": cost}
    for valid, cost in (("2025-09-01", "16"), ("2020-01-01", "15"), ("2025-09-02", "17"))
]


@pytest.mark.parametrize(
    ("period", "cost"),
    [(Period(2025, 8), "15.00"), (SEPTEMBER, "16.00"), (Period(2025, 10), "17.00"), (Period(2030, 1), "17.00")],
)
def test_a_plan_row_is_in_force_from_the_month_whose_first_day_it_is_valid_on(period: Period, cost: str) -> None:
    assert in_force(period, *PRICES) == [("Gold", "1 Year", cost)]


def test_a_plan_that_is_not_valid_yet_is_not_there() -> None:
    assert in_force(Period(2019, 12), *PRICES) == []


def test_each_term_of_a_plan_has_its_own_row_in_force() -> None:
    longer = [PRICES[1] | {"term": "2 Year", "per_user_cost": "12"}, PRICES[1] | {"plan": "Basic"}]
    assert in_force(SEPTEMBER, *PRICES, *longer) == [
        ("Basic", "1 Year", "15.00"),
        ("Gold", "1 Year", "16.00"),
        ("Gold", "2 Year", "12.00"),
    ]


def test_a_client_s_own_values_are_its_settings_and_a_blank_is_none() -> None:
    given = {"account": "A", "plan": "Gold", "per_user_cost": "0", "prepaid_hours_monthly": "2.50"}
    found = client_settings(values("settings", given)).row(0, named=True)
    assert {name: value for name, value in found.items() if value is not None} == {
        "account": "A", "plan": "Gold", "per_user_cost": Decimal("0.00"), "prepaid_hours_monthly": Decimal("2.50"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sheet", "schema", "key", "kind"),
    [
        ("device_overrides", tables.DEVICE_OVERRIDES, "device_id", "Server"),
        ("person_overrides", tables.PERSON_OVERRIDES, "person_id", "Paid"),
    ],
)
def test_an_override_is_of_the_record_of_its_source(sheet: str, schema: Schema, key: str, kind: str) -> None:
    same_id = [
        {"source": "datto", "source_id": "7", "type": kind},
        {"source": "folder", "source_id": "7", "type": "Custom", "custom_cost": "3"},
    ]
    assert overrides(values(sheet, *same_id), schema).select(key, "type", "custom_cost").rows() == [
        ("datto:7", kind, None),
        ("folder:7", "Custom", Decimal("3.00")),
    ]


def test_a_device_entered_by_hand_has_its_type_no_id_and_nothing_in_backup() -> None:
    rack = {"account": "A", "name": "Rack", "type": "Custom", "custom_cost": "7.50", "notes": "in the cellar"}
    assert manual_rows(values("manual_devices", rack), tables.DEVICES).row(0, named=True) == {
        "account": "A", "device_id": None, "name": "Rack", "typed": True, "type": "Custom",
        "custom_cost": Decimal("7.50"), "bytes": 0,
    }  # fmt: skip


def test_a_person_entered_by_hand_is_active() -> None:
    bob = {"account": "A", "name": "Bob", "type": "Paid"}
    assert manual_rows(values("manual_people", bob), tables.PEOPLE).row(0, named=True) == {
        "account": "A", "person_id": None, "name": "Bob", "type": "Paid", "custom_cost": None, "active": True,
    }  # fmt: skip


def contract(*rows: Row, period: Period = SEPTEMBER, **directory: str) -> tuple[date | None, date | None, str]:
    """Start, end and term of a client with these contracts in the book."""
    companies = records(COMPANIES, pulled(COMPANIES, company("A", **directory)))
    found = contracts(companies, values("contracts", *rows), period).row(0, named=True)
    return found["contract_start"], found["contract_end"], found["term"]


DIRECTORY = {"contract_start": "2024-01-01", "contract_end": "2026-12-31"}
OWN = {"account": "A", "start": "2025-09-30", "end": "2027-09-29", "term": "2 Year"}


def test_without_a_contract_in_the_book_the_directory_s_counts() -> None:
    assert contract(**DIRECTORY) == (date(2024, 1, 1), date(2026, 12, 31), "1 Year")
    assert contract(OWN | {"account": "B"}, **DIRECTORY) == (date(2024, 1, 1), date(2026, 12, 31), "1 Year")


def test_a_client_whose_term_nobody_says_is_month_to_month() -> None:
    assert contract(term="") == (None, None, "Month to Month")


def test_the_book_s_contract_counts_from_the_month_it_begins_in() -> None:
    assert contract(OWN, **DIRECTORY) == (date(2025, 9, 30), date(2027, 9, 29), "2 Year")
    assert contract(OWN, period=Period(2025, 8), **DIRECTORY) == (date(2024, 1, 1), date(2026, 12, 31), "1 Year")


def test_of_several_contracts_the_one_that_began_last_counts() -> None:
    before, after = OWN | {"start": "2023-01-01", "term": "3 Year"}, OWN | {"start": "2025-10-01", "term": "1 Year"}
    assert contract(after, OWN, before) == (date(2025, 9, 30), date(2027, 9, 29), "2 Year")


def test_a_contract_without_an_end_has_none_whatever_the_directory_says_and_keeps_its_term() -> None:
    assert contract({"account": "A", "start": "2025-01-01"}, **DIRECTORY) == (date(2025, 1, 1), None, "1 Year")
