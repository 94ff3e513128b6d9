"""The rules of the audit, each with the faults it has to find: the short version of `benchmarks.audit_faults`."""

import polars as pl
import pytest

from benchmarks.audit_fault_kinds import FAULTS, Fault
from benchmarks.audit_faults import Clean, clean_months, outcome


@pytest.fixture(name="clean", scope="module")
def clean_months_of_5_000_rows() -> Clean:
    return clean_months(5_400)


def test_nothing_is_found_in_clean_months(clean: Clean) -> None:
    assert clean.rows() >= 5_000
    assert clean.false_alarms().rows() == []


def test_clean_months_hold_what_looks_odd_and_is_none(clean: Clean) -> None:
    rows, edited = clean.wednesday, clean.monday["modified_at"]
    assert rows.filter(pl.col("completed") == "false").height > 20
    assert rows.filter(pl.col("rate").is_null()).height > 100
    assert rows.filter(pl.col("price").str.starts_with("$")).height > 2_000
    assert edited.filter(edited.dt.to_string("%d %H:%M:%S") == "09 04:59:59").len() > 0, "edited at the last second"


def test_at_least_forty_kinds_of_faults_are_put_in() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_nothing_beside_it(fault: Fault, clean: Clean) -> None:
    result = outcome(fault, clean, 1, seed=7)
    assert (result.found, result.beside.rows()) == (1, [])
