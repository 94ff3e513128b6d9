"""What the review commands tell: flags with their decisions, what was recorded, what an approval covers."""

import json as json_format
from collections.abc import Sequence
from typing import Any

from billing_pipeline.assets.usage import review_name
from billing_pipeline.cli.approving import Approved
from billing_pipeline.cli.console import messages, print_json, safe, say, table
from billing_pipeline.cli.exporting import decided_text
from billing_pipeline.cli.reviewing import Review
from billing_pipeline.engine.usage import Decision, is_carried
from billing_pipeline.reports.review import review_document

_MOST = 40  # lines shown; the JSON document has all


def tell_review(review: Review, *, json: bool) -> None:
    """Flags, decisions and warnings."""
    document = document_of(review)
    if json:
        print_json(document)
        return
    rows = [
        (
            flag["flag_id"],
            flag["line"],
            flag["PARTNER_NAME"] or flag["PARTNER_ID"],
            flag["ER_NAME"] if flag["scope"] == "row" else "",
            flag["flag_reason"],
            flag["decided"] or flag["decision"] or "",
        )
        for flag in document["flags"][:_MOST]
    ]
    if rows:
        title = f"{len(document['flags'])} flags of {review.month.period}, {review.undecided} open"
        grid = table(title, ("flag", "line", "partner", "company", "reason", "decided"), rows, ("line",))
        grid.columns[0].min_width = max(len(str(row[0])) for row in rows)  # to be copied: it is never cut
        messages.print(grid)
    else:
        say("No flags: nothing has to be decided.")
    _more(len(document["flags"]), "flags")
    _tell_left(review)
    for warning in document["warnings"][:_MOST]:
        place = f"{warning['partner_key']} {warning['place']}".strip()
        say(f"[dim]warning[/dim] {safe(place)}: {safe(warning['message'])}")
    _more(len(document["warnings"]), "warnings")


def document_of(review: Review) -> dict[str, Any]:
    """The month's review file with the decisions of this moment, and in each flag `decided`: by whom, when, why."""
    month = review.month
    scan = json_format.loads(month.outputs.read_named(review_name(month.profile, month.period.dotted)))
    about = {key: scan[key] for key in ("scan_timestamp_utc", "usage_file", "rules_file", "for_month")}
    document = review_document(review.usage, review.flags, month.frame("usage_warnings"), about)
    standing = review.standing()
    subjects = review.subjects()
    for flag in document["flags"]:
        flag["decided"] = decided_text(standing.get(subjects[flag["flag_id"]].about, []))
    return document | {
        "decisions": [_plain(decision) for decision in review.made],
        "not_carried_over": [_plain(decision) for decision in review.left],
    }


def tell_decided(review: Review, new: Sequence[Decision], left: Sequence[str], *, json: bool) -> None:
    """What was recorded, what fits no flag, what is open."""
    if json:
        recorded = [_plain(decision) for decision in new]
        print_json(
            {
                "period": review.month.period.key,
                "recorded": recorded,
                "left": list(left),
                "undecided": review.undecided,
                "last_decision": review.last_decision,
            }
        )
        return
    for decision in new[:_MOST]:
        subject = f"line {decision.line}, {decision.subject}" if decision.scope == "row" else decision.subject
        said = f"{decision.action}: {safe(subject)}"
        say(f"[green]recorded[/green] {said}{_details(decision)} [dim]by {safe(decision.reviewer)}[/dim]")
    _more(len(new), "decisions")
    if not new:
        say("Nothing new: all of it was decided before.")
    for text in left:
        say(f"[yellow]not taken[/yellow] {safe(text)}: nothing of the kind is flagged now")
    if review.undecided:
        say(f"[yellow]{review.undecided} of {review.flags.height} flags are open[/yellow]")
    else:
        say("Every flag is decided.")


def tell_approval(approval: Approved, *, json: bool) -> None:
    """What exactly was approved, and whether another person has to."""
    review = approval.review
    document = {
        "period": review.month.period.key,
        "state": approval.state,
        "usage_file": {"name": review.usage_name, "sha256": review.usage_sha256},
        "rules_file": {"name": review.rules.name, "sha256": review.rules.sha256},
        "last_decision": review.last_decision,
        "flags": review.flags.height,
        "approvers": list(approval.approvers),
        "missing": approval.missing,
        "detail": dict(approval.detail),
    }
    if json:
        print_json(document)
        return
    say(f"[green]approved[/green] {review.month.period} ({approval.state.replace('_', ' ')})")
    say(f"  usage  {safe(review.usage_name)}, sha256 {review.usage_sha256[:16]}…")
    say(f"  rules  {safe(review.rules.name)}, sha256 {review.rules.sha256[:16]}…")
    say(f"  {review.flags.height} flags, all decided; decisions up to number {review.last_decision}")
    say(f"  by {safe(', '.join(approval.approvers))}")
    say("[yellow]another person has to approve it, too[/yellow]" if approval.missing else "It is published next.")


def _details(decision: Decision) -> str:
    partner = f"{decision.partner_name} {decision.partner_id}".strip()
    cell = f"{decision.cell} = {decision.value!r}" if decision.cell else ""
    given = ", ".join(filter(None, (decision.set_date, partner, cell)))
    return f" ({safe(given)})" if given else ""


def _tell_left(review: Review) -> None:
    carried = sum(is_carried(decision) for decision in review.made)
    if carried:
        say(f"[dim]{carried} decisions were carried over from an earlier usage file[/dim]")
    for decision in review.left[:_MOST]:
        why = "its row has changed or is gone" if decision.scope == "row" else "it is not flagged any more"
        say(f"[yellow]not carried over[/yellow] {decision.action} by {safe(decision.reviewer)}, "
            f"{safe(decision.subject)}: {why}")  # fmt: skip


def _more(count: int, what: str) -> None:
    if count > _MOST:
        say(f"[dim]… and {count - _MOST} more {what}; --json has all[/dim]")


def _plain(decision: Decision) -> dict[str, Any]:
    names = [name for name in Decision.__slots__ if name not in ("period", "usage_sha256")]
    values = {name: getattr(decision, name) for name in names}
    return {**values, "decided_at": decision.decided_at.isoformat()}
