"""Rows of the sample book that need a reviewer's eye: what goes wrong in which month.

What belongs here: the deliberate faults. What does not: ordinary usage (`companies`), and partners whose contract is
incomplete (`partners`). January is without faults.
"""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from billing_pipeline.engine.period import Period
from billing_pipeline.sample.companies import Row
from billing_pipeline.sample.partners import PARTNERS

Incident = Callable[[Row], tuple[Row, ...]]  # the rows that stand in the place of a good one

_SETTLED = {str(partner.id): partner.name for partner in PARTNERS if partner.settled}


def with_incidents(rows: list[Row], month: Period, random: Random) -> list[Row]:
    """`rows` with the faults of `month`, each in another row of a partner that is otherwise fine."""
    incidents = _INCIDENTS.get(month, ())
    ordinary = [position for position, row in enumerate(rows) if _is_ordinary(row, month)]
    places = random.sample(ordinary, len(incidents))
    spoilt = {place: incident(rows[place]) for place, incident in zip(places, incidents, strict=True)}
    return [row for position, good in enumerate(rows) for row in spoilt.get(position, (good,))]


def _is_ordinary(row: Row, month: Period) -> bool:
    leaving = row["SUSPENSION_DATE"] or row["DISSOCIATION_DATE"]
    old = row["FIRST_BILLABLE_ACTIVITY_DATE"] < str(month.first)
    return row["PARTNER_ID"] in _SETTLED and old and not leaving and row["TOTAL_INDIVIDUAL_USERS"] != "0"


def _with(column: str, text: str) -> Incident:
    return lambda row: (row | {column: text},)


def _ends_before_it_starts(column: str, days: int) -> Incident:
    def incident(row: Row) -> tuple[Row, ...]:
        start = date.fromisoformat(row["FIRST_BILLABLE_ACTIVITY_DATE"])
        return (row | {column: str(start - timedelta(days=days))},)

    return incident


def _row_of_last_month(row: Row) -> tuple[Row, ...]:
    last_month = date.fromisoformat(row["FOR_MONTH"]) - timedelta(days=1)
    return (row | {"FOR_MONTH": str(last_month.replace(day=1))},)


def _under_two_partners(row: Row) -> tuple[Row, ...]:
    """The company has moved, and the old partner still reports it."""
    other = next(key for key in _SETTLED if key != row["PARTNER_ID"])
    return row, row | {"PARTNER_ID": other, "PARTNER_NAME": _SETTLED[other]}


def _exported_twice(row: Row) -> tuple[Row, ...]:
    return row, row


_no_first_date = _with("FIRST_BILLABLE_ACTIVITY_DATE", "")
_suspended_early = _ends_before_it_starts("SUSPENSION_DATE", days=12)
_dissociated_early = _ends_before_it_starts("DISSOCIATION_DATE", days=3)
_word_as_count = _with("TOTAL_INDIVIDUAL_USERS", "n/a")
_percent_as_count = _with("TOTAL_INDIVIDUAL_USERS", "5%")
_negative_count = _with("TOTAL_INDIVIDUAL_USERS", "-2")

_INCIDENTS: dict[Period, tuple[Incident, ...]] = {
    Period(2026, 2): (_no_first_date, _suspended_early, _row_of_last_month),
    Period(2026, 3): (_no_first_date, _under_two_partners, _word_as_count, _negative_count),
    Period(2026, 4): (_no_first_date, _suspended_early, _dissociated_early, _row_of_last_month),
    Period(2026, 5): (
        _no_first_date,
        _suspended_early,
        _under_two_partners,
        _percent_as_count,
        _negative_count,
        _exported_twice,
    ),
    Period(2026, 6): (_no_first_date, _no_first_date, _suspended_early, _under_two_partners, _row_of_last_month),
}
