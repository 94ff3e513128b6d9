"""The evidence pack: every file with its hash, complete or not there, the same bytes each time."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from billing_pipeline.reports.evidence import write_pack

RECORD = {"release": {"number": 1, "billed": "30.00"}, "decisions": []}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Two files of a run set, one in a folder."""
    (tmp_path / "set").mkdir()
    for name in ("one", "two"):
        (tmp_path / "set" / name).write_bytes(name.encode() * 1000)
    return {"b/two.csv": tmp_path / "set" / "two", "a.csv": tmp_path / "set" / "one"}


def test_a_pack_holds_the_files_the_record_and_their_hashes(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "packs" / "r1.zip"
    assert write_pack(out, files, RECORD) == 4
    with zipfile.ZipFile(out) as pack:
        assert pack.namelist() == ["release.json", "a.csv", "b/two.csv", "SHA256SUMS"]
        assert pack.read("b/two.csv") == b"two" * 1000
        pack.extractall(tmp_path / "opened")
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], check=False, capture_output=True, text=True, cwd=tmp_path / "opened"
    )
    assert checked.stdout.splitlines() == ["release.json: OK", "a.csv: OK", "b/two.csv: OK"]


def test_the_same_release_is_the_same_pack_whenever_and_in_whatever_order_it_is_written(
    files: dict[str, Path], tmp_path: Path
) -> None:
    write_pack(tmp_path / "1.zip", files, RECORD)
    for path in files.values():
        os.utime(path, (10**9, 10**9))
    write_pack(tmp_path / "2.zip", dict(reversed(files.items())), dict(reversed(RECORD.items())))
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_pack_that_cannot_be_written_whole_does_not_appear(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "packs" / "r1.zip"
    with pytest.raises(FileNotFoundError):
        write_pack(out, {**files, "z": tmp_path / "missing"}, RECORD)
    assert list(out.parent.iterdir()) == []
