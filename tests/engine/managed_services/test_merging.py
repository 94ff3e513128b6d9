"""What is on hand of a listing meets what was pulled: what is new, changed, gone, back, and what proves nothing."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import BillingError, UpstreamError
from billing_pipeline.engine.managed_services.merging import Merged, merged, merged_entries
from billing_pipeline.engine.managed_services.pulled import (
    COMPANIES,
    CONTACTS,
    DEVICES,
    ENTRIES,
    KEPT,
    LISTINGS,
    VOLUMES,
)
from tests.engine.managed_services.listings import (
    RECORDS,
    Texts,
    company,
    contact,
    device,
    entry,
    listed,
    volume,
)

MONDAY = datetime(2025, 9, 8, 2, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
ALL = Decimal(1)  # a share that lets everything go


def merge(
    name: str,
    before: Merged | None,
    *records: Texts,
    at: datetime = TUESDAY,
    complete: bool = True,
    drop: Decimal = ALL,
) -> Merged:
    found = listed(name, *records)
    on_hand = before.frame if before else None
    return merged(name, on_hand, found.frame, at, complete=complete, largest_drop=drop, left_out=found.left_out)


def first(name: str, *records: Texts) -> Merged:
    return merge(name, None, *records, at=MONDAY)


def counts(found: Merged) -> tuple[int, int, int, int]:
    return found.added, found.changed, found.removed, found.returned


def removed_at(found: Merged, key: str = "source_id") -> dict[str, Any]:
    return dict(found.frame.select(key, "removed_at").rows())


@pytest.mark.parametrize("name", LISTINGS)
def test_the_first_pull_is_all_new(name: str) -> None:
    found = first(name, RECORDS[name]("2"), RECORDS[name]("1"))
    assert counts(found) == (2, 0, 0, 0)
    assert dict(found.frame.schema) == LISTINGS[name] | KEPT
    assert found.frame.select("removed_at", "pulled_at").rows() == [(None, MONDAY)] * 2
    assert found.frame[{COMPANIES: "account"}.get(name, "source_id")].to_list() == ["1", "2"]


@pytest.mark.parametrize("name", LISTINGS)
def test_the_same_pull_again_changes_nothing_but_when_it_was(name: str) -> None:
    records = [RECORDS[name](str(number)) for number in range(5)]
    before = merge(name, first(name, *records), *records[:3], at=TUESDAY)
    again = merge(name, before, *records[2::-1], at=WEDNESDAY, drop=Decimal(0))
    assert counts(again) == (0, 0, 0, 0)
    assert again.frame.drop("pulled_at").equals(before.frame.drop("pulled_at"))
    assert again.frame["pulled_at"].unique().to_list() == [WEDNESDAY]


def test_what_changed_is_as_it_was_pulled() -> None:
    before = first(DEVICES, device("1", name="old"), device("2"), device("3"))
    found = merge(DEVICES, before, device("1", name="new"), device("2", site="Main"), device("3"), device("4"))
    assert counts(found) == (1, 2, 0, 0)
    assert found.frame.select("name", "site").rows() == [("new", None), ("H1", "Main"), ("H1", None), ("H1", None)]


def test_what_a_complete_listing_lacks_is_removed_from_then_on_and_its_row_stays() -> None:
    before = first(DEVICES, device("1", name="old"), device("2"))
    found = merge(DEVICES, before, device("2"), at=TUESDAY)
    later = merge(DEVICES, found, device("2"), at=WEDNESDAY)
    assert (counts(found), counts(later)) == ((0, 0, 1, 0), (0, 0, 0, 0))
    assert removed_at(later) == {"1": TUESDAY, "2": None}
    assert later.frame["name"].to_list() == ["old", "H1"]


def test_what_an_incomplete_listing_lacks_stays() -> None:
    before = first(DEVICES, device("1"), device("2"), device("3"))
    found = merge(DEVICES, before, device("2"), device("4"), complete=False, drop=Decimal(0))
    assert counts(found) == (1, 0, 0, 0)
    assert removed_at(found) == dict.fromkeys("1234")


def test_an_incomplete_listing_may_be_empty() -> None:
    found = merge(DEVICES, first(DEVICES, device("1")), complete=False)
    assert (counts(found), removed_at(found)) == ((0, 0, 0, 0), {"1": None})


def test_what_was_removed_and_is_there_again_is_there() -> None:
    gone = merge(DEVICES, first(DEVICES, device("1"), device("2")), device("2"))
    found = merge(DEVICES, gone, device("1", name="new"), device("2"), at=WEDNESDAY)
    assert counts(found) == (0, 0, 0, 1)
    assert removed_at(found) == {"1": None, "2": None}
    assert found.frame["name"][0] == "new"


@pytest.mark.parametrize("drop", [Decimal("0.2"), ALL])
def test_an_empty_listing_removes_nothing_whatever_may_be_missing(drop: Decimal) -> None:
    before = first(CONTACTS, contact("1"), contact("2"))
    with pytest.raises(UpstreamError, match="contacts has no record that can be used, while 2 are on hand") as refused:
        merge(CONTACTS, before, drop=drop)
    assert refused.value.permanent


def test_a_listing_of_which_nothing_can_be_used_removes_nothing() -> None:
    before = first(ENTRIES, entry("1"))
    with pytest.raises(UpstreamError, match="the listing of time entries has no record that can be used, while 1 are"):
        merge(ENTRIES, before, entry("1", at=None))


@pytest.mark.parametrize("name", LISTINGS)
def test_an_empty_listing_is_fine_while_nothing_is_on_hand(name: str) -> None:
    assert merge(name, first(name)).frame.is_empty()
    assert merge(name, None).frame.is_empty()


def test_a_listing_that_lost_half_its_devices_changes_nothing() -> None:
    before = first(DEVICES, *(device(str(number)) for number in range(10)))
    with pytest.raises(UpstreamError) as refused:
        merge(DEVICES, before, *(device(str(number)) for number in range(5)), drop=Decimal("0.2"))
    assert str(refused.value) == (
        "5 of 10 devices are missing from the listing, more than the share of 0.2: nothing was changed; if they are "
        "really gone, allow it once with a larger BILLING_CLIENTS_LARGEST_DROP (a share like 0.2)"
    )
    assert refused.value.permanent


def test_a_drop_of_exactly_the_share_is_taken() -> None:
    before = first(DEVICES, *(device(str(number)) for number in range(10)))
    found = merge(DEVICES, before, *(device(str(number)) for number in range(2, 10)), drop=Decimal("0.2"))
    assert found.removed == 2


def test_what_was_removed_before_does_not_count_for_the_drop() -> None:
    gone = merge(DEVICES, first(DEVICES, *map(device, "123456")), device("6"), drop=ALL)
    with pytest.raises(UpstreamError, match="1 of 2 devices"):
        merge(DEVICES, merge(DEVICES, gone, device("6"), device("7")), device("7"), drop=Decimal("0.2"))


def test_new_records_do_not_make_up_for_missing_ones() -> None:
    before = first(COMPANIES, company("1"), company("2"))
    with pytest.raises(UpstreamError, match="2 of 2 companies"):
        merge(COMPANIES, before, company("3"), company("4"), company("5"), drop=Decimal("0.5"))


def test_a_record_that_cannot_be_used_keeps_what_is_on_hand_of_it() -> None:
    before = first(ENTRIES, entry("1", worked="2:00"), entry("2"))
    found = merge(ENTRIES, before, entry("1", worked="oops"), entry("2"), drop=Decimal(0))
    assert counts(found) == (0, 0, 0, 0)
    assert found.frame["worked"][0] == timedelta(hours=2)
    assert removed_at(found) == {"1": None, "2": None}


def test_clients_that_share_an_account_by_mistake_are_kept_as_they_were() -> None:
    before = first(COMPANIES, company("1", plan="Gold"), company("2"))
    found = merge(COMPANIES, before, company("1", plan="Gold"), company("1", plan="Silver"), company("2"))
    assert counts(found) == (0, 0, 0, 0)
    assert found.frame["plan"][0] == "Gold"


def test_a_volume_that_cannot_be_read_keeps_the_last_one_known() -> None:
    before = first(VOLUMES, volume("1", "1000"), volume("2", "1000"))
    found = merge(VOLUMES, before, volume("1", "n/a"), volume("2", "0"), volume("3", "n/a"))
    assert found.frame["bytes"].to_list() == [1000, 0, None]
    assert counts(found) == (1, 1, 0, 0)


def test_a_contact_that_left_one_of_its_clients_is_removed_there_only() -> None:
    before = first(CONTACTS, contact(account="100"), contact(account="200"), contact(account=None))
    found = merge(CONTACTS, before, contact(account="200"), contact(account=None))
    assert removed_at(found, "account") == {None: None, "100": TUESDAY, "200": None}


def test_two_sources_may_use_the_same_id() -> None:
    before = first(DEVICES, device("1", source="datto"), device("1", source="folder"))
    found = merge(DEVICES, before, device("1", source="folder"))
    assert found.frame.select("source", "removed_at").rows() == [("datto", TUESDAY), ("folder", None)]


def test_times_are_kept_in_utc_wherever_they_were_taken() -> None:
    noon = TUESDAY.astimezone(timezone(timedelta(hours=2)))
    found = merge(DEVICES, first(DEVICES, device("1"), device("2")), device("2"), at=noon)
    assert found.frame.select("removed_at", "pulled_at").row(0) == (TUESDAY, TUESDAY)


def test_a_frame_of_another_shape_is_our_own_mistake() -> None:
    with pytest.raises(BillingError, match="does not have its declared shape"):
        merged(DEVICES, pl.DataFrame({"source": ["x"]}), listed(DEVICES).frame, MONDAY, complete=True)


def read(before: Merged, tickets: list[str] | None, *records: Texts, drop: Decimal = ALL) -> Merged:
    found = listed(ENTRIES, *records)
    return merged_entries(before.frame, found.frame, tickets, TUESDAY, largest_drop=drop, left_out=found.left_out)


TICKETS = (entry("1", ticket_id="7"), entry("2", ticket_id="7"), entry("3", ticket_id="8"), entry("4", ticket_id=None))


def test_the_entries_that_a_read_ticket_no_longer_has_are_removed_and_those_of_other_tickets_stay() -> None:
    found = read(first(ENTRIES, *TICKETS), ["7"], TICKETS[0])
    assert (counts(found), removed_at(found)) == ((0, 0, 1, 0), {"1": None, "2": TUESDAY, "3": None, "4": None})


def test_a_read_ticket_may_have_no_entry_left() -> None:
    assert removed_at(read(first(ENTRIES, *TICKETS), ["8"])) == {"1": None, "2": None, "3": TUESDAY, "4": None}


def test_no_ticket_read_changes_nothing() -> None:
    assert counts(read(first(ENTRIES, *TICKETS), [])) == (0, 0, 0, 0)


def test_an_entry_of_a_read_ticket_is_added_changed_and_returns() -> None:
    before = read(first(ENTRIES, *TICKETS), ["8"])
    found = read(before, ["7", "8"], entry("1", worked="9:00"), TICKETS[1], TICKETS[2], entry("5", ticket_id="8"))
    assert counts(found) == (1, 1, 0, 1)
    assert found.frame["worked"][0] == timedelta(hours=9)


def test_an_entry_that_moved_to_a_ticket_that_was_read_is_there() -> None:
    found = read(first(ENTRIES, *TICKETS), ["7", "8"], TICKETS[0], entry("2", ticket_id="8"), TICKETS[2])
    assert (counts(found), found.frame["ticket_id"].to_list()) == ((0, 1, 0, 0), ["7", "8", "8", None])


def test_an_entry_of_a_read_ticket_that_cannot_be_used_stays_as_it_was() -> None:
    found = read(first(ENTRIES, *TICKETS), ["7"], TICKETS[0], entry("2", ticket_id="7", at="?"))
    assert (counts(found), removed_at(found)["2"]) == ((0, 0, 0, 0), None)


def test_read_tickets_that_lost_too_many_entries_change_nothing() -> None:
    with pytest.raises(UpstreamError, match="3 of 4 time entries are missing"):
        read(first(ENTRIES, *TICKETS), ["7", "8"], drop=Decimal("0.5"))


def test_entries_of_a_complete_listing_that_it_lacks_are_removed() -> None:
    found = read(first(ENTRIES, *TICKETS), None, *TICKETS[:3])
    assert removed_at(found) == {"1": None, "2": None, "3": None, "4": TUESDAY}


def test_a_complete_listing_of_entries_that_is_empty_changes_nothing() -> None:
    with pytest.raises(UpstreamError, match="while 4 are on hand"):
        read(first(ENTRIES, *TICKETS), None)
