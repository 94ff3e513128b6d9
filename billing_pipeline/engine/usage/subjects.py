"""What can be decided about: flags, and rows or partners that nobody flagged.

What belongs here: naming the subject of a decision. What does not: the checks of the choice made about it (`choices`).
"""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.pricing.partners import with_keys
from billing_pipeline.engine.usage.flags import PARTNER_ACTIONS, ROW_ACTIONS, kind_of
from billing_pipeline.engine.usage.identity import partner_subject, row_identities, row_subject
from billing_pipeline.engine.usage.review import PARTNER, ROW


@dataclass(frozen=True, slots=True)
class Subject:
    """What is decided about: a flag, or a row or partner without one (`flag_type` empty). Fields as of a Decision."""

    flag_type: str
    scope: str
    row_id: str
    partner_key: str
    line: int
    subject: str
    actions: tuple[str, ...]

    @property
    def about(self) -> tuple[str, str, str]:
        """As of a Decision: what is decided about."""
        return self.flag_type, self.scope, self.partner_key if self.scope == PARTNER else self.row_id


def flag_subjects(flags: pl.DataFrame) -> list[Subject]:
    """The subject of every flag of review_flags(), in its order."""
    called = pl.when(pl.col("scope") == PARTNER).then(partner_subject()).otherwise(row_subject())
    rows = flags.select(
        "flag_id", "scope", "row_id", "partner_key", "line", called.alias("subject"), "available_actions"
    )
    return [
        Subject(kind_of(flag), scope, row_id, key, line, subject, tuple(actions))
        for flag, scope, row_id, key, line, subject, actions in rows.iter_rows()
    ]


def row_at(usage: pl.DataFrame, line: int) -> Subject | None:
    """The row that begins at a physical line of the file, flagged or not."""
    row = with_keys(usage.filter(pl.col("line") == line))
    return _unflagged(usage, row, ROW, row_subject(), ROW_ACTIONS) if row.height else None


def partner_called(usage: pl.DataFrame, partner: str) -> Subject | None:
    """The partner with this id or name (in any letter case), by its first row in pricing order."""
    wanted = partner.strip().lower()
    key, name = pl.col("partner_key").str.to_lowercase(), pl.col("name_key")
    rows = with_keys(usage.filter(pl.col("PARTNER_ID").is_not_null() | pl.col("PARTNER_NAME").is_not_null()))
    found = rows.filter((key == wanted) | (name == wanted)).sort(key != wanted, "position").head(1)
    return _unflagged(usage, found, PARTNER, partner_subject(), PARTNER_ACTIONS) if wanted and found.height else None


def _unflagged(
    usage: pl.DataFrame, row: pl.DataFrame, scope: str, called: pl.Expr, actions: tuple[str, ...]
) -> Subject:
    row_id = row_identities(usage, row["position"])["row_id"][0]
    key, line, subject = row.select("partner_key", "line", called.alias("subject")).row(0)
    return Subject("", scope, row_id, key, line, subject, actions)
