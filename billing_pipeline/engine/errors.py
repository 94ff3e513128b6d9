"""Errors as data: what went wrong, and the place of it. Formatted once, at the edge (command line, Dagster, web).

What belongs here: the one small hierarchy every part raises. What does not: wording of a single capability.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: a message, where it stands (file, line, sheet, cell or column), the text found."""

    message: str
    file: str = ""
    line: int | None = None
    sheet: str = ""
    cell: str = ""
    value: str = ""

    def __str__(self) -> str:
        sheet_cell = "!".join(part for part in (self.sheet, self.cell) if part)
        line = f"line {self.line}" if self.line is not None else ""
        place = ", ".join(part for part in (self.file, line, sheet_cell) if part)
        found = f" (found {printable(self.value)!r})" if self.value else ""
        return f"{place}: {self.message}{found}" if place else f"{self.message}{found}"

    def as_dict(self) -> dict[str, str | int | None]:
        """The problem as plain values, for JSON documents."""
        return asdict(self)


def printable(text: str, limit: int = 80) -> str:
    """Text from outside, fit for one line of a terminal or a log: no control characters, no endless cells."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is most probably a misspelling of `name`, if any."""
    folded = {candidate.strip().casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.8)
    return folded[close[0]] if close else None


class BillingError(Exception):
    """Anything this product refuses or cannot do, with a message a biller understands."""


class InputError(BillingError):
    """The input cannot be used: every problem found, each with its place. The command line exits with 2."""

    def __init__(self, problems: Problem | str | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class GateError(BillingError):
    """Refused: a control failed, the review gate is closed, or drafts do not belong together. Exit code 4."""


class UpstreamError(BillingError):
    """A system that data is pulled from did not give it. `permanent`: asking again does not help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        self.permanent = permanent
        super().__init__(message)


class MonthHeldError(GateError):
    """Refused: another writer holds the month."""
