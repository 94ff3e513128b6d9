"""Decisions as facts: who decided what about which row or partner, which of them are in force, and where they apply.

What belongs here: the record, its order, its places in a file. What does not: what a decision does to a row
(`decisions`), whether a choice may be made at all (`choices`), where records are kept (resources).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing.partners import with_keys
from billing_pipeline.engine.usage.decisions import FIX, no_decisions

WITHDRAW = "withdraw"
ROW, PARTNER = "row", "partner"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one flag, or about one row or partner that nobody flagged (`flag_type` empty).

    `flag_type` is the kind in the flag's id. `row_id` and `line`: of the row, or of the partner's first one.
    The action `withdraw` takes back what was decided on the same subject. `id` is the database's, 0 before it is there.
    """

    period: Period
    usage_sha256: str
    flag_type: str
    scope: str
    row_id: str
    partner_key: str
    line: int
    subject: str
    action: str
    reviewer: str
    decided_at: datetime
    set_date: str = ""
    partner_name: str = ""
    partner_id: str = ""
    cell: str = ""
    value: str = ""
    reason: str = ""
    id: int = 0

    @property
    def about(self) -> tuple[str, str, str]:
        """The subject: flag, scope, and row or partner. A later decision on it replaces this one."""
        return self.flag_type, self.scope, self.partner_key if self.scope == PARTNER else self.row_id

    @property
    def choice(self) -> tuple[str, ...]:
        """What was decided, without who, when and why."""
        return self.action, self.set_date, self.partner_name, self.partner_id, self.cell, self.value


def in_force(made: Iterable[Decision]) -> list[Decision]:
    """The last decision on each subject, in the order they were made (oldest first); withdrawn ones are gone.

    Corrections of different cells of one row hold together; any other decision on the row's flag replaces them all.
    """
    last: dict[tuple[str, str, str], list[Decision]] = {}
    for decision in made:
        before = last.pop(decision.about, [])
        both = decision.action == FIX or (decision.action == WITHDRAW and decision.cell)
        kept = [other for other in before if both and other.action == FIX and other.cell != decision.cell]
        last[decision.about] = kept if decision.action == WITHDRAW else [*kept, decision]
    return [decision for decisions in last.values() for decision in decisions]


def decisions_frame(records: Iterable[Decision], usage: pl.DataFrame) -> pl.DataFrame:
    """The decisions in force as apply_decisions() takes them: one row per decided usage row, by position.

    `usage` needs line, position, PARTNER_ID and PARTNER_NAME of the untouched file the decisions were made on. A
    decision about a partner is about all its rows (Q32). The same decisions give the same frame, whoever made them and
    when.
    """
    made = list(in_force(records))
    frame = pl.DataFrame(
        [
            (n, d.flag_type, d.scope, d.line, d.partner_key, *(value or None for value in d.choice))
            for n, d in enumerate(made)
        ],
        schema={
            "order": pl.UInt32, "flag_id": pl.String, "scope": pl.String, "line": pl.UInt32, "partner_key": pl.String,
            **{name: dtype for name, dtype in no_decisions().schema.items() if name not in ("position", "flag_id")},
        },
        orient="row",
    )  # fmt: skip
    by_row, by_partner = frame.filter(pl.col("scope") == ROW), frame.filter(pl.col("scope") == PARTNER)
    lines = usage.select("line", "position").filter(pl.col("line").is_in(by_row["line"].implode()))
    found = [by_row.join(lines, on="line")]
    if by_partner.height:
        partners = with_keys(usage.select("position", "PARTNER_ID", "PARTNER_NAME")).select("position", "partner_key")
        found.append(by_partner.join(partners, on="partner_key"))
    placed = pl.concat(found, how="diagonal").sort("position", "order")
    return placed.select(no_decisions().columns)


def together(file: pl.DataFrame, recorded: pl.DataFrame) -> pl.DataFrame:
    """The decisions of a decision file and recorded ones: a recorded one replaces what the file says of its flag."""
    kind = pl.col("flag_id").str.replace(r"_[0-9]+$", "").alias("kind")
    decided = recorded.select(kind, "position")
    return pl.concat(
        [file.with_columns(kind).join(decided, on=["kind", "position"], how="anti").drop("kind"), recorded]
    )
