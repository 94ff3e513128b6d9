"""A whole installation in a folder: settings, usage folder, rules, and the real daemon that watches over them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import dagster as dg
import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.instance import prepare
from billing_pipeline.resources import months, outbox, releases
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.releases import Release
from billing_pipeline.settings import Settings
from tests.engine.rules.books import book, customer, tier
from tests.literals import Row, company, usage_csv

T = TypeVar("T")


class Installation:
    """An installation below a folder. `more` are further settings; databases given there replace SQLite."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.usage_dir, self.data, self.home = folder / "usage", folder / "data", folder / "data" / "dagster"
        self.outputs = Path(str(more.get("outputs_dir", self.data / "outputs")))
        self.log = folder / "daemon.log"
        self.usage_dir.mkdir(parents=True)
        values = {"data_dir": self.data, "usage_dir": self.usage_dir, "poll_seconds": 4, "retry_seconds": 1,
                  "lease_seconds": 6, "start_month": "2025-01", "max_age_months": 120, **more}  # fmt: skip
        self.environment = {f"BILLING_{name.upper()}": str(value) for name, value in values.items()}
        self.rules(101, 102)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes."""
        return os.environ | self.environment | {"DAGSTER_HOME": str(self.home), "DAGSTER_DISABLE_TELEMETRY": "1"}

    @property
    def settings(self) -> Settings:
        values = {name.removeprefix("BILLING_").lower(): value for name, value in self.environment.items()}
        return Settings(**values)  # type: ignore[arg-type]

    @property
    def database(self) -> Database:
        return open_database(self.environment.get("BILLING_DATABASE_URL") or sqlite_url(self.data))

    def rules(self, *partners: int, er_fee: int = 10) -> None:
        """Write rules that price these partners and map each to a customer."""
        keys = [str(partner) for partner in partners]
        pricing = [tier(partner_id=key, partner_name=None, er_fee=er_fee, iu_fee=1) for key in keys]
        mapped = [customer(partner_id=key, partner_name=None, ns_customer_name=f"Customer {key}") for key in keys]
        (self.usage_dir / "gep_billing_rules.xlsx").write_bytes(book(pricing, (), (), mapped))

    def drop(self, month: str, *rows: Row, name: str = "usage") -> Path:
        """Let a usage file appear, whole: written elsewhere and renamed into place."""
        path = self.usage_dir / f"{month.replace('-', '.')}_{name}.csv"
        temporary = path.with_suffix(".csv.tmp")
        temporary.write_bytes(content(month, *rows))
        temporary.replace(path)
        return path

    @contextmanager
    def daemon(self, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """The real daemon with its code server while the block runs."""
        with self._instance_environment():
            prepare(self.home, self.settings)
        command = [sys.executable, "-m", "dagster._daemon", "run", "--module-name", "billing_pipeline.definitions"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environ | environ, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command of the product against the installation."""
        command = [str(Path(sys.executable).parent / "billing-pipeline"), *map(str, arguments)]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=self.environ | {"COLUMNS": "200"}
        )

    def state(self, month: str) -> str:
        """The month's state; "" before its first run ended."""
        event = self.event(month)
        return event.state if event else ""

    def event(self, month: str) -> MonthEvent | None:
        return self.database.run(partial(months.latest, period=Period.parse(month)))

    def events(self, month: str) -> list[str]:
        return [event.state for event in self.database.run(partial(months.events_of, period=Period.parse(month)))]

    def releases(self, month: str) -> list[Release]:
        return self.database.run(partial(releases.releases_of, period=Period.parse(month)))

    def notices(self) -> list[str]:
        """The first lines of what people were told, in order."""
        return [text.splitlines()[0] for text in self.texts()]

    def texts(self) -> list[str]:
        """What people were told, in full."""
        path = self.data / "notices.log"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line)["text"] for line in lines]

    def undelivered(self) -> int:
        return len(self.database.run(outbox.waiting))

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        """The runs of Dagster with these tags, oldest first."""
        with self._instance_environment(), dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs(dg.RunsFilter(tags=tags)))[::-1]

    @contextmanager
    def _instance_environment(self) -> Iterator[None]:
        """Dagster's instance reads the URL of its PostgreSQL in the environment of whoever opens it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    def bytes_of(self, month: str, outputs: Path | None = None) -> dict[str, str]:
        """Hashes of the month's named files, but for the manifest and the review file, which hold times."""
        period, folder = Period.parse(month), outputs or self.outputs
        return {
            str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob(f"*{period.dotted}*"))
            if path.is_file()
            and "runs" not in path.parts
            and "_run_manifest_" not in path.name
            and "pre_scan" not in path.name
        }

    def amiss(self, month: str) -> list[str]:
        """What is not as one undisturbed run leaves it: bytes, releases, run sets, what was told; [] when all is."""
        facts = {
            "bytes": (self.bytes_of(month), self.undisturbed(month)),
            "releases": ([release.number for release in self.releases(month)], [1]),
            "sets": (len(list((self.outputs / "runs" / month).iterdir())), 1),
            "told": (self.told(month), [release_of(month)]),
        }
        return [f"{month} {name}: {found}, not {wanted}" for name, (found, wanted) in facts.items() if found != wanted]

    def undisturbed(self, month: str) -> dict[str, str]:
        """The hashes of the month's files as the ad-hoc command writes them, which nobody disturbs."""
        out = self.folder / "undisturbed"
        done = self.command("bill", "--inputs-dir", self.usage_dir, "--outputs-dir", out, "--month", month)
        assert done.returncode == 0, done.stderr
        return self.bytes_of(month, out)

    def told(self, month: str) -> list[str]:
        """The notices about a month, in order."""
        return [text for text in self.notices() if Period.parse(month).title in text]

    def leftovers(self) -> list[str]:
        """Half written files, and drafts that nobody will publish any more."""
        drafts = [str(path) for path in (self.data / "drafts").rglob("*") if path.is_file()]
        return self.half_written() + drafts

    def half_written(self) -> list[str]:
        """Files and folders that an unfinished write left anywhere."""
        found = [*self.data.rglob("*"), *self.outputs.rglob("*")]
        return sorted({str(path) for path in found if path.name.endswith((".part", ".tmp"))})

    def until(self, what: Callable[[], T], seconds: float = 180.0) -> T:
        """The first true answer of `what`; AssertionError with the daemon's last words when it takes too long."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if answer := what():
                return answer
            time.sleep(0.2)
        tail = self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""
        raise AssertionError(f"nothing came within {seconds} s; the daemon's log ends:\n{tail}")


def release_of(month: str) -> str:
    """What is told of a month's first release."""
    return f"✅ {Period.parse(month).title} is published"


def content(month: str, *rows: Row) -> bytes:
    """A usage file of the month: these rows, or two companies of two partners."""
    first = f"{month}-01"
    given = rows or (
        company(1, PARTNER_ID="101", PARTNER_NAME="Acme"),
        company(2, PARTNER_ID="102", PARTNER_NAME="Birch"),
    )
    return usage_csv(*({**row, "FOR_MONTH": first} for row in given))
