"""Generated books: a month's usage rows as a partner platform might export them, and the rules to price them by.

What belongs here: strategies only. Rendering to CSV, frames and workbooks stands in `rendering`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.oracle import Book, Cells, Contract, Customer, Minimum, Tier

T = TypeVar("T")
COLUMNS = (
    *("FOR_MONTH", "ER_NAME", "ER_ID", "COMPANY_UUID", "PARTNER_NAME", "PARTNER_ID", "FIRST_BILLABLE_ACTIVITY_DATE"),
    *("SUSPENSION_DATE", "DISSOCIATION_DATE", "TOTAL_INDIVIDUAL_USERS", "CURRENT_ACH_SPEED", "NEXT_DAY_AMOUNT_ER"),
)
METRICS = ("IU", "ER", "FLAT", "IU_PER_ER", "ACH_SPEED")
MONTHS = ((2026, 1), (2025, 12), (2024, 2))

# Partner ids: `7` and `B7` have the same digits, so they share customer look-ups. Names: one spelling per row, any case.
IDS = ("101", "102", "7", "B7", "00900")
NAMES = (
    ("Acme", "acme", " Acme ", "ACME"),
    ("Birch & Co", "BIRCH & CO", "Birch & Co."),
    ("Zeta, Inc.", "zeta, inc."),
    ("Ñandú", "ñandú", "ÑANDÚ"),
    ('The "Quoted" Ltd', 'the "quoted" ltd'),
    ("10X", "10x "),
)
CUSTOMERS = ("Acme (NS)", "Birch, Inc.", "Shared Customer", "Zeta", 'Q"NS')

COUNTS = (
    *("0", "1", "2", "3", "4", "5", "7", "9", "10", "11", "12", "15", "20", "33", "47"),
    *("1.5", "0.5", "2.25", "10.5", "0.0001", "3.3333", "12.75", "7.005", "5.", ".5"),
    *("", " 5 ", "+5", "007", "1,200", "$7", "1,000.25", "-3", "-0.5", "-0", "0.0"),
)
BAD_COUNTS = (
    "5+",
    "1e3",
    "1_000",
    "(5)",
    "5%",
    "inf",
    "nan",
    "N/A",
    "five",
    "1,20",
    "--5",
    "0x10",
    "５",
    "1.00005",
    "1.2.3",
)
SPEEDS = (
    *("", "2-day", "4-day", "1-day", "1-DAY", "Next 1 day", "Same Day", "SAME DAY ", "11-day", "21 days"),
    *("same-day", "next-day", "1day", "Standard"),
)
DAYS = tuple(date(2025, 11, n) for n in (1, 2, 15)) + (date(2024, 2, 29), date(2026, 1, 5), date(1969, 7, 20))
BAD_DAYS = (
    "2026-02-30",
    "13/13/25",
    "today",
    "2026Q1",
    "Jan 5, 2026",
    "15-01-2026",
    "12",
    "NA",
    "2026/1/5",
    "5.1.2026",
)
BAD_MONTHS = ("2026-13", "Jan-26", "now", "202600", "N/A")


@dataclass(frozen=True, repr=False)
class Case:
    """One month: the rows of the usage file, the rules, and which month it is."""

    rows: Sequence[Cells]
    book: Book
    year: int
    month: int

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def __repr__(self) -> str:
        """A counter-example short enough to read: only filled cells, and the rules one a line."""
        rows = "\n".join(f"  { ({column: cell for column, cell in row.items() if cell}) }" for row in self.rows)
        rule_rows = (*self.book.tiers, *self.book.minimums, *self.book.contracts, *self.book.customers)
        return "\n".join([f"Case {self.year}-{self.month:02d}", rows, *(f"  {rule}" for rule in rule_rows)])


@dataclass(frozen=True)
class Partner:
    id: str
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.id or self.names[0].strip().lower()


@st.composite
def cases(draw: st.DrawFn, *, split: bool = True, most_nameless: int = 5) -> Case:
    """A whole book of 1 to 5 partners. `split=False`: no SPLIT tiers; `most_nameless`: partners without an id."""
    year, month = draw(st.sampled_from(MONTHS))
    partners = draw(_partners(most_nameless))
    row, row_of_the_month = _rows(partners, year, month)
    fewest = draw(st.sampled_from((0, 0, 8, 20)))
    rows = [draw(row_of_the_month), *draw(st.lists(row, min_size=fewest, max_size=39))]
    tiers: list[Tier] = []
    for partner in partners:
        tiers += draw(_tiers(partner, split=split))
    book = Book(
        tiers=draw(st.permutations(tiers)) if draw(_rarely()) else tiers,
        minimums=[minimum for partner in partners for minimum in draw(_minimums(partner))],
        contracts=[contract for partner in partners for contract in draw(_contracts(partner, date(year, month, 1)))],
        customers=[customer for partner in partners for customer in draw(_customers(partner))],
    )
    return Case(rows, book, year, month)


def _mostly(usual: Sequence[T], unusual: Sequence[T], share: int = 20) -> st.SearchStrategy[T]:
    """One of `usual`, and about once in `share` draws one of `unusual`."""
    times = max(1, (share - 1) * len(unusual) // len(usual))
    return st.sampled_from([*usual] * times + [*unusual])


def _rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * 5 + [True])


@st.composite
def _partners(draw: st.DrawFn, most_nameless: int) -> list[Partner]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    ids = draw(st.permutations(IDS))
    nameless = 0
    partners = []
    for spellings, partner_id in zip(names, ids, strict=False):
        without_id = nameless < most_nameless and draw(_rarely())
        nameless += without_id
        own = tuple(s for s in spellings if s.strip().lower() == spellings[0].lower()) if without_id else spellings
        partners.append(Partner("" if without_id else partner_id, own))
    return partners


def _rows(
    partners: Sequence[Partner], year: int, month: int
) -> tuple[st.SearchStrategy[Cells], st.SearchStrategy[Cells]]:
    """Strategies for any row of the file, and for a row that is of the file's month for certain.

    A row is drawn as five groups of cells rather than twelve cells, which keeps large books quick to make and to shrink.
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


@st.composite
def _tiers(draw: st.DrawFn, partner: Partner, *, split: bool) -> list[Tier]:
    """No tiers, or one to six: adjoining, with gaps, or anyhow; sometimes of several metrics and types."""
    shape = draw(st.sampled_from(("adjoining", "adjoining", "adjoining", "gaps", "gaps", "anyhow", "anyhow", "none")))
    if shape == "none":
        return []
    types = ("ALL_IN", "SPLIT", "SPLIT") if split else ("ALL_IN",)
    metric, kind, mixed = draw(st.sampled_from((*METRICS, "IU", "ER"))), draw(st.sampled_from(types)), draw(_rarely())
    tiers = []
    for start, end in draw(_bounds(shape)):
        tiers.append(
            Tier(
                partner=partner.key,
                type=draw(st.sampled_from(types)) if mixed else kind,
                metric=draw(st.sampled_from(METRICS)) if mixed else metric,
                start=start,
                end=end,
                er=draw(_prices),
                iu=draw(_prices),
                included=draw(st.integers(0, 1)),
                nd_er=draw(_prices),
                nd_iu=draw(_prices),
            )
        )
    return tiers


_prices = st.one_of(
    st.sampled_from([Decimal(text) for text in ("0", "0.335", "0.125", "0.011", "0.005", "0.0049", "2.675", "10")]),
    st.integers(0, 300_000).map(lambda units: Decimal(units) / 10_000),
)
_quantities = st.one_of(
    st.integers(0, 40).map(Decimal), st.sampled_from([Decimal("0.5"), Decimal("10.5"), Decimal("3.3333")])
)


@st.composite
def _bounds(draw: st.DrawFn, shape: str) -> list[tuple[Decimal, Decimal | None]]:
    if shape == "anyhow":
        ranges: list[tuple[Decimal, Decimal | None]] = []
        for start in draw(st.lists(_quantities, min_size=1, max_size=6)):
            length = draw(st.one_of(st.none(), _quantities))
            ranges.append((start, None if length is None else start + length))
        return ranges
    starts = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=5)))
    gap = 2 if shape == "gaps" else 1
    ends = [Decimal(max(start, following - gap)) for start, following in zip(starts, starts[1:], strict=False)]
    last = draw(st.sampled_from((None, Decimal(999_999), Decimal(starts[-1] + 5))))
    return list(zip(map(Decimal, starts), [*ends, last], strict=True))


@st.composite
def _minimums(draw: st.DrawFn, partner: Partner) -> list[Minimum]:
    minimums = []
    for start in draw(st.lists(st.integers(1, 12), max_size=3)):
        amount = Decimal(draw(st.sampled_from((99_999_999, 1_234_567, 100_005, 25_000, 1, 0)))) / 1000
        minimums.append(Minimum(partner.key, start, start + draw(st.sampled_from((999, 5, 0))), amount))
    return minimums


@st.composite
def _contracts(draw: st.DrawFn, partner: Partner, billed: date) -> list[Contract]:
    """When the minimums start and end; an end before the start occurs and is ignored (Q24)."""
    contracts = []
    for ago in draw(
        st.lists(st.sampled_from((0, 3, 6, 11, 11, 12, 30, -1, None)), min_size=draw(st.integers(0, 1)), max_size=2)
    ):
        length = draw(st.sampled_from((None, None, 0, 11, 30, -2)))
        start = None if ago is None else _months_after(billed, -ago)
        contracts.append(
            Contract(partner.key, start, None if length is None or not start else _months_after(start, length))
        )
    return contracts


def _months_after(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, day.day)


@st.composite
def _customers(draw: st.DrawFn, partner: Partner) -> list[Customer]:
    """Mapping rows by id, by decorated id, by one of the names, by several of these, or none at all."""
    rows = []
    ways = st.sampled_from(("key", "key", "digits", "name", "other name"))
    for way in draw(st.lists(ways, min_size=draw(st.sampled_from((1, 1, 0))), max_size=3)):
        customer = draw(st.sampled_from(CUSTOMERS))
        if way == "digits" and partner.id:
            rows.append(Customer(f"P-{partner.id}", "", customer))
        elif way == "name":
            rows.append(Customer("", partner.names[0].upper(), customer))
        elif way == "other name":
            rows.append(Customer("", partner.names[-1], customer))
        else:
            rows.append(Customer(partner.id, partner.names[0], customer))
    return rows
