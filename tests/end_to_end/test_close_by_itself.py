"""The real daemon watches a folder: what is dropped there is billed once, waits when people are asked, and is told."""

import csv
import time
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation, content
from tests.literals import company

IMPORT = "gep_netsuite/gep_netsuite_invoice_import_{}.csv"


def amounts(path: Path) -> dict[str, str]:
    """Amount by invoice and description."""
    with path.open(newline="") as file:
        return {f"{row['Invoice External ID']} {row['Description']}": row["Amount"] for row in csv.DictReader(file)}


@pytest.mark.timeout(300)
def test_files_are_billed_as_they_come(installation: Installation) -> None:
    """Renamed into place, slowly written, copied, replaced, broken and mended, with questions: all at once."""
    there = installation
    with there.daemon():
        there.drop("2026-01")
        there.drop("2025-11", company(1, FIRST_BILLABLE_ACTIVITY_DATE=""), company(2))
        broken = there.usage_dir / "2026.04_usage.csv"
        broken.write_bytes(b"FOR_MONTH,PARTNER_ID\n2026-04-01\n")
        slow, whole = there.usage_dir / "2026.02_usage.csv", content("2026-02", *map(company, range(1, 41)))
        for end in range(0, len(whole), len(whole) // 6):
            slow.write_bytes(whole[: end + 1])
            time.sleep(1.5)
        slow.write_bytes(whole)

        there.until(lambda: there.state("2025-11") == "in_review")
        assert there.command("review", "decide", "--month", "2025-11", "--flag", "missing_fba_0", "--action", "remove",
                             "--by", "Ada", "--reason", "left in May").returncode == 0  # fmt: skip
        assert there.command("review", "approve", "--month", "2025-11", "--by", "Bea").returncode == 0
        there.until(lambda: there.state("2026-01") == "published")
        sent = (there.outputs / IMPORT.format("2026.01")).read_bytes()
        there.drop("2026-01", company(1, PARTNER_ID="101", TOTAL_INDIVIDUAL_USERS="7"))
        there.until(lambda: "🚨" in "".join(there.notices()))
        there.drop("2026-04")
        there.until(lambda: there.state("2026-02") == "published")
        (there.usage_dir / "2026.02_copy.csv").write_bytes(whole)

        there.until(lambda: there.state("2026-01") == "rebill_waiting")
        assert there.command("publish", "--month", "2026-01", "--by", "Ada").returncode == 0
        there.until(lambda: there.state("2025-11") == there.state("2026-04") == "published")
        there.until(lambda: any("skipped" in text for text in there.notices()))
        there.until(lambda: not there.undelivered())

    assert {month: [one.number for one in there.releases(month)] for month in MONTHS} == {
        "2025-11": [1], "2026-01": [1, 2], "2026-02": [1], "2026-04": [1],
    }  # fmt: skip
    assert amounts(there.outputs / IMPORT.format("2026.02"))["INV-GEP-202602-101 Individual Users"] == "200.00"
    assert (there.outputs / IMPORT.format("2026.01")).read_bytes() == sent
    assert amounts(there.outputs / "gep_netsuite/gep_netsuite_adjustments_2026.01_r2.csv") == {
        "INV-GEP-202601-101-R2 Individual Users": "2.00"
    }
    told = there.notices()
    assert sum("January 2026 is published" in text for text in told) == 1
    assert sum("RE-BILL: January 2026" in text for text in told) == 1
    assert sum("April 2026 could not be billed" in text for text in told) == 1
    assert there.half_written() == []


MONTHS = ("2025-11", "2026-01", "2026-02", "2026-04")
