"""What keeps a month from being published, and what publishing leaves: one draft, whole sets, files that repeat."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from billing_pipeline.assets import billing
from billing_pipeline.engine.errors import GateError, InputError
from billing_pipeline.reports.billing import PartnerWorkbook, write_partner_workbooks
from billing_pipeline.resources.database import open_database, sqlite_url
from billing_pipeline.resources.database.tables import leases
from billing_pipeline.resources.files import write_whole
from tests.engine.rules.books import book, tier
from tests.literals import company
from tests.months import IMPORT, MASTER, REVIEW, Month

BEFORE_CONTROLS = (
    "usage_file", "usage_rows", "billing_rules", "decisions", "usage_warnings", "review_flags", "priced_rows",
    "netsuite_invoices", "partner_workbooks", "buckets",
)  # fmt: skip
AFTER = ("controls", "master_report", "adjustments", "manifest")
UNDATED = company(2, FIRST_BILLABLE_ACTIVITY_DATE="")


def drafts(month: Month, name: str) -> list[Path]:
    """The drafts of a file, of all runs that were refused."""
    return sorted((month.outputs / ".billing" / "drafts").glob(f"*/*/*/{name}"))


# A control that fails


def a_cent_more(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(path: Path, content: bytes) -> None:
        write_whole(path, content.replace(b",10.00,", b",10.01,"))

    monkeypatch.setattr(billing, "write_whole", altered)


def a_customer_less(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(path: Path, content: bytes) -> None:
        write_whole(path, content.replace(b'"Acme, Inc."', b""))

    monkeypatch.setattr(billing, "write_whole", altered)


def workbooks_with(change: Callable[[PartnerWorkbook], PartnerWorkbook], monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(books: Any) -> None:
        write_partner_workbooks(map(change, books))

    monkeypatch.setattr(billing, "write_partner_workbooks", altered)


def a_row_less(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    workbooks_with(lambda written: replace(written, detail=written.detail.head(0)), monkeypatch)


def another_total(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(written: PartnerWorkbook) -> PartnerWorkbook:
        return replace(written, summary=replace(written.summary, total=written.summary.total + Decimal("0.01")))

    workbooks_with(change, monkeypatch)


@pytest.mark.parametrize(
    ("tamper", "failed"),
    [
        (a_cent_more, ["NetSuite Tie-Out", "Conservation (Amount)"]),
        (a_customer_less, ["NetSuite Tie-Out", "NetSuite Import Rules"]),
        (a_row_less, ["Partner Report Tie-Out"]),
        (another_total, ["Fee Summary Tie-Out"]),
    ],
)
def test_a_written_file_that_is_wrong_is_refused(
    month: Month, monkeypatch: pytest.MonkeyPatch, tamper: Callable[..., None], failed: list[str]
) -> None:
    month.usage(company(1))
    tamper(month, monkeypatch)
    said = month.bill("--json")
    assert said.code == 4
    assert (said.document["status"], said.document["files"], said.document["run_id"]) == ("refused", [], None)
    assert said.document["reasons"] == [f"control {name} failed" for name in failed]
    assert [c["name"] for c in said.document["controls"] if c["status"] == "FAIL"] == failed
    assert Path(said.document["draft"]).is_file()
    assert (month.published(), month.run_sets(), month.leftovers()) == ({}, [], [])


def test_what_was_published_before_stays_when_a_control_fails(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    month.usage(company(1))
    assert month.bill().code == 0
    published, sets = month.published(), month.run_sets()
    month.usage(company(1), company(2))
    another_total(month, monkeypatch)
    assert month.bill().code == 4
    assert (month.published(), month.run_sets(), month.leftovers()) == (published, sets, [])


def test_amounts_that_stand_in_another_customer_s_invoice_are_refused(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of the file is right, two invoices are wrong."""
    month.partners(**{"101": "Acme NS", "102": "Birch NS"})
    month.usage(company(1), company(2, PARTNER_ID="102", PARTNER_NAME="Birch", TOTAL_INDIVIDUAL_USERS="7"))

    def swapped(path: Path, content: bytes) -> None:
        write_whole(path, content.replace(b",5.00,", b",x,").replace(b",7.00,", b",5.00,").replace(b",x,", b",7.00,"))

    monkeypatch.setattr(billing, "write_whole", swapped)
    assert month.bill().code == 4
    assert month.published() == {}


def test_a_file_altered_between_two_runs_fails_the_control_that_reads_it_back(month: Month) -> None:
    month.usage(company(1))
    month.materialise(BEFORE_CONTROLS)
    (draft,) = drafts(month, IMPORT)
    draft.write_bytes(draft.read_bytes().replace(b",5.00,", b",6.00,"))
    with pytest.raises(dg.DagsterError, match="netsuite_tie_out"):
        month.materialise(AFTER)
    stored = pl.read_parquet(month.outputs / ".billing/frames/controls/2026-01.parquet")
    tie_out = stored.filter(pl.col("Control Check") == "NetSuite Tie-Out").row(0, named=True)
    assert (tie_out["Input"], tie_out["Output"], tie_out["Status"]) == (Decimal(15), Decimal(16), "FAIL")
    assert month.published() == {}
    assert month.run_sets() == []


def test_materialising_the_manifest_alone_does_not_pass_a_failed_control_by(month: Month) -> None:
    """A blocking check stops only its own run."""
    month.usage(company(1))
    month.materialise(BEFORE_CONTROLS)
    (draft,) = drafts(month, IMPORT)
    draft.write_bytes(draft.read_bytes().replace(b",5.00,", b",6.00,"))
    with pytest.raises(dg.DagsterError, match="netsuite_tie_out"):
        month.materialise(AFTER)
    with pytest.raises(GateError, match=r"^2026-01 is not published: control NetSuite Tie-Out failed; control "):
        month.materialise(["manifest"])
    assert month.published() == {}


def test_a_file_altered_after_its_control_passed_is_not_published(month: Month) -> None:
    """The hash that the control's file had is the one that is published."""
    month.usage(company(1))
    month.materialise([*BEFORE_CONTROLS, "controls", "master_report", "adjustments"])
    (draft,) = drafts(month, IMPORT)
    draft.write_bytes(draft.read_bytes().replace(b",5.00,", b",6.00,"))
    with pytest.raises(GateError, match="gep_netsuite_invoice_import"):
        month.materialise(["manifest"])
    assert month.published() == {}
    assert month.run_sets() == []


# The gate


def test_behind_the_gate_an_undecided_flag_keeps_the_import_file_from_being_written(month: Month) -> None:
    month.usage(company(1), UNDATED)
    said = month.bill("--gate", "--json")
    assert said.code == 4
    assert (said.document["status"], said.document["undecided"]) == ("in_review", 1)
    assert said.document["reasons"] == ["1 flag waits for a decision"]
    assert month.published() == {}
    assert month.run_sets() == []
    assert (month.outputs / REVIEW).is_file()
    assert drafts(month, MASTER) == [Path(said.document["draft"])]


def test_a_decision_opens_the_gate(month: Month) -> None:
    month.usage(company(1), UNDATED)
    decisions = month.overrides({"flag_id": "missing_fba_0", "row_index": 1, "action": "keep"})
    assert month.bill("--gate", "--overrides", decisions).code == 0
    assert IMPORT in month.published()


def test_the_job_itself_is_refused_by_a_closed_gate(month: Month) -> None:
    month.usage(company(1), UNDATED)
    with pytest.raises(GateError, match=r"^2026-01 is not published: 1 flag waits for a decision$"):
        month.materialise(gated=True)
    assert month.published() == {}


# One draft


def test_a_manifest_of_drafts_made_of_other_usage_is_refused(month: Month) -> None:
    month.usage(company(1))
    month.materialise()
    published = month.published()
    month.usage(company(1), company(2))
    month.materialise(["usage_file", "usage_rows"])
    stale = "adjustments, controls, master_report, netsuite_invoices, partner_workbooks, priced_rows"
    with pytest.raises(
        GateError, match=f"^made of other inputs than the current ones: {stale}; materialise them again$"
    ):
        month.materialise(["manifest"])
    assert month.published() == published


def test_other_rules_or_decisions_make_another_draft_too(month: Month) -> None:
    month.usage(company(1), UNDATED)
    month.materialise([*BEFORE_CONTROLS, "controls", "master_report", "adjustments"])
    rules = month.rules_file.read_bytes()
    month.rules(book([tier(er_fee=99)], (), ()))
    month.materialise(["billing_rules"])
    with pytest.raises(GateError, match="made of other inputs"):
        month.materialise(["manifest"])
    month.rules(rules)
    decided = month.overrides({"row_index": 0, "action": "remove"})
    (month.outputs / REVIEW).with_name("billing_overrides.json").write_bytes(decided.read_bytes())
    month.materialise(["billing_rules", "decisions"])
    with pytest.raises(GateError, match="made of other inputs"):
        month.materialise(["manifest"])
    assert month.published() == {}


def test_only_the_drafts_that_were_left_behind_are_named(month: Month) -> None:
    month.usage(company(1))
    month.materialise([*BEFORE_CONTROLS, "controls", "master_report", "adjustments"])
    month.usage(company(1), company(2))
    month.materialise([*BEFORE_CONTROLS[:-3], "netsuite_invoices", "buckets", "adjustments"])
    with pytest.raises(GateError, match="current ones: controls, master_report, partner_workbooks; "):
        month.materialise(["manifest"])


def test_a_usage_file_corrected_in_place_is_noticed_even_when_its_size_is_the_same(month: Month) -> None:
    month.usage(company(1, TOTAL_INDIVIDUAL_USERS="5"))
    month.materialise(["usage_file"])
    month.usage(company(1, TOTAL_INDIVIDUAL_USERS="6"))
    with pytest.raises(InputError, match=r"^2026\.01_usage\.csv: changed "):
        month.materialise(["usage_rows"])


# One writer


HELD = "refused another run on elsewhere, process 77 holds billing:2026-01 just now; try again when it has finished\n"


@contextmanager
def another_process_writes(month: Month) -> Iterator[None]:
    """The month's lease, held on another machine."""
    database = open_database(sqlite_url(month.outputs / ".billing"))
    soon = datetime.now(UTC) + timedelta(minutes=5)
    held = leases.insert().values(name="billing:2026-01", holder="elsewhere:77:x", expires_at=soon)
    database.run(lambda connection: connection.execute(held))
    yield
    database.run(lambda connection: connection.execute(leases.delete()))


def test_a_second_writer_of_a_month_is_refused_at_once(month: Month) -> None:
    month.usage(company(1))
    with another_process_writes(month):
        said = month.bill()
    assert said.code == 4
    assert said.err == HELD
    assert month.published() == {}
    assert month.bill().code == 0


def test_a_second_writer_is_told_so_whatever_an_earlier_run_had_come_to(month: Month) -> None:
    month.usage(company(1), UNDATED)
    assert month.bill("--gate").code == 4
    with another_process_writes(month):
        said = month.bill("--gate")
    assert said.code == 4
    assert said.err == HELD


# What publishing leaves


def test_a_published_month_is_a_complete_set_and_its_named_files(month: Month) -> None:
    month.usage(company(1))
    month.materialise()
    (run,) = month.run_sets()
    names = set(month.published())
    snapshot, manifest = (
        f"gep_billing_log/rules_snapshots/rules_snapshot_2026-01_{run}.xlsx",
        f"gep_billing_log/2026.01_run_manifest_{run}.json",
    )
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run)
    assert names == {IMPORT, MASTER, snapshot, manifest, "gep_partner_details/Acme/Acme - 2026.01.xlsx"}
    folder = month.outputs / "runs" / "2026-01" / run
    kept = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    frames = {"priced_rows.parquet", "invoice_lines.parquet", "differences.parquet"}
    assert set(kept) == names - {manifest} | frames | {"manifest.json", REVIEW}
    assert {path.stat().st_mode & 0o222 for path in kept.values()} == {0}
    for name in names - {manifest}:
        assert kept[name].read_bytes() == (month.outputs / name).read_bytes(), name
    assert kept["manifest.json"].read_bytes() == (month.outputs / manifest).read_bytes()
    assert (month.outputs / snapshot).read_bytes() == month.rules_file.read_bytes()
    assert drafts(month, "*") == []


def test_no_file_of_a_set_is_one_that_a_user_may_edit(month: Month) -> None:
    """A second name of the same file would let an edit outside reach into the set."""
    month.usage(company(1))
    month.materialise()
    (run,) = month.run_sets()
    inside = {path.stat().st_ino for path in (month.outputs / "runs/2026-01" / run).rglob("*") if path.is_file()}
    outside = [path for path in month.outputs.glob("gep_*/**/*") if path.is_file()]
    assert [path for path in outside if path.stat().st_ino in inside] == []


def test_the_manifest_names_inputs_files_and_figures(month: Month) -> None:
    month.usage(company(1))
    month.materialise()
    document = month.files.latest_manifest(month.period)
    assert document is not None
    published = month.published()
    assert document["billing_period"] == "2026.01"
    assert document["usage_file"]["name"] == "2026.01_usage.csv"
    assert {entry["name"]: entry["sha256"] for entry in document["files"] if entry["named"]} == {
        name: digest for name, digest in published.items() if "manifest" not in name
    }
    assert document["outputs"]["netsuite_import_file"] == IMPORT
    assert {row["bucket"]: row["amount"] for row in document["buckets"]} == {
        "billed": "15.00",
        "held": "0.00",
        "removed": "0.00",
        "quarantined": "0.00",
    }
    assert {row["Status"] for row in document["controls"]} == {"PASS"}
    assert (document["flags_by_type"], document["undecided_flags"]) == ({}, 0)


def test_a_second_run_replaces_the_named_files_and_keeps_both_sets(month: Month) -> None:
    month.partners(**{"101": "Acme NS", "102": "Birch NS"})
    month.usage(company(1), company(2, PARTNER_ID="102", PARTNER_NAME="Birch"))
    month.materialise()
    first = month.published()
    month.usage(company(1, TOTAL_INDIVIDUAL_USERS="7"))
    month.materialise()
    second = month.published()
    gone = "gep_partner_details/Birch/Birch - 2026.01.xlsx"
    assert gone in first
    assert gone not in second
    assert not (month.outputs / gone).parent.exists()
    assert first[IMPORT] != second[IMPORT]
    one, two = sorted(month.run_sets(), key=lambda run: (month.outputs / "runs" / "2026-01" / run).stat().st_mtime_ns)
    sets = month.outputs / "runs" / "2026-01"
    assert (sets / one / gone).is_file()
    assert not (sets / two / gone).exists()
    assert (
        (sets / one / IMPORT).read_bytes()
        != (sets / two / IMPORT).read_bytes()
        == (month.outputs / IMPORT).read_bytes()
    )
    assert len([name for name in second if "rules_snapshot" in name]) == 2


def test_the_same_inputs_give_the_same_bytes_apart_from_run_and_times(month: Month, tmp_path: Path) -> None:
    month.usage(company(1, CURRENT_ACH_SPEED="1-day"), UNDATED, company(3, PARTNER_ID="999"))
    month.materialise()
    again = Month(tmp_path / "again", month.run)
    again.usage_file.write_bytes(month.usage_file.read_bytes())
    again.rules_file.write_bytes(month.rules_file.read_bytes())
    again.materialise()

    def contents(of: Month) -> dict[str, bytes]:
        (run,) = of.run_sets()
        files = {path: path.read_bytes() for path in of.outputs.rglob("*") if path.is_file()}
        return {
            str(path.relative_to(of.outputs)).replace(run, "RUN"): masked(data, of, run)
            if path.suffix == ".json"
            else data
            for path, data in files.items()
            if ".billing" not in path.parts
        }

    def masked(data: bytes, of: Month, run: str) -> bytes:
        """JSON without run id, place, times, and without the hash of the one file that contains a time."""
        text = data.decode().replace(run, "RUN").replace(str(of.inputs.parent), "FOLDER")
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", text)
        document = json.loads(text)
        document["dagster_run_id"] = "RUN"
        for entry in document.get("files", []):
            if entry["kind"] == "review":
                entry["sha256"] = entry["bytes"] = "REVIEW"
        return json.dumps(document, indent=2).encode()

    one, two = contents(month), contents(again)
    assert set(one) == set(two)
    assert [name for name in one if one[name] != two[name]] == []


def test_named_files_that_a_crash_left_stale_are_reported_and_the_next_run_repairs_them(month: Month) -> None:
    month.usage(company(1))
    month.materialise()
    published = month.published()
    (month.outputs / IMPORT).unlink()
    (month.outputs / MASTER).write_bytes(b"half")
    committed = month.files.latest_manifest(month.period)
    assert committed is not None
    assert month.files.stale_files(committed) == sorted(
        [IMPORT, MASTER], key=[e["name"] for e in committed["files"]].index
    )
    month.materialise()
    again = month.files.latest_manifest(month.period)
    assert again is not None
    assert month.files.stale_files(again) == []
    assert {name: month.published()[name] for name in (IMPORT, MASTER)} == {
        name: published[name] for name in (IMPORT, MASTER)
    }
