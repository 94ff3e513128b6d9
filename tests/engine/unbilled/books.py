"""A book of time logs with known leakage: what is planted is written down as it is planted, apart from the rules.

Among it stands what looks like leakage and is none: hours and expenses exactly at their limit, work exactly as old as
allowed, on the first and the last day of a contract, written off, invoiced late.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from tests.engine.unbilled.records import AS_OF, contract, log

STARTS, ENDS = date(2025, 6, 1), date(2026, 1, 31)
OLDEST_FRESH = AS_OF - timedelta(days=90)
Planted = dict[str, dict[str, tuple[Decimal, Decimal | None]]]
_BAD = {
    "missing project": {"project_id": " "},
    "unknown project": {"project_id": "P-none"},
    "hours not readable": {"hours": "8h"},
    "hours not above zero": {"hours": "-1"},
    "unknown activity": {"activity": "Travel"},
    "unknown status": {"status": "Draft"},
    "work date not readable": {"work_date": "yesterday"},
    "expense not readable": {"expense_amount": "a few"},
    "no Log_ID": {"log_id": ""},
    "duplicate Log_ID": {},
}


@dataclass
class Book:
    """planted: by kind, then by project, for QUARANTINE by the sentence; hours and dollars of each."""

    random: Random
    contracts: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    planted: Planted = field(default_factory=lambda: defaultdict(dict))

    def log(self, project: str, hours: Decimal, day: date, /, **more: Any) -> str:
        """A log more; its id."""
        log_id = f"L{len(self.logs)}"
        row = log(log_id, project, str(hours), line=len(self.logs) + 2, work_date=day.isoformat(),
                  employee_id=f"E{self.random.randrange(9)}")  # fmt: skip
        self.logs.append(row | more)
        return log_id

    def plant(self, kind: str, name: str, hours: Decimal, dollars: Decimal | None) -> None:
        before, worth = self.planted[kind].get(name, (Decimal(0), Decimal(0)))
        known = None if dollars is None or worth is None else worth + dollars
        self.planted[kind][name] = (before + hours, known)

    def hours(self) -> Decimal:
        return Decimal(self.random.randrange(1, 1600)) / 100

    def day(self, first: date = OLDEST_FRESH, last: date = ENDS) -> date:
        return first + timedelta(days=self.random.randrange((last - first).days + 1))

    def often(self) -> range:
        return range(self.random.randrange(1, 5))


def book(seed: int, projects: int) -> Book:
    """Of ten projects two are at a fixed price, one has no rate, one no billing model."""
    made = Book(Random(seed))
    for number in range(projects):
        (_fixed, _fixed, _rateless, _unmodelled, *[_hourly] * 6)[number % 10](made, f"P{number:04}")
    made.random.shuffle(made.logs)
    made.random.shuffle(made.contracts)
    return made


def worth(hours: Decimal, rate: Decimal) -> Decimal:
    return (hours * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _hourly(made: Book, project: str) -> None:
    rate = Decimal(made.random.randrange(400_000, 3_000_000)) / 10_000
    made.contracts.append(contract(project, str(rate), client=f"C{made.random.randrange(20)}", reimbursable_limit="100",
                                   starts=STARTS.isoformat(), ends=ENDS.isoformat()))  # fmt: skip
    for day in (STARTS, ENDS, made.day()):
        made.log(project, made.hours(), day, status="Invoiced")
        made.log(
            project, made.hours(), day, status="Written-Off", activity=made.random.choice(("Billable", "Non-Billable"))
        )
    plants = (_unbilled, _old, _expired, _non_billable, _bad)
    for plant in plants:
        if made.random.random() < 0.4:
            plant(made, project, rate)
    _expenses(made, project, "Invoiced")


def _unbilled(made: Book, project: str, rate: Decimal) -> None:
    for day in (OLDEST_FRESH, ENDS, *(made.day() for _ in made.often())):
        _leak(made, project, rate, day)


def _old(made: Book, project: str, rate: Decimal) -> None:
    for day in (
        OLDEST_FRESH - timedelta(days=1),
        *(made.day(STARTS, OLDEST_FRESH - timedelta(days=1)) for _ in made.often()),
    ):
        hours = _leak(made, project, rate, day)
        made.plant("TIME_TOO_OLD", project, hours, worth(hours, rate))


def _expired(made: Book, project: str, rate: Decimal) -> None:
    for day in (ENDS + timedelta(days=1), *(made.day(ENDS + timedelta(days=1), AS_OF) for _ in made.often())):
        hours = _leak(made, project, rate, day)
        made.plant("CONTRACT_EXPIRED", project, hours, worth(hours, rate))


def _leak(made: Book, project: str, rate: Decimal, day: date) -> Decimal:
    hours = made.hours()
    made.log(project, hours, day)
    made.plant("TIME_LEAKAGE", project, hours, worth(hours, rate))
    return hours


def _non_billable(made: Book, project: str, rate: Decimal) -> None:
    for _ in made.often():
        hours = made.hours()
        made.log(project, hours, made.day(), activity="non billable", status=made.random.choice(("Logged", "Invoiced")))
        made.plant("NON_BILLABLE_WORK", project, hours, worth(hours, rate))


def _bad(made: Book, project: str, rate: Decimal) -> None:
    reason = made.random.choice(list(_BAD))
    hours = made.hours()
    first = made.log(project, made.hours(), made.day(), status="Invoiced")
    more = {"log_id": first} if reason == "duplicate Log_ID" else _BAD[reason]
    made.log(project, hours, made.day(), **more)
    known = reason in (
        "unknown status",
        "work date not readable",
        "expense not readable",
        "no Log_ID",
        "duplicate Log_ID",
    )
    counted = {"hours not readable": Decimal(0), "hours not above zero": Decimal(-1)}.get(reason, hours)
    _quarantined(made, reason, counted, worth(hours, rate) if known and worth(hours, rate) else None)


def _quarantined(made: Book, reason: str, hours: Decimal, dollars: Decimal | None) -> None:
    made.plant("QUARANTINE", f"{reason} (logs.csv, line {made.logs[-1]['line']})", hours, dollars)


def _expenses(made: Book, project: str, status: str) -> None:
    """At the limit of 100.00, every third project a little above it."""
    above = Decimal(made.random.randrange(1, 5000)) / 100 if made.random.random() < 0.3 else Decimal(0)
    for amount in (Decimal(70), 30 + above):
        made.log(project, Decimal(1), made.day(), status=status, expense="true", expense_amount=str(amount))
    if above:
        made.plant("EXPENSES_ABOVE_LIMIT", project, Decimal(0), above)


def _fixed(made: Book, project: str) -> None:
    rate = Decimal(made.random.randrange(40, 300)) if made.random.random() < 0.8 else None
    made.contracts.append(contract(project, None if rate is None else str(rate), model="Fixed Price", client="Fixed",
                                   max_hours="50", reimbursable_limit="100"))  # fmt: skip
    over = made.hours() if made.random.random() < 0.5 else Decimal(0)
    for hours, more in (
        (Decimal(20), {}),
        (Decimal(18), {"activity": "Non-Billable"}),
        (10 + over, {"status": "Invoiced"}),
    ):
        made.log(project, hours, made.day(date(2024, 1, 1), AS_OF), **more)
    _expenses(made, project, "Logged")  # two hours more: 50
    if over:
        made.plant("FIXED_PRICE_OVERRUN", project, over, None if rate is None else worth(over, rate))


def _rateless(made: Book, project: str) -> None:
    made.contracts.append(
        contract(project, made.random.choice((None, "0")), client="Rateless", reimbursable_limit="100")
    )
    made.log(project, made.hours(), made.day(), status="Invoiced")
    made.log(project, made.hours(), made.day(), status="Written-Off")
    for _ in made.often():
        hours = made.hours()
        made.log(project, hours, made.day())
        made.plant("RATE_MISSING", project, hours, None)
        _quarantined(made, "rate missing", hours, None)
    if made.random.random() < 0.5:
        hours = made.hours()
        made.log(project, hours, made.day(), activity="Non-Billable")
        made.plant("NON_BILLABLE_WORK", project, hours, None)
    _expenses(made, project, "Invoiced")


def _unmodelled(made: Book, project: str) -> None:
    made.contracts.append(contract(project, model=made.random.choice(("", "Retainer"))))
    for _ in made.often():
        hours = made.hours()
        made.log(project, hours, made.day())
        _quarantined(made, "unknown billing model", hours, None)
