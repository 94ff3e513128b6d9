"""Reading the written invoice files and partner workbooks back, so that controls judge files and not memory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import polars as pl

from billing_pipeline.engine.invoicing import COLUMNS, import_problems
from billing_pipeline.engine.money import AMOUNT, total
from billing_pipeline.engine.pricing.controls import ReadBack
from billing_pipeline.reports.billing import FEE_DETAIL
from billing_pipeline.reports.readback import fee_summary_total, open_workbook, read_table

_FEES = {"er_fee": AMOUNT, "iu_fee": AMOUNT, "total_fee": AMOUNT}


def read_back(
    imports: Sequence[Path], held: Sequence[Path], workbooks: pl.DataFrame, most_rows: int
) -> tuple[ReadBack, int]:
    """What the files say, and how many partner workbooks were opened for it.

    `workbooks` has one row per partner as written: partner_key, path, rows, er_fee, iu_fee, total_fee, fee_summary.
    They are opened in its order until `most_rows` detail rows have been read; the others keep the figures they were
    written with.
    """
    opened = workbooks.filter((pl.col("rows").cum_sum() - pl.col("rows")) < most_rows)
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(_partner, opened["path"]))
    figures = pl.DataFrame(read, schema={"rows": pl.Int64, **_FEES, "fee_summary": AMOUNT}, orient="row")
    partners = pl.concat(
        [
            opened.select("partner_key").hstack(figures),
            workbooks.slice(opened.height).select("partner_key", *figures.columns),
        ]
    )
    imported = [_invoice_file(path) for path in imports]
    waiting = [_invoice_file(path) for path in held]
    problems = [problem for part in imported for problem in import_problems(part)]
    if len(imported) > 1:
        problems += [p for p in import_problems(pl.concat(imported)) if "records" not in p]
    back = ReadBack(
        _amount(imported),
        _amount(waiting),
        sum(part.height for part in waiting),
        tuple(dict.fromkeys(problems)),
        partners,
        pl.concat(imported).group_by(pl.col("Customer").alias("customer")).agg(pl.col("Amount").sum().alias("amount")),
    )
    return back, opened.height


def _partner(path: str) -> tuple[int, Decimal, Decimal, Decimal, Decimal]:
    book = open_workbook(Path(path))
    detail = read_table(Path(path), FEE_DETAIL, _FEES, book)
    er_fee, iu_fee, fees = (total(detail[name]) for name in _FEES)
    return detail.height, er_fee, iu_fee, fees, fee_summary_total(Path(path), book)


def _invoice_file(path: Path) -> pl.DataFrame:
    lines = pl.read_csv(path, infer_schema=False)
    return lines.select(COLUMNS).with_columns(pl.col("Amount").cast(AMOUNT))


def _amount(parts: Sequence[pl.DataFrame]) -> Decimal:
    return sum((total(part["Amount"]) for part in parts), Decimal("0.00"))
