"""`billing-pipeline up` as people start it, with files and with PostgreSQL, until it is stopped."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import sqlalchemy as sa

from billing_pipeline.resources import releases
from billing_pipeline.resources.database import open_database
from tests.end_to_end.installation import Installation
from tests.months import COMMAND

STARTED = 60  # seconds that a start may take on a busy machine
MARK = "BILLING_TEST_UP"  # every process of a start carries it in its environment


class Up:
    """One start of the product with a data folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder / f"up-{self.port}.log"
        self.mark = f"{folder}:{self.port}"
        environ = {**os.environ, "BILLING_DATA_DIR": str(folder / "data"), MARK: self.mark}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "up", "--port", str(self.port), *options], env=environ, stdout=log, stderr=subprocess.STDOUT
            )

    def ready(self) -> "Up":
        """Wait until it says that it is up."""
        self.until(lambda: "Up on http" in self.said)
        return self

    def until(self, done: Callable[[], bool], seconds: float = STARTED) -> None:
        give_up = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < give_up, self.said
            assert self.process.poll() is None, self.said[-3000:]
            time.sleep(0.2)

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def get(self, path: str) -> Any:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10).json()

    def asked(self, query: str) -> Any:
        """The answer of Dagster's GraphQL interface."""
        answer = requests.post(f"http://127.0.0.1:{self.port}/graphql", json={"query": query}, timeout=10)
        return answer.json()["data"]

    def is_alive(self) -> bool:
        """Whether every daemon has been heard of."""
        health = self.asked("{ instance { daemonHealth { allDaemonStatuses { healthy required } } } }")
        statuses = health["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(status["healthy"] for status in statuses if status["required"])

    def stopped(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def left(self) -> list[str]:
        """What still runs of this start."""
        return [" ".join(process.info["cmdline"] or [process.info["name"]]) for process in self.processes()]

    def processes(self) -> list[psutil.Process]:
        every = psutil.process_iter(["cmdline", "name", "environ", "status"])
        return [
            process
            for process in every
            if (process.info["environ"] or {}).get(MARK) == self.mark and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


Start = Callable[..., Up]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("--postgres") starts the product; whatever a test leaves is ended."""
    started: list[Up] = []

    def up(*options: str) -> Up:
        started.append(Up(tmp_path, *options))
        return started[-1]

    yield up
    for each in started:
        for process in each.processes():
            process.kill()
        each.process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_up_serves_pages_runs_the_daemon_and_leaves_nothing_after_ctrl_c(start: Start) -> None:
    up = start().ready()
    assert up.get("/server_info")["dagster_version"]
    up.until(up.is_alive)
    locations = up.asked("{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }")
    assert locations["workspaceOrError"]["locationEntries"] == [{"name": "billing_pipeline", "loadStatus": "LOADED"}]
    assert up.stopped(signal.SIGINT) == 0
    assert up.left() == []
    assert "Stopped (SIGINT)." in up.said
    assert "Traceback" not in up.said


def test_a_supervisors_sigterm_ends_it_as_well_while_it_still_starts(start: Start) -> None:
    up = start()
    up.until(lambda: "migration" in up.said)
    assert up.stopped(signal.SIGTERM) == 0
    assert up.left() == []


@pytest.mark.slow
def test_when_one_part_dies_everything_stops_and_says_which(start: Start) -> None:
    up = start().ready()
    (daemon,) = [process for process in up.processes() if "dagster._daemon" in process.info["cmdline"]]
    daemon.kill()
    assert up.process.wait(30) == 1
    assert "the daemon was ended by SIGKILL; everything was stopped" in up.said
    assert up.left() == []


@pytest.mark.slow
def test_killed_without_a_chance_it_takes_its_parts_with_it_and_starts_again(start: Start) -> None:
    up = start().ready()
    up.stopped(signal.SIGKILL)
    give_up = time.monotonic() + 20
    while up.left() and time.monotonic() < give_up:
        time.sleep(0.2)
    assert up.left() == []
    again = start().ready()
    assert again.stopped(signal.SIGTERM) == 0


def test_a_second_start_on_the_same_home_is_refused(start: Start) -> None:
    first = start()
    first.until(lambda: "migration" in first.said)
    second = start()
    assert second.process.wait(30) == 2
    assert "the product is already up with DAGSTER_HOME" in second.said
    assert first.process.poll() is None


def test_a_taken_port_is_said_before_anything_starts(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = start("--port", str(taken.getsockname()[1]))
        assert up.process.wait(30) == 2
    assert "choose another with --port" in up.said
    assert not (tmp_path / "data" / "dagster" / "dagster.yaml").exists()


def test_with_postgres_a_file_is_billed_there_and_the_server_stops_with_us(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = Installation(tmp_path / "in", start_month="2025-01", max_age_months=120)
    monkeypatch.setenv("BILLING_USAGE_DIR", str(month.usage_dir))
    monkeypatch.setenv("BILLING_POLL_SECONDS", "4")
    monkeypatch.setenv("BILLING_MAX_AGE_MONTHS", "120")
    month.drop("2026-01")
    up = start("--postgres").ready()
    urls = dict(re.findall(r"export (\w+)='([^']+)'", up.said.replace("\n", "")))
    up.until(up.is_alive)  # the daemon wrote it into Dagster's storage
    with sa.create_engine(urls["BILLING_DAGSTER_POSTGRES_URL"], poolclass=sa.NullPool).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM daemon_heartbeats")) > 0
    database = open_database(urls["BILLING_DATABASE_URL"])
    invoices = tmp_path / "data" / "outputs" / "gep_netsuite" / "gep_netsuite_invoice_import_2026.01.csv"
    up.until(invoices.is_file)  # copied after the release is in the database
    assert len(database.run(releases.all_releases)) == 1
    assert not (tmp_path / "data" / "billing.db").exists()
    assert not (tmp_path / "data" / "dagster" / "history").exists()
    server = int((tmp_path / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
    assert up.stopped(signal.SIGTERM) == 0
    assert up.left() == []
    assert not psutil.pid_exists(server) or psutil.Process(server).status() == psutil.STATUS_ZOMBIE
    assert "Failed to stop" not in up.said


def test_postgres_beside_a_database_of_your_own_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", "postgresql://billing@db.example.com/billing")
    up = start("--postgres")
    assert up.process.wait(30) == 2
    assert "BILLING_DATABASE_URL says where PostgreSQL is" in " ".join(up.said.split())
    assert not (tmp_path / "data" / "postgres").exists()
