"""Audit & Controls: each control compares a projection, read back from the written files, with the fact table.

The reference's seven rows come first, in its order; ours follow. Source: spec 4.2; Q37, Q46, Q67.
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.close.gate import FAIL, PASS, REVIEW
from billing_pipeline.engine.money import total
from billing_pipeline.engine.tables import Schema

COLUMNS = ("Control Check", "Input", "Output", "Variance", "Status")
BLOCKING = (
    "Completeness (Rows)",
    "Completeness (Users)",
    "NetSuite Tie-Out",
    "Math Integrity Exceptions",
    "Partner Report Tie-Out",
    "Conservation (Rows)",
    "Conservation (Users)",
    "Conservation (Amount)",
    "Fee Summary Tie-Out",
    "NetSuite Import Rules",
)
"""The controls that can fail; the others ask for review at most."""
NAMES = (
    *BLOCKING[:4],
    "Rows with Missing Tier / Bad Data",
    "Data Quality Flags",
    BLOCKING[4],
    "Input Warnings",
    *BLOCKING[5:],
)
CONTROLS_NEED = (
    "partner_key", "row_type", "bucket", "fee_calc_status", "users", "er_fee", "iu_fee", "next_day_er_fee",
    "next_day_iu_fee", "total_fee", "netsuite_customer_name",
)  # fmt: skip
"""The columns of the fact table that controls() reads."""
_NUMBER = pl.Decimal(38, 4)
_SCHEMA: Schema = dict(zip(COLUMNS, (pl.String, _NUMBER, _NUMBER, _NUMBER, pl.String), strict=True))


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What the written files say: the amounts of the import and held files, and of every partner workbook.

    `partners` has one row per partner: partner_key, rows, er_fee, iu_fee, total_fee (detail sums), fee_summary.
    """

    imported: Decimal
    held: Decimal
    held_lines: int
    import_problems: tuple[str, ...]
    partners: pl.DataFrame
    customers: pl.DataFrame | None = None  # customer and amount of the import file; None: not read by customer


def controls(
    usage: pl.DataFrame, fact: pl.DataFrame, buckets: pl.DataFrame, quality_rows: int, warnings: int, files: ReadBack
) -> pl.DataFrame:
    """The rows of the sheet Audit & Controls (COLUMNS; numbers exact). `usage` is the untouched file."""
    rows = fact.filter(pl.col("row_type") == "usage")
    kept = rows.filter(pl.col("bucket") != "removed")
    by_bucket = {row["bucket"]: row for row in buckets.iter_rows(named=True)}
    removed = by_bucket["removed"]
    unpriced = kept.select(pl.col("fee_calc_status").is_in(["ok"]).not_().sum()).item()
    fees = pl.col("er_fee") + pl.col("iu_fee") + pl.col("next_day_er_fee") + pl.col("next_day_iu_fee")
    wrong_sums = kept.select((pl.col("total_fee") != fees).sum()).item()
    billed = total(fact["total_fee"])
    lines = files.imported + files.held
    partner_rows = _against(fact, files.partners)
    detail_total = total(files.partners["total_fee"])
    summary_total = total(files.partners["fee_summary"])
    bucket_gap = abs(by_bucket["billed"]["amount"] - files.imported) + abs(by_bucket["held"]["amount"] - files.held)
    tie_out = _row("NetSuite Tie-Out", billed, lines, billed - lines, broken=_misplaced(fact, files.customers))
    if tie_out["Status"] == PASS and files.held_lines:
        tie_out["Status"] = REVIEW
    table = [
        _row("Completeness (Rows)", usage.height - removed["rows"], kept.height),
        _row("Completeness (Users)", total(usage["users"]) - removed["users"], total(kept["users"])),
        tie_out,
        _row("Math Integrity Exceptions", 0, wrong_sums),
        _row("Rows with Missing Tier / Bad Data", 0, unpriced, otherwise=REVIEW),
        _row("Data Quality Flags", 0, quality_rows, otherwise=REVIEW),
        _row("Partner Report Tie-Out", total(kept["total_fee"]), detail_total, broken=partner_rows["detail"] > 0),
        _row("Input Warnings", 0, warnings, otherwise=REVIEW),
        _row("Conservation (Rows)", usage.height, sum(row["rows"] for row in by_bucket.values())),
        _row("Conservation (Users)", total(usage["users"]), sum(row["users"] for row in by_bucket.values())),
        _row("Conservation (Amount)", billed, lines, bucket_gap),
        _row("Fee Summary Tie-Out", billed, summary_total, broken=partner_rows["summary"] > 0),
        _row("NetSuite Import Rules", 0, len(files.import_problems)),
    ]
    return pl.DataFrame(table, schema=_SCHEMA)


def _row(
    name: str,
    given: int | Decimal,
    found: int | Decimal,
    variance: Decimal | None = None,
    *,
    otherwise: str = FAIL,
    broken: bool = False,
) -> dict[str, object]:
    """One control; it passes when nothing varies: amounts are exact, so no tolerance of a cent is needed."""
    gap = Decimal(found) - Decimal(given) if variance is None else variance
    passed = gap == 0 and not broken
    numbers = (Decimal(given), Decimal(found), gap)
    return dict(zip(COLUMNS, (name, *numbers, PASS if passed else otherwise), strict=True))


def _misplaced(fact: pl.DataFrame, customers: pl.DataFrame | None) -> bool:
    """Whether a customer's invoices carry another amount than its billed rows, though the sum of all may be right."""
    if customers is None:
        return False
    billed = fact.filter(pl.col("bucket") == "billed").group_by(pl.col("netsuite_customer_name").alias("customer"))
    both = billed.agg(pl.col("total_fee").sum()).join(customers, on="customer", how="full", coalesce=True)
    return both.filter(pl.col("total_fee").fill_null(0) != pl.col("amount").fill_null(0)).height > 0


def _against(fact: pl.DataFrame, partners: pl.DataFrame) -> dict[str, int]:
    """How many partners' workbooks differ from the fact table: in the detail sheet, in the summary sheet."""
    usage = pl.col("row_type") == "usage"
    expected = (
        fact.filter(pl.col("bucket") != "removed")
        .group_by("partner_key")
        .agg(
            usage.sum().cast(pl.Int64).alias("rows"),
            *(pl.col(fee).filter(usage).sum() for fee in ("er_fee", "iu_fee")),
            pl.col("total_fee").filter(usage).sum(),
            pl.col("total_fee").sum().alias("fee_summary"),
        )
    )
    both = expected.join(partners, on="partner_key", how="full", suffix="_file", coalesce=True)
    detail = pl.any_horizontal(
        pl.col(c).ne_missing(pl.col(f"{c}_file")) for c in ("rows", "er_fee", "iu_fee", "total_fee")
    )
    summary = pl.col("fee_summary").ne_missing(pl.col("fee_summary_file"))
    return both.select(detail.sum().alias("detail"), summary.sum().alias("summary")).row(0, named=True)
