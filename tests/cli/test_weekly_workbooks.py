"""Weekly workbooks end to end: from the sheets of an account to the rows of its target sheet."""

from pathlib import Path

import openpyxl
import pytest

from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.weekly_files import weekly_files_of
from tests.months import command_line
from tests.resources.conftest import smartsheets
from tests.smartsheet_api import TOKEN, SmartsheetApi
from tests.smartsheet_book import SheetBook

__all__ = ["smartsheets"]
TITLES = {
    "Work Request #": "TEXT_NUMBER", "Weekly Reference Logged Date": "DATE", "Snapshot Date": "DATE",
    "Units Completed?": "CHECKBOX", "Units Total Price": "TEXT_NUMBER", "Quantity": "TEXT_NUMBER", "CU": "TEXT_NUMBER",
    "Foreman": "TEXT_NUMBER",
}  # fmt: skip
NAME = "WR_10000001_WeekEnding_010426.xlsx"


class Ledger:
    """An account with one source sheet and a target sheet, audited by an installation."""

    def __init__(
        self, folder: Path, api: SmartsheetApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.api, self.data = api, folder / "data"
        self.source = api.sheet("Ledger", list(TITLES.items()))
        self.target = api.sheet("Target", [("Work Request #", "TEXT_NUMBER")])
        self.target.add(work_request="10000001")
        monkeypatch.setenv("BILLING_DATA_DIR", str(self.data))
        monkeypatch.setenv("SMARTSHEET_API_TOKEN", TOKEN)
        monkeypatch.setenv("SMARTSHEET_API_BASE", api.base)
        monkeypatch.setenv("BILLING_AUDIT_SHEETS", str(self.source.sheet_id))
        monkeypatch.setenv("TARGET_SHEET_ID", str(self.target.sheet_id))
        self._run = command_line(monkeypatch, capsys)

    @property
    def database(self) -> Database:
        return open_database(sqlite_url(self.data))

    def add(self, work_request: str = "10000001", **values: object) -> int:
        given = {
            "weekly_reference_logged_date": "2026-01-04", "snapshot_date": "2026-01-02", "units_completed": True,
            "units_total_price": 100, "quantity": 2, "cu": "POLE-40", "foreman": "Ada",
        }  # fmt: skip
        return self.source.add(work_request=work_request, **given | values)

    def audit(self, *more: object) -> None:
        said = self._run("audit", "run", *more)
        assert said.code in (0, 3, 4), said.err

    def attached(self) -> list[int]:
        """How many versions each attached file has."""
        return [len(file) for files in self.target.files.values() for file in files]


@pytest.fixture
def ledger(
    tmp_path: Path,
    smartsheets: SmartsheetApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ledger:
    return Ledger(tmp_path, smartsheets, monkeypatch, capsys)


def price_of(sheet: SheetBook, row: int, price: int) -> None:
    sheet.edit(row, "Units Total Price", price)


def test_a_workbook_is_written_and_sent_once_and_again_when_its_content_changed(ledger: Ledger) -> None:
    row = ledger.add()
    ledger.add(work_request="10000009")
    ledger.audit()
    path = ledger.data / "outputs" / "audit" / "weekly" / "2026-01-04" / NAME
    first = path.read_bytes()
    assert ledger.attached() == [1], "10000009 has no row in the target sheet"
    ledger.audit()
    assert (ledger.attached(), path.read_bytes()) == ([1], first)
    price_of(ledger.source, row, 150)
    ledger.audit()
    assert ledger.attached() == [2]
    assert openpyxl.load_workbook(path)["Work Report"]["B3"].value == 150


def test_nothing_is_written_in_a_dry_run_nor_while_a_sheet_cannot_be_read(ledger: Ledger) -> None:
    ledger.add()
    ledger.audit("--dry-run")
    ledger.api.fail(f"GET /sheets/{ledger.source.sheet_id}.*", "403", times=99)
    ledger._run("audit", "run")
    ledger.api.mend()
    assert (ledger.attached(), ledger.database.run(weekly_files_of)) == ([], {})
    assert not (ledger.data / "outputs" / "audit" / "weekly").exists()


def test_an_upload_that_failed_is_made_up_for_by_the_next_run(ledger: Ledger) -> None:
    ledger.add()
    ledger.api.fail("POST .*/attachments", "403")
    ledger.audit()
    assert ledger.attached() == []
    ledger.audit()
    assert ledger.attached() == [1]
