"""The texts that people are sent about unbilled hours: what crossed its threshold, and how things stand each morning.

Source: U6 of unbilled hours.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing_pipeline.engine.unbilled.tables import CLEARED, CROSSED, GREW
from billing_pipeline.reports.notices.figures import amount, counted, figure
from billing_pipeline.reports.notices.layout import Layout, message, one_line

_SHOWN = 8
_NAME = 40
_SAID = {CROSSED: "above its threshold", GREW: "grew", CLEARED: "settled"}


def unbilled_alerts(alerts: Sequence[Mapping[str, Any]], document: Mapping[str, Any], page: str) -> dict[str, Any]:
    """Projects that crossed their threshold, grew by a step, or were settled (engine.unbilled.tables.ALERTS).

    `document`: `unbilled_summary.json`. `page`: the address of the run.
    """
    counts = [(event, sum(one["event"] == event for one in alerts)) for event in _SAID]
    said = ", ".join(f"{count:,} {_SAID[event]}" for event, count in counts if count)
    lines = [_line(one) for one in alerts[:_SHOWN]]
    more = [f"… and {len(alerts) - _SHOWN} more"] if len(alerts) > _SHOWN else []
    todo = ["Invoice the hours, or write them off: billing-pipeline unbilled lists them."]
    open_ones = any(one["event"] != CLEARED for one in alerts)
    links = [("Open the run", page)] if page else []
    title = f"Unbilled hours: {counted(len(alerts), 'project')}"
    return message(
        Layout("⏳", title, f"{said}.", _fields(document), [*lines, *more], todo if open_ones else [], links)
    )


def unbilled_digest(document: Mapping[str, Any], changed: Mapping[str, int], page: str) -> dict[str, Any]:
    """How things stand: totals by age, the largest projects. `changed`: findings by what became of them in this run."""
    largest = [f"{amount(Decimal(one['amount'])):>14}  {_named(one)}" for one in document["summary"][:_SHOWN]]
    more = [f"… and {len(document['summary']) - _SHOWN} more"] if len(document["summary"]) > _SHOWN else []
    said = ", ".join(f"{count:,} {status.lower()}" for status, count in sorted(changed.items())) or "nothing changed"
    links = [("Open the run", page)] if page else []
    fields = [*_fields(document), ("Findings since the last look", said)]
    return message(Layout("☀️", f"Unbilled hours on {document['as_of']}", "", fields, [*largest, *more], [], links))


def _fields(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    state = document["balance"]["unbilled"]
    aside = document["balance"]["quarantined"]
    return [
        ("Not invoiced", f"{amount(Decimal(state['amount']))} in {figure(Decimal(state['hours']))} hours"),
        ("Projects above their threshold", f"{len(document['alerts']):,}"),
        ("In quarantine", f"{counted(int(aside['rows']), 'log')}, {figure(Decimal(aside['hours']))} hours"),
    ]


def _line(alert: Mapping[str, Any]) -> str:
    before = f", {amount(alert['told_amount'])} when last told" if alert["told_amount"] is not None else ""
    return f"{amount(alert['amount']):>14}  {_named(alert)}: {_SAID[alert['event']]}{before}"


def _named(project: Mapping[str, Any]) -> str:
    return f"{one_line(project['project_id'], _NAME)} {one_line(project['client'], _NAME)}".strip()
