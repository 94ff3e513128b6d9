"""The identity of a usage row: a hash of its cells, by which a decision finds its row again in another file.

Computed for flagged and decided rows only: hashing every row of a large file would cost more than pricing it.
Source: "Row identity" of the interface document; decision 8.
"""

from hashlib import sha256

import polars as pl

from billing_pipeline.engine.cells import key_text
from billing_pipeline.engine.tables import source_columns

_SEPARATOR = "\x1f"


def row_identities(usage: pl.DataFrame, positions: pl.Series) -> pl.DataFrame:
    """Columns position, row_id for the rows at `positions`: 20 hex digits of SHA-256 over the row's cells as text,
    joined with U+001F in column order, and `#n` for the n-th row of the file with the same cells (n from 2).
    """
    cells = [pl.col(column).fill_null("") for column in source_columns(usage.columns)]
    wanted = usage.filter(pl.col("position").is_in(positions.implode()))
    twins = usage.join(wanted.select("ER_ID", "PARTNER_ID").unique(), on=["ER_ID", "PARTNER_ID"], nulls_equal=True)
    texts = (
        twins.select("line", "position", text=pl.concat_str(cells, separator=_SEPARATOR))
        .sort("line")
        .with_columns(number=pl.int_range(1, pl.len() + 1).over("text"))
        .filter(pl.col("position").is_in(positions.implode()))
    )
    digests = pl.Series("digest", [sha256(text.encode()).hexdigest()[:20] for text in texts["text"]], dtype=pl.String)
    repeat = pl.when(pl.col("number") > 1).then(pl.format("#{}", "number")).otherwise(pl.lit(""))
    return texts.with_columns(digests).select("position", row_id=pl.format("{}{}", "digest", repeat))


def found_again(usage: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """The rows of another file with these identities: position, line, row_id. `wanted` has row_id, subject.

    Only rows of the same company and partner, as row_subject() names them, are hashed.
    """
    subjects = wanted["subject"].unique()
    likely = usage.select("position", "line", row_subject().alias("subject")).filter(
        pl.col("subject").is_in(subjects.implode())
    )
    known = row_identities(usage, likely["position"])
    return (
        known.join(wanted.select("row_id").unique(), on="row_id", how="semi")
        .join(likely.select("position", "line"), on="position")
        .select("position", "line", "row_id")
    )


def row_subject() -> pl.Expr:
    """Company and partner of a usage row as people know them: `Company 7 of Acme`."""
    return pl.format("{} of {}", _called("ER_NAME", "ER_ID", "no company"), partner_subject())


def partner_subject() -> pl.Expr:
    """The partner of a usage row as people know it: its name, else its id."""
    return _called("PARTNER_NAME", "PARTNER_ID", "no partner")


def _called(name: str, identifier: str, otherwise: str) -> pl.Expr:
    texts = [key_text(pl.col(column)) for column in (name, identifier)]
    return pl.coalesce(*(pl.when(text != "").then(text) for text in texts), pl.lit(f"({otherwise})"))
