"""Writes the sample book into a folder that can be used as inputs folder as it stands.

What belongs here: which files there are. What does not: what stands in them (`companies`, `incidents`, `workbook`,
`clients`, `audit`, `unbilled`), bytes on disk (`files`).
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from billing_pipeline.engine.period import Period
from billing_pipeline.sample.audit import audit_files
from billing_pipeline.sample.clients import client_files
from billing_pipeline.sample.companies import COLUMNS, monthly_rows
from billing_pipeline.sample.files import Progress, csv_bytes, write_files
from billing_pipeline.sample.incidents import with_incidents
from billing_pipeline.sample.unbilled import unbilled_files
from billing_pipeline.sample.workbook import rules_workbook

MONTHS = tuple(Period(2026, month) for month in range(1, 7))
RULES_FILE = "gep_billing_rules.xlsx"
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class SampleBook:
    """Where the sample book lies and what is in it; partners and companies are those of the last month."""

    inputs_dir: Path
    rules_file: Path
    usage_files: tuple[Path, ...]
    clients_dir: Path
    audit_dir: Path
    unbilled_dir: Path
    months: tuple[Period, ...]
    partners: int
    companies: int


def write_sample(
    directory: Path,
    progress: Progress | None = None,
    *,
    clients: Path | None = None,
    audit: Path | None = None,
    unbilled: Path | None = None,
) -> SampleBook:
    """Write six usage files and the rules workbook into `directory`, which is made when it does not exist.

    The managed-services clients of the same months go into the folder `clients`, the audited sheets into `audit`, time
    logs and contracts into `unbilled`, by default those of that name in `directory`. The same bytes every time; a file
    that is there already with these bytes stays as it is. `progress` is called with file name, number of the file and
    number of files. InputError: `directory` or a part of its path is a file, cannot be written, or holds a file of the
    same name with other contents, which is never overwritten.
    """
    random = Random(_SEED)  # noqa: S311
    exports = {month: with_incidents(rows, month, random) for month, rows in monthly_rows(MONTHS, random)}
    usage = {
        directory / f"{month.dotted}_usage_export.csv": csv_bytes(COLUMNS, rows) for month, rows in exports.items()
    }
    rules_file, clients_dir = directory / RULES_FILE, clients or directory / "clients"
    audit_dir = audit or directory / "audit"
    unbilled_dir = unbilled or directory / "unbilled"
    files = {**usage, rules_file: rules_workbook(), **client_files(clients_dir, MONTHS), **audit_files(audit_dir)}
    files |= unbilled_files(unbilled_dir)
    write_files(directory, files, progress)
    last = exports[MONTHS[-1]]
    return SampleBook(
        inputs_dir=directory,
        rules_file=rules_file,
        usage_files=tuple(usage),
        clients_dir=clients_dir,
        audit_dir=audit_dir,
        unbilled_dir=unbilled_dir,
        months=MONTHS,
        partners=len({row["PARTNER_ID"] for row in last}),
        companies=len({row["ER_ID"] for row in last}),
    )
