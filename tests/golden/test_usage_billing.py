"""The nine golden cases: what the reference system produced on the same inputs, met from both doors of the product."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.profile import Profile
from billing_pipeline.resources.gate import Gate

CASES = Path(__file__).parent / "usage-billing"
RULES = {
    "clean": "a month without anything odd: every metric and mode, included users, next-day fees, minimum true-ups",
    "december": "the year turns: transaction dates, month indexes of minimums, an end before its start is ignored",
    "messy": "serial and US dates, blank, fractional and negative counts, text prices, unmapped and unpriced partners",
    "one-partner": "a book of one partner: one invoice, one workbook",
    "overrides": "decisions remove rows and partners and set dates; the pricing order stays as it was",
    "quirks": "gaps, overlaps, mixed metrics and types, name-only partners, ACH-only tiers, 21-day as next-day",
    "story-1": "first of three months of one book",
    "story-2": "second month: growth, and companies that moved between partners",
    "story-3": "third month: a price change",
}
cases = pytest.mark.parametrize("case", [pytest.param(name, id=f"{name}: {rule}") for name, rule in RULES.items()])


def test_every_golden_case_is_tested() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == set(RULES) | {"__pycache__"} & {
        path.name for path in CASES.iterdir()
    }


@cases
def test_the_command_line_agrees_with_the_reference(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    decisions = CASES / case / "inputs" / "billing_overrides.json"
    command = ["billing-pipeline", "bill", "--inputs-dir", str(CASES / case / "inputs"), "--outputs-dir", str(tmp_path)]
    if decisions.exists():
        command += ["--overrides", str(decisions)]
    done = subprocess.run([f"{sys.prefix}/bin/{command[0]}", *command[1:]], check=False, capture_output=True)
    assert done.returncode in (0, 3), done.stderr.decode()
    assert_agrees(case, tmp_path, capfd)


@cases
def test_materialised_assets_agree_with_the_reference(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inputs = CASES / case / "inputs"
    decisions = inputs / "billing_overrides.json"
    resources = local_resources(
        usage_dir=inputs,
        rules_file=inputs / "gep_billing_rules.xlsx",
        outputs_dir=tmp_path,
        state_dir=tmp_path / ".billing",
        profile=Profile(),
        gate=Gate(gated=False),
        overrides_file=decisions if decisions.exists() else None,
    )
    month = next(inputs.glob("*.csv")).name[:7].replace(".", "-")
    job = build_defs(resources).resolve_job_def("close_month")
    assert job.execute_in_process(partition_key=month).success
    assert_agrees(case, tmp_path, capfd)


def assert_agrees(case: str, outputs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    differs = compare().main(CASES / case, outputs, False)
    assert not differs, capfd.readouterr().out


def compare() -> ModuleType:
    """The comparison that came with the cases, as it came."""
    sys.path.insert(0, str(CASES))
    try:
        import compare as module
    finally:
        sys.path.remove(str(CASES))
    return module
