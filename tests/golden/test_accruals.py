"""Four recorded months of accruals: journal entry, totals, support workbook and variance of the reference system."""

from tests.golden.conftest import Bill, Outcome

BOOKED = Outcome(code=0, agrees=True)


def test_a_clean_month_is_accrued_with_every_kind_of_revenue(accrue: Bill) -> None:
    """25 customers, seven of them at their minimum, next-day fees; 26 lines of variance, most of them material."""
    assert accrue("clean") == BOOKED


def test_december_is_accrued_from_november_within_the_year(accrue: Bill) -> None:
    assert accrue("december") == BOOKED


def test_the_second_month_of_a_story_is_accrued_from_the_last_year_at_the_next_step_of_its_minimums(
    accrue: Bill,
) -> None:
    assert accrue("story-2") == BOOKED


def test_the_third_month_is_accrued_at_the_prices_that_begin_with_it(accrue: Bill) -> None:
    """January's usage at February's prices; the variance is of companies, volume and tiers, and of no price."""
    assert accrue("story-3") == BOOKED
