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
    places = was.select(KEY).with_row_index("was")
    paired = now.select(KEY).with_row_index("now").join(places, on=KEY, how="left", maintain_order="left")
    both = paired.filter(pl.col("was").is_not_null())
    came = paired.filter(pl.col("was").is_null())
    went = places.filter(~pl.col("was").is_in(both["was"].implode())) if both.height < was.height else places.clear()
    differing = _differing(was, now, both)
    cells = [_changed(differing, column) for column in COLUMNS]
    found = pl.concat([_rows(came, ADDED), _rows(went, REMOVED), *cells])
    return conform(found, CHANGES).sort(*KEY, "column")


def _differing(was: pl.DataFrame, now: pl.DataFrame, both: pl.DataFrame) -> pl.DataFrame:
    """The rows of both (places `now` and `was`) that differ in a cell; the cells as they were have the suffix _was."""
    differs = pl.repeat(value=False, n=both.height, eager=True)
    known = now if both.height == now.height else now[both["now"]]  # in a usual run no row, or few, are new
    for column in COLUMNS:  # one after the other: most rows are the same, and whole rows of both are much to hold
        differs |= known[column].ne_missing(was[column][both["was"]])
    rows = both.filter(differs)
    old, new = was.select(*COLUMNS)[rows["was"]], now.select(*COLUMNS)[rows["now"]]
    return pl.concat([rows.select(KEY), new, old.select(pl.all().name.suffix("_was"))], how="horizontal")


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
