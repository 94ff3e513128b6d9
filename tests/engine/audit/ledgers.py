"""Ledgers written as literals, and an audit that remembers from run to run what a real one keeps in its database."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.audit import Detected, detect
from billing_pipeline.engine.audit.examining import to_examine
from billing_pipeline.engine.audit.inputs import Memory, Read, kept
from billing_pipeline.engine.audit.snapshot import CELL, KEY, Snapshot, snapshot
from billing_pipeline.engine.audit.tables import (
    COLUMNS,
    RATES,
    READ,
    REVISIONS,
    SHEETS,
    SOURCE_ROWS,
    TEXTS,
    WANTED,
)
from billing_pipeline.engine.audit.thresholds import Thresholds

ZONE = "America/Chicago"
Line = dict[str, Any]
Revision = tuple[str, str | None]  # when, value
Histories = Mapping[tuple[str, str], list[Revision]]  # (row id, column): its revisions


def moment(text: str) -> datetime:
    """`01-09T10:00` of 2026, or a whole date-time; UTC."""
    return datetime.fromisoformat(text if len(text) > 11 else f"2026-{text}").replace(tzinfo=UTC)


def line(row_id: str = "1", modified: str | None = "01-03T12:00", **texts: str | None) -> Line:
    """A finished unit of work of the week that ends on Sunday 2026-01-04: two for $100, unless it says otherwise."""
    return {
        "sheet_id": "S1",
        "row_id": row_id,
        "modified_at": modified and moment(modified),
        "modified_by": "ann@example.com",
        "work_request": "10000001",
        "week_ending": "2026-01-04",
        "work_date": "2026-01-02",
        "completed": "true",
        "price": "100",
        "quantity": "2",
        "unit_code": "POLE-40",
        "work_type": "Install",
        "point": f"P{row_id}",
    } | texts


def taken(*lines: Line) -> Snapshot:
    """The snapshot of the lines."""
    rows = [
        {"row_number": number, "permalink": f"https://sheets.test/{one['row_id']}"}
        | {name: one.get(name) for name in SOURCE_ROWS if name in one}
        for number, one in enumerate(lines, start=1)
    ]
    cells = [(one["sheet_id"], one["row_id"], column, one.get(column)) for one in lines for column in COLUMNS]
    return snapshot(pl.DataFrame(cells, schema=TEXTS, orient="row"), pl.DataFrame(rows, schema=SOURCE_ROWS))


def sheets(*lines: Line, **errors: str) -> pl.DataFrame:
    """The sheets of the lines, wholly read, and those that could not be read, with why."""
    names = {"S1": 0} | Counter(one["sheet_id"] for one in lines)
    rows = [(name, f"Ledger {name}", 1, None, count, "", errors.get(name, "")) for name, count in names.items()]
    rows += [(name, f"Ledger {name}", 1, None, 0, "", why) for name, why in errors.items() if name not in names]
    return pl.DataFrame(rows, schema=SHEETS, orient="row")


def rates(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Contract rates: unit code, work type, rate."""
    texts = pl.DataFrame(rows, schema=dict.fromkeys(RATES, pl.String), orient="row")
    return texts.cast(RATES)  # type: ignore[arg-type]


@dataclass
class Audit:
    """Runs that follow each other, each remembering what the ones before left."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    zone: str = ZONE
    budget: int = 100
    memory: Memory = field(default_factory=Memory)

    def run(
        self,
        at: str,
        *lines: Line,
        histories: Histories | None = None,
        state: str = READ,
        errors: Mapping[str, str] | None = None,
        rated: Iterable[tuple[str, str, str]] = (),
    ) -> Detected:
        """A run. histories: of cells; None: the source has no history. state: what came of asking for it."""
        now, found = taken(*lines), sheets(*lines, **(errors or {}))
        read = Read(found, now)
        if histories is not None:
            asked = to_examine(now.rows, found, self.memory, self.thresholds, moment(at), self.zone, self.budget)
            answered = asked.with_columns(pl.col("state").replace(WANTED, state))
            read = Read(found, now, answered, revisions(histories).join(answered, on=CELL, how="semi"))
        detected = detect(read, self.memory, rates(*rated), self.thresholds, moment(at), self.zone)
        rows, seen = kept(read, self.memory, moment(at))
        self.memory = Memory(
            rows=rows,
            seen=seen,
            baseline=pl.concat([self.memory.baseline, detected.baseline_updates]).unique(KEY, keep="last"),
            events=pl.concat([self.memory.events, detected.events]).unique("event_key", keep="last"),
            watermarks=pl.concat([self.memory.watermarks, detected.watermarks]).unique(CELL, keep="last"),
        )
        return detected


def revisions(histories: Histories) -> pl.DataFrame:
    """REVISIONS of cells of sheet S1, all by Bob."""
    rows = [
        ("S1", row_id, column, moment(at), value, "bob@example.com")
        for (row_id, column), values in histories.items()
        for at, value in values
    ]
    return pl.DataFrame(rows, schema=REVISIONS, orient="row")


def told(detected: Detected, *columns: str) -> list[Any]:
    """These columns of what was found, information left out; of one column its values."""
    found = detected.found.filter(pl.col("severity") != "INFO").select(columns)
    return found.to_series().to_list() if len(columns) == 1 else found.rows()
