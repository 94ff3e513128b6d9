"""For every client: the bill is an independent oracle's, in exact fractions, under both policies; files sum to it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.managed_services import (
    REFERENCE,
    Options,
    Policy,
    accounting_rows,
    book_of,
    client_bills,
    invoice_rows,
)
from billing_pipeline.engine.managed_services.tables import RATES
from tests import client_oracle

pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example

YEAR, MONTH = 2025, 9
TYPES = ("Workstation", "Server", "VM", "Switch", "Firewall", "Custom", "No Charge", "Laptop")
money = st.decimals(0, 500, places=2)
hours = st.decimals(0, 40, places=2)
maybe, credit = st.none() | money, st.none() | st.decimals(-50, 50, places=2)
paid, months = st.sampled_from(("Paid", "Free", "Custom")), st.sampled_from((8, 9))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2025, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """One client with a plan, and anything it can be billed for."""
    plan = {"plan_name": "Gold", "term_length": "1 Year"} | {name: draw(maybe) for name in RATES}
    override: dict[str, Any] = {}
    for name, flag in zip(RATES, client_oracle.FLAGS, strict=True):
        override |= {f"override_{flag}_enabled": draw(st.booleans()), name: draw(maybe)}
    for name in ("prepaid_hours_monthly", "prepaid_hours_yearly"):
        override |= {f"override_{name}_enabled": draw(st.booleans()), name: draw(st.none() | hours)}
    kinds = st.sampled_from(TYPES)
    assets = [
        {"id": number, "hostname": f"h{number}", "backup_data_bytes": draw(st.integers(0, 5 * 2**40))}
        | ({"billing_type": draw(kinds)} if draw(st.booleans()) else {})
        for number in range(draw(st.integers(0, 5)))
    ]
    overridden = st.lists(st.integers(0, 4), unique=True, max_size=3)
    tickets = [
        {"ticket_id": number, "last_updated_at": draw(moments).isoformat(), "total_hours_spent": draw(hours)}
        for number in range(draw(st.integers(0, 6)))
    ]
    return {
        "period": {"year": YEAR, "month": MONTH},
        "inputs": {
            "company": {"account_number": "1", "name": "A", "billing_plan": "Gold", "contract_term_length": "1 Year"},
            "plans": [plan],
            "client_override": override,
            "assets": assets,
            "asset_overrides": [
                {"asset_id": one, "billing_type": draw(kinds), "custom_cost": draw(maybe)} for one in draw(overridden)
            ],
            "manual_assets": [
                {"hostname": "m", "billing_type": draw(kinds), "custom_cost": draw(maybe)}
                for _ in range(draw(st.integers(0, 2)))
            ],
            "users": [
                {"id": n, "name": f"u{n}", "email": "x", "active": draw(st.booleans())}
                for n in range(draw(st.integers(0, 4)))
            ],
            "user_overrides": [
                {"user_id": one, "billing_type": draw(paid), "custom_cost": draw(maybe)} for one in draw(overridden)
            ],
            "manual_users": [],
            "tickets": tickets,
            "line_items": [
                {"name": "i", "monthly_fee": draw(credit), "yearly_fee": draw(maybe), "yearly_bill_month": draw(months)}
                for _ in range(draw(st.integers(0, 3)))
            ],
        },
    }  # fmt: skip


@given(documents(), st.sampled_from((REFERENCE, Policy())))
@settings(max_examples=120)
def test_every_bill_is_the_oracle_s(document: dict[str, Any], policy: Policy) -> None:
    book, period, warnings = book_of(document)
    found = client_bills(book, period, policy)
    expected = client_oracle.bill(document, policy)
    assert {name: found.bills[name][0] for name in expected} == expected
    assert warnings == []


@given(documents())
@settings(max_examples=60)
def test_both_files_of_every_bill_sum_to_its_total_and_so_do_its_lines(document: dict[str, Any]) -> None:
    book, period, _ = book_of(document)
    found = client_bills(book, period)
    total = found.bills["total"][0]
    for rows in (invoice_rows(found, period), accounting_rows(found, period)):
        assert (rows["Amount"].sum() or Decimal(0)) == total
        assert rows["InvoiceNo"].unique().to_list() in ([], ["1-202509"])
    assert (found.lines["amount"].sum() or Decimal(0)) == total


@given(
    documents(),
    st.dates(date(2025, 8, 25), date(2025, 10, 5)),
    st.dates(date(2025, 8, 25), date(2025, 10, 5)),
    st.none() | st.decimals(0, 100, places=4),
)
@settings(max_examples=60)
def test_prorated_and_taxed_bills_are_exact_line_by_line_and_sum_to_their_total_in_both_files(
    document: dict[str, Any], start: date, end: date, percent: Decimal | None
) -> None:
    document["inputs"]["company"] |= {"contract_start_date": f"{start}", "contract_end_date": f"{end}"}
    book, period, _ = book_of(document)
    full = client_bills(book, period)
    found = client_bills(book, period, options=Options(prorate=True, tax_percent=percent))
    total, tax = found.bills["total"][0], found.bills["tax_charge"][0]
    days = sum(start <= date(YEAR, MONTH, day) <= end for day in range(1, 31))
    charged = []
    for line in full.lines.to_dicts():
        by_day = line["kind"] in ("device", "user") or line["type"] == "Recurring"
        charged.append(client_oracle.cents(Fraction(line["amount"]) * (Fraction(days, 30) if by_day else 1)))
    without_tax = found.lines.filter(found.lines["kind"] != "tax")
    assert without_tax["amount"].to_list() == charged
    assert tax == client_oracle.cents(Fraction(total - tax) * Fraction(percent or 0) / 100)
    assert (found.lines["amount"].sum() or Decimal(0)) == total
    for rows in (invoice_rows(found, period), accounting_rows(found, period)):
        assert (rows["Amount"].sum() or Decimal(0)) == total


def test_the_oracle_rounds_half_away_from_zero() -> None:
    rounded = [str(client_oracle.cents(Fraction(value))) for value in ("0.005", "-0.005", "0.0049999")]
    assert rounded == ["0.01", "-0.01", "0.00"]
