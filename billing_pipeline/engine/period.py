"""The billing month: one type, its spellings, and its half-open interval of dates."""

import calendar
import re
from dataclasses import dataclass
from datetime import date

from billing_pipeline.engine.errors import InputError

_SPELLING = re.compile(r"(\d{4})[-./]?(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A calendar month. `2026-01` as partition key, `2026.01` in file names, `202601` in external ids."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1900 <= self.year <= 2199 and 1 <= self.month <= 12):
            raise InputError(f"{self.year:04d}-{self.month:02d} is not a month between 1900-01 and 2199-12")

    @classmethod
    def parse(cls, text: str) -> "Period":
        """The month written as YYYY-MM, YYYY.MM, YYYY/MM or YYYYMM; anything else is an InputError."""
        match = _SPELLING.fullmatch(text.strip())
        if not match:
            raise InputError(f"{text!r} is not a month; write it as YYYY-MM, for example 2026-01")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> "Period":
        """The month a date lies in."""
        return cls(day.year, day.month)

    @property
    def key(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def dotted(self) -> str:
        return f"{self.year:04d}.{self.month:02d}"

    @property
    def compact(self) -> str:
        return f"{self.year:04d}{self.month:02d}"

    @property
    def title(self) -> str:
        return f"{calendar.month_name[self.month]} {self.year}"

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    @property
    def next(self) -> "Period":
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> "Period":
        return Period(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def months_since(self, start: date) -> int:
        """Month index of this period counted from `start`, the start month being 1 (0 or less: before it)."""
        return (self.year - start.year) * 12 + self.month - start.month + 1

    def __str__(self) -> str:
        return self.key
