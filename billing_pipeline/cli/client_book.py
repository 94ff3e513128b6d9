"""What `clients export-book` and `import-book` do. Prints nothing."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services.sheets import SHEETS
from billing_pipeline.instance import database_url
from billing_pipeline.reports.client_workbook import read_client_book, write_client_book
from billing_pipeline.resources.client_book import Change, differences, replace_rows, rows_of
from billing_pipeline.resources.database import open_database
from billing_pipeline.resources.files import read_whole
from billing_pipeline.settings import load_settings


def exported(out: Path) -> dict[str, Any]:
    """Write the book of the installation; how many rows each sheet has."""
    if out.is_dir() or out.suffix.lower() != ".xlsx":
        raise InputError(f"{out}: give the name of the workbook to write, ending in .xlsx")

    def read(connection: sa.Connection) -> dict[str, list[dict[str, str | None]]]:
        return {sheet.name: rows_of(connection, sheet) for sheet in SHEETS}

    rows = open_database(database_url(load_settings())).run(read)
    write_client_book(out, rows)
    return {"file": str(out), "rows": {name: len(found) for name, found in rows.items()}}


def imported(file: Path, by: str, reason: str, *, dry_run: bool) -> dict[str, Any]:
    """Take the workbook over in one transaction; what changed. InputError lists everything that cannot be taken."""
    if not file.is_file():
        raise InputError(Problem("no such workbook", file=str(file)))
    rows = read_client_book(read_whole(file), file.name)
    now = datetime.now(UTC)

    def work(connection: sa.Connection) -> list[Change]:
        changes: list[Change] = []
        for sheet in (sheet for sheet in SHEETS if sheet.name in rows):
            if dry_run:
                changes += differences(connection, sheet, rows[sheet.name])
            else:
                changes += replace_rows(connection, sheet, rows[sheet.name], by, reason, now)
        return changes

    names = ("sheet", "key", "column", "old", "new")
    found = open_database(database_url(load_settings())).run(work)
    changed = [{name: asdict(change)[name] for name in names} for change in found]
    return {"file": str(file), "dry_run": dry_run, "changes": changed}
