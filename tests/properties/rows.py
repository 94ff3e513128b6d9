"""Generated usage rows: the cells of one month's export, with everything that people and platforms write into them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from hypothesis import strategies as st

from tests.oracle import Cells

T = TypeVar("T")
OPTIONAL = (
    "FIRST_BILLABLE_ACTIVITY_DATE",
    "SUSPENSION_DATE",
    "DISSOCIATION_DATE",
    "CURRENT_ACH_SPEED",
    "NEXT_DAY_AMOUNT_ER",
)
COLUMNS = (
    *("FOR_MONTH", "ER_NAME", "ER_ID", "COMPANY_UUID", "PARTNER_NAME", "PARTNER_ID", "FIRST_BILLABLE_ACTIVITY_DATE"),
    *("SUSPENSION_DATE", "DISSOCIATION_DATE", "TOTAL_INDIVIDUAL_USERS", "CURRENT_ACH_SPEED", "NEXT_DAY_AMOUNT_ER"),
)

COUNTS = (
    *("0", "1", "2", "3", "4", "5", "7", "9", "10", "11", "12", "15", "20", "33", "47"),
    *("1.5", "0.5", "2.25", "10.5", "0.0001", "3.3333", "12.75", "7.005", "5.", ".5"),
    *("", " 5 ", "+5", "007", "1,200", "$7", "1,000.25", "-3", "-0.5", "-0", "0.0"),
)
BAD_COUNTS = (
    *("5+", "1e3", "1_000", "(5)", "5%", "inf", "nan", "N/A", "five", "1,20", "--5", "0x10", "５", "1.00005", "1.2.3"),
)
SPEEDS = (
    *("", "2-day", "4-day", "1-day", "1-DAY", "Next 1 day", "Same Day", "SAME DAY ", "11-day", "21 days"),
    *("same-day", "next-day", "1day", "Standard"),
)
DAYS = (*(date(2025, 11, n) for n in (1, 2, 15)), date(2024, 2, 29), date(2026, 1, 5), date(1969, 7, 20))
BAD_DAYS = (
    *("2026-02-30", "13/13/25", "today", "2026Q1", "Jan 5, 2026", "15-01-2026", "12", "NA", "2026/1/5", "5.1.2026"),
)
BAD_MONTHS = ("2026-13", "Jan-26", "now", "202600", "N/A")


@dataclass(frozen=True)
class Partner:
    id: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.id or self.names[0].strip().lower()


def rows_of(
    partners: Sequence[Partner], year: int, month: int
) -> tuple[st.SearchStrategy[Cells], st.SearchStrategy[Cells]]:
    """Strategies for any row of the file, and for a row that is of the file's month for certain.

    A row is drawn as five groups of cells, not twelve cells, which keeps large books quick to make and to shrink.
    """
    identities = [(p.id, name) for p in partners for name in (*p.names, *([""] if p.id else []))]
    strangers = [("", ""), (" ", " "), ("404", "Nobody knows"), ("", partners[0].names[0]), (f" {partners[0].id}", "")]
    companies = [(str(n), f"Co {n}") for n in (1, 2, 3, 77)] + [("", "Only Name"), ("", "only name "), ("3", "")]
    odd_companies = [("", ""), (" ", ""), ("9", "Two\nlines"), ("9", "=1+1")]
    days = [spelling for day in DAYS for spelling in _day_spellings(day)]

    own = [*_day_spellings(date(year, month, 1)), date(year, month, 15).isoformat()]
    own += [f"{year}{mark}{month:02d}" for mark in ("-", ".", "/", "")]
    usual = [
        (own[n % len(own)], speed, "", "", legacy) for n, speed in enumerate(SPEEDS * 2) for legacy in ("", "9.99")
    ]
    foreign = [*_day_spellings(date(year - 1, month, 1)), "2026.12", "", "2026", *BAD_MONTHS]
    unusual = [(found, "1-day", "", "", "9.99") for found in foreign]
    unusual += [(own[0], "1-day", ended, ended, "") for ended in (*BAD_DAYS[:3], *days[:9])]

    def row(rest: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[Cells]:
        return st.tuples(
            _mostly(identities, strangers, 15),
            _mostly(companies, odd_companies, 15),
            _mostly(COUNTS, BAD_COUNTS, 25),
            _mostly([*days, *[""] * 6], BAD_DAYS, 25),
            rest,
        ).map(_row)

    return row(_mostly(usual, unusual, 10)), row(st.sampled_from(usual))


def _row(groups: tuple[tuple[str, str], tuple[str, str], str, str, tuple[str, ...]]) -> Cells:
    (partner_id, partner_name), (company_id, company_name), users, first_billable, rest = groups
    for_month, speed, suspended, dissociated, legacy = rest
    return {
        "FOR_MONTH": for_month,
        "ER_NAME": company_name,
        "ER_ID": company_id,
        "COMPANY_UUID": "",
        "PARTNER_NAME": partner_name,
        "PARTNER_ID": partner_id,
        "FIRST_BILLABLE_ACTIVITY_DATE": first_billable,
        "SUSPENSION_DATE": suspended,
        "DISSOCIATION_DATE": dissociated,
        "TOTAL_INDIVIDUAL_USERS": users,
        "CURRENT_ACH_SPEED": speed,
        "NEXT_DAY_AMOUNT_ER": legacy,
    }


def _day_spellings(day: date) -> list[str]:
    serial = (day - date(1899, 12, 30)).days
    slashes = [f"{day.month}/{day.day}/{day.year}", f"{day.month:02d}/{day.day:02d}/{day.year}"]
    if day.year >= 1970:
        slashes.append(f"{day.month}/{day.day}/{day.year % 100:02d}")
    iso = day.isoformat()
    return [iso, *slashes, str(serial), f"{iso}T08:30:00Z", f"{iso} 23:59:59", f" {iso} "]


def _mostly(usual: Sequence[T], unusual: Sequence[T], share: int = 20) -> st.SearchStrategy[T]:
    """One of `usual`, and about once in `share` draws one of `unusual`."""
    times = max(1, (share - 1) * len(unusual) // len(usual))
    return st.sampled_from([*usual] * times + [*unusual])
