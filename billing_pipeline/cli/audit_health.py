"""What `doctor` looks at of the billing audit: where the sheets are, the log sheet, the last run, the narrative.

What belongs here: looking, without changing anything and without asking Smartsheet. What does not: the columns of the
log sheet (`audit setup --check`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding, listed
from billing_pipeline.cli.state import ago, asked
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.findings import NOT_VERIFIED
from billing_pipeline.resources.audit_folder import AuditFolder
from billing_pipeline.resources.findings import Run, runs_of
from billing_pipeline.run_tags import AUDIT
from billing_pipeline.schedules.audit import NAME
from billing_pipeline.settings import Settings

_STALE = timedelta(hours=6)  # three runs of the schedule


def audit_findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Everything about the audit, in the order in which it is set up; nothing where there is nothing to audit."""
    if settings.smartsheet_api_token:
        yield from _account(settings)
    elif settings.audit_folder.is_dir():
        yield _folder(settings)
    else:
        return
    if settings.narrative_url:
        yield Finding("audit narrative", FINE, f"figures go to {settings.narrative_url} ({settings.narrative_model})")
    yield from _last_run(settings, now)


def _account(settings: Settings) -> Iterator[Finding]:
    named = [text for text in (settings.audit_sheets, settings.audit_folders) if text]
    if named:
        yield Finding("audited sheets", FINE, f"in Smartsheet: {', '.join(named)}")
    else:
        advice = "set BILLING_AUDIT_SHEETS or BILLING_AUDIT_FOLDERS"
        yield Finding("audited sheets", ATTENTION, "Smartsheet's token is set, but no sheet is named", advice)
    if settings.audit_sheet_id:
        advice = "its columns: billing-pipeline audit setup --check"
        yield Finding("audit log", FINE, f"findings go to the sheet {settings.audit_sheet_id}", advice)
    else:
        yield Finding("audit log", NOTE, "no log sheet: findings are in the workbook only", "set AUDIT_SHEET_ID")


def _folder(settings: Settings) -> Finding:
    try:
        names = list(AuditFolder(settings.audit_folder).sheets())
    except (InputError, OSError) as error:
        return Finding("audited sheets", ATTENTION, f"cannot be read: {error}")
    if not names:
        return Finding("audited sheets", ATTENTION, f"{settings.audit_folder} has no sheet", "put <sheet>.csv there")
    return Finding("audited sheets", FINE, f"in {settings.audit_folder}: {listed(names)}")


def _last_run(settings: Settings, now: datetime) -> Iterator[Finding]:
    """How long ago, and what it said; nothing when the database cannot be read, which is said of it already."""
    found = asked(settings, lambda connection: runs_of(connection, AUDIT, last=1), list[Run]())
    if found is None:
        return
    if not found:
        yield Finding("audit", NOTE, "has never run", "billing-pipeline audit run; by itself while the product is up")
        return
    (last,) = found
    told = f"{last.status.replace('_', ' ')}, {ago(last.at, now)}"
    if last.status == NOT_VERIFIED:
        yield Finding("audit", ATTENTION, told, "billing-pipeline audit run says what could not be looked at")
    elif now - last.at > _STALE and settings.status_of(NAME) == "RUNNING":
        yield Finding("audit", ATTENTION, told, f"is the product up, and the schedule `{NAME}` on?")
    else:
        yield Finding("audit", FINE, told)
