"""An installation that looks for unbilled hours: time logs and contracts in its folder, runs at `now`."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from billing_pipeline.assets import unbilled
from billing_pipeline.build import resources_from
from billing_pipeline.cli.closing import progress_bar, run_job
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.run_tags import DIGEST
from billing_pipeline.settings import load_settings

LOG = ("Log_ID", "Project_ID", "Employee_ID", "Hours", "Activity_Type", "Invoicing_Status", "Work_Date")
CONTRACT = ("Project_ID", "Client_Name", "Client_Rate_per_Hour", "Billing_Model", "Max_FP_Hours")
FIRST_RUN = datetime(2026, 2, 10, 9, tzinfo=UTC)


def log(
    number: int, project: str, hours: str, *, status: str = "Logged", activity: str = "Billable"
) -> tuple[str, ...]:
    return (f"{number}", project, f"E{number}", hours, activity, status, "2026-02-01")


class UnbilledOffice:
    """P001 at 150.00 and P002 at 120.00 an hour, P003 at a fixed price of 100 hours."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.now = folder / "data", FIRST_RUN - timedelta(minutes=5)
        self.feeds, self.outputs = self.data / "unbilled", self.data / "outputs"
        self.logs: list[tuple[str, ...]] = []
        monkeypatch.setenv("BILLING_DATA_DIR", str(self.data))
        monkeypatch.setattr(unbilled, "started_at", lambda _: self.now)
        self.contracts = [
            ("P001", "TechSolutions Inc.", "150.00", "T&M", ""),
            ("P002", "Global Commerce", "120.00", "T&M", ""),
            ("P003", "Innovation Hub", "180.00", "Fixed-Price", "100"),
        ]

    @property
    def database(self) -> Database:
        return open_database(sqlite_url(self.data))

    def write(self, *logs: tuple[str, ...]) -> None:
        """The time logs are these; contracts as they are."""
        self.feeds.mkdir(parents=True, exist_ok=True)
        for name, titles, rows in (("time_logs", LOG, logs), ("contracts", CONTRACT, self.contracts)):
            with (self.feeds / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([titles, *rows])

    def look(self, *logs: tuple[str, ...], minutes: float = 5, digest: bool = False) -> dict[str, Any]:
        """A run over these logs, some minutes after the one before; its document."""
        if logs:
            self.write(*logs)
        self.now += timedelta(minutes=minutes)
        with progress_bar() as bar:
            tags = {DIGEST: "yes"} if digest else {}
            run_job(resources_from(load_settings()), "unbilled", bar, "Unbilled", tags=tags)
        return self.published()

    def published(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.outputs / "unbilled" / "unbilled_summary.json").read_text("utf-8"))
        return document

    def told(self) -> list[str]:
        """The texts of what people are told, in that order."""
        query = sa.select(outbox.c.message).where(outbox.c.kind == "unbilled").order_by(outbox.c.id)
        return [str(message["text"]) for message in self.database.run(lambda c: list(c.execute(query).scalars()))]

    def stored(self, table: sa.Table) -> list[Any]:
        return self.database.run(lambda connection: list(connection.execute(sa.select(table))))


@pytest.fixture(name="office")
def the_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UnbilledOffice:
    """An installation without a run yet."""
    return UnbilledOffice(tmp_path, monkeypatch)
