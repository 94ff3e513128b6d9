"""Running a month of the installation: anew, or the very draft that waits; and whether that can still be made.

What belongs here: which file and rules a run is told to take, and what it came to. What does not:
approving (`publishing`).
"""

from collections.abc import Mapping
from functools import partial
from hashlib import sha256

import dagster as dg
from rich.progress import Progress

from billing_pipeline.cli.closing import Month, run_month
from billing_pipeline.engine.errors import GateError, InputError
from billing_pipeline.jobs import CHECK_FAILED
from billing_pipeline.resources import months
from billing_pipeline.resources.files import sha256_of
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.run_tags import AS_OF, FILE, RULES, SHA256


def closed_month(month: Month, progress: Progress, tags: Mapping[str, str] | None = None) -> MonthEvent:
    """Run close_month; the event that it left. GateError when a control failed."""
    before = month.database.run(partial(months.latest, period=month.period))
    try:
        run_month(month, "close_month", progress, tags)
    except dg.DagsterError as error:
        event = month.database.run(partial(months.latest, period=month.period))
        if type(error).__name__ != CHECK_FAILED or event is None or event == before:
            raise
        raise GateError(f"{month.period} is not published: {'; '.join(event.detail.get('reasons', []))}") from None
    event = month.database.run(partial(months.latest, period=month.period))
    if event is None or event == before:
        raise GateError(f"the run of {month.period} came to no end; look for it in Dagster's pages")
    return event


def as_drafted(event: MonthEvent) -> dict[str, str]:
    """The tags of a run that makes the same draft again."""
    rules = {RULES: AS_OF} if event.detail.get("rules") == AS_OF else {}
    return {FILE: event.usage_name, SHA256: event.usage_sha256, **rules}


def changed_since(month: Month, event: MonthEvent) -> str:
    """What the draft was made of and has changed, in words; "" without. A file that is gone is for the run to say."""
    inputs = month.inputs
    as_of = event.detail.get("rules") == AS_OF
    if not as_of and sha256(inputs.rules_workbook()[0]).hexdigest() != event.rules_sha256:
        return "the rules workbook"
    try:
        same = sha256_of(inputs.usage_path(event.period, event.usage_name)) == event.usage_sha256
    except InputError:
        return ""
    return "" if same else "the usage file"
