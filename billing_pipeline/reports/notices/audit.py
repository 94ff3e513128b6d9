"""The text that people are sent about the billing audit: what changed since the run before. Source: spec 9.1, 9.4."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing_pipeline.reports.notices.figures import amount, counted
from billing_pipeline.reports.notices.layout import Layout, message, one_line

_SHOWN = 5
_CHANGES = ("NEW", "REOPENED", "RESOLVED")
_OPEN_CHANGES = ("NEW", "REOPENED")
_NAME = 40
_VALUE = 24


def audited(document: Mapping[str, Any], page: str) -> dict[str, Any] | None:
    """What the audit found; None when nothing became new, reopened or resolved. `document`: `audit_summary.json`.

    Nobody is named: who made an edit stands in the workbook. `page`: the address of the run.
    """
    changed = [finding for finding in document["findings"] if finding["status"] in _CHANGES]
    if not changed:
        return None
    counts = [f"{document[name.lower()]:,} {name.lower()}" for name in _CHANGES if document[name.lower()]]
    cover = document["coverage"]
    checked = f"{counted(cover['sheets'], 'sheet')}, {counted(cover['cells'], 'cell')} checked"
    fields = [
        ("Status", document["status"].replace("_", " ").lower()),
        ("At stake in open findings", amount(Decimal(document["dollars"]))),
        ("Open findings", f"{document['new'] + document['reopened'] + document['ongoing']:,}"),
        ("Risk of what is open", document["risk"].lower()),
        ("Coverage", f"{checked}, {cover['not_verified']:,} not verified"),
    ]
    appeared = [finding for finding in changed if finding["status"] in _OPEN_CHANGES]
    todo = ["Open the workbook: what to look at first stands on its sheet Insights."]
    if document["status"] == "NOT_VERIFIED":
        todo.append("Not everything could be checked: its sheet Coverage says what, and why.")
    links = [("Open the run", page)] if page else []
    title = f"Billing audit: {', '.join(counts)}"
    said = "Billed work changed after it was billed." if appeared else "What was open is resolved."
    return message(Layout("🔎", title, said, fields, _listed(appeared or changed), todo, links))


def _listed(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The most serious findings, one line each: severity, dollars, what it is."""
    shown = findings[:_SHOWN]
    figures = ["unknown" if one["dollars"] is None else amount(Decimal(one["dollars"])) for one in shown]
    widest = max(map(len, figures))
    lines = [
        f"{one['severity']:<6}  {figure:>{widest}}  {_named(one)}" for one, figure in zip(shown, figures, strict=True)
    ]
    more = [f"… and {len(findings) - _SHOWN} more"] if len(findings) > _SHOWN else []
    return ["Most serious:", *lines, *more]


def _named(finding: Mapping[str, Any]) -> str:
    request = one_line(finding["work_request"], _NAME) or "no work request"
    where = f"{finding['category'].replace('_', ' ').lower()}, {request}"
    if not finding["column"]:
        return where
    values = " to ".join(one_line(finding[name], _VALUE) or "empty" for name in ("locked", "current"))
    return f"{where}, {finding['column'].replace('_', ' ')} {values}"
