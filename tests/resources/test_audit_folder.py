"""Source sheets in a folder of CSV files: the same frames as from Smartsheet, or an error that names file and line."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.audit.tables import REVISIONS, SHEETS, SOURCE_ROWS, TEXTS
from billing_pipeline.engine.errors import InputError
from billing_pipeline.resources.audit_folder import AuditFolder

HEADER = "Row ID,Work Request #,Weekly Reference Logged Date,Units Completed?,Units Total Price,Qty"


@pytest.fixture(name="folder")
def an_empty_folder(tmp_path: Path) -> AuditFolder:
    return AuditFolder(tmp_path)


def put(folder: AuditFolder, name: str, *lines: str) -> None:
    (folder.path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def values(texts: pl.DataFrame, column: str) -> list[str | None]:
    return texts.filter(pl.col("column") == column)["value"].to_list()


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as raised:
        call()
    return str(raised.value)


def test_a_sheet_gives_its_row_its_rows_and_every_cell_as_it_stands(folder: AuditFolder) -> None:
    put(
        folder,
        "Crew 1.csv",
        f"{HEADER},Modified At,Modified By,Remarks",
        'r1,10000001,2026-01-04,true,"$1,200.00",2.9,2026-01-09T10:00:00-06:00,late@example.com,x',
        "r2,10000001,,,,,,,",
    )
    read = folder.sheet("Crew 1")
    assert (read.sheet.schema, read.rows.schema, read.texts.schema) == (SHEETS, SOURCE_ROWS, TEXTS)
    assert read.sheet.drop("version").rows() == [("Crew 1", "Crew 1", 2, 2, "", "")]
    assert read.rows.rows() == [
        ("Crew 1", "r1", 1, datetime(2026, 1, 9, 16, tzinfo=UTC), "late@example.com", ""),
        ("Crew 1", "r2", 2, None, "", ""),
    ]
    assert values(read.texts, "price") == ["$1,200.00", None]
    assert values(read.texts, "quantity") == ["2.9", None]
    assert set(read.texts["column"]) == {"work_request", "week_ending", "completed", "price", "quantity"}


def test_without_row_ids_a_row_is_known_by_its_line(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", "Work Request #,Quantity", '"a', 'b",1', "", "c,2")
    assert folder.sheet("Crew 1").rows["row_id"].to_list() == ["2", "5"]


def test_a_sheet_without_rows_is_one(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", HEADER)
    read = folder.sheet("Crew 1")
    assert read.sheet["read"].to_list() == [0]
    assert (read.rows.schema, read.texts.schema) == (SOURCE_ROWS, TEXTS)


def test_required_columns_that_are_missing_are_told(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", "Remarks", "x")
    read = folder.sheet("Crew 1")
    assert read.sheet["missing"][0] == (
        "Work Request #, Weekly Reference Logged Date, Units Completed?, Units Total Price, Quantity"
    )
    assert (read.rows.height, read.texts.height) == (1, 0)


def test_every_csv_file_is_a_sheet_but_histories_and_rates(folder: AuditFolder) -> None:
    for name in ("Crew 2.csv", "Crew 1.csv", "Crew 1.history.csv", "rates.csv", "notes.txt"):
        put(folder, name, "a")
    assert folder.sheets() == {"Crew 1": "Crew 1", "Crew 2": "Crew 2"}


def test_the_version_is_one_of_the_content(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", HEADER, "r1,1,,,,")
    before = folder.version("Crew 1")
    assert folder.sheet("Crew 1").sheet["version"][0] == before
    put(folder, "Crew 1.csv", HEADER, "r1,1,,,,")
    assert folder.version("Crew 1") == before
    put(folder, "Crew 1.csv", HEADER, "r1,2,,,,")
    assert folder.version("Crew 1") != before


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["r1,1,,,,", "r1,2,,,,"], "Crew 1.csv, line 3: the Row ID stands there twice (found 'r1')"),
        (["r1,1,,,,", " ,2,,,,"], "Crew 1.csv, line 3: has no Row ID"),
        (["r1,1,,,,,"], "Crew 1.csv, line 2"),
    ],
)
def test_a_row_that_cannot_be_told_from_others_is_refused(folder: AuditFolder, lines: list[str], problem: str) -> None:
    put(folder, "Crew 1.csv", HEADER, *lines)
    assert problem in refused(lambda: folder.sheet("Crew 1"))


def test_a_time_that_is_none_is_refused(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", f"{HEADER},Modified At", "r1,1,,,,,yesterday")
    assert refused(lambda: folder.sheet("Crew 1")) == (
        "Crew 1.csv, line 2, MODIFIED_AT: is no time (accepted: 2026-01-09T10:00:00Z) (found 'yesterday')"
    )


def test_a_sheet_or_folder_that_is_not_there_is_refused(folder: AuditFolder, tmp_path: Path) -> None:
    assert "Crew 9.csv: cannot be read" in refused(lambda: folder.sheet("Crew 9"))
    assert "is not there" in refused(AuditFolder(tmp_path / "elsewhere").sheets)


def test_a_cells_history_is_told_from_the_oldest_revision_on(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", f"{HEADER},Redlined Total Price", "r1,1,,,,,")
    put(
        folder,
        "Crew 1.history.csv",
        "Row ID,Column,At,Value,By",
        "r1,Qty,2026-01-09T10:00:00Z,5,late@example.com",
        "r1,quantity,2026-01-02,2,",
        "r1,Redlined Total Price,2026-01-03,9,",
        "r1,Units total price,2026-01-03,,",
        "r2,Qty,2026-01-03,7,",
    )
    found = folder.history("Crew 1", "r1", "quantity")
    assert found.schema == REVISIONS
    assert found.rows() == [
        ("Crew 1", "r1", "quantity", datetime(2026, 1, 2, tzinfo=UTC), "2", ""),
        ("Crew 1", "r1", "quantity", datetime(2026, 1, 9, 10, tzinfo=UTC), "5", "late@example.com"),
    ]
    assert folder.history("Crew 1", "r1", "price")["value"].to_list() == [None]
    assert folder.history("Crew 1", "r3", "quantity").is_empty()


def test_no_history_is_not_the_same_as_no_change(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", HEADER, "r1,1,,,,")
    assert not folder.has_history("Crew 1")
    assert "Crew 1.history.csv: cannot be read" in refused(lambda: folder.history("Crew 1", "r1", "quantity"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("r1,Quantty,2026-01-09,5,", "line 2: Crew 1.csv has no such column (found 'Quantty')"),
        ("r1,Qty,,5,", "line 2, AT: has no time"),
        ("r1,Qty,late,5,", "line 2, AT: is no time"),
    ],
)
def test_a_history_that_cannot_be_placed_is_refused(folder: AuditFolder, line: str, problem: str) -> None:
    put(folder, "Crew 1.csv", HEADER, "r1,1,,,,")
    put(folder, "Crew 1.history.csv", "Row ID,Column,At,Value,By", line)
    assert problem in refused(lambda: folder.history("Crew 1", "r1", "quantity"))


def test_a_history_without_its_columns_is_refused(folder: AuditFolder) -> None:
    put(folder, "Crew 1.csv", HEADER, "r1,1,,,,")
    put(folder, "Crew 1.history.csv", "Row ID,Column,Value", "r1,Qty,1")
    assert "line 1: column AT, BY is missing" in refused(lambda: folder.history("Crew 1", "r1", "quantity"))


def test_rates_are_exact(folder: AuditFolder) -> None:
    put(folder, "rates.csv", "unit_code,work_type,rate", "UC-1,install,56.84", "UC-1,remove,$0.12345678")
    rates = folder.rates()
    assert rates is not None
    assert rates.rows() == [("UC-1", "install", Decimal("56.84")), ("UC-1", "remove", Decimal("0.12345678"))]


def test_without_a_file_there_are_no_rates(folder: AuditFolder) -> None:
    assert folder.rates() is None


def test_every_rate_that_is_none_is_told(folder: AuditFolder) -> None:
    put(folder, "rates.csv", "unit_code,work_type,rate", "UC-1,install,abc", "UC-2,install,", "UC-3,install,1")
    assert refused(folder.rates).splitlines() == [
        "rates.csv, line 2, rate: is not a plain number (found 'abc')",
        "rates.csv, line 3, rate: is blank",
    ]
