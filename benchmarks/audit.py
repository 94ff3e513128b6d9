"""The billing audit: 1,000,000 rows of which one per cent changed since the last run, compared, judged and reported.

`python -m benchmarks.audit`; the ledger is generated, the same every time. Begins with typed snapshots and ends with
the report's document, without its workbook. Prints seconds, by phase, and the peak memory; median of three.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks.audit_ledger import WEDNESDAY, ZONE, as_of, contract_rates, ledger, sheets_of, typed
from benchmarks.measure import measured, told
from billing_pipeline.engine.audit.audit import Detected, detect, status
from billing_pipeline.engine.audit.changes import changes
from billing_pipeline.engine.audit.inputs import Memory, Read, kept
from billing_pipeline.engine.audit.insights import insights
from billing_pipeline.engine.audit.risk import RiskLimits, risk_level, risk_rule
from billing_pipeline.engine.audit.snapshot import Snapshot
from billing_pipeline.engine.audit.tables import CELL_PROBLEMS, TRANSIENT_EDIT
from billing_pipeline.engine.audit.tables import ROWS as TABLE
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.audit.trends import trends
from billing_pipeline.engine.audit.views import FINDINGS, RUNS, comparable_key, run_counts
from billing_pipeline.engine.findings import KNOWN, next_state
from billing_pipeline.engine.tables import conform
from billing_pipeline.reports.audit import AuditReport, audit_document, thresholds

ROWS = 1_000_000
_IN_LEDGER = 1_073_000  # some are not there yet, some were deleted
_AT, _RUN = WEDNESDAY + timedelta(hours=2), "run-2"
_TERMS = Thresholds()


def main() -> None:
    """Generate once, judge three times, each in a process of its own."""
    with TemporaryDirectory() as folder:
        measured("audit", "make", folder)
        rounds = [(measured("audit", "judge", folder), _phases(Path(folder))) for _ in range(3)]
    best, phases = sorted(rounds, key=lambda one: one[0].seconds)[1]
    print(f"{phases.pop('rows'):,} rows, {phases.pop('changed'):,} changed, {phases.pop('found'):,} findings")
    print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in phases.items()))
    print(f"together {best.seconds:.2f} s, peak {best.peak >> 20:,} MiB")


def make(folder: Path) -> None:
    """Write the snapshots of two runs and what the first one left."""
    with told():
        said = as_of(ledger(_IN_LEDGER), WEDNESDAY).head(ROWS)
        before = pl.concat(typed(part).rows for part in said.partition_by("sheet_id", maintain_order=True))
        first = detect(Read(sheets_of(said), _snapshot(before)), Memory(), contract_rates(), _TERMS, WEDNESDAY, ZONE)
        before.write_parquet(folder / "before.parquet")
        first.baseline_updates.write_parquet(folder / "baseline.parquet")
        _changed(before).write_parquet(folder / "now.parquet")


def judge(folder: Path) -> None:
    """Everything a run does between its sources and its workbook."""
    before, now, baseline = (pl.read_parquet(folder / f"{name}.parquet") for name in ("before", "now", "baseline"))
    changed = (now["modified_at"] == _AT).sum() + before.height - now.height
    read = Read(sheets_of(now), _snapshot(now))
    rows, seen = kept(Read(sheets_of(before), _snapshot(before)), Memory(), WEDNESDAY)
    memory = Memory(rows, seen, baseline)
    rates, clock = contract_rates(), [time.perf_counter()]
    with told():
        differing = changes(memory.rows, now)
        clock.append(time.perf_counter())
        detected = detect(read, memory, rates, _TERMS, _AT, ZONE)
        clock.append(time.perf_counter())
        shown = _shown(detected)
        clock.append(time.perf_counter())
        report = _report(detected, shown, now, differing)
        clock.append(time.perf_counter())
        json.dumps(audit_document(report))
        clock.append(time.perf_counter())
    names = ("comparison", "detection", "state", "trends and insights", "document")
    phases = {name: end - begin for name, begin, end in zip(names, clock, clock[1:], strict=False)}
    counts = {"rows": now.height, "changed": changed, "found": detected.found.height}
    (folder / "phases.json").write_text(json.dumps({**counts, **phases}))


def _phases(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "phases.json").read_text())
    return found


def _snapshot(rows: pl.DataFrame) -> Snapshot:
    return Snapshot(rows, pl.DataFrame(schema=CELL_PROBLEMS))


def _changed(rows: pl.DataFrame) -> pl.DataFrame:
    """Every hundredth row edited, of ten of those one removed, one moved, one taken back and one without a price."""
    number = pl.int_range(pl.len())
    mine, how = number % 100 == 0, number // 100 % 10
    edits = {
        "week_ending": (how == 1, pl.col("week_ending") + pl.duration(days=7)),
        "completed": (how == 2, pl.lit(value=False)),
        "price": (how == 3, pl.lit(None, TABLE["price"])),
        "quantity": (how > 3, (pl.col("quantity") + 1).cast(TABLE["quantity"])),
    }
    cells = [pl.when(mine & which).then(value).otherwise(name).alias(name) for name, (which, value) in edits.items()]
    modified = pl.when(mine).then(pl.lit(_AT)).otherwise("modified_at").alias("modified_at")
    changed = rows.with_columns(*cells, modified).filter(~(mine & (how == 0)))
    return conform(changed, TABLE)


def _shown(detected: Detected) -> pl.DataFrame:
    found = detected.found.with_columns(
        born_resolved=pl.col("category") == TRANSIENT_EDIT, last_event_at=pl.col("at")
    )  # fmt: skip
    nothing = pl.Series([], dtype=pl.String)
    state = next_state(pl.DataFrame(schema=KNOWN), found, nothing, _RUN, _AT)
    return conform(state.join(detected.found, on="finding_key"), FINDINGS)


def _report(detected: Detected, shown: pl.DataFrame, rows: pl.DataFrame, differing: pl.DataFrame) -> AuditReport:
    coverage, said = detected.coverage, status(detected.found, detected.coverage)
    key = comparable_key(coverage)
    runs = pl.DataFrame([("run-1", WEDNESDAY, said, key), (_RUN, _AT, said, key)], schema=RUNS, orient="row")
    counts = run_counts(shown, _RUN)
    return AuditReport(
        run_id=_RUN,
        at=_AT,
        zone=ZONE,
        status=said,  # type: ignore[arg-type]
        risk=risk_level(shown, RiskLimits()),
        risk_rule=risk_rule(RiskLimits()),
        findings=shown,
        coverage=coverage,
        changes=differing,
        trends=trends(runs, counts, shown, detected.events, _AT),
        insights=insights(shown, detected.events, rows, runs, counts, coverage, _AT, ZONE),
        rules=thresholds("all rules", _TERMS),
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        {"make": make, "judge": judge}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
