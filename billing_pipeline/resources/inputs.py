"""Where a month's inputs are: its usage file, the rules workbook, the decisions. Read only.

Usage folder and rules workbook are on a disk or in an object store; from there they are read by a local copy, fetched
whole, under the state folder.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.engine.cells import parse_months
from billing_pipeline.engine.errors import BillingError, InputError, Problem, printable
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage import check_structure, source_rows
from billing_pipeline.engine.usage.arrivals import is_temporary, period_of_name
from billing_pipeline.resources.files import blocks_of, read_whole
from billing_pipeline.resources.storage import Storage, Stored, is_url, open_storage, safe_name


@dataclass(frozen=True, slots=True)
class InputFiles:
    """The plain object behind the resource. `usage_file` set: that file whatever its name; else one of `usage`."""

    usage: Storage
    rules_folder: Storage
    rules_name: str
    usage_file: Path | None
    overrides_file: Path | None
    default_overrides: Path

    @property
    def rules_address(self) -> str:
        """The path or URL of the rules workbook, for people."""
        return self.rules_folder.address(self.rules_name)

    def rules_workbook(self) -> tuple[bytes, str]:
        """The bytes of the rules workbook and its name; InputError when it is missing or changes while it is read."""
        path = self.rules_folder.local_path(self.rules_name)
        if path is None:
            raise InputError(Problem("Config workbook not found", file=self.rules_address))
        return read_whole(path), self.rules_name

    def listing(self) -> list[Stored]:
        """Every file below the usage folder, by name. OSError when the folder or the object store is out of reach."""
        return self.usage.listing()

    def usage_path(self, period: Period, name: str | None = None, last: str = "") -> Path:
        """A path to read the month's usage at: the file `name` below the usage folder, else the one of the period.

        One directly in the folder comes before those in its sub-folders; of several, the one named `last` is taken.
        InputError when there is none, or more than one, or it changes while it is fetched.
        """
        if name is not None:
            return self._fetched(name)
        if self.usage_file is not None:
            if not self.usage_file.is_file():
                raise InputError(Problem("no such usage file", file=str(self.usage_file)))
            return self.usage_file
        place = self.usage.address()
        try:
            every = usage_names(file.name for file in self.listing()).get(period, [])
        except FileNotFoundError:
            raise InputError(Problem("Inputs folder not found", file=place)) from None
        found = [name for name in every if "/" not in name] or every
        if not found:
            raise InputError(Problem(f"no usage file {period.dotted}_*.csv for {period}", file=place))
        if last in every:
            return self._fetched(last)
        if len(found) > 1:
            raise InputError(Problem(f"more than one usage file for {period}: {' and '.join(found)}", file=place))
        return self._fetched(found[0])

    def _fetched(self, name: str) -> Path:
        """The file below the usage folder on this machine; InputError when it is not there, or `name` leaves it."""
        try:
            path = self.usage.local_path(str(safe_name(name)))
        except BillingError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(Problem("is no file of the usage folder", file=printable(name))) from None
        if path is None:
            raise InputError(Problem("no such usage file", file=self.usage.address(name)))
        return path

    def overrides_path(self) -> Path | None:
        """The decision file to read: the one asked for (it must exist), else the published one if there is one."""
        if self.overrides_file is not None:
            if not self.overrides_file.is_file():
                raise InputError(Problem("no such decision file", file=str(self.overrides_file)))
            return self.overrides_file
        return self.default_overrides if self.default_overrides.is_file() else None


class Inputs(dg.ConfigurableResource[InputFiles]):
    """Where a month is billed from; `usage_dir` and `rules_file` are paths or URLs of an object store.

    Faults: a missing or unreadable file is an InputError, never retried; OSError when the object store is out of reach.
    """

    usage_dir: str
    rules_file: str
    state_dir: str
    default_overrides: str
    usage_file: str = ""
    overrides_file: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> InputFiles:  # noqa: ARG002
        return input_files(
            self.usage_dir,
            self.rules_file,
            Path(self.state_dir),
            Path(self.default_overrides),
            usage_file=Path(self.usage_file) if self.usage_file else None,
            overrides_file=Path(self.overrides_file) if self.overrides_file else None,
        )


def input_files(
    usage_dir: str | Path,
    rules_file: str | Path,
    state_dir: Path,
    default_overrides: Path,
    *,
    usage_file: Path | None = None,
    overrides_file: Path | None = None,
) -> InputFiles:
    """The inputs at these paths or URLs; what is fetched from an object store stays under the state folder for a while.

    InputError: a URL that names no place, or needs a package that is not installed.
    """
    copies = state_dir / "copies"
    folder, _, name = str(rules_file).rpartition("/") if is_url(str(rules_file)) else _parted(Path(rules_file))
    usage, rules = open_storage(str(usage_dir), copies), open_storage(folder, copies)
    return InputFiles(usage, rules, name, usage_file, overrides_file, default_overrides)


def usage_files(folder: Path) -> dict[Period, list[Path]]:
    """The usage files directly in a folder by the month in their name, months and names in order."""
    if not folder.is_dir():
        raise InputError(Problem("Inputs folder not found", file=str(folder)))
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    return {period: [folder / name for name in found] for period, found in usage_names(names).items()}


def usage_names(names: Iterable[str]) -> dict[Period, list[str]]:
    """The names of usage files, temporary ones left out, by the month they claim; months in order, names as given."""
    found: dict[Period, list[str]] = {}
    for name in names:
        if (period := period_of_name(name)) and not any(map(is_temporary, name.split("/"))):
            found.setdefault(period, []).append(name)
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


def _parted(path: Path) -> tuple[str, str, str]:
    return str(path.parent), "/", path.name
