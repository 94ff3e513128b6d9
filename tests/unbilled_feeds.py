"""The worked example of unbilled hours (spec 3) as files, and what tests change of it."""

import csv
from collections.abc import Iterable
from pathlib import Path

LOG_TITLES = ("Log_ID", "Project_ID", "Employee_ID", "Hours", "Activity_Type", "Invoicing_Status", "Expense_Check")
CONTRACT_TITLES = (
    "Project_ID", "Client_Name", "Client_Rate_per_Hour", "Billing_Model", "Reimbursable_Limit", "Max_FP_Hours",
)  # fmt: skip
CONTRACTS = (
    ("P001", "TechSolutions Inc.", "150.00", "T&M", "500.00", ""),
    ("P002", "Global Commerce", "120.00", "T&M", "1000.00", ""),
    ("P003", "Innovation Hub", "180.00", "Fixed-Price", "", "100"),
)
Row = tuple[str, ...]


def log(number: int | str, project: str, hours: str, activity: str = "Billable", status: str = "Logged") -> Row:
    """A time log of employee E7 without an expense."""
    return (str(number), project, "E7", hours, activity, status, "false")


FIRST = (
    log(101, "P001", "8"),
    log(102, "P001", "4", "Non-Billable"),
    log(103, "P002", "7.5"),
    log(104, "P002", "6"),
    log(105, "P001", "2"),
    log(106, "P003", "8"),
    log(107, "P002", "3"),
    log(110, "", "2"),
)
ARRIVED = (log(108, "P001", "5"), log(109, "P002", "4"))


def write(path: Path, titles: Iterable[str], rows: Iterable[Row]) -> Path:
    """A CSV file that appears whole: a watch never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([tuple(titles), *rows])
    return temporary.replace(path)


def logs(folder: Path, *rows: Row) -> Path:
    """The folder's time logs."""
    return write(folder / "time_logs.csv", LOG_TITLES, rows)


def contracts(folder: Path, *rows: Row) -> Path:
    """The folder's contracts."""
    return write(folder / "contracts.csv", CONTRACT_TITLES, rows)
