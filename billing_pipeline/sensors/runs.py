"""What Dagster knows of the runs over a usage content: the attempts made. Asks, decides nothing."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import dagster as dg

from billing_pipeline.engine.close.attempts import Attempt
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import Content
from billing_pipeline.jobs import close_month

FILE, SHA256, ATTEMPT = "billing/file", "billing/sha256", "billing/attempt"  # tags of a run over one usage file
CAUSE = "billing/cause"  # tag of a run that was started for another reason than a file
PARTITION = "dagster/partition"
_AT_ONCE = 500  # contents asked for in one query


def attempts_of(instance: dg.DagsterInstance, contents: Collection[Content]) -> dict[Content, list[Attempt]]:
    """The runs of the job close_month over each of the contents (month key, SHA-256), oldest first."""
    wanted = sorted({sha256 for _, sha256 in contents})
    out: dict[Content, list[Attempt]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        filters = dg.RunsFilter(job_name=close_month.name, tags={SHA256: wanted[start : start + _AT_ONCE]})
        for record in instance.get_run_records(filters, ascending=True):
            tags = record.dagster_run.tags
            content = (tags.get(PARTITION, ""), tags[SHA256])
            if content in contents:
                out.setdefault(content, []).append(_attempt(record))
    return out


def attempts_for(instance: dg.DagsterInstance, period: Period, tags: Mapping[str, str]) -> list[Attempt]:
    """The runs of the job close_month in a month that have all of the tags, oldest first."""
    filters = dg.RunsFilter(job_name=close_month.name, tags={**tags, PARTITION: period.key})
    return [_attempt(record) for record in instance.get_run_records(filters, ascending=True)]


def _attempt(record: dg.RunRecord) -> Attempt:
    run = record.dagster_run
    number = run.tags.get(ATTEMPT, "")
    count = int(number) if number.isdecimal() and len(number) < 5 else 1  # a person may have typed it
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    if not run.is_finished:
        return Attempt(count, "running")
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return Attempt(count, "succeeded", ended)
    return Attempt(count, "cancelled" if run.status == dg.DagsterRunStatus.CANCELED else "failed", ended)
