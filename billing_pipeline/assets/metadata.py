"""What every asset of a month shares, and what it shows in Dagster's pages (amounts as text, never as floats)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.partitions import MONTHS

OWNERS = ["team:billing-operations"]

_CELL = 60


def month_asset(
    group: str,
    description: str,
    kinds: frozenset[str] = frozenset({"polars"}),
    *,
    output_required: bool = True,
    deps: Sequence[str] = (),
    name: str | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The decorator of an asset partitioned by month: one policy for all of them.

    Without `output_required` a run may end well without making the asset. `deps`: assets that it follows, and reads by
    a resource of its own. `name`: another than the function's.
    """
    return dg.asset(
        name=name,
        partitions_def=MONTHS,
        group_name=group,
        description=description,
        kinds=set(kinds),
        owners=OWNERS,
        output_required=output_required,
        deps=[*deps],
    )


def preview(frame: pl.DataFrame, rows: int = 5) -> dg.MarkdownMetadataValue:
    """The first rows as a table. Text comes from outside: cut short, and kept from being read as markup."""
    head = frame.head(rows)
    lines = [
        _line(head.columns),
        _line(["---"] * len(head.columns)),
        *(_line(map(_text, row)) for row in head.iter_rows()),
    ]
    more = f"\n\n{frame.height - rows:,} more rows" if frame.height > rows else ""
    return dg.MetadataValue.md("\n".join(lines) + more)


def started_at(context: dg.AssetExecutionContext) -> datetime:
    """When the run of a step was begun: the same in every step of it."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return record.create_timestamp if record else datetime.now(UTC)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    text = text if len(text) <= _CELL else text[: _CELL - 1] + "…"
    return "".join("\\" + char if char in "\\`*_{}[]()<>#!|~" else char if char.isprintable() else " " for char in text)
