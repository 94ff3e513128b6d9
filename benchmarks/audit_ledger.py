"""Ledgers of field work as clean months have them: eight sheets, weeks that are closed, one that goes on.

What belongs here: what honest people enter, also what looks odd and is none: edits until the last second before a week
closes, rows that are put off to the next week, rows deleted before they are billed, prices a cent off, codes without a
rate, blank points, every way of writing a price or a date. What does not: faults (`audit_fault_kinds`).
"""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from billing_pipeline.engine.audit.snapshot import Snapshot, snapshot
from billing_pipeline.engine.audit.tables import COLUMNS, RATES, SHEETS, SOURCE_ROWS, TEXTS
from billing_pipeline.engine.money import AMOUNT, QUANTITY, RATE, product_cents
from billing_pipeline.engine.tables import conform

ZONE = "America/Chicago"
LAST_CLOSED, OPEN_WEEK = date(2026, 3, 8), date(2026, 3, 15)
"""The Sunday on which clocks go forward there, and the one after it."""
FRIDAY, MONDAY, WEDNESDAY = (datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((6, 23), (9, 12), (11, 23)))
"""Runs: before the week of that Sunday closes, after it, and two days later."""
_SHEETS, _WEEKS, _CODES, _UNRATED = 8, 9, 40, 2
_KINDS = (("Install", "1"), ("Remove", "0.4"), ("Transfer", "0.7"))
_SPELLINGS = pl.Series(["Install", "Remove", "Transfer", "INST", "REM", "XFR", "installation", "removal", "transfer"])


def contract_rates() -> pl.DataFrame:
    """RATES of all codes but the last two; no two of a kind are within two per cent of each other."""
    known = _rates().filter(pl.col("code") < _CODES - _UNRATED)
    return conform(known.select("unit_code", work_type="name", rate="rate"), RATES)


def ledger(rows: int, seed: int = 20260308) -> pl.DataFrame:
    """Each row's life, the same for the same seed; `as_of` says what stands in the sheets at a time.

    Times (null: never): entered_at, done_at, changed_at, gone_at. What it says: first_quantity until changed_at, then
    quantity; first_week until done_at, then week. rate is null for a code that has none.
    """
    random = np.random.default_rng(seed)

    def share(part: float) -> pl.Series:
        return pl.Series(random.random(rows) < part)

    def upto(most: int) -> pl.Series:
        return pl.Series(random.integers(0, most, rows))

    number = pl.int_range(rows, eager=True)
    drawn = pl.DataFrame(
        {
            "number": number,
            "sheet": number % _SHEETS,
            "weeks_ago": upto(_WEEKS),
            "day_of_week": upto(7),
            "minute": upto(8 * 60),
            "took": upto(4 * 60),
            "code": upto(_CODES),
            "kind": number // _SHEETS % 3,
            "spelling": upto(3),
            "units": upto(6) + 1,
            "quarters": upto(8) - 4,
            "more": upto(3) + 1,
            "when": random.random(rows),
            "undone": share(0.02),
            "put_off": share(0.01),
            "edited": share(0.05),
            "last_second": share(0.2),
            "deleted": share(0.3),
            "a_cent_off": share(0.02),
            "blank_point": share(0.02),
            "by": upto(24),
        }
    )
    return _lives(drawn.join(_rates(), on=["code", "kind"], maintain_order="left"))


def as_of(book: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """The rows of a ledger as the sheets show them: SOURCE_ROWS, the texts of COLUMNS, and `week`, `rate` as they are.

    Every other sheet writes amounts with a dollar sign, every third dates as M/D/Y.
    """
    now = pl.lit(at)
    there = book.filter((pl.col("entered_at") <= now) & (pl.col("gone_at").is_null() | (pl.col("gone_at") > now)))
    done = (pl.col("done_at") <= now).fill_null(value=False)
    changed = (pl.col("changed_at") <= now).fill_null(value=False)
    times = ("entered_at", pl.when(done).then("done_at"), pl.when(changed).then("changed_at"))
    valued = there.with_columns(
        quantity=pl.when(changed).then("quantity").otherwise("first_quantity"),
        week=pl.when(done).then("week").otherwise("first_week"),
        done=done,
        modified_at=pl.max_horizontal(*times),
    )
    dollars = product_cents(pl.col("quantity"), pl.col("price_of_unit")) + pl.col("off")
    amount = dollars.cast(AMOUNT).cast(pl.String)
    signed = pl.when(pl.col("sheet") % 2 == 0).then(pl.format("${}", amount)).otherwise(amount)
    texts = {
        "work_request": pl.format("{}.0", 10_000_000 + 100_000 * pl.col("sheet") + pl.col("number") // 400),
        "week_ending": _day("week"),
        "work_date": pl.when("done").then(_day("day")),
        "completed": pl.col("done").cast(pl.String),
        "price": signed,
        "quantity": pl.col("quantity").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end("."),
        "point": pl.when(~pl.col("blank_point")).then(pl.format("P-{}", pl.col("number") // (2 * _SHEETS))),
        "foreman": pl.format("Foreman {}", "by"),
        "department": pl.format("{}", 500 + pl.col("sheet")),
        "customer": pl.lit("Prairie Power"),
    }
    said = valued.with_columns(**texts, row_number="number", modified_by=pl.format("foreman{}@example.com", "by"))
    blank = [pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in said.columns]
    return said.with_columns(blank).select(*SOURCE_ROWS, *COLUMNS, "week", "day", "rate")


def typed(said: pl.DataFrame) -> Snapshot:
    """The typed snapshot of rows as the sheets show them."""
    texts = said.unpivot(list(COLUMNS), index=["sheet_id", "row_id"], variable_name="column")
    return snapshot(conform(texts, TEXTS), conform(said, SOURCE_ROWS))


def sheets_of(said: pl.DataFrame) -> pl.DataFrame:
    """SHEETS, each wholly read."""
    counted = said.group_by("sheet_id", maintain_order=True).agg(rows=pl.len().cast(pl.Int64))
    told = counted.with_columns(sheet="sheet_id", version=1, read="rows", missing=pl.lit(""), error=pl.lit(""))
    return conform(told.cast({"version": pl.Int64}), SHEETS)


def _lives(drawn: pl.DataFrame) -> pl.DataFrame:
    """Each row's times and values."""
    week = pl.lit(OPEN_WEEK) - pl.duration(days=7 * pl.col("weeks_ago"))
    closes_at = (pl.col("week") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone(ZONE)
    morning = (pl.col("day").cast(pl.Datetime("us")) + pl.duration(hours=7)).dt.replace_time_zone(ZONE)
    started = morning.dt.convert_time_zone("UTC") + pl.duration(minutes=pl.col("minute"))
    units = (pl.col("units") * 4 + pl.col("quarters").clip(0)).cast(QUANTITY) / pl.lit(4).cast(QUANTITY)
    planned = drawn.with_columns(week=week.cast(pl.Date)).with_columns(
        day=pl.col("week") - pl.duration(days=pl.col("day_of_week")),
        closes_at=closes_at.dt.convert_time_zone("UTC"),
        first_week=pl.when("put_off").then(pl.col("week") - pl.duration(days=7)).otherwise("week"),
        first_quantity=units.cast(QUANTITY),
    )
    timed = planned.with_columns(started=started).with_columns(
        entered_at=pl.when("put_off").then(pl.col("started") - pl.duration(days=7)).otherwise("started"),
        finished=pl.col("started") + pl.duration(minutes=pl.col("took")),
    )
    left = (pl.col("closes_at") - pl.duration(seconds=1) - pl.col("finished")).dt.total_seconds()
    waited = pl.when("last_second").then(left).otherwise((left * pl.col("when")).cast(pl.Int64))
    edited = pl.col("edited") & ~pl.col("undone")
    return timed.with_columns(
        done_at=pl.when(~pl.col("undone")).then("finished"),
        changed_at=pl.when(edited).then(pl.col("finished") + pl.duration(seconds=waited)),
        gone_at=pl.when(pl.col("undone") & pl.col("deleted")).then("finished"),
        quantity=pl.when(edited).then((pl.col("units") + pl.col("more")).cast(QUANTITY)).otherwise("first_quantity"),
        off=pl.when("a_cent_off").then(pl.lit("0.01")).otherwise(pl.lit("0")).cast(AMOUNT),
        rate=pl.when(pl.col("code") < _CODES - _UNRATED).then("rate"),
        price_of_unit="rate",
        sheet_id=pl.format("Crew {}", pl.col("sheet") + 1),
        row_id=pl.format("{}", 4_000_000_000_000_000 + pl.col("number")),
        permalink=pl.format("https://sheets.example.com/{}", "number"),
        work_type=_SPELLINGS.gather(drawn["kind"] + 3 * drawn["spelling"]),
    )


def _rates() -> pl.DataFrame:
    """code, kind (numbers), unit_code, name, rate (RATE)."""
    codes = pl.DataFrame({"code": range(_CODES)})
    kinds = pl.DataFrame(_KINDS, schema=["name", "part"], orient="row").with_row_index("kind")
    full = (2000 + pl.col("code") * 737).cast(pl.Decimal(18, 2)) / pl.lit(100).cast(pl.Decimal(18, 2))
    return codes.join(kinds, how="cross").with_columns(
        pl.col("kind").cast(pl.Int64),
        unit_code=pl.format("CU-{}", 100 + pl.col("code")),
        rate=(full.cast(RATE) * pl.col("part").cast(RATE)).cast(RATE),
    )


def _day(column: str) -> pl.Expr:
    iso, american = (pl.col(column).dt.strftime(form) for form in ("%Y-%m-%d", "%m/%d/%Y"))
    return pl.when(pl.col("sheet") % 3 == 2).then(american).otherwise(iso)
