"""Nine recorded months of usage billing: files, amounts, flags and controls as the reference system made them.

Each case runs from the command line and from materialised assets. `agrees` is the verdict of `compare.py`, which prints
what differs. Exit code 3: published, and something waits for a person.
"""

from tests.golden.conftest import Bill, Outcome

PUBLISHED = Outcome(code=0, agrees=True)
PUBLISHED_BUT_LOOK = Outcome(code=3, agrees=True)


def test_one_partner_is_billed_at_the_tier_of_its_volume_and_topped_up_to_the_minimum_of_its_fifteenth_month(
    bill: Bill,
) -> None:
    """40 companies reach the tier 25 to 99; the third step of the minimum schedule applies."""
    assert bill("one-partner") == PUBLISHED


def test_a_clean_month_bills_every_metric_in_both_modes_with_nothing_to_review(bill: Bill) -> None:
    """400 companies of 25 partners: ER, IU, FLAT, IU_PER_ER as ALL_IN and SPLIT, an included user or none, prices of
    four decimals, next-day fees, seven minimums, and two minimums whose end has passed."""
    assert bill("clean") == PUBLISHED


def test_december_ends_the_year_in_its_dates_and_ids_and_shows_the_anniversaries_of_its_export(bill: Bill) -> None:
    """IS_MRB and MRB_BILLING_ANNIVERSARY are shown to the partners that have them, and to no others."""
    assert bill("december") == PUBLISHED


def test_a_messy_month_is_read_whatever_its_headers_and_its_bad_rows_are_flagged_and_not_lost(bill: Bill) -> None:
    """Other header names, `$7.13`, Excel serials, counts like -3 and 15.0, rows without date, partner or company; 29
    rows without a price stay in every report, lines of unmapped partners are held."""
    assert bill("messy") == PUBLISHED_BUT_LOOK


def test_decisions_remove_rows_and_partners_and_set_dates_and_the_controls_count_what_is_left(bill: Bill) -> None:
    """20 of 300 rows are removed by row and by partner; the changes are listed in the report."""
    assert bill("overrides") == PUBLISHED_BUT_LOOK


def test_quirks_of_tiers_metrics_minimums_and_speeds_are_billed_as_the_reference_does(bill: Bill) -> None:
    """A value in a gap takes the last tier, of overlapping tiers the higher start; the first metric and SPLIT win;
    ACH_SPEED alone counts as FLAT; a name alone is a key; `21-day` is next-day; a company twice pays twice; of
    overlapping minimums the first applies, up to its last month; a minimum without usage is not billed; a decision
    moves a row to another partner and keeps its place."""
    assert bill("quirks") == PUBLISHED_BUT_LOOK


def test_the_first_month_of_a_story_starts_its_minimum_schedules(bill: Bill) -> None:
    assert bill("story-1") == PUBLISHED


def test_the_second_month_moves_a_partner_to_the_next_step_of_its_minimum(bill: Bill) -> None:
    """Alder Payroll's seventh month; companies have left and come since December."""
    assert bill("story-2") == PUBLISHED


def test_the_third_month_is_billed_at_the_prices_of_its_own_workbook(bill: Bill) -> None:
    """New prices from February on, same schedules, more companies."""
    assert bill("story-3") == PUBLISHED
