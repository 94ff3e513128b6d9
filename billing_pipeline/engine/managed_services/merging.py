"""What is on hand of a listing, brought up to what was pulled: new, changed, gone, and back again.

Nothing is ever deleted: a record that is gone keeps its row, with the time since when. What does not prove that it is
gone (an empty listing, an incomplete one, far too many missing, a record that cannot be read) takes nothing away.
Source: spec 2.5, 5.1 (invariant 3); Q5, Q13, Q14, Q38, Q39.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import ENTRIES, KEPT, KEYS, LISTINGS, VOLUMES
from billing_pipeline.engine.tables import conform

LARGEST_DROP = Decimal("0.2")
_BEFORE = ":before"  # columns on hand, beside the pulled ones
_CALLED = {VOLUMES: "backup volumes", ENTRIES: "time entries"}


@dataclass(frozen=True, slots=True)
class Merged:
    """A listing as it is kept (columns of LISTINGS and KEPT, by key), and how many records became what."""

    frame: pl.DataFrame
    added: int
    changed: int
    removed: int
    returned: int  # had been removed, and are there again


def merged(
    name: str,
    before: pl.DataFrame | None,
    pulled: pl.DataFrame,
    at: datetime,
    *,
    complete: bool,
    largest_drop: Decimal = LARGEST_DROP,
    left_out: pl.DataFrame | None = None,
) -> Merged:
    """The listing on hand (`before`, None at first) with what was pulled at `at`; the same pull again changes nothing.

    Of a complete listing, records that are not there are removed from now on; `left_out` (listings.Typed) are there. A
    volume that was not readable keeps the last one known. UpstreamError, permanent, when a complete listing is empty
    while something is on hand, or more than `largest_drop` (a share) of what was there is missing.
    """
    before = _kept(name, before)
    rest = _rest(name, before, pulled, left_out).with_columns(pl.col("gone") & complete)
    return _brought_up(name, before, pulled, rest, at, largest_drop, complete=complete)


def merged_entries(
    before: pl.DataFrame | None,
    pulled: pl.DataFrame,
    tickets: Iterable[str] | None,
    at: datetime,
    *,
    largest_drop: Decimal = LARGEST_DROP,
    left_out: pl.DataFrame | None = None,
) -> Merged:
    """Time entries on hand with the pulled ones: of the `tickets` that were read, each entry that is missing is gone.

    Entries of other tickets stay as they are. None: the listing is complete, as for `merged`, whose errors these are.
    Source: Q9, Q13, Q14.
    """
    before = _kept(ENTRIES, before)
    rest = _rest(ENTRIES, before, pulled, left_out)
    if tickets is not None:
        read = pl.Series("ticket_id", sorted(set(tickets)), dtype=pl.String)
        rest = rest.with_columns(pl.col("gone") & pl.col("ticket_id").is_in(read.implode()).fill_null(value=False))
    return _brought_up(ENTRIES, before, pulled, rest, at, largest_drop, complete=tickets is None)


def without_tickets(before: pl.DataFrame, gone: Collection[str]) -> pl.DataFrame:
    """Time entries on hand, those of tickets that their source says are gone marked as deleted. Source: Q13."""
    mine = pl.col("ticket_id").is_in(sorted(gone))
    return before.with_columns(pl.when(mine).then(pl.lit(value=True)).otherwise("deleted").alias("deleted"))


def _kept(name: str, before: pl.DataFrame | None) -> pl.DataFrame:
    schema = {**LISTINGS[name], **KEPT}
    return pl.DataFrame(schema=schema) if before is None else conform(before, schema)


def _rest(name: str, before: pl.DataFrame, pulled: pl.DataFrame, left_out: pl.DataFrame | None) -> pl.DataFrame:
    """Records on hand that were not pulled; `gone`: not removed before, and the source no longer has them."""
    keys = KEYS[name]
    rest = before.join(pulled, on=keys, how="anti", nulls_equal=True)
    missing = rest if left_out is None else rest.join(left_out, on=keys, how="anti", nulls_equal=True)
    gone = missing.filter(pl.col("removed_at").is_null()).select(*keys, gone=True)
    return rest.join(gone, on=keys, how="left", nulls_equal=True).with_columns(pl.col("gone").fill_null(value=False))


def _brought_up(
    name: str,
    before: pl.DataFrame,
    pulled: pl.DataFrame,
    rest: pl.DataFrame,
    at: datetime,
    largest_drop: Decimal,
    *,
    complete: bool,
) -> Merged:
    removed = int(rest["gone"].sum())
    _guard(name, before["removed_at"].null_count(), removed, largest_drop, empty=complete and pulled.is_empty())
    keys, now = KEYS[name], pl.lit(at.astimezone(UTC)).cast(KEPT["removed_at"])
    both = conform(pulled, LISTINGS[name]).join(
        before.with_columns(pl.lit(value=True).alias("known")), on=keys, how="left", nulls_equal=True, suffix=_BEFORE
    )
    if name == VOLUMES:
        both = both.with_columns(pl.coalesce("bytes", f"bytes{_BEFORE}"))
    counts = both.select(_fate(name).alias("fate"))["fate"]
    there = both.select(*LISTINGS[name], pl.lit(None, KEPT["removed_at"]).alias("removed_at"))
    since = pl.when("gone").then(now).otherwise("removed_at").alias("removed_at")
    frame = pl.concat([there, rest.select(*LISTINGS[name], since)]).with_columns(now.alias("pulled_at")).sort(keys)
    return Merged(
        conform(frame, {**LISTINGS[name], **KEPT}),
        added=int((counts == "added").sum()),
        changed=int((counts == "changed").sum()),
        removed=removed,
        returned=int((counts == "returned").sum()),
    )


def _fate(name: str) -> pl.Expr:
    values = [column for column in LISTINGS[name] if column not in KEYS[name]]
    return (
        pl.when(pl.col("known").is_null())
        .then(pl.lit("added"))
        .when(pl.col("removed_at").is_not_null())
        .then(pl.lit("returned"))
        .when(pl.any_horizontal(pl.col(column).ne_missing(pl.col(f"{column}{_BEFORE}")) for column in values))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("same"))
    )


def _guard(name: str, present: int, gone: int, largest_drop: Decimal, *, empty: bool) -> None:
    """UpstreamError for a listing that would take away what it hardly can mean to."""
    called = _CALLED.get(name, name)
    if present and empty:
        said = f"the listing of {called} has no record that can be used, while {present} are on hand"
        raise UpstreamError(f"{said}: nothing was changed, because an empty listing removes nothing", permanent=True)
    if gone > largest_drop * present:
        said = f"{gone} of {present} {called} are missing from the listing, more than the share of {largest_drop}"
        allow = "if they are really gone, allow it once with a larger BILLING_CLIENTS_LARGEST_DROP (a share like 0.2)"
        raise UpstreamError(f"{said}: nothing was changed; {allow}", permanent=True)
