"""Recorded upstream records: what the reference made of them, and beside it what we make of them where that differs.

Ours follows the verdicts of the spec's section 5. The reference's codes of ticket states (up-05) belong to
a vendor's door.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.managed_services import contract_end
from billing_pipeline.engine.managed_services.listings import billed_type
from billing_pipeline.engine.managed_services.merging import Merged, merged_entries
from billing_pipeline.engine.managed_services.pulled import COMPANIES, DEVICES, ENTRIES, VOLUMES
from tests.engine.managed_services.listings import Texts, device, entry, listed, volume

CASES = Path(__file__).parent / "managed-services"


def case(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CASES / f"{name}.json").read_bytes())
    return document


def text(value: Any) -> str | None:
    return None if value is None else str(value)


OUR_HOURS = {  # spec 5, Q14: read exactly, and what cannot be read is left out and told, never a guess
    ("00:90",): 0.0,
    ("1:5",): 0.0,
    ("-01:30",): 0.0,
    ("90",): 90.0,  # decimal hours, as people write them in a folder's file
    ("01.5",): 1.5,
}
TOLD = {("00:90",), ("1:5",), ("-01:30",), ("bad",), ("bad", "02:00"), ("01:30:00:00",), ("",), (None,)}


@pytest.mark.parametrize("recorded", case("up-01-time-entries")["cases"], ids=str)
def test_time_entries_come_to_the_hours_of_a_ticket(recorded: dict[str, Any]) -> None:
    spent = tuple(recorded.get("time_spent", (None,)))
    found = listed(ENTRIES, *(entry(str(number), worked=one) for number, one in enumerate(spent)))
    hours = OUR_HOURS.get(spent, recorded["total_hours"])
    assert (found.frame["worked"].sum() or timedelta()) == timedelta(milliseconds=round(hours * 3_600_000))
    assert found.problems.height == (spent in TOLD)


OUR_BYTES = {  # spec 5, Q5: whole bytes; what is no number keeps the last volume known
    "1": 1,
    "5497558138": 5_497_558_138,
    "5497558139": 5_497_558_139,
    "1,099,511,627,776": 1_099_511_627_776,
    "1.5e12": None,
    "abc": None,
    "-5": None,
}


@pytest.mark.parametrize("recorded", case("up-02-backup-bytes")["cases"], ids=lambda one: str(one["udf_value"]))
def test_a_backup_volume_is_the_bytes_that_were_told(recorded: dict[str, Any]) -> None:
    told = text(recorded["udf_value"])
    ours = OUR_BYTES.get(told, recorded["backup_data_bytes_served"]) if told else 0
    found = listed(VOLUMES, volume("d1", told))
    assert found.frame["bytes"].to_list() == [ours]
    assert found.problems.height == (ours is None)


def test_a_device_is_known_by_its_id_and_billed_by_its_category() -> None:
    given, reference = case("up-03-device")["input"], case("up-03-device")["expected"]
    found = listed(
        DEVICES,
        device(
            given["uid"],
            name=given["hostname"],
            site=given["siteName"],
            category=given["deviceType"]["category"],
        ),
    )
    row = found.frame.with_columns(billed_type(pl.col("category")).alias("billed")).row(0, named=True)
    assert (row["source_id"], row["name"]) == (reference["external_id"], reference["hostname"])
    assert (row["category"], row["billed"]) == (reference["device_type"], "Workstation")  # the reference keeps no type
    assert listed(VOLUMES, volume("u1", given["udf"]["udf6"])).frame["bytes"].to_list() == [2**40]


def department(record: dict[str, Any]) -> Texts:
    fields = record["custom_fields"]
    return {
        "account": text(fields.get("account_number")),
        "name": record["name"],
        "plan": fields.get("plan_selected"),
        "term": fields.get("contract_term"),
        "contract_start": fields.get("contract_start_date"),
    }


OUR_COMPANIES = {  # spec 5, Q20 (one spelling of terms), Q43 (29 February is clamped); a text that is no date is none
    "100009": {"contract_term_length": "1 Year", "contract_end_date": "2026-01-14"},
    "200000": {"contract_end_date": "2025-02-28"},
    "200001": {"contract_start_date": None},
}


def test_companies_have_one_spelling_of_terms_and_end_when_the_recorded_ones_do() -> None:
    document = case("up-04-companies")
    found = listed(COMPANIES, *map(department, document["input"]))
    ours = found.frame.with_columns(contract_end().alias("end"))
    expected = [one | OUR_COMPANIES.get(one["account_number"], {}) for one in document["expected"]]
    assert ours.select("account", "plan", "term", pl.col("contract_start", "end").cast(pl.String)).rows() == [
        (
            one["account_number"],
            one["billing_plan"],
            one["contract_term_length"],
            one["contract_start_date"] and one["contract_start_date"][:10],
            one["contract_end_date"],
        )
        for one in expected
    ]


def test_a_company_without_an_account_and_a_date_that_is_none_are_told() -> None:
    found = listed(COMPANIES, *map(department, case("up-04-companies")["input"]))
    assert found.problems.select("account", "record", "problem").rows() == [
        ("200001", "company 'bad'", "contract_start '15/01/2025' is not a date (YYYY-MM-DD); it counts as blank"),
        (None, "company 'noacct'", "has no account, and is left out"),
    ]


STEPS = [step["stored"] for step in case("up-06-ticket-sync")["steps"]]


def brought_up(before: Merged | None, *tickets: Texts) -> Merged:
    """Time entries after a sync that read these tickets, of one entry each."""
    entries = listed(ENTRIES, *tickets).frame
    at = datetime(2025, 10, 3, tzinfo=UTC)
    return merged_entries(before and before.frame, entries, [str(one["ticket_id"]) for one in tickets], at)


def ticket(number: int, worked: str, at: str, account: str | None = "100001", **more: str) -> Texts:
    return entry(f"e{number}", ticket_id=str(number), worked=worked, at=at, account=account) | more


def hours_of(stored: list[dict[str, Any]]) -> dict[str, tuple[str | None, timedelta]]:
    return {str(one["external_id"]): (one["company"], timedelta(hours=one["total_hours_spent"])) for one in stored}


def ours(found: Merged) -> dict[str, tuple[str | None, timedelta]]:
    there = found.frame.filter(pl.col("removed_at").is_null() & ~pl.col("deleted").fill_null(value=False))
    return {
        number: (account, worked) for number, account, worked in there.select("ticket_id", "account", "worked").rows()
    }


@pytest.fixture(name="detailed")
def after_the_first_detail_sync() -> Merged:
    return brought_up(
        None,
        ticket(1, "3:30", "2025-09-10T00:00:00Z"),
        ticket(2, "1:00", "2025-09-11T00:00:00Z"),
        ticket(3, "4:00", "2025-09-11T00:00:00Z", deleted="yes"),
        ticket(4, "2:00", "2025-09-11T00:00:00Z", None),
    )


def test_the_hours_of_a_first_sync_are_the_recorded_ones_and_a_deleted_ticket_is_marked(detailed: Merged) -> None:
    assert ours(detailed) == hours_of(STEPS[0])
    assert detailed.frame.filter("deleted")["ticket_id"].to_list() == ["3"]


def test_a_ticket_that_a_sync_did_not_read_is_never_taken_for_deleted(detailed: Merged) -> None:
    # The reference marks 2 and 4 as deleted and moves the hours of 1 to October (Q9, Q13): an entry has its own day.
    found = brought_up(detailed, ticket(1, "3:30", "2025-09-10T00:00:00Z"), ticket(5, "0:00", "2025-10-02T00:00:00Z"))
    assert (found.added, found.changed, found.removed) == (1, 0, 0)
    assert ours(found) == hours_of(STEPS[1])
    assert found.frame.filter(pl.col("ticket_id") == "1")["at"].to_list() == [datetime(2025, 9, 10, tzinfo=UTC)]


def test_a_ticket_read_again_has_the_hours_it_has_now(detailed: Merged) -> None:
    before = brought_up(detailed, ticket(1, "3:30", "2025-09-10T00:00:00Z"), ticket(5, "0:00", "2025-10-02T00:00:00Z"))
    found = brought_up(before, ticket(2, "1:15", "2025-10-03T00:00:00Z"))
    assert (found.added, found.changed, found.removed) == (0, 1, 0)
    assert ours(found) == hours_of(STEPS[2])
