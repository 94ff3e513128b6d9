"""What `unbilled` does: reads both feeds, examines them, once or whenever they change. Prints nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from billing_pipeline.assets.unbilled_feeds import feeds, fingerprint
from billing_pipeline.build import database_resource
from billing_pipeline.engine.cells import NumberForm, parse_numbers
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.unbilled import judged_logs, typed_contracts, typed_logs
from billing_pipeline.engine.unbilled.examining import Examined, examined
from billing_pipeline.engine.unbilled.terms import UnbilledTerms
from billing_pipeline.profile import load_profile
from billing_pipeline.reports.unbilled import unbilled_document
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles, output_files
from billing_pipeline.resources.unbilled_folder import UnbilledFiles, UnbilledFolder
from billing_pipeline.settings import Settings

_DOLLARS = NumberForm(decimals=2, dtype=AMOUNT)
_SHORTEST, _LONGEST = 0.1, 86_400.0  # seconds between two looks


class Source(Protocol):
    """Where the feeds come from."""

    def read(self, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """LOGS and CONTRACTS. HaltError without a row of either, InputError for contracts that cannot be meant."""

    def fingerprint(self, today: date) -> str:
        """The same as long as nothing was changed."""


@dataclass(frozen=True, slots=True)
class TwoFiles:
    """Two files that somebody names."""

    files: UnbilledFiles

    def read(self, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:  # noqa: ARG002
        """As Source.read."""
        return typed_logs(self.files.logs()), typed_contracts(self.files.contracts())

    def fingerprint(self, today: date) -> str:  # noqa: ARG002
        """As Source.fingerprint."""
        return self.files.fingerprint()


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything the pipeline looks at: the folder of the settings, and the time of managed-services clients."""

    settings: Settings
    outputs: OutputFiles
    database: Database
    honour_billable_flag: bool

    def read(self, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """As Source.read."""
        zone, flag = self.settings.timezone, self.honour_billable_flag
        return feeds(self._folder, self.outputs, self.database, today, zone, honour_billable_flag=flag)

    def fingerprint(self, today: date) -> str:
        """As Source.fingerprint."""
        return fingerprint(self._folder, self.outputs, self.database, today)

    @property
    def _folder(self) -> UnbilledFolder:
        return UnbilledFolder(self.settings.unbilled_folder)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found. With `problems` the figures are those of the last good look, at `good_at`, or none yet."""

    found: Examined | None = None
    good_at: datetime | None = None
    problems: tuple[str, ...] = ()


def source_of(settings: Settings, time_logs: Path | None, contracts: Path | None) -> Source:
    """Both files that are named, else the installation. InputError when one is named without the other."""
    if time_logs is not None and contracts is not None:
        return TwoFiles(UnbilledFiles(time_logs, contracts))
    if time_logs is None and contracts is None:
        outputs = output_files(settings.storage_url or settings.outputs_folder, settings.data_dir.resolve())
        flag = load_profile(settings.profile).clients.honour_billable_flag
        return Installation(settings, outputs, database_resource(settings).opened(), flag)
    raise InputError("--time-logs and --contracts go together: give both files, or neither for the folder")


def terms_of(settings: Settings, threshold: str | None) -> UnbilledTerms:
    """The terms of the profile, with `threshold` (dollars as text) for the general one. InputError: no amount."""
    terms = load_profile(settings.profile).unbilled
    if threshold is None:
        return terms
    value, problem = parse_numbers(pl.Series([threshold]), _DOLLARS).row(0)
    if value is None:
        raise InputError(Problem(problem or "is blank", cell="--threshold", value=threshold))
    return replace(terms, threshold=value)


def look_at(source: Source, terms: UnbilledTerms, today: date) -> Examined:
    """What is unbilled today. HaltError without one of the feeds, InputError for one that cannot be used."""
    logs, contracts = source.read(today)
    return examined(judged_logs(logs, contracts), contracts, today, terms)


def looks(source: Source, terms: UnbilledTerms, zone: ZoneInfo, seconds: float) -> Iterator[Look]:
    """For ever, every so many seconds: the next look that says something else than the one before.

    The feeds are read again when their content or the day has changed, and after a look that went wrong. Source: spec
    2.8, U11.
    """
    last, seen = Look(), None
    while True:
        now = datetime.now(zone)
        state = (
            source.fingerprint(now.date()),
            now.date(),
        )  # before reading: a change that comes meanwhile is seen next time
        if state == seen and not last.problems:
            last = replace(last, good_at=now)
        else:
            look = _look(source, terms, now, last)
            if look != last:
                yield look
            last, seen = look, state
        time.sleep(seconds)


def interval(seconds: float) -> float:
    """The seconds between two looks; InputError for none that can be meant."""
    if not _SHORTEST <= seconds <= _LONGEST:
        raise InputError(Problem(f"is not between {_SHORTEST} and {_LONGEST:.0f} seconds", "", cell="--watch",
                                 value=str(seconds)))  # fmt: skip
    return seconds


def documented(found: Examined) -> dict[str, Any]:
    """The document of --json."""
    return unbilled_document(found.projects, found.clients, found.leaks, found.balance, found.as_of)


def _look(source: Source, terms: UnbilledTerms, now: datetime, last: Look) -> Look:
    try:
        return Look(look_at(source, terms, now.date()), now)
    except InputError as error:
        return replace(last, problems=tuple(map(str, error.problems)))
    except Exception as error:  # noqa: BLE001  # a monitor outlives what nobody foresaw: the next look may be good
        return replace(last, problems=(f"{type(error).__name__}: {error}",))
