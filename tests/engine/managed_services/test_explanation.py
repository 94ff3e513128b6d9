"""Why a line of a bill is what it is: its type and who gave that, its rate and the plan's row or setting of that."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.managed_services import client_bills
from billing_pipeline.engine.managed_services.explanation import explained_lines
from billing_pipeline.engine.managed_services.proration import Options
from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, ENTRIES, VOLUMES
from billing_pipeline.engine.managed_services.sheets import Row
from tests.engine.managed_services.listings import Texts, company, contact, device, entry, volume
from tests.engine.managed_services.months import GOLD, SEPTEMBER, month_of, pulled

PLAN = "plan Gold, 1 Year, valid from 2020-01-01"
TB = 2**40
OFF = Options()
OWN = [{"account": "100", "per_workstation_cost": "40"}]


def lines(
    listings: dict[str, list[Texts]],
    options: Options = OFF,
    **rows: list[Row],
) -> list[dict[str, Any]]:
    """The lines of client 100, explained."""
    frames = {name: pulled(name, *records) for name, records in {COMPANIES: [company()], **listings}.items()}
    found = explained_lines(client_bills(month_of(frames, **rows).book, SEPTEMBER, options=options))
    amounts = found.with_columns(pl.col("rate", "amount").cast(pl.String))
    return amounts.to_dicts()


def why(listings: dict[str, list[Texts]], **rows: list[Row]) -> list[tuple[str, str, str]]:
    """Which rate, how much, and why, of every line."""
    return [(line["rate_name"], line["rate"], line["why"]) for line in lines(listings, **rows)]


@pytest.mark.parametrize(
    ("category", "kind", "rate_name", "rate"),
    [
        ("Laptop", "Workstation", "per_workstation_cost", "50.00"),
        ("ESXI Host", "Server", "per_server_cost", "150.00"),
        ("Virtual Machine", "VM", "per_vm_cost", "100.00"),
        ("Network Device (Switch)", "Switch", "per_switch_cost", "25.00"),
        ("Firewall", "Firewall", "per_firewall_cost", "75.00"),
    ],
)
def test_a_device_is_what_its_category_says_at_the_plan_s_rate_for_it(
    category: str, kind: str, rate_name: str, rate: str
) -> None:
    assert lines({DEVICES: [device(category=category)]}) == [
        {
            "account": "100", "client": "Client 100", "kind": "device", "record": "datto:d1", "name": "H1",
            "type": kind, "quantity": "1", "rate": rate, "rate_name": rate_name, "amount": rate,
            "why": f"{kind} by its category; {PLAN}",
        }
    ]  # fmt: skip


def test_a_device_of_no_known_category_is_a_workstation_by_default() -> None:
    assert why({DEVICES: [device(category="Toaster")]}) == [
        ("per_workstation_cost", "50.00", f"Workstation by default; {PLAN}")
    ]


def test_an_override_is_named_with_the_rate_of_its_type() -> None:
    override = [{"source": "datto", "source_id": "d1", "type": "Server"}]
    assert why({DEVICES: [device()]}, device_overrides=override) == [
        ("per_server_cost", "150.00", f"Server by override; {PLAN}")
    ]


def test_a_custom_cost_is_the_record_s_own_and_no_rate_of_a_plan() -> None:
    override = [{"source": "datto", "source_id": "d1", "type": "Custom", "custom_cost": "12.34"}]
    found = lines({DEVICES: [device()]}, device_overrides=override)[0]
    assert (found["rate_name"], found["rate"], found["amount"]) == (None, None, "12.34")
    assert found["why"] == "Custom by override; a cost of its own"


def test_what_costs_nothing_says_so_and_who_said_it() -> None:
    override = [{"source": "datto", "source_id": "d1", "type": "No Charge"}]
    person = [{"source": "freshservice", "source_id": "c1", "type": "No Charge"}]
    listings = {DEVICES: [device()], CONTACTS: [contact()]}
    assert why(listings, device_overrides=override, person_overrides=person) == [
        (None, None, "No Charge by override; it costs nothing"),
        (None, None, "No Charge by override; it costs nothing"),
    ]


def test_the_client_s_own_rate_is_named_and_those_of_the_plan_stay_the_plan_s() -> None:
    found = why({DEVICES: [device(), device("d2", category="Server")]}, settings=OWN)
    assert found == [
        ("per_workstation_cost", "40.00", "Workstation by its category; the client's own rate"),
        ("per_server_cost", "150.00", f"Server by its category; {PLAN}"),
    ]


def test_the_plan_s_row_in_force_is_named_by_the_day_it_is_valid_from() -> None:
    plans = [GOLD, GOLD | {"valid_from": "2025-09-01", "per_workstation_cost": "55"}]
    assert why({DEVICES: [device()]}, plans=plans) == [
        ("per_workstation_cost", "55.00", "Workstation by its category; plan Gold, 1 Year, valid from 2025-09-01")
    ]


def test_the_client_s_own_plan_and_the_term_of_its_contract_are_those_that_are_named() -> None:
    plans = [GOLD, GOLD | {"plan": "Basic", "term": "2 Year", "per_workstation_cost": "30"}]
    own = {"settings": [{"account": "100", "plan": "Basic"}]}
    contract = [{"account": "100", "start": "2025-01-01", "term": "2 Year"}]
    assert why({DEVICES: [device()]}, plans=plans, contracts=contract, **own) == [
        ("per_workstation_cost", "30.00", "Workstation by its category; plan Basic, 2 Year, valid from 2020-01-01")
    ]


def test_a_person_is_paid_by_default_by_override_or_by_hand() -> None:
    paid = [{"source": "freshservice", "source_id": "c2", "type": "Paid"}]
    by_hand = [{"account": "100", "name": "Bob", "type": "Paid"}]
    listings = {CONTACTS: [contact(), contact("c2", active="no"), contact("c3", active="no")]}
    assert why(listings, person_overrides=paid, manual_people=by_hand) == [
        ("per_user_cost", "15.00", f"Paid by default; {PLAN}"),
        ("per_user_cost", "15.00", f"Paid by override; {PLAN}"),
        ("per_user_cost", "15.00", f"Paid, entered by hand; {PLAN}"),
    ]


def test_a_device_entered_by_hand_has_no_record_of_a_source() -> None:
    rack = {"account": "100", "name": "Rack", "type": "Server"}
    found = lines({}, manual_devices=[rack])[0]
    assert (found["record"], found["name"]) == (None, "Rack")
    assert found["why"] == f"Server, entered by hand; {PLAN}"


@pytest.mark.parametrize(
    ("fees", "kind", "amount"),
    [
        ({"monthly_fee": "-10"}, "Recurring", "-10.00"),
        ({"one_off_fee": "500", "one_off_year": "2025", "one_off_month": "9"}, "One-Off", "500.00"),
        ({"yearly_fee": "240", "yearly_bill_month": "9"}, "Yearly", "240.00"),
    ],
)
def test_an_item_is_of_the_book_and_says_how_often_it_comes(fees: dict[str, str], kind: str, amount: str) -> None:
    found = lines({}, line_items=[{"account": "100", "name": "Support hours", **fees}])[0]
    assert (found["kind"], found["name"], found["amount"]) == ("item", "Support hours", amount)
    assert (found["rate_name"], found["why"]) == (None, f"{kind} item of the book")


def test_hours_have_their_quantity_and_the_rate_for_them() -> None:
    found = lines({ENTRIES: [entry(worked="1:20")]})[0]
    assert (found["kind"], found["name"], found["quantity"], found["amount"]) == (
        "ticket", "Support hours", "1.33 h", "200.00",
    )  # fmt: skip
    assert (found["rate_name"], found["rate"], found["why"]) == ("per_hour_ticket_cost", "150.00", PLAN)


def test_hours_at_the_client_s_own_rate_say_so() -> None:
    own = [{"account": "100", "per_hour_ticket_cost": "80", "prepaid_hours_monthly": "0.5"}]
    found = lines({ENTRIES: [entry(worked="1:30")]}, settings=own)[0]
    assert (found["quantity"], found["rate"], found["why"]) == ("1.00 h", "80.00", "the client's own rate")


def test_backups_have_a_line_for_each_fee_with_what_was_counted() -> None:
    listings = {
        DEVICES: [device(), device("d2"), device("d3", category="Server")],
        VOLUMES: [volume("d1", f"{TB}"), volume("d2", f"{TB}"), volume("d3", f"{2 * TB}")],
    }
    own = [{"account": "100", "backup_base_fee_server": "30"}]
    found = [line for line in lines(listings, settings=own) if line["kind"] == "backup"]
    assert [(line["name"], line["quantity"], line["rate"], line["amount"], line["why"]) for line in found] == [
        ("Backed-up workstations", "2", "5.00", "10.00", PLAN),
        ("Backed-up servers", "1", "30.00", "30.00", "the client's own rate"),
        ("Backup volume above what is included", "1.00 TB", "10.00", "10.00", PLAN),
    ]


def test_tax_is_a_setting_and_has_its_rate_as_its_type() -> None:
    found = lines({DEVICES: [device()]}, Options(tax_percent=Decimal("8.875")))[-1]
    assert (found["kind"], found["type"], found["amount"], found["why"]) == ("tax", "8.875 %", "4.44", "setting")


def test_every_line_is_explained_in_the_order_of_the_bills() -> None:
    frames = {
        COMPANIES: pulled(COMPANIES, company("200"), company("100")),
        DEVICES: pulled(DEVICES, device("d1", account="200"), device("d2")),
        ENTRIES: pulled(ENTRIES, entry()),
    }
    found = client_bills(month_of(frames).book, SEPTEMBER)
    explained = explained_lines(found)
    assert (
        explained.select("account", "kind", "name", "amount").rows()
        == found.lines.select("account", "kind", "name", "amount").rows()
    )
    assert explained["why"].null_count() == explained["quantity"].null_count() == 0
