"""`python -m benchmarks.unbilled_alert`: from a changed time log to the alert, through the real daemon.

What belongs here: one installation on SQLite, a change a round. What does not: how fast the figures are made
(`benchmarks.unbilled`).
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from tests.end_to_end.installation import Installation

_ROUNDS = 5
_LOGS = "Log_ID,Project_ID,Hours,Activity_Type,Invoicing_Status\n"
_CONTRACTS = "Project_ID,Client_Name,Client_Rate_per_Hour,Billing_Model\n"


def main() -> None:
    """Let a project a round cross its threshold, and print what each took."""
    with tempfile.TemporaryDirectory(prefix="billing-unbilled-", ignore_cleanup_errors=True) as name:
        there = Installation(Path(name) / "installation")
        feeds = there.data / "unbilled"
        feeds.mkdir(parents=True)
        projects = [f"P{number},Client {number},100.00,T&M\n" for number in range(_ROUNDS)]
        (feeds / "contracts.csv").write_text(_CONTRACTS + "".join(projects))
        _write(feeds, 0)
        summary = there.outputs / "unbilled" / "unbilled_summary.json"
        with there.daemon():
            there.until(summary.exists)
            rounds = []
            for number in range(1, _ROUNDS + 1):
                time.sleep(7 + 1.3 * number)  # another moment between two looks each time
                _write(feeds, number)
                begun = time.monotonic()
                there.until(lambda count=number: _told(there) == count)  # type: ignore[misc]
                rounds.append(time.monotonic() - begun)
    print(f"{', '.join(f'{seconds:.1f}' for seconds in rounds)} s from the change to the alert")
    print(f"median {median(rounds):.1f} s")


def _write(feeds: Path, above: int) -> None:
    """Every project has 10 hours, the first `above` of them 20."""
    rows = [f"{number},P{number},{20 if number < above else 10},Billable,Logged\n" for number in range(_ROUNDS)]
    temporary = feeds / "time_logs.csv.tmp"
    temporary.write_text(_LOGS + "".join(rows))
    temporary.replace(feeds / "time_logs.csv")


def _told(there: Installation) -> int:
    return sum("above its threshold" in text for text in there.texts())


if __name__ == "__main__":
    main()
