"""From what a run knows to what people are told: the notice of each of a month's states, keyed by its fact.

What belongs here: which notice, with which facts, under which key. What does not: wording (`reports.notices`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from billing_pipeline.engine.audit.views import open_findings
from billing_pipeline.engine.close import FAIL, Verdict, partner_differences
from billing_pipeline.engine.close.states import PRICED, REBILL, REFUSED
from billing_pipeline.engine.money import total
from billing_pipeline.engine.period import Period
from billing_pipeline.reports import notices
from billing_pipeline.reports.notices import ControlFacts, MonthFacts
from billing_pipeline.resources.outbox import Notice
from billing_pipeline.resources.releases import Release


def release_notice(manifest: Mapping[str, Any], release: Release, last_month: Decimal | None, ui_url: str) -> Notice:
    """A release is out: once for each release. `manifest`: of its run's set; `last_month`: billed the month before."""
    facts = _facts(manifest, last_month, ui_url, release=release.number, run_id=release.run_id)
    charged, credited = Decimal(manifest["release"]["charged"]), Decimal(manifest["release"]["credited"])
    message = notices.adjusted(facts, charged, -credited) if charged or credited else notices.published(facts)
    return Notice(f"release:{release.period.key}:{release.number}:{release.run_id}", "published", message)


def accrual_notice(document: Mapping[str, Any], release: Release, addresses: Sequence[str], ui_url: str) -> Notice:
    """A month is accrued: once for each accrual. `document`: its manifest; `addresses`: of its entry and support."""
    page = notices.run_page(ui_url, document["dagster_run_id"])
    key = f"accrued:{release.period.key}:{release.number}:{release.run_id}"
    return Notice(key, "accrued", notices.accrued(document, addresses, page))


def variance_notice(document: Mapping[str, Any], ui_url: str) -> Notice:
    """The variance of a month: once for each pair of accrual and bill. `document`: its manifest."""
    page = notices.run_page(ui_url, document["dagster_run_id"])
    key = f"variance:{document['accrual_run']}:{document['bill_run']}"
    return Notice(key, "variance", notices.varied(document, page))


def audit_notice(document: Mapping[str, Any], page: str) -> Notice | None:
    """What the audit found: once a run, and only when something changed. `document`: `audit_summary.json`."""
    told = notices.audited(document, page)
    return Notice(f"audit:{document['run_id']}", "audit", told) if told else None


def book_notice(run: str, shown: pl.DataFrame, page: str) -> Notice | None:
    """What a look at our own book changed: once a run, and only when something changed. `shown`: views.FINDINGS."""
    told = shown.filter("told")
    if told.is_empty():
        return None
    still = open_findings(shown)
    appeared = open_findings(told).sort(pl.col("dollars"), "finding_key", descending=[True, False])
    message = notices.book_changed(
        appeared.height,
        told.height - appeared.height,
        total(still["dollars"]),
        still.height,
        appeared.select("dollars", "why").rows(),
        page,
    )
    return Notice(f"own_book:{run}", "audit", message)


def waiting_notice(
    judged: Verdict,
    summary: Mapping[str, Any],
    differences: pl.DataFrame,
    last_month: Decimal | None,
    ui_url: str,
    draft: tuple[int, int],
) -> Notice | None:
    """A month waits for people, or is refused: once for each usage file, rules workbook and step of its review.

    `draft`: how many releases the month has had, void ones too, and its last decision: a draft after another release
    was made or taken back is a new one.
    """
    if judged.unchanged:
        return None
    facts = _facts(summary, last_month, ui_url, reasons=judged.reasons)
    decided = "decided" if not facts.undecided else f"{sum(facts.undecided.values())} open"
    key = ":".join(
        (
            judged.state, facts.period.key, str(draft[0]), summary["usage_file"]["sha256"],
            summary["rules_file"]["sha256"], decided,
        )
    )  # fmt: skip
    if judged.state == REBILL:
        changed = partner_differences(differences).select("partner_key", "difference").rows()
        return Notice(f"{key}:{draft[1]}", "re-bill", notices.rebill(facts, changed))
    if judged.state == PRICED:
        return Notice(key, "billed", notices.billed(facts))
    if judged.state == REFUSED:
        told = notices.refused(facts.period, (), usage_name=facts.usage_name, reasons=judged.reasons, page=facts.page)
        return Notice(key, "refused", told)
    return Notice(key, "waiting", notices.waiting(facts))


def refusal_notice(
    period: Period, usage: tuple[str, str], rules_sha256: str, controls: pl.DataFrame, page: str
) -> Notice:
    """Controls failed: once for each usage file (name, SHA-256) and rules workbook."""
    failed = [
        ControlFacts(row["Control Check"], row["Input"], row["Output"], row["Variance"])
        for row in controls.filter(pl.col("Status") == FAIL).iter_rows(named=True)
    ]
    message = notices.refused(period, failed, usage_name=usage[0], page=page)
    return Notice(f"refused:{period.key}:{usage[1]}:{rules_sha256}", "refused", message)


def draft_detail(summary: Mapping[str, Any], differences: pl.DataFrame) -> dict[str, Any]:
    """What a state's event keeps of its draft: amounts by bucket, open questions, difference to what was sent."""
    return {
        "amounts": {row["bucket"]: row["amount"] for row in summary["buckets"]},
        "flags": summary["flags_by_type"],
        "undecided": summary["undecided_flags"],
        "controls": summary["controls_status"],
        "difference": str(total(differences["difference"])),
        "dagster_run_id": summary["dagster_run_id"],
    }


def _facts(summary: Mapping[str, Any], last_month: Decimal | None, ui_url: str, **more: Any) -> MonthFacts:
    buckets = {row["bucket"]: row for row in summary["buckets"]}
    return MonthFacts(
        period=Period.parse(summary["billing_period"]),
        controls=summary["controls_status"],
        rows=sum(row["rows"] for row in buckets.values()),
        partners=summary["partners"],
        billed=Decimal(buckets["billed"]["amount"]),
        held=Decimal(buckets["held"]["amount"]),
        last_month=last_month,
        unpriced=summary["unpriced_rows"],
        undecided=summary["undecided_by_type"],
        usage_name=summary["usage_file"]["name"],
        page=notices.run_page(ui_url, summary["dagster_run_id"]),
        **more,
    )
