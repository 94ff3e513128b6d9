"""Behind the pulled listings: what is on hand, whether it is frozen, a pull and what it changes.

A month's listing is pulled while the month lasts, and once more when it is over; then it is frozen, so that the month
always computes to the same cents. A pull begins with what was on hand, of this month or the last one before it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl

from billing_pipeline.assets.metadata import preview
from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.managed_services import pulled
from billing_pipeline.engine.managed_services.listings import typed
from billing_pipeline.engine.managed_services.merging import merged, merged_entries, without_tickets
from billing_pipeline.engine.period import Period
from billing_pipeline.partitions import period_of
from billing_pipeline.resources.client_sources import ClientSources
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import PULL

ALWAYS, BOOK, NEVER = "always", "book", "never"


def captured(
    context: dg.AssetExecutionContext, name: str, sources: ClientSources, outputs: OutputFiles, rules: ClientRules
) -> pl.DataFrame:
    """The month's listing as pulled.stored(): pulled now, or as it was frozen. Errors as ClientSources.pull."""
    period, mode = period_of(context), context.run.tags.get(PULL, "")
    before = on_hand(outputs, name, period)
    mine = outputs.has_frame(name, period)
    if before is not None and mine and (mode == NEVER or (mode != ALWAYS and is_frozen(before, period, rules.zone))):
        context.add_output_metadata({"captured": f"{pulled.pulled_at(before)}", "rows": before.height, "pulled": False})
        return before
    if mode == NEVER:
        if before is None:
            raise InputError(Problem("was never pulled, and this run may not", cell=f"{name} of {period}"))
        return before
    found, counts = pulled_now(name, before, sources, rules)
    problems = pulled.problems_of(found)
    context.add_output_metadata(
        {
            "source": sources.named(name),
            "captured": f"{pulled.pulled_at(found)}",
            "pulled": True,
            **counts,
            "problems": problems.height,
            "problems_preview": preview(problems, 15),
        }
    )
    return found


def pulled_now(
    name: str, before: pl.DataFrame | None, sources: ClientSources, rules: ClientRules
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """The listing brought up to date, and how many records came, changed and went."""
    now = datetime.now(UTC)
    kept = None if before is None else pulled.records(name, before)
    last = pulled.pulled_at(before) if before is not None else None
    answer = sources.pull(name, last - timedelta(hours=rules.overlap_hours) if last else None)
    understood = typed(name, answer.texts)
    guard: dict[str, Any] = {"largest_drop": rules.drop, "left_out": understood.left_out}
    if name == pulled.ENTRIES:
        kept = kept if kept is None else without_tickets(kept, answer.gone)
        result = merged_entries(kept, understood.frame, answer.tickets, now, **guard)
    else:
        result = merged(name, kept, understood.frame, now, complete=True, **guard)
    counts = {"added": result.added, "changed": result.changed, "removed": result.removed, "returned": result.returned}
    return pulled.stored(result.frame, understood.problems, now), counts


def on_hand(outputs: OutputFiles, name: str, period: Period) -> pl.DataFrame | None:
    """The stored listing of the month, else of the last month before it; None when it was never pulled."""
    month = outputs.last_frame_month(name, period)
    return None if month is None else pl.read_parquet(outputs.frame_path(name, month))


def frozen_book(
    context: dg.AssetExecutionContext, outputs: OutputFiles, period: Period, rules: ClientRules
) -> pl.DataFrame | None:
    """The reference data that the month was frozen with; None when it is to be read anew."""
    mode = context.run.tags.get(PULL, "")
    if mode in (ALWAYS, BOOK) or not outputs.has_frame("client_book", period):
        return None
    book = pl.read_parquet(outputs.frame_path("client_book", period))
    return book if mode == NEVER or is_frozen(book, period, rules.zone) else None


def is_frozen(frame: pl.DataFrame, period: Period, zone: str) -> bool:
    """Whether a frame of the month was made when the month was over."""
    at = pulled.pulled_at(frame)
    return at is not None and at.astimezone(ZoneInfo(zone)).date() >= period.next.first
