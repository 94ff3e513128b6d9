"""An independent oracle of a client's bill: record by record, in exact fractions, as the description reads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from billing_pipeline.engine.managed_services import Policy
from billing_pipeline.engine.managed_services.tables import RATES

FLAGS = ("puc", "pwc", "psc", "pvc", "pswitchc", "pfirewallc", "phtc", "bbfw", "bbfs", "bit", "bpt")
ZERO = Fraction(0)
_UNITS = {"Workstation": "workstation", "Server": "server", "VM": "vm", "Switch": "switch", "Firewall": "firewall"}
Rates = Mapping[str, Fraction]


def cents(value: Fraction) -> Decimal:
    """Half away from zero, of an exact fraction."""
    scaled = abs(value) * 100
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (Decimal(whole) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP) * (-1 if value < 0 else 1)


def bill(document: Mapping[str, Any], policy: Policy) -> dict[str, Decimal]:
    """The five components and the total."""
    given, period = document["inputs"], document["period"]
    rates = _rates(given["plans"][0], given["client_override"], policy)
    start = datetime(period["year"], period["month"], 1, tzinfo=UTC)
    end = datetime(period["year"], period["month"] + 1, 1, tzinfo=UTC)
    parts = {
        "total_user_charges": _users(given, rates, policy),
        "total_asset_charges": _devices(given, rates, policy),
        "total_line_item_charges": sum((_item(item, period["month"]) for item in given["line_items"]), ZERO),
        "ticket_charge": _hours(given, start, end, policy) * rates["per_hour_ticket_cost"],
        "backup_charge": _backup(given, rates, policy),
    }
    rounded = {name: cents(value) for name, value in parts.items()}
    exact = cents(sum(parts.values(), ZERO))
    return rounded | {"total": sum(rounded.values(), Decimal(0)) if policy.round_each_component else exact}


def _rates(plan: Mapping[str, Any], override: Mapping[str, Any], policy: Policy) -> Rates:
    rates = {}
    for name, flag in zip(RATES, FLAGS, strict=True):
        own = override[name] if override[f"override_{flag}_enabled"] else None
        value = plan[name] if own is None else own
        rates[name] = Fraction((1 if name == "backup_included_tb" else 0) if value is None else value)
    if not policy.zero_included_tb_means_zero and rates["backup_included_tb"] == 0:
        rates["backup_included_tb"] = Fraction(1)
    return rates


def _cost(kind: str, custom: Any, rates: Rates) -> Fraction:
    if kind == "Custom":
        return Fraction(custom or 0)
    return rates[f"per_{_UNITS[kind]}_cost"] if kind in _UNITS else ZERO


def _billed_as(device: Mapping[str, Any], given: Mapping[str, Any], policy: Policy) -> tuple[str, Any]:
    own = next((one for one in given["asset_overrides"] if one["asset_id"] == device["id"]), None)
    typed = device.get("billing_type")
    if own and (policy.overrides_apply_to_typed_devices or not typed):
        return own["billing_type"], own["custom_cost"]
    return typed or "Workstation", None


def _devices(given: Mapping[str, Any], rates: Rates, policy: Policy) -> Fraction:
    found = [_cost(*_billed_as(device, given, policy), rates) for device in given["assets"]]
    return sum(
        (*found, *(_cost(one["billing_type"], one["custom_cost"], rates) for one in given["manual_assets"])), ZERO
    )


def _users(given: Mapping[str, Any], rates: Rates, policy: Policy) -> Fraction:
    own = {one["user_id"]: one for one in given["user_overrides"]}
    total = ZERO
    for user in given["users"]:
        override = own.get(user["id"])
        if override is None:
            counts = user["active"] or policy.billable_contacts == "all"
            total += rates["per_user_cost"] if counts else 0
        elif override["billing_type"] == "Paid":
            total += rates["per_user_cost"]
        elif override["billing_type"] == "Custom":
            total += Fraction(override["custom_cost"] or 0)
    return total


def _hours(given: Mapping[str, Any], start: datetime, end: datetime, policy: Policy) -> Fraction:
    override = given["client_override"]
    monthly, yearly = (
        Fraction(override[name] or 0) if override[f"override_{name}_enabled"] else ZERO
        for name in ("prepaid_hours_monthly", "prepaid_hours_yearly")
    )
    since = datetime(1 if policy.prepaid_year == "all-history" else start.year, 1, 1, tzinfo=UTC)
    worked, before = ZERO, dict[str, Fraction]()
    for ticket in given["tickets"]:
        at, spent = datetime.fromisoformat(ticket["last_updated_at"]), Fraction(ticket["total_hours_spent"])
        if start <= at < end:
            worked += spent
        elif since <= at < start:
            before[f"{at:%Y-%m}"] = before.get(f"{at:%Y-%m}", ZERO) + spent
    covered = monthly if policy.prepaid_drains == "net" else ZERO
    left = max(ZERO, yearly - sum((max(ZERO, spent - covered) for spent in before.values()), ZERO))
    return max(ZERO, max(ZERO, worked - monthly) - left)


def _backup(given: Mapping[str, Any], rates: Rates, policy: Policy) -> Fraction:
    volume, stations, servers = 0, 0, 0
    for device in given["assets"]:
        typed = device.get("billing_type")
        kind = _billed_as(device, given, policy)[0] if policy.backup_counts_by_effective_type else typed
        volume += device["backup_data_bytes"]
        stations += device["backup_data_bytes"] > 0 and kind == "Workstation"
        servers += device["backup_data_bytes"] > 0 and kind in ("Server", "VM")
    base = stations * rates["backup_base_fee_workstation"] + servers * rates["backup_base_fee_server"]
    over = max(ZERO, Fraction(volume, 2**40) - (stations + servers) * rates["backup_included_tb"])
    return base + over * rates["backup_per_tb_fee"]


def _item(item: Mapping[str, Any], month: int) -> Fraction:
    if item["monthly_fee"] is not None:
        return Fraction(item["monthly_fee"])
    return Fraction(item["yearly_fee"] or 0) if item["yearly_bill_month"] == month else ZERO
