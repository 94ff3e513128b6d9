"""The audited sheets of the sample: clean as they were billed, ten findings a week later, whenever one looks."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from billing_pipeline.engine.audit.audit import Detected, detect
from billing_pipeline.engine.audit.examining import to_examine
from billing_pipeline.engine.audit.inputs import Memory, Read, kept
from billing_pipeline.engine.audit.snapshot import snapshot
from billing_pipeline.engine.audit.tables import INFO, READ, REVISIONS
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.errors import InputError
from billing_pipeline.resources.audit_folder import AuditFolder
from billing_pipeline.sample import write_audit

KINDS = [
    "COMPLETION_REVOKED", "DUPLICATE_ACROSS_SHEETS", "DUPLICATE_IN_SHEET", "EDIT_AFTER_CLOSE", "LATE_ENTRY",
    "MISSING_VALUE", "RATE_MISMATCH", "ROW_REMOVED", "UNREADABLE_VALUE", "WEEK_MOVED",
]  # fmt: skip


def audited(folder: Path, memory: Memory, at: datetime) -> tuple[Detected, Memory]:
    """A run over a folder of the sample, with the histories it has."""
    source = AuditFolder(folder)
    read = [source.sheet(sheet) for sheet in source.sheets()]
    sheets, rows, texts = (pl.concat(getattr(one, name) for one in read) for name in ("sheet", "rows", "texts"))
    now = snapshot(texts, rows)
    told = sheets.filter(pl.Series([source.has_history(sheet) for sheet in sheets["sheet_id"]]))
    asked = to_examine(now.rows, told, memory, Thresholds(), at, "UTC", 40)
    histories = [source.history(*cell) for cell in asked.select("sheet_id", "row_id", "column").iter_rows()]
    seen = Read(
        sheets, now, asked.with_columns(state=pl.lit(READ)), pl.concat([pl.DataFrame(schema=REVISIONS), *histories])
    )
    rates = source.rates()
    assert rates is not None
    found = detect(seen, memory, rates, Thresholds(), at, "UTC")
    return found, Memory(*kept(seen, memory, at), baseline=found.baseline_updates)


@pytest.fixture(name="folders")
def the_two_folders(tmp_path: Path) -> tuple[Path, Path]:
    return write_audit(tmp_path / "sheets")


def test_the_first_look_finds_nothing_in_four_sheets_of_400_rows(folders: tuple[Path, Path]) -> None:
    run, _ = audited(folders[0], Memory(), datetime(2026, 11, 21, tzinfo=UTC))
    assert run.coverage.select("sheet", "rows", "not_verified", "unreadable", "error").rows() == [
        ("Crew 1 North", 100, 0, 0, ""),
        ("Crew 2 East", 100, 0, 0, ""),
        ("Crew 3 South", 100, 0, 0, ""),
        ("Crew 4 West", 100, 0, 0, ""),
    ]
    assert run.found.rows() == []


@pytest.mark.parametrize(
    ("first", "second", "evidence"),
    [
        (datetime(2026, 1, 28, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC), "history"),
        (datetime(2026, 11, 21, 9, tzinfo=UTC), datetime(2026, 11, 21, 10, tzinfo=UTC), "snapshot"),
    ],
    ids=["that week", "much later"],
)
def test_the_second_look_has_ten_findings_of_ten_kinds(
    folders: tuple[Path, Path], first: datetime, second: datetime, evidence: str
) -> None:
    _, memory = audited(folders[0], Memory(), first)
    run, _ = audited(folders[1], memory, second)
    found = run.found.filter(pl.col("severity") != INFO)
    assert sorted(found["category"]) == KINDS
    edit = found.filter(pl.col("category") == "EDIT_AFTER_CLOSE")
    assert edit.select("old", "new", "by", "evidence").rows() == [
        ("1240.00", "3240.00", "dispatch@example.com", evidence)
    ]
    assert {"HIGH", "MEDIUM"} <= set(found["severity"])


def test_the_same_files_are_written_every_time(folders: tuple[Path, Path], tmp_path: Path) -> None:
    again = write_audit(tmp_path / "again")
    for one, other in zip(folders, again, strict=True):
        names = sorted(path.name for path in one.glob("*.csv"))
        assert names == sorted(path.name for path in other.glob("*.csv"))
        assert [(one / name).read_bytes() for name in names] == [(other / name).read_bytes() for name in names]


def test_a_sheet_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "Crew 2 East.csv").write_text("mine")
    with pytest.raises(InputError, match="is not the file of the sample book"):
        write_audit(tmp_path)
    assert not (tmp_path / "before").exists()
