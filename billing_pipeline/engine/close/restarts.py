"""Which waiting month is run again, and why: it was approved, decided to the end, or its rules changed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_pipeline.engine.close.states import PENDING, PRICED, REBILL, REFUSED

_QUIET = timedelta(seconds=15)  # people decide one flag after the other: the run waits for the last


@dataclass(frozen=True, slots=True)
class Waiting:
    """A month as its last event left it, and what people did since.

    since: when it came into its state. release: the number that its next release would have. run_decision: the last
    decision its run knew; last_decision, decided_at: the last one there is now. approvals: who approved exactly this
    usage file and rules workbook with that last decision.
    """

    state: str
    since: datetime
    rules_sha256: str
    release: int
    run_decision: int
    last_decision: int
    decided_at: datetime | None
    approvals: Collection[str]


def restart_cause(waiting: Waiting, rules_sha256: str, required: int, now: datetime) -> str:
    """Why the month is run again, as part of the run's key; "" when it is not. `rules_sha256`: of the workbook now.

    A changed workbook is another draft, and another review: once for each workbook since the month came into its state,
    so that one which was there before is looked at again. Approvals count when they are enough for the month's state,
    and again for each release, because a release can be taken back.
    """
    if waiting.state not in PENDING and waiting.state != REFUSED:
        return ""
    if rules_sha256 and rules_sha256 != waiting.rules_sha256:
        return f"rules-{rules_sha256[:16]}-{waiting.since:%Y%m%dT%H%M%SZ}"
    least = max(1, required) if waiting.state in (PRICED, REBILL) else required
    given = len({name.casefold() for name in waiting.approvals})
    if waiting.state in PENDING and least and given >= least:
        return f"approved-{waiting.last_decision}-{given}-r{waiting.release}"
    fresh = waiting.last_decision > waiting.run_decision and waiting.decided_at is not None
    if not least and fresh and waiting.decided_at is not None and now - waiting.decided_at >= _QUIET:
        return f"decided-{waiting.last_decision}"
    return ""
