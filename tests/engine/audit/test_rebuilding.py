"""The baseline from findings of the log sheet: each row is held again to what it was billed with."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.audit.rebuilding import baseline_of
from billing_pipeline.engine.audit.tables import BASELINE, ROWS
from billing_pipeline.engine.money import AMOUNT, QUANTITY

WEEK, NEXT = date(2026, 1, 4), date(2026, 1, 11)
SEEN = datetime(2026, 1, 9, 12, tzinfo=UTC)
FINDING = {
    "category": pl.String, "sheet_id": pl.String, "row_id": pl.String, "column": pl.String, "old": pl.String,
    "work_request": pl.String, "week_ending": pl.Date, "first_seen_at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def findings(*told: tuple[str, str, str, str | None]) -> pl.DataFrame:
    """Category, row, column and old value of each; seen a day later than the one before."""
    told_rows = [
        (category, "s", row, column, old, "100", WEEK, SEEN.replace(day=9 + number))
        for number, (category, row, column, old) in enumerate(told)
    ]
    return pl.DataFrame(told_rows, schema=FINDING, orient="row")


def rows(*ids: str, week: date = WEEK) -> pl.DataFrame:
    """Rows that cost 250.00 for 5 units now."""
    values = {"sheet_id": "s", "work_request": "100", "week_ending": week, "completed": True}
    frame = pl.DataFrame([{**values, "row_id": row} for row in ids], schema_overrides={"week_ending": pl.Date})
    amounts = frame.with_columns(
        price=pl.lit("250.00").cast(AMOUNT), quantity=pl.lit("5").cast(QUANTITY)
    )  # fmt: skip
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in ROWS.items() if name not in amounts.columns]
    return amounts.with_columns(missing).select(ROWS.keys())


def baseline(told: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    return baseline_of(told, now, timedelta(0), "America/Chicago")


def held(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    assert frame.schema == pl.Schema(BASELINE)
    return frame.select("row_id", "week_ending", "price", "quantity").rows()


def test_an_edited_cell_is_held_to_its_old_value_and_the_other_to_what_it_is() -> None:
    told = findings(("EDIT_AFTER_CLOSE", "r1", "quantity", "2"), ("EDIT_AFTER_CLOSE", "r1", "price", "100.00"))
    (both,) = held(baseline(told, rows("r1")))
    assert both == ("r1", WEEK, Decimal("100.00"), Decimal(2))
    (one,) = held(baseline(told.head(1), rows("r1")))
    assert one == ("r1", WEEK, Decimal("250.00"), Decimal(2))
    assert baseline(told, rows("r1"))["billed_at"].to_list() == [datetime(2026, 1, 5, 6, tzinfo=UTC)]


def test_what_came_late_was_not_billed() -> None:
    assert held(baseline(findings(("LATE_ENTRY", "r1", "price", None)), rows("r1"))) == [("r1", WEEK, None, Decimal(5))]


def test_a_row_that_is_gone_is_known_by_what_was_billed_of_it() -> None:
    assert held(baseline(findings(("ROW_REMOVED", "r1", "", "100.00")), rows("r2"))) == [
        ("r1", WEEK, Decimal("100.00"), None)
    ]


def test_a_row_that_was_moved_belongs_to_its_first_week() -> None:
    moved = findings(("WEEK_MOVED", "r1", "week_ending", "2026-01-04"))
    assert held(baseline(moved, rows("r1", week=NEXT))) == [("r1", WEEK, Decimal("250.00"), Decimal(5))]


def test_findings_about_values_say_nothing_of_what_was_billed() -> None:
    assert baseline(findings(("RATE_MISMATCH", "r1", "price", "90.00")), rows("r1")).is_empty()
