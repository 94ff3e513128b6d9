"""Tables of CSV and Parquet files with every cell as it stands, read whole or not at all.

What belongs here: from bytes to rows, and the line of each. What does not: which columns mean what (the readers).
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.errors import InputError, Problem, printable
from billing_pipeline.engine.usage.structure import check_structure


@dataclass(frozen=True, slots=True)
class TextTable:
    """rows: every cell as text, its columns called like ROW_ID. header: as it is written. lines: of the file, one a
    row.
    """

    rows: pl.DataFrame
    header: list[str]
    lines: pl.Series


def csv_table(name: str, blocks: Iterable[bytes], *, rows_expected: bool = False) -> TextTable:
    """The table of a CSV file; blank lines are none. InputError, naming file and line: as engine.usage.check_structure,
    or when it does not read as the rows that it has.
    """
    content = list(blocks)
    structure = check_structure(content, name, rows_expected=rows_expected)
    columns, header = list(structure.columns), list(structure.header)
    if not structure.records:
        return TextTable(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), header, pl.Series([], dtype=pl.Int64))
    rows = pl.read_csv(io.BytesIO(b"".join(content)), infer_schema=False)
    rows.columns = columns
    if structure.blank is not None:
        rows = rows.filter(~pl.int_range(rows.height, eager=True).is_in(structure.blank.implode()))
    if rows.height != structure.records:
        message = f"reads as {rows.height} rows but has {structure.records} records; check quotes and line ends"
        raise InputError(Problem(message, file=name))
    lines = pl.int_range(2, rows.height + 2, eager=True) if structure.lines is None else structure.lines
    return TextTable(rows, header, lines.cast(pl.Int64))


def parquet_table(name: str, content: bytes) -> pl.DataFrame:
    """The table of a Parquet file, as it is typed. InputError when it cannot be read."""
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:  # damaged files make it panic
        said = printable(str(error).splitlines()[0])
        raise InputError(Problem(f"is no Parquet file that can be read: {said}", file=name)) from None
