"""An installation that audits sheets: a folder of them, or an account of Smartsheet on loopback with its log sheet."""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from billing_pipeline.assets import audit
from billing_pipeline.cli import auditing
from billing_pipeline.resources import audit_places
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.resources.log_rows import COLUMNS
from billing_pipeline.resources.smartsheet import DryRun, Smartsheet
from billing_pipeline.resources.smartsheet_client import Pace
from tests.months import Said, command_line
from tests.smartsheet_api import TOKEN, SmartsheetApi, smartsheet_api
from tests.smartsheet_book import SheetBook

CREW, NORTH = "Crew A", "North"
CLOSED = "2026-01-04"  # a Sunday
BILLED_AT = "2026-01-02T15:00:00Z"  # when the lines of that week were typed
EDITED_AT = "2026-01-09T10:00:00Z"
AFTER = "2026-01-09T12:00:00Z"  # the first run after the edit
FIRST_RUN = datetime(2026, 1, 7, 12, tzinfo=UTC)
TYPES = {
    "Work Request #": "TEXT_NUMBER", "Weekly Reference Logged Date": "DATE", "Snapshot Date": "DATE",
    "Units Completed?": "CHECKBOX", "Units Total Price": "TEXT_NUMBER", "Quantity": "TEXT_NUMBER", "CU": "TEXT_NUMBER",
    "Work Type": "TEXT_NUMBER", "Point #": "TEXT_NUMBER",
}  # fmt: skip
Row = dict[str, Any]


def unit(number: int, **changes: Any) -> Row:
    """A line of finished work in the closed week; a title's spaces and signs may be left out of its name."""
    line = {
        "Work Request #": f"1000000{number}", "Weekly Reference Logged Date": CLOSED, "Snapshot Date": "2026-01-02",
        "Units Completed?": "true", "Units Total Price": "100.00", "Quantity": "2", "CU": "POLE-40",
        "Work Type": "install", "Point #": f"P{number}",
    }  # fmt: skip
    return line | changes


class AuditOffice:
    """One installation; its audits run at `now`, two hours apart."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = folder / "data"
        self.sheets, self.outputs = self.data / "audit", self.data / "outputs"
        self.now = FIRST_RUN - timedelta(hours=2)
        self.run: Callable[..., Said] = command_line(monkeypatch, capsys)
        self._lines: dict[str, dict[str, Row]] = {}
        self._monkeypatch, self._url = monkeypatch, sqlite_url(self.data)
        monkeypatch.setenv("BILLING_DATA_DIR", str(self.data))
        monkeypatch.setattr(audit, "started_at", lambda _: self.now)

    @property
    def database(self) -> Database:
        return open_database(self._url)

    def lose_state(self) -> None:
        """What was remembered is gone: the database is an empty one."""
        self._url = sqlite_url(self.data / "new")
        self._monkeypatch.setenv("BILLING_DATABASE_URL", self._url)

    def sheet(self, name: str, *lines: Row) -> None:
        """A sheet of the folder with these lines, known as r1, r2 ..."""
        self._lines[name] = {
            f"r{number}": {"Row ID": f"r{number}", "Modified At": BILLED_AT, "Modified By": "ann@example.com"} | line
            for number, line in enumerate(lines, start=1)
        }
        self._write(name)

    def edit(self, name: str, row: str, at: str = EDITED_AT, by: str = "late@example.com", **changes: Any) -> None:
        """Somebody changes cells of a line: `Quantity="5"`."""
        self._lines[name][row] |= changes | {"Modified At": at, "Modified By": by}
        self._write(name)

    def remove(self, name: str, row: str) -> None:
        del self._lines[name][row]
        self._write(name)

    def drop_column(self, name: str, title: str) -> None:
        for line in self._lines[name].values():
            del line[title]
        self._write(name)

    def histories(self, name: str, *revisions: tuple[str, str, str, str, str]) -> None:
        """What the cells of a sheet were: row, title, time, value, person."""
        with (self.sheets / f"{name}.history.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("Row ID", "Column", "At", "Value", "By"), *revisions])

    def audit(self, *more: object, at: str = "", code: int) -> dict[str, Any]:
        """The next run, which leaves this exit code; its JSON document."""
        self.now = datetime.fromisoformat(at) if at else self.now + timedelta(hours=2)
        said = self.run("audit", "run", "--json", *more)
        assert said.code == code, said.err
        document: dict[str, Any] = json.loads(said.out)
        return document

    def notices(self) -> list[dict[str, Any]]:
        """What people are told, in that order."""
        query = sa.select(outbox.c.message).where(outbox.c.kind == "audit").order_by(outbox.c.id)
        return self.database.run(lambda connection: list(connection.execute(query).scalars()))

    def stored(self, table: sa.Table) -> list[Any]:
        """The rows of a table of the database."""
        return self.database.run(lambda connection: list(connection.execute(sa.select(table))))

    def statuses(self) -> dict[str, str]:
        """The status of every finding that is known, by category and line."""
        frame = pl.read_parquet(self.data / "frames" / "audit_findings" / "latest.parquet")
        return {f"{category} {row}": status for category, row, status in frame["category", "row_id", "status"].rows()}

    def workbook(self) -> bytes:
        """The workbook of the day."""
        return (self.outputs / "audit" / f"Billing_Audit_{self.now:%Y-%m-%d}.xlsx").read_bytes()

    def kept(self) -> dict[str, str]:
        """Every file of the installation with its hash, but for the database's own."""
        files = (path for path in self.data.rglob("*") if path.is_file() and not path.name.startswith("billing.db"))
        return {str(path.relative_to(self.data)): sha256(path.read_bytes()).hexdigest() for path in sorted(files)}

    def _write(self, name: str) -> None:
        self.sheets.mkdir(parents=True, exist_ok=True)
        lines = list(self._lines[name].values())
        with (self.sheets / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(lines[0]) if lines else ["Row ID", "Modified At", "Modified By", *TYPES])
            writer.writeheader()
            writer.writerows(lines)


class SmartsheetOffice(AuditOffice):
    """The same with one audited sheet in Smartsheet, and a log sheet that is set up; `first`: the id of its line."""

    def __init__(
        self, api: SmartsheetApi, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        super().__init__(folder, monkeypatch, capsys)
        self.api = api
        self.source: SheetBook = api.sheet(CREW, list(TYPES.items()))
        self.source.now = datetime.fromisoformat(BILLED_AT)
        self.first = self.add(unit(1))
        self.log: SheetBook = api.sheet("Billing Report Audit Log", [(name, of[0]) for name, of in COLUMNS.items()])
        for name, value in {
            "SMARTSHEET_API_TOKEN": TOKEN,
            "SMARTSHEET_API_BASE": api.base,
            "BILLING_AUDIT_SHEETS": str(self.source.sheet_id),
            "AUDIT_SHEET_ID": str(self.log.sheet_id),
        }.items():
            monkeypatch.setenv(name, value)
        hasty = Pace(sleep=lambda _: None)
        for module in (audit_places, auditing):
            monkeypatch.setattr(module, "Smartsheet", partial(Smartsheet, pace=hasty))
        monkeypatch.setattr(audit_places, "DryRun", partial(DryRun, pace=hasty))

    def add(self, line: Row) -> int:
        """A line that a person types into the audited sheet."""
        return self.source.insert(
            {self.source.column(title): value for title, value in line.items()}, {}, "ann@example.com"
        )

    def logged(self, *titles: str) -> list[tuple[Any, ...]]:
        """Rows of the log that are findings, top down."""
        rows = self.log.table("Finding Key", *titles)
        return [values for key, *values in rows if not str(key).startswith("REPORT-")]

    def log_row(self) -> int:
        """The id of the only finding's row."""
        column = self.log.column("Finding Key")
        (row,) = (row for row in self.log.rows if not row["values"][column].startswith("REPORT-"))
        return int(row["id"])

    def attached(self) -> list[list[str]]:
        """The files at the log's report rows with the names of their versions, oldest first."""
        return [[version["name"] for version in file] for files in self.log.files.values() for file in files]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> AuditOffice:
    """An installation with one sheet of two lines."""
    made = AuditOffice(tmp_path, monkeypatch, capsys)
    made.sheet(CREW, unit(1), unit(2))
    return made


@pytest.fixture
def online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[SmartsheetOffice]:
    """An installation with an account of Smartsheet, reached without the proxies of this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with smartsheet_api() as account:
        yield SmartsheetOffice(account, tmp_path, monkeypatch, capsys)
