"""`audit book`: a run that changes what was billed is noticed, until the change is sent, taken back or accepted."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.resources import outbox
from tests.client_office import JUNE, Office, device, office
from tests.installed import Installed
from tests.months import Said

__all__ = ["office"]


@pytest.fixture
def january(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installed:
    """January 2026, released: 15.00 for each of two partners."""
    installed = Installed(tmp_path, monkeypatch, capsys)
    installed.released()
    return installed


def looked(where: Any, *more: object) -> tuple[int, list[tuple[str, str, str, str]]]:
    """Exit code and open findings: status, category, dollars, who."""
    said: Said = where.run("audit", "book", "--json", *more)
    assert said.out, said.err
    found = said.document["findings"]
    return said.code, [(one["status"], one["category"], one["dollars"], one["work_request"]) for one in found]


def charge(office: Office, amount: int) -> None:
    """Bill June again with another rate of workstations."""
    office.book(settings=[{"account": "A", "per_workstation_cost": amount}])
    office.bill(JUNE, "--pull", "book")


# Usage billing


def test_a_released_month_that_nobody_ran_again_is_clean(january: Installed) -> None:
    assert looked(january) == (0, [])


def test_a_draft_that_changes_a_released_month_is_told_once_and_stays_open(january: Installed) -> None:
    january.users(9)
    january.close()
    before = len(january.kinds())
    assert looked(january) == (3, [("NEW", "CHARGE_CHANGED", "4.00", "Customer 101")])
    assert january.kinds()[before:] == ["audit"]
    assert "Our own book: 1 charge changed, 0 settled" in january.last_notice()
    assert "was 5.00 in run" in january.last_notice()
    assert looked(january) == (3, [("ONGOING", "CHARGE_CHANGED", "4.00", "Customer 101")])
    assert january.kinds()[before:] == ["audit"]


def test_a_draft_that_changes_again_is_another_finding(january: Installed) -> None:
    january.users(9)
    january.close()
    looked(january)
    january.users(9, 6)
    january.close()
    assert looked(january) == (
        3, [("ONGOING", "CHARGE_CHANGED", "4.00", "Customer 101"), ("NEW", "CHARGE_CHANGED", "1.00", "Customer 102")]
    )  # fmt: skip


def test_a_change_that_is_released_is_resolved(january: Installed) -> None:
    january.users(9)
    january.close()
    looked(january)
    assert january.publish().code == 0
    assert looked(january) == (0, [])


def test_a_change_that_is_taken_back_is_resolved(january: Installed) -> None:
    january.users(9)
    january.close()
    looked(january)
    january.users(5)
    january.close()
    assert looked(january) == (0, [])


def test_a_release_that_is_void_leaves_nothing_to_be_changed(january: Installed) -> None:
    january.users(9)
    january.close()
    looked(january)
    assert january.run("void", "--month", "2026-01", "--reason", "wrong export", "--by", "Ana").code == 0
    assert looked(january) == (0, [])


def test_one_month_is_looked_at_when_it_is_named(january: Installed) -> None:
    january.users(9)
    january.close()
    assert looked(january, "--month", "2025-12") == (0, [])
    assert looked(january, "--month", "2026-01")[0] == 3


def test_a_set_that_cannot_be_read_is_not_verified_and_its_findings_stay(january: Installed) -> None:
    january.users(9)
    january.close()
    looked(january)
    january.users(5)
    january.close()
    (folder,) = january.sets()
    rows = folder / "priced_rows.parquet"
    rows.rename(folder / "elsewhere")
    code, found = looked(january)
    assert (code, found) == (4, [("ONGOING", "CHARGE_CHANGED", "4.00", "Customer 101")])
    (folder / "elsewhere").rename(rows)
    assert looked(january) == (0, [])


# Client bills


def test_an_accepted_bill_that_would_come_to_another_amount_is_found_and_settled_by_a_new_invoice(
    office: Office,
) -> None:
    office.listing("devices", device(1))
    office.bill()
    office.accept()
    assert looked(office) == (0, [])
    charge(office, 60)
    assert looked(office) == (3, [("NEW", "CHARGE_CHANGED", "10.00", "A")])
    charge(office, 60)
    assert looked(office) == (3, [("ONGOING", "CHARGE_CHANGED", "10.00", "A")])
    office.void("A-202606")
    office.bill(JUNE, "--pull", "never")
    office.accept()
    assert looked(office) == (0, [])


def test_a_draft_that_changed_stays_open_until_it_is_accepted(office: Office) -> None:
    office.listing("devices", device(1))
    office.bill()
    charge(office, 60)
    assert looked(office) == (3, [("NEW", "CHARGE_CHANGED", "10.00", "A")])
    charge(office, 60)
    assert looked(office) == (3, [("ONGOING", "CHARGE_CHANGED", "10.00", "A")])
    office.accept()
    assert looked(office) == (0, [])


def test_two_runs_between_two_looks_hide_nothing(office: Office) -> None:
    office.listing("devices", device(1))
    office.bill()
    looked(office)
    charge(office, 60)
    charge(office, 60)
    assert looked(office) == (3, [("NEW", "CHARGE_CHANGED", "10.00", "A")])


def test_a_device_that_came_and_one_that_went_are_found(office: Office) -> None:
    office.listing("devices", device(1), *(device(number) for number in range(3, 9)))
    office.bill()
    looked(office)
    office.listing("devices", device(2), *(device(number) for number in range(3, 9)))
    office.bill(JUNE, "--pull", "always")
    assert sorted(looked(office)[1]) == [
        ("NEW", "CHARGE_ADDED", "50.00", "A"), ("NEW", "CHARGE_REMOVED", "50.00", "A"),
    ]  # fmt: skip


def test_a_run_set_that_is_gone_is_told_by_the_archive(office: Office) -> None:
    office.listing("devices", device(1))
    office.bill()
    office.accept()
    (accepted,) = (office.outputs / "runs" / "clients" / JUNE).iterdir()
    charge(office, 60)
    shutil.rmtree(accepted)
    assert looked(office) == (3, [("NEW", "CHARGE_CHANGED", "10.00", "A")])


def test_a_finding_that_is_accepted_is_closed_with_its_reason_and_the_same_change_again_is_a_new_one(
    office: Office,
) -> None:
    office.listing("devices", device(1))
    office.bill()
    charge(office, 60)
    (finding,) = office.run("audit", "book", "--json").document["findings"]
    wrong = office.run("audit", "book", "--accept", finding["finding_key"], "--by", "Ada")
    assert (wrong.code, "--reason" in wrong.err) == (2, True)
    assert looked(office, "--accept", finding["finding_key"], "--reason", "new price", "--by", "Ada") == (0, [])
    charge(office, 50)
    assert [one[0] for one in looked(office)[1]] == ["NEW"]


def test_the_table_shows_what_is_open(office: Office) -> None:
    office.listing("devices", device(1))
    office.bill()
    charge(office, 60)
    said = office.run("audit", "book")
    assert said.code == 3
    assert "2026-06, A: device of host-1 was 50.00 in run" in said.err
    assert "1 open findings, 10.00 at stake" in said.err
    assert [notice.kind for notice in office.database.run(outbox.waiting)] == ["audit"]


def test_an_installation_without_a_month_is_clean(office: Office) -> None:
    said = office.run("audit", "book", "--json")
    assert (said.code, json.loads(said.out)["places"]) == (0, [])
