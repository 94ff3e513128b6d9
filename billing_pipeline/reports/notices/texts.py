"""Every text that people are sent: what became of a month, of a run, of a usage file, and what they can do about it.

What belongs here: wording, from facts to a message (`text`, `blocks`). What does not: when something is told, to whom
and through what. Amounts are exact decimals and stay so.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from billing_pipeline.engine.period import Period
from billing_pipeline.reports.notices.facts import ControlFacts, FailureFacts, MonthFacts
from billing_pipeline.reports.notices.figures import aligned, amount, change, counted, figure, signed
from billing_pipeline.reports.notices.layout import Layout, message, one_line

FileKind = Literal["duplicate", "unstable", "vanished", "wrong_month", "folder_gone", "folder_back", "ambiguous"]

_PARTNERS = 15  # differences shown one by one in a re-bill
_CAUSES = 10  # lines of a failure's cause
_NAME = 40
_QUESTIONS = {
    "missing_billing_trigger": "no first billable activity",
    "early_cancellation": "cancelled before the first billable activity",
    "missing_tier": "no pricing tier, or no partner or company",
    "duplicate_uuid": "company under more than one partner",
    "unmapped_partner": "no NetSuite customer",
    "bad_cell": "unreadable cell",
    "other_month": "row of another month",
    "bad_data": "no partner or company",
}


def published(facts: MonthFacts) -> dict[str, Any]:
    """Release 1 of a month is out."""
    month = facts.period
    imported = f"Import the invoice file into NetSuite, then record it: `{_imported(facts)}`"
    layout = ("✅", f"{month.title} is published", f"published, release {facts.release}")
    return _month(facts, layout, "The invoice file is ready.", [imported, *_open_points(facts)])


def adjusted(facts: MonthFacts, invoices: Decimal, credits: Decimal) -> dict[str, Any]:
    """A later release is out. `invoices`: the sum of its positive lines, `credits`: of its negative ones (below 0)."""
    said = f"Release {facts.release} holds only what changed since the release before."
    changed = [
        ("Adjustments", f"{signed(invoices)} as invoices, {signed(credits)} as credit memos"),
        ("Difference", signed(invoices + credits)),
    ]
    files = " and ".join([*["the adjustment file"] * bool(invoices), *["the credit-memo file"] * bool(credits)])
    todo = [f"Import {files} into NetSuite, then record it: `{_imported(facts)}`", *_open_points(facts)]
    layout = ("✅", f"{facts.period.title}: adjustments are published", f"published, release {facts.release}")
    return _month(facts, layout, said, todo, changed)


def billed(facts: MonthFacts) -> dict[str, Any]:
    """A month without questions waits for a person to publish it."""
    command = f"billing-pipeline publish --month {facts.period.key}"
    todo = [f"Look at the draft, then publish it: `{command}`", *_open_points(facts)]
    said = "Nothing is open: it only waits for somebody to publish it."
    return _month(facts, ("🧾", f"{facts.period.title} is priced and can be published", "priced"), said, todo)


def waiting(facts: MonthFacts) -> dict[str, Any]:
    """A month waits for decisions, or for approval of them."""
    month, asked = facts.period, sum(facts.undecided.values())
    todo = [f"Approve the draft: `billing-pipeline review approve --month {month.key}`"]
    title = f"{month.title} waits for approval"
    if asked:
        title = f"{month.title} waits for {counted(asked, 'decision')}"
        todo = [
            f"Get the questions as a workbook: `billing-pipeline review export --month {month.key}`",
            f"Decide in it, then bring it back: `billing-pipeline review import --month {month.key}`",
            f"Approve: `billing-pipeline review approve --month {month.key}`. The month is then billed by itself.",
        ]
    said = "Nothing is published yet; the amounts are those of the draft."
    return _month(facts, ("✋", title, "in review"), said, todo, listed=_open(facts))


def rebill(facts: MonthFacts, differences: Sequence[tuple[str, Decimal]]) -> dict[str, Any]:
    """A month that was sent comes out differently now. `differences`: partner and amount, the new less the sent one."""
    month, total = facts.period, sum((value for _, value in differences), Decimal(0))
    ordered = sorted(differences, key=lambda found: (-abs(found[1]), found[0]))
    rows = [*ordered[:_PARTNERS]]
    if ordered[_PARTNERS:]:
        rest = sum((value for _, value in ordered[_PARTNERS:]), Decimal(0))
        rows.append((f"{len(ordered) - _PARTNERS} more partners", rest))
    said = "Nothing was changed: what was sent stays sent until somebody approves the difference."
    todo = [
        f"Approve, if the new amounts are right: `billing-pipeline review approve --month {month.key}`."
        " The difference then leaves as adjustments: invoices for what is more, credit memos for what is less.",
        f"Otherwise leave what was sent as it is: `billing-pipeline dismiss --month {month.key}`",
    ]
    if facts.undecided:
        todo.insert(0, f"Decide the open questions first: `billing-pipeline review export --month {month.key}`")
    changed = [("Difference", signed(total)), ("Partners that change", f"{len(differences):,}")]
    title = f"RE-BILL: {month.title} differs from what was sent"
    table = aligned([*((one_line(name, _NAME), value) for name, value in rows), ("Total", total)])
    listed = ["Difference by partner:", *table, *_open(facts)]
    return _month(facts, ("🔁", title, "re-bill waiting"), said, todo, changed, listed)


def voided(period: Period, release: int, billed: Decimal, holds: int, by: str, reason: str) -> dict[str, Any]:
    """A release was taken back; `billed` is what it stood for, `holds` the release that holds again (0: none)."""
    if holds:
        todo = [f"Do not import its files. Release {holds} holds again, with its files."]
    else:
        todo = [
            "Do not import its files; they are gone from the outputs.",
            f"When the month is right, publish its draft: `billing-pipeline publish --month {period.key}`",
        ]
    fields = [("Period", period.key), ("Status", f"published, release {holds}" if holds else "priced")]
    fields += [("Billed by it", amount(billed)), ("By", by), *[("Reason", reason)] * bool(reason)]
    return message(Layout("↩️", f"{period.title}: release {release} was taken back", fields=fields, advice=todo))


def dismissed(period: Period, difference: Decimal, usage_name: str, by: str, reason: str) -> dict[str, Any]:
    """A re-bill was declined: what was sent stays."""
    fields = [("Period", period.key), ("Status", "published"), ("Difference not sent", signed(difference))]
    fields += [("By", by), *[("Reason", reason)] * bool(reason), *_usage(usage_name)]
    said = "What was sent stays as it is. The same file and rules are not asked about again."
    return message(Layout("✋", f"{period.title}: the re-bill was dismissed", said, fields))


def refused(
    period: Period,
    controls: Sequence[ControlFacts],
    *,
    usage_name: str = "",
    reasons: Sequence[str] = (),
    page: str = "",
) -> dict[str, Any]:
    """A month is not published, because controls failed or the ledger takes nothing (`reasons`)."""
    failed = [
        f"{control.name}: input {figure(control.input)}, output {figure(control.output)},"
        f" variance {figure(control.variance)}"
        for control in controls
    ]
    look = (
        "Open the run: its draft report says which rows and files do not agree. A failed control cannot be overridden."
    )
    settle = f"Settle with accounting whether the period is opened again, then start the month again: {_again(period)}"
    fields = [("Period", period.key), ("Status", "refused"), *[("Audit", "FAIL")] * bool(controls)]
    title = f"{period.title} is not published"
    return message(
        Layout(
            "⛔",
            f"{title}: {counted(len(failed), 'control')} failed" if failed else title,
            said="Nothing was published, and what was published before is untouched.",
            fields=[*fields, *_usage(usage_name)],
            listed=[*failed, *reasons],
            advice=[look if failed else settle],
            links=_links(page),
        )
    )


def failed(failure: FailureFacts) -> dict[str, Any]:
    """A run ended without a result."""
    month = failure.period
    if failure.input_at_fault:
        by_itself = " and save the file under its name: a changed file is taken by itself" if failure.attempt else ""
        todo = [f"Correct what is listed{by_itself}."]
    elif failure.disk_full:
        todo = ["Make room on the disk, or let BILLING_OUTPUTS_DIR or BILLING_DATA_DIR name a larger one."]
    else:
        todo = ["Open the run and look at its first error. If it means nothing to you, pass this message on."]
    if failure.attempt and failure.attempt < failure.attempts:
        todo.append("Meanwhile it is tried again by itself, at growing intervals.")
    elif failure.attempt:
        again = _again(month) if failure.task == "billed" else f"`billing-pipeline accrue --month {month.key}`"
        todo.append(f"That was the last attempt. When the cause is mended, start the month again: {again}")
    else:
        todo.append("Then start the run again.")
    lines = [line for line in map(one_line, failure.cause) if line]
    more = [f"… and {len(lines) - _CAUSES} more"] if len(lines) > _CAUSES else []
    tried = [("Attempt", f"{failure.attempt} of {failure.attempts}")] if failure.attempt else []
    return message(
        Layout(
            "🚨",
            f"{month.title} could not be {failure.task}",
            said="The run failed; nothing was published by it.",
            fields=[("Period", month.key), ("Status", "failed"), *tried, *_usage(failure.usage_name)],
            listed=[*lines[:_CAUSES], *more],
            advice=todo,
            links=_links(failure.page),
        )
    )


def deadline(period: Period, due: date, place: str, page: str = "") -> dict[str, Any]:
    """No usage file of the month has come by the day it was due. `place`: where files are awaited."""
    return message(
        Layout(
            "⏰",
            f"No usage file for {period.title} yet",
            said=f"It was due on {due.day} {due:%B %Y}.",
            fields=[("Period", period.key), ("Status", "waiting for usage"), ("Awaited in", place)],
            advice=[
                f"Ask for the export and put it there, named `{period.dotted}_….csv`: it is billed by itself when it"
                " is complete."
            ],
            links=_links(page, "Open the pages"),
        )
    )


_FILES: Mapping[FileKind, tuple[str, str, str]] = {
    "duplicate": ("📄", "A usage file was skipped: its content is known",
                  "Nothing, if the file was only renamed or copied. A correction needs a changed file."),
    "unstable": ("⏳", "A usage file does not stand still",
                 "See whether the export is still being written, or the folder syncs in circles. It is taken when its"
                 " size and time have stopped changing."),
    "vanished": ("❓", "A usage file disappeared before it was billed",
                 "Put it back if it was taken away by mistake. It is taken when it is there again."),
    "wrong_month": ("📅", "A usage file does not belong to a month that can be billed",
                    "Look at the month in its name and in its rows, and correct the one that is wrong."),
    "folder_gone": ("🚨", "The usage folder cannot be read",
                    "See whether the disk or the sync is connected. Nothing is lost: files are taken when it is back."),
    "folder_back": ("✅", "The usage folder can be read again", "Nothing: files that came meanwhile are taken now."),
    "ambiguous": ("❓", "More than one usage file for a month",
                  "Leave the right one in the folder and move the others away."),
}  # fmt: skip


def file_notice(kind: FileKind, text: str, link: str = "") -> dict[str, Any]:
    """Something about usage files. `text`: which file and what is the matter, in lines; `link`: into the pages."""
    emoji, title, advice = _FILES[kind]
    return message(
        Layout(emoji, title, listed=text.splitlines(), advice=[advice], links=_links(link, "Open the sensor"))
    )


def _month(
    facts: MonthFacts,
    layout: tuple[str, str, str],
    said: str,
    advice: Sequence[str],
    more: Sequence[tuple[str, str]] = (),
    listed: Sequence[str] = (),
) -> dict[str, Any]:
    """The notice of a month that was computed. `layout`: emoji, title, status."""
    emoji, title, status = layout
    unpriced = ", ".join(_by_type(facts.unpriced))
    last = facts.last_month
    compared = "no release to compare with" if last is None else f"{amount(last)}, change {change(facts.billed, last)}"
    fields = [
        ("Period", facts.period.key),
        ("Status", status),
        ("Audit", facts.controls),
        ("Billed" if facts.release else "To be billed", amount(facts.billed)),
        ("Last month", compared),
        *more,
        ("Held", amount(facts.held)),
        ("Usage", f"{counted(facts.rows, 'row')}, {counted(facts.partners, 'partner')}"),
        *[("Not priced", unpriced)] * bool(unpriced),
        *_usage(facts.usage_name),
    ]
    run = f"Run {facts.run_id}" if facts.run_id else "Open the run"
    return message(Layout(emoji, title, said, fields, listed, advice, _links(facts.page, run)))


def _open_points(facts: MonthFacts) -> list[str]:
    """What a published or publishable month leaves to do."""
    held = f"{amount(facts.held)} is held for want of a NetSuite customer: add it to the rules workbook's mapping."
    audit = "The audit asks for a look: see the sheet Audit & Controls of the master report."
    return [*[held] * bool(facts.held), *[audit] * (facts.controls == "REVIEW REQUIRED")]


def _again(period: Period) -> str:
    return f"`billing-pipeline backfill --from {period.key} --to {period.key}`"


def _imported(facts: MonthFacts) -> str:
    return f"billing-pipeline imported --month {facts.period.key} --release {facts.release}"


def _open(facts: MonthFacts) -> list[str]:
    """What the month waits for: its open questions, or, when all are decided, whatever else there is."""
    questions = _by_type(facts.undecided)
    return ["Open questions:", *questions] if questions else list(facts.reasons)


def _by_type(counts: Mapping[str, int]) -> list[str]:
    return [f"{count:,} × {_QUESTIONS.get(kind, kind.replace('_', ' '))}" for kind, count in counts.items() if count]


def _usage(name: str) -> list[tuple[str, str]]:
    return [("Usage file", name)] if name else []


def _links(page: str, name: str = "Open the run") -> list[tuple[str, str]]:
    return [(name, page)] if page else []
