"""The numbers of the audit that a company may set, with the defaults of the specification.

Source: spec 2.1, 2.2, 9.1 of the billing audit; Q9, Q16, Q27.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from billing_pipeline.engine.audit import tables
from billing_pipeline.engine.audit.views import SEVERITIES
from billing_pipeline.engine.errors import InputError

BY_CATEGORY = {
    tables.DATE_TOO_OLD: tables.MEDIUM,
    tables.DATE_TOO_FUTURE: tables.HIGH,
    tables.FUTURE_WORK_DATE: tables.HIGH,
    tables.UNREADABLE: tables.MEDIUM,
    tables.MISSING_VALUE: tables.MEDIUM,
    tables.NOT_POSITIVE: tables.MEDIUM,
    tables.PRICE_ANOMALY: tables.INFO,
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Amounts are dollars; every comparison is strict: exactly 100 is LOW. InputError: values that contradict."""

    high_dollars: Decimal = Decimal(1000)
    medium_dollars: Decimal = Decimal(100)
    severities: Mapping[str, str] = field(default_factory=dict)  # by category, whatever the dollars; beside BY_CATEGORY
    grace: timedelta = timedelta(0)  # a week closes this long after the end of its last day
    look_back: timedelta = timedelta(days=7)  # of a sheet's first run: older edits are taken as they are
    repeat_edits: int = 3  # edits after close by one person within `repeat_within`: one step more severe
    repeat_within: timedelta = timedelta(days=30)
    day_starts: int = 6  # hours of the zone; an edit outside of them is one step more severe
    day_ends: int = 19
    oldest_years: int = 10  # a date of a year before this many years ago is too old
    furthest_years: int = 2  # a date of a year after this many years ahead is too far in the future
    rate_cents: Decimal = Decimal("0.02")  # a price may be this far from rate x quantity,
    rate_share: Decimal = Decimal("0.005")  # or this share of it, whichever is more
    rates_from: date | None = None  # work before this day, or of no day, has no contract rate; None: all work has
    anomaly_score: Decimal = Decimal("3.5")  # robust z-score of a unit price
    anomaly_samples: int = 8

    def __post_init__(self) -> None:
        if self.medium_dollars > self.high_dollars:
            raise InputError("medium_dollars is more than high_dollars")
        if not self.day_starts < self.day_ends <= 24:
            raise InputError("day_starts has to be before day_ends, and that no later than 24")
        wrong = [name for name, severity in self.severities.items() if severity not in SEVERITIES]
        wrong += [name for name in self.severities if name not in tables.CATEGORIES]
        if wrong:
            raise InputError(f"severities: {wrong[0]} is no category, or its severity not {', '.join(SEVERITIES)}")

    @property
    def fixed(self) -> dict[str, str]:
        """Severity by category of what is not judged by its dollars."""
        return {**BY_CATEGORY, **self.severities}
