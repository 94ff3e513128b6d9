"""What differs between two snapshots: rows that came and went, cells that changed, with two kinds told by name.

What belongs here: the difference, whatever it means. What does not: whether it was allowed (rules).
Source: spec 9.2 of the billing audit; Q30.
"""

import polars as pl

from billing_pipeline.engine.audit.snapshot import KEY, cell_text
from billing_pipeline.engine.audit.tables import ADDED, CHANGED, CHANGES, COLUMNS, REMOVED, REVOKED, ROWS, UNPRICED
from billing_pipeline.engine.tables import conform


def changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """CHANGES from before to after (both ROWS), by sheet, row and column.

    A completion taken back and a price above zero that is none or zero now have their own kind. Who changed a row, its
    place in the sheet and its link are not cells.
    """
    was, now = conform(before, ROWS), conform(after, ROWS)
    came, went = now.join(was, on=KEY, how="anti"), was.join(now, on=KEY, how="anti")
    both = _differing(was, now)
    cells = [_changed(both, column) for column in COLUMNS]
    found = pl.concat([_rows(came, ADDED), _rows(went, REMOVED), *cells])
    return conform(found, CHANGES).sort(*KEY, "column")


def _differing(was: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The rows of both that differ in a cell; the cells as they were have the suffix _was."""
    places = was.select(KEY).with_row_index("was")
    paired = now.select(KEY).with_row_index("now").join(places, on=KEY, how="inner", maintain_order="left")
    old, new = was.select(*COLUMNS)[paired["was"]], now.select(*COLUMNS)[paired["now"]]
    differs = pl.any_horizontal(old[column].ne_missing(new[column]) for column in COLUMNS)
    rows = pl.select(differs.arg_true()).to_series()
    return pl.concat(
        [paired.select(KEY)[rows], new[rows], old[rows].select(pl.all().name.suffix("_was"))], how="horizontal"
    )


def _rows(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    none = pl.lit(None, pl.String)
    return rows.select(*KEY, column=pl.lit(""), old=none, new=none, kind=pl.lit(kind))


def _changed(both: pl.DataFrame, column: str) -> pl.DataFrame:
    old, new = pl.col(f"{column}_was"), pl.col(column)
    kind = pl.lit(CHANGED)
    if column == "completed":
        kind = pl.when(old & ~new.fill_null(value=False)).then(pl.lit(REVOKED)).otherwise(kind)
    if column == "price":
        kind = pl.when((old > 0) & (new.fill_null(0) == 0)).then(pl.lit(UNPRICED)).otherwise(kind)
    text = cell_text(column)
    differing = both.filter(old.ne_missing(new))
    earlier = differing.select(old.alias(column)).select(text.alias("old"))
    return (
        differing.select(*KEY, column=pl.lit(column), new=text, kind=kind).with_columns(earlier["old"]).select(*CHANGES)
    )
