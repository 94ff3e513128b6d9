"""An installation with managed-services clients: listings and the book written as literals, commands run on them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from billing_pipeline.engine.managed_services.pulled import LISTINGS
from billing_pipeline.engine.managed_services.sheets import SHEETS
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from tests.months import Said, command_line

JUNE, JULY = "2026-06", "2026-07"
GOLD = {
    "plan": "Gold", "term": "1 Year", "valid_from": "2020-01-01", "support_level": "Billed Hourly",
    "per_user_cost": "15", "per_workstation_cost": "50", "per_server_cost": "150", "per_hour_ticket_cost": "100",
    "backup_base_fee_workstation": "5", "backup_included_tb": "1", "backup_per_tb_fee": "10",
}  # fmt: skip
Row = dict[str, Any]


def company(account: str, **more: Any) -> Row:
    return {"account": account, "name": f"Client {account}", "plan": "Gold", "term": "1 Year"} | more


def device(number: int, account: str = "A", **more: Any) -> Row:
    return {
        "source": "rmm", "source_id": f"d{number}", "account": account, "name": f"host-{number}", "category": "Laptop",
    } | more  # fmt: skip


def contact(number: int, account: str = "A", **more: Any) -> Row:
    return {"source": "desk", "source_id": f"c{number}", "account": account, "name": f"User {number}"} | more


def entry(number: int, at: str, worked: str = "1:00", account: str = "A", **more: Any) -> Row:
    return {
        "source": "desk", "source_id": f"e{number}", "account": account, "ticket_id": f"t{number}",
        "ticket": f"SR-{number}", "subject": "Help", "at": at, "worked": worked,
    } | more  # fmt: skip


class Office:
    """One installation. Its folder of clients is written with `listing`, its book with `book`."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str = ""
    ) -> None:
        self.data = folder / "data"
        self.outputs, self.clients = self.data / "outputs", self.data / "clients"
        self.clients.mkdir(parents=True)
        monkeypatch.setenv("BILLING_DATA_DIR", str(self.data))
        if url:
            monkeypatch.setenv("BILLING_DATABASE_URL", url)
        self.url = url or sqlite_url(self.data)
        self.run: Callable[..., Said] = command_line(monkeypatch, capsys)
        self.listing("companies", company("A"))
        self.book(plans=[GOLD])

    @property
    def database(self) -> Database:
        return open_database(self.url)

    def listing(self, name: str, *rows: Row) -> None:
        """Write a listing of the folder."""
        with (self.clients / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["source", *(n for n in LISTINGS[name] if n != "source")], restval="")
            writer.writeheader()
            writer.writerows(rows)

    def book(self, **rows: list[Row]) -> None:
        """Make the sheets that are named hold these rows."""
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.worksheets[0])
        for sheet in (sheet for sheet in SHEETS if sheet.name in rows):
            page = workbook.create_sheet(sheet.title)
            page.append([column.name for column in sheet.columns])
            for row in rows[sheet.name]:
                page.append([row.get(column.name) for column in sheet.columns])
        path = self.data / "book.xlsx"
        workbook.save(path)
        said = self.run("clients", "import-book", path, "--by", "Ada")
        assert said.code == 0, said.err

    def bill(self, month: str = JUNE, *more: object, code: int = 0) -> dict[str, Any]:
        """Bill a month; its JSON document."""
        said = self.run("clients", "bill", "--month", month, "--json", *more)
        assert said.code == code, said.err
        document: dict[str, Any] = json.loads(said.out)
        return document

    def accept(self, month: str = JUNE, *more: object) -> list[dict[str, Any]]:
        """Accept a month's bills; what became of each."""
        said = self.run("clients", "accept", "--month", month, "--by", "Ada", "--json", *more)
        assert said.code == 0, said.err
        found: list[dict[str, Any]] = said.document["accepted"]
        return found

    def void(self, number: str) -> dict[str, Any]:
        said = self.run("clients", "void", number, "--by", "Ada", "--reason", "a wrong price", "--json")
        assert said.code == 0, said.err
        return said.document

    def total(self, account: str = "A", month: str = JUNE, *more: object) -> str:
        """What a client is billed."""
        document = self.bill(month, "--account", account, *more)
        money: dict[str, str] = document["bill"]["money"]
        return money["total"]

    def files(self, kind: str, month: str = JUNE) -> dict[str, str]:
        """The published CSV files of a kind by the account in their names."""
        folder = self.outputs / "clients" / month / kind
        return {path.stem.split("_")[-2]: path.read_bytes().decode() for path in sorted(folder.glob("*.csv"))}

    def frame(self, asset: str, month: str = JUNE) -> pl.DataFrame:
        """The stored frame of an asset."""
        return pl.read_parquet(self.data / "frames" / asset / f"{month}.parquet")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Office:
    return Office(tmp_path, monkeypatch, capsys)
