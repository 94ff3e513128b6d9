"""A month under review: the frames of its last scan with the decisions of this moment, and new decisions on them.

What belongs here: loading, scanning again when usage or rules have changed, recording. What does not: options and
printing (`review`), workbooks and decision files (`importing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.deciding import recorded_decisions
from billing_pipeline.cli.closing import Month, progress_bar, run_month
from billing_pipeline.cli.console import say
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.rules import Rules, rules_from_frame
from billing_pipeline.engine.usage import (
    Decision,
    Subject,
    Wish,
    decisions_frame,
    flag_subjects,
    in_force,
    no_decisions,
    read_decisions,
    review_flags,
    together,
)
from billing_pipeline.resources import reviews
from billing_pipeline.resources.files import read_whole, sha256_of
from billing_pipeline.resources.inputs import InputFiles

_NEEDED = ("usage_file", "usage_rows", "billing_rules", "usage_warnings")


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """What there is to decide about a month. `made`: every decision on the file, oldest first; `left`: those of the
    month's file before it that do not fit it; `decisions`, `flags`: frames of the engine.
    """

    month: Month
    usage_name: str
    usage_sha256: str
    usage: pl.DataFrame
    rules: Rules
    made: list[Decision]
    left: list[Decision]
    decisions: pl.DataFrame
    flags: pl.DataFrame

    @property
    def undecided(self) -> int:
        return self.flags["decision"].null_count()

    @property
    def last_decision(self) -> int:
        return self.made[-1].id if self.made else 0

    def subjects(self) -> dict[str, Subject]:
        """The subject of every flag by the flag's id."""
        return dict(zip(self.flags["flag_id"], flag_subjects(self.flags), strict=True))

    def standing(self) -> dict[tuple[str, str, str], list[Decision]]:
        """The recorded decisions in force, by what they are about."""
        found: dict[tuple[str, str, str], list[Decision]] = {}
        for decision in in_force(self.made):
            found.setdefault(decision.about, []).append(decision)
        return found


def scanned(month: Month) -> Review:
    """Scan the month now and open its review."""
    with progress_bar() as progress:
        run_month(month, "scan_month", progress)
    return _opened(month)


def opened(month: Month) -> Review:
    """The review of the last scan; scanned first, and said, when there is none or usage or rules have changed."""
    inputs = month.inputs
    changed = _changed(month, inputs)
    if changed:
        say(f"[dim]{changed}; scanning {month.period}[/dim]")
        return scanned(month)
    return _opened(month)


def recorded(review: Review, wishes: Sequence[tuple[Wish, str]], reviewer: str) -> list[Decision]:
    """Record checked wishes, each with its reason, in one transaction; the decisions that are new.

    A wish that is in force already, and whose reason adds nothing, is left out: doing it again changes nothing.
    """
    now = datetime.now(UTC)
    asked = [_decision(review, wish, reviewer, reason, now) for wish, reason in wishes]

    def work(connection: sa.Connection) -> list[Decision]:
        made = reviews.history(connection, review.month.period, review.usage_sha256)
        standing = {(d.about, d.choice): d for d in in_force(made)}
        new = [d for d in asked if not _holds(standing.get((d.about, d.choice)), d)]
        decided = {d.about for d in in_force(made)}
        new = [d for d in new if d.action != "withdraw" or d.about in decided]
        reviews.decide(connection, new)
        return new

    return review.month.database.run(work)


def reopened(review: Review) -> Review:
    """The review with the decisions of this moment."""
    return _opened(review.month)


def _holds(standing: Decision | None, asked: Decision) -> bool:
    return standing is not None and asked.reason in ("", standing.reason)


def _decision(review: Review, wish: Wish, reviewer: str, reason: str, now: datetime) -> Decision:
    about, choice = wish.subject, wish.choice
    return Decision(
        review.month.period, review.usage_sha256, about.flag_type, about.scope, about.row_id, about.partner_key,
        about.line, about.subject, choice.action, reviewer, now, choice.set_date.strip(), choice.partner_name,
        choice.partner_id, choice.cell, choice.value, reason.strip(),
    )  # fmt: skip


def _opened(month: Month) -> Review:
    file = month.frame("usage_file").row(0, named=True)
    usage, rules = month.frame("usage_rows"), rules_from_frame(month.frame("billing_rules"))
    made, left = recorded_decisions(month.database, month.period, file["sha256"], usage.lazy(), rules)
    filed, path = no_decisions(), month.inputs.overrides_path()
    if path is not None:
        required = bool(month.resources["inputs"].overrides_file)
        filed = read_decisions(
            read_whole(path), path.name, file["sha256"], file["records"], month.period, required=required
        )
    decisions = together(filed, decisions_frame(made, usage))
    flags = review_flags(usage, rules, decisions, month.period)
    return Review(month, file["name"], file["sha256"], usage, rules, made, left, decisions, flags)


def _changed(month: Month, inputs: InputFiles) -> str:
    """What of the last scan does not hold any more, in words; empty when all of it does."""
    if not all(month.outputs.has_frame(asset, month.period) for asset in _NEEDED):
        return "nothing was scanned yet"
    if sha256(inputs.rules_workbook()[0]).hexdigest() != month.frame("billing_rules")["sha256"][0]:
        return "the rules workbook has changed since the last scan"
    file = month.frame("usage_file").row(0, named=True)
    path = _usage_path(month, inputs, Path(file["path"]))
    seen = path.stat()
    same = (str(path), seen.st_size, seen.st_mtime_ns) == (file["path"], file["size"], file["modified"])
    return "" if same or sha256_of(path) == file["sha256"] else "the usage file has changed since the last scan"


def _usage_path(month: Month, inputs: InputFiles, last: Path) -> Path:
    """The month's usage file; of several, the one that was scanned last."""
    try:
        return inputs.usage_path(month.period)
    except InputError:
        if last.is_file():
            return last
        raise
