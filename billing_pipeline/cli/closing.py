"""Running a month's assets in this process: the same job that the UI and the sensors run, with a progress bar."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from billing_pipeline.assets.drafts import CHECKS_FILE
from billing_pipeline.build import build_defs, resources_from
from billing_pipeline.cli.console import messages
from billing_pipeline.engine.close import Verdict, verdict
from billing_pipeline.engine.errors import GateError, InputError, MonthHeldError
from billing_pipeline.engine.period import Period
from billing_pipeline.jobs import CHECK_FAILED
from billing_pipeline.partitions import MONTHS
from billing_pipeline.profile import Profile, load_profile
from billing_pipeline.resources.database import Database, DatabaseResource
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.inputs import InputFiles, Inputs
from billing_pipeline.resources.leases import lease, month_lease
from billing_pipeline.resources.outputs import OutputFiles, Outputs, output_files
from billing_pipeline.run_tags import BILLING
from billing_pipeline.settings import load_settings

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Month:
    """One installation and month, ready to run; reads back what the run stored."""

    period: Period
    profile: Profile
    resources: dict[str, Any]

    @property
    def outputs(self) -> OutputFiles:
        resource: Outputs = self.resources["outputs"]
        return output_files(resource.storage_url or resource.outputs_dir, Path(resource.state_dir))

    @property
    def inputs(self) -> InputFiles:
        resource: Inputs = self.resources["inputs"]
        return resource.create_resource(dg.build_init_resource_context())

    @property
    def gate(self) -> Gate:
        gate: Gate = self.resources["gate"]
        return gate

    @property
    def database(self) -> Database:
        resource: DatabaseResource = self.resources["database"]
        return resource.opened()

    def frame(self, asset: str) -> pl.DataFrame:
        """The stored frame of an asset."""
        return pl.read_parquet(self.path(asset))

    def path(self, asset: str) -> Path:
        """Where the frame of an asset is stored."""
        return self.outputs.frame_path(asset, self.period)

    def verdict(self) -> Verdict:
        """What the gate says of the stored controls and flags."""
        return verdict(self.frame("controls"), self.frame("review_flags")["decision"], gated=self.gate.gated)


def installed_month(period: Period) -> Month:
    """A month of the installation that the settings describe."""
    settings = load_settings()
    return Month(period, load_profile(settings.profile), resources_from(settings))


def close_month(month: Month, progress: Progress) -> Verdict:
    """Run the job close_month; whether the month was published, or why not (a control failed, the gate is closed)."""
    try:
        run_month(month, "close_month", progress)
    except (GateError, dg.DagsterError) as error:
        failed = type(error).__name__ == CHECK_FAILED
        if isinstance(error, MonthHeldError) or not (failed or isinstance(error, GateError)):
            raise
        judged = month.verdict()
        if judged.publish:  # refused for another reason: drafts are mixed, or altered
            raise
        return judged
    return month.verdict()


def run_month(
    month: Month,
    job_name: str,
    progress: Progress,
    tags: Mapping[str, str] | None = None,
    *,
    capability: str = BILLING,
) -> None:
    """Materialise a job's assets for the month as its one writer; errors in data come out as they were raised."""
    refuse_unknown_month(month.period)
    with lease(month.database, month_lease(capability, month.period), seconds=month.gate.lease_seconds):
        run_job(month.resources, job_name, progress, month.period.title, month.period.key, tags)


def run_job(
    resources: Mapping[str, Any],
    job_name: str,
    progress: Progress,
    title: str,
    partition: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Materialise a job's assets in this process, a step of the bar for each of its steps."""
    job = _job(job_name)
    task = progress.add_task(title, total=len(job.nodes), step="starting")

    @dg.success_hook(name="progress")
    def step_done(context: dg.HookContext) -> None:
        progress.update(task, advance=1, step=context.op.name.split("__")[-1].replace("_", " "))

    with dagster_instance(resources["outputs"].state_dir) as instance:
        job.with_hooks({step_done}).execute_in_process(
            partition_key=partition,
            instance=instance,
            run_config=_QUIET,
            tags=dict(tags or {}),
            resources=resources,
        )
    progress.update(task, step="done")


@cache
def _job(name: str) -> dg.JobDefinition:
    """A job of the pipeline; its resources are given when it runs. Made once: a backfill runs it month by month."""
    return build_defs().resolve_job_def(name)


@contextmanager
def refusing(sets: OutputFiles, checks: Iterable[str], title: str, what: str) -> Iterator[None]:
    """GateError that begins with `title` when a check of `what` fails within: what the checks of its draft found."""
    try:
        yield
    except dg.DagsterError as error:
        if type(error).__name__ != CHECK_FAILED:
            raise
        texts = _failed_checks(sets, checks) or [f"a check of {what} failed"]
        raise GateError(f"{title}: {'; '.join(texts)}") from None


def _failed_checks(sets: OutputFiles, checks: Iterable[str]) -> list[str]:
    """What the checks of the last draft found, in the order of their names."""
    files = [folder / CHECKS_FILE for folder in sets.unfinished_drafts() if (folder / CHECKS_FILE).is_file()]
    found = json.loads(files[-1].read_bytes()) if files else {}
    return [text for name in checks for text in found.get(name, [])]


@contextmanager
def dagster_instance(state_dir: str) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, so that the run shows in its pages, or one that is forgotten with the process."""
    home = os.environ.get("DAGSTER_HOME", "")
    if home and not Path(home).is_dir():
        raise InputError(f"DAGSTER_HOME is {home!r}, which is not a folder; create it or unset the variable")
    if not home:
        yield _forgotten(state_dir)
        return
    with dg.DagsterInstance.get() as instance:
        yield instance


@lru_cache(maxsize=1)
def _forgotten(state_dir: str) -> dg.DagsterInstance:  # noqa: ARG001  # runs of another installation are not its history
    """One for the runs of a process over one installation: making its tables takes as long as a small run."""
    return dg.DagsterInstance.ephemeral()


def progress_bar() -> Progress:
    """The progress bar of months and their steps, on standard error; silent when that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[step]}"),
        console=messages,
        disable=not messages.is_terminal,
    )


def refuse_unknown_month(period: Period) -> None:
    """InputError for a month that cannot be billed: before the first month, or in the future."""
    keys = MONTHS.get_partition_keys()
    if period.key not in keys:
        span = f"{keys[0]} (BILLING_START_MONTH) to {keys[-1]}, the current month"
        raise InputError(f"{period} is not a month that can be billed: {span}")
