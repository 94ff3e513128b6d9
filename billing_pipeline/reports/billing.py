"""The two workbooks of a billing run: the Master Billing Report and one workbook per partner.

What belongs here: sheet order, header names, styles, widths. What does not: amounts and texts, which arrive ready made;
nothing is added up or rounded here. Source: sections 4.2 and 4.3 of the published usage billing description.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import polars as pl

from billing_pipeline.reports.workbook import LINE_HEIGHT, Cell, Page, Table, write_workbook
from billing_pipeline.reports.workbook_parts import Style

AUDIT, EXECUTIVE, SOURCE = "Audit & Controls", "Executive Summary", "Source Data"
QUALITY, OVERRIDES = "Data Quality Flags", "Overrides Applied"
FEE_SUMMARY, FEE_DETAIL = "Fee Summary", "Fee Detail"
TOTAL_LABEL = "Total Fees"

_MASTER_HEADER = Style(bold=True, align="center", border="thin", fill="D9D9D9", wrap=True)
_DETAIL_HEADER = Style(bold=True, align="center", border="thin", wrap=True)
_STATUSES = {
    "PASS": Style(color="006100", fill="C6EFCE", align="center"),
    "REVIEW REQUIRED": Style(color="7F6000", fill="FFEB9C", align="center"),
    "FAIL": Style(color="9C0006", fill="FFC7CE", align="center", bold=True),
}
_COUNT, _MONEY = "#,##0", "#,##0.00"
_EXECUTIVE_FORMATS = {
    "Active End Users": _COUNT,
    "Billable Indiv. Users": _COUNT,
    "Usage Revenue": _MONEY,
    "Next Day Fee Revenue": _MONEY,
    "Minimum Revenue": _MONEY,
    "Total Billed": _MONEY,
    "% from Minimums": "0%",
}
_DETAIL_FORMATS = {
    **dict.fromkeys(("ACTIVE_EMPLOYEES", "ACTIVE_CONTRACTORS", "TOTAL_INDIVIDUAL_USERS"), "0"),
    **dict.fromkeys(("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee"), _MONEY),
}

_WIDTHS = (40, 24, 30, 18)
_INK, _GREY, _LINE = "1F2937", "6B7280", "E5E7EB"
_TITLE = Style(bold=True, size=14, color=_INK, border="bottom", border_color="D1D5DB")
_LABEL = Style(bold=True, color=_GREY)
_VALUE = Style(color=_INK, align="left")
_HEADING = Style(bold=True, color="FFFFFF", fill="374151", border="thin", border_color="D1D5DB", wrap=True)
_AMOUNT_HEADING = replace(_HEADING, align="right")
_TEXT = Style(border="thin", border_color=_LINE, wrap=True)
_AMOUNT = Style(border="thin", border_color=_LINE, number_format=_MONEY, wrap=True)
_TOTAL = Style(bold=True, border="thin", border_color=_LINE, fill="F3F4F6")
_TOTAL_AMOUNT = Style(bold=True, border="thin", border_color=_LINE, fill="F3F4F6", number_format=_MONEY)
_NOTE = Style(italic=True, size=10, color="9CA3AF")


@dataclass(frozen=True, slots=True)
class FeeSummary:
    """What the first sheet of a partner workbook says.

    lines: product, rate, quantity (String, null = blank) and amount (Decimal, dollars), in the order shown.
    total: the sum of the amounts, computed by the engine. users: whole individual users.
    """

    title: str
    partner: str
    period_title: str
    companies: int
    users: int
    lines: pl.DataFrame
    total: Decimal
    note: str


@dataclass(frozen=True, slots=True)
class PartnerWorkbook:
    """One partner workbook to write."""

    path: Path
    summary: FeeSummary
    detail: pl.DataFrame


def write_master_report(
    path: Path,
    *,
    controls: pl.DataFrame,
    summary: pl.DataFrame,
    source: pl.DataFrame,
    quality: pl.DataFrame,
    overrides: pl.DataFrame,
    extra_sheets: Sequence[tuple[str, pl.DataFrame]] = (),
) -> tuple[str, ...]:
    """Write the Master Billing Report and return its sheet names. The columns carry the final header names.

    Data Quality Flags and Overrides Applied appear only when they have rows; extra sheets (name, frame) follow. The
    cells of the column `Status` are coloured by verdict. Errors as `write_workbook`. Source: spec 4.2.
    """
    sheets = [
        Table(AUDIT, controls, _MASTER_HEADER, marks=_marks(controls), widths=(15, 30)),
        Table(EXECUTIVE, summary, _MASTER_HEADER, formats=_EXECUTIVE_FORMATS, widths=(15, 20)),
        Table(SOURCE, source, _MASTER_HEADER, widths=(10, 40)),
    ]
    if quality.height:
        sheets.append(Table(QUALITY, quality, _MASTER_HEADER, widths=(12, 50)))
    if overrides.height:
        sheets.append(Table(OVERRIDES, overrides, _MASTER_HEADER, widths=(14, 40)))
    sheets += [Table(name, frame, _MASTER_HEADER, marks=_marks(frame), widths=(12, 50)) for name, frame in extra_sheets]
    return write_workbook(path, sheets)


def write_partner_workbook(path: Path, summary: FeeSummary, detail: pl.DataFrame) -> None:
    """Write one partner's workbook, Fee Summary and Fee Detail; the folder is made if it is missing.

    detail: ids and dates as text, counts and fees as Decimals, columns named as they appear. Errors as
    `write_workbook`. Source: spec 4.3.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_workbook(
        path, [_summary_page(summary), Table(FEE_DETAIL, detail, _DETAIL_HEADER, formats=_DETAIL_FORMATS, widths=18)]
    )


def write_partner_workbooks(
    jobs: Iterable[PartnerWorkbook], workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write many partner workbooks, `workers` at a time, and return their paths in the order given.

    `progress(written, all)` is called after each. Two jobs with one path, upper and lower case being the same, are a
    ValueError before anything is written; the first error of a job stops the rest and is raised.
    """
    books = list(jobs)
    if len({str(book.path).casefold() for book in books}) != len(books):
        raise ValueError("two partner workbooks have the same path")
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(write_partner_workbook, book.path, book.summary, book.detail) for book in books]
        try:
            for written, future in enumerate(as_completed(running), start=1):
                future.result()
                if progress:
                    progress(written, len(books))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [book.path for book in books]


def _summary_page(summary: FeeSummary) -> Page:
    facts: dict[str, str | int] = {
        "Partner": summary.partner,
        "Period": summary.period_title,
        "Total Companies": summary.companies,
        "Total Individual Users": summary.users,
    }
    cells = [Cell(0, 0, summary.title, _TITLE), *(Cell(0, column, None, _TITLE) for column in (1, 2, 3))]
    for row, (label, value) in enumerate(facts.items(), start=2):
        cells += [Cell(row, 0, label, _LABEL), Cell(row, 1, value, _VALUE)]
    cells += [Cell(7, i, text, _HEADING) for i, text in enumerate(("Product Summary", "Rate", "Quantity"))]
    cells.append(Cell(7, 3, "Amount", _AMOUNT_HEADING))
    lines = summary.lines.select("product", "rate", "quantity", "amount").rows()
    for row, (*texts, amount) in enumerate(lines, start=8):
        cells += [Cell(row, column, text, _TEXT) for column, text in enumerate(texts)]
        cells.append(Cell(row, 3, amount, _AMOUNT))
    end = 8 + len(lines)
    totals = (None, None, TOTAL_LABEL)
    cells += [Cell(end, column, text, _TOTAL) for column, text in enumerate(totals)]
    cells += [Cell(end, 3, summary.total, _TOTAL_AMOUNT), Cell(end + 2, 0, summary.note, _NOTE)]
    merged = ("A1:D1", f"A{end + 3}:D{end + 3}")
    heights = {0: 24.0} | {row: _height(texts) for row, (*texts, _) in enumerate(lines, start=8)}
    return Page(FEE_SUMMARY, cells, merged, _WIDTHS, heights, gridlines=False)


def _height(texts: Sequence[str | None]) -> float:
    """Points for the tallest wrapped text of a charge line; programs differ in whether they work it out themselves."""
    return LINE_HEIGHT * max(len(text or "") // (width - 1) + 1 for text, width in zip(texts, _WIDTHS, strict=False))


def _marks(frame: pl.DataFrame) -> dict[str, dict[str, Style]]:
    return {"Status": _STATUSES} if frame.schema.get("Status") == pl.String else {}
