"""Behind the log sheet: what it has still to be told, what reviewers said in it, the day's workbook.

What belongs here: the way between the database and the log. What does not: how rows are written (log_sheet), what
stands in them (log_rows). Source: spec 9.3 of the billing audit; Q10, Q11, Q19.
"""

import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.audit.rebuilding import baseline_of
from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.findings import DISPOSITIONS, RESOLVED
from billing_pipeline.resources import audit_memory, finding_rebuild, findings, log_outbox
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.log_report import Attached, attach_report
from billing_pipeline.resources.log_rows import FACTS, KEY, log_rows, report_row
from billing_pipeline.resources.log_sheet import Written, converge, entries
from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.run_tags import AUDIT

_ATTACHED = "audit_attached.json"  # in the state folder; without it the workbook is sent once more


def write_log(
    client: Smartsheet,
    log_sheet: str,
    database: Database,
    run: str,
    at: datetime,
    workbook: tuple[str, bytes] | None,
    sentence: str,
    state_dir: Path,
) -> dict[str, int]:
    """Bring the log sheet up to what is kept: rows of findings, then the day's report row with the workbook.

    Rows that a person deleted come again. Again does no harm; what failed stays in the outbox. UpstreamError,
    InputError as converge().
    """
    there = entries(client, log_sheet)[KEY]
    waiting, shown = database.run(partial(_to_write, there=there, at=at))
    known = {row.finding_key: row.row_id for row in waiting if row.row_id}
    wanted = log_rows(shown, run, at)
    report = report_row(at.date(), sentence, run, at)
    try:
        written = converge(client, log_sheet, [*wanted, *([report] if workbook else [])], known)
    except UpstreamError as error:
        keys = [row.finding_key for row in waiting]
        database.run(partial(log_outbox.failed, capability=AUDIT, keys=keys, error=str(error), at=at))
        raise
    heard = database.run(partial(_written, waiting=waiting, written=written, at=at))
    if workbook and report.key in written.row_ids:
        last = attach_report(client, log_sheet, written.row_ids[report.key], *workbook, _attached(state_dir))
        document = {"attachment_id": last.attachment_id, "sha256": last.sha256}
        write_whole(state_dir / _ATTACHED, json.dumps(document).encode())
    return {"inserted": written.inserted, "updated": written.updated, "deleted": written.deleted, "dispositions": heard}


def recover(
    client: Smartsheet,
    log_sheet: str,
    database: Database,
    rows: pl.DataFrame,
    terms: Thresholds,
    at: datetime,
    zone: str,
) -> int:
    """Read lost findings back from the log sheet, and what their rows (ROWS) were billed with; how many those were.

    Only where no run is known: a new installation over an old log tells nothing as new that people have seen. Errors as
    entries(): without the log nobody can say what is new. Source: spec 9.2 (BOOTSTRAP); Q5.
    """
    if database.run(partial(findings.runs_of, capability=AUDIT, last=1)):
        return 0
    texts = entries(client, log_sheet).rename(FACTS).with_columns(last_event_at="at")
    return database.run(partial(_recovered, texts=texts, rows=rows, at=at, grace=terms.grace, zone=zone))


def _recovered(
    connection: sa.Connection, texts: pl.DataFrame, rows: pl.DataFrame, at: datetime, grace: timedelta, zone: str
) -> int:
    count = finding_rebuild.rebuild(connection, AUDIT, texts, at)
    known = findings.findings_of(connection, AUDIT, tables.FOUND)
    still = known.filter(pl.col("status") != RESOLVED)
    audit_memory.remember_billed(connection, baseline_of(still, rows, grace, zone))
    return count


def _to_write(
    connection: sa.Connection, there: pl.Series, at: datetime
) -> tuple[list[log_outbox.LogRow], pl.DataFrame]:
    """What waits to be written, and its findings (FOUND and KNOWN)."""
    in_log = set(there)
    deleted = [row.finding_key for row in log_outbox.sent(connection, AUDIT) if row.finding_key not in in_log]
    log_outbox.again(connection, AUDIT, deleted, at)
    waiting = log_outbox.waiting(connection, AUDIT, most=100_000)
    keys = pl.Series("finding_key", [row.finding_key for row in waiting], dtype=pl.String)
    every = findings.findings_of(connection, AUDIT, tables.FOUND)
    return waiting, every.join(keys.to_frame(), on="finding_key", how="semi")


def _written(connection: sa.Connection, waiting: list[log_outbox.LogRow], written: Written, at: datetime) -> int:
    """Remember what stands in the log, and hear what reviewers say there; how many findings that changes.

    A blank cell takes back what was said in it, not what was said elsewhere.
    """
    done = [(row, written.row_ids[row.finding_key]) for row in waiting if row.finding_key in written.row_ids]
    log_outbox.confirm(connection, AUDIT, done, at)
    said = pl.DataFrame(
        [(key, text, at, "") for key, text in written.dispositions.items()],
        schema={**DISPOSITIONS, "disposed_by": pl.String},
        orient="row",
    )
    elsewhere = findings.findings_of(connection, AUDIT, {}).filter(pl.col("disposed_by") != "")
    heard = said.filter(
        (pl.col("disposition") != "") | ~pl.col("finding_key").is_in(elsewhere["finding_key"].implode())
    )
    return findings.dispose_all(connection, AUDIT, heard)


def _attached(state_dir: Path) -> Attached | None:
    """The file that was attached last; None when that is not known."""
    path = state_dir / _ATTACHED
    return Attached(**json.loads(path.read_bytes())) if path.is_file() else None
