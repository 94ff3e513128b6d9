"""Review flags: what a person has to look at before a month is published.

The reference's five types keep its order, ids, reasons and counter; `bad_cell` and `other_month` are ours, with
counters of their own. Flags are found on the untouched file; decisions are shown beside them. Source: spec 3.1.
"""

import re

import polars as pl

from billing_pipeline.engine.cells import key_text, month_day_year
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.partners import with_customers, with_keys
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage.decisions import FIX, apply_decisions
from billing_pipeline.engine.usage.identity import row_identities

_REFERENCE_KINDS = ("missing_fba", "early_cancel", "bad_data", "dup_uuid", "unmapped", "missing_tier")
FLAG_TYPES = {
    "missing_fba": "missing_billing_trigger",
    "early_cancel": "early_cancellation",
    "bad_data": "missing_tier",
    "dup_uuid": "duplicate_uuid",
    "unmapped": "unmapped_partner",
    "missing_tier": "missing_tier",
    "bad_cell": "bad_cell",
    "other_month": "other_month",
}
ROW_ACTIONS = ("remove", "keep", "set_date", "reassign", "set_date_and_reassign", FIX)
PARTNER_ACTIONS = ("remove", "keep", "set_date", "reassign", "set_date_and_reassign")
_ACTIONS = {
    "unmapped": PARTNER_ACTIONS,
    "missing_tier": PARTNER_ACTIONS,
    "bad_cell": ("remove", FIX),  # a date that cannot be read can be set, too
    "other_month": ("remove", "keep", FIX),
}
_SHOWN = ("COMPANY_UUID", "ER_NAME", "ER_ID", "PARTNER_NAME", "PARTNER_ID", "TOTAL_INDIVIDUAL_USERS")
_UNREAD = ("bad_cell", "other_month")
_NUMBER = re.compile("_[0-9]+$")
_DATE_PROBLEM = "FIRST_BILLABLE_ACTIVITY_DATE '"
NO_BILLING_TRIGGER = "Missing FIRST_BILLABLE_ACTIVITY_DATE"
NO_KEYS = "Missing PARTNER_ID/PARTNER_NAME and/or ER_ID/ER_NAME"


def review_flags(usage: pl.DataFrame, rules: Rules, decisions: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The flags of a month in the reference's order, one row each.

    Columns: flag_id, flag_type, flag_reason, available_actions (list: those that may be decided, Q34), scope (row,
    partner), row_index, line, row_id, the shown source columns, FIRST_BILLABLE_ACTIVITY_DATE (`M/D/YY`), partner_key,
    affected_row_indices (list, partner scope) and `decision` (what was decided so far; null: a person has to decide,
    also when a corrected row still cannot be read). `usage` is the untouched file.
    """
    rows = with_keys(
        usage if "COMPANY_UUID" in usage.columns else usage.with_columns(COMPANY_UUID=pl.lit(None, pl.String))
    )
    rows = rows.with_columns(label=pl.coalesce(_named("PARTNER_NAME"), "partner_key"))
    found = pl.concat([_row_flags(rows), _duplicate_uuids(rows), *_partner_flags(rows, rules)], how="diagonal")
    ours = ~pl.col("kind").is_in(_REFERENCE_KINDS)
    number = pl.when(ours).then(ours.cum_sum().over("kind")).otherwise((~ours).cum_sum()) - 1
    flags = found.with_columns(flag_id=pl.format("{}_{}", "kind", number))
    shown = rows.select("position", "line", "label", *_SHOWN, "first_billable")
    offered = [_offered(kind, reason) for kind, reason in flags.select("kind", "reason").iter_rows()]
    answered = pl.coalesce("decision", _any_decision(decisions))
    unread = _still_unread(usage, decisions, period)
    return (
        flags.with_columns(pl.Series("available_actions", offered, dtype=pl.List(pl.String)))
        .join(shown, on="position", how="left", maintain_order="left")
        .join(row_identities(usage, flags["position"]), on="position", how="left", maintain_order="left")
        .join(_decided(decisions), on=["kind", "position"], how="left", maintain_order="left")
        .select(
            "flag_id",
            pl.col("kind").replace_strict(FLAG_TYPES).alias("flag_type"),
            pl.col("reason").alias("flag_reason"),
            "available_actions",
            "scope",
            pl.col("position").alias("row_index"),
            "line",
            "row_id",
            *(pl.col(column).fill_null("") for column in _SHOWN),
            month_day_year(pl.col("first_billable")).fill_null("").alias("FIRST_BILLABLE_ACTIVITY_DATE"),
            "partner_key",
            "affected_row_indices",
            pl.when(~(pl.col("kind").is_in(_UNREAD) & pl.col("position").is_in(unread.implode())))
            .then(answered)
            .alias("decision"),
        )
    )


def kind_of(flag_id: str) -> str:
    """The kind in a flag's id, by which decisions name it: numbers may shift between scans.

    >>> kind_of("missing_fba_12")
    'missing_fba'
    """
    return _NUMBER.sub("", flag_id)


def early_cancellation() -> pl.Expr:
    """The reason text of a row cancelled before its billing began, null otherwise. Source: spec 3.1 check 2."""
    start = month_day_year(pl.col("first_billable"))
    parts = [
        pl.when(pl.col(column) <= pl.col("first_billable")).then(
            pl.format(
                "{} ({}) <= FIRST_BILLABLE_ACTIVITY_DATE ({})", pl.lit(label), month_day_year(pl.col(column)), start
            )
        )
        for column, label in (("suspended", "SUSPENSION_DATE"), ("dissociated", "DISSOCIATION_DATE"))
    ]
    text = pl.concat_str(parts, separator="; ", ignore_nulls=True)
    return pl.when(text != "").then(text)


def _offered(kind: str, reason: str) -> tuple[str, ...]:
    actions = _ACTIONS.get(kind, ROW_ACTIONS)
    return (*actions, "set_date") if kind == "bad_cell" and _DATE_PROBLEM in reason else actions


def _still_unread(usage: pl.DataFrame, decisions: pl.DataFrame, period: Period) -> pl.Series:
    """Positions of unreadable rows that were given a date, a partner or another cell and still cannot be priced."""
    tried = decisions.filter(~pl.col("action").is_in(["keep", "remove"]))["position"].unique()
    rows = usage.filter(pl.col("input_status").is_not_null() & pl.col("position").is_in(tried.implode()))
    after = apply_decisions(rows.lazy(), decisions, period).collect()
    return after.filter(pl.col("input_status").is_not_null() & (pl.col("decision") != "remove"))["position"]


def _named(column: str) -> pl.Expr:
    return pl.when(key_text(pl.col(column)) != "").then(key_text(pl.col(column)))


def _row_flags(rows: pl.DataFrame) -> pl.DataFrame:
    """Checks on single rows, in pricing order; an unreadable row gets that flag alone, an undated one no other."""
    dated, readable = pl.col("first_billable").is_not_null(), pl.col("input_status").is_null()
    no_keys = (pl.col("partner_key") == "") | ((key_text(pl.col("ER_ID")) == "") & (key_text(pl.col("ER_NAME")) == ""))
    checks = {
        "input": ~readable,
        "missing_fba": readable & ~dated,
        "early_cancel": readable & dated & early_cancellation().is_not_null(),
        "bad_data": readable & dated & no_keys,
    }
    reasons = {
        "missing_fba": pl.lit(NO_BILLING_TRIGGER),
        "early_cancel": early_cancellation(),
        "bad_data": pl.lit(NO_KEYS),
    }
    parts = [
        rows.filter(condition).select(
            "position",
            "partner_key",
            (pl.col("input_status") if kind == "input" else pl.lit(kind)).alias("kind"),
            reasons.get(kind, pl.col("input_problem")).alias("reason"),
            pl.lit(order).alias("order"),
        )
        for order, (kind, condition) in enumerate(checks.items())
    ]
    return pl.concat(parts).sort("position", "order").drop("order").with_columns(pl.lit("row").alias("scope"))


def _duplicate_uuids(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row of a company UUID seen under more than one partner label, by UUID in order of first sight."""
    identified = rows.select("position", "partner_key", "label", uuid=_named("COMPANY_UUID")).drop_nulls("uuid")
    repeated = identified.filter(pl.col("uuid").is_duplicated())
    labels = (
        repeated.group_by("uuid")
        .agg(pl.col("label").unique().sort().alias("labels"), pl.col("position").min().alias("first_seen"))
        .filter(pl.col("labels").list.len() > 1)
    )
    return (
        repeated.join(labels, on="uuid")
        .sort("first_seen", "position")
        .select(
            "position",
            "partner_key",
            pl.lit("dup_uuid").alias("kind"),
            pl.format(
                "COMPANY_UUID '{}' appears under multiple partners: {}", "uuid", pl.col("labels").list.join(", ")
            ).alias("reason"),
            pl.lit("row").alias("scope"),
        )
    )


def _partner_flags(rows: pl.DataFrame, rules: Rules) -> list[pl.DataFrame]:
    """Partners without a customer, then partners without pricing, each in order of first sight."""
    known = rows.filter(pl.col("partner_key") != "").sort("position")
    partners = known.group_by("partner_key", maintain_order=True).agg(
        pl.col("position").first(),
        pl.col("PARTNER_ID", "PARTNER_NAME", "label").first(),
        pl.col("position").alias("affected_row_indices"),
    )
    partners = with_customers(with_keys(partners), rules)
    priced = rules.tiers["partner_key"].unique()
    checks = {
        "unmapped": (pl.col("customer") == "", "No NetSuite customer mapping for partner '{}'"),
        "missing_tier": (~pl.col("partner_key").is_in(priced.implode()), "No pricing tier found for partner '{}'"),
    }
    return [
        partners.filter(condition).select(
            "position",
            "partner_key",
            pl.lit(kind).alias("kind"),
            pl.format(text, "label").alias("reason"),
            pl.lit("partner").alias("scope"),
            "affected_row_indices",
        )
        for kind, (condition, text) in checks.items()
    ]


def _decided(decisions: pl.DataFrame) -> pl.DataFrame:
    """What was decided per flag: matched by the kind in its id and its row, as flag numbers may shift between scans."""
    return decisions.select(
        pl.col("flag_id").str.replace(r"_[0-9]+$", "").alias("kind"), "position", pl.col("action").alias("decision")
    ).unique(["kind", "position"], keep="last", maintain_order=True)


def _any_decision(decisions: pl.DataFrame) -> pl.Expr:
    """A row's flag is answered by a decision that removes it or names no flag, a partner's by removing all its rows."""
    general = decisions.filter((pl.col("action") == "remove") | (pl.col("flag_id") == ""))
    per_row = general.unique("position", keep="last", maintain_order=True)
    removed = general.filter(pl.col("action") == "remove")["position"].unique()
    on_row = pl.col("position").replace_strict(
        per_row["position"], per_row["action"], default=None, return_dtype=pl.String
    )
    all_gone = pl.col("affected_row_indices").list.eval(pl.element().is_in(removed.implode())).list.all()
    return pl.when(pl.col("scope") == "row").then(on_row).when(all_gone).then(pl.lit("remove"))
