"""The sample's audited sheets: four ledgers of invented field work, as they were billed and as they are a week later.

What belongs here: the ledgers, and what people did to them in between. What does not: bytes on disk (`files`).
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from billing_pipeline.sample.client_inventory import Row
from billing_pipeline.sample.files import csv_bytes, write_files

BEFORE = "before"
_SHEETS = ("Crew 1 North", "Crew 2 East", "Crew 3 South", "Crew 4 West")
_FIRST_WEEK, _WEEKS, _A_WEEK = date(2026, 1, 4), 4, 25  # rows of a sheet in each
_NEXT_WEEK = date(2026, 2, 1)
_FOREMEN = ("A. Whitfield", "R. Castellano", "J. Oyelaran", "M. Lindqvist")
_CODES = (  # unit code, what it is, unit of measure, dollars to install one: in whole cents also times _SHARES
    ("POLE-40", "Pole, wood, 40 ft", "EA", "412.50"),
    ("XARM-8", "Crossarm, 8 ft", "EA", "96.40"),
    ("ANCH-10", "Anchor, 10 in", "EA", "148.80"),
    ("XFMR-25", "Transformer, 25 kVA", "EA", "871.20"),
    ("COND-2", "Conductor, #2 ACSR, per foot", "FT", "1.20"),
)
_SHARES = {"Install": Decimal(1), "Remove": Decimal("0.5"), "Transfer": Decimal("0.8")}
_NO_RATE = "STORM-HR"  # hours after storms are agreed each time
_EDITED_AT, _EDITOR = "2026-01-29T17:40:00Z", "dispatch@example.com"
_COLUMNS = (
    "Row ID", "Work Request #", "Weekly Reference Logged Date", "Snapshot Date", "Units Completed?", "Quantity",
    "Units Total Price", "CU", "CU Description", "Unit of Measure", "Work Type", "Pole #", "Foreman", "Dept #",
    "Customer Name", "Modified At", "Modified By",
)  # fmt: skip


def write_audit(folder: Path) -> tuple[Path, Path]:
    """Write four sheets and their rates into `folder`, with a history of one, and as they were into its `before`.

    When `before` was audited and then `folder`, the first is clean and the second has ten findings, each of another
    category. The same bytes every time; errors and files that are there already as with `write_files`. Answers both.
    """
    write_files(folder, audit_files(folder))
    return folder / BEFORE, folder


def audit_files(folder: Path) -> dict[Path, bytes]:
    """What `write_audit` writes."""
    before = {sheet: list(_billed(number)) for number, sheet in enumerate(_SHEETS, start=1)}
    now = {sheet: [dict(row) for row in [*rows, *_next_week(sheet)]] for sheet, rows in before.items()}
    history = _tampered(now)
    rates = csv_bytes(("unit_code", "work_type", "rate"), _rates())
    files: dict[Path, bytes] = {}
    for place, sheets in ((folder / BEFORE, before), (folder, now)):
        files |= {place / "rates.csv": rates}
        files |= {place / f"{sheet}.csv": csv_bytes(_COLUMNS, rows) for sheet, rows in sheets.items()}
    told = csv_bytes(("Row ID", "Column", "At", "Value", "By"), history)
    return {**files, folder / f"{_SHEETS[0]}.history.csv": told}


def _tampered(sheets: dict[str, list[Row]]) -> list[Row]:
    """Do to the sheets what the audit is to find, a line each; the history of the first sheet."""
    north, east, south, west = sheets.values()
    storm, entered = north[3], _touched(north[60], "Row ID", "5100000999", **{"Pole #": "N-999"})
    history = [
        _revision(storm, storm["Modified At"], storm["Units Total Price"], storm["Modified By"]),
        _revision(storm, _EDITED_AT, "3240.00", _EDITOR),
    ]
    north[3] = _touched(storm, "Units Total Price", "3240.00")  # edited after its week was closed
    north.append(entered)  # entered after its week was closed
    east.pop(12)  # deleted after it was billed
    east[30] = _touched(east[30], "Units Completed?", "false")  # taken back after it was billed
    moved = _touched(east[50], "Weekly Reference Logged Date", f"{_NEXT_WEEK}")
    east[50] = {**moved, "Snapshot Date": f"{_NEXT_WEEK - timedelta(days=2)}"}  # moved to another week
    south[-1]["Units Total Price"] = f"{Decimal(south[-1]['Units Total Price']) * Decimal('0.92'):.2f}"  # a stale rate
    south[-2]["Units Total Price"] = "see email"  # cannot be read
    south[-3]["CU"] = ""  # not said what it is
    west.append({**west[-1], "Row ID": "5400000998"})  # entered twice
    north.append({**west[-2], "Row ID": "5100000998"})  # entered in another sheet as well
    return history


def _billed(sheet: int) -> Iterator[Row]:
    """Rows of four weeks that are closed; the fourth of each sheet has no rate."""
    for number in range(_WEEKS * _A_WEEK):
        row = _line(sheet, number, _FIRST_WEEK + timedelta(weeks=number // _A_WEEK))
        if number == 3:
            row |= {"CU": _NO_RATE, "CU Description": "Storm work, crew hours", "Unit of Measure": "HR"}
            row |= {"Units Total Price": "1240.00"}
        yield row


def _next_week(sheet: str) -> Iterator[Row]:
    number = _SHEETS.index(sheet) + 1
    for row in range(_WEEKS * _A_WEEK, _WEEKS * _A_WEEK + 6):
        yield _line(number, row, _NEXT_WEEK)


def _line(sheet: int, number: int, week: date) -> Row:
    """A finished unit of work, entered on its day."""
    code, description, unit, dollars = _CODES[(number + sheet) % len(_CODES)]
    kind = tuple(_SHARES)[number // 5 % 3]
    units = 40 + 15 * (number % 9) if unit == "FT" else 1 + number % 4
    day = week - timedelta(days=number % 6 + 1)
    foreman = _FOREMEN[(sheet + number // _A_WEEK) % len(_FOREMEN)]
    return {
        "Row ID": f"{5_000_000_000 + 100_000_000 * sheet + number}",
        "Work Request #": f"{10_000_000 + 10_000 * sheet + number // 8}",
        "Weekly Reference Logged Date": f"{week}",
        "Snapshot Date": f"{day}",
        "Units Completed?": "true",
        "Quantity": f"{units}",
        "Units Total Price": f"{units * _rate(dollars, kind):.2f}",
        "CU": code,
        "CU Description": description,
        "Unit of Measure": unit,
        "Work Type": kind,
        "Pole #": f"{'NESW'[sheet - 1]}-{100 + number}",
        "Foreman": foreman,
        "Dept #": f"{500 + sheet}",
        "Customer Name": "Prairie Electric Cooperative",
        "Modified At": f"{day}T{13 + number % 8:02}:{number * 7 % 60:02}:00Z",
        "Modified By": f"{foreman.split()[1].lower()}@example.com",
    }


def _rates() -> Iterator[Row]:
    for code, _, _, dollars in _CODES:
        for kind in _SHARES:
            yield {"unit_code": code, "work_type": kind, "rate": f"{_rate(dollars, kind)}"}


def _rate(dollars: str, kind: str) -> Decimal:
    return Decimal(dollars) * _SHARES[kind]


def _touched(row: Row, column: str, text: str, **more: str) -> Row:
    """The row with a cell that says something else, by somebody after the close."""
    return {**row, column: text, **more, "Modified At": _EDITED_AT, "Modified By": _EDITOR}


def _revision(row: Row, at: str, value: str, by: str) -> Row:
    return {"Row ID": row["Row ID"], "Column": "Units Total Price", "At": at, "Value": value, "By": by}
