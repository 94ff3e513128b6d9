"""The billing month: its spellings, its days, its neighbours, and what is no month."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period

periods = st.builds(Period, st.integers(1900, 2199), st.integers(1, 12))


@pytest.mark.parametrize("text", ["2026-01", "2026.01", "2026/01", "202601", " 2026-01 "])
def test_a_month_is_read_in_four_spellings(text: str) -> None:
    assert Period.parse(text) == Period(2026, 1)


@pytest.mark.parametrize("text", ["", "2026", "2026-1", "26-01", "2026-01-01", "01/2026", "January 2026", "2026_01"])
def test_another_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as refused:
        Period.parse(text)
    assert str(refused.value) == f"{text!r} is not a month; write it as YYYY-MM, for example 2026-01"


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "1899-12", "2200-01"])
def test_a_month_outside_the_calendar_or_three_centuries_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        Period.parse(text)
    assert str(refused.value) == f"{text} is not a month between 1900-01 and 2199-12"


def test_one_month_in_every_spelling_the_outputs_use() -> None:
    january = Period(2026, 1)
    assert (january.key, january.dotted, january.compact) == ("2026-01", "2026.01", "202601")
    assert (january.title, str(january)) == ("January 2026", "2026-01")


@pytest.mark.parametrize(
    ("period", "last"),
    [(Period(2026, 1), 31), (Period(2026, 2), 28), (Period(2024, 2), 29), (Period(1900, 2), 28), (Period(2026, 4), 30)],
)
def test_a_month_ends_on_its_own_last_day(period: Period, last: int) -> None:
    assert period.first == date(period.year, period.month, 1)
    assert period.last == date(period.year, period.month, last)


def test_december_is_followed_by_january_of_the_next_year() -> None:
    assert Period(2025, 12).next == Period(2026, 1)
    assert Period(2026, 1).previous == Period(2025, 12)


@given(periods.filter(lambda p: p != Period(2199, 12)))
def test_the_next_month_begins_the_day_after_and_leads_back(period: Period) -> None:
    assert (period.next.first - period.last).days == 1
    assert period.next.previous == period
    assert period < period.next


@given(periods)
def test_a_month_is_found_by_its_key_and_by_its_days(period: Period) -> None:
    assert Period.parse(period.key) == Period.parse(period.dotted) == Period.parse(period.compact) == period
    assert Period.of(period.first) == Period.of(period.last) == period


@pytest.mark.parametrize(
    ("start", "index"),
    [
        (date(2026, 1, 31), 1),
        (date(2026, 1, 1), 1),
        (date(2025, 12, 31), 2),
        (date(2025, 1, 1), 13),
        (date(2026, 2, 1), 0),
        (date(2027, 1, 1), -11),
    ],
)
def test_months_are_counted_from_the_start_month_as_one(start: date, index: int) -> None:
    assert Period(2026, 1).months_since(start) == index
