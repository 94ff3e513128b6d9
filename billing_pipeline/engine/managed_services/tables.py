"""Declared shapes of what a bill is made of: clients, plans, settings, devices, people, time, items. One row each.

Rates and fees have two decimals, worked time is whole milliseconds, volumes are whole bytes. Times are UTC. Source:
spec 1; decision 18.
"""

from dataclasses import dataclass, fields

import polars as pl

from billing_pipeline.engine.money import AMOUNT, RATE
from billing_pipeline.engine.tables import Schema, conform

HOURS = RATE  # as people read them
UTC_TIME = pl.Datetime("us", "UTC")
WORKED = pl.Duration("ms")  # whole: 20 minutes are a third of an hour, which no decimal is
UNIT_RATES = (
    "per_user_cost", "per_workstation_cost", "per_server_cost", "per_vm_cost", "per_switch_cost", "per_firewall_cost",
    "per_hour_ticket_cost",
)  # fmt: skip
BACKUP_RATES = ("backup_base_fee_workstation", "backup_base_fee_server", "backup_included_tb", "backup_per_tb_fee")
RATES = (*UNIT_RATES, *BACKUP_RATES)
PREPAID = ("prepaid_hours_monthly", "prepaid_hours_yearly")
TYPES = ("Workstation", "Server", "VM", "Switch", "Firewall", "Custom", "No Charge")
"""What a device can be billed as."""

CLIENTS: Schema = {
    "account": pl.String,  # key
    "name": pl.String,
    "plan": pl.String,  # as the directory says; null or "" without one
    "term": pl.String,
    "contract_start": pl.Date,
    "contract_end": pl.Date,
}
PLANS: Schema = {  # key: plan, term
    "plan": pl.String,
    "term": pl.String,
    "valid_from": pl.Date,  # null in a document
    "support_level": pl.String,
    **dict.fromkeys(RATES, AMOUNT),  # null: 0.00, of backup_included_tb 1.00
}
SETTINGS: Schema = {  # key: account; a value is an override that is on, null is none
    "account": pl.String,
    "plan": pl.String,
    "support_level": pl.String,
    **dict.fromkeys((*RATES, *PREPAID), AMOUNT),
}
DEVICES: Schema = {
    "account": pl.String,
    "device_id": pl.String,  # source and id there; null for one that was entered by hand
    "name": pl.String,
    "typed": pl.Boolean,  # the source gave a type
    "type": pl.String,
    "custom_cost": AMOUNT,  # of one that was entered by hand
    "bytes": pl.Int64,  # backup volume
}
DEVICE_OVERRIDES: Schema = {"device_id": pl.String, "type": pl.String, "custom_cost": AMOUNT}
PEOPLE: Schema = {
    "account": pl.String,
    "person_id": pl.String,  # source and id there; null for one that was entered by hand
    "name": pl.String,
    "type": pl.String,  # of one that was entered by hand: Paid, No Charge, Custom
    "custom_cost": AMOUNT,
    "active": pl.Boolean,
}
PERSON_OVERRIDES: Schema = {"person_id": pl.String, "type": pl.String, "custom_cost": AMOUNT}
ENTRIES: Schema = {  # dated time
    "account": pl.String,
    "entry_id": pl.String,
    "ticket": pl.String,
    "at": UTC_TIME,
    "month": pl.Date,  # the first day of the month it is billed in: that of its own date, a later one if that is closed
    "worked": WORKED,
    "billable": pl.Boolean,
}
ITEMS: Schema = {
    "account": pl.String,
    "name": pl.String,
    "monthly_fee": AMOUNT,
    "one_off_fee": AMOUNT,
    "one_off_year": pl.Int32,
    "one_off_month": pl.Int32,
    "yearly_fee": AMOUNT,
    "yearly_bill_month": pl.Int32,
}


@dataclass(frozen=True, slots=True)
class Book:
    """All clients of a period with everything they are billed for. Frames have the shapes above."""

    clients: pl.DataFrame
    plans: pl.DataFrame
    settings: pl.DataFrame
    devices: pl.DataFrame
    device_overrides: pl.DataFrame
    people: pl.DataFrame
    person_overrides: pl.DataFrame
    entries: pl.DataFrame
    items: pl.DataFrame

    def __post_init__(self) -> None:
        for name, schema in zip((field.name for field in fields(self)), SHAPES, strict=True):
            conform(getattr(self, name), schema)


SHAPES = (CLIENTS, PLANS, SETTINGS, DEVICES, DEVICE_OVERRIDES, PEOPLE, PERSON_OVERRIDES, ENTRIES, ITEMS)
