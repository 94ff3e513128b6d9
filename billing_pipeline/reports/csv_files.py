"""CSV files as the ERP reads them: UTF-8, comma, LF, quotes only where needed, money with two decimals."""

import io

import polars as pl

FORMULA = r"^[=+\-@\t\r]"  # how a text starts that a spreadsheet may take for a formula


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """The frame as CSV with a header line. Decimals print with the decimals of their type, never as floats."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, line_terminator="\n")
    return buffer.getvalue()


def readable_csv_bytes(frame: pl.DataFrame) -> bytes:
    """The same for files that people open in a spreadsheet: an apostrophe keeps text from starting a formula."""
    texts = [pl.col(name) for name, dtype in frame.schema.items() if dtype == pl.String]
    return csv_bytes(frame.with_columns(harmless(text).name.keep() for text in texts))


def harmless(text: pl.Expr) -> pl.Expr:
    """The text with an apostrophe before it where it would start a formula."""
    return pl.when(text.str.contains(FORMULA)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text)


def part_name(stem: str, part: int) -> str:
    """The name of an import file's part, counted from 1: the first has the plain name."""
    return f"{stem}.csv" if part == 1 else f"{stem}_part{part}.csv"
