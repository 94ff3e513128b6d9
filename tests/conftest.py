"""Every test sees the product's defaults: no settings and no Dagster instance of the machine it runs on.

Properties see the same examples every time and have no deadline, because the first frame of a process is slow;
`--hypothesis-profile=random` looks for new ones.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # most tests need no Dagster, which takes a second to import
    from tests.months import Month

for name in [name for name in os.environ if name.startswith("BILLING_") or name == "DAGSTER_HOME"]:
    del os.environ[name]  # here and not in a fixture: settings are read when modules are imported
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"

# A book of forty rows is large by Hypothesis' measure; that is no sign of a bad strategy here.
settings.register_profile(
    "random", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("steady", settings.get_profile("random"), derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Month":
    """January 2026 in an empty folder, with rules that price partner 101."""
    from tests.months import Month, command_line

    return Month(tmp_path, command_line(monkeypatch, capsys))
