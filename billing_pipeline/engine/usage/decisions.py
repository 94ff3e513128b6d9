"""What decisions do to usage rows: removal, another partner, another date, a corrected cell; and the list of it.

Rows are named by position, the place in pricing order of the untouched file; that order stays after the change (Q33).
What belongs here: rows before and after. What does not: where decisions come from (`decision_file`, `review`) and
whether they may be made (`choices`). Source: spec 3.4, Q31 to Q33.
"""

import polars as pl

from billing_pipeline.engine.cells import parse_dates
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import source_columns
from billing_pipeline.engine.usage.reading import other_month_problem, typed_cells

FIX = "fix_cell"
DATED = ("set_date", "set_date_and_reassign")
MOVED = ("reassign", "set_date_and_reassign")
_SCHEMA = {
    "position": pl.UInt32,
    "flag_id": pl.String,
    "action": pl.String,
    "set_date": pl.String,
    "partner_name": pl.String,
    "partner_id": pl.String,
    "cell": pl.String,  # fix_cell: the column
    "value": pl.String,  # fix_cell: its new text, null for an empty cell
}
_DECIDED_COLUMNS = {"PARTNER_ID", "PARTNER_NAME"}  # replaced by reassigning, never by correcting a cell


def no_decisions() -> pl.DataFrame:
    """The decisions of a month nobody had to decide about."""
    return pl.DataFrame(schema=_SCHEMA)


def apply_decisions(usage: pl.LazyFrame, decisions: pl.DataFrame, period: Period) -> pl.LazyFrame:
    """The usage rows with `decisions` applied: removed rows are marked, partners and dates replaced, nothing is
    dropped.

    Removal wins over everything else on a row; among repeated reassignments, dates or corrections of one cell the last
    one holds. Reassigning sets name and id together (Q31). A corrected row is typed anew as a whole. A date cures a row
    whose only unreadable cell was that date; keeping a row of another month bills it in this one.
    """
    if decisions.is_empty():
        return usage
    merged = _per_row(decisions)
    joined = corrected(usage, decisions, period).join(merged.lazy(), on="position", how="left", maintain_order="left")
    dated, moved = pl.col("new_date_text").is_not_null(), pl.col("new_name").is_not_null()
    only_date = pl.col("input_problem").str.starts_with("FIRST_BILLABLE_ACTIVITY_DATE '") & (pl.col("bad_cells") == 1)
    readable = (dated & only_date).fill_null(value=False)
    elsewhere = (pl.col("month") != period.first).fill_null(value=True)
    kept = (pl.col("month_kept") & (pl.col("input_status") == "other_month")).fill_null(value=False)
    status = pl.when(readable & elsewhere).then(pl.lit("other_month")).when(~readable & ~kept).then("input_status")
    problem = (
        pl.when(readable & elsewhere).then(other_month_problem(period)).when(~readable & ~kept).then("input_problem")
    )
    return joined.with_columns(
        pl.when(moved).then("new_name").otherwise("PARTNER_NAME").alias("PARTNER_NAME"),
        pl.when(moved).then("new_id").otherwise("PARTNER_ID").alias("PARTNER_ID"),
        pl.when(dated)
        .then("new_date_text")
        .otherwise("FIRST_BILLABLE_ACTIVITY_DATE")
        .alias("FIRST_BILLABLE_ACTIVITY_DATE"),
        pl.when(dated).then("new_date").otherwise("first_billable").alias("first_billable"),
        status.alias("input_status"),
        problem.alias("input_problem"),
        pl.col("row_action").alias("decision"),
    ).drop("row_action", "month_kept", "new_date_text", "new_date", "new_name", "new_id")


def corrected(usage: pl.LazyFrame, decisions: pl.DataFrame, period: Period) -> pl.LazyFrame:
    """The usage rows with corrected cells only, typed anew: what the file would say without its mistakes.

    Line and position stay; removed rows stay as they came, and so do rows that nobody corrected.
    """
    removed = decisions.filter(pl.col("action") == "remove")["position"]
    known = [c for c in source_columns(usage.collect_schema().names()) if c not in _DECIDED_COLUMNS]
    fixes = decisions.filter(
        (pl.col("action") == FIX) & pl.col("cell").is_in(known) & ~pl.col("position").is_in(removed.implode())
    ).unique(["position", "cell"], keep="last", maintain_order=True)
    if fixes.is_empty():
        return usage
    return usage.update(
        fixed_rows(usage.filter(pl.col("position").is_in(fixes["position"].implode())).collect(), fixes, period).lazy(),
        on="position",
        include_nulls=True,
    )


def fixed_rows(rows: pl.DataFrame, fixes: pl.DataFrame, period: Period) -> pl.DataFrame:
    """`rows` with the cells of `fixes` (position, cell, value; one per cell) replaced, and typed by the one parser."""
    for (cell,), part in fixes.group_by("cell", maintain_order=True):
        value = pl.col("position").replace_strict(part["position"], part["value"], default=None, return_dtype=pl.String)
        fixed = pl.col("position").is_in(part["position"].implode())
        rows = rows.with_columns(pl.when(fixed).then(value).otherwise(pl.col(str(cell))).alias(str(cell)))
    return rows.with_columns(typed_cells(rows, period))


def overrides_applied(usage: pl.LazyFrame, decided: pl.LazyFrame) -> pl.DataFrame:
    """What the decisions changed, in pricing order: the columns of the sheet `Overrides Applied`. `keep` is not listed.

    `usage` holds the rows as they came, `decided` the same rows after apply_decisions (true-up rows do no harm). Only
    when a cell was corrected are there columns Cell, Original Value, New Value, and a row for each such cell.
    """
    after = decided.filter(pl.col("decision") != "keep").collect()
    before = usage.filter(pl.col("position").is_in(after["position"].implode())).collect()
    rows, cells = _changed_rows(before, after), _fixed_cells(before, after)
    listed = pl.concat([rows, cells], how="diagonal") if cells.height else rows
    return listed.sort("position", maintain_order=True).drop("position")


def _changed_rows(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Removed, reassigned and dated rows, with their position."""
    uuid = (pl.col("COMPANY_UUID") if "COMPANY_UUID" in before.columns else pl.lit(None, pl.String)).alias(
        "COMPANY_UUID"
    )
    removed = pl.col("decision") == "remove"
    moved, dated = pl.col("decision").is_in(MOVED), pl.col("decision").is_in(DATED)
    original_date = pl.col("first_billable").dt.strftime("%Y-%m-%d 00:00:00")
    changed = after.filter(removed | moved | dated).select(
        "position", "decision", "PARTNER_NAME", "FIRST_BILLABLE_ACTIVITY_DATE"
    )
    came = before.select("position", "ER_NAME", uuid, "PARTNER_NAME", "first_billable")
    return changed.join(came, on="position", suffix="_before").select(
        "position",
        pl.when(removed).then(pl.lit("Removed")).otherwise(pl.lit("Modified")).alias("Action"),
        "ER_NAME",
        "COMPANY_UUID",
        pl.when(removed | moved).then("PARTNER_NAME_before").alias("Original Partner"),
        pl.when(moved).then("PARTNER_NAME").alias("New Partner"),
        pl.when(removed | dated).then(original_date).alias("Original Date"),
        pl.when(dated).then("FIRST_BILLABLE_ACTIVITY_DATE").alias("New Date"),
    )


def _fixed_cells(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row per corrected cell, with its position: a source cell that differs for no other reason."""
    cells = [c for c in source_columns(before.columns) if c not in _DECIDED_COLUMNS]
    dated = after.filter(pl.col("decision").is_in(DATED))["position"]
    both = [
        frame.select("position", *cells).unpivot(on=cells, index="position", variable_name="Cell", value_name=name)
        for frame, name in ((before, "Original Value"), (after, "New Value"))
    ]
    by_date = (pl.col("Cell") == "FIRST_BILLABLE_ACTIVITY_DATE") & pl.col("position").is_in(dated.implode())
    names = [pl.col(c) for c in ("ER_NAME", "COMPANY_UUID") if c in before.columns]
    return (
        both[0]
        .join(both[1], on=["position", "Cell"], maintain_order="left")
        .filter(pl.col("Original Value").ne_missing(pl.col("New Value")) & ~by_date)
        .join(before.select("position", *names), on="position", maintain_order="left")
        .select("position", pl.lit("Modified").alias("Action"), *names, "Cell", "Original Value", "New Value")
    )


def _per_row(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per decided position: the effective action and the last date and partner given."""
    dated, moved = pl.col("action").is_in(DATED), pl.col("action").is_in(MOVED)
    rows = decisions.group_by("position", maintain_order=True).agg(
        (pl.col("action") == "remove").any().alias("removed"),
        dated.any().alias("dated"),
        moved.any().alias("moved"),
        (pl.col("action") == FIX).any().alias("fixed"),
        ((pl.col("action") == "keep") & pl.col("flag_id").str.contains("^(other_month(_[0-9]+)?)?$"))
        .any()
        .alias("month_kept"),
        pl.col("set_date").filter(dated).last().alias("new_date_text"),
        pl.col("partner_name").filter(moved).last().alias("new_name"),
        pl.col("partner_id").filter(moved).last().alias("new_id"),
    )
    action = (
        pl.when("removed")
        .then(pl.lit("remove"))
        .when(pl.col("dated") & pl.col("moved"))
        .then(pl.lit("set_date_and_reassign"))
        .when("dated")
        .then(pl.lit("set_date"))
        .when("moved")
        .then(pl.lit("reassign"))
        .when("fixed")
        .then(pl.lit(FIX))
        .otherwise(pl.lit("keep"))
    )
    changes = [
        pl.when(~pl.col("removed")).then(pl.col(name)).alias(name) for name in ("new_date_text", "new_name", "new_id")
    ]
    rows = rows.select("position", "month_kept", action.alias("row_action"), *changes)
    return rows.with_columns(parse_dates(rows["new_date_text"])["value"].alias("new_date"))
