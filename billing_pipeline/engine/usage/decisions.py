"""What people decided about flagged rows: the published decision file, validated, resolved to rows, and applied.

A decision file belongs to exactly one usage file (its SHA-256). Rows are named by `row_index`, the place in pricing
order of the untouched file; that order stays after the change (Q33). Source: spec 3.3, 3.4, Q29 to Q34, Q65.
"""

import json
from typing import Any

import polars as pl

from billing_pipeline.engine.cells import parse_dates, parse_months
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.reading import other_month_problem

ACTIONS = ("keep", "remove", "reassign", "set_date", "set_date_and_reassign")
_DATED = ("set_date", "set_date_and_reassign")
_MOVED = ("reassign", "set_date_and_reassign")
_SCHEMA = {
    "position": pl.UInt32,
    "flag_id": pl.String,
    "action": pl.String,
    "set_date": pl.String,
    "partner_name": pl.String,
    "partner_id": pl.String,
}


def no_decisions() -> pl.DataFrame:
    """The decisions of a month nobody had to decide about."""
    return pl.DataFrame(schema=_SCHEMA)


def read_decisions(
    data: bytes, name: str, usage_sha256: str, rows: int, period: Period, *, required: bool = True
) -> pl.DataFrame:
    """The decisions of a published decision file, one row per decided usage row, in the file's order.

    Columns: position (row_index), flag_id, action, set_date (text), partner_name, partner_id. `rows` is the number of
    rows of the usage file. InputError lists every entry that cannot be taken, and a file made for another usage file;
    a file that nobody asked for (`required` false) and that names another month has no decisions for this one.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"is not JSON: {error}", file=name)) from None
    if not isinstance(document, dict) or not isinstance(document.get("decisions", []), list):
        raise InputError(
            Problem('is not a decision file: expected {"usage_file_sha256": ..., "decisions": [...]}', name)
        )
    saved = str(document.get("usage_file_sha256") or "")
    if not saved:
        raise InputError(Problem("names no usage_file_sha256, so it cannot be matched to a usage file", file=name))
    if saved != usage_sha256:
        if not required and _is_of_another_month(document.get("for_month"), period):
            return no_decisions()
        message = (
            f"Billing overrides were created for a different usage file (expected {usage_sha256[:16]}…, "
            f"got {saved[:16]}…). Re-run the pre-scan to generate fresh overrides."
        )
        raise InputError(Problem(message, file=name))
    problems: list[Problem] = []
    resolved: list[dict[str, Any]] = []
    for number, entry in enumerate(document.get("decisions", []), 1):
        found = _resolve(entry, rows)
        if isinstance(found, str):
            problems.append(Problem(f"decision {number}: {found}", file=name))
        else:
            resolved.extend(found)
    if problems:
        raise InputError(problems)
    return pl.DataFrame(resolved, schema=_SCHEMA)


def apply_decisions(usage: pl.LazyFrame, decisions: pl.DataFrame, period: Period) -> pl.LazyFrame:
    """The usage rows with `decisions` applied: removed rows are marked, partners and dates replaced, nothing is
    dropped.

    Removal wins over everything else on a row; among repeated reassignments or dates the last one holds. Reassigning
    sets name and id together (Q31). A date cures a row whose only unreadable cell was that date; keeping a row of
    another month bills it in this one.
    """
    if decisions.is_empty():
        return usage
    merged = _per_row(decisions)
    joined = usage.join(merged.lazy(), on="position", how="left", maintain_order="left")
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


def overrides_applied(usage: pl.LazyFrame, decided: pl.LazyFrame) -> pl.DataFrame:
    """What the decisions changed, in pricing order: the columns of the sheet `Overrides Applied`. `keep` is not listed.

    `usage` holds the rows as they came, `decided` the same rows after apply_decisions (true-up rows do no harm).
    """
    changed = decided.filter(pl.col("decision") != "keep").select(
        "position", "decision", "PARTNER_NAME", "FIRST_BILLABLE_ACTIVITY_DATE"
    )
    has_uuid = "COMPANY_UUID" in usage.collect_schema().names()
    uuid = (pl.col("COMPANY_UUID") if has_uuid else pl.lit(None, pl.String)).alias("COMPANY_UUID")
    before = usage.select("position", "ER_NAME", uuid, "PARTNER_NAME", "first_billable")
    removed = pl.col("decision") == "remove"
    moved, dated = pl.col("decision").is_in(_MOVED), pl.col("decision").is_in(_DATED)
    original_date = pl.col("first_billable").dt.strftime("%Y-%m-%d 00:00:00")
    return (
        changed.join(before, on="position", suffix="_before")
        .sort("position")
        .select(
            pl.when(removed).then(pl.lit("Removed")).otherwise(pl.lit("Modified")).alias("Action"),
            "ER_NAME",
            "COMPANY_UUID",
            pl.when(removed | moved).then("PARTNER_NAME_before").alias("Original Partner"),
            pl.when(moved).then("PARTNER_NAME").alias("New Partner"),
            pl.when(removed | dated).then(original_date).alias("Original Date"),
            pl.when(dated).then("FIRST_BILLABLE_ACTIVITY_DATE").alias("New Date"),
        )
        .collect()
    )


def _is_of_another_month(text: object, period: Period) -> bool:
    months = parse_months(pl.Series([str(text or "")]))["value"]
    return months[0] is not None and months[0] != period.first


def _resolve(entry: object, rows: int) -> list[dict[str, Any]] | str:
    """A decision as one record per row, or what is wrong with it."""
    if not isinstance(entry, dict):
        return "is not an object"
    action, scope = entry.get("action") or "keep", entry.get("scope") or "row"
    if action not in ACTIONS:
        return f"action {action!r} is not one of {', '.join(ACTIONS)}"
    if scope not in ("row", "partner"):
        return f"scope {scope!r} is neither row nor partner"
    places = entry.get("affected_row_indices") if scope == "partner" else [entry.get("row_index")]
    if not isinstance(places, list) or not places:
        return f"scope {scope} names no rows"
    outside = [p for p in places if not isinstance(p, int) or isinstance(p, bool) or not 0 <= p < rows]
    if outside:
        return f"row_index {outside[0]!r} is not a row of the usage file (0 to {rows - 1})"
    date = str(entry.get("set_date") or "").strip() if action in _DATED else ""
    name = str(entry.get("reassign_to_partner_name") or "").strip() if action in _MOVED else ""
    identifier = str(entry.get("reassign_to_partner_id") or "").strip() if action in _MOVED else ""
    if action in _DATED and parse_dates(pl.Series([date], dtype=pl.String))["value"][0] is None:
        return f"set_date {date!r} is not a date"
    if action in _MOVED and not name:
        return "reassign names no partner (reassign_to_partner_name)"
    common = {"flag_id": str(entry.get("flag_id") or ""), "action": action, "set_date": date or None}
    return [{"position": p, **common, "partner_name": name or None, "partner_id": identifier or None} for p in places]


def _per_row(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per decided position: the effective action and the last date and partner given."""
    dated, moved = pl.col("action").is_in(_DATED), pl.col("action").is_in(_MOVED)
    rows = decisions.group_by("position", maintain_order=True).agg(
        (pl.col("action") == "remove").any().alias("removed"),
        dated.any().alias("dated"),
        moved.any().alias("moved"),
        ((pl.col("action") == "keep") & pl.col("flag_id").str.contains("^(other_month_[0-9]+)?$"))
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
        .otherwise(pl.lit("keep"))
    )
    changes = [
        pl.when(~pl.col("removed")).then(pl.col(name)).alias(name) for name in ("new_date_text", "new_name", "new_id")
    ]
    rows = rows.select("position", "month_kept", action.alias("row_action"), *changes)
    return rows.with_columns(parse_dates(rows["new_date_text"])["value"].alias("new_date"))
