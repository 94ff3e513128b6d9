"""The states of a month and which may follow which. Source: "States of a month" of the interface document."""

from billing_pipeline.engine.errors import GateError

WAITING, IN_REVIEW, PRICED, REFUSED = "waiting_for_usage", "in_review", "priced", "refused"
PUBLISHED, REBILL, CLOSED = "published", "rebill_waiting", "closed"

UNRELEASED = frozenset({WAITING, IN_REVIEW, PRICED, REFUSED})
"""States of a month of which nothing was sent: each may follow each, and publication ends them."""
RELEASED = frozenset({PUBLISHED, REBILL, CLOSED})
"""States of a month that has a release: what differs from it waits for a person, and leaves as adjustments."""
PENDING = frozenset({IN_REVIEW, PRICED, REBILL})
"""States in which a person is asked for something."""


def next_state(before: str, after: str) -> str:
    """`after`, if it may follow `before`; GateError otherwise (only `void` brings a released month back).

    A failed control refuses the draft of a released month too: the month then stays in the state it had.

    >>> next_state("in_review", "published")
    'published'
    >>> next_state("published", "refused")
    'published'
    """
    if before in RELEASED and after == REFUSED:
        return before
    if before in RELEASED and after in UNRELEASED and after != WAITING:
        raise GateError(f"a month that is {before} cannot become {after}: what was sent stays sent")
    if before in UNRELEASED and after in (REBILL, CLOSED):
        raise GateError(f"a month that is {before} cannot become {after}: nothing of it was sent")
    return after
