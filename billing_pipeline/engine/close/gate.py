"""May this month be published? The verdict over its controls, flags, approvals and what was sent of it before.

Source: decision 11, spec 4.2, Q29, Q58.
"""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.close.states import IN_REVIEW, PRICED, PUBLISHED, REBILL, REFUSED

FAIL, REVIEW, PASS = "FAIL", "REVIEW REQUIRED", "PASS"


@dataclass(frozen=True, slots=True)
class Sending:
    """What else decides over a month that is sent to people: approvals of exactly this draft, and the last release.

    approvals: who approved. required: how many different people a reviewed month needs. manual: a month without
    questions needs one, too. released: a release exists; differs: the draft's invoice lines are not what it sent.
    closed: the ledger takes no entries of the month.
    """

    approvals: tuple[str, ...] = ()
    required: int = 1
    manual: bool = False
    released: bool = False
    differs: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` is the month's next state; `reasons` say why it is not published. `unchanged`: all of it was sent."""

    state: str
    controls_status: str
    reasons: tuple[str, ...]
    unchanged: bool = False

    @property
    def publish(self) -> bool:
        return self.state == PUBLISHED and not self.unchanged


def overall_status(controls: pl.DataFrame) -> str:
    """FAIL if any control fails, else REVIEW REQUIRED if any asks for it, else PASS."""
    statuses = set(controls["Status"])
    return next(status for status in (FAIL, REVIEW, PASS) if status in statuses or status == PASS)


def verdict(controls: pl.DataFrame, decisions: pl.Series, *, gated: bool, sending: Sending | None = None) -> Verdict:
    """A failed control refuses publication always; undecided flags (nulls of `decisions`, one for each flag) only
    behind the gate; approvals and earlier releases only where months are sent to people (`sending`).
    """
    status = overall_status(controls)
    failed = controls.filter(pl.col("Status") == FAIL)["Control Check"].to_list()
    if failed:
        return Verdict(REFUSED, status, tuple(f"control {name} failed" for name in failed))
    if sending and sending.released and not sending.differs:
        return Verdict(PUBLISHED, status, (), unchanged=True)
    undecided = decisions.null_count()
    if gated and undecided:
        waits = "1 flag waits" if undecided == 1 else f"{undecided} flags wait"
        return Verdict(REBILL if sending and sending.released else IN_REVIEW, status, (f"{waits} for a decision",))
    return _sent(status, len(decisions), sending) if sending else Verdict(PUBLISHED, status, ())


def _sent(status: str, flags: int, sending: Sending) -> Verdict:
    least = max(1, sending.required)
    given = len({name.casefold() for name in sending.approvals})
    if sending.released:
        missing = f"{given} of {least} approvals of the difference to what was sent"
        return Verdict(PUBLISHED if given >= least else REBILL, status, () if given >= least else (missing,))
    if sending.closed:
        return Verdict(REFUSED, status, ("the ledger period is closed",))
    if flags and given < sending.required:
        return Verdict(IN_REVIEW, status, (f"{given} of {sending.required} approvals of the decisions",))
    if sending.manual and given < least:
        return Verdict(PRICED, status, (f"{given} of {least} approvals to publish",))
    return Verdict(PUBLISHED, status, ())
