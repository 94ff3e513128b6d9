"""What is off unless it is asked for: units by the days of the contract, and a tax line. Both exact, rounded once."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services import (
    REFERENCE,
    Bills,
    Book,
    Options,
    Policy,
    accounting_rows,
    client_bills,
    invoice_rows,
    tables,
)
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema

SEPTEMBER = Period(2025, 9)  # 30 days
PLAN = {
    "plan": "Gold", "term": "Month to Month", "per_user_cost": "15", "per_workstation_cost": "50.05",
    "backup_base_fee_workstation": "5", "backup_included_tb": "9",
}  # fmt: skip
DEVICE = {"account": "A", "device_id": "d", "name": "pc", "typed": False, "bytes": 1}
PERSON = {"account": "A", "person_id": "p", "name": "Ada", "active": True}
NET = {"account": "A", "name": "Internet", "monthly_fee": "89.95"}
SETUP = {"account": "A", "name": "Setup", "one_off_fee": "500", "one_off_year": 2025, "one_off_month": 9}
AUDIT = {"account": "A", "name": "Audit", "yearly_fee": "240", "yearly_bill_month": 9}
CREDIT = {"account": "A", "name": "Credit", "monthly_fee": "-100"}
PRORATED = Options(prorate=True)


def frame(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    texts = [{name: row.get(name) for name in schema} for row in rows]
    asked = {name: pl.String if isinstance(dtype, pl.Decimal) else dtype for name, dtype in schema.items()}
    return pl.DataFrame(texts, asked).cast(dict(schema))


def billed(options: Options, policy: Policy = Policy(), days: dict[str, date] | None = None, **rows: Any) -> Bills:  # noqa: B008
    client = {"account": "A", "name": "Acme", "plan": "Gold", "term": "Month to Month", **(days or {})}
    given = {"clients": [client], "plans": [PLAN], **rows}
    names = (
        "clients", "plans", "settings", "devices", "device_overrides", "people", "person_overrides", "entries", "items",
    )  # fmt: skip
    frames = {name: frame(given.get(name, []), schema) for name, schema in zip(names, tables.SHAPES, strict=True)}
    return client_bills(Book(**frames), SEPTEMBER, policy, options)


def amounts(found: Bills) -> dict[str, str]:
    return {row["name"]: str(row["amount"]) for row in found.lines.to_dicts()}


def test_nothing_is_prorated_or_taxed_unless_it_is_asked_for() -> None:
    found = billed(Options(), days={"contract_start": date(2025, 9, 16)}, people=[PERSON], items=[NET])
    assert amounts(found) == {"Ada": "15.00", "Internet": "89.95"}
    assert [str(found.bills[name][0]) for name in ("tax_charge", "total")] == ["0.00", "104.95"]


def test_units_and_monthly_items_are_charged_for_the_days_of_the_contract_and_the_rest_as_it_is() -> None:
    found = billed(
        PRORATED, days={"contract_start": date(2025, 9, 21)}, devices=[DEVICE], people=[PERSON],
        items=[NET, SETUP, AUDIT],
    )  # fmt: skip
    assert amounts(found) == {
        "pc": "16.68",  # 50.05 x 10 / 30 = 16.683...
        "Ada": "5.00",
        "Internet": "29.98",  # 89.95 x 10 / 30 = 29.983...
        "Setup": "500.00",
        "Audit": "240.00",
        "Backed-up workstations": "5.00",
    }
    assert str(found.bills["total"][0]) == "796.66"


@pytest.mark.parametrize(
    ("days", "charged"),
    [
        ({}, "15.00"),
        ({"contract_start": date(2020, 1, 1)}, "15.00"),
        ({"contract_start": date(2025, 9, 1), "contract_end": date(2025, 9, 30)}, "15.00"),
        ({"contract_start": date(2025, 9, 30)}, "0.50"),
        ({"contract_start": date(2025, 10, 1)}, "0.00"),
        ({"contract_end": date(2025, 9, 1)}, "0.50"),
        ({"contract_end": date(2025, 8, 31)}, "0.00"),
        ({"contract_start": date(2025, 9, 11), "contract_end": date(2025, 9, 20)}, "5.00"),
    ],
)
def test_a_contract_is_in_force_on_its_first_day_and_on_its_last(days: dict[str, date], charged: str) -> None:
    assert str(billed(PRORATED, days=days, people=[PERSON]).bills["total"][0]) == charged


def test_a_term_of_a_year_ends_the_day_before_it_is_a_year() -> None:
    client = {"account": "A", "name": "Acme", "plan": "Gold", "term": "1 Year", "contract_start": date(2024, 9, 16)}
    found = billed(PRORATED, clients=[client], plans=[PLAN | {"term": "1 Year"}], people=[PERSON])
    assert str(found.bills["total"][0]) == "7.50"


@pytest.mark.parametrize(
    ("fee", "charged"), [("0.01", "0.01"), ("-0.01", "-0.01"), ("0.03", "0.02"), ("-100", "-50.00")]
)
def test_half_a_cent_is_rounded_away_from_zero_line_by_line(fee: str, charged: str) -> None:
    items = [{"account": "A", "name": name, "monthly_fee": fee} for name in ("one", "two")]
    found = billed(PRORATED, days={"contract_end": date(2025, 9, 15)}, items=items)
    assert amounts(found) == {"one": charged, "two": charged}
    assert found.bills["total"][0] == 2 * Decimal(charged)


def test_a_part_of_a_month_is_told_and_a_whole_one_is_not() -> None:
    began = {"contract_start": date(2025, 9, 11)}
    told = billed(PRORATED, days=began, people=[PERSON]).warnings
    assert told.rows() == [("A", "Acme", "its units are charged for 20 of 30 days, those of its contract")]
    assert billed(PRORATED, people=[PERSON]).warnings.is_empty()
    assert billed(Options(), days=began, people=[PERSON]).warnings.is_empty()


def test_a_unit_that_costs_nothing_because_of_its_days_is_not_told_as_a_rate_of_zero() -> None:
    told = billed(PRORATED, days={"contract_start": date(2025, 10, 1)}, people=[PERSON]).warnings
    assert told["warning"].to_list() == ["its units are charged for 0 of 30 days, those of its contract"]


def test_a_tax_is_one_line_on_all_components_together() -> None:
    found = billed(Options(tax_percent=Decimal("8.875")), devices=[DEVICE], people=[PERSON], items=[NET])
    assert found.lines.rows()[-1] == ("A", "tax", None, "Tax", "8.875 %", Decimal("14.20"), "setting")
    assert [str(found.bills[name][0]) for name in ("tax_charge", "total")] == ["14.20", "174.20"]  # of 160.00


@pytest.mark.parametrize(
    ("fee", "percent", "tax"),
    [("0.10", "5", "0.01"), ("0.09", "5", "0.00"), ("-100", "19", "-19.00"), ("-0.10", "5", "-0.01"),
     ("100", "0", "0.00"), ("1000000000", "0.000001", "10.00")],
)  # fmt: skip
def test_a_tax_is_rounded_once_away_from_zero_and_a_credit_has_one_below_zero(fee: str, percent: str, tax: str) -> None:
    found = billed(Options(tax_percent=Decimal(percent)), items=[{**NET, "monthly_fee": fee}])
    assert str(found.bills["tax_charge"][0]) == tax
    assert ("tax" in found.lines["kind"]) == (Decimal(tax) != 0)
    assert found.bills["total"][0] == Decimal(fee) + Decimal(tax)


@pytest.mark.parametrize("rows", [invoice_rows, accounting_rows])
def test_the_tax_is_the_last_row_of_both_files_which_sum_to_the_total(rows: Any) -> None:
    found = billed(Options(tax_percent=Decimal(19)), devices=[DEVICE], items=[NET, CREDIT])
    written = rows(found, SEPTEMBER)
    assert written.select("Item(Product/Service)", "Description", "Qty", "Rate").rows()[-1] == (
        "Tax", "Tax (19 %)", "1", "8.55",
    )  # fmt: skip
    assert written["Amount"].sum() == found.bills["total"][0] == Decimal("53.55")  # 45.00 + 8.55


def test_a_total_that_is_rounded_at_the_end_is_taxed_as_it_is_printed() -> None:
    found = billed(Options(tax_percent=Decimal(10)), REFERENCE, people=[PERSON])
    assert [str(found.bills[name][0]) for name in ("tax_charge", "total")] == ["1.50", "16.50"]


@pytest.mark.parametrize("percent", ["-1", "100.01", "NaN", "Infinity", "8.1234567"])
def test_a_rate_that_is_no_percentage_is_refused(percent: str) -> None:
    with pytest.raises(InputError, match="is no percentage from 0 to 100"):
        Options(tax_percent=Decimal(percent))
