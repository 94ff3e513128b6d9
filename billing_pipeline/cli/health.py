"""What `doctor` looks at: settings, folders, the rules workbook, Dagster's home, the months and their published files.

What belongs here: looking, without changing anything, and saying what to do. What does not: printing (`doctor`).
"""

import difflib
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # comes with Dagster, without types

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import check
from billing_pipeline.partitions import MONTHS
from billing_pipeline.profile import load_profile
from billing_pipeline.resources.files import read_whole, sha256_of
from billing_pipeline.resources.inputs import usage_files
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.settings import Settings

FINE, NOTE, ATTENTION = "fine", "note", "attention"
_EFFECTIVE = {"usage_dir": "usage_folder", "rules_file": "rules_path", "outputs_dir": "outputs_folder"}
_SECRET = re.compile("token|secret|password|webhook|key", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^@/\s]+(?=@)")
_HOME_HELP = "folder of Dagster's run history and its dagster.yaml; `make` sets it to data/dagster"
_SHOWN = 5  # names listed before "and n more"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: fine, worth knowing (note), or in need of a person (attention), with what to do."""

    subject: str
    state: str
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values, for JSON."""
        return asdict(self)


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
    outputs = OutputFiles(settings.outputs_folder, settings.data_dir)
    return [
        *_unknown_settings(type(settings), environ),
        _folder("data folder", settings.data_dir, "BILLING_DATA_DIR"),
        *_usage(settings),
        _rules(settings.rules_path),
        _folder("outputs folder", settings.outputs_folder, "BILLING_OUTPUTS_DIR"),
        *_dagster(environ.get("DAGSTER_HOME", "")),
        *_months(settings, outputs),
        *_drafts(outputs),
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


def _usage(settings: Settings) -> Iterator[Finding]:
    folder = settings.usage_folder
    advice = "name it with BILLING_USAGE_DIR; to try the product: billing-pipeline sample"
    try:
        found = usage_files(folder)
        others = sorted({path.name for path in folder.glob("*.csv")} - {path.name for path in chain(*found.values())})
    except InputError:
        yield Finding("usage folder", ATTENTION, f"{folder} does not exist", advice)
        return
    except OSError as error:
        yield Finding("usage folder", ATTENTION, f"{folder} cannot be read: {error.strerror}", advice)
        return
    if found:
        yield Finding("usage folder", FINE, f"{folder}: {_list([str(period) for period in found])}")
    else:
        yield Finding("usage folder", ATTENTION, f"{folder} has no file named YYYY.MM_*.csv", advice)
    if others:
        yield Finding("usage folder", NOTE, f"not read: {_list(others)}", "usage files are named YYYY.MM_*.csv")
    for period, paths in found.items():
        if len(paths) > 1:
            names = _list([path.name for path in paths])
            yield Finding(f"usage of {period}", ATTENTION, f"more than one file: {names}", "keep one of them there")


def _rules(path: Path) -> Finding:
    if not path.is_file():
        advice = "name it with BILLING_RULES_FILE, or put it beside the usage files"
        return Finding("rules workbook", ATTENTION, f"{path} does not exist", advice)
    try:
        errors, warnings = check(read_whole(path), path.name)
    except InputError as error:
        return Finding("rules workbook", ATTENTION, str(error))
    counts = f"{path}: {len(errors)} errors, {len(warnings)} warnings"
    advice = f"see them with: billing-pipeline rules check {path}" if errors or warnings else ""
    return Finding("rules workbook", ATTENTION if errors else FINE, counts, advice)


def _dagster(home: str) -> Iterator[Finding]:
    """Dagster's home, and in it the product's dagster.yaml: telemetry off, one writer a month."""
    copy = f"copy the product's dagster.yaml to {Path(home) / 'dagster.yaml'}; `make up` does it"
    if not home:
        yield Finding("Dagster", NOTE, "DAGSTER_HOME is not set: runs leave no history", "`make up` sets it")
        return
    if not Path(home).is_dir():
        yield Finding("Dagster", ATTENTION, f"DAGSTER_HOME is {home!r}, which is not a folder", "make it, or unset it")
        return
    try:
        config = yaml.safe_load((Path(home) / "dagster.yaml").read_text("utf-8")) or {}
        telemetry = bool(config.get("telemetry", {}).get("enabled", True))
        limits = config.get("concurrency", {}).get("runs", {}).get("tag_concurrency_limits", [])
        limited = any(limit.get("key") == "billing/writer" for limit in limits)
    except FileNotFoundError:
        yield Finding("Dagster", ATTENTION, f"{home} has no dagster.yaml", copy)
        return
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError):
        yield Finding("Dagster", ATTENTION, f"{home}: dagster.yaml cannot be read", copy)
        return
    missing = [
        *(["telemetry is on"] if telemetry else []),
        *([] if limited else ["two runs may write one month (no limit on the tag billing/writer)"]),
    ]
    if missing:
        yield Finding("Dagster", ATTENTION, f"{home}: {', '.join(missing)}", copy)
    else:
        yield Finding("Dagster", FINE, f"{home}: telemetry is off, one writer a month")


def _months(settings: Settings, outputs: OutputFiles) -> Iterator[Finding]:
    """Every month with a usage file or a committed run."""
    try:
        usage = usage_files(settings.usage_folder)
    except (InputError, OSError):  # said of the folder already
        usage = {}
    billable = set(MONTHS.get_partition_keys())
    for period in sorted({*usage, *outputs.committed_months()}):
        try:
            yield _month(period, usage.get(period, []), outputs, billable=period.key in billable)
        except (InputError, OSError) as error:
            yield Finding(str(period), ATTENTION, str(error))


def _month(period: Period, usage: list[Path], outputs: OutputFiles, *, billable: bool) -> Finding:
    subject, manifest = str(period), outputs.latest_manifest(period)
    again = f"run close_month for {period}"
    if manifest is None:
        if not billable:
            found = "has a usage file, but lies before BILLING_START_MONTH or in the future"
            return Finding(subject, ATTENTION, found, "set BILLING_START_MONTH, or take the file away")
        return Finding(subject, ATTENTION, "has a usage file, but nothing is published", again)
    stale = outputs.stale_files(manifest)
    if stale:
        folder = outputs.outputs_dir / "runs" / period.key / manifest["run_id"]
        found = f"{len(stale)} published files are changed or missing: {_list(stale)}"
        return Finding(subject, ATTENTION, found, f"copy them from {folder}, or {again}")
    published = f"published by run {manifest['run_id']}"
    if len(usage) == 1 and sha256_of(usage[0]) != manifest["usage_file"]["sha256"]:
        return Finding(subject, ATTENTION, f"{published}, but {usage[0].name} has changed since", again)
    return Finding(subject, FINE, published)


def _drafts(outputs: OutputFiles) -> Iterator[Finding]:
    """Drafts of runs that did not publish: newer than the month's committed run, or left over from before it."""
    for folder in outputs.unfinished_drafts():
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
    return "(hidden)" if _SECRET.search(name) else _PASSWORD_IN_URL.sub("***", str(value))


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
