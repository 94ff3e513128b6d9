"""`publish`, `void`, `imported`, `close`, `history`, `evidence`: what they do, say and leave as exit code."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.installed import Installed
from tests.literals import company
from tests.months import Said

IMPORT_FILE = "gep_netsuite_invoice_import_2026.01.csv"
ADJUSTMENTS = "gep_netsuite_adjustments_2026.01_r2.csv"


@pytest.fixture
def january(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installed:
    return Installed(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("command", ["publish", "void", "imported", "close", "history", "evidence", "backfill"])
def test_every_command_explains_itself_with_an_example(january: Installed, command: str) -> None:
    said = january.run(command, "--help")
    assert said.code == 0
    assert f"billing-pipeline {command} " in said.out


def test_publish_says_what_was_made_and_where_the_files_are(january: Installed) -> None:
    said = january.publish()
    (release,) = january.releases("2026-01")
    assert (said.code, said.out) == (0, "")
    assert said.err.splitlines() == [
        f"2026-01 is published: release 1, 30.00 billed in all, by run {release.run_id}",
        f"  {january.outputs / 'gep_netsuite' / IMPORT_FILE}",
    ]
    assert january.publish().err == "2026-01 is as it was sent: release 1, 30.00 billed in all\n"


def test_publish_as_json_is_one_document_with_amounts_as_text(january: Installed) -> None:
    january.released()
    january.users(9)
    found = january.publish("--json").document
    assert (found["period"], found["state"], found["reasons"]) == ("2026-01", "published", [])
    assert [(made["number"], made["billed"], made["difference"]) for made in found["releases"]] == [
        (1, "30.00", "30.00"), (2, "34.00", "4.00"),
    ]  # fmt: skip
    assert [Path(path).name for path in found["files"]] == [ADJUSTMENTS]


def test_publish_is_refused_while_a_flag_is_undecided_and_says_where_to_look(january: Installed) -> None:
    january.users(5, 5, company(9, FIRST_BILLABLE_ACTIVITY_DATE=""))
    for _ in range(2):
        said = january.publish()
        assert (said.code, january.state()) == (4, "in_review")
        assert "1 flag waits for a decision (see `review list --month 2026-01`)" in said.err


def test_publish_waits_for_the_second_approver(january: Installed) -> None:
    january.setting("approvers", 2)
    january.setting("publish", "manual")
    said = january.publish()
    assert (said.code, said.err) == (3, "2026-01 waits (priced): 1 of 2 approvals to publish\n")
    assert january.publish("--by", "Bo").code == 0


def test_publish_makes_the_draft_again_when_its_file_or_rules_have_changed(january: Installed) -> None:
    """Nobody has seen the new draft, so nobody can have meant it."""
    january.setting("publish", "manual")
    january.close()
    january.users(9)
    said = january.publish()
    assert (said.code, january.state()) == (3, "priced")
    assert "the usage file changed since the draft" in said.err
    january.rules(101, 102, er_fee=20)
    assert "the rules workbook changed since the draft" in january.publish().err
    assert january.publish().code == 0
    assert january.releases("2026-01")[0].billed == 54


def test_a_release_that_nobody_imported_can_be_taken_back_and_made_again(january: Installed) -> None:
    january.released()
    said = january.run("void", "--month", "2026-01", "--by", "Ana", "--reason", "wrong export")
    assert (said.code, said.err) == (0, "release 1 of 2026-01 is void: its files are gone\n")
    assert (january.state(), january.named(), len(january.sets())) == ("priced", [], 1)
    (taken,) = january.releases("2026-01")
    assert (taken.state, taken.voided_by, taken.void_reason) == ("void", "Ana", "wrong export")
    assert "release 1 was taken back" in january.last_notice()
    assert "Reason: wrong export" in january.last_notice()
    assert january.publish().code == 0
    assert [(made.number, made.state) for made in january.releases("2026-01")] == [(1, "void"), (2, "published")]
    assert january.named() == [IMPORT_FILE]


def test_taking_back_an_adjustment_brings_the_files_of_the_release_before_back(january: Installed) -> None:
    january.released()
    before = january.bytes_of("2026-01")
    january.users(9)
    january.publish()
    assert january.bytes_of("2026-01") != before
    assert january.run("void", "--month", "2026-01", "--release", 1).code == 4
    assert january.run("void", "--month", "2026-01").code == 0
    assert (january.bytes_of("2026-01"), january.state()) == (before, "published")
    assert "Release 1 holds again" in january.last_notice()
    january.close()
    assert (january.state(), january.kinds()[-1]) == ("rebill_waiting", "re-bill"), "the same draft is told once more"
    said = january.run("void", "--month", "2026-01", "--release", 2)
    assert (said.code, said.err) == (4, "refused release 2 of 2026-01 is void already\n")


def test_an_imported_release_cannot_be_taken_back(january: Installed) -> None:
    january.released()
    first = january.run("imported", "--month", "2026-01", "--release", 1, "--by", "Ana", "--json").document
    again = january.run("imported", "--month", "2026-01", "--by", "Bo", "--json").document
    assert (first["imported_by"], again) == ("Ana", first)
    said = january.run("void", "--month", "2026-01")
    assert (said.code, "only an adjustment can correct it" in said.err) == (4, True)
    assert january.named() == [IMPORT_FILE]


def test_a_void_release_cannot_have_been_imported(january: Installed) -> None:
    january.released()
    january.run("void", "--month", "2026-01")
    assert january.run("imported", "--month", "2026-01", "--release", 1).code == 4


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("void", "--month", "2026-01"), "2026-01 has no release; billing-pipeline history --month 2026-01 lists"),
        (("imported", "--month", "2026-01", "--release", 3), "2026-01 has no release 3; "),
        (("evidence", "--month", "2026-01", "--out", "x.zip"), "2026-01 has no release; "),
        (("publish", "--month", "2026-13"), "2026-13"),
        (("publish", "--month", "2027-01"), "2027-01 is not a month that can be billed"),
        (("void", "--month", "2026-01", "--by", " "), "--by names nobody"),
    ],
)
def test_what_cannot_be_meant_is_bad_input(january: Installed, command: tuple[object, ...], message: str) -> None:
    said = january.run(*command)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_closing_and_opening_a_period_shows_in_the_month_s_state_once(january: Installed) -> None:
    january.released()
    for _ in range(2):
        assert january.run("close", "--month", "2026-01", "--by", "Controller", "--reason", "final").code == 0
    assert january.state() == "closed"
    january.run("close", "--month", "2026-01", "--reopen", "--by", "Controller")
    events = january.run("history", "--month", "2026-01", "--json").document["events"]
    assert [(event["state"], event["reasons"]) for event in events] == [
        ("published", []), ("closed", ["closed by Controller: final"]), ("published", ["reopened by Controller"]),
    ]  # fmt: skip


def test_a_rebill_that_is_dismissed_leaves_what_was_sent_and_is_not_asked_again(january: Installed) -> None:
    january.released()
    january.users(9)
    january.close()
    said = january.run("dismiss", "--month", "2026-01", "--by", "Ada", "--reason", "wrong export", "--json")
    assert (said.code, january.state(), len(january.releases("2026-01"))) == (0, "published", 1)
    assert said.document["reasons"] == ["the re-bill of 2026.01_usage.csv was dismissed by Ada: wrong export"]
    assert "the re-bill was dismissed" in january.last_notice()
    assert "Difference not sent: +4.00" in january.last_notice()
    again = january.run("dismiss", "--month", "2026-01")
    assert again == Said(4, "", "refused 2026-01 is published: no re-bill waits to be dismissed\n")


def test_closing_a_period_does_not_hide_that_its_month_waits(january: Installed) -> None:
    january.released()
    january.users(9)
    january.close()
    january.run("close", "--month", "2026-01")
    assert january.state() == "rebill_waiting"


def test_history_lists_releases_and_what_happened(january: Installed) -> None:
    assert january.run("history").err == "Nothing has run yet.\n"
    january.publish()
    january.users(9)
    january.close()
    (release,) = january.releases("2026-01")
    said = january.run("history").err
    for shown in (release.run_id, release.usage_sha256[:8], release.rules_sha256[:8], "30.00", "difference 4.00"):
        assert shown in said
    found = january.run("history", "--json").document
    assert [made["usage_sha256"] for made in found["releases"]] == [release.usage_sha256]
    assert [event["state"] for event in found["events"]] == ["published", "rebill_waiting"]


def test_the_evidence_of_a_release_is_whole_checks_itself_and_does_not_change(
    january: Installed, tmp_path: Path
) -> None:
    january.users(5, 5, company(9, FIRST_BILLABLE_ACTIVITY_DATE=""))
    january.close()
    january.run("review", "decide", "--month", "2026-01", "--flag", "missing_fba_0", "--action", "keep", "--by", "Ana")
    january.close()
    january.publish()
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    assert january.run("evidence", "--month", "2026-01", "--out", one).code == 0
    january.close()
    january.run("review", "decide", "--month", "2026-01", "--flag", "missing_fba_0", "--action", "remove", "--by", "Bo")
    january.publish()
    assert (
        january.run("evidence", "--month", "2026-01", "--release", 1, "--out", two, "--json").document["release"] == 1
    )
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as pack:
        names = set(pack.namelist())
        record = json.loads(pack.read("release.json"))
        pack.extractall(tmp_path / "opened")
    assert names >= {
        "inputs/2026.01_usage.csv", "inputs/decisions.json", f"gep_netsuite/{IMPORT_FILE}", "manifest.json",
        "gep_billing_log/2026.01_Master_Billing_Report.xlsx", "invoice_lines.parquet", "SHA256SUMS",
    }  # fmt: skip
    assert any("rules_snapshot_2026-01" in name for name in names)
    assert [made["reviewer"] for made in record["decisions"]] == ["Ana"]
    assert [given["approver"] for given in record["approvals"]] == ["Ana"]
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], check=False, cwd=tmp_path / "opened")
    assert checked.returncode == 0


def test_evidence_is_not_written_over_a_folder(january: Installed, tmp_path: Path) -> None:
    said = january.run("evidence", "--month", "2026-01", "--out", tmp_path)
    assert (said.code, "is a folder" in said.err) == (2, True)
