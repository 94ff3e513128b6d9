"""`review`: flags listed, decided on the command line and in a workbook, taken over to a new file, approved."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from billing_pipeline.resources import months, reviews
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.months import MonthEvent
from tests.literals import JANUARY, company
from tests.months import IMPORT, Month, Said, one_company

UNDATED = company(1, FIRST_BILLABLE_ACTIVITY_DATE="")
UNREAD = company(2, TOTAL_INDIVIDUAL_USERS="5%", SUSPENSION_DATE="soon")
AT = datetime(2026, 2, 3, tzinfo=UTC)


def review(month: Month, command: str, *more: object) -> Said:
    return month.run("review", command, *more, "--inputs-dir", month.inputs, "--outputs-dir", month.outputs)


def decide(month: Month, *more: object) -> Said:
    return review(month, "decide", "--by", "Ana", *more)


def flags(month: Month) -> dict[str, dict[str, Any]]:
    return {flag["flag_id"]: flag for flag in review(month, "list", "--json").document["flags"]}


@pytest.fixture
def questions(month: Month) -> Month:
    """A month with a row without a date, a row with two unreadable cells, and a row that is in order."""
    month.partners(**{"101": "C1 Acme", "7": "C7 Birch"})
    month.usage(UNDATED, UNREAD, one_company())
    return month


def test_a_decision_is_kept_with_who_when_and_why_and_the_bill_follows_it(questions: Month) -> None:
    said = decide(questions, "--flag", "missing_fba_0", "--action", "remove", "--reason", "test account", "--json")
    assert (said.code, said.document["undecided"], len(said.document["recorded"])) == (3, 1, 1)
    recorded = said.document["recorded"][0]
    assert (recorded["action"], recorded["reviewer"], recorded["reason"], recorded["line"]) == (
        "remove", "Ana", "test account", 2,
    )  # fmt: skip
    assert flags(questions)["missing_fba_0"]["decided"].startswith("remove by Ana on ")
    assert decide(questions, "--line", 3, "--action", "remove").code == 0
    billed = questions.bill("--gate", "--json").document
    assert (billed["status"], billed["undecided"], billed["buckets"]["removed"]["rows"]) == ("published", 0, 2)


def test_correcting_every_unreadable_cell_puts_the_row_back_into_the_bill(questions: Month) -> None:
    fix = ("--flag", "bad_cell_0", "--action", "fix_cell", "--cell")
    assert "2 of 2 flags are open" in decide(questions, *fix, "TOTAL_INDIVIDUAL_USERS", "--value", "5").err
    assert "1 of 2 flags are open" in decide(questions, *fix, "SUSPENSION_DATE", "--value", "").err
    billed = questions.bill("--json").document
    assert billed["buckets"]["quarantined"]["rows"] == 0
    assert billed["billed"] == "45.00"
    applied = openpyxl.load_workbook(questions.outputs / "gep_billing_log/2026.01_Master_Billing_Report.xlsx")
    rows = list(applied["Overrides Applied"].iter_rows(values_only=True))
    assert rows[0][-3:] == ("Cell", "Original Value", "New Value")
    assert {row[-3:] for row in rows[1:]} == {
        ("SUSPENSION_DATE", "soon", None), ("TOTAL_INDIVIDUAL_USERS", "5%", "5"),
    }  # fmt: skip


def test_what_cannot_be_decided_is_refused_by_its_option_and_changes_nothing(questions: Month) -> None:
    refused = {
        ("--flag", "missing_fba_0", "--action", "set_date", "--date", "2026-02-30"): "--date: is not a date",
        ("--flag", "bad_cell_0", "--action", "keep"): "--action: is not offered",
        ("--flag", "missing_fba_9", "--action", "keep"): "--flag: is no flag of 2026-01: bad_cell_0, missing_fba_0",
        ("--line", 99, "--action", "keep"): "--line: no row of the usage file begins at this line",
        ("--partner", "Zebra", "--action", "keep"): "--partner: is no partner of the usage file",
        ("--action", "keep"): "one of --flag, --line, --partner",
        ("--line", 2, "--action", "withdraw"): "nothing was decided about it",
    }
    for options, message in refused.items():
        said = decide(questions, *options)
        assert (said.code, said.out) == (2, "")
        assert message in said.err
    assert review(questions, "list", "--json").document["decisions"] == []


def test_a_decision_can_be_taken_back(questions: Month) -> None:
    decide(questions, "--flag", "missing_fba_0", "--action", "keep")
    decide(questions, "--flag", "missing_fba_0", "--action", "withdraw")
    listed = review(questions, "list", "--json").document
    assert [decision["action"] for decision in listed["decisions"]] == ["keep", "withdraw"]
    assert {flag["decision"] for flag in listed["flags"]} == {None}


def test_a_row_that_nobody_flagged_can_be_decided_about(questions: Month) -> None:
    assert decide(questions, "--line", 4, "--action", "remove").code == 3
    assert questions.bill("--json").document["buckets"]["removed"]["rows"] == 1


def test_a_row_is_reassigned_by_name_and_gets_the_id_with_it(questions: Month) -> None:
    questions.usage(UNDATED, company(5, PARTNER_ID="7", PARTNER_NAME="Birch"))
    said = decide(questions, "--line", 2, "--action", "set_date_and_reassign", "--date", "1/9/26", "--to-partner",
                  "birch", "--json")  # fmt: skip
    assert (said.code, said.document["recorded"][0]["partner_id"]) == (0, "7")
    questions.bill()
    assert "C1 Acme" not in questions.read(IMPORT)


def test_changed_rules_or_usage_are_scanned_again_and_said(questions: Month) -> None:
    review(questions, "scan")
    assert "scanning" not in review(questions, "list").err
    questions.partners(**{"101": "C1 Acme"})
    assert "the rules workbook has changed since the last scan; scanning 2026-01" in review(questions, "list").err
    questions.usage(UNDATED)
    assert "the usage file has changed since the last scan; scanning 2026-01" in review(questions, "list").err


def test_a_new_usage_file_takes_over_what_was_decided_about_unchanged_rows(questions: Month) -> None:
    decide(questions, "--flag", "missing_fba_0", "--action", "keep", "--reason", "agreed")
    decide(questions, "--flag", "bad_cell_0", "--action", "remove")
    questions.usage(one_company(), UNDATED, UNREAD | {"TOTAL_INDIVIDUAL_USERS": "6%"})
    listed = review(questions, "list", "--json").document
    (carried,) = listed["decisions"]
    assert (carried["line"], carried["reviewer"]) == (3, "Ana")
    assert carried["reason"].startswith("carried over from usage file ")
    assert [left["action"] for left in listed["not_carried_over"]] == ["remove"]
    assert {f["flag_id"]: f["decision"] for f in listed["flags"]} == {"bad_cell_0": None, "missing_fba_0": "keep"}
    assert review(questions, "scan", "--json").document["decisions"] == listed["decisions"]
    assert "not carried over remove by Ana, Company 2 of Acme: its row has changed" in review(questions, "scan").err


def workbook(month: Month, **cells: object) -> Path:
    """The month's review workbook, with cells of its sheet filled in."""
    path = month.inputs.parent / "review.xlsx"
    path.unlink(missing_ok=True)
    assert review(month, "export", path).code == 0
    book = openpyxl.load_workbook(path)
    for place, value in cells.items():
        book["Decisions"][place] = value
    book.save(path)
    return path


def test_a_filled_in_workbook_decides_and_handing_it_in_twice_changes_nothing(questions: Month) -> None:
    path = workbook(
        questions,
        L4="fix_cell",
        P4="5",
        L5="fix_cell",
        P5="(blank)",
        L6="set_date",
        M6=datetime(2026, 2, 3),
        Q6="asked them",
    )
    said = review(questions, "import", path, "--by", "Ben", "--reason", "typing errors", "--json")
    assert (said.code, said.document["undecided"]) == (0, 0)
    assert [(d["action"], d["cell"], d["value"], d["set_date"], d["reason"]) for d in said.document["recorded"]] == [
        ("fix_cell", "TOTAL_INDIVIDUAL_USERS", "5", "", "typing errors"),
        ("fix_cell", "SUSPENSION_DATE", "", "", "typing errors"),
        ("set_date", "", "", "2026-02-03", "asked them"),
    ]
    again = review(questions, "import", path, "--by", "Cid", "--json").document
    assert (again["recorded"], again["last_decision"]) == ([], said.document["last_decision"])


def test_everything_wrong_with_a_workbook_is_told_by_cell_and_nothing_of_it_is_taken(questions: Month) -> None:
    path = workbook(questions, L4="fix_cell", L5="keep", L6="set_date", M6="2026-02-30")
    said = review(questions, "import", path, "--by", "Ben")
    assert said.code == 2
    for told in (
        "Decisions!P4: write the new value",
        "Decisions!L5: the rows of one flag ask for different things: fix_cell, keep",
        "Decisions!M6: is not a date",
    ):
        assert told in said.err
    assert review(questions, "list", "--json").document["decisions"] == []


def test_a_workbook_shows_what_is_decided_and_only_changed_rows_are_taken(questions: Month) -> None:
    decide(questions, "--flag", "missing_fba_0", "--action", "set_date", "--date", "2026-01-09")
    path = workbook(questions)
    page = openpyxl.load_workbook(path)["Decisions"]
    assert (page["L6"].value, page["M6"].value, page["R6"].value[:15]) == ("set_date", "2026-01-09", "set_date by Ana")
    assert review(questions, "import", path, "--by", "Ben", "--json").document["recorded"] == []
    said = review(questions, "import", workbook(questions, L6="keep"), "--by", "Ben", "--json")
    assert [(d["action"], d["set_date"]) for d in said.document["recorded"]] == [("keep", "")]


def test_a_row_that_somebody_decided_meanwhile_is_refused(questions: Month) -> None:
    path = workbook(questions, L6="keep")
    decide(questions, "--flag", "missing_fba_0", "--action", "remove")
    said = review(questions, "import", path, "--by", "Ben")
    assert said.code == 2
    assert "Decisions!L6: was decided since by Ana: remove; export the workbook again" in said.err


def test_a_workbook_of_another_usage_file_gives_what_fits_when_asked(questions: Month) -> None:
    path = workbook(questions, L4="remove", L6="keep")
    questions.usage(UNDATED, one_company(), company(4, SUSPENSION_DATE=""))
    refused = review(questions, "import", path, "--by", "Ben")
    assert refused.code == 2
    assert "was made of another usage file (2026.01_usage.csv); 1 of its 2 decisions fit this one" in refused.err
    said = review(questions, "import", path, "--by", "Ben", "--carry-over", "--json")
    assert (said.code, said.document["left"]) == (3, ["bad_cell_0 in row 4"])
    assert [d["flag_type"] for d in said.document["recorded"]] == ["missing_fba"]


def test_a_workbook_is_not_overwritten(questions: Month) -> None:
    path = workbook(questions)
    assert review(questions, "export", path).code == 2


def test_a_published_decision_file_is_imported_once(questions: Month) -> None:
    path = questions.overrides(
        {"flag_id": "missing_fba_7", "action": "set_date", "row_index": 2, "set_date": "2026-01-09"},
        {"action": "remove", "row_index": 1},
    )
    said = review(questions, "import", path, "--by", "Ben", "--json")
    assert [(d["flag_type"], d["action"], d["line"]) for d in said.document["recorded"]] == [
        ("missing_fba", "set_date", 2), ("", "remove", 3),
    ]  # fmt: skip
    assert review(questions, "import", path, "--by", "Ben", "--json").document["recorded"] == []


def test_a_decision_file_for_another_usage_file_or_with_what_is_not_offered_is_refused(questions: Month) -> None:
    path = questions.overrides({"flag_id": "bad_cell_0", "action": "keep", "row_index": 1})
    assert "decision 1: action is not offered" in review(questions, "import", path, "--by", "Ben").err
    questions.usage(UNDATED)
    said = review(questions, "import", path, "--by", "Ben")
    assert (said.code, "created for a different usage file" in said.err) == (2, True)


@pytest.fixture
def installation(questions: Month, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """The month in an installation of the settings, where two people approve; gives its database."""
    settings = {"USAGE_DIR": questions.inputs, "DATA_DIR": tmp_path / "data", "APPROVERS": "2"}
    for name, value in settings.items():
        monkeypatch.setenv(f"BILLING_{name}", str(value))
    return open_database(sqlite_url((tmp_path / "data").resolve()))


def waiting(database: Database, month: Month, state: str = "in_review") -> None:
    usage, rules = (sha256(path.read_bytes()).hexdigest() for path in (month.usage_file, month.rules_file))
    event = MonthEvent(JANUARY, state, AT, "run", "2026.01_usage.csv", usage, rules)
    database.run(lambda connection: months.record(connection, event))


def approve(month: Month, name: str, *more: str) -> Said:
    return month.run("review", "approve", "--month", "2026-01", "--by", name, *more)


def test_a_month_is_approved_by_two_different_people_once_every_flag_is_decided(
    installation: Database, questions: Month
) -> None:
    waiting(installation, questions)
    refused = approve(questions, "Ana")
    assert refused.code == 4
    assert "2026-01 cannot be approved: 2 flags wait for a decision" in refused.err
    for line in (2, 3):  # by the name that the issue gives the command, too
        questions.run("decide", "--month", "2026-01", "--line", line, "--action", "remove", "--by", "Ana")
    first = approve(questions, "Ana", "--json")
    assert (first.code, first.document["missing"], first.document["last_decision"]) == (3, 1, 2)
    assert "has approved this already; another person has to" in approve(questions, "ANA").err
    second = approve(questions, "Ben", "--json")
    assert (second.code, second.document["approvers"]) == (0, ["Ana", "Ben"])
    usage, rules = (json.loads(second.out)[file]["sha256"] for file in ("usage_file", "rules_file"))
    people = installation.run(lambda connection: reviews.approvers(connection, JANUARY, usage, rules, 2))
    assert people == ("Ana", "Ben")


@pytest.mark.parametrize("state", ["published", "refused", None])
def test_nothing_is_approved_that_does_not_wait(installation: Database, questions: Month, state: str | None) -> None:
    questions.usage(one_company())
    if state:
        waiting(installation, questions, state)
    said = approve(questions, "Ana")
    assert (said.code, "nothing of 2026-01 waits for an approval" in said.err) == (4, True)


def test_an_installation_reads_no_decision_file_by_itself(
    installation: Database, questions: Month, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "outputs" / "gep_data_review"
    folder.mkdir(parents=True)
    questions.overrides({"action": "remove", "row_index": 2}).replace(folder / "billing_overrides.json")
    listed = questions.run("review", "list", "--month", "2026-01", "--json").document
    assert {flag["decision"] for flag in listed["flags"]} == {None}
