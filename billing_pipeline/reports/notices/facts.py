"""What notices are made of: facts of a month, of a failed control, of a failed run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing_pipeline.engine.period import Period


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """What is told of a month. `billed`: the amount in import files; `last_month`: that of the month before, if known.

    controls: overall status of Audit & Controls. unpriced: rows by reason. undecided: flags by type. reasons: why the
    month waits. page: the address of the run in the pages.
    """

    period: Period
    controls: str
    rows: int
    partners: int
    billed: Decimal
    held: Decimal = Decimal(0)
    last_month: Decimal | None = None
    unpriced: Mapping[str, int] = field(default_factory=dict)
    undecided: Mapping[str, int] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    usage_name: str = ""
    release: int = 0
    run_id: str = ""
    page: str = ""


@dataclass(frozen=True, slots=True)
class ControlFacts:
    """A row of Audit & Controls that failed."""

    name: str
    input: Decimal
    output: Decimal
    variance: Decimal


@dataclass(frozen=True, slots=True)
class FailureFacts:
    """A run that failed. `attempt` of at most `attempts`; 0: a person started it.

    `task`: what could not be done with the month. `input_at_fault`: a file is wrong; `disk_full`: one could not be
    written for want of space.
    """

    period: Period
    cause: Sequence[str]
    input_at_fault: bool
    attempt: int = 0
    attempts: int = 0
    usage_name: str = ""
    page: str = ""
    disk_full: bool = False
    task: str = "billed"
