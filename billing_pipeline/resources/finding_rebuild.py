"""Findings that were lost, read back from the log sheet, so that the next run tells no old ones as new.

What belongs here: what the cells of the log sheet mean. What does not: reading the sheet. Source: spec 9.2; Q5.
"""

from datetime import UTC, datetime

import polars as pl
import sqlalchemy as sa

from billing_pipeline.engine.findings import NEW, ONGOING, REOPENED, RESOLVED, UTC_TIME
from billing_pipeline.resources.bulk import alone
from billing_pipeline.resources.finding_rows import known_findings, put, stored_rows

_TITLES = ("Finding Key", "Status", "First Seen", "Last Seen", "Disposition")  # of the log sheet
_REBUILT = "(rebuilt)"  # the run of what was read back


def rebuild(connection: sa.Connection, capability: str, rows: pl.DataFrame, at: datetime) -> int:
    """Take over findings from rows of the log sheet; what is known already stays. Answers how many were taken over.

    `rows` are texts: `Finding Key`, `Status`, `First Seen`, `Last Seen`, `Disposition`, log_row_id, facts under their
    own names, and last_event_at if known. A status that cannot be read is open, a time is `at`. A disposition of a
    finding that is open there does not close it: the finding may have reopened after it. Of a key twice, the first
    counts. Source: spec 9.2; Q5.
    """
    alone(connection)
    lost = _read_back(rows, at).join(known_findings(connection, capability), on="finding_key", how="anti")
    log_row_ids = lost["log_row_id"].to_list()
    stored = stored_rows(lost.drop("log_row_id"))
    both = zip(stored, log_row_ids, strict=True)
    put(connection, capability, [{**row, "log_row_id": log_row_id} for row, log_row_id in both], ())
    return lost.height


def _read_back(rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """KNOWN, log_row_id and facts."""
    event_at = _time("last_event_at") if "last_event_at" in rows.columns else pl.lit(None, UTC_TIME)
    text = pl.col("Status").str.strip_chars().str.to_uppercase()
    status = pl.when(text.is_in([NEW, ONGOING, RESOLVED, REOPENED])).then(text).otherwise(pl.lit(ONGOING))
    said = pl.col("Disposition").str.strip_chars()
    now = pl.lit(at.astimezone(UTC)).cast(UTC_TIME)
    seen_at = pl.min_horizontal(_time("Last Seen"), now)
    return (
        rows.with_columns(
            pl.col("Finding Key").str.strip_chars().alias("finding_key"),
            status.alias("status"),
            pl.lit(_REBUILT).alias("first_seen_run"),
            pl.coalesce(_time("First Seen"), now).alias("first_seen_at"),
            pl.lit(_REBUILT).alias("last_seen_run"),
            seen_at.alias("last_seen_at"),
            pl.when(status == RESOLVED).then(seen_at).alias("resolved_at"),
            (status == REOPENED).cast(pl.Int64).alias("reopen_count"),
            event_at.alias("last_event_at"),
            pl.when(said != "").then(said).alias("disposition"),
            pl.when(said != "").then(now).alias("disposed_at"),
        )
        .filter(pl.col("finding_key") != "")
        .unique("finding_key", keep="first", maintain_order=True)
        .drop(_TITLES)
    )


def _time(column: str) -> pl.Expr:
    """A time, or the start of a day, in UTC."""
    text = pl.col(column).str.strip_chars()
    day = text.str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC", strict=False)
    return pl.coalesce(text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False), day)
