"""An accrual and its variance by the real daemon alone: the day comes, the usage comes, nobody touches anything."""

import csv
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.resources import releases
from billing_pipeline.resources.releases import Release
from tests.end_to_end.installation import Installation
from tests.literals import company


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(300)
def test_last_month_s_usage_is_accrued_on_its_day_and_explained_when_the_bill_comes(tmp_path: Path) -> None:
    """Last month's usage -> this month's accrual by the schedule -> this month's usage -> bill -> variance."""
    now = datetime.now(UTC)
    soon = now + timedelta(seconds=100)  # its whole minute is 41 to 100 s away: the daemon is up before it comes
    there = Installation(tmp_path, accrual_day=1, accrual_time=f"{soon:%H:%M}")
    month = Period.of(soon.date())

    def accruals() -> list[Release]:
        return there.database.run(partial(releases.releases_of, period=month, capability="accruals"))

    there.drop(month.previous.key, company(1), company(2, PARTNER_ID="102", PARTNER_NAME="Birch"))
    variance = there.outputs / "gep_accrual" / f"variance_{month.compact}.csv"
    with there.daemon():
        there.until(lambda: there.state(month.previous.key) == "published", 120)
        there.until(lambda: [one.state for one in accruals()] == ["published"], 150)
        there.drop(month.key, company(1, TOTAL_INDIVIDUAL_USERS="9"), company(3))
        there.until(variance.exists, 120)
        there.until(lambda: any("accrual against actual bill" in text for text in there.notices()), 60)
        there.until(lambda: not there.undelivered())
    assert [one["Debit"] for one in table(there.outputs / f"gep_accrual/gep_accrual_JE_{month.compact}.csv")] == [
        "15.00", "0.00", "15.00", "0.00",
    ]  # fmt: skip
    rows = table(variance)
    assert [(row["Customer"], row["Variance"]) for row in rows] == [
        ("Customer 101", "19.00"), ("Customer 102", "-15.00"), ("TOTAL", "4.00"),
    ]  # fmt: skip
    parts = {name: value for name, value in rows[-1].items() if name not in list(rows[-1])[:6] and value != "0.00"}
    assert parts == {"New_companies": "15.00", "Lost_companies": "-15.00", "Volume": "4.00"}
    assert [run.status.value for run in there.runs(**{"billing/cause": "schedule"})] == ["SUCCESS"]
    told = there.notices()
    assert [sum(text in one for one in told) for text in ("is accrued", "accrual against actual bill")] == [1, 1]
    assert there.leftovers() == []
