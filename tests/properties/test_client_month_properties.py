"""Time is billed once: whatever order entries come in and months are accepted in, taken back, or skipped."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.managed_services.entries import BILLED, CLOSED, COUNTED, LATE, book_entries, dated_entries
from billing_pipeline.engine.managed_services.pulled import ENTRIES, KEPT, LISTINGS

pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example

SCHEMA = LISTINGS[ENTRIES] | KEPT
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]
AFTER = date(2026, 3, 1)  # takes up what came late for the last one
CLIENTS = ("A", "B")
ZONES = st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"))
IDS = st.sampled_from("123")
Entry = dict[str, Any]
Step = tuple[str, Any]


@dataclass
class Ledger:
    """What was accepted so far: months of clients, and the entries in their bills; invoices less credit notes."""

    zone: str
    flag: bool
    known: dict[str, Entry] = field(default_factory=dict)
    closed: set[tuple[str, date]] = field(default_factory=set)
    billed: list[tuple[str, str, str, date]] = field(default_factory=list)

    def dated(self) -> pl.DataFrame:
        rows = [{name: entry.get(name) for name in SCHEMA} for entry in self.known.values()]
        months = pl.DataFrame(sorted(self.closed), schema=CLOSED, orient="row")
        entries = pl.DataFrame(self.billed, schema=BILLED, orient="row")
        given = pl.DataFrame(rows, schema=SCHEMA)
        return dated_entries(given, months, entries, self.zone, honour_billable_flag=self.flag)

    def accept(self, account: str, month: date) -> None:
        """The month's bill of the client, if it has none: its entries are in it from now on."""
        if (account, month) in self.closed:
            return
        mine = (pl.col("account") == account) & (pl.col("month") == month) & pl.col("state").is_in([COUNTED, LATE])
        charged = self.dated().filter(mine).select("source", "source_id", "account", "month")
        self.closed.add((account, month))
        self.billed += charged.rows()

    def void(self, account: str, month: date) -> None:
        """A credit note: the bill's entries can be billed again."""
        self.closed.discard((account, month))
        self.billed = [row for row in self.billed if row[2:] != (account, month)]

    def accept_all(self, months: Iterable[date]) -> None:
        for month in months:
            for account in CLIENTS:
                self.accept(account, month)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    edges = [datetime(month.year, month.month, 1, tzinfo=UTC) for month in (*MONTHS, AFTER)]
    last = datetime(2026, 2, 27, tzinfo=UTC)  # in February in every zone
    near = st.builds(lambda edge, by: edge + timedelta(hours=by), st.sampled_from(edges[1:4]), st.integers(-15, 15))
    spread = st.datetimes(datetime(2025, 11, 2), datetime(2026, 2, 27)).map(lambda at: at.replace(tzinfo=UTC))
    return {
        "source": "desk",
        "source_id": draw(IDS),
        "account": draw(st.sampled_from(CLIENTS)),
        "at": min(draw(near | spread), last),
        "worked": timedelta(minutes=20),
        "billable": draw(st.sampled_from((True, True, True, None, False))),
        "deleted": draw(st.sampled_from((False, False, False, None, True))),
        "removed_at": draw(st.sampled_from((None, None, None, None, last))),
        "pulled_at": last,
    }


some_months = st.sampled_from(MONTHS).map(lambda month: [month]) | st.integers(1, 4).map(lambda many: MONTHS[:many])
bills = st.tuples(st.sampled_from(CLIENTS), some_months)
steps = st.lists(
    entries().map(lambda entry: ("pull", entry))
    | bills.map(lambda bill: ("accept", bill))
    | bills.map(lambda bill: ("void", bill))
    | st.tuples(IDS, st.sampled_from(CLIENTS)).map(lambda moved: ("move", moved)),
    max_size=14,
)  # fmt: skip


def after(history: list[Step], zone: str, flag: bool) -> Ledger:
    ledger = Ledger(zone, flag)
    for what, given_ in history:
        if what == "pull":
            ledger.known[given_["source_id"]] = given_
        elif what == "move":
            number, account = given_
            ledger.known |= {number: ledger.known[number] | {"account": account}} if number in ledger.known else {}
        else:
            account, months = given_
            for month in months:
                (ledger.accept if what == "accept" else ledger.void)(account, month)
        most = Counter(row[:2] for row in ledger.billed).most_common(1)
        assert not most or most[0][1] == 1, f"{most[0]} after {what}"
    return ledger


def counted(entry: Entry, flag: bool) -> bool:
    billable = entry["billable"] is not False or not flag
    return billable and not entry["deleted"] and entry["removed_at"] is None


@settings(max_examples=150)
@given(steps, ZONES, st.booleans())
def test_no_entry_is_in_two_bills_and_each_that_counts_is_in_one_when_all_months_are_accepted(
    history: list[Step], zone: str, flag: bool
) -> None:
    ledger = after(history, zone, flag)
    ledger.accept_all([*MONTHS, AFTER])
    times = Counter(row[1] for row in ledger.billed)
    assert set(times.values()) <= {1}
    must = {number for number, entry in ledger.known.items() if counted(entry, flag)}
    assert must <= times.keys()
    since = {row[1] for row in after(history, zone, flag).billed}  # counted when it was billed, and does not any more
    assert times.keys() <= must | since


@settings(max_examples=100)
@given(steps, ZONES)
def test_an_entry_stays_in_the_month_that_billed_it_and_others_wait_in_an_open_one_from_their_own_on(
    history: list[Step], zone: str
) -> None:
    ledger = after(history, zone, flag=True)
    charged = {row[:2]: row[3] for row in ledger.billed}
    for source, number, account, own, month in (
        ledger.dated().select("source", "source_id", "account", "own_month", "month").rows()
    ):
        if (source, number) in charged:
            assert month == charged[source, number]
        else:
            assert month >= own
            assert (account, month) not in ledger.closed


@settings(max_examples=100)
@given(steps, ZONES, st.booleans())
def test_the_hours_of_a_bill_are_the_entries_that_its_acceptance_would_charge(
    history: list[Step], zone: str, flag: bool
) -> None:
    """The bill counts what the ledger counts: else time would be paid that no ledger knows of."""
    ledger = after(history, zone, flag)
    found = ledger.dated()
    booked = book_entries(found)
    paid = booked if not flag else booked.filter(pl.col("billable").fill_null(value=True))
    charged = found.filter(pl.col("state").is_in([COUNTED, LATE]))
    assert sorted(paid.select("entry_id", "month").rows()) == sorted(
        charged.select(pl.concat_str("source", "source_id", separator=":"), "month").rows()
    )
