"""Weeks: a billed row that was moved to another one, and work done outside the week it is billed in.

Source: spec 2.2 B5; Q29, Q39.
"""

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import cell_text, is_billable
from billing_pipeline.engine.audit.tables import MEDIUM, OUTSIDE_WEEK, SNAPSHOT, WEEK_MOVED


def weeks_moved(locked: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of billed rows (LOCKED) whose week is not the one they were first billed in: at least MEDIUM."""
    week, first = pl.col("week_ending"), pl.col("first_week_ending")
    moved = locked.filter(pl.col("locked_price").is_not_null() & week.ne_missing(first))
    now = cell_text("week_ending").fill_null("none")
    return draft(
        moved,
        WEEK_MOVED,
        "week_moved",
        column="week_ending",
        old=first.cast(pl.String),
        new=cell_text("week_ending"),
        dollars=pl.col("locked_price"),
        least=pl.lit(MEDIUM),
        evidence=SNAPSHOT,
        why=pl.format("it was first billed in the week ending {} and its week is {} now", first.cast(pl.String), now),
    )


def outside_week(rows: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of billable rows (ROWS) whose work date is not one of the seven days of their week.

    They are in the total of the weekly workbook and in none of its days.
    """
    week, day = pl.col("week_ending"), pl.col("work_date")
    inside = day.is_between(week.dt.offset_by("-6d"), week)
    return draft(
        rows.filter(is_billable() & ~inside),
        OUTSIDE_WEEK,
        "outside_week",
        column="work_date",
        new=cell_text("work_date"),
        dollars=pl.col("price"),
        discriminator=cell_text("work_date"),
        why=pl.format(
            "done on {}, which is not in the week ending {}", cell_text("work_date"), cell_text("week_ending")
        ),
    )
