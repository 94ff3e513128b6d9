"""Companies of the sample book: how they come, grow, change partner and leave, and their rows in the monthly export.

What belongs here: ordinary months. What does not: rows that need review (`incidents`).
"""

import calendar
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from random import Random
from uuid import UUID

from billing_pipeline.engine.period import Period
from billing_pipeline.sample.partners import PARTNERS, Partner
from billing_pipeline.sample.words import OWNERS, SUFFIXES, TRADES

COLUMNS = (
    "FOR_MONTH", "ER_NAME", "ER_ID", "COMPANY_UUID", "PARTNER_NAME", "PARTNER_ID", "FIRST_BILLABLE_ACTIVITY_DATE",
    "SUSPENSION_DATE", "DISSOCIATION_DATE", "ACTIVE_EMPLOYEES", "NUMBER_ACTIVE_CONTRACTORS", "TOTAL_INDIVIDUAL_USERS",
    "CURRENT_ACH_SPEED", "IS_MRB", "MRB_BILLING_ANNIVERSARY",
)  # fmt: skip

Row = dict[str, str]

_FIRST_ID = 500_001
_GROWTH_PERCENT = 3  # of the final company count, per month
_SPEEDS, _SPEED_SHARES = ("2-day", "4-day", "1-day", "Same Day", "Next 1 day"), (55, 23, 12, 5, 5)
_HEADCOUNTS, _HEADCOUNT_SHARES = ((0, 3), (4, 12), (13, 40), (41, 120), (121, 400)), (29, 41, 22, 7, 1)
_MOVES_PER_MONTH = 3


@dataclass(slots=True)
class _Company:
    id: int
    uuid: UUID
    name: str
    partner: Partner
    first_billable: date
    employees: int
    contractors: int
    speed: str
    minimum_billing: bool
    suspended: date | None = None
    dissociated: date | None = None


def monthly_rows(months: Sequence[Period], random: Random) -> Iterator[tuple[Period, list[Row]]]:
    """The export of each month, in order of company id: rows of text under COLUMNS.

    A partner has 3 % fewer companies for every month before the last. Companies that leave have a suspension or
    dissociation date in their last month; a few change partner every month.
    """
    names = [" ".join(words) for words in product(OWNERS, TRADES)]
    random.shuffle(names)
    companies: list[_Company] = []
    for month in months:
        if companies:
            companies = [company for company in companies if company.suspended is None and company.dissociated is None]
            _change(companies, month, random)
        companies += _arrivals(companies, month, months, names, random)
        _departures(companies, month, random)
        yield month, [_row(company, month) for company in companies if company.partner.reports_in(month)]


def _arrivals(
    companies: list[_Company], month: Period, months: Sequence[Period], names: list[str], random: Random
) -> list[_Company]:
    """New companies that bring every partner to its count, in order of their first billable date."""
    present = Counter(company.partner.id for company in companies)
    latest = months[0].first - timedelta(days=1) if month == months[0] else month.last
    wanted: list[tuple[date, Partner]] = []
    for partner in PARTNERS:
        earliest = partner.since.first if month == months[0] else month.first
        days = (latest - earliest).days + 1
        missing = _count(partner, month, months) - present[partner.id]
        wanted += [(earliest + timedelta(days=random.randrange(days)), partner) for _ in range(missing)]
    wanted.sort(key=lambda arrival: arrival[0])
    start = companies[-1].id + 1 if companies else _FIRST_ID
    return [_company(start + number, names, *arrival, random) for number, arrival in enumerate(wanted)]


def _count(partner: Partner, month: Period, months: Sequence[Period]) -> int:
    if month < partner.since:
        return 0
    return partner.companies * (100 - _GROWTH_PERCENT * (len(months) - 1 - months.index(month))) // 100


def _company(number: int, names: list[str], first_billable: date, partner: Partner, random: Random) -> _Company:
    (least, most), *_ = random.choices(_HEADCOUNTS, _HEADCOUNT_SHARES)
    headcount = random.randint(least, most)
    contractors = random.randint(0, headcount // 3) if random.randrange(2) else 0
    return _Company(
        id=number,
        uuid=UUID(int=random.getrandbits(128), version=4),
        name=f"{names.pop()}{random.choice(SUFFIXES)}",
        partner=partner,
        first_billable=first_billable,
        employees=headcount - contractors,
        contractors=contractors,
        speed=random.choices(_SPEEDS, _SPEED_SHARES)[0],
        minimum_billing=random.randrange(10) == 0,
    )


def _change(companies: list[_Company], month: Period, random: Random) -> None:
    """Staff and bank speeds change a little, and a few companies go to another partner."""
    for company in companies:
        if random.randrange(3) == 0:
            company.employees = max(company.employees + random.randint(-2, 3), 0)
        if random.randrange(60) == 0:
            company.speed = random.choices(_SPEEDS, _SPEED_SHARES)[0]
    partners = [partner for partner in PARTNERS if partner.settled and partner.reports_in(month)]
    for company in random.sample(companies, _MOVES_PER_MONTH):
        if company.partner in partners:
            company.partner = random.choice([partner for partner in partners if partner != company.partner])


def _departures(companies: list[_Company], month: Period, random: Random) -> None:
    """About one company in seventy has its last month."""
    for company in companies:
        if company.first_billable < month.first and random.randrange(70) == 0:
            day = month.first.replace(day=random.randint(2, 27))
            if random.randrange(3):
                company.suspended = day
            else:
                company.dissociated = day


def _row(company: _Company, month: Period) -> Row:
    values = (
        month.first, company.name, company.id, company.uuid, company.partner.name, company.partner.id,
        company.first_billable, company.suspended or "", company.dissociated or "", company.employees,
        company.contractors, company.employees + company.contractors, company.speed,
        "Yes" if company.minimum_billing else "No",
        _anniversary(company.first_billable, month) if company.minimum_billing else "",
    )  # fmt: skip
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _anniversary(day: date, month: Period) -> date:
    """The day in the year of `month` on which the company has been billable for whole years."""
    last = calendar.monthrange(month.year, day.month)[1]
    return date(month.year, day.month, min(day.day, last))
