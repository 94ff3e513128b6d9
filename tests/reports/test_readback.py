"""Reading back: the decimals written are the decimals read, over continued sheets, and damage is said."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.money import AMOUNT, RATE
from billing_pipeline.reports.billing import FeeSummary, write_partner_workbook
from billing_pipeline.reports.readback import fee_summary_total, read_table
from billing_pipeline.reports.workbook import Cell, Page, Table, write_workbook

FRAME = pl.DataFrame(
    {
        "id": ["007", None, "=1", " x "],
        "fee": [Decimal("0.07"), None, Decimal("-5.10"), Decimal("1234567890123456.78")],
        "rate": [Decimal("0.335"), Decimal("7.00000001"), None, Decimal(0)],
        "applied": [True, False, None, True],
        "n": [1, None, 3, -4],
    },
    schema_overrides={"fee": AMOUNT, "rate": RATE, "n": pl.Int64},
)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    write_workbook(path, [Table("S", FRAME)])
    assert read_table(path, "S", FRAME.schema).equals(FRAME)
    assert read_table(path, "S", {"fee": AMOUNT}).columns == ["fee"]


def test_continued_sheets_are_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    long = pl.concat([FRAME] * 5)
    write_workbook(path, [Table("S", long)], row_limit=8)
    assert read_table(path, "S", long.schema).equals(long)
    assert read_table(path, "S", long.schema).height == 20


@given(st.lists(st.decimals(-(10**16) + 1, 10**16 - 1, places=2, allow_nan=False), min_size=1, max_size=20))
def test_any_amount_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal]) -> None:
    path = tmp_path_factory.mktemp("amounts") / "t.xlsx"
    frame = pl.DataFrame({"fee": pl.Series(amounts, dtype=AMOUNT)})
    write_workbook(path, [Table("S", frame)])
    assert read_table(path, "S", {"fee": AMOUNT}).equals(frame)


def test_total_of_a_fee_summary(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    lines = pl.DataFrame(schema={"product": pl.String, "rate": pl.String, "quantity": pl.String, "amount": AMOUNT})
    summary = FeeSummary("Fee Summary", "P", "January 2026", 0, 0, lines, Decimal("20000000000000.35"), "")
    write_partner_workbook(path, summary, pl.DataFrame({"er_fee": [Decimal("1.00")]}))
    assert fee_summary_total(path) == Decimal("20000000000000.35")
    write_workbook(path, [Page("Fee Summary", [Cell(0, 0, "x"), Cell(0, 2, "x"), Cell(0, 3, 1)])])
    with pytest.raises(InputError, match="Total Fees"):
        fee_summary_total(path)


def test_what_cannot_be_read_is_said_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    write_workbook(path, [Table("S", FRAME)])
    with pytest.raises(InputError, match=r"t\.xlsx, Other: the sheet is missing"):
        read_table(path, "Other", {"fee": AMOUNT})
    with pytest.raises(InputError, match="nope"):
        read_table(path, "S", {"nope": AMOUNT})
    with pytest.raises(InputError, match=r"S!rate: a number does not fit"):
        read_table(path, "S", {"rate": AMOUNT})
    path.write_bytes(b"not a workbook")
    with pytest.raises(InputError, match="not a readable workbook"):
        read_table(path, "S", {"fee": AMOUNT})
    with pytest.raises(FileNotFoundError, match=r"absent\.xlsx"):
        read_table(tmp_path / "absent.xlsx", "S", {"fee": AMOUNT})
