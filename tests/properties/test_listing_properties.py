"""For every listing: no record is lost in silence, and bringing the same listing up twice changes nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.managed_services.listings import Typed, typed
from billing_pipeline.engine.managed_services.merging import merged, merged_entries
from billing_pipeline.engine.managed_services.pulled import COMPANIES, ENTRIES, KEYS, LISTINGS, VOLUMES
from tests.engine.managed_services.listings import Texts, texts

pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example

AT = datetime(2025, 9, 8, tzinfo=UTC)
ANY = st.sampled_from(("", None, " ", "x", "-1", "Ñ", "'\x00"))
IDS = st.sampled_from(("1", "2", "3", " 1", "", None))
CELLS: dict[object, st.SearchStrategy[str | None]] = {
    pl.String: st.sampled_from(("a", "b ", "Inactive", "1-year")) | ANY,
    pl.Boolean: st.sampled_from(("yes", "No", "1")) | ANY,
    pl.Date: st.dates().map(str) | ANY,
    pl.Int64: st.integers(0, 2**61).map(str) | ANY,
    LISTINGS[ENTRIES]["at"]: st.datetimes().map(lambda at: f"{at.isoformat()}Z") | ANY,
    LISTINGS[ENTRIES]["worked"]: st.decimals(0, 20_000, places=9).map(str) | st.just("1:30") | ANY,
}
names = st.sampled_from(sorted(LISTINGS))


@st.composite
def records(draw: st.DrawFn, name: str) -> list[Texts]:
    cells = {
        column: IDS if column in ("source_id", "account", "ticket_id") else CELLS[dtype]
        for column, dtype in LISTINGS[name].items()
    }
    if "source" in cells:
        cells["source"] = st.sampled_from(("datto", "folder")) | ANY
    return draw(st.lists(st.fixed_dictionaries(cells), max_size=8))


def made_of(data: st.DataObject, name: str) -> tuple[list[Texts], Typed]:
    """Some records, and the listing they are."""
    rows = data.draw(records(name))
    return rows, typed(name, texts(name, *rows))


@settings(max_examples=60)
@given(name=names, data=st.data())
def test_every_record_is_used_as_it_is_or_told_to_be_left_out_or_the_twin_of_one_that_is(
    name: str, data: st.DataObject
) -> None:
    rows, found = made_of(data, name)
    alone = [typed(name, texts(name, row)) for row in rows]
    unusable = sum(one.problems["left_out"].sum() for one in alone if one.frame.is_empty())
    contents = pl.concat([one.frame for one in alone] or [found.frame])
    if name != COMPANIES:  # where all that contradict each other are left out, else all but the last
        contents = contents.unique()
    overruled = contents.join(found.frame, on=list(LISTINGS[name]), how="anti", nulls_equal=True)
    assert found.problems["left_out"].sum() == unusable + overruled.height
    used, left_out = (frame.select(KEYS[name]).rows() for frame in (found.frame, found.left_out))
    assert len(set(used)) == len(used)
    for key in contents.select(KEYS[name]).rows():
        assert (key in used) != (key in left_out)


@settings(max_examples=60)
@given(name=names, data=st.data())
def test_bringing_a_listing_up_twice_is_bringing_it_up_once(name: str, data: st.DataObject) -> None:
    (_, before), (_, pulled) = made_of(data, name), made_of(data, name)
    complete = data.draw(st.booleans()) and not pulled.frame.is_empty()
    on_hand = merged(name, None, before.frame, AT, complete=False).frame
    for _ in range(2):
        last, on_hand = on_hand, merged(
            name, on_hand, pulled.frame, AT + timedelta(days=1),
            complete=complete, largest_drop=Decimal(1), left_out=pulled.left_out,
        ).frame  # fmt: skip
    assert on_hand.equals(last)
    there = on_hand.filter(pl.col("removed_at").is_null())
    assert set(pulled.frame.select(KEYS[name]).rows()) <= set(there.select(KEYS[name]).rows())
    assert set(on_hand.select(KEYS[name]).rows()) == {
        *before.frame.select(KEYS[name]).rows(), *pulled.frame.select(KEYS[name]).rows(),
    }  # fmt: skip
    if not complete:
        assert there.height == on_hand.height
    if name != VOLUMES:
        assert pulled.frame.join(there, on=list(LISTINGS[name]), nulls_equal=True).height == pulled.frame.height


@settings(max_examples=60)
@given(data=st.data())
def test_reading_every_ticket_is_a_complete_listing_of_the_time_that_has_one(data: st.DataObject) -> None:
    (_, before), (_, pulled) = made_of(data, ENTRIES), made_of(data, ENTRIES)
    if pulled.frame.is_empty():
        return
    on_hand = merged_entries(None, before.frame, None, AT).frame.filter(pl.col("ticket_id").is_not_null())
    tickets = {*on_hand["ticket_id"], *pulled.frame["ticket_id"]} - {None}
    by_ticket = merged_entries(on_hand, pulled.frame, tickets, AT, largest_drop=Decimal(1))
    assert by_ticket.frame.equals(merged_entries(on_hand, pulled.frame, None, AT, largest_drop=Decimal(1)).frame)
