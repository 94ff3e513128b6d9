"""Recorded decisions, for the assets and commands that need them: read, and taken over once from an earlier file."""

from collections.abc import Iterable

import dagster as dg
import polars as pl
import sqlalchemy as sa

from billing_pipeline.assets.metadata import preview
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import Rules
from billing_pipeline.engine.usage import Decision, carried, no_decisions, review_flags
from billing_pipeline.resources import reviews
from billing_pipeline.resources.database import Database


def recorded_decisions(
    database: Database, period: Period, usage_sha256: str, usage: pl.LazyFrame, rules: Rules
) -> tuple[list[Decision], list[Decision]]:
    """Every decision on a usage file, oldest first, and those on the month's file before it that do not fit it.

    A file without decisions of its own takes over those whose row or partner flag is unchanged.
    """

    def read(connection: sa.Connection) -> tuple[list[Decision], list[Decision]]:
        made = reviews.history(connection, period, usage_sha256)
        return made, reviews.carried_over(connection, period, usage_sha256)

    made, earlier = database.run(read)
    if earlier and not made:
        rows = usage.collect()
        taken, _ = carried(earlier, rows, review_flags(rows, rules, no_decisions(), period), usage_sha256)

        def take_over(connection: sa.Connection) -> list[Decision]:
            if not reviews.history(connection, period, usage_sha256):  # again in case the first answer was lost
                reviews.decide(connection, taken)
            return reviews.history(connection, period, usage_sha256)

        made = database.run(take_over)
    known = {(decision.about, decision.cell) for decision in made}
    return made, [decision for decision in earlier if (decision.about, decision.cell) not in known]


def decisions_preview(decisions: Iterable[Decision]) -> dg.MarkdownMetadataValue:
    """Who decided what, when and why, for Dagster's pages."""
    names = ("line", "flag_type", "subject", "action", "set_date", "partner_name", "cell", "value")
    rows = [
        (*(getattr(decision, name) for name in names), decision.reviewer, str(decision.decided_at), decision.reason)
        for decision in decisions
    ]
    schema = [*names, "reviewer", "decided_at", "reason"]
    return preview(pl.DataFrame(rows, schema=schema, orient="row"), 50)
