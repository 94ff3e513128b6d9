"""The text that people are sent when a re-run changed what was billed. Source: spec 9.1 of the billing audit."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing_pipeline.reports.notices.figures import amount, counted
from billing_pipeline.reports.notices.layout import Layout, message, one_line

_SHOWN = 5
_LINE = 120


def book_changed(
    appeared: int, resolved: int, at_stake: Decimal, open_ones: int, largest: Sequence[tuple[Decimal, str]], page: str
) -> dict[str, Any]:
    """Charges that became findings or were settled. `largest`: dollars and sentence, dearest first."""
    title = f"Our own book: {counted(appeared, 'charge')} changed, {resolved:,} settled"
    said = "A run changed what a month is billed." if appeared else "What was changed is settled."
    fields = [("At stake in open findings", amount(at_stake)), ("Open findings", f"{open_ones:,}")]
    listed = [f"{amount(dollars)}  {one_line(why, _LINE)}" for dollars, why in largest[:_SHOWN]]
    more = [f"… and {len(largest) - _SHOWN} more"] if len(largest) > _SHOWN else []
    todo = ["billing-pipeline audit book lists them. Release or accept the change, or take back what caused it."]
    links = [("Open the run", page)] if page else []
    return message(Layout("📒", title, said, fields, [*listed, *more], todo if open_ones else [], links))
