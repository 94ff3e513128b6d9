"""What every asset of a month shares, and what it shows in Dagster's pages (amounts as text, never as floats)."""

from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl

from billing_pipeline.partitions import MONTHS

_CELL = 60


def month_asset(
    group: str, description: str, kinds: frozenset[str] = frozenset({"polars"}), *, output_required: bool = True
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """The decorator of an asset partitioned by month: one policy for all of them.

    Without `output_required` a run may end well without making the asset.
    """
    return dg.asset(
        partitions_def=MONTHS,
        group_name=group,
        description=description,
        kinds=set(kinds),
        owners=["team:billing-operations"],
        output_required=output_required,
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


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    text = text if len(text) <= _CELL else text[: _CELL - 1] + "…"
    return "".join("\\" + char if char in "\\`*_{}[]()<>#!|~" else char if char.isprintable() else " " for char in text)
