"""Whether a person's choice about a flag, a row or a partner may be taken as a decision; everything wrong at once.

What belongs here: the checks. What does not: where a choice was written (command line, workbook, decision file), which
names its places itself. Source: Q31 (name and id together), Q32, Q34 (only offered actions, dates validated).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import polars as pl

from billing_pipeline.engine.cells import key_text, parse_dates
from billing_pipeline.engine.errors import printable
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules, partner_names
from billing_pipeline.engine.tables import source_columns
from billing_pipeline.engine.usage.decisions import DATED, FIX, MOVED, fixed_rows
from billing_pipeline.engine.usage.reading import cell_problems
from billing_pipeline.engine.usage.review import WITHDRAW
from billing_pipeline.engine.usage.subjects import Subject

FIXABLE = "any column of the file but PARTNER_ID and PARTNER_NAME (for these: reassign)"


@dataclass(frozen=True, slots=True)
class Choice:
    """An action and what it needs; empty texts where it needs nothing. `value` may be empty: the cell is blanked."""

    action: str
    set_date: str = ""
    partner_name: str = ""
    partner_id: str = ""
    cell: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A choice about a subject."""

    subject: Subject
    choice: Choice


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with wish number `index`, and in which field of its choice."""

    index: int
    field: str
    message: str
    value: str = ""


def checked(
    wishes: Sequence[Wish], usage: pl.DataFrame, partners: pl.DataFrame, period: Period
) -> tuple[list[Wish], list[Fault]]:
    """The wishes with their partners resolved to name and id, and every fault found (then none may be taken).

    `usage` is the untouched file; `partners` comes from known_partners().
    """
    taken: list[Wish] = []
    faults: list[Fault] = []
    columns = [c for c in source_columns(usage.columns) if c not in ("PARTNER_ID", "PARTNER_NAME")]
    known = _Partners(partners)
    for index, wish in enumerate(wishes):
        found = list(_faults(index, wish, columns))
        choice = wish.choice
        if not found and choice.action in MOVED:
            resolved = known.resolved(choice)
            if isinstance(resolved, str):
                found = [Fault(index, "partner_name", resolved, choice.partner_name or choice.partner_id)]
            else:
                choice = resolved
        faults += found
        taken.append(replace(wish, choice=choice))
    wrong = {fault.index for fault in faults}
    faults += _unreadable(
        [(n, w) for n, w in enumerate(taken) if w.choice.action == FIX and n not in wrong], usage, period
    )
    return taken, sorted(faults, key=lambda fault: fault.index)


def known_partners(usage: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The partners rows can be reassigned to, those of the file and those of the rules: name, id ("" for none).

    By name; a spelling of the file goes before one of the rules.
    """
    files = usage.select(
        key_text(pl.col("PARTNER_NAME")).alias("name"), key_text(pl.col("PARTNER_ID")).alias("id")
    ).unique()
    both = pl.concat([files.sort("name", "id"), partner_names(rules)]).filter(pl.col("name") != "")
    known = both.with_columns(key=pl.col("name").str.to_lowercase()).unique(
        ["key", "id"], keep="first", maintain_order=True
    )
    return known.sort("key", "id").drop("key")


class _Partners:
    """Look-ups of known partners by name and by id."""

    def __init__(self, partners: pl.DataFrame) -> None:
        self.by_name: dict[str, list[tuple[str, str]]] = {}
        self.by_id: dict[str, list[tuple[str, str]]] = {}
        for name, identifier in partners.select("name", "id").iter_rows():
            self.by_name.setdefault(name.casefold(), []).append((name, identifier))
            if identifier:
                self.by_id.setdefault(identifier, []).append((name, identifier))

    def resolved(self, choice: Choice) -> Choice | str:
        """The choice with name and id of its partner, or why they are not clear."""
        name, identifier = choice.partner_name.strip(), choice.partner_id.strip()
        named = self.by_name.get(name.casefold(), [])
        if not name:
            found = self.by_id.get(identifier, [])
            return (
                replace(choice, partner_name=found[0][0], partner_id=identifier) if found else self._unknown(identifier)
            )
        if identifier:
            ids = {known for _, known in named}
            if ids and identifier not in ids and identifier in self.by_id:
                return f"{identifier} is the id of {printable(self.by_id[identifier][0][0])}, not of this partner"
            return replace(choice, partner_name=name, partner_id=identifier)
        if not named:
            return self._unknown(name)
        if len(named) > 1:
            ids_text = ", ".join(known or "none" for _, known in named)
            return f"several partners have this name; give the id, one of {ids_text}"
        return replace(choice, partner_name=named[0][0], partner_id=named[0][1])

    def _unknown(self, text: str) -> str:
        near = get_close_matches(text.casefold(), self.by_name, n=3)
        meant = ", ".join(printable(self.by_name[name][0][0]) for name in near)
        hint = f"; did you mean {meant}?" if meant else ""
        return f"is no partner of the file or the rules; give name and id of a new one{hint}"


def _faults(index: int, wish: Wish, columns: list[str]) -> Iterator[Fault]:
    """What is wrong with a choice in itself: its action, and what the action needs or does not take."""
    choice, actions = wish.choice, wish.subject.actions
    if choice.action != WITHDRAW and choice.action not in actions:
        message = f"is not offered for this {wish.subject.flag_type or wish.subject.scope}: {', '.join(actions)}"
        yield Fault(index, "action", message, choice.action)
        return
    yield from _needless(index, choice)
    if choice.action in DATED and parse_dates(pl.Series([choice.set_date]))["value"][0] is None:
        yield Fault(index, "set_date", "is not a date; write it as YYYY-MM-DD", choice.set_date)
    if choice.action in MOVED and not (choice.partner_name.strip() or choice.partner_id.strip()):
        yield Fault(index, "partner_name", f"{choice.action} needs a partner")
    if choice.action == FIX and choice.cell not in columns:
        yield Fault(index, "cell", f"is not a column that can be corrected: {FIXABLE}", choice.cell)


def _needless(index: int, choice: Choice) -> Iterator[Fault]:
    """What was given and would be lost without a word."""
    partner = choice.partner_name or choice.partner_id
    cell = choice.value or (choice.cell if choice.action != WITHDRAW else "")
    given = (
        ("set_date", choice.set_date, DATED, "a date is given, but {} sets none"),
        ("partner_name", partner, MOVED, "a partner is given, but {} sets none"),
        ("cell", cell, (FIX,), "a cell is given, but {} corrects none"),
    )
    for field, value, actions, message in given:
        if value and choice.action not in actions:
            yield Fault(index, field, message.format(choice.action), value)


def _unreadable(fixes: Sequence[tuple[int, Wish]], usage: pl.DataFrame, period: Period) -> list[Fault]:
    """Corrected cells that are as before, or that cannot be read by the parser that reads the file."""
    wanted = pl.DataFrame(
        [(n, wish.subject.line, wish.choice.cell, wish.choice.value or None) for n, wish in fixes],
        schema={"index": pl.Int64, "line": pl.UInt32, "cell": pl.String, "value": pl.String},
        orient="row",
    )
    if wanted.is_empty():
        return []
    rows = usage.filter(pl.col("line").is_in(wanted["line"].implode()))
    placed = wanted.join(rows.select("line", "position"), on="line", maintain_order="left")
    latest = placed.unique(["position", "cell"], keep="last", maintain_order=True)
    found = cell_problems(fixed_rows(rows, latest, period), period)
    wrong = latest.join(found, on=["position", "cell"], maintain_order="left").select("index", "value", "problem")
    faults = [Fault(index, "value", problem, value or "") for index, value, problem in wrong.iter_rows()]
    before = {row["line"]: row for row in rows.iter_rows(named=True)}
    for index, line, cell, value in wanted.select("index", "line", "cell", "value").iter_rows():
        if before[line][cell] == value:
            faults.append(Fault(index, "value", "is what the cell holds already", value or ""))
    return faults
