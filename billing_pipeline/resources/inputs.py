"""Where a month's inputs are: its usage file, the rules workbook, the decisions. Local files, read only."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.engine.cells import parse_months
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage import check_structure, source_rows
from billing_pipeline.resources.files import blocks_of

_USAGE_NAME = re.compile(r"(\d{4})\.(\d{1,2})_.*\.csv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputFiles:
    """The plain object behind the resource. `usage_file` set: that file whatever its name; else one of `usage_dir`."""

    usage_dir: Path
    rules_path: Path
    usage_file: Path | None
    overrides_file: Path | None
    default_overrides: Path

    def usage_path(self, period: Period) -> Path:
        """The one usage file of the period; InputError when there is none or more than one."""
        if self.usage_file is not None:
            if not self.usage_file.is_file():
                raise InputError(Problem("no such usage file", file=str(self.usage_file)))
            return self.usage_file
        found = usage_files(self.usage_dir).get(period, [])
        if not found:
            raise InputError(Problem(f"no usage file {period.dotted}_*.csv for {period}", file=str(self.usage_dir)))
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise InputError(Problem(f"more than one usage file for {period}: {names}", file=str(self.usage_dir)))
        return found[0]

    def overrides_path(self) -> Path | None:
        """The decision file to read: the one asked for (it must exist), else the published one if there is one."""
        if self.overrides_file is not None:
            if not self.overrides_file.is_file():
                raise InputError(Problem("no such decision file", file=str(self.overrides_file)))
            return self.overrides_file
        return self.default_overrides if self.default_overrides.is_file() else None


class Inputs(dg.ConfigurableResource[InputFiles]):
    """Folder and files a month is billed from. Faults: a missing or unreadable file is an InputError, never retried."""

    usage_dir: str
    rules_file: str
    default_overrides: str
    usage_file: str = ""
    overrides_file: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> InputFiles:  # noqa: ARG002
        return InputFiles(
            Path(self.usage_dir),
            Path(self.rules_file),
            Path(self.usage_file) if self.usage_file else None,
            Path(self.overrides_file) if self.overrides_file else None,
            Path(self.default_overrides),
        )


def usage_files(folder: Path) -> dict[Period, list[Path]]:
    """The usage files directly in a folder by the month in their name, months and names in order."""
    if not folder.is_dir():
        raise InputError(Problem("Inputs folder not found", file=str(folder)))
    found: dict[Period, list[Path]] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        period = period_of_name(entry.name)
        if period and entry.is_file():
            found.setdefault(period, []).append(Path(entry.path))
    return dict(sorted(found.items()))


def single_month_of(path: Path) -> Period:
    """The month that every readable row of a usage file names; InputError when there is none or more than one."""
    structure = check_structure(blocks_of(path), path.name)
    rows = source_rows(pl.scan_csv(path, infer_schema=False), structure)
    months = (
        parse_months(rows.select("FOR_MONTH").unique().collect()["FOR_MONTH"])["value"].drop_nulls().unique().sort()
    )
    if len(months) != 1:
        found = ", ".join(Period.of(month).key for month in months) or "none that can be read"
        raise InputError(
            Problem(f"months in the file: {found}; choose one with --month", file=path.name, cell="FOR_MONTH")
        )
    return Period.of(months[0])


def period_of_name(name: str) -> Period | None:
    """The month a usage file's name claims (`YYYY.MM_*.csv`), if any."""
    match = _USAGE_NAME.fullmatch(name)
    if not match or not 1 <= int(match[2]) <= 12 or not 1900 <= int(match[1]) <= 2199:
        return None
    return Period(int(match[1]), int(match[2]))
