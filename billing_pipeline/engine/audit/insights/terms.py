"""What an insight is, and the thresholds of all of them.

What belongs here: words and limits that the rules share. What does not: a rule (`edits`, `open_work`, `samples`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

State = Literal["found", "nothing found", "insufficient data"]
FOUND: Final = "found"
NOTHING: Final = "nothing found"
INSUFFICIENT: Final = "insufficient data"
Number = int | Decimal | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the insights; all of them are printed with the insight. Source: spec 4; decision 20."""

    window: timedelta = timedelta(days=30)  # edits older than this are not looked at
    repeat_edits: int = 3  # by one person, from which on it is told
    day_begins: int = 6  # hours of the day in the audit's zone; edits from 19:00 until 06:00 are after hours
    day_ends: int = 19
    after_hours_percent: Decimal = Decimal(30)  # of the edits, above which it is told
    least_edits: int = 5  # below, no share of edits is told
    large: Decimal = Decimal(1000)  # dollars of one finding, above which it is large
    concentrated_percent: Decimal = Decimal(50)  # of the dollars at stake, above which they are concentrated
    least_findings: int = 5  # below, no share of findings is told
    old: timedelta = timedelta(days=14)  # open longer than this is ageing
    outlier_rows: int = 8  # of a unit code, below which its quantities are not judged
    rising_runs: int = 5  # comparable runs that are looked at
    rising_percent: Decimal = Decimal(20)  # more than in the first of them, above which the count rises
    first: int = 3  # findings, and editors, that are named


@dataclass(frozen=True, slots=True)
class Insight:
    """A sentence, the rule that gives it, and its figures. `numbers` has numbers alone, no name of anything.

    `numbers` always has threshold, numerator and denominator (null: there is none), so that a share can be followed.
    """

    rule: str
    state: State
    sentence: str
    formula: str
    numbers: Mapping[str, Number]
    finding_keys: tuple[str, ...] = ()


def numbers(threshold: Number, numerator: Number, denominator: Number, **more: Number) -> dict[str, Number]:
    """The figures of an insight, its share in per cent included."""
    shared = None if numerator is None or denominator is None else share(numerator, denominator)
    return {"threshold": threshold, "numerator": numerator, "denominator": denominator, "percent": shared, **more}


def share(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """100 x part / whole to one decimal, half away from zero; None for a whole of zero.

    >>> share(7, 12), share(1, 0)
    (Decimal('58.3'), None)
    """
    if not whole:
        return None
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def field(column: str) -> str:
    """A column as a sentence names it."""
    return column.replace("_", " ") if column else "the row"
