"""Unbilled hours in an installation: findings live, people are told once, missing data halts and changes nothing."""

from datetime import timedelta
from functools import partial

import polars as pl
import pytest

from billing_pipeline.cli.unbilled_health import unbilled_findings
from billing_pipeline.resources.database.finding_tables import finding_events, finding_runs, findings
from billing_pipeline.resources.findings import dispose
from billing_pipeline.resources.outputs import output_files
from billing_pipeline.resources.unbilled_folder import HaltError
from billing_pipeline.settings import load_settings
from tests.unbilled_office import UnbilledOffice, log, the_office

__all__ = ["the_office"]
EXAMPLE = [  # of the specification
    log(101, "P001", "8"),
    log(102, "P001", "4", activity="Non-Billable"),
    log(103, "P002", "7.5"),
    log(104, "P002", "6"),
    log(105, "P001", "2"),
    log(106, "P003", "8"),
    log(107, "P002", "3"),
    log(110, "", "2"),
]
MORE = [log(108, "P001", "5"), log(109, "P002", "4")]


def test_the_worked_example_alerts_each_project_once_when_it_crosses_and_when_it_grows(office: UnbilledOffice) -> None:
    first = office.look(*EXAMPLE)
    assert [(one["project_id"], one["hours"], one["amount"], one["alert"]) for one in first["summary"]] == [
        ("P002", "16.50", "1980.00", True),
        ("P001", "10.00", "1500.00", False),
    ]
    (told,) = office.told()
    assert "1,980.00  P002 Global Commerce: above its threshold" in told
    second = office.look(*EXAMPLE, *MORE)
    assert [(one["project_id"], one["amount"]) for one in second["alerts"]] == [
        ("P002", "2460.00"),
        ("P001", "2250.00"),
    ]
    assert len(office.told()) == 2
    assert "2,250.00  P001 TechSolutions Inc.: above its threshold" in office.told()[1]
    assert "P002" not in office.told()[1]  # grew by 480.00, less than a step


def test_the_same_alert_is_never_told_twice_not_even_after_a_restart(office: UnbilledOffice) -> None:
    office.look(*EXAMPLE)
    for _ in range(3):
        office.look()
    assert len(office.told()) == 1
    office.look(*EXAMPLE, log(111, "P002", "4.5"))  # 1,980.00 + 540.00
    assert "2,520.00  P002 Global Commerce: grew, 1,980.00 when last told" in office.told()[1]
    office.look()
    assert len(office.told()) == 2


def test_what_is_invoiced_is_told_as_settled_and_its_finding_resolves(office: UnbilledOffice) -> None:
    office.look(*EXAMPLE)
    invoiced = [row if row[1] != "P002" else (*row[:5], "Invoiced", row[6]) for row in EXAMPLE]
    office.look(*invoiced)
    assert "P002 Global Commerce: settled, 1,980.00 when last told" in office.told()[1]
    states = {(row.category, row.payload["project_id"]): row.status for row in office.stored(findings)}
    assert states["TIME_LEAKAGE", "P002"] == "RESOLVED"
    assert states["TIME_LEAKAGE", "P001"] == "ONGOING"
    office.look(*EXAMPLE)
    assert {row.status for row in office.stored(findings) if row.payload["project_id"] == "P002"} == {"REOPENED"}
    assert "P002 Global Commerce: above its threshold" in office.told()[2]


def test_a_finding_has_the_history_of_its_amount(office: UnbilledOffice) -> None:
    office.look(*EXAMPLE)
    office.look()
    office.look(*EXAMPLE, *MORE)
    amounts = [
        (row.old, row.new) for row in office.stored(finding_events) if row.sheet_id == "P001" and "LEAK" in row.column
    ]
    assert amounts == [(None, "1500.00"), ("1500.00", "2250.00")]
    assert len(office.stored(finding_runs)) == 3


def test_a_missing_or_empty_feed_halts_keeps_the_figures_and_marks_them_stale(office: UnbilledOffice) -> None:
    before = office.look(*EXAMPLE)
    known = office.stored(findings)
    (office.feeds / "time_logs.csv").unlink()
    with pytest.raises(HaltError, match="HALT: time logs are missing"):
        office.look()
    halted = office.published()
    assert halted["stale"]["since"] == "2026-02-10T09:05:00+00:00"
    assert "HALT" in halted["stale"]["reason"]
    assert {**halted, "stale": None} == before
    office.write()
    with pytest.raises(HaltError, match="HALT: time logs are empty"):
        office.look()
    assert office.published()["stale"]["since"] == "2026-02-10T09:05:00+00:00"  # since it was halted first
    assert office.stored(findings) == known
    assert office.look(*EXAMPLE)["stale"] is None


def test_the_doctor_says_how_fresh_the_figures_are_and_why_not(office: UnbilledOffice) -> None:
    def told(hours: float = 0) -> list[tuple[str, str]]:
        outputs = output_files(office.outputs, office.data)
        found = unbilled_findings(load_settings(), outputs, office.now + timedelta(hours=hours))
        return [(one.state, one.found) for one in found]

    assert told() == []
    office.write(*EXAMPLE)
    assert [state for state, _ in told()] == ["note"]
    office.look()
    assert told(1) == [("fine", "3480.00 not invoiced, 1 alerts, 1 hour ago")]
    assert [state for state, _ in told(30)] == ["attention"]
    (office.feeds / "time_logs.csv").unlink()
    with pytest.raises(HaltError):
        office.look()
    ((state, found),) = told()
    assert (state, "HALT: time logs are missing" in found) == ("attention", True)


def test_an_installation_without_any_time_halts(office: UnbilledOffice) -> None:
    with pytest.raises(HaltError, match="there are no time logs"):
        office.look()
    assert not (office.outputs / "unbilled").exists()


def test_a_digest_tells_how_things_stand_once_a_day(office: UnbilledOffice) -> None:
    office.look(*EXAMPLE)
    office.look(digest=True)
    office.look(digest=True)
    _, digest = office.told()
    assert digest.startswith("☀️ Unbilled hours on 2026-02-10")
    assert "Not invoiced: 3,480.00 in 26.50 hours" in digest
    assert "In quarantine: 1 log, 2 hours" in digest


def test_a_log_in_quarantine_stays_until_it_is_mended_or_waived(office: UnbilledOffice) -> None:
    office.look(*EXAMPLE)
    (aside,) = (row for row in office.stored(findings) if row.category == "QUARANTINE")
    assert (aside.payload["log_id"], aside.payload["owner"], aside.status) == ("110", "E110", "NEW")
    waive = partial(
        dispose, capability="unbilled", key=aside.finding_key, disposition="Waived", by="ada", at=office.now
    )
    office.database.run(waive)
    office.look()
    assert [row.status for row in office.stored(findings) if row.category == "QUARANTINE"] == ["RESOLVED"]


def test_every_log_is_in_one_state_and_what_is_logged_is_the_sum_of_all(office: UnbilledOffice) -> None:
    balance = office.look(*EXAMPLE)["balance"]
    assert {state: (one["rows"], one["hours"], one["amount"]) for state, one in balance.items()} == {
        "billed": (0, "0.00", "0.00"),
        "unbilled": (5, "26.50", "3480.00"),
        "excluded": (2, "12.00", "0.00"),
        "quarantined": (1, "2.00", "0.00"),
        "logged": (8, "40.50", "3480.00"),
    }
    judged = pl.read_parquet(office.data / "frames" / "judged_time" / "latest.parquet")
    assert judged.height == len(EXAMPLE)
