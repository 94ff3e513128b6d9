"""What the audit reads and where its log sheet is: Smartsheet, or a folder of CSV files when no account is set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl

from billing_pipeline.engine.audit.tables import RATES
from billing_pipeline.engine.errors import InputError, Problem, UpstreamError
from billing_pipeline.resources.audit_folder import AuditFolder
from billing_pipeline.resources.audit_sheets import AuditSource, SheetRead, unread
from billing_pipeline.resources.smartsheet import DryRun, Smartsheet
from billing_pipeline.run_tags import DRY_RUN


@dataclass(frozen=True, slots=True)
class AuditPlaces:
    """The plain object behind the resource. `client`: of the log sheet; None without an account."""

    source: AuditSource
    sheets: Mapping[str, str]  # names by id
    folder: AuditFolder
    client: Smartsheet | None
    log_sheet: str  # id; "" is none
    history_calls: int  # cells at most whose history a run asks for
    reports: bool  # whether the workbook is made
    dry_run: bool  # nothing is kept, told or written
    target_sheet: str = ""  # id of the sheet that has the weekly workbooks; "" is none

    def read(self) -> list[SheetRead]:
        """Every sheet, or why it could not be read. UpstreamError when none could; InputError when there is none."""
        if not self.sheets:
            raise InputError(Problem("no sheet is named to be audited", cell="BILLING_AUDIT_SHEETS"))
        found = [self._read(sheet, name) for sheet, name in self.sheets.items()]
        errors = [one.sheet["error"][0] for one in found]
        if all(errors):
            raise UpstreamError(f"no sheet could be read: {errors[0]}", permanent=True)
        return found

    def has_history(self, sheet: str) -> bool:
        """Whether the source tells how the sheet's cells changed."""
        return self.source is not self.folder or self.folder.has_history(sheet)

    def rates(self) -> pl.DataFrame:
        """The contract's rates: `rates.csv` of the folder, also for sheets of Smartsheet."""
        found = self.folder.rates()
        return pl.DataFrame(schema=RATES) if found is None else found

    def _read(self, sheet: str, name: str) -> SheetRead:
        try:
            return self.source.sheet(sheet)
        except (InputError, UpstreamError) as error:
            return unread(sheet, name, error)


class AuditPlacesResource(dg.ConfigurableResource[AuditPlaces]):
    """`token`: of Smartsheet, as EnvVar; without it the folder. Ids are separated by commas.

    A run with the tag DRY_RUN gets a client that cannot write. Faults: UpstreamError, InputError.
    """

    folder: str
    token: str = ""
    base: str = "https://api.smartsheet.com/2.0"
    sheets: str = ""
    folders: str = ""
    log_sheet: str = ""
    history_calls: int = 40
    reports: bool = True
    target_sheet: str = ""

    def create_resource(self, context: dg.InitResourceContext) -> AuditPlaces:
        folder = AuditFolder(Path(self.folder))
        dry_run = context.run is not None and DRY_RUN in context.run.tags
        if not self.token:
            named = folder.sheets()
            return AuditPlaces(folder, named, folder, None, "", self.history_calls, self.reports, dry_run)
        client = (DryRun if dry_run else Smartsheet)(self.token, self.base)
        sheets = {sheet: sheet for sheet in _ids(self.sheets)} | client.sheets_in(_ids(self.folders))
        return AuditPlaces(
            client,
            sheets,
            folder,
            client,
            self.log_sheet,
            self.history_calls,
            self.reports,
            dry_run,
            self.target_sheet,
        )


def _ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
