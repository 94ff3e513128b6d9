"""NetSuite's CSV import contract: how lines are split into files, and what an import file may not contain.

Source: the vendor's import limits (25,000 records or 50 MB a job, 5,000 lines a transaction, external ids compared
without regard to case).
"""

from itertools import accumulate

import polars as pl

MOST_RECORDS = 25_000
MOST_BYTES = 50_000_000
MOST_LINES = 5_000


def split_lines(
    lines: pl.DataFrame, records: int = MOST_RECORDS, size: int = MOST_BYTES, id_column: str = "Invoice External ID"
) -> list[pl.DataFrame]:
    """The lines in as few consecutive parts as keep the limits, never cutting a transaction; at least one part."""
    weights = lines.group_by(id_column, maintain_order=True).agg(
        pl.len().alias("records"), _line_bytes(lines.columns).sum().alias("bytes")
    )

    def place(state: tuple[int, int, int], invoice: tuple[int, int]) -> tuple[int, int, int]:
        part, count, total = state
        if count and (count + invoice[0] > records or total + invoice[1] > size):
            return part + 1, *invoice
        return part, count + invoice[0], total + invoice[1]

    placed = list(accumulate(weights.select("records", "bytes").iter_rows(), place, initial=(0, 0, 0)))[1:]
    parts = weights.select(id_column, part=pl.Series([p for p, _, _ in placed], dtype=pl.Int64))
    joined = lines.join(parts, on=id_column, how="left", maintain_order="left")
    return joined.partition_by("part", maintain_order=True, include_key=False) or [lines]


def import_problems(lines: pl.DataFrame) -> list[str]:
    """What of an import file, read back in file order (text columns, Amount decimal), breaks the contract."""
    ids = lines["Invoice External ID"]
    runs = ids.rle().struct.field("value") if lines.height else ids
    per_id = lines.group_by(pl.col("Invoice External ID").str.to_lowercase().alias("folded")).agg(
        pl.len().alias("lines"), pl.col("Customer", "Invoice External ID").n_unique()
    )
    bad_characters = (~ids.str.contains("^[A-Za-z0-9_-]+$")).any()
    found = {
        "lines of an invoice are not consecutive": runs.is_duplicated().any(),
        "external ids differ only in case": (per_id["Invoice External ID"] > 1).any(),
        "an external id has more than one customer": (per_id["Customer"] > 1).any(),
        "an external id has other characters than letters, digits, - and _": bad_characters,
        f"an invoice has more than {MOST_LINES} lines": (per_id["lines"] > MOST_LINES).any(),
        "a line has no customer": (lines["Customer"].fill_null("") == "").any(),
        f"a file has more than {MOST_RECORDS} records": lines.height > MOST_RECORDS,
        "an amount has more than 10 digits before the point": (lines["Amount"].abs() >= 10**10).any(),
    }  # fmt: skip
    return [message for message, broken in found.items() if broken]


def _line_bytes(columns: list[str]) -> pl.Expr:
    """An upper bound of a line's bytes in the file: cells, quotes around and inside them, separators."""
    cells = [pl.col(column).cast(pl.String).fill_null("") for column in columns]
    return pl.sum_horizontal(cell.str.len_bytes() + cell.str.count_matches('"', literal=True) + 3 for cell in cells)
