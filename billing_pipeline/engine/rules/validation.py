"""What the rows of the rules mean to each other: ends before starts, gaps, overlaps, duplicates, rates worth a look.

What belongs here: judgements over typed tables. What does not: one cell's form (`parsing`), wording (`messages`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

import polars as pl

from billing_pipeline.engine.errors import Problem
from billing_pipeline.engine.money import cents
from billing_pipeline.engine.rules import messages
from billing_pipeline.engine.rules.layout import CONFIG, FIELDS, MAPPING, MINIMUMS, PRICING, VOLUME_METRICS, Form
from billing_pipeline.engine.rules.messages import Warned
from billing_pipeline.engine.rules.parsing import Table, clean_id, name_key
from billing_pipeline.engine.rules.reading import ROW

_Row = dict[str, Any]


def judge(tables: Mapping[str, Table], name: str) -> tuple[list[Problem], list[Warned]]:
    """Errors and warnings between the cells of the tables that could be read; unreadable cells are passed over.

    Errors: a tier or minimum that ends before its start, a minimum that can never apply. Warnings: what is billed as
    written but may not be meant. Source: spec 2.3 and quirks Q2, Q10 to Q12, Q15, Q18, Q24, Q25; decision 6.
    """
    rows = {title: table.rows for title, table in tables.items()}
    errors: list[Problem] = []
    warnings: list[Warned] = []
    if PRICING in rows:
        place = _Place(name, PRICING)
        errors += _ends(rows[PRICING], place, "tier end")
        warnings += [*_pricing_cells(rows[PRICING], place), *_tiers(rows[PRICING], place)]
    if MINIMUMS in rows:
        place = _Place(name, MINIMUMS)
        errors += _minimum_ends(rows[MINIMUMS], place)
        warnings += [*_rates(rows[MINIMUMS], place), *_minimums(rows[MINIMUMS], place)]
        warnings += _unused_minimums(rows, place)
    if CONFIG in rows:
        place = _Place(name, CONFIG)
        warnings += _contract_ends(rows[CONFIG], place)
        warnings += _duplicates(rows[CONFIG].iter_rows(named=True), place)
    if MAPPING in rows:
        warnings += _mapping(rows[MAPPING], _Place(name, MAPPING))
    return errors, warnings


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    sheet: str

    def warning(self, kind: str, message: str, row: _Row, field: str) -> Warned:
        """A warning at the cell of `field` in `row`."""
        cell, value = row[f"{field}.cell"] or "", row[f"{field}.text"] or ""
        return Warned(message, self.file, sheet=self.sheet, cell=cell, value=value, kind=kind)


def _ends(rows: pl.DataFrame, place: _Place, label: str) -> Iterator[Problem]:
    for row in rows.filter(pl.col("end") < pl.col("start")).iter_rows(named=True):
        message = messages.end_before_start(label, _plain(row["end"]), _plain(row["start"]))
        yield Problem(message, place.file, sheet=place.sheet, cell=row["end.cell"], value=row["end.text"])


def _minimum_ends(rows: pl.DataFrame, place: _Place) -> Iterator[Problem]:
    yield from _ends(rows, place, "last month of the minimum")
    for row in rows.filter((pl.col("end") < 1) & (pl.col("start") <= pl.col("end"))).iter_rows(named=True):
        cell, value = row["end.cell"], row["end.text"]
        yield Problem(messages.MINIMUM_NEVER, place.file, sheet=place.sheet, cell=cell, value=value)


def _pricing_cells(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    if rows.is_empty():
        yield Warned(messages.NO_ROWS, place.file, sheet=place.sheet, kind="no_rows")
    blank_start = pl.col("start.text").is_null() & pl.col("start.cell").is_not_null()
    for row in rows.filter(blank_start).iter_rows(named=True):
        yield place.warning("tier_start", messages.START_BLANK, row, "start")
    for row in rows.filter(~pl.col("included").is_in([Decimal(0), Decimal(1)])).iter_rows(named=True):
        yield place.warning("included_users", messages.INCLUDED_NOT_A_FLAG, row, "included")
    yield from _rates(rows, place)


def _rates(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    """Prices of more than two decimals, one warning per cell; next-day prices are rounded before use (spec Q10)."""
    for field in FIELDS[place.sheet]:
        if field.form is not Form.PRICE:
            continue
        price = pl.col(field.name)
        fine = rows.filter(price.round(2) != price).with_columns(cents(price).alias("rounded"))
        text = messages.RATE_ROUNDED if field.name.startswith("nd_") else messages.RATE_DIGITS
        for row in fine.iter_rows(named=True):
            message = text.format(field.label, row["rounded"])
            yield place.warning("rate_over_two_decimals", message, row, field.name)


def _tiers(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    ordered = rows.sort("partner_key", "start", maintain_order=True).iter_rows(named=True)
    for partner, group in groupby(ordered, key=lambda row: str(row["partner_key"])):
        tiers = list(group)
        if any(tier[field] is None for tier in tiers for field in ("start", "metric", "tier_type")):
            continue
        if any(tier["end"] is None and tier["end.text"] is not None for tier in tiers):
            continue
        metric = next((tier["metric"] for tier in tiers if tier["metric"] in VOLUME_METRICS), "FLAT")
        counted = [tier for tier in tiers if tier["metric"] == metric] or tiers
        if len(counted) < len(tiers):
            other = next(tier for tier in tiers if tier["metric"] != metric)
            mixed = ", ".join(sorted({tier["metric"] for tier in tiers}))
            yield place.warning("mixed_metric", messages.MIXED_METRIC.format(partner, mixed, metric), other, "metric")
        all_in = next((tier for tier in tiers if tier["tier_type"] == "ALL_IN"), None)
        if all_in and any(tier["tier_type"] == "SPLIT" for tier in tiers):
            yield place.warning("mixed_type", messages.MIXED_TYPE.format(partner), all_in, "tier_type")
        yield from _ladder([tier for tier in counted if tier["tier_type"] == "SPLIT"] or counted, partner, place)


def _ladder(tiers: list[_Row], partner: str, place: _Place) -> Iterator[Warned]:
    """Gaps and overlaps of the counted tiers, sorted by start; whole-number neighbours (1-10, 11-20) leave no gap."""
    highest = tiers[0]
    if highest["start"] > 1:
        message = messages.TIER_GAP_BELOW.format(partner, _plain(highest["start"]))
        yield place.warning("tier_gap", message, highest, "start")
    for tier in tiers[1:]:
        if highest["end"] is None or tier["start"] <= highest["end"]:
            text = messages.TIER_SAME_START if tier["start"] == highest["start"] else messages.TIER_OVERLAP
            yield place.warning("tier_overlap", text.format(_span(highest), _span(tier), partner), tier, "start")
        elif tier["start"] - highest["end"] > 1:
            bounds = (_plain(highest["end"]), _plain(tier["start"]), _plain(tiers[-1]["start"]))
            yield place.warning("tier_gap", messages.TIER_GAP.format(partner, *bounds), tier, "start")
        if highest["end"] is not None and (tier["end"] is None or tier["end"] > highest["end"]):
            highest = tier


def _minimums(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    for row in rows.filter((pl.col("start") < 1) & (pl.col("end") >= 1)).iter_rows(named=True):
        yield place.warning("month_zero", messages.MONTH_ZERO, row, "start")
    ordered = rows.drop_nulls(["start", "end"]).sort("partner_key", "start", maintain_order=True)
    for partner, group in groupby(ordered.iter_rows(named=True), key=lambda row: str(row["partner_key"])):
        first, *others = group
        longest = first
        for row in others:
            if row["start"] <= longest["end"]:
                message = messages.MINIMUM_OVERLAP.format(row["start"], row["end"], partner, longest[ROW])
                yield place.warning("minimum_overlap", message, row, "start")
            longest = max(longest, row, key=lambda each: int(each["end"]))


def _contract_ends(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    """Ends before their start: the minimum goes on as if there were no end. Source: spec 2.5 step 2, Q24."""
    for row in rows.filter(pl.col("minimums_end") < pl.col("minimums_start")).iter_rows(named=True):
        end, start = f"{row['minimums_end']:%Y-%m}", f"{row['minimums_start']:%Y-%m}"
        message = messages.MINIMUM_END_IGNORED.format(messages.end_before_start("end of the minimums", end, start))
        yield place.warning("minimum_end", message, row, "minimums_end")


def _unused_minimums(rows: Mapping[str, pl.DataFrame], place: _Place) -> Iterator[Warned]:
    first = rows[MINIMUMS].unique("partner_key", keep="first", maintain_order=True).iter_rows(named=True)
    priced = set(rows[PRICING]["partner_key"]) if PRICING in rows else None
    starts = dict(rows[CONFIG].select("partner_key", "minimums_start.text").iter_rows()) if CONFIG in rows else None
    for row in first:
        partner = row["partner_key"]
        field = "partner_id" if row["partner_id.text"] is not None else "partner_name"
        if priced is not None and partner not in priced:
            yield place.warning("minimum_unpriced", messages.MINIMUM_UNPRICED.format(partner), row, field)
        elif starts is not None and starts.get(partner) is None:
            yield place.warning("minimum_without_start", messages.MINIMUM_NO_START.format(partner), row, field)


def _duplicates(rows: Iterator[_Row], place: _Place) -> Iterator[Warned]:
    for partner, group in _groups(rows, "partner_key"):
        for row in group[:-1]:
            field = "partner_id" if row["partner_id.text"] is not None else "partner_name"
            message = messages.DUPLICATE_PARTNER.format(partner, group[-1][ROW])
            yield place.warning("duplicate_partner", message, row, field)


def _mapping(rows: pl.DataFrame, place: _Place) -> Iterator[Warned]:
    customer, text = pl.col("customer"), pl.col("customer.text")
    for row in rows.filter(text.is_null()).iter_rows(named=True):
        yield place.warning("no_customer", messages.NO_CUSTOMER.format(row["partner_key"]), row, "customer")
    for row in rows.filter(customer != text).iter_rows(named=True):
        yield place.warning("trimmed", messages.TRIMMED, row, "customer")
    usable = rows.filter(customer.is_not_null()).with_columns(name_key(), clean_id())
    yield from _duplicates(usable.iter_rows(named=True), place)
    for name, row, last in _earlier(usable, "partner_name_key", "customer"):
        if row["partner_key"] != last["partner_key"]:
            yield place.warning("name_clash", messages.NAME_CLASH.format(name, last[ROW]), row, "partner_name")
    for _, row, last in _earlier(usable, "clean_id", "partner_id"):
        message = messages.ID_COLLISION.format(row["partner_id"], last["partner_id"], last[ROW])
        yield place.warning("id_collision", message, row, "partner_id")


def _earlier(rows: pl.DataFrame, key: str, field: str) -> Iterator[tuple[str, _Row, _Row]]:
    """Key, row and last row of that key, for rows whose `field` differs from the last one's."""
    for value, group in _groups(rows.iter_rows(named=True), key):
        yield from ((value, row, group[-1]) for row in group[:-1] if row[field] != group[-1][field])


def _groups(rows: Iterator[_Row], key: str) -> Iterator[tuple[str, list[_Row]]]:
    """Rows by a non-empty key, in order of first sight."""
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        if row[key]:
            groups.setdefault(row[key], []).append(row)
    yield from groups.items()


def _plain(value: Decimal | int) -> str:
    return f"{Decimal(value).normalize():f}"


def _span(tier: _Row) -> str:
    return (
        f"{_plain(tier['start'])} to {_plain(tier['end'])}"
        if tier["end"] is not None
        else f"from {_plain(tier['start'])}"
    )
