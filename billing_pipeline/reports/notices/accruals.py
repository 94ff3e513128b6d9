"""The texts that people are sent about accruals: booked, and how good the estimate was."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing_pipeline.engine.period import Period
from billing_pipeline.reports.accruals import PART_TITLES
from billing_pipeline.reports.notices.figures import aligned, amount, change, counted, signed
from billing_pipeline.reports.notices.layout import Layout, message, one_line

_NAME = 40
_SHOWN = 10


def accrued(document: Mapping[str, Any], files: Sequence[str], page: str) -> dict[str, Any]:
    """A month's accrual is booked. `document`: its manifest; `files`: where the entry and its support are."""
    period = Period.parse(document["billing_period"])
    totals, held = document["totals"], Decimal(document["held"])
    fields = [
        ("Period", period.key),
        ("Total", amount(Decimal(totals["total"]))),
        ("Customers", f"{document['customers']:,}"),
        ("Usage", document["usage_file"]["name"]),
        *[("Note", document["usage_note"])] * bool(document["usage_note"]),
        *[("Held", amount(held))] * bool(held),
    ]
    rows = [
        (one_line(move["customer"], _NAME), Decimal(move["now"]) - Decimal(move["before"]))
        for move in document["movements"]
    ]
    listed = ["Largest movements against last month:", *aligned(rows)] if rows else []
    has_file = any(entry["kind"] == "reversal" for entry in document["files"])
    reversal = "its reversal is a file of its own" if has_file else "NetSuite reverses it by its Reversal Date"
    todo = [
        f"Import the journal entry into NetSuite; {reversal}.",
        f"It is reversed on {period.next.first:%Y-%m-%d}: {period.next.title} has to be open then.",
        f"Record the import: `billing-pipeline imported --what accruals --month {period.key}`",
    ]
    if held:
        partners = counted(document["held_partners"], "partner")
        todo.append(f"{amount(held)} of {partners} is not accrued: add the customers to the rules workbook's mapping.")
    listed += ["Files:", *files]
    links = [("Open the run", page)] if page else []
    said = "The journal entry is ready."
    return message(Layout("📒", f"{period.title} is accrued", said, fields, listed, todo, links))


def accrual_voided(period: Period, booked: Decimal, by: str, reason: str) -> dict[str, Any]:
    """A month's accrual was taken back; `booked` is what it came to."""
    fields = [("Period", period.key), ("Total", amount(booked)), ("By", by), *[("Reason", reason)] * bool(reason)]
    todo = [
        "Do not import its files; they are gone from the outputs.",
        f"Accrue the month again when it is right: `billing-pipeline accrue --month {period.key}`",
    ]
    return message(Layout("↩️", f"{period.title}: the accrual was taken back", fields=fields, advice=todo))


def varied(document: Mapping[str, Any], page: str) -> dict[str, Any]:
    """The actual bill of an accrued month is out. `document`: the manifest of the variance."""
    period, whole = Period.parse(document["billing_period"]), document["total"]
    estimated, actual = Decimal(whole["estimated"]), Decimal(whole["actual"])
    flagged = document["material"]
    fields = [
        ("Period", period.key),
        ("Estimated", amount(estimated)),
        ("Actual", f"{amount(actual)}, change {change(actual, estimated)}"),
        ("Material", f"{len(flagged):,} of {counted(document['customers'], 'customer')}"),
    ]
    parts = [(PART_TITLES[part], Decimal(value)) for part, value in document["bridge"].items() if Decimal(value)]
    listed = ["From estimate to actual:", *aligned([*parts, ("Variance", Decimal(whole["variance"]))])]
    if flagged:
        rows = [(one_line(row["customer"], _NAME), Decimal(row["variance"])) for row in flagged[:_SHOWN]]
        more = [f"… and {len(flagged) - _SHOWN} more"] if len(flagged) > _SHOWN else []
        listed += ["Material:", *aligned(rows), *more]
    said = f"The bill is {signed(actual - estimated)} off the accrual. The bridge below sums to it exactly."
    links = [("Open the run", page)] if page else []
    todo = ["The workbook has the bridge of every customer."]
    return message(Layout("📊", f"{period.title}: accrual against actual bill", said, fields, listed, todo, links))
