"""May this month be published? The verdict over its controls and its undecided flags. Source: decision 11, spec 4.2."""

from dataclasses import dataclass

import polars as pl

FAIL, REVIEW, PASS = "FAIL", "REVIEW REQUIRED", "PASS"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` is the month's next state (published, in_review, refused); `reasons` say why it is not published."""

    state: str
    controls_status: str
    reasons: tuple[str, ...]

    @property
    def publish(self) -> bool:
        return self.state == "published"


def overall_status(controls: pl.DataFrame) -> str:
    """FAIL if any control fails, else REVIEW REQUIRED if any asks for it, else PASS."""
    statuses = set(controls["Status"])
    return next(status for status in (FAIL, REVIEW, PASS) if status in statuses or status == PASS)


def verdict(controls: pl.DataFrame, undecided: int, *, gated: bool) -> Verdict:
    """A failed control refuses publication always; undecided flags only behind the gate."""
    failed = controls.filter(pl.col("Status") == FAIL)["Control Check"].to_list()
    status = overall_status(controls)
    if failed:
        return Verdict("refused", status, tuple(f"control {name} failed" for name in failed))
    if gated and undecided:
        return Verdict("in_review", status, (f"{undecided} flags wait for a decision",))
    return Verdict("published", status, ())
