"""Every test sees the product's defaults: no settings and no Dagster instance of the machine it runs on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # most tests need no Dagster, which takes a second to import
    from tests.months import Month

for name in [name for name in os.environ if name.startswith("BILLING_") or name == "DAGSTER_HOME"]:
    del os.environ[name]  # here and not in a fixture: settings are read when modules are imported
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Month":
    """January 2026 in an empty folder, with rules that price partner 101."""
    from tests.months import Month, command_line

    return Month(tmp_path, command_line(monkeypatch, capsys))
