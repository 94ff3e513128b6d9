"""Bills a golden case by both ways that lead to the outputs, and compares them with the recorded ones."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.profile import Profile
from billing_pipeline.resources.gate import Gate
from tests.months import Said, command_line

CASES = Path(__file__).parent / "usage-billing"
RULES = "gep_billing_rules.xlsx"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Case:
    """A recorded month: its inputs, and what the reference system made of them."""

    folder: Path

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    @property
    def month(self) -> str:
        return str(json.loads((self.folder / "case.json").read_text())["month"])

    @property
    def overrides(self) -> Path | None:
        path = self.inputs / "billing_overrides.json"
        return path if path.exists() else None


@dataclass(frozen=True)
class Outcome:
    """What billing a case came to: 0 published, 3 published and something waits for a person; values that differ."""

    code: int
    agrees: bool


Bill = Callable[[str], Outcome]


def by_command_line(case: Case, out: Path, run: Callable[..., Said]) -> int:
    """The command, as a user runs it."""
    overrides = ["--overrides", case.overrides] if case.overrides else []
    return run("bill", "--inputs-dir", case.inputs, "--outputs-dir", out, *overrides).code


def by_assets(case: Case, out: Path, _: Callable[..., Said]) -> int:
    """The job that the UI and the sensors start; its flags and held lines say whether somebody has to look."""
    resources = local_resources(
        usage_dir=case.inputs,
        rules_file=case.inputs / RULES,
        outputs_dir=out,
        state_dir=out / ".billing",
        profile=Profile(),
        gate=Gate(gated=False),
        overrides_file=case.overrides,
    )
    job = build_defs(resources).resolve_job_def("close_month")
    result = job.execute_in_process(partition_key=case.month, run_config=QUIET)
    assert result.success
    undecided = result.output_for_node("review_flags")["decision"].null_count()
    held = "held" in result.output_for_node("netsuite_invoices")["kind"]
    return 3 if undecided or held else 0


@pytest.fixture(scope="session")
def compare() -> ModuleType:
    """The comparison that came with the recorded cases."""
    spec = importlib.util.spec_from_file_location("usage_billing_compare", CASES / "compare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=[by_command_line, by_assets], ids=["command line", "assets"])
def bill(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    compare: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bill:
    """Bills a case into an empty folder and compares everything that came out."""
    run = command_line(monkeypatch, capsys)

    def billed(name: str) -> Outcome:
        case = Case(CASES / name)
        code = request.param(case, tmp_path, run)
        return Outcome(code, agrees=compare.main(case.folder, tmp_path, False) == 0)

    return billed


@pytest.fixture
def accrue(
    tmp_path: Path, compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bill:
    """Accrues a case's month from its prior month, bills it and compares the two, by the three commands."""
    run = command_line(monkeypatch, capsys)

    def accrued(name: str) -> Outcome:
        case, root = Case(CASES / name), tmp_path / "gep_accrual"
        compact, dotted = case.month.replace("-", ""), case.month.replace("-", ".")
        made = run(
            "accrue", "--month", case.month, "--usage-dir", case.folder / "prior_month",
            "--rules-file", case.inputs / RULES, "--outputs-dir", tmp_path,
        )  # fmt: skip
        assert by_command_line(case, tmp_path, run) in (0, 3)
        report = tmp_path / "gep_billing_log" / f"{dotted}_Master_Billing_Report.xlsx"
        totals, output = root / f"gep_accrual_totals_{compact}.csv", root / f"variance_{compact}.csv"
        assert run("variance", "--accrual-totals", totals, "--actual-report", report, "--output", output).code == 0
        return Outcome(made.code, agrees=compare.main(case.folder, tmp_path, True) == 0)

    return accrued
