"""Releases: the month once, then what changed of it; a crash anywhere; who has to approve."""

import json
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.assets import releasing
from billing_pipeline.resources.outputs import OutputFiles
from tests.installed import IMPORT, Installed
from tests.literals import company
from tests.months import MASTER

ADJUSTED = "gep_netsuite/gep_netsuite_adjustments_2026.01_r{}.csv"
CREDITED = "gep_netsuite/gep_netsuite_credit_memos_2026.01_r{}.csv"
ORIGINAL = "Original Invoice External ID"
UNDATED = company(9, FIRST_BILLABLE_ACTIVITY_DATE="")


@pytest.fixture
def january(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installed:
    """January 2026, ready to be billed: 15.00 for each of two partners."""
    return Installed(tmp_path, monkeypatch, capsys)


def told(lines: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Customer, external id, amount of each line that is not zero."""
    found = lines.filter(pl.col("Amount") != 0)
    return [(row["Customer"], row["Invoice External ID"], str(row["Amount"])) for row in found.to_dicts()]


def sent_in_all(january: Installed) -> dict[str, Decimal]:
    """What the ERP holds for each customer after it imported every file that stands outside."""
    held: dict[str, Decimal] = {}
    for name in january.named():
        sign = -1 if "credit_memos" in name else 1
        for row in january.lines(f"gep_netsuite/{name}").to_dicts():
            held[row["Customer"]] = held.get(row["Customer"], Decimal(0)) + sign * row["Amount"]
    return {customer: amount for customer, amount in held.items() if amount}


# Release 1


def test_a_month_without_questions_becomes_its_first_release(january: Installed) -> None:
    event = january.close()
    (release,) = january.releases("2026-01")
    assert (event.state, release.number, release.state) == ("published", 1, "published")
    assert (release.billed, release.difference) == (Decimal("30.00"), Decimal("30.00"))
    assert event.run_id == release.run_id
    assert release.placed_at is not None
    assert january.kinds() == ["published"]
    assert "January 2026" in january.last_notice()


def test_the_set_of_a_release_keeps_what_an_auditor_asks_for(january: Installed) -> None:
    january.released()
    (folder,) = january.sets()
    usage = folder / "inputs" / "2026.01_usage.csv"
    assert usage.read_bytes() == (january.usage_dir / "2026.01_usage.csv").read_bytes()
    assert json.loads((folder / "inputs" / "decisions.json").read_text()) == {"approvals": [], "decisions": []}
    assert (folder / "invoice_lines.parquet").is_file()
    assert (folder / "priced_rows.parquet").is_file()
    for entry in january.manifest()["files"]:
        assert sha256((folder / entry["name"]).read_bytes()).hexdigest() == entry["sha256"], entry["name"]
        assert (january.outputs / entry["name"]).is_file() == (entry["named"] or entry["kind"] == "review")
    assert january.manifest()["release"]["number"] == 1


def test_the_same_month_again_makes_and_tells_nothing(january: Installed) -> None:
    january.released()
    before = january.bytes_of("2026-01")
    event = january.close()
    assert (event.state, event.detail["unchanged"]) == ("published", True)
    assert (len(january.releases("2026-01")), len(january.sets()), january.kinds()) == (1, 1, ["published"])
    assert january.bytes_of("2026-01") == before
    assert not list((january.data / "drafts").rglob("*.*"))


# A changed month


def test_a_changed_usage_file_waits_for_a_person_and_replaces_nothing(january: Installed) -> None:
    january.released()
    before = january.bytes_of("2026-01")
    january.users(9, 2)
    event = january.close()
    assert (event.state, event.detail["difference"]) == ("rebill_waiting", "1.00")
    assert january.bytes_of("2026-01") == before
    assert len(january.releases("2026-01")) == 1
    assert january.kinds() == ["published", "re-bill"]
    said = january.last_notice()
    assert "101" in said
    assert "4.00" in said
    assert "102" in said
    assert "3.00" in said


def test_the_same_difference_is_told_once(january: Installed) -> None:
    january.released()
    january.users(9)
    january.close()
    january.close()
    assert january.kinds() == ["published", "re-bill"]


def test_an_approved_difference_leaves_as_invoices_and_credit_memos_tied_to_the_first(january: Installed) -> None:
    january.released()
    sent = (january.outputs / IMPORT).read_bytes()
    january.users(9, 2)
    assert january.publish().code == 0
    first, second = january.releases("2026-01")
    assert (second.number, second.billed, second.difference) == (2, Decimal("31.00"), Decimal("1.00"))
    assert (january.outputs / IMPORT).read_bytes() == sent
    charged, credited = (
        january.lines(ADJUSTED.format(2)),
        january.lines(CREDITED.format(2)).rename({"Credit Memo External ID": "Invoice External ID"}),
    )
    assert told(charged) == [("Customer 101", "INV-GEP-202601-101-R2", "4.00")]
    assert told(credited) == [("Customer 102", "CM-GEP-202601-102-R2", "3.00")]
    original = set(january.lines(IMPORT)["Invoice External ID"])
    assert {*charged[ORIGINAL], *credited[ORIGINAL]} == original == {"INV-GEP-202601-101", "INV-GEP-202601-102"}
    assert sent_in_all(january) == {"Customer 101": Decimal("19.00"), "Customer 102": Decimal("12.00")}
    assert january.kinds() == ["published", "re-bill", "published"]
    assert first.state == "published"


def test_the_import_file_of_a_later_release_stays_inside_its_set(january: Installed) -> None:
    january.released()
    january.users(9)
    january.publish()
    entry = next(entry for entry in january.manifest()["files"] if entry["kind"] == "import")
    assert not entry["named"]
    inside = (january.outputs / "runs/2026-01" / january.releases("2026-01")[-1].run_id / IMPORT).read_bytes()
    assert inside != (january.outputs / IMPORT).read_bytes()


def test_a_third_release_carries_the_difference_to_the_second(january: Installed) -> None:
    january.released()
    january.users(9, 2)
    january.publish()
    january.users(6, 2)
    january.publish()
    assert [(r.number, r.difference) for r in january.releases("2026-01")] == [
        (1, Decimal("30.00")), (2, Decimal("1.00")), (3, Decimal("-3.00")),
    ]  # fmt: skip
    memo = january.lines(CREDITED.format(3)).to_dicts()
    assert [(row["Credit Memo External ID"], row[ORIGINAL], str(row["Amount"])) for row in memo] == [
        ("CM-GEP-202601-101-R3", "INV-GEP-202601-101", "3.00")
    ]
    assert sent_in_all(january) == {"Customer 101": Decimal("16.00"), "Customer 102": Decimal("12.00")}
    assert january.named() == [
        "gep_netsuite_adjustments_2026.01_r2.csv", "gep_netsuite_credit_memos_2026.01_r2.csv",
        "gep_netsuite_credit_memos_2026.01_r3.csv", "gep_netsuite_invoice_import_2026.01.csv",
    ]  # fmt: skip


def test_a_usage_file_that_is_put_back_ends_the_waiting(january: Installed) -> None:
    january.released()
    january.users(9)
    january.close()
    january.users()
    assert january.close().state == "published"
    assert january.kinds() == ["published", "re-bill"]


def test_a_held_line_is_charged_once_its_partner_has_a_customer(january: Installed) -> None:
    january.rules(101, 102, mapped=[101])
    january.setting("approvers", 0)
    january.close()
    assert january.run(
        "review", "decide", "--month", "2026-01", "--flag", "unmapped_0", "--action", "keep", "--by", "Ana"
    ).code in (0, 3)
    january.close()
    assert january.named() == ["gep_netsuite_invoice_held_2026.01.csv", "gep_netsuite_invoice_import_2026.01.csv"]
    january.rules(101, 102)
    assert january.publish().code == 0
    assert told(january.lines(ADJUSTED.format(2))) == [
        ("Customer 102", "INV-GEP-202601-102-R2", "10.00"), ("Customer 102", "INV-GEP-202601-102-R2", "5.00"),
    ]  # fmt: skip
    assert sent_in_all(january) == {"Customer 101": Decimal("15.00"), "Customer 102": Decimal("15.00")}


def test_a_partner_that_moves_is_credited_to_the_old_customer_and_charged_to_the_new(january: Installed) -> None:
    january.released()
    january.rules(101, 102, names={102: "Birch Holding"})
    assert january.publish().code == 0
    assert sent_in_all(january) == {"Customer 101": Decimal("15.00"), "Birch Holding": Decimal("15.00")}
    assert january.releases("2026-01")[-1].difference == 0


def test_an_adjustment_that_cannot_be_imported_is_not_released(
    january: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing_pipeline.assets import adjusting

    january.released()
    january.users(9)
    monkeypatch.setattr(
        adjusting, "csv_bytes", lambda lines: lines.with_columns(Customer=pl.lit("")).write_csv().encode()
    )
    said = january.publish()
    assert (said.code, "cannot be imported" in said.err) == (4, True)
    assert len(january.releases("2026-01")) == 1


def test_adjustments_of_a_closed_month_are_posted_on_the_first_day_of_the_next_open_one(january: Installed) -> None:
    january.released()
    for month in ("2026-01", "2026-02"):
        january.run("close", "--month", month)
    january.users(9)
    assert january.publish().code == 0
    assert january.lines(ADJUSTED.format(2))["Transaction Date"].unique().to_list() == ["03/01/2026"]
    assert january.state() == "closed"


def test_a_closed_month_that_was_never_released_is_refused_until_it_is_reopened(january: Installed) -> None:
    january.run("close", "--month", "2026-01")
    said = january.publish()
    assert (said.code, january.state(), january.named()) == (4, "refused", [])
    assert "the ledger period is closed" in said.err
    january.run("close", "--month", "2026-01", "--reopen")
    assert january.publish().code == 0
    assert january.state() == "published"


# A crash


def gone(*_: Any, **__: Any) -> Any:
    raise ConnectionError("gone")


def before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutputFiles, "publish", gone)


def at_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "_bill_is_out", gone)


def while_files_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    def placed_half(self: OutputFiles, *_: Any) -> None:
        Path(self.address(MASTER)).unlink()
        raise ConnectionError("gone")

    monkeypatch.setattr(OutputFiles, "_drop_stale", placed_half)


CRASHES = (before_the_commit, at_the_commit, while_files_are_placed)


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_leaves_no_release_or_one(january: Installed, crash: Callable[..., None]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        crash(patched)
        with pytest.raises(ConnectionError):
            january.close()
    event = january.close()
    assert event.state == "published"
    (release,) = january.releases("2026-01")
    assert (release.number, release.state, len(january.sets()), january.kinds()) == (1, "published", 1, ["published"])
    assert release.placed_at is not None
    (folder,) = january.sets()
    assert folder.name == release.run_id
    for name in (IMPORT, MASTER):
        assert (january.outputs / name).read_bytes() == (folder / name).read_bytes(), name
    assert january.half_written() == []


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_of_an_adjusting_release_leaves_it_made_or_waiting(
    january: Installed, crash: Callable[..., None]
) -> None:
    january.released()
    sent = (january.outputs / IMPORT).read_bytes()
    january.users(9, 2)
    with pytest.MonkeyPatch.context() as patched:
        crash(patched)
        assert january.publish().code == 1
    event = january.close()
    assert event.state == "published"
    assert [(r.number, r.state) for r in january.releases("2026-01")] == [(1, "published"), (2, "published")]
    assert (len(january.sets()), january.kinds()) == (2, ["published", "re-bill", "published"])
    assert (january.outputs / IMPORT).read_bytes() == sent
    assert sent_in_all(january) == {"Customer 101": Decimal("19.00"), "Customer 102": Decimal("12.00")}
    second = january.outputs / "runs" / "2026-01" / january.releases("2026-01")[-1].run_id
    assert (january.outputs / MASTER).read_bytes() == (second / MASTER).read_bytes()
    assert january.half_written() == []


def test_a_void_that_was_cut_short_is_finished_by_the_next_run(january: Installed) -> None:
    january.released()
    january.users(9, 2)
    january.publish()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(OutputFiles, "withdraw", gone)
        assert january.run("void", "--month", "2026-01").code == 1
    assert january.releases("2026-01")[-1].state == "void"
    assert "gep_netsuite_adjustments_2026.01_r2.csv" in january.named()
    january.close()
    assert january.named() == ["gep_netsuite_invoice_import_2026.01.csv"]


# Approvals


@pytest.fixture
def questions(january: Installed) -> Installed:
    """A month with one flag, which was decided; it waits for approvals of that."""
    january.users(5, 5, UNDATED)
    assert january.close().state == "in_review"
    decide(january)
    return january


def decide(january: Installed, action: str = "keep") -> None:
    said = january.run(
        "review", "decide", "--month", "2026-01", "--flag", "missing_fba_0", "--action", action, "--by", "Ana"
    )
    assert said.code == 0, said.err


def approve(january: Installed, by: str) -> None:
    said = january.run("review", "approve", "--month", "2026-01", "--by", by)
    assert said.code in (0, 3), said.err


@pytest.mark.parametrize(("approvers", "people"), [(0, []), (1, ["Ana"]), (2, ["Ana", "Bo"])])
def test_a_decided_month_is_published_with_as_many_approvals_as_the_installation_wants(
    questions: Installed, approvers: int, people: list[str]
) -> None:
    questions.setting("approvers", approvers)
    for person in people:
        assert questions.close().state == "in_review"
        approve(questions, person)
    assert questions.close().state == "published"


def test_one_person_is_one_approval_however_written(questions: Installed) -> None:
    questions.setting("approvers", 2)
    questions.close()
    assert questions.publish("--by", "Ana").code == 3
    assert questions.publish("--by", "ANA ").code == 3
    assert questions.publish("--by", "Bo").code == 0


def test_an_approval_does_not_count_for_later_decisions(questions: Installed) -> None:
    questions.close()
    approve(questions, "Bo")
    decide(questions, "remove")
    event = questions.close()
    assert (event.state, event.detail["reasons"]) == ("in_review", ["0 of 1 approvals of the decisions"])


def test_an_approval_does_not_count_for_other_rules(questions: Installed) -> None:
    questions.close()
    approve(questions, "Bo")
    questions.rules(101, 102, er_fee=20)
    assert questions.close().state == "in_review"


def test_an_approval_does_not_count_for_another_usage_file(questions: Installed) -> None:
    questions.close()
    approve(questions, "Bo")
    questions.users(6, 5, UNDATED)
    assert questions.close().state == "in_review"


def test_an_approval_from_before_a_release_was_taken_back_does_not_count_after_it(questions: Installed) -> None:
    questions.close()
    approve(questions, "Bo")
    questions.close()
    questions.run("void", "--month", "2026-01")
    event = questions.close()
    assert (event.state, event.detail["reasons"]) == ("in_review", ["0 of 1 approvals of the decisions"])
    assert questions.publish().code == 0


def test_who_decided_and_approved_stands_in_the_set(questions: Installed) -> None:
    questions.close()
    approve(questions, "Bo")
    questions.close()
    kept = json.loads((questions.sets()[-1] / "inputs" / "decisions.json").read_text())
    assert [(made["action"], made["reviewer"]) for made in kept["decisions"]] == [("keep", "Ana")]
    assert [given["approver"] for given in kept["approvals"]] == ["Bo"]


def test_a_month_without_questions_waits_for_a_person_when_the_installation_wants_so(january: Installed) -> None:
    january.setting("publish", "manual")
    assert january.close().state == "priced"
    assert (january.named(), january.kinds()) == ([], ["billed"])
    assert january.publish().code == 0
    assert january.kinds() == ["billed", "published"]


def test_a_failed_control_refuses_a_new_month_and_leaves_a_released_one_as_it_was(
    january: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing_pipeline.assets import billing
    from billing_pipeline.resources.files import write_whole

    january.close()
    before = january.bytes_of("2026-01")
    january.users(9)
    monkeypatch.setattr(
        billing, "write_whole", lambda path, data: write_whole(path, data.replace(b",10.00,", b",10.01,"))
    )
    said = january.publish()
    assert (said.code, "control NetSuite Tie-Out failed" in said.err) == (4, True)
    assert (january.state(), january.bytes_of("2026-01")) == ("published", before)
    assert january.kinds() == ["published", "refused"]


# A usage file that is gone


def test_a_released_month_whose_file_is_gone_runs_from_the_copy_of_its_release(january: Installed) -> None:
    path = january.users()
    january.close()
    path.unlink()
    event = january.close()
    assert (event.state, event.detail["unchanged"]) == ("published", True)


def test_a_month_that_was_never_released_has_no_copy(january: Installed) -> None:
    january.users().unlink()
    said = january.publish()
    assert (said.code, "no usage file 2026.01_*.csv" in said.err) == (2, True)


def test_a_usage_folder_that_is_away_has_lost_nothing(january: Installed) -> None:
    january.released()
    january.usage_dir.rename(january.folder / "elsewhere")
    january.setting("rules_file", january.folder / "elsewhere" / "gep_billing_rules.xlsx")
    said = january.run("backfill", "--from", "2026-01", "--to", "2026-01", "--json")
    assert (said.code, "Inputs folder not found" in said.document["months"][0]["why"]) == (2, True)
