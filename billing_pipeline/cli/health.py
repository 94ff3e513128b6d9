"""What `doctor` looks at: settings, folders, the rules workbook, the months and their published files.

What belongs here: looking, without changing anything, and saying what to do. What does not: printing (`doctor`), the
database (`state`), Dagster (`running`), managed services (`client_health`), the audit (`audit_health`),
unbilled hours (`unbilled_health`).
"""

import difflib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import SecretStr

from billing_pipeline.cli.audit_health import audit_findings
from billing_pipeline.cli.client_health import client_findings
from billing_pipeline.cli.findings import ATTENTION, FINE, NOTE, Finding, listed
from billing_pipeline.cli.running import dagster
from billing_pipeline.cli.state import stored
from billing_pipeline.cli.unbilled_health import unbilled_findings
from billing_pipeline.engine.errors import InputError, printable
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import check
from billing_pipeline.engine.usage.arrivals import period_of_name
from billing_pipeline.partitions import MONTHS
from billing_pipeline.profile import load_profile
from billing_pipeline.resources.inputs import InputFiles, input_files, usage_names
from billing_pipeline.resources.outputs import OutputFiles, output_files
from billing_pipeline.resources.storage import Storage
from billing_pipeline.settings import Settings

_EFFECTIVE = {"usage_dir": "usage_folder", "rules_file": "rules_path", "outputs_dir": "outputs_folder"}
_SECRET = re.compile("token|secret|password|webhook|key", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^@/\s]+(?=@)")
_HOME_HELP = "folder of Dagster's run history and its dagster.yaml; `make` sets it to data/dagster"
_LOW = 1 << 30  # bytes free: a month with its workbooks needs a tenth


def versions() -> dict[str, str]:
    """The versions a bug report needs."""
    packages = ("billing-pipeline", "dagster", "polars")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def configured(settings: Settings, environ: Mapping[str, str]) -> list[dict[str, str | None]]:
    """Every setting: name, value in effect (null when not set; secrets hidden), source, help."""
    rows = [
        {
            "name": f"BILLING_{name.upper()}",
            "value": _shown(name, getattr(settings, _EFFECTIVE.get(name, name))),
            "source": "environment" if name in settings.model_fields_set else "default",
            "help": field.description or "",
        }
        for name, field in type(settings).model_fields.items()
    ]
    home = environ.get("DAGSTER_HOME") or None
    return [
        *rows,
        {"name": "DAGSTER_HOME", "value": home, "source": "environment" if home else "default", "help": _HOME_HELP},
    ]


def findings(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Everything looked at, in the order in which it is set up. An unusable profile is an InputError."""
    load_profile(settings.profile)
    outputs = output_files(settings.storage_url or settings.outputs_folder, settings.data_dir)
    inputs = input_files(settings.usage_folder, settings.rules_path, settings.data_dir, Path())
    now = datetime.now(UTC)
    told, told_of = stored(settings, now)
    return [
        *_unknown_settings(type(settings), environ),
        _folder("data folder", settings.data_dir, "BILLING_DATA_DIR"),
        *_usage(inputs.usage),
        _rules(inputs),
        _folder("outputs folder", settings.outputs_folder, "BILLING_OUTPUTS_DIR"),
        *_storage(settings, outputs),
        *_space(settings),
        *told,
        *_slack(settings),
        *dagster(environ.get("DAGSTER_HOME", ""), settings, now),
        *_months(inputs.usage, outputs, told_of),
        *_drafts(outputs, told_of),
        *client_findings(settings, outputs, now),
        *audit_findings(settings, now),
        *unbilled_findings(settings, outputs, now),
    ]


def _unknown_settings(settings: type[Settings], environ: Mapping[str, str]) -> Iterator[Finding]:
    known = [f"BILLING_{name.upper()}" for name in settings.model_fields]
    for name in sorted(environ):
        if name.startswith("BILLING_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else ""
            yield Finding(name, NOTE, "is in the environment, but is no setting of this product", advice)


def _folder(subject: str, folder: Path, setting: str) -> Finding:
    """Whether files can be written there."""
    advice = f"choose another with {setting}, or give this user the right to write there"
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder):
                return Finding(subject, FINE, f"{folder} is writable")
        if folder.exists():
            return Finding(subject, ATTENTION, f"{folder} is a file", advice)
        parent = next(parent for parent in folder.absolute().parents if parent.exists())
    except OSError as error:
        return Finding(subject, ATTENTION, f"{folder} is not writable: {error.strerror}", advice)
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return Finding(subject, FINE, f"{folder} does not exist yet; the first run makes it")
    return Finding(subject, ATTENTION, f"{folder} cannot be made: {parent} is not a writable folder", advice)


def _usage(usage: Storage) -> Iterator[Finding]:
    folder, advice = usage.address(), "name it with BILLING_USAGE_DIR; to try the product: billing-pipeline sample"
    try:
        names = [file.name for file in usage.listing()]
    except FileNotFoundError:
        yield Finding("usage folder", ATTENTION, f"{folder} does not exist", advice)
        return
    except Exception as error:  # noqa: BLE001  # each vendor's driver has errors of its own
        found = getattr(error, "strerror", None) or str(error)
        yield Finding("usage folder", ATTENTION, f"{folder} cannot be read: {printable(found, 300)}", advice)
        return
    months = usage_names(names)
    if months:
        yield Finding("usage folder", FINE, f"{folder}: {listed([str(period) for period in months])}")
    else:
        yield Finding("usage folder", ATTENTION, f"{folder} has no file named YYYY.MM_*.csv", advice)
    beside = [name for name in names if "/" not in name and name.lower().endswith(".csv")]
    if others := [name for name in beside if not period_of_name(name)]:
        yield Finding("usage folder", NOTE, f"not read: {listed(others)}", "usage files are named YYYY.MM_*.csv")
    for period, files in months.items():
        if len(files) > 1:
            yield Finding(
                f"usage of {period}", ATTENTION, f"more than one file: {listed(files)}", "keep one of them there"
            )


def _rules(inputs: InputFiles) -> Finding:
    address = inputs.rules_address
    try:
        content = inputs.rules_folder.read_all([inputs.rules_name]).get(inputs.rules_name)
        if content is None:
            advice = "name it with BILLING_RULES_FILE, or put it beside the usage files"
            return Finding("rules workbook", ATTENTION, f"{address} does not exist", advice)
        errors, warnings = check(content, inputs.rules_name)
    except Exception as error:  # noqa: BLE001  # likewise; InputError: it is no workbook
        return Finding("rules workbook", ATTENTION, printable(str(error), 300))
    counts = f"{address}: {len(errors)} errors, {len(warnings)} warnings"
    advice = f"see them with: billing-pipeline rules check {address}" if errors or warnings else ""
    return Finding("rules workbook", ATTENTION if errors else FINE, counts, advice)


def _storage(settings: Settings, outputs: OutputFiles) -> Iterator[Finding]:
    """Whether the object store answers, when there is one."""
    if settings.storage_url:
        shown = _PASSWORD_IN_URL.sub("***", settings.storage_url)
        try:
            outputs.storage.folders("runs")
            yield Finding("object store", FINE, f"{shown} can be read")
        except Exception as error:  # noqa: BLE001  # each vendor's driver has errors of its own
            advice = "check BILLING_STORAGE_URL and the credentials in the environment"
            yield Finding("object store", ATTENTION, f"{shown} cannot be read: {printable(str(error), 300)}", advice)


def _space(settings: Settings) -> Iterator[Finding]:
    """Disks that will soon be full."""
    for folder in {settings.data_dir, settings.outputs_folder}:
        with suppress(OSError):  # said of the folder already
            free = shutil.disk_usage(folder).free
            if free < _LOW:
                advice = "make room: a full disk stops every month, and loses none"
                yield Finding("disk", ATTENTION, f"{folder}: {free >> 20} MB are left", advice)


def _slack(settings: Settings) -> Iterator[Finding]:
    """How notices leave. Nothing is sent: notices that could not be delivered say it."""
    if settings.slack_webhook:
        yield Finding("Slack", FINE, "notices go to the webhook")
    elif settings.slack_token and settings.slack_channel:
        yield Finding("Slack", FINE, f"notices go to {settings.slack_channel} by bot token")
    elif settings.slack_token or settings.slack_channel:
        missing = "BILLING_SLACK_CHANNEL" if settings.slack_token else "BILLING_SLACK_TOKEN"
        yield Finding("Slack", ATTENTION, f"{missing} is not set: notices only go to the log", f"set {missing}, too")
    else:
        yield Finding("Slack", NOTE, "not configured: notices go to the log", "set BILLING_SLACK_WEBHOOK")


def _months(usage: Storage, outputs: OutputFiles, told_of: frozenset[str]) -> Iterator[Finding]:
    """Every month with a usage file or a committed run, but those that are known to wait."""
    billable, files = set(MONTHS.get_partition_keys()), dict[Period, list[str]]()
    with suppress(Exception):  # said of the folder already
        files = usage_names(file.name for file in usage.listing())
    try:
        committed = outputs.committed_months()
    except Exception:  # noqa: BLE001  # said of the object store already
        return
    for period in sorted({*files, *committed}):
        if period.key in told_of:
            continue
        try:
            now = usage.hashes(files.get(period, []))
            yield _month(period, now, outputs, billable=period.key in billable)
        except (InputError, OSError) as error:
            yield Finding(str(period), ATTENTION, str(error))


def _month(period: Period, usage: dict[str, str], outputs: OutputFiles, *, billable: bool) -> Finding:
    """`usage`: the month's usage files by name, with their hashes."""
    subject, manifest = str(period), outputs.latest_manifest(period)
    again = f"run close_month for {period}"
    if manifest is None:
        if not billable:
            found = "has a usage file, but lies before BILLING_START_MONTH or in the future"
            return Finding(subject, ATTENTION, found, "set BILLING_START_MONTH, or take the file away")
        return Finding(subject, ATTENTION, "has a usage file, but nothing is published", again)
    stale = outputs.stale_files(manifest)
    if stale:
        folder = outputs.address(outputs.set_folder(period, manifest["run_id"]))
        found = f"{len(stale)} published files are changed or missing: {listed(stale)}"
        return Finding(subject, ATTENTION, found, f"copy them from {folder}, or {again}")
    published = f"published by run {manifest['run_id']}"
    if usage and manifest["usage_file"]["sha256"] not in usage.values():
        return Finding(subject, ATTENTION, f"{published}, but {listed(list(usage))} has changed since", again)
    return Finding(subject, FINE, published)


def _drafts(outputs: OutputFiles, told_of: frozenset[str]) -> Iterator[Finding]:
    """Drafts of runs that did not publish: newer than the month's committed run, or left over from before it."""
    for folder in (folder for folder in outputs.unfinished_drafts() if folder.parent.name not in told_of):
        try:
            manifest = outputs.latest_manifest(Period.parse(folder.parent.name))
        except InputError as error:
            yield Finding("draft", ATTENTION, f"{folder}: {error}")
            continue
        if manifest and manifest["run_id"] > folder.name:
            yield Finding("draft", NOTE, f"{folder} is older than what is published", "it may be deleted")
        else:
            advice = "look at the report in it, decide what waits, and run the month again"
            yield Finding("draft", ATTENTION, f"{folder} is of a run that was refused, has died or is going on", advice)


def _shown(name: str, value: object) -> str | None:
    """A setting's value for people: no secrets."""
    if value is None:
        return None
    return (
        "(hidden)" if isinstance(value, SecretStr) or _SECRET.search(name) else _PASSWORD_IN_URL.sub("***", str(value))
    )
