"""What the place and name of a file in the usage folder claim: a month's usage, something to report, or nothing to us.

What belongs here: rules over the path alone. What does not: sizes, contents, and what became of them (deciding).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from billing_pipeline.engine.period import Period

_NAME = re.compile(r"(\d{4})\.(\d{1,2})_.*\.csv", re.IGNORECASE | re.DOTALL | re.ASCII)
_MONTH_FOLDER = re.compile(r"(\d{4})(?:[-._]?(\d{2})|[-._](\d))", re.ASCII)
_YEAR_FOLDER = re.compile(r"\d{4}", re.ASCII)
_MONTH_IN_YEAR = re.compile(r"\d{1,2}", re.ASCII)
_TEMPORARY_ENDS = (".tmp", ".part", ".crdownload", ".lock", "~")


@dataclass(frozen=True, slots=True)
class Claim:
    """The month a path claims. `trouble` says why the file is not taken; "" when it is usage of a billable month.

    misnamed: a CSV in a month's folder without the name of usage; no_month: there is no such month; unprintable:
    characters that cannot be shown, or that part folders elsewhere; other_folder: name and folder say different months
    (`folder`); before_start, future_month: a month that cannot be billed, or not yet.
    """

    period: Period | None
    trouble: str = ""
    folder: Period | None = None


def claim_of(path: str, current: Period, first: Period, oldest: str) -> Claim | None:
    """What a path relative to the usage folder claims; None for what is not ours or of a month too long ago.

    `current` is this month, `first` the first billable one, `oldest` the key of the first not too long ago. Source:
    `--inputs-dir` in the interface document; spec 6.2.
    """
    *folders, name = path.split("/")
    if not name.lower().endswith(".csv") or any(map(is_temporary, (*folders, name))):
        return None
    folder = _month_of_folders(folders)
    named = _NAME.fullmatch(name) is not None
    period = period_of_name(name)
    months = [month for month in (period, folder) if month]
    if months and all(month.key < oldest for month in months):
        return None
    if not named:
        return Claim(None, "misnamed", folder) if folder else None
    if period is None:
        return Claim(None, "no_month", folder)
    return Claim(period, _trouble(path, period, folder, current, first), folder)


def oldest_month(current: Period, max_age_months: int) -> str:
    """The key of the month so many months ago."""
    year, month = divmod(max(current.year * 12 + current.month - 1 - max_age_months, 0), 12)
    return f"{year:04d}-{month + 1:02d}"


def period_of_name(path: str) -> Period | None:
    """The month that a file's name says (`YYYY.MM_*.csv`, wherever it lies); None when it is not the name of usage."""
    matched = _NAME.fullmatch(path.rpartition("/")[2])
    return _period(matched[1], matched[2]) if matched else None


def month_of(path: str) -> str | None:
    """The key of that month."""
    period = period_of_name(path)
    return period.key if period else None


def is_temporary(name: str) -> bool:
    """Whether a file or folder name is that of something hidden, half written, locked or synced for the moment."""
    return name.startswith((".", "~$")) or name.lower().endswith(_TEMPORARY_ENDS)


def _trouble(path: str, period: Period, folder: Period | None, current: Period, first: Period) -> str:
    if not path.isprintable() or "\\" in path:
        return "unprintable"
    if folder not in (None, period):
        return "other_folder"
    if period < first:
        return "before_start"
    return "future_month" if period > current else ""


def _month_of_folders(folders: list[str]) -> Period | None:
    """The month that the innermost folder named after one stands for: 2026.01, 2026-01, 202601 or 2026/01."""
    for depth in range(len(folders), 0, -1):
        name = folders[depth - 1]
        matched = _MONTH_FOLDER.fullmatch(name)
        if matched and (month := _period(matched[1], matched[2] or matched[3])):
            return month
        parent = folders[depth - 2] if depth > 1 else ""
        if _MONTH_IN_YEAR.fullmatch(name) and _YEAR_FOLDER.fullmatch(parent) and (month := _period(parent, name)):
            return month
    return None


@lru_cache(maxsize=4096)  # ten thousand files are of a few months
def _period(year: str, month: str) -> Period | None:
    return Period(int(year), int(month)) if 1900 <= int(year) <= 2199 and 1 <= int(month) <= 12 else None
