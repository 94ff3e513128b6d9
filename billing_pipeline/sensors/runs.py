"""What Dagster knows of the runs over a usage content: the attempts made. Asks, decides nothing."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import dagster as dg

from billing_pipeline.engine.close.attempts import Attempt
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import Content
from billing_pipeline.jobs import close_month
from billing_pipeline.resources.inputs import InputFiles
from billing_pipeline.run_tags import ATTEMPT, PARTITION, RULES_SHA256, SHA256

EVERY_LOOP = 4  # seconds; Dagster looks every five, and would skip every other tick of a five-second sensor
_AT_ONCE = 5000  # contents asked for in one query


def attempts_of(
    instance: dg.DagsterInstance, contents: Collection[Content], rules: str
) -> dict[Content, list[Attempt]]:
    """The runs of the job close_month over these contents (month key, SHA-256), in any month; oldest first.

    Failures under another rules workbook than today's (`rules`: its SHA-256, "" when it cannot be read) are left out:
    what failed may be mended, and is tried anew at once.
    """
    wanted = sorted({sha256 for _, sha256 in contents})
    out: dict[Content, list[Attempt]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        filters = dg.RunsFilter(job_name=close_month.name, tags={SHA256: wanted[start : start + _AT_ONCE]})
        for record in instance.get_run_records(filters, ascending=True):
            tags = record.dagster_run.tags
            if rules and record.dagster_run.is_failure and tags.get(RULES_SHA256, rules) != rules:
                continue
            out.setdefault((tags.get(PARTITION, ""), tags[SHA256]), []).append(attempt_of(record))
    return out


def attempts_for(
    instance: dg.DagsterInstance, period: Period, tags: Mapping[str, str], job_name: str = close_month.name
) -> list[Attempt]:
    """The runs of a job in a month that have all of the tags, oldest first."""
    filters = dg.RunsFilter(job_name=job_name, tags={**tags, PARTITION: period.key})
    return [attempt_of(record) for record in instance.get_run_records(filters, ascending=True)]


def rules_sha256(inputs: InputFiles) -> str:
    """SHA-256 of the rules workbook as it is now; "" while it cannot be read."""
    try:
        return sha256(inputs.rules_workbook()[0]).hexdigest()
    except (OSError, InputError):
        return ""


def attempt_of(record: dg.RunRecord) -> Attempt:
    """The attempt that a run was: running, succeeded, failed or cancelled, and when it ended."""
    run = record.dagster_run
    number = run.tags.get(ATTEMPT, "")
    count = int(number) if number.isdecimal() and len(number) < 5 else 1  # a person may have typed it
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    if not run.is_finished:
        return Attempt(count, "running")
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return Attempt(count, "succeeded", ended)
    return Attempt(count, "cancelled" if run.status == dg.DagsterRunStatus.CANCELED else "failed", ended)
