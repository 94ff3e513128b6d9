"""The files of an accrual: journal entry, totals, held revenue, support workbook; of its variance: CSV and workbook.

What belongs here: names of columns and sheets, styles, texts. What does not: amounts, which arrive ready made.
Source: spec 5.1, 5.2; decision 15: the reference's columns come first, ours after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from billing_pipeline.engine.accruals import AccrualTerms
from billing_pipeline.engine.accruals.variance import IMMATERIAL, MATERIAL, TOTAL
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.billing import EXECUTIVE, SOURCE
from billing_pipeline.reports.workbook import Cell, Page, Table, write_workbook
from billing_pipeline.reports.workbook_parts import Style

SUMMARY, JOURNAL, DETAIL, VARIANCE = "Summary", "Journal Entry", "Detail", "Variance"
ROLL_FORWARD, HELD, BASIS, BRIDGE = "Roll-forward", "Held", "Basis", "Bridge"
PART_TITLES = {
    "method": "Estimator",
    "new_companies": "New companies",
    "lost_companies": "Lost companies",
    "volume": "Volume",
    "tier": "Tier change",
    "price": "Price change",
    "next_day": "Next-day use",
    "minimums": "Minimum true-up",
    "overrides": "Rows held or overridden",
    "rounding": "Rounding",
}
BRIDGE_TITLES = {part: title.replace(" ", "_").replace("-", "_") for part, title in PART_TITLES.items()}
"""The bridge's columns in the variance file."""
BRIDGE_ORDER = {
    "method": "what another estimator than prior-month re-pricing added",
    "new_companies": "1. companies that were not in the estimate, at the old tier and prices",
    "lost_companies": "1. companies that are not in the bill, at what was estimated for them",
    "volume": "2. users of the companies in both, at the old tier and prices",
    "tier": "3. the tier that the actual volume reaches, at the old prices",
    "price": "4. the prices and tiers of the rules the bill was made with",
    "next_day": "5. next-day fees, whole",
    "minimums": "5. minimum true-ups, whole",
    "overrides": "companies in one of the two only because rows were held, removed or moved by a decision in the other",
    "rounding": "what the cents of single fees add: each part is exact, and rounded once",
}
"""What each part is, and in which order things are replaced."""
_MONEY, _PERCENT = "$#,##0.00", "0.0%"
_HEADER = Style(bold=True, color="FFFFFF", fill="2F5496", border="thin", align="center", wrap=True)
_TITLE, _LABEL = Style(bold=True, size=14), Style(bold=True)
_BOX, _AMOUNT = Style(border="thin"), Style(border="thin", number_format=_MONEY)
_TOTAL, _TOTAL_AMOUNT = Style(bold=True, border="thin"), Style(bold=True, border="thin", number_format=_MONEY)
_SHARE, _TOTAL_SHARE = (
    Style(border="thin", number_format=_PERCENT),
    Style(bold=True, border="thin", number_format=_PERCENT),
)
_FLAGS = {
    MATERIAL: Style(border="thin", align="center", color="856404", fill="FFF3CD"),
    IMMATERIAL: Style(border="thin", align="center", color="155724", fill="D4EDDA"),
    "": Style(border="thin", align="center"),
}
_NO_VARIANCE = (
    "Variance — Prior-Period Accrual vs Actual",
    "No prior-period variance data available yet.",
    "This tab will populate automatically once the first actual billing run completes",
    "and a variance report is generated. It demonstrates estimate accuracy over time.",
)
_BRIDGE_NOTE = "Each row adds up from left to right, to the cent; Basis says in which order things were replaced."
_ROLLED_NOTE = (
    "Opening + accrued - reversed = closing. The opening balance is the accrual of the month before; it is reversed on"
    " the first day of this month. True-up: actual bill less what was reversed."
)
_AMOUNTS = ("er_fee", "iu_fee", "next_day_er_fee", "next_day_iu_fee", "total_fee")


@dataclass(frozen=True, slots=True)
class SupportFacts:
    """What the support workbook says of its entry. basis: label and text of whatever a reader has to know beside it."""

    period: Period
    transaction_date: str
    methodology: str
    source: str
    prepared: datetime
    basis: Sequence[tuple[str, str]]


def totals_table(totals: pl.DataFrame, usage_month: Period) -> pl.DataFrame:
    """customer_totals() as the columns of the totals file."""
    names = {"customer": "Customer", "usage": "Usage", "next_day": "Next_Day", "minimums": "Minimums", "total": "Total"}
    return totals.rename(names).with_columns(pl.lit(usage_month.key).alias("Usage_Month"))


def held_table(held: pl.DataFrame) -> pl.DataFrame:
    """held_revenue() as the columns of the held file."""
    names = {
        "customer": "Customer", "partner": "Partner", "partner_id": "Partner_ID", "usage": "Usage",
        "next_day": "Next_Day", "minimums": "Minimums", "total": "Total", "reason": "Reason",
    }  # fmt: skip
    return held.rename(names).select(*names.values())


def variance_table(compared: pl.DataFrame, bridge: pl.DataFrame | None) -> pl.DataFrame:
    """variances() as the columns of the variance file, the bridge after them; its TOTAL is the sum of its customers."""
    names = {
        "customer": "Customer", "estimated": "Estimated", "actual": "Actual", "variance": "Variance",
        "percent": "Variance_Pct", "flag": "Flag",
    }  # fmt: skip
    table = compared.rename(names).with_columns(pl.col("Flag").replace("", None))
    if bridge is None:
        return table
    named = bridge.rename({"customer": "Customer", **BRIDGE_TITLES})
    customers = table.head(-1).join(named, on="Customer", how="left", maintain_order="left")
    sums = named.select(pl.col(*BRIDGE_TITLES.values()).sum().cast(AMOUNT))
    return pl.concat([customers, table.tail(1).hstack(sums)])


def write_support(
    path: Path,
    facts: SupportFacts,
    terms: AccrualTerms,
    totals: pl.DataFrame,
    journal: pl.DataFrame,
    detail: pl.DataFrame,
    held: pl.DataFrame,
    rolled: pl.DataFrame,
    variance: pl.DataFrame | None,
) -> tuple[str, ...]:
    """Write the support workbook; its sheet names. `variance`: variance_table() of the month before, null without one.

    totals: customer_totals(); journal: the entry's lines; detail: the priced rows as in Source Data; rolled:
    roll_forward(). Errors as `write_workbook`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets: list[Table | Page] = [
        _summary(facts, terms, totals),
        _journal(journal),
        Table(DETAIL, detail, _HEADER, formats=dict.fromkeys(_AMOUNTS, _MONEY), widths=(10, 40)),
        _variance_page(variance),
        _roll_forward(rolled, facts.period),
        *([Table(HELD, held_table(held), _HEADER, formats=_money_columns(held_table(held)), widths=(12, 50))]
          if held.height else []),
        _facts_page(BASIS, facts.basis),
    ]  # fmt: skip
    return write_workbook(path, sheets)


def write_detail(path: Path, detail: pl.DataFrame, summary: pl.DataFrame) -> tuple[str, ...]:
    """Write the estimate's Executive Summary and rows; the sheet names. Errors as `write_workbook`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_workbook(path, [Table(EXECUTIVE, summary, _HEADER), Table(SOURCE, detail, _HEADER)])


def write_variance(path: Path, title: str, table: pl.DataFrame, basis: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Write the variance workbook (variance_table()); its sheet names. Errors as `write_workbook`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = table.columns[:6]
    sheets: list[Table | Page] = [
        _compared(VARIANCE, table.select(columns), title, "Estimated is what was accrued, Actual what was billed.")
    ]
    parts = [column for column in table.columns if column not in columns]
    if parts:
        sheets.append(_bridge_page(table, parts, title))
    return write_workbook(path, [*sheets, _facts_page(BASIS, basis)])


def _summary(facts: SupportFacts, terms: AccrualTerms, totals: pl.DataFrame) -> Page:
    labels = {
        "Accrual Period": facts.period.title,
        "Transaction Date": facts.transaction_date,
        "Methodology": facts.methodology,
        "Source Usage File": facts.source,
        "GL Accounts": f"AR {terms.receivable_account} / Revenue {terms.revenue_account}",
        "Prepared": f"{facts.prepared:%Y-%m-%d %H:%M} UTC",
    }
    cells = [Cell(0, 0, f"{terms.title} — Accrual JE Support", _TITLE)]
    for row, (label, value) in enumerate(labels.items(), 2):
        cells += [Cell(row, 0, label, _LABEL), Cell(row, 1, value)]
    cells += [
        Cell(9, 0, "Total Accrual", _LABEL),
        Cell(9, 1, total(totals["total"]), Style(bold=True, align="left", number_format=_MONEY)),
    ]
    headers = ("Customer", "Usage Revenue", "Next-Day Revenue", "Minimum Revenue", "Total")
    cells += [Cell(11, column, text, _HEADER) for column, text in enumerate(headers)]
    rows = totals.select("customer", "usage", "next_day", "minimums", "total").rows()
    for row, (customer, *amounts) in enumerate(rows, 12):
        cells.append(Cell(row, 0, customer, _BOX))
        cells += [Cell(row, column, amount, _AMOUNT) for column, amount in enumerate(amounts, 1)]
    end = 12 + len(rows)
    sums = totals.select(pl.col("usage", "next_day", "minimums", "total").sum()).row(0)
    cells.append(Cell(end, 0, TOTAL, _TOTAL))
    cells += [Cell(end, column, amount, _TOTAL_AMOUNT) for column, amount in enumerate(sums, 1)]
    return Page(SUMMARY, cells, widths=(30, 50, 18, 18, 18, 18), gridlines=False)


def _journal(lines: pl.DataFrame) -> Page:
    cells = [Cell(0, column, name, _HEADER) for column, name in enumerate(lines.columns)]
    for row, values in enumerate(lines.rows(), 1):
        cells += [
            Cell(row, column, value, _AMOUNT if isinstance(value, Decimal) else _BOX)
            for column, value in enumerate(values)
        ]
    end = lines.height + 1
    place = {name: column for column, name in enumerate(lines.columns)}
    debit, credit = total(lines["Debit"]), total(lines["Credit"])
    said = "Debits = Credits" if debit == credit else "Debits and credits differ"
    cells += [
        Cell(end, place["Account"], TOTAL, _LABEL),
        Cell(end, place["Debit"], debit, _TOTAL_AMOUNT),
        Cell(end, place["Credit"], credit, _TOTAL_AMOUNT),
        Cell(end, place["Journal Entry - Line Memo"], said, _LABEL),
    ]
    return Page(JOURNAL, cells, widths=(34, 30, 16, 10, 16, 16, 60, 42, 24, *[16] * 4), gridlines=False)


def _variance_page(table: pl.DataFrame | None) -> Page:
    if table is None:
        title, *texts = _NO_VARIANCE
        cells = [Cell(0, 0, title, _TITLE), *(Cell(row, 0, text) for row, text in enumerate(texts, 2))]
        return Page(VARIANCE, cells, widths=(80,), gridlines=False)
    said = "Demonstrates reliability of the accrual methodology over time."
    return _compared(
        VARIANCE, table.select(table.columns[:6]), "Prior-Period Accrual vs Actual (Estimate Accuracy)", said
    )


def _compared(name: str, table: pl.DataFrame, title: str, said: str) -> Page:
    cells = [Cell(0, 0, title, _TITLE), Cell(1, 0, said, Style(italic=True))]
    cells += [Cell(3, column, text, _HEADER) for column, text in enumerate(table.columns)]
    for row, (customer, estimated, actual, variance, percent, flag) in enumerate(table.rows(), 4):
        last = row == 3 + table.height
        amount, share = (_TOTAL_AMOUNT, _TOTAL_SHARE) if last else (_AMOUNT, _SHARE)
        cells.append(Cell(row, 0, customer, _TOTAL if last else _BOX))
        cells += [Cell(row, column, value, amount) for column, value in enumerate((estimated, actual, variance), 1)]
        cells += [Cell(row, 4, percent / 100, share), Cell(row, 5, flag, _FLAGS[flag or ""])]
    return Page(name, cells, widths=(40, 18, 18, 18, 14, 8), gridlines=False)


def _bridge_page(table: pl.DataFrame, parts: Sequence[str], title: str) -> Page:
    """Estimate, the parts, actual: each row adds up from left to right; parts that are zero everywhere are left out."""
    shown = [part for part in parts if (table[part] != 0).any()]
    titles = dict(zip(parts, PART_TITLES.values(), strict=True))
    headers = ("Customer", "Estimated", *(titles[part] for part in shown), "Actual")
    cells = [
        Cell(0, 0, f"{title}: from estimate to actual", _TITLE),
        Cell(1, 0, _BRIDGE_NOTE, Style(italic=True)),
        *(Cell(3, column, text, _HEADER) for column, text in enumerate(headers)),
    ]  # fmt: skip
    for row, (customer, *amounts) in enumerate(table.select("Customer", "Estimated", *shown, "Actual").rows(), 4):
        last = row == 3 + table.height
        cells.append(Cell(row, 0, customer, _TOTAL if last else _BOX))
        cells += [
            Cell(row, column, value, _TOTAL_AMOUNT if last else _AMOUNT) for column, value in enumerate(amounts, 1)
        ]
    return Page(BRIDGE, cells, widths=(40, *[18] * (len(headers) - 1)), heights={3: 32.0}, gridlines=False)


def _roll_forward(rolled: pl.DataFrame, period: Period) -> Page:
    before = period.previous.title
    headers = (
        "Customer", "Opening", "Accrued", "Reversed", "Closing", f"Actual {before}", f"True-up {before}",
    )  # fmt: skip
    cells = [
        Cell(0, 0, f"Accrued revenue, {period.title}", _TITLE),
        Cell(1, 0, _ROLLED_NOTE, Style(italic=True)),
        *(Cell(3, column, text, _HEADER) for column, text in enumerate(headers)),
    ]  # fmt: skip
    names = ("opening", "accrued", "reversed", "closing", "actual", "true_up")
    known = rolled["actual"].null_count() < rolled.height or rolled.is_empty()
    for row, (customer, *amounts) in enumerate(rolled.select("customer", *names).rows(), 4):
        cells.append(Cell(row, 0, customer, _BOX))
        cells += [Cell(row, column, value, _AMOUNT) for column, value in enumerate(amounts, 1)]
    end = 4 + rolled.height
    cells.append(Cell(end, 0, TOTAL, _TOTAL))
    sums = rolled.select(pl.col(names).sum()).row(0)
    cells += [
        Cell(end, column, value if known or column < 5 else None, _TOTAL_AMOUNT) for column, value in enumerate(sums, 1)
    ]
    if not known:
        cells.append(
            Cell(end + 2, 0, f"The bill of {before} was not published when this was prepared.", Style(italic=True))
        )
    return Page(ROLL_FORWARD, cells, widths=(40, *[18] * 6), heights={3: 32.0}, gridlines=False)


def _facts_page(name: str, facts: Sequence[tuple[str, str]]) -> Page:
    cells = [Cell(0, 0, "What these figures rest on", _TITLE)]
    for row, (label, text) in enumerate(facts, 2):
        cells += [Cell(row, 0, label, Style(bold=True, wrap=True)), Cell(row, 1, text, Style(wrap=True))]
    return Page(name, cells, widths=(28, 100), gridlines=False)


def _money_columns(table: pl.DataFrame) -> dict[str, str]:
    return {name: _MONEY for name, dtype in table.schema.items() if isinstance(dtype, pl.Decimal)}
