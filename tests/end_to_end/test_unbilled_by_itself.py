"""Unbilled hours by the real daemon alone: a time log changes, and people are told; a feed goes, and it halts."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation

TITLES = "Log_ID,Project_ID,Hours,Activity_Type,Invoicing_Status,Work_Date\n"
CONTRACTS = "Project_ID,Client_Name,Client_Rate_per_Hour,Billing_Model\nP001,TechSolutions Inc.,150.00,T&M\n"


@pytest.mark.timeout(240)
def test_a_changed_time_log_is_told_and_a_missing_feed_halts_once(tmp_path: Path) -> None:
    there = Installation(tmp_path)
    feeds = there.data / "unbilled"
    feeds.mkdir(parents=True)

    def write(*hours: str) -> None:
        rows = [f"{number},P001,{one},Billable,Logged,2026-01-05\n" for number, one in enumerate(hours)]
        temporary = feeds / "time_logs.csv.tmp"
        temporary.write_text(TITLES + "".join(rows))
        temporary.replace(feeds / "time_logs.csv")

    def published() -> dict[str, object]:
        path = there.outputs / "unbilled" / "unbilled_summary.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def told(text: str) -> int:
        return sum(text in one for one in there.texts())

    (feeds / "contracts.csv").write_text(CONTRACTS)
    write("10")
    with there.daemon():
        there.until(lambda: published().get("stale", "") is None, 120)
        assert told("above its threshold") == 0  # 1,500.00 is not above 1,500.00
        write("10", "0.5")
        there.until(lambda: told("above its threshold") == 1, 90)
        (feeds / "time_logs.csv").unlink()
        there.until(lambda: told("HALT") == 1, 90)
        there.until(lambda: published().get("stale"), 30)
        write("10", "0.5")
        there.until(lambda: published().get("stale", "") is None, 90)
    assert told("above its threshold") == 1
    assert told("HALT") == 1
    assert there.leftovers() == []
