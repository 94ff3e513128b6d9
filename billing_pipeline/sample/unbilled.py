"""The sample's time logs and contracts: eight projects of invented consultants, each with something to find or nothing.

What belongs here: which hours there are. What does not: bytes on disk (`files`).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from billing_pipeline.sample.client_inventory import Row
from billing_pipeline.sample.files import csv_bytes

LOGS, CONTRACTS = "time_logs.csv", "contracts.csv"
_PEOPLE = ("E-14", "E-22", "E-31", "E-47")
_FIRST_DAY, _WEEKS = date(2026, 1, 5), 26
_INVOICED_UNTIL = date(2026, 5, 31)
_LOG = (
    "Log_ID", "Project_ID", "Employee_ID", "Hours", "Activity_Type", "Invoicing_Status", "Expense_Check", "Work_Date",
    "Expense_Amount",
)  # fmt: skip
_CONTRACT = (
    "Project_ID", "Client_Name", "Client_Rate_per_Hour", "Billing_Model", "Reimbursable_Limit", "Max_FP_Hours",
    "Contract_Start_Date", "Contract_End_Date",
)  # fmt: skip
_PROJECTS = (  # id, client, rate, model, limit of expenses, contracted hours, end
    ("P-101", "TechSolutions Inc.", "150.00", "T&M", "500.00", "", ""),
    ("P-102", "Global Commerce", "120.00", "T&M", "300.00", "", ""),
    ("P-103", "Innovation Hub", "180.00", "Fixed-Price", "", "120", ""),
    ("P-104", "Harborview Dental Partners", "95.50", "T&M", "", "", "2026-05-31"),  # work goes on after its end
    ("P-105", "Northwind Logistics", "", "T&M", "", "", ""),  # no rate was agreed
    ("P-106", "Prairie Electric Cooperative", "135.00", "T&M", "250.00", "", ""),
    ("P-107", "Sandstone Realty", "110.00", "T&M", "", "", ""),
    ("P-108", "Bluebird Bakery", "88.25", "T&M", "", "", ""),
)


def unbilled_files(folder: Path) -> dict[Path, bytes]:
    """Both feeds of unbilled hours; the same bytes every time."""
    contracts = (dict(zip(_CONTRACT, (*row[:6], "2026-01-01", row[6]), strict=True)) for row in _PROJECTS)
    return {folder / LOGS: csv_bytes(_LOG, _logs()), folder / CONTRACTS: csv_bytes(_CONTRACT, contracts)}


def _logs() -> Iterator[Row]:
    """A day a week in each project; what was worked by the end of May is invoiced, but for one forgotten month."""
    number = 1000
    for week in range(_WEEKS):
        for place, (project, *_) in enumerate(_PROJECTS):
            day = _FIRST_DAY + timedelta(weeks=week, days=place % 5)
            number += 1
            yield _log(number, project, day, f"{4 + (week + place) % 5}.{(week % 4) * 25:02}", place + week)
    yield _log(9001, "P-101", date(2026, 6, 12), "6", 1, activity="Non-Billable")
    yield {**_log(9002, "P-102", date(2026, 6, 15), "2", 2), "Expense_Check": "true", "Expense_Amount": "418.70"}
    yield _log(9003, "", date(2026, 6, 16), "3.5", 3)  # nobody said for which project
    yield _log(9004, "P-199", date(2026, 6, 17), "4", 0)  # a project without a contract
    yield _log(9005, "P-106", date(2026, 6, 18), "7,5 h", 1)  # cannot be read
    yield _log(9006, "P-107", date(2026, 6, 19), "5", 2, status="Written-Off")
    yield _log(9006, "P-107", date(2026, 6, 19), "5", 2)  # the same id again


def _log(
    number: int, project: str, day: date, hours: str, person: int, *, activity: str = "Billable", status: str = ""
) -> Row:
    forgotten = project == "P-106" and day.month == 3
    invoiced = day <= _INVOICED_UNTIL and not forgotten
    return {
        "Log_ID": f"{number}",
        "Project_ID": project,
        "Employee_ID": _PEOPLE[person % len(_PEOPLE)],
        "Hours": hours,
        "Activity_Type": activity,
        "Invoicing_Status": status or ("Invoiced" if invoiced else "Logged"),
        "Expense_Check": "false",
        "Work_Date": f"{day}",
        "Expense_Amount": "",
    }
