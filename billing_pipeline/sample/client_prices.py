"""The reference data of the sample's managed-services clients: plans, own rates, overrides, items, features, contracts.

What belongs here: rows of the book of clients, by sheet. What does not: what was agreed with whom (`client_cases`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from billing_pipeline.engine.managed_services.sheets import SHEETS, TERMS, Row
from billing_pipeline.engine.managed_services.tables import RATES
from billing_pipeline.engine.period import Period
from billing_pipeline.sample.client_cases import CLIENTS, Item
from billing_pipeline.sample.client_inventory import contacts_of, devices_of

_CENT = Decimal("0.01")
_LESS = dict(zip(TERMS, (0, 5, 8, 10), strict=True))  # percent off a unit's price, by term
_DEARER = 4  # percent, from the middle of the sample's months on
_PLANS: Mapping[str, tuple[str, ...]] = {  # support level, then RATES for a client that may leave every month
    "Essential": (
        "Billed Hourly", "12.00", "35.00", "95.00", "60.00", "12.00", "25.00", "110.00", "4.00", "15.00", "0.00",
        "12.50",
    ),
    "Business": (
        "Billed Hourly", "15.00", "45.00", "140.00", "90.00", "18.00", "45.00", "95.00", "5.00", "20.00", "1.00",
        "10.00",
    ),
    "Complete": (
        "Unlimited", "25.00", "65.00", "180.00", "120.00", "25.00", "60.00", "0.00", "6.00", "25.00", "2.00",
        "8.00",
    ),
}  # fmt: skip
_FEATURES = {
    "Essential": {"antivirus": "Datto EDR"},
    "Business": {"antivirus": "Datto EDR", "email_security": "ProofPoint", "sat": "BSN"},
    "Complete": {
        "antivirus": "SentinelOne", "soc": "RocketCyber", "password_manager": "Keeper", "sat": "BSN",
        "email_security": "ProofPoint", "network_management": "Auvik",
    },
}  # fmt: skip


def book_rows(months: Sequence[Period]) -> dict[str, list[Row]]:
    """The rows of every sheet, each with all of its columns."""
    made: dict[str, Callable[[], Iterable[Mapping[str, str | None]]]] = {
        "plans": lambda: _plans(months),
        "settings": _settings,
        "device_overrides": lambda: _overrides(people=False),
        "person_overrides": lambda: _overrides(people=True),
        "manual_devices": lambda: _by_hand(people=False),
        "manual_people": lambda: _by_hand(people=True),
        "line_items": lambda: _items(months),
        "plan_features": _plan_features,
        "features": _features,
        "contracts": lambda: _contracts(months[0]),
    }
    return {
        sheet.name: [{column.name: row.get(column.name) for column in sheet.columns} for row in made[sheet.name]()]
        for sheet in SHEETS
    }


def _plans(months: Sequence[Period]) -> Iterator[Row]:
    """Every plan for every term, as it was for years and as it is from the middle of the months on."""
    for valid_from, more in ((date(months[0].year - 3, 1, 1), 0), (months[len(months) // 2].first, _DEARER)):
        for plan, (support, *rates) in _PLANS.items():
            for term, less in _LESS.items():
                prices = {
                    name: rate if name == "backup_included_tb" else _changed(rate, more - less)
                    for name, rate in zip(RATES, rates, strict=True)
                }
                yield {"plan": plan, "term": term, "valid_from": f"{valid_from}", "support_level": support, **prices}


def _changed(price: str, percent: int) -> str:
    return f"{(Decimal(price) * (100 + percent) / 100).quantize(_CENT, ROUND_HALF_UP)}"


def _settings() -> Iterator[Row]:
    return ({"account": client.account, **client.settings} for client in CLIENTS if client.settings)


def _overrides(*, people: bool) -> Iterator[Row]:
    for client in CLIENTS:
        records, wanted = (contacts_of(client), client.paid_as) if people else (devices_of(client), client.billed_as)
        for place, kind, cost in wanted:
            of = records[place]
            yield {"source": of["source"], "source_id": of["source_id"], "type": kind, "custom_cost": cost}


def _by_hand(*, people: bool) -> Iterator[Row]:
    for client in CLIENTS:
        for name, kind, cost in client.people_by_hand if people else client.devices_by_hand:
            yield {"account": client.account, "name": name, "type": kind, "custom_cost": cost}


def _items(months: Sequence[Period]) -> Iterator[Row]:
    first, last = months[0], months[-1]
    for client in CLIENTS:
        for item in client.items:
            yield {"account": client.account, "name": item.name, **_due(item, first, last)}


def _due(item: Item, first: Period, last: Period) -> Row:
    if item.due == "once":
        return {"one_off_fee": item.fee, "one_off_year": f"{first.year}", "one_off_month": f"{first.month}"}
    if item.due == "yearly":
        return {"yearly_fee": item.fee, "yearly_bill_month": f"{last.month}"}
    return {"monthly_fee": item.fee}


def _plan_features() -> Iterator[Row]:
    for plan, features in _FEATURES.items():
        for term in TERMS:
            for feature, value in features.items():
                yield {"plan": plan, "term": term, "feature": feature, "value": value}


def _features() -> Iterator[Row]:
    for client in CLIENTS:
        for feature, value in client.features.items():
            yield {"account": client.account, "feature": feature, "value": value}


def _contracts(first: Period) -> Iterator[Row]:
    """A contract that was renewed, and one that the directory knows nothing of."""
    year = first.year
    yield {
        "account": "100101", "start": f"{year - 1}-03-01", "end": f"{year + 1}-02-28", "term": "1 Year",
        "notes": "renewed for another year by letter",
    }  # fmt: skip
    yield {"account": "100132", "start": f"{first.first}", "term": "1 Year", "notes": "signed on paper"}
