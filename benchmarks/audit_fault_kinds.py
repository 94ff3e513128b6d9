"""Every kind of fault that is put into clean ledgers, and what the audit has to call it.

What belongs here: a table, one line a kind: which rows, what they say instead, since when. What does not: how it is put
in and counted (`audit_faults`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import polars as pl

from billing_pipeline.engine.audit import tables as t
from billing_pipeline.engine.money import AMOUNT, QUANTITY, product_cents

NOT_VERIFIED = "NOT_VERIFIED"
"""What is expected of a fault that makes a sheet, or a cell's history, unreadable: it is no finding."""
CLOSE = datetime(2026, 3, 9, 5, tzinfo=UTC)
"""When the week closes whose Sunday has 23 hours: at midnight in Chicago, by daylight time."""
NIGHT, TUESDAY = datetime(2026, 3, 9, 5, 30, tzinfo=UTC), datetime(2026, 3, 10, 16, tzinfo=UTC)

Pool = Literal["closed", "just closed", "open", "undone", "unrated"]
"""Which rows: of a closed week; of the one that closed last; of the one that goes on; of a closed week and never done;
with a code that has no rate."""
How = Literal["edit", "copy", "remove", "replace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault. texts: what the rows say instead. at: when they were changed; None: they do not tell.

    expects: categories, all of which have to be found. values: of the quantity after the close, one after the other, as
    its history tells them; the last one is what it is. early: it is there already in the run after the close. sheet:
    what is wrong with the whole sheet (SHEETS).
    """

    name: str
    expects: tuple[str, ...]
    pool: Pool = "closed"
    how: How = "edit"
    texts: Mapping[str, pl.Expr] = field(default_factory=dict)
    at: datetime | None = TUESDAY
    early: bool = False
    values: tuple[pl.Expr, ...] = ()
    history_fails: bool = False
    sheet: Mapping[str, pl.Expr] = field(default_factory=dict)


_price = pl.col("price").str.strip_chars("$").cast(AMOUNT)
_quantity = pl.col("quantity").cast(QUANTITY)
_cent = pl.lit("0.01").cast(AMOUNT)
_fair = product_cents(_quantity, pl.col("rate"))
_none = pl.lit(None, pl.String)
_tolerance = pl.max_horizontal(2 * _cent, product_cents(pl.lit("0.005").cast(QUANTITY), _fair))
_installed = pl.col("work_type").str.to_lowercase().str.contains("inst")
_other_work = pl.when(_installed).then(pl.lit("Remove")).otherwise(pl.lit("Install"))
_code = pl.col("unit_code").str.slice(3).cast(pl.Int64)
_other_code = pl.format("CU-{}", pl.when(_code == 137).then(100).otherwise(_code + 1))  # 137 is the last with a rate
_new_id = pl.format("9{}", "row_id")
_elsewhere = pl.format("Crew {}", pl.when(pl.col("sheet_id") == "Crew 1").then(2).otherwise(1))


def _week(days: int) -> pl.Expr:
    """So many days after the week's end."""
    return pl.col("week") + pl.duration(days=days)


def _times(factor: str, amount: pl.Expr = _price) -> pl.Expr:
    return product_cents(pl.lit(factor).cast(QUANTITY), amount)


def _edit(name: str, *expects: str, at: datetime | None = TUESDAY, **texts: pl.Expr) -> Fault:
    return Fault(name=name, expects=expects or (t.EDIT_AFTER_CLOSE,), texts=texts, at=at)


def _now(name: str, expects: str, **texts: pl.Expr) -> Fault:
    """Of a row of the open week, when nothing is locked yet."""
    return Fault(name=name, expects=(expects,), pool="open", texts=texts)


def _early(name: str, expects: str = t.EDIT_AFTER_CLOSE, at: datetime = NIGHT, **texts: pl.Expr) -> Fault:
    """Of the week that closed last, seen by the first run after it."""
    return Fault(name=name, expects=(expects,), pool="just closed", early=True, at=at, texts=texts)


def _copy(name: str, *expects: str, pool: Pool = "open", how: How = "copy", **texts: pl.Expr) -> Fault:
    return Fault(name=name, expects=expects, pool=pool, how=how, texts={"row_id": _new_id, **texts})


_history = partial(Fault, pool="closed")
_rate, _unreadable, _missing = (partial(_now, expects=e) for e in (t.RATE_MISMATCH, t.UNREADABLE, t.MISSING_VALUE))

FAULTS = (
    _edit("price raised by a tenth", price=_times("1.1")),
    _edit("price lowered by a tenth", price=_times("0.9")),
    _edit("one cent more", price=_price + _cent),
    _edit("one cent less", price=_price - _cent),
    _edit("decimal point moved", price=_times("10")),
    _edit("price rounded up to dollars", price=(_price + _cent).ceil()),
    _edit("price changed by a formula, row untouched", at=None, price=_times("1.05")),
    _edit("price of a closed week no number any more", t.PRICE_REMOVED, t.UNREADABLE, price=pl.lit("see notes")),
    _edit("sign turned", t.EDIT_AFTER_CLOSE, t.NOT_POSITIVE, price=-_price),
    _edit("price set to zero", t.PRICE_REMOVED, price=pl.lit("$0.00")),
    _edit("price cleared", t.PRICE_REMOVED, price=_none),
    _edit("one unit more", quantity=_quantity + 1),
    _edit("a ten-thousandth of a unit more", quantity=_quantity + pl.lit("0.0001").cast(QUANTITY)),
    _edit("units cleared", t.EDIT_AFTER_CLOSE, t.MISSING_VALUE, quantity=_none),
    _edit("units set to zero", t.EDIT_AFTER_CLOSE, t.NOT_POSITIVE, quantity=pl.lit("0")),
    _edit("units and price doubled together", quantity=_quantity * 2, price=_times("2")),
    _edit("edited and moved a week on", t.EDIT_AFTER_CLOSE, t.WEEK_MOVED, price=_times("1.2"), week_ending=_week(7)),
    _edit("week moved on", t.WEEK_MOVED, week_ending=_week(7)),
    _edit("week moved back", t.WEEK_MOVED, week_ending=_week(-7)),
    _edit("week ending on a Saturday", t.WEEK_MOVED, week_ending=_week(-1)),
    _edit("week of the year before", t.WEEK_MOVED, week_ending=_week(-364)),
    _edit("week cleared", t.WEEK_MOVED, t.MISSING_VALUE, week_ending=_none),
    _edit("completion taken back", t.COMPLETION_REVOKED, completed=pl.lit("false")),
    _edit("completion in words", t.COMPLETION_REVOKED, t.UNREADABLE, completed=pl.lit("maybe")),
    _edit("work dated the week before", t.OUTSIDE_WEEK, work_date=_week(-7)),
    _edit("work dated the day after", t.OUTSIDE_WEEK, work_date=_week(1)),
    _history(name="edited twice", expects=(t.EDIT_AFTER_CLOSE,), values=(_quantity + 1, _quantity + 3)),
    _history(name="edited and set back", expects=(t.TRANSIENT_EDIT,), values=(_quantity + 1, _quantity)),
    _history(
        name="history cannot be read", expects=(NOT_VERIFIED,), texts={"quantity": _quantity + 1}, history_fails=True
    ),
    _early("edited in the second of the close", at=CLOSE, quantity=_quantity + 1),
    _early("edited at night, by daylight time after the close", price=_times("1.1")),
    _early("price cleared before the first run after the close", t.PRICE_REMOVED, price=_none),
    _early("completion taken back before it", t.COMPLETION_REVOKED, completed=pl.lit("false")),
    _early("week moved on before it", t.WEEK_MOVED, week_ending=_week(7)),
    Fault(name="deleted row", expects=(t.ROW_REMOVED,), how="remove"),
    _copy("deleted and entered anew", t.ROW_REMOVED, t.LATE_ENTRY, pool="closed", how="replace"),
    _copy("moved to another sheet", t.ROW_REMOVED, t.LATE_ENTRY, pool="closed", how="replace", sheet_id=_elsewhere),
    _copy("new row in a closed week", t.LATE_ENTRY, pool="closed", point=pl.format("new {}", "point")),
    Fault(
        name="done after its week closed", expects=(t.LATE_ENTRY,), pool="undone",
        texts={"completed": pl.lit("true"), "work_date": pl.col("day")},
    ),
    _now("put into a closed week", t.LATE_ENTRY, week_ending=_week(-14)),
    _rate(name="stale rate", price=_times("0.97")),
    _rate(name="two cents beyond the tolerance", price=_fair + _tolerance + 2 * _cent),
    _rate(name="one per cent discount", price=_times("0.99")),
    _rate(name="unit code of other work", unit_code=_other_code),
    _rate(name="removal for installation", work_type=_other_work),
    _rate(name="feet for metres", quantity=_quantity * pl.lit("3.2808").cast(QUANTITY)),
    _rate(name="price of one unit for four", quantity=pl.lit("4"), price=_times("1", pl.col("rate"))),
    _rate(name="units cut to whole ones", quantity=pl.lit("2"), price=_times("2.75", pl.col("rate"))),
    _rate(name="price and units exchanged", quantity=_price, price=_quantity),
    _rate(name="line priced twice", price=_times("2")),
    Fault(
        name="odd unit price without a rate", expects=(t.PRICE_ANOMALY,), pool="unrated", texts={"price": _times("10")}
    ),
    _unreadable(
        name="columns shifted by one", price=pl.col("completed"), quantity=pl.col("price"),
        unit_code=pl.col("quantity"), work_type=pl.col("unit_code"), point=pl.col("work_type"),
    ),
    _unreadable(name="price in euros", price=pl.format("€{}", _price)),
    _unreadable(name="price in words", price=pl.lit("abc")),
    _unreadable(name="units with their unit", quantity=pl.format("{} ft", "quantity")),
    _unreadable(name="week in words", week_ending=pl.lit("next Sunday")),
    _unreadable(name="a thirtieth of February", work_date=pl.lit("2026-02-30")),
    _missing(name="no work request", work_request=_none),
    _missing(name="no week", week_ending=pl.lit("  ")),
    _missing(name="no price", price=_none),
    _missing(name="no units", quantity=_none),
    _missing(name="no unit code", unit_code=_none),
    _now("price of zero", t.NOT_POSITIVE, price=pl.lit("0.0")),
    _now("price in parentheses", t.NOT_POSITIVE, price=pl.format("(${})", _price)),
    _now("units below zero", t.NOT_POSITIVE, quantity=-_quantity),
    _now("a century back", t.DATE_TOO_OLD, work_date=pl.lit("1926-03-10")),
    _now("years exchanged", t.DATE_TOO_FUTURE, week_ending=pl.lit("2062-03-15")),
    _now("work dated tomorrow", t.FUTURE_WORK_DATE, work_date=pl.lit("2026-03-12")),
    _copy("row entered twice", t.DUPLICATE),
    _copy("row entered twice at another price", t.DUPLICATE, price=_times("1.1")),
    _copy(
        "row entered twice, written otherwise", t.DUPLICATE, quantity=_quantity, price=_price,
        work_request=pl.col("work_request").str.slice(0, 8), week_ending=_week(0).dt.strftime("%m/%d/%y"),
    ),
    _copy("row in another sheet as well", t.DUPLICATE_ACROSS, sheet_id=_elsewhere),
    _copy("sheet copied", t.DUPLICATE_ACROSS, pool="closed", sheet_id=pl.lit("Copy of Crew 1")),
    Fault(name="sheet cannot be read", expects=(NOT_VERIFIED,), sheet={"error": pl.lit("access denied")}),
    Fault(name="column renamed", expects=(NOT_VERIFIED,), sheet={"missing": pl.lit("Quantity")}),
    Fault(name="rows left out by the source", expects=(NOT_VERIFIED,), sheet={"rows": pl.col("rows") + 1}),
)  # fmt: skip

UNSEEN = (
    _copy("row entered twice, code in small letters", t.DUPLICATE, unit_code=pl.col("unit_code").str.to_lowercase()),
    _copy("row entered twice, work type spelled otherwise", t.DUPLICATE, work_type=pl.format("{}.", "work_type")),
    _edit("billed row given to another work request", t.EDIT_AFTER_CLOSE, work_request=pl.lit("10999999")),
    _now("no work date", t.OUTSIDE_WEEK, work_date=_none),
    _now("week ending on a Wednesday, nothing billed", t.WEEK_MOVED, week_ending=_week(-4)),
    Fault(
        name="deleted before the first run after the close", expects=(t.ROW_REMOVED,), pool="just closed", how="remove",
        early=True,
    ),
)  # fmt: skip
"""Faults that no rule is made for, with what they might be called. They are measured, and not aimed at."""
