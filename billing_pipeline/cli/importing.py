"""Decisions read from a review workbook or from a decision file, checked as a whole.

What belongs here: rows and entries to wishes, faults to places. What does not: the checks (engine.usage), the file
formats (reports, engine.usage), recording (`reviewing`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from billing_pipeline.cli.reviewing import Review
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.usage import (
    WITHDRAW,
    Choice,
    Entry,
    Fault,
    Subject,
    Wish,
    checked,
    is_carried,
    kind_of,
    known_partners,
    partner_called,
    read_entries,
    row_at,
)
from billing_pipeline.reports.review_answers import FilledRow, read_review_workbook
from billing_pipeline.reports.review_workbook import (
    BLANK,
    DECISIONS,
    About,
    address,
    partner_label,
)

_LABEL = re.compile(r"(?P<name>.*\S) \[(?P<id>[^\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import comes to: checked wishes with their reasons, and what of it fits no flag, in words."""

    wishes: list[tuple[Wish, str]]
    left: list[str]


def from_workbook(review: Review, data: bytes, name: str, *, carry_over: bool) -> Taken:
    """The decisions that a person changed in a workbook. InputError lists everything wrong, by sheet and cell.

    A workbook of another usage file is refused, unless its unchanged rows are asked for (`carry_over`).
    """
    about, rows = read_review_workbook(data, name)
    if about.period != review.month.period.key:
        raise InputError(Problem(f"is the review of {about.period}, not of {review.month.period}", file=name))
    known = {subject.about: subject for subject in review.subjects().values()}
    changed = [row for row in rows if row.choice != row.before or row.reason]
    fits = [row for row in changed if _about(row) in known]
    left = [f"{row.flag} in row {row.row}" for row in changed if _about(row) not in known]
    if about.usage_sha256 != review.usage_sha256 and not carry_over:
        message = (
            f"was made of another usage file ({about.usage_name}); {len(fits)} of its {len(changed)} decisions fit "
            "this one. Export again, or take these with --carry-over"
        )
        raise InputError(Problem(message, file=name))
    labels = {partner_label(*partner): partner for partner in known_partners(review.usage, review.rules).iter_rows()}
    wishes = [Wish(known[_about(row)], _chosen(row, labels)) for row in fits]
    asked: dict[tuple[str, str, str], set[str]] = {}
    for row in fits:
        asked.setdefault(_about(row), set()).add(row.choice.action)
    problems = [
        Problem(message, name, None, DECISIONS, address(row.row, field), value)
        for row in fits
        for field, message, value in _incomplete(row, asked[_about(row)] - {""})
    ]
    problems += _overtaken(review, about, fits, wishes, name)
    incomplete = {problem.cell for problem in problems}
    taken, faults = checked(wishes, review.usage, known_partners(review.usage, review.rules), review.month.period)
    for fault in faults:
        row = fits[fault.index]
        cell = address(row.row, fault.field)
        if row.choice.action and cell not in incomplete:
            problems.append(Problem(fault.message, name, None, DECISIONS, cell, fault.value))
    if problems:
        raise InputError(sorted(problems, key=lambda problem: (int(re.sub(r"\D", "", problem.cell)), problem.cell)))
    return Taken([(wish, row.reason) for wish, row in zip(taken, fits, strict=True)], left)


def from_decision_file(review: Review, data: bytes, name: str) -> Taken:
    """The decisions of a published decision file for exactly this usage file. InputError lists every wrong entry."""
    entries = read_entries(data, name, review.usage_sha256, review.usage.height, review.month.period)
    subjects = review.subjects()
    flags = review.flags.select("flag_id", "row_index", "affected_row_indices")
    by_place = {(kind_of(flag), place): (subjects[flag], rows) for flag, place, rows in flags.iter_rows()}
    found: list[tuple[int, Wish]] = []
    problems: list[Problem] = []
    left: list[str] = []
    for entry in entries:
        key = (kind_of(entry.flag_id), min(entry.positions))
        subject, rows = by_place.get(key, (None, None)) if entry.flag_id else (_unflagged(review, entry), None)
        if subject is None:
            left.append(f"decision {entry.number} ({entry.flag_id})")
        elif rows is not None and set(rows) != set(entry.positions):
            problems.append(Problem(f"decision {entry.number}: names other rows than {entry.flag_id}", file=name))
        else:
            choice = Choice(entry.action, entry.set_date, entry.partner_name, entry.partner_id)
            found.append((entry.number, Wish(subject, choice)))
    partners = known_partners(review.usage, review.rules)
    taken, faults = checked([wish for _, wish in found], review.usage, partners, review.month.period)
    problems += [_of_entry(found[fault.index][0], fault, name) for fault in faults]
    if problems:
        raise InputError(problems)
    return Taken([(wish, "") for wish in taken], left)


def _unflagged(review: Review, entry: Entry) -> Subject | None:
    """The row or partner of an entry that names no flag."""
    at = review.usage.filter(pl.col("position") == min(entry.positions))["line"][0]
    row = row_at(review.usage, at)
    return partner_called(review.usage, row.partner_key) if row and entry.scope == "partner" else row


def _of_entry(number: int, fault: Fault, name: str) -> Problem:
    return Problem(f"decision {number}: {fault.field} {fault.message}", file=name, value=fault.value)


def _about(row: FilledRow) -> tuple[str, str, str]:
    return row.kind, row.scope, row.partner_key if row.scope == "partner" else row.row_id


def _chosen(row: FilledRow, labels: dict[str, tuple[str, str]]) -> Choice:
    """The choice of a row as a decision has it; what was filled in before and the action does not need is let go."""
    choice, before = row.choice, row.before
    needed = {
        "set_date": choice.action in ("set_date", "set_date_and_reassign"),
        "partner_name": choice.action in ("reassign", "set_date_and_reassign"),
        "cell": choice.action == "fix_cell",
        "value": choice.action == "fix_cell",
    }
    idle = [name for name in needed if not needed[name] and getattr(choice, name) == getattr(before, name)]
    choice = replace(choice, **dict.fromkeys(idle, ""))
    label = choice.partner_name
    written = _LABEL.fullmatch(label)
    name, key = labels.get(label) or ((written["name"], written["id"]) if written else (label, ""))
    return replace(choice, partner_name=name, partner_id=key, value="" if choice.value == BLANK else choice.value)


def _incomplete(row: FilledRow, asked: set[str]) -> Iterator[tuple[str, str, str]]:
    """Field, message and value of what only a workbook can get wrong; `asked`: the actions of all rows of the flag."""
    choice = row.choice
    if not choice.action:
        again = f"to take a decision back choose {WITHDRAW}" if row.before.action else "choose an action"
        yield "action", again, ""
    if choice.action == "fix_cell" and not choice.value:
        yield "value", f"write the new value; {BLANK} empties the cell", ""
    if len(asked) > 1:
        yield "action", f"the rows of one flag ask for different things: {', '.join(sorted(asked))}", choice.action


def _overtaken(
    review: Review, about: About, rows: Sequence[FilledRow], wishes: Sequence[Wish], name: str
) -> Iterator[Problem]:
    """Rows that somebody decided differently after the workbook was made."""
    standing = review.standing()
    for row, wish in zip(rows, wishes, strict=True):
        made = standing.get(wish.subject.about, [])
        newer = [d for d in made if d.id > about.last_decision and not is_carried(d) and d.choice != _plain(wish)]
        if newer and not any(d.choice == _plain(wish) for d in made):
            message = f"was decided since by {newer[-1].reviewer}: {newer[-1].action}; export the workbook again"
            yield Problem(message, name, None, DECISIONS, address(row.row, "action"), row.choice.action)


def _plain(wish: Wish) -> tuple[str, ...]:
    choice = wish.choice
    return choice.action, choice.set_date, choice.partner_name, choice.partner_id, choice.cell, choice.value
