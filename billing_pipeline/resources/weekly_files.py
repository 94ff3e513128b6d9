"""What is known of weekly workbooks: the content that was written of each, and where the target sheet has which of it.

What belongs here: the table. What does not: making workbooks (`reports.weekly`) and sending them (`weekly_upload`).
Source: spec 6.6 of the billing audit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime

import sqlalchemy as sa

from billing_pipeline.resources.bulk import upsert
from billing_pipeline.resources.database.finding_tables import weekly_files

_KEY = ("work_request", "week_ending")


@dataclass(frozen=True, slots=True)
class WeeklyFile:
    """A work request's week. Hashes are of the content; `file_sha256` is of the workbook that was sent."""

    work_request: str
    week_ending: date
    written_hash: str = ""
    sent_hash: str = ""  # "": nothing was sent, or its last sending failed
    sheet_id: str = ""
    row_id: str = ""
    attachment_id: str = ""
    file_sha256: str = ""


_VALUES = [field.name for field in fields(WeeklyFile) if field.name not in _KEY]


def weekly_files_of(connection: sa.Connection) -> dict[tuple[str, date], WeeklyFile]:
    """Every workbook that is known, by work request and week."""
    columns = [weekly_files.c[field.name] for field in fields(WeeklyFile)]
    found = [WeeklyFile(**row._mapping) for row in connection.execute(sa.select(*columns))]
    return {(one.work_request, one.week_ending): one for one in found}


def remember(connection: sa.Connection, files: Iterable[WeeklyFile], at: datetime) -> None:
    """Keep what is known of these workbooks."""
    rows = [{field.name: getattr(one, field.name) for field in fields(WeeklyFile)} | {"at": at} for one in files]
    upsert(connection, weekly_files, rows, [*_VALUES, "at"])
