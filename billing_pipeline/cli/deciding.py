"""One decision from the command line: which flags it is about, checked, recorded."""

from dataclasses import replace

from billing_pipeline.cli.reviewing import Review, recorded, reopened
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.usage import (
    WITHDRAW,
    Choice,
    Decision,
    Subject,
    Wish,
    checked,
    known_partners,
    partner_called,
    row_at,
)

_OPTIONS = {
    "action": "--action", "set_date": "--date", "partner_name": "--to-partner", "partner_id": "--to-id",
    "cell": "--cell", "value": "--value",
}  # fmt: skip


def decided(
    review: Review, choice: Choice, reviewer: str, reason: str, *, flag: str | None, line: int | None,
    partner: str | None,
) -> tuple[list[Decision], Review]:  # fmt: skip
    """Record a choice; the new decisions and the review after them. InputError names the options that cannot be."""
    if sum(given is not None for given in (flag, line, partner)) != 1:
        raise InputError("say what is decided about: one of --flag, --line, --partner")
    if flag is not None:
        subjects = [_flag(review, flag)]
    else:
        whole = _row(review, line) if line is not None else _partner(review, str(partner))
        subjects = _narrowed(review, whole, choice)
    standing = review.standing()
    if choice.action == WITHDRAW:
        subjects = [subject for subject in subjects if subject.about in standing]
        if not subjects:
            raise InputError("nothing was decided about it that could be taken back")
    wishes = [Wish(subject, choice) for subject in subjects]
    taken, faults = checked(wishes, review.usage, known_partners(review.usage, review.rules), review.month.period)
    if faults:
        first = [fault for fault in faults if fault.index == faults[0].index]
        raise InputError([Problem(fault.message, cell=_OPTIONS[fault.field], value=fault.value) for fault in first])
    new = recorded(review, [(wish, reason) for wish in taken], reviewer)
    return new, reopened(review)


def _flag(review: Review, flag: str) -> Subject:
    subjects = review.subjects()
    if flag not in subjects:
        known = ", ".join(list(subjects)[:5]) or "none"
        more = ", …" if len(subjects) > 5 else ""
        raise InputError(Problem(f"is no flag of {review.month.period}: {known}{more}", cell="--flag", value=flag))
    return subjects[flag]


def _row(review: Review, line: int) -> Subject:
    subject = row_at(review.usage, line)
    if subject is None:
        raise InputError(Problem("no row of the usage file begins at this line", cell="--line", value=str(line)))
    return subject


def _partner(review: Review, partner: str) -> Subject:
    subject = partner_called(review.usage, partner)
    if subject is None:
        raise InputError(Problem("is no partner of the usage file", cell="--partner", value=partner))
    return subject


def _narrowed(review: Review, whole: Subject, choice: Choice) -> list[Subject]:
    """The flags of the row or partner that offer the action, or the row or partner itself when it has no flag."""
    same = [
        subject
        for subject in review.subjects().values()
        if subject.scope == whole.scope and replace(whole, flag_type=subject.flag_type).about == subject.about
    ]
    offering = [subject for subject in same if choice.action == WITHDRAW or choice.action in subject.actions]
    if choice.action == WITHDRAW:
        return [*same, whole]
    return offering or same or [whole]
