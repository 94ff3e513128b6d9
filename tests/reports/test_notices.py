"""Each notice as a whole, as people read it; its blocks keep Slack limits, and text from outside stays text."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from textwrap import dedent
from typing import Any

import pytest

from billing_pipeline.engine.period import Period
from billing_pipeline.reports import notices
from billing_pipeline.reports.notices import ControlFacts, FailureFacts, MonthFacts

JANUARY = Period(2026, 1)
FACTS = MonthFacts(
    period=JANUARY,
    controls="REVIEW REQUIRED",
    rows=10_000,
    partners=14,
    billed=Decimal("1234567.89"),
    held=Decimal("120.00"),
    last_month=Decimal("1100000.00"),
    unpriced={"bad_cell": 2, "other_month": 1},
    usage_name="2026.01_REDASH_usage.csv",
    run_id="20260201T030405Z-1a2b3c4d",
    page="http://localhost:3000/runs/0f1e",
)
CLEAN = replace(FACTS, controls="PASS", held=Decimal("0.00"), unpriced={}, last_month=None, run_id="")
FAILURE = FailureFacts(
    JANUARY, ["ConnectionError: storage is away"], False, 2, 5, page="http://localhost:3000/runs/0f1e"
)


def told(text: str) -> str:
    """A text as it stands in a test: without the indentation around it."""
    return dedent(text).strip("\n").rstrip()


def test_a_published_month_with_open_points() -> None:
    message = notices.published(replace(FACTS, release=1))
    assert message["text"] == told(
        """
        ✅ January 2026 is published
        The invoice file is ready.
        Period: 2026-01
        Status: published, release 1
        Audit: REVIEW REQUIRED
        Billed: 1,234,567.89
        Last month: 1,100,000.00, change +134,567.89 (+12.2%)
        Held: 120.00
        Usage: 10,000 rows, 14 partners
        Not priced: 2 × unreadable cell, 1 × row of another month
        Usage file: 2026.01_REDASH_usage.csv
        What to do:
        - Import the invoice file into NetSuite, then record it: `billing-pipeline imported --month 2026-01 --release 1`
        - 120.00 is held for want of a NetSuite customer: add it to the rules workbook's mapping.
        - The audit asks for a look: see the sheet Audit & Controls of the master report.
        Run 20260201T030405Z-1a2b3c4d: http://localhost:3000/runs/0f1e
        """
    )


def test_a_published_month_without_open_points_and_without_a_month_before() -> None:
    message = notices.published(replace(CLEAN, release=1))
    assert message["text"] == told(
        """
        ✅ January 2026 is published
        The invoice file is ready.
        Period: 2026-01
        Status: published, release 1
        Audit: PASS
        Billed: 1,234,567.89
        Last month: no release to compare with
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
        What to do:
        - Import the invoice file into NetSuite, then record it: `billing-pipeline imported --month 2026-01 --release 1`
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_published_adjustments() -> None:
    message = notices.adjusted(replace(CLEAN, release=2), Decimal("120.50"), Decimal("-20.00"))
    assert message["text"] == told(
        """
        ✅ January 2026: adjustments are published
        Release 2 holds only what changed since the release before.
        Period: 2026-01
        Status: published, release 2
        Audit: PASS
        Billed: 1,234,567.89
        Last month: no release to compare with
        Adjustments: +120.50 as invoices, -20.00 as credit memos
        Difference: +100.50
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
        What to do:
        - Import the adjustment file and the credit-memo file into NetSuite, then record it: `billing-pipeline imported --month 2026-01 --release 2`
        Open the run: http://localhost:3000/runs/0f1e
        """  # noqa: E501 - as it is sent
    )


def test_a_month_that_a_person_publishes() -> None:
    message = notices.billed(CLEAN)
    assert message["text"] == told(
        """
        🧾 January 2026 is priced and can be published
        Nothing is open: it only waits for somebody to publish it.
        Period: 2026-01
        Status: priced
        Audit: PASS
        To be billed: 1,234,567.89
        Last month: no release to compare with
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
        What to do:
        - Look at the draft, then publish it: `billing-pipeline publish --month 2026-01`
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_a_month_that_waits_for_decisions() -> None:
    message = notices.waiting(
        replace(
            CLEAN,
            undecided={"missing_billing_trigger": 7, "unmapped_partner": 1},
            reasons=("8 flags wait for a decision",),
        )
    )
    assert message["text"] == told(
        """
        ✋ January 2026 waits for 8 decisions
        Nothing is published yet; the amounts are those of the draft.
        Period: 2026-01
        Status: in review
        Audit: PASS
        To be billed: 1,234,567.89
        Last month: no release to compare with
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
          Open questions:
          7 × no first billable activity
          1 × no NetSuite customer
        What to do:
        - Get the questions as a workbook: `billing-pipeline review export --month 2026-01`
        - Decide in it, then bring it back: `billing-pipeline review import --month 2026-01`
        - Approve: `billing-pipeline review approve --month 2026-01`. The month is then billed by itself.
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_a_month_that_waits_for_approval() -> None:
    message = notices.waiting(replace(CLEAN, reasons=("0 of 2 approvals of the decisions",)))
    assert message["text"] == told(
        """
        ✋ January 2026 waits for approval
        Nothing is published yet; the amounts are those of the draft.
        Period: 2026-01
        Status: in review
        Audit: PASS
        To be billed: 1,234,567.89
        Last month: no release to compare with
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
          0 of 2 approvals of the decisions
        What to do:
        - Approve the draft: `billing-pipeline review approve --month 2026-01`
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_a_month_that_differs_from_what_was_sent() -> None:
    message = notices.rebill(
        replace(CLEAN, reasons=("0 of 1 approvals of the difference to what was sent",)),
        [("Globex", Decimal("20.5")), ("Acme, Inc.", Decimal("-1020.00"))],
    )
    assert message["text"] == told(
        """
        🔁 RE-BILL: January 2026 differs from what was sent
        Nothing was changed: what was sent stays sent until somebody approves the difference.
        Period: 2026-01
        Status: re-bill waiting
        Audit: PASS
        To be billed: 1,234,567.89
        Last month: no release to compare with
        Difference: -999.50
        Partners that change: 2
        Held: 0.00
        Usage: 10,000 rows, 14 partners
        Usage file: 2026.01_REDASH_usage.csv
          Difference by partner:
          Acme, Inc.  -1,020.00
          Globex         +20.50
          Total         -999.50
          0 of 1 approvals of the difference to what was sent
        What to do:
        - Approve, if the new amounts are right: `billing-pipeline review approve --month 2026-01`. The difference then leaves as adjustments: invoices for what is more, credit memos for what is less.
        - Otherwise leave what was sent as it is: `billing-pipeline dismiss --month 2026-01`
        Open the run: http://localhost:3000/runs/0f1e
        """  # noqa: E501 - as it is sent
    )


def test_a_release_that_was_taken_back() -> None:
    first = notices.voided(JANUARY, 1, Decimal("1234.50"), 0, "Ana", "wrong export")
    assert first["text"] == told(
        """
        ↩️ January 2026: release 1 was taken back
        Period: 2026-01
        Status: priced
        Billed by it: 1,234.50
        By: Ana
        Reason: wrong export
        What to do:
        - Do not import its files; they are gone from the outputs.
        - When the month is right, publish its draft: `billing-pipeline publish --month 2026-01`
        """
    )
    second = notices.voided(JANUARY, 2, Decimal(9), 1, "Ana", "")["text"].splitlines()
    assert second[2] == "Status: published, release 1"
    assert second[-1] == "- Do not import its files. Release 1 holds again, with its files."


def test_a_rebill_that_was_dismissed() -> None:
    message = notices.dismissed(JANUARY, Decimal("-12.5"), "2026.01_usage.csv", "Bo", "agreed with the partner")
    assert message["text"] == told(
        """
        ✋ January 2026: the re-bill was dismissed
        What was sent stays as it is. The same file and rules are not asked about again.
        Period: 2026-01
        Status: published
        Difference not sent: -12.50
        By: Bo
        Reason: agreed with the partner
        Usage file: 2026.01_usage.csv
        """
    )


def test_a_refused_month() -> None:
    message = notices.refused(
        JANUARY,
        [
            ControlFacts("NetSuite Tie-Out", Decimal("100.0000"), Decimal("99.5000"), Decimal("-0.5000")),
            ControlFacts("Completeness (Rows)", Decimal(10000), Decimal(9999), Decimal(-1)),
        ],
        usage_name="2026.01_REDASH_usage.csv",
        page="http://localhost:3000/runs/0f1e",
    )
    assert message["text"] == told(
        """
        ⛔ January 2026 is not published: 2 controls failed
        Nothing was published, and what was published before is untouched.
        Period: 2026-01
        Status: refused
        Audit: FAIL
        Usage file: 2026.01_REDASH_usage.csv
          NetSuite Tie-Out: input 100, output 99.50, variance -0.50
          Completeness (Rows): input 10,000, output 9,999, variance -1
        What to do:
        - Open the run: its draft report says which rows and files do not agree. A failed control cannot be overridden.
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_a_month_whose_ledger_period_is_closed() -> None:
    message = notices.refused(JANUARY, [], reasons=("the ledger period is closed",))
    assert message["text"] == told(
        """
        ⛔ January 2026 is not published
        Nothing was published, and what was published before is untouched.
        Period: 2026-01
        Status: refused
          the ledger period is closed
        What to do:
        - Settle with accounting whether the period is opened again, then start the month again: `billing-pipeline backfill --from 2026-01 --to 2026-01`
        """  # noqa: E501 - as it is sent
    )


def test_a_failed_run() -> None:
    message = notices.failed(FAILURE)
    assert message["text"] == told(
        """
        🚨 January 2026 could not be billed
        The run failed; nothing was published by it.
        Period: 2026-01
        Status: failed
        Attempt: 2 of 5
          ConnectionError: storage is away
        What to do:
        - Open the run and look at its first error. If it means nothing to you, pass this message on.
        - Meanwhile it is tried again by itself, at growing intervals.
        Open the run: http://localhost:3000/runs/0f1e
        """
    )


def test_a_month_without_a_usage_file() -> None:
    message = notices.deadline(
        JANUARY, date(2026, 2, 3), "/srv/usage", notices.asset_page("http://localhost:3000/", "usage_file", JANUARY)
    )
    assert message["text"] == told(
        """
        ⏰ No usage file for January 2026 yet
        It was due on 3 February 2026.
        Period: 2026-01
        Status: waiting for usage
        Awaited in: /srv/usage
        What to do:
        - Ask for the export and put it there, named `2026.01_….csv`: it is billed by itself when it is complete.
        Open the pages: http://localhost:3000/assets/usage_file?view=partitions&partition=2026-01
        """
    )


FILES = {
    "duplicate": ("📄 A usage file was skipped: its content is known", "A correction needs a changed file."),
    "unstable": ("⏳ A usage file does not stand still", "its size and time have stopped changing."),
    "vanished": ("❓ A usage file disappeared before it was billed", "It is taken when it is there again."),
    "wrong_month": ("📅 A usage file does not belong to a month that can be billed", "correct the one that is wrong."),
    "folder_gone": ("🚨 The usage folder cannot be read", "Nothing is lost: files are taken when it is back."),
    "folder_back": ("✅ The usage folder can be read again", "Nothing: files that came meanwhile are taken now."),
    "ambiguous": (
        "❓ More than one usage file for a month",
        "Leave the right one in the folder and move the others away.",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_notice_about_usage_files(kind: notices.FileKind) -> None:
    title, advice = FILES[kind]
    text = "2026.01_a.csv: a reason\n2026.01_b.csv: another"
    lines = notices.file_notice(kind, text, "http://localhost:3000/x")["text"].split("\n")
    assert lines[:4] == [title, "  2026.01_a.csv: a reason", "  2026.01_b.csv: another", "What to do:"]
    assert lines[4].endswith(advice)
    assert lines[5:] == ["Open the sensor: http://localhost:3000/x"]


def test_only_the_fifteen_largest_differences_are_shown_one_by_one() -> None:
    many = [(f"Partner {number}", Decimal(number)) for number in range(1, 21)]
    lines = notices.rebill(CLEAN, many)["text"].split("\n")
    shown = lines[lines.index("  Difference by partner:") + 1 :]
    assert shown[0] == "  Partner 20        +20.00"
    assert shown[14:17] == ["  Partner 6          +6.00", "  5 more partners   +15.00", "  Total            +210.00"]


def test_open_questions_come_before_the_approval_of_a_rebill() -> None:
    text = notices.rebill(replace(CLEAN, undecided={"bad_cell": 2}), [("Globex", Decimal(1))])["text"]
    assert "  Open questions:\n  2 × unreadable cell\n" in text
    assert text.index("Decide the open questions first") < text.index("Approve, if the new amounts are right")


def test_only_the_files_there_are_have_to_be_imported() -> None:
    facts = replace(CLEAN, release=2)
    only_credits = notices.adjusted(facts, Decimal(0), Decimal("-20.00"))["text"]
    assert "- Import the credit-memo file into NetSuite, then" in only_credits
    only_invoices = notices.adjusted(facts, Decimal("0.01"), Decimal(0))["text"]
    assert "- Import the adjustment file into NetSuite, then" in only_invoices


def test_a_long_cause_is_cut_and_says_so() -> None:
    text = notices.failed(replace(FAILURE, cause=[f"problem {number}" for number in range(1, 14)]))["text"]
    assert "  problem 10\n  … and 3 more\n" in text


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        ("0.30", "0.10", "0.10, change +0.20 (+200.0%)"),
        ("100.05", "100.00", "100.00, change +0.05 (+0.1%)"),
        ("99.96", "100.00", "100.00, change -0.04 (0.0%)"),
        ("5.00", "0.00", "0.00, change +5.00"),
        ("5.00", "5.00", "5.00, change 0.00 (0.0%)"),
        ("12345678901234.56", "0.01", "0.01, change +12,345,678,901,234.55 (+123,456,789,012,345,500.0%)"),
    ],
)
def test_amounts_are_exact_and_compared_with_last_month(now: str, before: str, shown: str) -> None:
    facts = replace(CLEAN, billed=Decimal(now), last_month=Decimal(before), release=1)
    assert f"Last month: {shown}\n" in notices.published(facts)["text"]


def every() -> Iterator[dict[str, Any]]:
    """Every notice, of facts that are as long and as hostile as they can be."""
    nasty = (
        "<!channel> <@U1> <http://x|y> & *b* _i_ `c` ```d``` https://evil.example @here #general \x1b[31m\u202e\n" * 50
    )
    facts = replace(
        FACTS,
        controls=nasty,
        release=1,
        usage_name=nasty,
        run_id=nasty,
        undecided={nasty: 3},
        unpriced={nasty: 4},
        reasons=(nasty,),
    )
    controls = [ControlFacts(nasty, Decimal(1), Decimal(2), Decimal(1))] * 99
    yield notices.published(facts)
    yield notices.adjusted(facts, Decimal(1), Decimal(-1))
    yield notices.billed(facts)
    yield notices.waiting(facts)
    yield notices.rebill(facts, [(nasty, Decimal(number)) for number in range(500)])
    yield notices.refused(JANUARY, controls, usage_name=nasty, reasons=[nasty])
    yield notices.failed(FailureFacts(JANUARY, nasty.splitlines(), True, usage_name=nasty))
    yield notices.voided(JANUARY, 2, Decimal(1), 1, nasty, nasty)
    yield notices.dismissed(JANUARY, Decimal(1), nasty, nasty, nasty)
    yield notices.deadline(JANUARY, date(2026, 2, 3), nasty)
    yield notices.file_notice("unstable", nasty)


@pytest.mark.parametrize("message", list(every()))
def test_blocks_stay_within_slacks_limits(message: dict[str, Any]) -> None:
    assert len(message["blocks"]) < 49, "the channel may add one"
    for block in message["blocks"]:
        texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        limit = {"header": 150}.get(block["type"], 3000)
        assert all(0 < len(text["text"]) <= limit for text in texts if text)
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
        assert len(block.get("fields", [])) <= 10
    json.dumps(message).encode("ascii")


@pytest.mark.parametrize("message", list(every()))
def test_text_from_outside_makes_no_link_no_mention_and_no_format(message: dict[str, Any]) -> None:
    shown = json.dumps(message["blocks"], ensure_ascii=False)
    assert "<!" not in shown
    assert "<@" not in shown
    assert "<http://x" not in shown
    fields = [field["text"].split("\n")[1] for block in message["blocks"] for field in block.get("fields", [])]
    assert all("*" not in field or (field[0], field[-1], field.count("`")) == ("`", "`", 2) for field in fields)
    assert "\x1b" not in message["text"] + shown
    assert "\u202e" not in message["text"] + shown
    mrkdwn = [text for block in message["blocks"] for text in _texts(block) if text["type"] == "mrkdwn"]
    assert mrkdwn
    assert all(text["verbatim"] for text in mrkdwn), "Slack finds links and names in a text that is not verbatim"


def _texts(block: dict[str, Any]) -> list[dict[str, Any]]:
    return [text for text in (block.get("text"), *block.get("fields", []), *block.get("elements", [])) if text]


def test_a_frame_of_lines_is_never_broken_by_what_is_in_it() -> None:
    listed = notices.file_notice("unstable", "a ``` b\nc")["blocks"][1]["text"]["text"]
    assert listed == "```\na ''' b\nc\n```"


def test_the_blocks_say_the_same_as_the_text() -> None:
    message = notices.published(replace(FACTS, release=1))
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    assert message["blocks"][0]["text"]["text"] == "✅ January 2026 is published"
    assert message["blocks"][2]["fields"][3]["text"] == "*Billed*\n1,234,567.89"
    assert message["blocks"][4]["elements"][0]["text"] == (
        "<http://localhost:3000/runs/0f1e|Run 20260201T030405Z-1a2b3c4d>"
    )


def test_pages_are_addressed_as_dagster_does() -> None:
    assert notices.run_page("https://dagster.example/", "0f1e") == "https://dagster.example/runs/0f1e"
    assert notices.asset_page("https://dagster.example", "manifest", JANUARY) == (
        "https://dagster.example/assets/manifest?view=partitions&partition=2026-01"
    )
