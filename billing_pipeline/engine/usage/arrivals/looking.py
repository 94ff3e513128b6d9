"""What is in the usage folder at one look: which files are a month's usage, which have stood still since the last look.

What belongs here: files and what is remembered of them. What does not: what is started and told (deciding).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import messages
from billing_pipeline.engine.usage.arrivals.memory import Memory, Remembered
from billing_pipeline.engine.usage.arrivals.messages import Told
from billing_pipeline.engine.usage.arrivals.names import claim_of, month_of, oldest_month


@dataclass(frozen=True, slots=True)
class Seen:
    """A file in the usage folder: path relative to it with `/`, size in bytes, and what changes when it is written."""

    path: str
    size: int
    mark: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of taking files. `attempts` runs are made of one content, the second `retry_seconds` after the first."""

    first: Period
    max_age_months: int
    retry_seconds: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The usage files of months that can be billed, by path, with their months; why other files are not taken; and the
    oldest month that is looked at."""

    files: Mapping[str, Seen]
    months: Mapping[str, str]
    troubles: tuple[Told, ...]
    oldest: str


def survey(files: Iterable[Seen], now: datetime, limits: Limits) -> Survey:
    """Which of the files are usage. `now` is in the zone in which months begin."""
    current = Period.of(now.date())
    oldest = oldest_month(current, limits.max_age_months)
    usage: dict[str, Seen] = {}
    months: dict[str, str] = {}
    troubles: list[Told] = []
    for file in files:
        claim = claim_of(file.path, current, limits.first, oldest)
        if claim is None:
            continue
        if claim.trouble or claim.period is None:
            troubles.append(messages.trouble(file.path, claim, current, limits.first))
        else:
            usage[file.path], months[file.path] = file, claim.period.key
    return Survey(usage, months, tuple(sorted(troubles, key=lambda told: told.text)), oldest)


def stable(look: Survey, memory: Memory) -> tuple[str, ...]:
    """The paths whose content must be hashed now: as they were at the last look, not empty, not hashed yet."""
    return tuple(
        path
        for path, before in memory.files.items()
        if not before.sha256 and before.size and path in look.files and _is_same(look.files[path], before)
    )


def open_contents(
    memory: Memory, hashes: Mapping[str, str], judged: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The (month, SHA-256) known of, seen now or gone, that have not been judged: whose runs have to be asked for."""
    hashed = {path: file.sha256 for path, file in memory.files.items() if file.sha256} | dict(hashes)
    known = {(month, sha256) for path, sha256 in hashed.items() if (month := month_of(path))}
    return (known | set(memory.gone)).difference(judged)


def remembered(
    look: Survey, memory: Memory, hashes: Mapping[str, str], unreadable: Collection[str]
) -> dict[str, Remembered]:
    """What is remembered of each usage file from this look on, files that have not changed first."""
    out: dict[str, Remembered] = {}
    for path, before in memory.files.items():
        if path not in look.files or not _is_same(look.files[path], before):
            continue
        if path in hashes:
            out[path] = replace(before, sha256=hashes[path], unsettled=0, shrunk=False)
        else:
            out[path] = replace(before, unsettled=before.unsettled + (path in unreadable))
    for path in sorted(look.files.keys() - out.keys()):
        out[path] = _changed(look.files[path], memory.files.get(path))
    return out


def _changed(file: Seen, before: Remembered | None) -> Remembered:
    """A file that is new, or other than it was; one that had stood still before is a new one."""
    if before is None or before.sha256:
        return Remembered(file.size, file.mark)
    return Remembered(file.size, file.mark, "", before.unsettled + 1, before.shrunk or file.size < before.size)


def _is_same(file: Seen, before: Remembered) -> bool:
    return (file.size, file.mark) == (before.size, before.mark)
