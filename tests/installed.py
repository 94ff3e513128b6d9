"""An installation in this process: settings by environment, months run by the commands and the job, facts looked at."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from rich.progress import Progress

from billing_pipeline.cli.closing import installed_month
from billing_pipeline.cli.drafting import closed_month
from billing_pipeline.engine.period import Period
from billing_pipeline.resources import months, outbox
from billing_pipeline.resources.database import tables
from billing_pipeline.resources.months import MonthEvent
from tests.end_to_end.installation import Installation
from tests.engine.rules.books import book, customer, tier
from tests.literals import Row, company
from tests.months import Said, command_line

IMPORT = "gep_netsuite/gep_netsuite_invoice_import_2026.01.csv"
MONTH = "2026-01"


class Installed(Installation):
    """January 2026 with two companies of two partners, 15.00 each, and what becomes of it."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str] | None = None,
        **settings: object,
    ) -> None:
        super().__init__(folder, **settings)
        self._monkeypatch = monkeypatch
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        if capsys:
            self.run: Callable[..., Said] = command_line(monkeypatch, capsys)
        self.users()

    def rules(
        self,
        *partners: int,
        er_fee: int = 10,
        mapped: Iterable[int] | None = None,
        names: Mapping[int, str] | None = None,
    ) -> None:
        """Write rules that price these partners; those `mapped` (all) have a customer, `Customer 101` unless named."""
        known = partners if mapped is None else mapped
        pricing = [tier(partner_id=str(key), partner_name=None, er_fee=er_fee, iu_fee=1) for key in partners]
        customers = [
            customer(partner_id=str(key), partner_name=None, ns_customer_name=(names or {}).get(key, f"Customer {key}"))
            for key in known
        ]
        (self.usage_dir / "gep_billing_rules.xlsx").write_bytes(book(pricing, (), (), customers))

    def setting(self, name: str, value: object) -> None:
        """Change a setting for the commands that follow."""
        self.environment[f"BILLING_{name.upper()}"] = str(value)
        self._monkeypatch.setenv(f"BILLING_{name.upper()}", str(value))

    def users(self, acme: int = 5, birch: int = 5, *more: Row, month: str = MONTH) -> Path:
        """Write the usage file: users of a company of partner 101 and one of 102, then more rows."""
        return self.drop(
            month,
            company(1, PARTNER_ID="101", PARTNER_NAME="Acme", TOTAL_INDIVIDUAL_USERS=str(acme)),
            company(2, PARTNER_ID="102", PARTNER_NAME="Birch", TOTAL_INDIVIDUAL_USERS=str(birch)),
            *more,
        )

    def close(self, month: str = MONTH, **tags: str) -> MonthEvent:
        """Run the job close_month; what it came to."""
        return closed_month(installed_month(Period.parse(month)), Progress(disable=True), tags)

    def released(self) -> None:
        """Put January's first release there, as `close` makes it: made once in this process, and copied."""
        shutil.copytree(_released_once(), self.folder, dirs_exist_ok=True)

    def publish(self, *more: object, month: str = MONTH) -> Said:
        return self.run("publish", "--month", month, "--by", "Ana", *more)

    def state(self, month: str = MONTH) -> str:
        event = self.database.run(partial(months.latest, period=Period.parse(month)))
        return event.state if event else ""

    def kinds(self) -> list[str]:
        """The kinds of the notices in the outbox, in order."""
        return [notice.kind for notice in self.database.run(outbox.waiting)]

    def last_notice(self) -> str:
        """What people are told last, as text."""
        found = sa.select(tables.outbox.c.message).order_by(tables.outbox.c.id.desc()).limit(1)
        return str(self.database.run(lambda connection: connection.execute(found).scalar_one())["text"])

    def lines(self, name: str) -> pl.DataFrame:
        """A file for the ERP, amounts as decimals."""
        return pl.read_csv(self.outputs / name, infer_schema=False).with_columns(
            pl.col("Amount").cast(pl.Decimal(12, 2))
        )

    def named(self, month: str = MONTH) -> list[str]:
        """The month's files for the ERP that stand outside."""
        dotted = month.replace("-", ".")
        return sorted(path.name for path in (self.outputs / "gep_netsuite").glob(f"*{dotted}*"))

    def sets(self, month: str = MONTH) -> list[Path]:
        """The run sets of the month, in order of their runs."""
        return sorted((self.outputs / "runs" / month).glob("*"))

    def manifest(self, month: str = MONTH) -> dict[str, Any]:
        """The manifest of the last release's run set."""
        document: dict[str, Any] = json.loads(
            (self.outputs / "runs" / month / self.releases(month)[-1].run_id / "manifest.json").read_text("utf-8")
        )
        return document


@cache
def _released_once() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="billing-released-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patched:
        installed = Installed(folder, patched)
        assert installed.close().state == "published"
    return folder
