"""Pieces: pricing alone, from the usage file to priced Parquet and invoice CSV, and the plain scan it is held against.

`scan`: Polars' own defaults, every column as it infers it. `price`: the engine on a file whose structure is known.
`check-and-price`: the same with proof of the structure and the file's hash first. The rules are read beforehand; no
orchestration, no workbooks.
"""

import sys
from pathlib import Path

import polars as pl

from benchmarks.book import PERIOD, Book
from benchmarks.measure import told
from billing_pipeline.engine.invoicing import COLUMNS, LINES_NEED, InvoiceTerms, invoice_lines, split_lines
from billing_pipeline.engine.pricing import NEEDS, draft
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.usage import Structure, check_structure, source_rows, typed_rows
from billing_pipeline.reports.csv_files import csv_bytes, readable_csv_bytes
from billing_pipeline.resources.files import blocks_of


def scan(book: Book, folder: Path) -> None:
    """The yardstick: what reading the file and writing it as Parquet costs by itself."""
    with told():
        pl.scan_csv(book.usage).sink_parquet(folder / "scan.parquet")


def price(book: Book, folder: Path) -> None:
    """Pricing without the proof of structure."""
    rules, structure = _rules(book), _structure(book)
    with told():
        _price(book, folder, rules, structure)


def check_and_price(book: Book, folder: Path) -> None:
    """Pricing with the proof of structure and the hash of the file."""
    rules = _rules(book)
    with told():
        _price(book, folder, rules, _structure(book))


def _rules(book: Book) -> Rules:
    return read_workbook(book.rules.read_bytes(), book.rules.name)


def _structure(book: Book) -> Structure:
    return check_structure(blocks_of(book.usage), book.usage.name)


def _price(book: Book, folder: Path, rules: Rules, structure: Structure) -> None:
    source = source_rows(pl.scan_csv(book.usage, infer_schema=False), structure)
    usage = pl.concat([source, typed_rows(source, structure, PERIOD).lazy()], how="horizontal")
    bill = draft(usage.select(NEEDS).collect(engine="streaming"), rules, PERIOD)
    priced = folder / "priced.parquet"
    bill.fact(usage).sink_parquet(priced, compression="lz4")
    lines = invoice_lines(pl.scan_parquet(priced).select(LINES_NEED).collect(), InvoiceTerms(), PERIOD)
    ready, held = lines.filter(pl.col("held").is_null()), lines.filter(pl.col("held").is_not_null())
    for part, piece in enumerate(split_lines(ready.select(COLUMNS)), 1):
        (folder / f"import_{part}.csv").write_bytes(csv_bytes(piece))
    (folder / "held.csv").write_bytes(readable_csv_bytes(held.select(COLUMNS)))


if __name__ == "__main__":
    pieces = {"scan": scan, "price": price, "check-and-price": check_and_price}
    pieces[sys.argv[1]](Book(Path(sys.argv[2])), Path(sys.argv[3]))
