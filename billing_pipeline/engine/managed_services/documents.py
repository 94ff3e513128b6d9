"""One client as a JSON document: period, as_of, inputs of a golden case's shape. Into a Book, with every problem named.

Numbers are read as decimals (`parse_float=Decimal`), so that no amount is ever a binary float. Source: spec 3.12.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services import tables
from billing_pipeline.engine.managed_services.tables import PREPAID, RATES, Book
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema

_FLAGS = dict(
    zip(
        (*RATES, *PREPAID),
        ("puc", "pwc", "psc", "pvc", "pswitchc", "pfirewallc", "phtc", "bbfw", "bbfs", "bit", "bpt",
         "prepaid_hours_monthly", "prepaid_hours_yearly"),
        strict=True,
    )
)  # fmt: skip
_LARGEST_HOURS = Decimal(10_000)
_MOST_BYTES = 2**60


def book_of(document: Mapping[str, Any]) -> tuple[Book, Period, list[str]]:
    """The document as a Book of one client, its period, and warnings about time that was left out or assumed.

    InputError with every field that cannot be used.
    """
    reader = _Reader()
    period = reader.period(document.get("period"))
    inputs = document.get("inputs")
    if not isinstance(inputs, Mapping):
        raise InputError(Problem("is missing, or not an object", cell="inputs"))
    account = reader.text(inputs.get("company") or {}, "account_number", "company") or ""
    book = Book(
        clients=reader.client(inputs.get("company") or {}),
        plans=reader.plans(inputs.get("plans") or []),
        settings=reader.settings(account, inputs.get("client_override")),
        devices=reader.devices(account, inputs.get("assets") or [], inputs.get("manual_assets") or []),
        device_overrides=reader.overrides(inputs.get("asset_overrides") or [], "asset"),
        people=reader.people(account, inputs.get("users") or [], inputs.get("manual_users") or []),
        person_overrides=reader.overrides(inputs.get("user_overrides") or [], "user"),
        entries=reader.entries(account, inputs.get("tickets") or []),
        items=reader.items(account, inputs.get("line_items") or []),
    )
    if reader.problems or period is None:
        raise InputError(reader.problems)
    return book, period, reader.warnings


def day_of(document: Mapping[str, Any], period: Period) -> date:
    """The day (UTC) of the document's `as_of`, of which a contract has ended or not; without one the period's last day.

    InputError for an `as_of` that is no time.
    """
    value = document.get("as_of")
    if value is None:
        return period.last
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise InputError(Problem("is not a time", cell="as_of", value=str(value))) from None
    return moment.astimezone(UTC).date() if moment.tzinfo else moment.date()


class _Reader:
    """Values out of records, problems and warnings by the place they stand at."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def period(self, value: Any) -> Period | None:
        try:
            return Period(int(value["year"]), int(value["month"]))
        except (InputError, TypeError, KeyError, ValueError) as error:
            self.problems.append(Problem(f"is not a month: {error}", cell="period"))
            return None

    def client(self, company: Mapping[str, Any]) -> pl.DataFrame:
        row = {
            "account": self.text(company, "account_number", "company"),
            "name": self.text(company, "name", "company"),
            "plan": self.text(company, "billing_plan", "company"),
            "term": self.text(company, "contract_term_length", "company"),
            "contract_start": self.day(company, "contract_start_date"),
            "contract_end": self.day(company, "contract_end_date"),
        }
        return _frame([row], tables.CLIENTS)

    def day(self, company: Mapping[str, Any], name: str) -> date | None:
        """The date part; None, with a warning, where a text is none."""
        value = company.get(name)
        try:
            return date.fromisoformat(str(value)[:10])
        except ValueError:
            if value:
                self.warnings.append(f"company.{name}: '{value}' is not a date, and is left out")
            return None

    def plans(self, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
        rows = [
            {"plan": plan.get("plan_name"), "term": plan.get("term_length"), "support_level": plan.get("support_level")}
            | {name: self.number(plan, name, f"plans[{at}]") for name in RATES}
            for at, plan in enumerate(records)
        ]
        seen: set[tuple[Any, Any]] = set()
        for at, row in enumerate(rows):
            key = (row["plan"], row["term"])
            if key in seen:
                self.problems.append(
                    Problem(f"plan '{key[0]}' with term '{key[1]}' stands there twice", cell=f"plans[{at}]")
                )
            seen.add(key)
        return _frame(rows, tables.PLANS)

    def settings(self, account: str, record: Mapping[str, Any] | None) -> pl.DataFrame:
        if not record:
            return _frame([], tables.SETTINGS)
        plan = record.get("billing_plan") if record.get("override_billing_plan_enabled") else None
        support = record.get("support_level") if record.get("override_support_level_enabled") else None
        row: dict[str, Any] = {"account": account, "plan": plan, "support_level": support}
        for name, flag in _FLAGS.items():
            enabled = record.get(f"override_{flag}_enabled")
            row[name] = self.number(record, name, "client_override") if enabled else None
        return _frame([row], tables.SETTINGS)

    def devices(
        self, account: str, found: Iterable[Mapping[str, Any]], by_hand: Iterable[Mapping[str, Any]]
    ) -> pl.DataFrame:
        rows = [
            {
                "account": account,
                "device_id": self.identity(device, f"assets[{at}]"),
                "name": device.get("hostname"),
                "typed": "billing_type" in device,
                "type": device.get("billing_type"),
                "custom_cost": self.number(device, "custom_cost", f"assets[{at}]"),
                "bytes": self.volume(device, f"assets[{at}]"),
            }
            for at, device in enumerate(found)
        ]
        self.refuse_twice(rows, "device_id", "assets")
        rows += [
            {
                "account": account,
                "name": device.get("hostname"),
                "typed": True,
                "type": device.get("billing_type"),
                "custom_cost": self.number(device, "custom_cost", f"manual_assets[{at}]"),
            }
            for at, device in enumerate(by_hand)
        ]
        return _frame(rows, tables.DEVICES)

    def people(
        self, account: str, found: Iterable[Mapping[str, Any]], by_hand: Iterable[Mapping[str, Any]]
    ) -> pl.DataFrame:
        rows: list[dict[str, Any]] = []
        for at, person in enumerate(found):
            known = "email" in person or "external_id" in person
            place = f"users[{at}]"
            rows.append(
                {
                    "account": account,
                    "person_id": self.identity(person, place) if known else None,
                    "name": person.get("full_name") or person.get("name"),
                    "type": None if known else person.get("billing_type"),
                    "custom_cost": None if known else self.number(person, "custom_cost", place),
                    "active": person.get("active", True) is not False,
                }
            )
        self.refuse_twice(rows, "person_id", "users")
        rows += [
            {
                "account": account,
                "name": person.get("full_name") or person.get("name"),
                "type": person.get("billing_type"),
                "custom_cost": self.number(person, "custom_cost", f"manual_users[{at}]"),
                "active": True,
            }
            for at, person in enumerate(by_hand)
        ]
        return _frame(rows, tables.PEOPLE)

    def overrides(self, records: Iterable[Mapping[str, Any]], kind: str) -> pl.DataFrame:
        key, schema = (
            ("device_id", tables.DEVICE_OVERRIDES) if kind == "asset" else ("person_id", tables.PERSON_OVERRIDES)
        )
        rows = []
        for at, record in enumerate(records):
            place = f"{kind}_overrides[{at}]"
            if record.get("billing_type") is None:
                self.warnings.append(f"{place}: has no type, and counts as no override")
                continue
            identity = str(record.get(f"{kind}_id"))
            rows.append(
                {
                    key: identity,
                    "type": record["billing_type"],
                    "custom_cost": self.number(record, "custom_cost", place),
                }
            )
        self.refuse_twice(rows, key, f"{kind}_overrides")
        return _frame(rows, schema)

    def entries(self, account: str, tickets: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
        rows = []
        for at, ticket in enumerate(tickets):
            place = f"tickets[{at}]"
            moment = self.moment(ticket.get("last_updated_at"), place)
            hours = self.number(ticket, "total_hours_spent", place)
            if hours is not None and not 0 <= hours <= _LARGEST_HOURS:
                self.problems.append(
                    Problem("is no number of hours", cell=f"{place}.total_hours_spent", value=str(hours))
                )
            if moment is not None:
                rows.append(
                    {
                        "account": account,
                        "entry_id": str(ticket.get("ticket_id")),
                        "ticket": ticket.get("ticket_number"),
                        "at": moment,
                        "month": moment.date().replace(day=1),
                        "worked": None if hours is None else _worked(hours),
                        "billable": ticket.get("billable", True) is not False,
                    }
                )
        self.refuse_twice(rows, "entry_id", "tickets")
        return _frame(rows, tables.ENTRIES)

    def items(self, account: str, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
        fees = ("monthly_fee", "one_off_fee", "yearly_fee")
        rows = [
            {"account": account, "name": item.get("name")}
            | {name: self.number(item, name, f"line_items[{at}]") for name in fees}
            | {name: item.get(name) for name in ("one_off_year", "one_off_month", "yearly_bill_month")}
            for at, item in enumerate(records)
        ]
        return _frame(rows, tables.ITEMS)

    def text(self, record: Mapping[str, Any], name: str, place: str) -> str | None:
        value = record.get(name)
        if value is not None and not isinstance(value, str | int):
            self.problems.append(Problem("is not a text", cell=f"{place}.{name}", value=str(value)))
            return None
        return None if value is None else str(value)

    def identity(self, record: Mapping[str, Any], place: str) -> str:
        """The record's id; its place for one without, which no override can then be about."""
        return str(record["id"]) if record.get("id") is not None else place

    def number(self, record: Mapping[str, Any], name: str, place: str) -> Decimal | None:
        value = record.get(name)
        if value is None:
            return None
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) >= 10**10:
            self.problems.append(Problem("is not a number", cell=f"{place}.{name}", value=str(value)))
            return None
        return number

    def volume(self, record: Mapping[str, Any], place: str) -> int:
        value = record.get("backup_data_bytes")
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_BYTES:
            self.problems.append(Problem("is no number of bytes", cell=f"{place}.backup_data_bytes", value=str(value)))
            return 0
        return value

    def moment(self, value: Any, place: str) -> datetime | None:
        """The instant; None, with a warning, for time that has none."""
        if value is None:
            self.warnings.append(f"{place}: has no time, and is not billed")
            return None
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.problems.append(Problem("is not a time", cell=f"{place}.last_updated_at", value=str(value)))
            return None
        if moment.tzinfo is None:
            self.warnings.append(f"{place}: its time has no zone, and is taken as UTC")
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)

    def refuse_twice(self, rows: Iterable[Mapping[str, Any]], key: str, place: str) -> None:
        seen: set[str] = set()
        for row in rows:
            value = row.get(key)
            if value is not None and value in seen:
                self.problems.append(Problem("stands there twice", cell=f"{place}.id", value=value))
            seen.add(str(value))


def _worked(hours: Decimal) -> timedelta:
    """Decimal hours in whole milliseconds: a third of an hour that was cut somewhere is 20 minutes again."""
    return timedelta(milliseconds=int((hours * 3_600_000).quantize(Decimal(1), ROUND_HALF_UP)))


def _frame(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    columns = {
        name: pl.Series(name, [row.get(name) for row in rows], dtype=dtype, strict=False)
        for name, dtype in schema.items()
    }
    return pl.DataFrame(columns)
