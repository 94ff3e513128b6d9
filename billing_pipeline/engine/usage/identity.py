"""The identity of a usage row: a hash of its cells, by which a decision finds its row again in another scan.

Computed for flagged rows only: hashing every row of a large file would cost more than pricing it.
Source: "Row identity" of the interface document; decision 8.
"""

from hashlib import sha256

import polars as pl

_SEPARATOR = "\x1f"


def row_identities(usage: pl.DataFrame, positions: pl.Series) -> pl.DataFrame:
    """Columns position, row_id for the rows at `positions`: 20 hex digits of SHA-256 over the row's cells as text,
    joined with U+001F in column order, and `#n` for the n-th row of the file with the same cells (n from 2).
    """
    cells = [pl.col(column).fill_null("") for column in usage.columns if column.isupper()]
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
