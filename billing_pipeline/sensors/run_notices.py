"""The sensor `run_notices`: a run that failed becomes a notice, once for each usage content, with a readable cause.

What belongs here: which failures are told, and what of Dagster's error is the cause. What does not: wording
(`reports.notices`), and refusals, which the run itself told before it failed. This is not one of Dagster's own run
failure sensors: those go on to the next run when a failure could not be stored, and it would stay untold.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from billing_pipeline.engine.close.attempts import is_told
from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import (
    CHECK_FAILED,
    accrue_month,
    audit,
    bill_clients,
    close_month,
    explain_variance,
    pull_inventory,
    pull_tickets,
    scan_month,
    unbilled,
)
from billing_pipeline.reports.notices import FailureFacts, failed, run_page
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outbox import Notice, post
from billing_pipeline.resources.redaction import redacted
from billing_pipeline.run_tags import ATTEMPT, BILL_RUN, CONTENT, FILE, PARTITION, RULES_SHA256, SHA256
from billing_pipeline.sensors.runs import EVERY_LOOP
from billing_pipeline.settings import Settings

_OVERLAP = timedelta(minutes=1)  # looked at again: clocks differ, and a notice is stored once anyway
_BILLING = (close_month.name, scan_month.name)
_AUDITED, _SEARCHED = "audited", "looked through for unbilled hours"
_NO_MONTH = (_AUDITED, _SEARCHED)  # of their own: the current one is named
_TASKS = {  # of the other jobs
    accrue_month.name: "accrued",
    explain_variance.name: "compared with its accrual",
    bill_clients.name: "billed to its clients",
    pull_inventory.name: "brought up to date with its clients and their devices",
    pull_tickets.name: "brought up to date with its time entries",
    audit.name: _AUDITED,
    unbilled.name: _SEARCHED,
}
_JOBS = (*_BILLING, *_TASKS)
_ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
_DISK_FULL = re.compile("No space left on device|Disk quota exceeded|is the disk full", re.IGNORECASE)


def run_notices_sensor(settings: Settings) -> dg.SensorDefinition:
    """Posts a `failed` notice for failed runs of the billing jobs, unless `BILLING_OFF` names it."""

    @dg.sensor(
        name="run_notices",
        minimum_interval_seconds=EVERY_LOOP,
        default_status=dg.DefaultSensorStatus(settings.status_of("run_notices")),
        description="Tells people about failed runs: at once when an input is at fault, else from the second attempt.",
    )
    def run_notices(context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]) -> dg.SkipReason:
        if not context.cursor:
            context.update_cursor(datetime.now(UTC).isoformat())
            return dg.SkipReason("Failed runs are told from now on.")
        told = 0
        for record in _failed_runs(context.instance, datetime.fromisoformat(context.cursor) - _OVERLAP):
            run = record.dagster_run
            errors = _errors(context.instance, run.run_id)
            task = _TASKS.get(run.job_name, "billed")
            notice = failure_notice(run.run_id, run.tags, errors, settings, task)
            try:
                told += bool(notice and database.run(partial(post, notice=notice, now=datetime.now(UTC))))
            except SQLAlchemyError as error:
                return dg.SkipReason(
                    f"The database cannot be used just now ({type(error).__name__}); it is tried again."
                )
            context.update_cursor(record.update_timestamp.isoformat())
        return dg.SkipReason(f"{told} failed runs told.")

    return run_notices


def failure_notice(
    run_id: str, tags: Mapping[str, str], errors: Iterable[tuple[str, str]], settings: Settings, task: str = "billed"
) -> Notice | None:
    """The notice of a failed run; None when it is not told: not yet, or its refusal was told by the run itself.

    `task`: what could not be done with the month. `errors`: class and text of each error of the run, causes after what
    they caused.
    """
    found = [*errors]
    if (PARTITION not in tags and task not in _NO_MONTH) or (task == "billed" and CHECK_FAILED in dict(found)):
        return None
    ours = [(name, text) for name, text in found if name in _names(BillingError)]
    input_at_fault = bool(ours) and ours[0][0] in _names(InputError)
    attempt = int(tags[ATTEMPT]) if tags.get(ATTEMPT, "").isdecimal() else 0
    if attempt and not is_told(attempt, input_error=input_at_fault, limit=settings.attempts):
        return None
    period = Period.parse(tags[PARTITION]) if PARTITION in tags else Period.of(datetime.now(UTC).date())
    facts = FailureFacts(
        period=period,
        cause=redacted(_all_of(ours) if ours else _unforeseen(found), _secrets(settings)).splitlines(),
        input_at_fault=input_at_fault,
        disk_full=not ours and any(_DISK_FULL.search(text) for _, text in found),
        attempt=attempt,
        attempts=settings.attempts,
        task=task,
        usage_name=tags.get(FILE, "").rpartition("/")[2],
        page=run_page(settings.ui_url, run_id),
    )
    last = "last" if attempt >= settings.attempts else ""  # that nothing more is tried is a fact of its own
    what = (
        tags.get(SHA256, "")
        if task == "billed"
        else f"{task}:{tags.get(BILL_RUN) or tags.get(CONTENT, '')}" * bool(attempt)
    )
    about = [what or run_id, tags.get(RULES_SHA256, "")[:16], last]
    return Notice(":".join(["failed", period.key, *filter(None, about)]), "failed", failed(facts))


def _all_of(errors: Iterable[tuple[str, str]]) -> str:
    """Every text once: usage file and rules workbook may both be wrong, and are read side by side."""
    return "\n".join(dict.fromkeys(text for _, text in errors))


def _unforeseen(errors: Iterable[tuple[str, str]]) -> str:
    """What is said of errors that are not ours: the first that is not Dagster's about a step, with its class."""
    name, text = next((error for error in errors if not error[0].startswith("Dagster")), ("", "no cause is known"))
    return f"{name}: {text}" if name else text


def _failed_runs(instance: dg.DagsterInstance, since: datetime) -> list[dg.RunRecord]:
    """Runs of the billing jobs that failed after `since`, in the order they did."""
    ended = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    records = instance.get_run_records(ended, order_by="update_timestamp", ascending=True)
    return [record for record in records if record.dagster_run.job_name in _JOBS]


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[str, str]]:
    """Class and text of every error of the run, each followed by its causes; without any, what Dagster said of it."""
    said = ""
    found = 0
    for record in instance.get_records_for_run(run_id, of_type=_ENDS).records:
        event = record.event_log_entry.dagster_event
        said = (event.message if event else None) or said
        error: Any = getattr(event.event_specific_data, "error", None) if event else None
        while error is not None:
            found += 1
            name = error.cls_name or ""
            yield name, error.message.strip().removeprefix(f"{_module(error.message, name)}{name}: ")
            error = error.cause
    if not found:
        yield "", said


def _module(message: str, name: str) -> str:
    """What stands before the class in an error's text, as Python prints it."""
    before, found, _ = message.partition(f"{name}: ")
    return before if found and " " not in before else ""


def _names(of: type[BillingError]) -> set[str]:
    """The class and all that are kinds of it; Dagster hands on names only."""
    return {of.__name__}.union(*map(_names, of.__subclasses__()))


def _secrets(settings: Settings) -> list[str]:
    """The secrets of the settings, and the passwords inside their addresses."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    return [*secrets, *(password for secret in secrets if (password := urlsplit(secret).password))]
