"""The review workbook of a month as it stands: every flag with what is at stake and what was decided so far."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.cli.reviewing import Review
from billing_pipeline.engine.pricing.stake import at_stake
from billing_pipeline.engine.tables import source_columns
from billing_pipeline.engine.usage import WITHDRAW, Choice, Decision, cell_problems, kind_of, known_partners
from billing_pipeline.reports.review_workbook import BLANK, About, FlagRow, partner_label, review_workbook


def exported(review: Review) -> bytes:
    """The review workbook of the month as it stands."""
    about = About(
        review.month.period.key, review.usage_sha256, review.rules.sha256, review.last_decision, review.usage_name
    )
    partners = [(name, key) for name, key in known_partners(review.usage, review.rules).iter_rows()]
    columns = [c for c in source_columns(review.usage.columns) if c not in ("PARTNER_ID", "PARTNER_NAME")]
    title = f"Review of {review.month.period.title}"
    return review_workbook(about, title, list(_rows(review)), partners, columns)


def _rows(review: Review) -> Iterator[FlagRow]:
    """A row for every flag, and for a row with several unreadable cells one for each of them."""
    amounts = at_stake(review.usage, review.flags, review.rules, review.month.period)
    dates, cells, filed = _dates(review), _unread_cells(review), _filed(review)
    standing, subjects = review.standing(), review.subjects()
    for flag, amount in zip(review.flags.iter_rows(named=True), amounts, strict=True):
        subject = subjects[flag["flag_id"]]
        made = standing.get(subject.about, [])
        unread = cells.get(flag["row_index"], []) if subject.flag_type in ("bad_cell", "other_month") else []
        fixes = {decision.cell: decision for decision in made if decision.action == "fix_cell"}
        whole = next((_shown(decision) for decision in made if decision.action != "fix_cell"), None)
        otherwise = whole or filed.get((subject.flag_type, flag["row_index"]), Choice(""))
        facts = _facts(flag, dates, amount)
        for number, cell in enumerate(dict.fromkeys([*unread, *fixes]) or [""], 1):
            before = _shown(fixes[cell]) if cell in fixes else replace(otherwise, cell=cell)
            yield FlagRow(
                [f"{facts[0]} ({number})" if number > 1 else facts[0], *facts[1:]],
                subject.flag_type,
                subject.scope,
                subject.row_id,
                subject.partner_key,
                (*subject.actions, WITHDRAW) if made else subject.actions,
                before,
                decided_text(made) or ("by a decision file" if flag["decision"] else ""),
            )


def _facts(
    flag: dict[str, Any], dates: dict[int, tuple[str, ...]], amount: Decimal | None
) -> list[str | int | Decimal | None]:
    about_partner = flag["scope"] == "partner"
    return [
        flag["flag_id"],
        flag["flag_type"].replace("_", " "),
        flag["flag_reason"],
        flag["line"],
        flag["PARTNER_NAME"] or flag["PARTNER_ID"],
        "" if about_partner else flag["ER_NAME"],
        "" if about_partner else flag["TOTAL_INDIVIDUAL_USERS"],
        *(("",) * 3 if about_partner else dates[flag["row_index"]]),
        amount,
    ]


def _unread_cells(review: Review) -> dict[int, list[str]]:
    """The columns that cannot be read, by position."""
    unread = review.usage.filter(pl.col("input_status").is_not_null())
    found = cell_problems(unread, review.month.period).group_by("position", maintain_order=True).agg("cell")
    return dict(found.iter_rows())


def decided_text(made: Sequence[Decision]) -> str:
    """Who decided what, when and why, in a line; empty for nothing."""
    return "; ".join(
        f"{d.action} by {d.reviewer} on {d.decided_at:%Y-%m-%d}" + (f": {d.reason}" if d.reason else "") for d in made
    )


def _shown(decision: Decision) -> Choice:
    value = BLANK if decision.action == "fix_cell" and not decision.value else decision.value
    partner = partner_label(decision.partner_name, decision.partner_id)
    return Choice(decision.action, decision.set_date, partner, "", decision.cell, value)


def _filed(review: Review) -> dict[tuple[str, int], Choice]:
    """What a decision file, if there is one, says of each flag."""
    rows = review.decisions.filter(pl.col("action") != "fix_cell").select(
        "flag_id", "position", "action", pl.col("set_date", "partner_name", "partner_id").fill_null("")
    )
    return {
        (kind_of(flag), place): Choice(action, day, partner_label(name, key) if name else "")
        for flag, place, action, day, name, key in rows.iter_rows()
    }


def _dates(review: Review) -> dict[int, tuple[str, ...]]:
    """The three dates of flagged rows as the file has them, by position."""
    columns = ("FIRST_BILLABLE_ACTIVITY_DATE", "SUSPENSION_DATE", "DISSOCIATION_DATE")
    rows = review.usage.filter(pl.col("position").is_in(review.flags["row_index"].unique().implode()))
    texts = rows.select(
        "position",
        *((pl.col(c) if c in rows.columns else pl.lit(None, pl.String)).fill_null("").alias(c) for c in columns),
    )
    return {row[0]: row[1:] for row in texts.iter_rows()}
