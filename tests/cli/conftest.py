"""A published month for the commands that read one, and the command line called in this process."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing_pipeline import cli
from billing_pipeline.cli import console

QUIRKS = Path(__file__).parents[1] / "golden" / "usage-billing" / "quirks" / "inputs"


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Billing = Callable[..., Outcome]


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Billing:
    """billing("explain", "--month", ...) runs the command line on a terminal wide enough not to wrap."""
    monkeypatch.setattr(console.output, "width", 200)
    monkeypatch.setattr(console.messages, "width", 200)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["billing-pipeline", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs folder of March 2026 of the golden case `quirks`; not to be changed."""
    import dagster as dg

    from billing_pipeline.build import build_defs, local_resources
    from billing_pipeline.profile import Profile
    from billing_pipeline.resources.gate import Gate

    outputs = tmp_path_factory.mktemp("published") / "out"
    resources = local_resources(
        usage_dir=QUIRKS,
        rules_file=QUIRKS / "gep_billing_rules.xlsx",
        outputs_dir=outputs,
        state_dir=outputs / ".billing",
        profile=Profile(),
        gate=Gate(gated=False),
        overrides_file=QUIRKS / "billing_overrides.json",
    )
    job = build_defs(resources).resolve_job_def("close_month")
    with dg.DagsterInstance.ephemeral() as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        assert job.execute_in_process(partition_key="2026-03", instance=instance, run_config=quiet).success
    return outputs


@pytest.fixture
def published(published_once: Path, tmp_path: Path) -> Path:
    """A copy of the published month that a test may change."""
    return shutil.copytree(published_once, tmp_path / "out")
