"""The bill of many clients at once: rates, hours, volumes, items, and who is not billed and why."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.managed_services import Bills, Book, Policy, client_bills, tables
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema

SEPTEMBER = Period(2025, 9)
GOLD = {
    "plan": "Gold", "term": "1 Year", "support_level": "Billed Hourly", "per_user_cost": "15",
    "per_workstation_cost": "50", "per_server_cost": "150", "per_vm_cost": "100", "per_switch_cost": "25",
    "per_firewall_cost": "75", "per_hour_ticket_cost": "150", "backup_base_fee_workstation": "5",
    "backup_base_fee_server": "20", "backup_included_tb": "1", "backup_per_tb_fee": "10",
}  # fmt: skip
TB = 2**40


def frame(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    texts = {name: [row.get(name) for row in rows] for name in schema}
    return pl.DataFrame(
        {
            name: pl.Series(name, [None if v is None else Decimal(str(v)) for v in values], dtype=schema[name])
            if isinstance(schema[name], pl.Decimal)
            else pl.Series(name, values, dtype=schema[name])
            for name, values in texts.items()
        }
    )


def client(account: str = "A", **more: Any) -> dict[str, Any]:
    return {"account": account, "name": f"Client {account}", "plan": "Gold", "term": "1 Year"} | more


def device(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"account": "A", "device_id": f"d{number}", "name": f"host-{number}", "typed": False, "bytes": 0} | more


def person(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"account": "A", "person_id": f"p{number}", "name": f"User {number}", "active": True} | more


def entry(hours: object, day: int = 10, month: int = 9, year: int = 2025, **more: Any) -> dict[str, Any]:
    at = datetime(year, month, day, tzinfo=UTC)
    worked = {"month": at.date().replace(day=1), "worked": timedelta(hours=float(str(hours)))}
    return {"account": "A", "entry_id": f"{at:%Y%m%d}-{hours}", "at": at, **worked, "billable": True} | more


def billed(policy: Policy = Policy(), period: Period = SEPTEMBER, **rows: list[dict[str, Any]]) -> Bills:  # noqa: B008
    given = {"clients": [client()], "plans": [GOLD], **rows}
    names = (
        "clients",
        "plans",
        "settings",
        "devices",
        "device_overrides",
        "people",
        "person_overrides",
        "entries",
        "items",
    )
    frames = {name: frame(given.get(name, []), schema) for name, schema in zip(names, tables.SHAPES, strict=True)}
    return client_bills(Book(**frames), period, policy)


def money(bills: Bills, name: str = "total", account: str = "A") -> str:
    return str(bills.bills.filter(pl.col("account") == account)[name].item())


def test_every_client_is_billed_or_told_with_its_reason_exactly_once() -> None:
    found = billed(
        clients=[
            client("A"), client("B", plan=None), client("C", plan="gold"), client("D", term="2 Year"),
            client("", name="E"), client("F", plan=" Gold ", term=" 1 Year "), client("G", plan="Titanium"),
        ],
        plans=[GOLD | {"term": "3 Year"}, GOLD],
        people=[person(), person(2, account="C"), person(3, account="F")],
    )  # fmt: skip
    assert found.bills.select("account", "total").rows() == [("A", Decimal("15.00")), ("F", Decimal("15.00"))]
    assert found.exceptions.rows() == [
        ("B", "Client B", "it has no plan"),
        ("C", "Client C", "there is no plan 'gold'; the nearest is 'Gold'"),
        ("D", "Client D", "plan 'Gold' has no term '2 Year'; it has 1 Year, 3 Year"),
        ("", "E", "it has no account number"),
        ("G", "Client G", "there is no plan 'Titanium'"),
    ]


def test_one_client_s_amounts_do_not_depend_on_the_others() -> None:
    mine = {"devices": [device(bytes=3 * TB)], "people": [person()], "entries": [entry("2.5")]}
    others = {
        "clients": [client(), client("B", term="2 Year"), client("C")],
        "devices": [*mine["devices"], device(9, account="C")],
        "people": [*mine["people"], person(9, account="B")],
        "entries": [*mine["entries"], entry("7", account="C", entry_id="x")],
    }
    assert billed(**mine).bills.row(0) == billed(**others).bills.row(0)


def test_a_client_s_own_rate_wins_even_when_it_is_zero_and_the_line_says_where_it_came_from() -> None:
    own = [{"account": "A", "per_user_cost": "0", "per_hour_ticket_cost": "99.99"}]
    found = billed(settings=own, people=[person()], entries=[entry("1.5")])
    assert (money(found, "total_user_charges"), money(found, "ticket_charge")) == ("0.00", "149.99")
    assert found.bills["per_user_cost_from"].to_list() == ["client"]
    assert found.bills["per_server_cost_from"].to_list() == ["plan"]


@pytest.mark.parametrize(
    ("kind", "amount"),
    [("Workstation", "50.00"), ("Server", "150.00"), ("VM", "100.00"), ("Switch", "25.00"), ("Firewall", "75.00"),
     ("Custom", "12.34"), ("No Charge", "0.00"), ("Laptop", "0.00"), ("user", "0.00"), ("hour_ticket", "0.00")],
)  # fmt: skip
def test_a_device_costs_what_it_is_overridden_to_be(kind: str, amount: str) -> None:
    found = billed(devices=[device()], device_overrides=[{"device_id": "d1", "type": kind, "custom_cost": "12.34"}])
    assert money(found) == amount
    unknown = [f"is a device of unknown type '{kind}', which costs nothing"]
    assert found.warnings["warning"].to_list() == ([] if kind in tables.TYPES else unknown)


def test_a_device_that_nobody_typed_is_a_workstation_and_one_entered_by_hand_is_what_it_says() -> None:
    found = billed(
        devices=[device(), device(2, typed=True, type="Server"), device(3, device_id=None, type="VM", typed=True)]
    )
    assert found.lines.select("name", "type", "source").rows() == [
        ("host-1", "Workstation", "default"), ("host-2", "Server", "detected"), ("host-3", "VM", "entered by hand"),
    ]  # fmt: skip


def test_people_are_paid_unless_inactive_overridden_or_entered_otherwise() -> None:
    people = [person(1), person(2, active=False), person(3), person(4), person(5, person_id=None, type="No Charge"),
              person(6, active=False)]  # fmt: skip
    overrides = [{"person_id": "p3", "type": "Custom", "custom_cost": "7.77"}, {"person_id": "p4", "type": "Free"},
                 {"person_id": "p6", "type": "Paid"}]  # fmt: skip
    assert money(billed(people=people, person_overrides=overrides)) == "37.77"
    assert money(billed(Policy(billable_contacts="all"), people=people, person_overrides=overrides)) == "52.77"


def test_hours_are_billed_in_the_month_they_belong_to_and_in_no_other() -> None:
    found = billed(entries=[entry(1), entry(2, month=10), entry(4, 1), entry(8, 31, 8)])
    assert (str(found.bills["worked"][0]), money(found)) == ("5.00000000", "750.00")


def test_twenty_minutes_three_times_are_an_hour_to_the_cent() -> None:
    plan = GOLD | {"per_hour_ticket_cost": "33.33"}
    entries = [entry(1, day, worked=timedelta(minutes=minutes)) for day, minutes in ((1, 20), (2, 20), (3, 50))]
    found = billed(plans=[plan], entries=entries)
    assert money(found) == "50.00", "1.5 hours are 49.995; as decimals of eight places they would be 49.99"


def prepaid(policy: Policy, monthly: object, yearly: object, *entries: dict[str, Any], **more: Any) -> str:
    settings = [{"account": "A", "prepaid_hours_monthly": monthly, "prepaid_hours_yearly": yearly}]
    return money(billed(policy, settings=settings, entries=[*entries], **more))


def test_monthly_hours_are_used_first_and_lapse_then_the_yearly_ones() -> None:
    assert prepaid(Policy(), 4, None, entry(6)) == "300.00"
    assert prepaid(Policy(), 4, 3, entry(6)) == "0.00"
    assert prepaid(Policy(), 4, 1, entry(6)) == "150.00"
    assert prepaid(Policy(), 4, None, entry(3, month=8), entry(6)) == "300.00"


def test_the_yearly_hours_are_drained_by_what_a_month_did_not_cover_or_by_all_of_it() -> None:
    entries = (entry(6, month=7), entry(6, month=8), entry(6))
    assert prepaid(Policy(prepaid_drains="net"), 4, 5, *entries) == "150.00", "2 + 2 were taken, 1 is left of 2"
    assert prepaid(Policy(prepaid_drains="gross"), 4, 5, *entries) == "300.00"


def test_the_prepaid_year_is_the_calendar_s_the_contract_s_or_all_there_was() -> None:
    entries = (entry(3, month=11, year=2024), entry(3, month=4), entry(10))
    start = {"clients": [client(contract_start=date(2024, 10, 15))]}
    years = ("calendar", "contract", "all-history")
    assert [prepaid(Policy(prepaid_year=year), None, 10, *entries, **start) for year in years] == [
        "450.00",
        "900.00",
        "900.00",
    ]
    assert prepaid(Policy(prepaid_year="contract"), None, 10, *entries) == "450.00", (
        "without a start: the calendar year"
    )
    later = {"clients": [client(contract_start=date(2020, 5, 1))]}
    assert prepaid(Policy(prepaid_year="contract"), None, 10, *entries, **later) == "0.00"


def test_time_that_is_not_billable_is_not_billed_and_drains_nothing() -> None:
    entries = (entry(5, month=8, billable=False), entry(2, billable=False), entry(3))
    assert prepaid(Policy(), None, 3, *entries) == "0.00"
    assert prepaid(Policy(honour_billable_flag=False), None, 3, *entries) == "750.00"


def test_backups_pool_what_is_included_and_price_the_rest_by_the_byte() -> None:
    found = billed(
        devices=[
            device(1, bytes=TB // 2),
            device(2, bytes=3 * TB, typed=True, type="Server"),
            device(3, typed=True, type="Server"),
        ]
    )
    assert (money(found, "backup_base_workstation"), money(found, "backup_base_server")) == ("5.00", "20.00")
    assert (money(found, "overage_charge"), money(found, "backup_charge")) == ("15.00", "40.00")
    one_byte = billed(devices=[device(1, bytes=TB + TB // 2000)])  # half a cent above what is included
    assert money(one_byte, "overage_charge") == "0.00", "a byte less than half a cent"
    assert money(billed(devices=[device(1, bytes=TB + TB // 2000 + 1)]), "overage_charge") == "0.01"


def test_no_included_volume_means_none_and_nothing_said_means_one_terabyte() -> None:
    volume = {"devices": [device(1, bytes=TB)]}
    none, unsaid = GOLD | {"backup_included_tb": "0"}, GOLD | {"backup_included_tb": None}
    assert money(billed(plans=[none], **volume), "overage_charge") == "10.00"
    assert money(billed(plans=[unsaid], **volume), "overage_charge") == "0.00"
    assert money(billed(Policy(zero_included_tb_means_zero=False), plans=[none], **volume), "overage_charge") == "0.00"


def test_an_item_is_due_monthly_else_once_else_every_year() -> None:
    items = [
        {"account": "A", "name": "net", "monthly_fee": "89.95"},
        {"account": "A", "name": "credit", "monthly_fee": "-10"},
        {"account": "A", "name": "setup", "one_off_fee": "500", "one_off_year": 2025, "one_off_month": 9},
        {"account": "A", "name": "past", "one_off_fee": "1", "one_off_year": 2024, "one_off_month": 9},
        {"account": "A", "name": "audit", "yearly_fee": "240", "yearly_bill_month": 9},
        {
            "account": "A",
            "name": "blank",
            "one_off_year": 2025,
            "one_off_month": 9,
            "yearly_fee": "7",
            "yearly_bill_month": 9,
        },
    ]
    found = billed(items=items)
    assert found.lines.select("name", "type", pl.col("amount").cast(pl.String)).rows() == [
        ("net", "Recurring", "89.95"), ("credit", "Recurring", "-10.00"), ("setup", "One-Off", "500.00"),
        ("audit", "Yearly", "240.00"),
    ]  # fmt: skip
    assert money(found) == "819.95"


def test_credits_may_exceed_charges() -> None:
    assert money(billed(items=[{"account": "A", "name": "credit", "monthly_fee": "-10.50"}])) == "-10.50"


def test_unlimited_support_with_hours_and_hours_at_no_rate_are_warned_of() -> None:
    unlimited = billed(plans=[GOLD | {"support_level": "Unlimited"}], entries=[entry(1)])
    own = billed(settings=[{"account": "A", "support_level": "Unlimited"}], entries=[entry(1)])
    assert own.warnings.equals(unlimited.warnings), "a client's own level counts before its plan's"
    assert unlimited.warnings["warning"].to_list() == ["support is Unlimited, and 1.00 hours are billed: 150.00"]
    free = billed(plans=[GOLD | {"per_hour_ticket_cost": "0"}], entries=[entry(1)])
    assert free.warnings["warning"].to_list() == ["1.00 hours are left to be paid at a rate of zero"]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ({"contract_end": date(2025, 9, 29)}, ["its contract ended on 2025-09-29; it is billed 15.00"]),
        ({"contract_end": date(2025, 9, 30)}, []),
        ({"contract_start": date(2024, 9, 30)}, ["its contract ended on 2025-09-29; it is billed 15.00"]),
        ({"contract_start": date(2024, 10, 1)}, []),
        ({"contract_start": date(2020, 1, 1), "contract_end": date(2026, 1, 1)}, []),
        ({}, []),
    ],
)
def test_a_contract_that_ended_before_the_months_last_day_is_told_and_billed(
    days: dict[str, date], told: list[str]
) -> None:
    found = billed(clients=[client(**days)], people=[person()])
    assert (money(found), found.warnings["warning"].to_list()) == ("15.00", told)


def test_what_has_a_price_and_costs_nothing_is_told() -> None:
    found = billed(
        plans=[GOLD | {"per_server_cost": "0", "per_user_cost": None}],
        devices=[
            device(n, typed=True, type=t) for n, t in enumerate(["Server", "VM", "Server", "Custom", "No Charge"])
        ],
        people=[person(), person(2)],
        person_overrides=[{"person_id": "p2", "type": "No Charge"}],
    )
    assert found.warnings["warning"].to_list() == [
        "devices of type Custom at a rate of zero: 1",
        "devices of type Server at a rate of zero: 2",
        "users of type Paid at a rate of zero: 1",
    ]
    assert found.warnings["name"].unique().to_list() == ["Client A"]
