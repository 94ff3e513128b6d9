"""The rules of the audit measured: clean months in which nothing may be found, and faults that all have to be found.

`python -m benchmarks.audit_faults`. Prints for every kind of fault and every rule how many were put in and found, and
how many false alarms there were: findings (not INFO) in clean ledgers, or beside the rows of a fault. Exit code 1 when
a fault was missed, or with one false alarm or more in 10,000 clean rows.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from benchmarks.audit_fault_kinds import FAULTS, NOT_VERIFIED, TUESDAY, UNSEEN, Fault
from benchmarks.audit_ledger import (
    FRIDAY,
    LAST_CLOSED,
    MONDAY,
    OPEN_WEEK,
    WEDNESDAY,
    ZONE,
    as_of,
    contract_rates,
    ledger,
    sheets_of,
    typed,
)
from billing_pipeline.engine.audit.audit import Detected, detect
from billing_pipeline.engine.audit.examining import to_examine
from billing_pipeline.engine.audit.inputs import Memory, Read, kept
from billing_pipeline.engine.audit.snapshot import CELL, KEY
from billing_pipeline.engine.audit.tables import FAILED, INFO, READ, REVISIONS, UTC_TIME
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.tables import conform

ROWS, TIMES, ALLOWED = 55_000, 5, 1 / 10_000
_THRESHOLDS, _MANY = Thresholds(), 10**9


@dataclass(frozen=True, slots=True)
class Clean:
    """Clean months. runs: what each run found. before_close, before: what was remembered when it began. said: the rows
    that the run on Monday and the one on Wednesday saw.
    """

    runs: tuple[Detected, ...]
    before_close: Memory
    before: Memory
    monday: pl.DataFrame
    wednesday: pl.DataFrame

    def false_alarms(self) -> pl.DataFrame:
        """category, sheet_id, row_id of everything that was found, each finding once."""
        return pl.concat(_alarms(run) for run in self.runs).unique("finding_key")

    def rows(self) -> int:
        """Rows of the last run."""
        return self.wednesday.height


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a kind of fault: how many were put in and found, and FOUND beside the rows they are in."""

    fault: Fault
    put_in: int
    found: int
    beside: pl.DataFrame


def clean_months(rows: int) -> Clean:
    """Three runs over a ledger in which nobody did anything wrong."""
    book = ledger(rows)
    friday, monday, wednesday = (as_of(book, at) for at in (FRIDAY, MONDAY, WEDNESDAY))
    first, before_close = _run(friday, Memory(), FRIDAY)
    second, before = _run(monday, before_close, MONDAY)
    third, _ = _run(wednesday, before, WEDNESDAY)
    return Clean((first, second, third), before_close, before, monday, wednesday)


def outcome(fault: Fault, clean: Clean, times: int, seed: int) -> Outcome:
    """What becomes of the fault when it is in so many rows of the clean months, or in one sheet."""
    said = clean.monday if fault.early else clean.wednesday
    memory, at = (clean.before_close, MONDAY) if fault.early else (clean.before, WEDNESDAY)
    chosen = said.filter(_pool(fault)).sample(times, seed=seed).select(*KEY, instance=pl.int_range(times))
    if fault.sheet:
        chosen = chosen.head(1)
    changed, touched = _changed(said, fault, chosen)
    detected = _detected(_read(changed, fault, said.join(chosen, on=KEY), memory, at), memory, at)
    beside = _alarms(detected).join(touched, on=KEY, how="anti")
    if fault.expects == (NOT_VERIFIED,):
        return Outcome(fault, chosen.height, chosen.join(detected.verified, on=KEY, how="anti").height, beside)
    found = detected.found.join(touched, on=KEY).filter(pl.col("category").is_in(fault.expects))
    named = found.group_by("instance").agg(pl.col("category").n_unique())
    caught = named.filter(pl.col("category") == len(fault.expects)).height
    return Outcome(fault, chosen.height, caught, beside)


def main() -> int:
    """Print the tables; the exit code."""
    began = time.perf_counter()
    clean = clean_months(ROWS)
    outcomes = [outcome(fault, clean, TIMES, seed) for seed, fault in enumerate(FAULTS)]
    print_kinds(outcomes)
    alarms = clean.false_alarms()
    print_rules(outcomes, alarms)
    put_in, found = (sum(getattr(one, name) for one in outcomes) for name in ("put_in", "found"))
    beside = sum(one.beside.height for one in outcomes)
    print(f"\n{len(FAULTS)} kinds of faults, {found} of {put_in} found, {beside} findings beside them")
    print(f"{clean.rows():,} clean rows in {len(clean.runs)} runs: {alarms.height} false alarms")
    print("\nFaults that no rule is made for; not counted above:")
    print_kinds(outcome(fault, clean, TIMES, seed) for seed, fault in enumerate(UNSEEN))
    print(f"{time.perf_counter() - began:.0f} s")
    return int(found < put_in or (alarms.height + beside) / clean.rows() >= ALLOWED)


def print_kinds(outcomes: Iterable[Outcome]) -> None:
    """A line for each kind of fault."""
    print(f"{'fault':<52}{'put in':>7}{'found':>7}{'beside':>8}  called")
    for one in outcomes:
        called = " and ".join(one.fault.expects)
        missed = "" if one.found == one.put_in else "  MISSED"
        print(f"{one.fault.name:<52}{one.put_in:>7}{one.found:>7}{one.beside.height:>8}  {called}{missed}")


def print_rules(outcomes: Sequence[Outcome], alarms: pl.DataFrame) -> None:
    """A line for each rule: its faults, those found, its false alarms in clean months and beside faults."""
    print(f"\n{'rule':<26}{'put in':>7}{'found':>7}{'false alarms':>14}{'beside':>8}")
    beside = pl.concat(one.beside for one in outcomes)["category"].to_list()
    false = alarms["category"].to_list()
    expected = {rule for one in outcomes for rule in one.fault.expects}
    for rule in sorted(expected | set(beside) | set(false)):
        mine = [one for one in outcomes if rule in one.fault.expects]
        put_in, found = sum(one.put_in for one in mine), sum(one.found for one in mine)
        print(f"{rule:<26}{put_in:>7}{found:>7}{false.count(rule):>14}{beside.count(rule):>8}")


def _pool(fault: Fault) -> pl.Expr:
    """The rows that the fault can be in."""
    week, done, rated = pl.col("week"), pl.col("completed") == "true", pl.col("rate").is_not_null()
    closed = week < LAST_CLOSED
    pools = {
        "closed": closed & done & rated,
        "just closed": (week == LAST_CLOSED) & done & rated & (pl.col("modified_at") <= FRIDAY),
        "open": (week == OPEN_WEEK) & done & rated,
        "undone": closed & ~done,
        "unrated": (week == OPEN_WEEK) & done & ~rated,
    }
    return pools[fault.pool] & pl.col("point").is_not_null()


def _changed(said: pl.DataFrame, fault: Fault, chosen: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the fault in those chosen; and sheet_id, row_id, instance of all that have to do with it."""
    marked = said.join(chosen, on=KEY, how="left", maintain_order="left")
    if fault.sheet:
        mine = pl.col("sheet_id") == chosen["sheet_id"][0]
        return said.filter(~mine | (pl.col("row_number") % 16 < 8)), chosen
    texts = {"quantity": fault.values[-1]} if fault.values else fault.texts
    told = {name: value.cast(pl.String) for name, value in texts.items()}
    at = pl.col("modified_at") if fault.at is None else pl.lit(fault.at)
    rest = marked.filter(pl.col("instance").is_null())
    stated = marked.filter(pl.col("instance").is_not_null()).with_columns(**told, modified_at=at)
    parts = {"edit": [rest, stated], "remove": [rest], "copy": [marked, stated], "replace": [rest, stated]}
    touched = pl.concat([chosen, stated.select(chosen.columns)]).unique()
    return pl.concat(parts[fault.how]).drop("instance"), touched


def _story(rows: pl.DataFrame, fault: Fault) -> pl.DataFrame:
    """REVISIONS of the rows as they were, and of what was made of their units after that, an hour each."""
    told = [rows.select(*KEY, column=pl.lit(name), at="modified_at", value=name) for name in ("price", "quantity")]
    for hour, value in enumerate(fault.values, start=1):
        at = pl.lit(TUESDAY) - pl.duration(hours=len(fault.values) - hour)
        told.append(rows.select(*KEY, column=pl.lit("quantity"), at=at, value=value.cast(pl.String)))
    every = pl.concat(frame.cast({"at": UTC_TIME}) for frame in told)
    return conform(every.with_columns(by=pl.lit("someone@example.com")), REVISIONS)


def _read(said: pl.DataFrame, fault: Fault, chosen: pl.DataFrame, memory: Memory, at: datetime) -> Read:
    """What a run reads when the fault is in the rows, in a sheet of theirs, or in the history of their cells."""
    now, sheets = typed(said), sheets_of(said)
    mine = pl.col("sheet_id").is_in(chosen["sheet_id"].implode())
    broken = [pl.when(mine).then(value).otherwise(name).alias(name) for name, value in fault.sheet.items()]
    read = Read(sheets.with_columns(broken), now)
    if not (fault.values or fault.history_fails):
        return read
    wanted = to_examine(now.rows, sheets, memory, _THRESHOLDS, at, ZONE, _MANY)
    state = pl.lit(FAILED if fault.history_fails else READ)
    return replace(read, examined=wanted.with_columns(state=state), revisions=_story(chosen, fault))


def _detected(read: Read, memory: Memory, at: datetime) -> Detected:
    return detect(read, memory, contract_rates(), _THRESHOLDS, at, ZONE)


def _run(said: pl.DataFrame, memory: Memory, at: datetime) -> tuple[Detected, Memory]:
    """A run over clean rows, and what the next one remembers."""
    read = Read(sheets_of(said), typed(said))
    detected = _detected(read, memory, at)
    return detected, _remembered(memory, read, detected, at)


def _remembered(memory: Memory, read: Read, detected: Detected, at: datetime) -> Memory:
    rows, seen = kept(read, memory, at)
    return Memory(
        rows=rows,
        seen=seen,
        baseline=pl.concat([memory.baseline, detected.baseline_updates]).unique(KEY, keep="last"),
        events=pl.concat([memory.events, detected.events]).unique("event_key", keep="last"),
        watermarks=pl.concat([memory.watermarks, detected.watermarks]).unique(CELL, keep="last"),
    )


def _alarms(detected: Detected) -> pl.DataFrame:
    """Findings that are not only information."""
    found = detected.found.filter(pl.col("severity") != INFO)
    return found.select("finding_key", "category", "column", "why", *KEY)


if __name__ == "__main__":
    sys.exit(main())
