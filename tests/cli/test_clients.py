"""The book of clients out and back in: exact, with errors by cell, every change recorded; on SQLite and PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from billing_pipeline.engine.managed_services.sheets import SHEETS
from billing_pipeline.resources.client_book import Change, changes_of
from billing_pipeline.resources.database import open_database, sqlite_url
from tests.months import Said, command_line
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
BY_NAME = {sheet.name: sheet for sheet in SHEETS}
PLAN = {
    "plan": "Gold",
    "term": "1 Year",
    "valid_from": "2025-01-01",
    "per_user_cost": 15,
    "per_hour_ticket_cost": 99.99,
}
ITEM = {"account": "100001", "name": "Internet", "monthly_fee": 89.95}


class Office:
    """An installation's book of clients, and workbooks to bring to it."""

    def __init__(self, folder: Path, run: Callable[..., Said], url: str) -> None:
        self.folder, self.run, self.url = folder, run, url

    def workbook(self, name: str = "clients.xlsx", **rows: list[dict[str, Any]]) -> Path:
        """A workbook with these rows in these sheets, and no other sheet."""
        book = openpyxl.Workbook()
        book.remove(book.worksheets[0])
        for sheet_name, given in rows.items():
            sheet = BY_NAME[sheet_name]
            page = book.create_sheet(sheet.title)
            names = [column.name for column in sheet.columns]
            page.append(names)
            for row in given:
                page.append([row.get(column) for column in names])
        path = self.folder / name
        book.save(path)
        return path

    def take(self, path: Path, *more: object) -> Said:
        return self.run("clients", "import-book", path, "--by", "Ada", "--reason", "prices of 2025", *more)

    def export(self, name: str = "out.xlsx") -> Path:
        path = self.folder / name
        said = self.run("clients", "export-book", "--out", path)
        assert said.code == 0, said.err
        return path

    def changes(self) -> list[Change]:
        return open_database(self.url).run(changes_of)


@pytest.fixture(params=["sqlite", "postgresql"])
def office(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    url = sqlite_url(tmp_path / "data")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")()
        monkeypatch.setenv("BILLING_DATABASE_URL", url)
    return Office(tmp_path, command_line(monkeypatch, capsys), url)


def cells(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in openpyxl.load_workbook(path)}


def test_a_book_is_taken_over_and_written_out_again_exactly(office: Office) -> None:
    said = office.take(office.workbook(plans=[PLAN], line_items=[ITEM, {**ITEM, "name": "Credit", "monthly_fee": -10}]))
    assert (said.code, said.err.splitlines()[-1]) == (0, "7 values changed")
    first = office.export("first.xlsx")
    assert cells(first)["Plans"][1][:6] == ("Gold", "1 Year", "2025-01-01", None, 15, None)
    assert [row[1] for row in cells(first)["Line items"][1:]] == ["Credit", "Internet"]
    again = office.take(first)
    assert again.err == "0 values changed\n"
    assert office.export("second.xlsx").read_bytes() == first.read_bytes()


def test_what_a_plan_includes_is_a_sheet_of_the_book(office: Office) -> None:
    soc = {"plan": "Gold", "term": "1 Year", "feature": "soc", "value": "SOC-1"}
    assert office.take(office.workbook(plan_features=[soc])).code == 0
    assert cells(office.export())["Plan features"] == [tuple(soc), tuple(soc.values())]
    refused = office.take(office.workbook(plan_features=[soc, {**soc, "value": "SOC-2"}]))
    assert "Plan features!A3: plan, term, feature stand in A2 already" in refused.err


def test_every_change_is_kept_with_who_when_why_old_and_new(office: Office) -> None:
    office.take(office.workbook(plans=[PLAN]))
    before = len(office.changes())
    office.take(office.workbook(plans=[{**PLAN, "per_user_cost": "16.50", "support_level": "Unlimited"}]))
    made = office.changes()[before:]
    key = "Gold | 1 Year | 2025-01-01"
    assert [(one.key, one.column, one.old, one.new) for one in made] == [
        (key, "support_level", None, "Unlimited"), (key, "per_user_cost", "15.00", "16.50"),
    ]  # fmt: skip
    assert {(one.by, one.reason) for one in made} == {("Ada", "prices of 2025")}
    assert all(one.at for one in made)


def test_a_row_that_is_gone_is_removed_and_a_sheet_that_is_missing_is_left(office: Office) -> None:
    office.take(office.workbook(plans=[PLAN], line_items=[ITEM]))
    said = office.take(office.workbook(line_items=[]), "--json").document
    assert said["changes"] == [
        {"sheet": "line_items", "key": "100001 | Internet", "column": "(row)", "old": "100001 | Internet", "new": None}
    ]
    assert len(cells(office.export())["Plans"]) == 2


def test_a_dry_run_says_what_would_change_and_changes_nothing(office: Office) -> None:
    said = office.take(office.workbook(plans=[PLAN]), "--dry-run")
    assert (said.code, "3 values would change" in said.err, office.changes()) == (0, True, [])


@pytest.mark.parametrize(
    ("sheet", "row", "problem"),
    [
        ("plans", {**PLAN, "per_user_cost": "fifteen"}, "Plans!E2: is not an amount (found 'fifteen')"),
        ("plans", {**PLAN, "per_user_cost": 1.005}, "Plans!E2: has more than two decimals (found '1.005')"),
        ("plans", {**PLAN, "per_user_cost": -1}, "Plans!E2: is below zero (found '-1')"),
        ("plans", {**PLAN, "term": "1-Year"}, "Plans!B2: is none of Month to Month, 1 Year, 2 Year, 3 Year (found '1"),
        ("plans", {**PLAN, "valid_from": "soon"}, "Plans!C2: is not a date (YYYY-MM-DD) (found 'soon')"),
        ("plans", {**PLAN, "plan": None}, "Plans!A2: is missing"),
        ("plans", {**PLAN, "per_user_cost": "=1+1"}, "Plans!E2: holds a formula; type the value itself"),
        ("device_overrides", {"source": "rmm", "source_id": "1", "type": None}, "Device overrides!C2: is missing"),
        ("device_overrides", {"source": "rmm", "source_id": "1", "type": "Laptop"}, "Device overrides!C2: is none of"),
        ("device_overrides", {"source": "rmm", "source_id": "1", "type": "Server", "custom_cost": 3},
         "Device overrides!D2: a cost of its own is for the type Custom only"),
        ("line_items", {"account": "1", "name": "x"}, "Line items!B2: has no fee, and would never be billed"),
        ("line_items", {"account": "1", "name": "x", "one_off_fee": 1, "one_off_year": 2025},
         "Line items!E2: needs fee, year and month"),
        ("line_items", {**ITEM, "yearly_fee": 5, "yearly_bill_month": 13},
         "Line items!I2: is not a whole number from 1 to 12"),
        ("contracts", {"account": "1", "start": "2025-02-01", "end": "2025-01-31"},
         "Contracts!C2: ends before it starts"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told_by_cell_and_nothing_is_changed(
    office: Office, sheet: str, row: dict[str, Any], problem: str
) -> None:
    said = office.take(
        office.workbook(**{"features": [{"account": "1", "feature": "soc", "value": "x"}], sheet: [row]})
    )
    assert said.code == 2
    assert f"error clients.xlsx, {problem}" in said.err
    assert office.changes() == []


def test_a_row_that_stands_there_twice_and_a_sheet_of_another_book_are_told(office: Office) -> None:
    said = office.take(office.workbook(plans=[PLAN, PLAN]))
    assert "Plans!A3: plan, term, valid_from stand in A2 already" in said.err
    other = openpyxl.Workbook()
    other.save(office.folder / "other.xlsx")
    assert "Sheet: is no sheet of the book" in office.take(office.folder / "other.xlsx").err
    (office.folder / "text.xlsx").write_text("no workbook")
    assert "is not an Excel workbook" in office.take(office.folder / "text.xlsx").err
    assert "no such workbook" in office.take(office.folder / "none.xlsx").err


def test_text_that_looks_like_a_formula_comes_back_as_the_text_it_was(office: Office) -> None:
    office.take(office.workbook(features=[{"account": "1", "feature": "soc", "value": "+SOC, @home"}]))
    first = office.export("first.xlsx")
    assert office.take(first).err == "0 values changed\n"
    assert cells(first)["Features"][1] == ("1", "soc", "+SOC, @home")
