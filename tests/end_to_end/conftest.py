"""A month to bill from the command line."""

from pathlib import Path

import pytest

from tests.months import Month, command_line


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Month:
    return Month(tmp_path, command_line(monkeypatch, capsys))
