"""A month to bill in a folder of its own: inputs written as literals, the command run on them, outputs looked at."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest

from billing_pipeline import cli
from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.cli import console
from billing_pipeline.engine.period import Period
from billing_pipeline.profile import Profile
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outputs import OutputFiles, output_files
from tests.engine.rules.books import book, customer, tier
from tests.literals import JANUARY, USAGE_NAME, Row, company, usage_csv

COMMAND = Path(sys.executable).parent / "billing-pipeline"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
IMPORT = "gep_netsuite/gep_netsuite_invoice_import_2026.01.csv"
HELD = "gep_netsuite/gep_netsuite_invoice_held_2026.01.csv"
MASTER = "gep_billing_log/2026.01_Master_Billing_Report.xlsx"
REVIEW = "gep_data_review/pre_scan_results_2026.01.json"


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


class Month:
    """January 2026 in a folder: usage file and rules to bill it with, and the outputs of that."""

    period: ClassVar[Period] = JANUARY

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        self.inputs, self.outputs = folder / "in", folder / "out"
        self._run = run
        self.inputs.mkdir(parents=True)
        self.rules(book([tier(er_fee=10, iu_fee=1)], minimums=(), config=()))

    @property
    def usage_file(self) -> Path:
        return self.inputs / USAGE_NAME

    @property
    def rules_file(self) -> Path:
        return self.inputs / "gep_billing_rules.xlsx"

    def usage(self, *rows: Row) -> None:
        """Write the usage file with these rows."""
        self.usage_file.write_bytes(usage_csv(*rows))

    def rules(self, data: bytes) -> None:
        """Write the rules workbook."""
        self.rules_file.write_bytes(data)

    def partners(self, **customers: str) -> None:
        """Rules with one price for each partner id, and the customer it is billed as."""
        pricing = [tier(partner_id=key, partner_name=None, er_fee=10, iu_fee=1) for key in customers]
        mapping = [
            customer(partner_id=key, partner_name=None, ns_customer_name=name) for key, name in customers.items()
        ]
        self.rules(book(pricing, (), (), mapping))

    def overrides(self, *decisions: dict[str, Any], **document: Any) -> Path:
        """Write a decision file for the usage file as it is."""
        digest = sha256(self.usage_file.read_bytes()).hexdigest()
        path = self.inputs / "billing_overrides.json"
        path.write_text(json.dumps({"usage_file_sha256": digest, "decisions": decisions} | document))
        return path

    def arguments(self, *more: object) -> list[str]:
        return [*map(str, ("bill", "--inputs-dir", self.inputs, "--outputs-dir", self.outputs, *more))]

    def run(self, *arguments: object) -> Said:
        """Run any command, in this process."""
        return self._run(*arguments)

    def bill(self, *more: object) -> Said:
        """Run `bill` on the month, in this process."""
        return self.run(*self.arguments(*more))

    def bill_elsewhere(self, *more: object, **options: Any) -> Said:
        """Run `bill` on the month in a process of its own."""
        command, wide = [COMMAND, *self.arguments(*more)], os.environ | {"COLUMNS": "2000"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=wide, **options)
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def files(self) -> OutputFiles:
        return output_files(self.outputs, self.outputs / ".billing")

    def resources(self, *, gated: bool = False) -> dict[str, object]:
        return local_resources(
            usage_dir=self.inputs,
            rules_file=self.rules_file,
            outputs_dir=self.outputs,
            state_dir=self.outputs / ".billing",
            profile=Profile(),
            gate=Gate(gated=gated),
        )

    def materialise(self, assets: Iterable[str] | None = None, *, gated: bool = False) -> str:
        """Run the job close_month, or some of its assets; the id of the run."""
        job = build_defs(self.resources(gated=gated)).resolve_job_def("close_month")
        selection = None if assets is None else [dg.AssetKey(asset) for asset in assets]
        result = job.execute_in_process(partition_key="2026-01", run_config=QUIET, asset_selection=selection)
        return result.run_id

    def published(self) -> dict[str, str]:
        """Named files under the outputs folder with their hashes: no state, no run sets, no review file."""
        if not self.outputs.exists():
            return {}
        files = {str(path.relative_to(self.outputs)): path for path in self.outputs.rglob("*") if path.is_file()}
        return {
            name: sha256(path.read_bytes()).hexdigest()
            for name, path in sorted(files.items())
            if Path(name).parts[0] not in (".billing", "runs", "gep_data_review")
        }

    def run_sets(self) -> list[str]:
        """The folders under runs/ for the month, half built ones included."""
        folder = self.outputs / "runs" / "2026-01"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def leftovers(self) -> list[str]:
        """Files of unfinished writing, wherever they are."""
        return [str(path) for path in self.outputs.rglob("*") if path.name.endswith((".part", ".tmp"))]

    def read(self, name: str) -> str:
        return (self.outputs / name).read_text("utf-8")


def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command line, called in this process on a terminal wide enough not to wrap."""
    monkeypatch.setattr(console.messages, "width", 2000)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["billing-pipeline", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def one_company(**cells: str) -> Row:
    """A company that is in order, to stand beside the one a test is about."""
    return company(900, **({"FIRST_BILLABLE_ACTIVITY_DATE": "2025-01-01"} | cells))
