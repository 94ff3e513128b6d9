"""Values that are missing, cannot be read, or are not above zero. Source: spec 2.2 B2; Q14, Q33."""

import polars as pl

from billing_pipeline.engine.audit.drafting import draft
from billing_pipeline.engine.audit.snapshot import KEY, Snapshot, cell_text
from billing_pipeline.engine.audit.tables import HIGH, MISSING_VALUE, NOT_POSITIVE, ROWS, UNREADABLE

_NEEDED = ("work_request", "week_ending", "price", "quantity", "unit_code")
_AMOUNTS = ("price", "quantity")


def unreadable_values(now: Snapshot) -> pl.DataFrame:
    """DRAFT of the cells whose text is not what their column is, of rows in any state; a date is HIGH."""
    told = now.problems.join(now.rows, on=KEY)
    is_date = pl.col("column").is_in([name for name, dtype in ROWS.items() if dtype == pl.Date])
    return draft(
        told,
        UNREADABLE,
        "unreadable",
        column=pl.col("column"),
        new=pl.col("value"),
        discriminator=pl.col("value"),
        least=pl.when(is_date).then(pl.lit(HIGH)),
        why=pl.format("{} {}", pl.col("column").str.replace_all("_", " "), "problem"),
    )


def missing_values(now: Snapshot) -> pl.DataFrame:
    """DRAFT of what a completed row needs for its bill and lacks. Neither zero nor the unreadable is missing."""
    parts = []
    for column in _NEEDED:
        unread = now.problems.filter(pl.col("column") == column)
        empty = now.rows.filter(pl.col("completed") & pl.col(column).is_null()).join(unread, on=KEY, how="anti")
        what = column.replace("_", " ")
        parts.append(
            draft(empty, MISSING_VALUE, "missing", column=column, why=pl.lit(f"the row is complete and has no {what}"))
        )
    return pl.concat(parts)


def not_positive(rows: pl.DataFrame) -> pl.DataFrame:
    """DRAFT of prices and quantities of completed rows (ROWS) that are zero or below."""
    return pl.concat(
        draft(
            rows.filter(pl.col("completed") & (pl.col(column) <= 0)),
            NOT_POSITIVE,
            "not_positive",
            column=column,
            new=cell_text(column),
            discriminator=cell_text(column),
            why=pl.format(f"{column} of a complete row is {{}}, not above zero", cell_text(column)),
        )
        for column in _AMOUNTS
    )
