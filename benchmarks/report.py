"""Pieces: the master report of a priced month with the product's writer, and the same cells with openpyxl."""

import sys
from pathlib import Path

import polars as pl
from openpyxl import Workbook

from benchmarks.book import PERIOD, Book
from benchmarks.measure import told
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.pricing.master import data_quality, executive_summary, master_order, source_data
from billing_pipeline.engine.rules import read_workbook
from billing_pipeline.engine.usage import read_usage
from billing_pipeline.reports.billing import write_master_report

Sheets = dict[str, pl.DataFrame]


def product(sheets: Sheets, path: Path) -> None:
    """The product's writer, with its styles and widths."""
    with told():
        write_master_report(
            path,
            controls=sheets["controls"],
            summary=sheets["summary"],
            source=sheets["source"],
            quality=sheets["quality"],
            overrides=pl.DataFrame(),
        )


def openpyxl(sheets: Sheets, path: Path) -> None:
    """The yardstick: openpyxl's fastest way, without styles and widths."""
    with told():
        book = Workbook(write_only=True)
        for name, frame in sheets.items():
            sheet = book.create_sheet(name)
            sheet.append(frame.columns)
            for row in frame.iter_rows():
                sheet.append(row)
        book.save(path)


def _sheets(book: Book) -> Sheets:
    usage = read_usage(book.usage.read_bytes(), book.usage.name, PERIOD)
    rules = read_workbook(book.rules.read_bytes(), book.rules.name)
    ordered = master_order(priced_rows(usage, rules, PERIOD))
    return {
        "controls": pl.DataFrame({"Status": ["PASS"]}),
        "summary": executive_summary(ordered),
        "source": source_data(ordered),
        "quality": data_quality(ordered.lazy()),
    }


if __name__ == "__main__":
    writers = {"product": product, "openpyxl": openpyxl}
    writers[sys.argv[1]](_sheets(Book(Path(sys.argv[2]))), Path(sys.argv[3]) / "report.xlsx")
