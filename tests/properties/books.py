"""Generated books: a month's usage rows as a partner platform might export them, and the rules to price them by.

What belongs here: the book as a whole and its rules. Usage rows stand in `rows`, CSV and workbooks in `rendering`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.oracle import Book, Cells, Contract, Customer, Minimum, Tier
from tests.properties.rows import COLUMNS, DAYS, OPTIONAL, Partner, rows_of

METRICS = ("IU", "ER", "FLAT", "IU_PER_ER", "ACH_SPEED")
MONTHS = ((2026, 1), (2025, 12), (2024, 2))

# `7` and `B7` have the same digits, so they share customer look-ups. A partner's names: its spellings in the file.
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


@dataclass(frozen=True, repr=False)
class Case:
    """One month: the rows of the usage file, the rules, and which month it is."""

    rows: Sequence[Cells]
    book: Book
    year: int
    month: int
    columns: Sequence[str] = COLUMNS  # of the file; cells of the others are blank

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # how Hypothesis prints
        printer.text(repr(self))

    def __repr__(self) -> str:
        """A counter-example short enough to read: only filled cells, and the rules one a line."""
        rows = [{column: cell for column, cell in row.items() if cell} for row in self.rows]
        rules = (*self.book.tiers, *self.book.minimums, *self.book.contracts, *self.book.customers)
        absent = ", ".join(sorted(set(COLUMNS) - set(self.columns)))
        return "\n  ".join(
            [f"Case {self.year}-{self.month:02d} without {absent or 'nothing'}", *map(str, rows), *map(str, rules)]
        )


@st.composite
def cases(draw: st.DrawFn, *, split: bool = True) -> Case:
    """A whole book of 1 to 5 partners, with or without SPLIT tiers."""
    year, month = draw(st.sampled_from(MONTHS))
    partners = draw(_partners())
    row, row_of_the_month = rows_of(partners, year, month)
    fewest = draw(st.sampled_from((0, 0, 8, 20)))
    rows = [draw(row_of_the_month), *draw(st.lists(row, min_size=fewest, max_size=39))]
    absent = draw(st.sets(st.sampled_from(OPTIONAL), max_size=2)) if draw(_rarely()) else ()
    rows = [{**row, **dict.fromkeys(absent, "")} for row in rows]
    tiers: list[Tier] = []
    for partner in partners:
        tiers += draw(_tiers(partner, split=split))
    book = Book(
        tiers=draw(st.permutations(tiers)) if draw(_rarely()) else tiers,
        minimums=[minimum for partner in partners for minimum in draw(_minimums(partner))],
        contracts=[contract for partner in partners for contract in draw(_contracts(partner, date(year, month, 1)))],
        customers=[customer for partner in partners for customer in draw(_customers(partner))],
    )
    return Case(rows, book, year, month, [column for column in COLUMNS if column not in absent])


@st.composite
def decided_cases(draw: st.DrawFn) -> tuple[Case, list[dict[str, Any]]]:
    """A book and up to four decisions as a decision file holds them: removals, new dates, new partners."""
    case = draw(cases())
    places = st.integers(0, len(case.rows) - 1)
    partners = [(row["PARTNER_NAME"], row["PARTNER_ID"]) for row in case.rows if row["PARTNER_NAME"].strip()]
    decisions = []
    for _ in range(draw(st.integers(0, 4))):
        name, partner_id = draw(st.sampled_from([*partners, ("Nobody knows", "404")]))
        decisions.append(
            {
                "action": draw(st.sampled_from(("remove", "set_date", "reassign", "set_date_and_reassign"))),
                "scope": draw(st.sampled_from(("row", "partner"))),
                "row_index": draw(places),
                "affected_row_indices": draw(st.lists(places, min_size=1, max_size=3, unique=True)),
                "set_date": draw(st.sampled_from(DAYS)).isoformat(),
                "reassign_to_partner_name": name.strip(),
                "reassign_to_partner_id": partner_id.strip(),
            }
        )
    return case, decisions


def _rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * 5 + [True])


@st.composite
def _partners(draw: st.DrawFn) -> list[Partner]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    ids = draw(st.permutations(IDS))
    partners = []
    for spellings, partner_id in zip(names, ids, strict=False):
        without_id = draw(_rarely())
        own = tuple(s for s in spellings if s.strip().lower() == spellings[0].lower()) if without_id else spellings
        partners.append(Partner("" if without_id else partner_id, own))
    return partners


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
    lowest = draw(st.sampled_from(((1,), (0,), (0, 1), (5,))))
    starts = sorted({*lowest, *draw(st.sets(st.integers(lowest[-1], 40), max_size=4))})
    gap = 2 if shape == "gaps" else 1
    ends = [Decimal(max(start, following - gap)) for start, following in pairwise(starts)]
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
