"""The report of the audit: a workbook that can be followed and trusted, a document, a notice when something changed."""

import json
import re
import zipfile
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from openpyxl import load_workbook

from billing_pipeline.engine.audit.insights import insights
from billing_pipeline.engine.audit.tables import CHANGES
from billing_pipeline.engine.audit.trends import trends
from billing_pipeline.engine.audit.views import run_counts
from billing_pipeline.reports.audit import (
    AuditReport,
    Rule,
    audit_document,
    audit_figures,
    thresholds,
    write_audit_workbook,
)
from billing_pipeline.reports.notices import audited
from billing_pipeline.reports.rich_sheets import DataTable, RichSheet, write_sheets
from tests.audit_records import (
    NOW,
    ZONE,
    ago,
    coverage,
    event,
    events,
    finding,
    findings,
    new,
    resolved,
    row,
    rows,
    run,
    runs,
    sheet,
)

RUN = "20260116T180000Z-0a1b2c3d"
LINK = "https://app.example.com/sheets/abc?rowId=1"
SOME = (
    new("a", "1500.00", severity="HIGH"),
    finding("b", "250.50", severity="MEDIUM", category="LATE_ENTRY"),
    finding("c", None, severity="MEDIUM", status="REOPENED", before="RESOLVED", told=True, reopen_count=1),
    resolved("d", "80.00"),
)


def report(*known: dict[str, Any], **values: Any) -> AuditReport:
    """The report of a run with these findings, edited by two people."""
    held = findings(*known)
    given, seen = runs(run(RUN)), values.get("coverage", coverage())
    edits = events(event("a"), event("b", column="price", by="lee@example.com"))
    kept = run_counts(held, RUN)
    return replace(
        AuditReport(
            run_id=RUN,
            at=NOW,
            zone=ZONE,
            status="FINDINGS",
            risk="HIGH",
            risk_rule="HIGH: an open HIGH finding.",
            findings=held,
            coverage=seen,
            changes=pl.DataFrame([("s", "r", "quantity", "2", "5", "changed")], schema=CHANGES, orient="row"),
            trends=trends(given, kept, held, edits, NOW),
            insights=insights(held, edits, rows(row("row a")), given, kept, seen, NOW, ZONE),
            rules=[Rule("severity", "high dollars", Decimal(1000))],
        ),
        **values,
    )


def written(tmp_path: Path, made: AuditReport, *, values: bool = True) -> Any:
    """The workbook as another reader sees it: values, or formulas."""
    path = tmp_path / "audit.xlsx"
    write_audit_workbook(path, made)
    return load_workbook(path, data_only=values)


def column(book: Any, name: str, title: str, header: int = 1) -> list[Any]:
    listed = list(book[name].iter_rows(min_row=header, values_only=True))
    place = listed[0].index(title)
    return [line[place] for line in listed[1:]]


def summary(book: Any) -> dict[str, Any]:
    """Count and dollars beside each label of the summary."""
    return {line[0]: line[1:3] for line in book["Summary"].iter_rows(values_only=True) if line[0]}


def test_the_sheets_are_those_of_the_contract(tmp_path: Path) -> None:
    assert written(tmp_path, report(*SOME)).sheetnames == [
        "Summary", "Findings", "Changes since last run", "Trends", "Insights", "Coverage", "Rules",
    ]  # fmt: skip


def test_the_same_run_gives_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    write_audit_workbook(tmp_path / "one.xlsx", report(*SOME))
    write_audit_workbook(tmp_path / "two.xlsx", report(*SOME))
    one = (tmp_path / "one.xlsx").read_bytes()
    assert one == (tmp_path / "two.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.xlsx") as package:
        assert b"2000-01-01T00:00:00Z" in package.read("docProps/core.xml")


def test_findings_are_an_excel_table_with_filters_and_a_header_that_stays(tmp_path: Path) -> None:
    found = written(tmp_path, report(*SOME))["Findings"]
    table = found.tables["Findings"]
    assert (table.ref, table.autoFilter.ref) == ("A1:Y5", "A1:Y5")
    assert found.freeze_panes == "E2"


def test_findings_come_by_severity_and_dollars_and_the_resolved_ones_last(tmp_path: Path) -> None:
    book = written(tmp_path, report(*reversed(SOME)))
    assert column(book, "Findings", "Status") == ["NEW", "ONGOING", "REOPENED", "RESOLVED"]
    assert column(book, "Findings", "Finding Key") == ["a", "b", "c", "d"]


def test_amounts_dates_and_times_are_real(tmp_path: Path) -> None:
    book = written(tmp_path, report(new("a", "1500.25", week_ending=date(2026, 1, 4), delta=Decimal("-2.5"))))
    found = {
        name: column(book, "Findings", name)[0] for name in ("Dollars", "Week Ending", "Delta", "First Seen (UTC)")
    }
    assert found == {
        "Dollars": 1500.25,
        "Week Ending": datetime(2026, 1, 4),
        "Delta": -2.5,
        "First Seen (UTC)": datetime(2026, 1, 16, 18),
    }
    cells = {cell.value: book["Findings"].cell(2, cell.column).number_format for cell in book["Findings"][1]}
    assert cells["Dollars"] == "$#,##0.00_)"
    assert cells["Week Ending"] == "yyyy-mm-dd"
    assert cells["First Seen (UTC)"] == "yyyy-mm-dd hh:mm"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5", 5), ("2.9", 2.9), ("$1,200.00", 1200), ("-0.5", -0.5), ("2026-01-04", "2026-01-04"), ("007", "007"),
        ("12345678901234567", "12345678901234567"), ("abc", "abc"), ("1,20", "1,20"),
    ],
)  # fmt: skip
def test_locked_and_current_values_are_numbers_where_they_are_numbers(tmp_path: Path, text: str, shown: Any) -> None:
    book = written(tmp_path, report(new("a", old=text, new=None)))
    assert column(book, "Findings", "Locked Value") == [shown]
    assert column(book, "Findings", "Current Value") == [None]


def test_text_from_outside_is_never_a_formula_or_a_link(tmp_path: Path) -> None:
    evil = '=HYPERLINK("http://evil.example","x")'
    known = new("a", old=evil, new="+1+1", why=evil, by="@SUM(A1)", work_request="-1", permalink="javascript:alert(1)")
    cover = coverage(sheet(name=evil, error="=1+1"))
    path = tmp_path / "audit.xlsx"
    write_audit_workbook(path, report(known, coverage=cover, narrative=evil))
    book = load_workbook(path)
    for name in ("Findings", "Changes since last run", "Coverage", "Insights"):
        kinds = {cell.data_type for line in book[name].iter_rows() for cell in line}
        assert "f" not in kinds
        assert not [cell for line in book[name].iter_rows() for cell in line if cell.hyperlink]
    assert [cell.value for line in book["Summary"].iter_rows() for cell in line if cell.value == evil] == [evil]
    assert next(cell for line in book["Summary"].iter_rows() for cell in line if cell.value == evil).data_type == "s"


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        (LINK, True), ("ftp://app.example.com/x", False), ("https:///x", False), ("file:///etc/passwd", False),
        ("https://x.example/" + "a" * 2100, False), ('https://x.example/"onclick', False), ("https://[", False),
    ],
)  # fmt: skip
def test_the_row_of_a_finding_is_linked_by_an_address_of_the_web_only(
    tmp_path: Path, address: str, linked: bool
) -> None:
    book = written(tmp_path, report(new("a", permalink=address)))
    cell = book["Findings"].cell(2, 14)
    assert (cell.value, bool(cell.hyperlink)) == ("Open row", linked)
    if linked:
        assert cell.hyperlink.target == address


def test_severity_and_status_are_coloured_by_condition(tmp_path: Path) -> None:
    found = written(tmp_path, report(*SOME))["Findings"]
    rules = {
        (str(area.sqref), rule.formula[0]): rule.dxf.fill.bgColor.rgb
        for area in found.conditional_formatting
        for rule in area.rules
    }
    assert rules["B2:B5", '"HIGH"'] == "FFFFC7CE"
    assert rules["A2:A5", '"RESOLVED"'] == "FFC6EFCE"


def test_key_figures_are_formulas_with_the_values_they_give(tmp_path: Path) -> None:
    values = summary(written(tmp_path, report(*SOME)))
    formulas = summary(written(tmp_path, report(*SOME), values=False))
    assert values["New"] == (1, 1500)
    assert values["Resolved"] == (1, 80)
    assert values["All"] == (3, 1750.5)
    assert values["Medium"] == (2, 250.5)
    assert values["Late Entry"] == (1, 250.5)
    assert values["Cells Checked"][0] == 20
    assert formulas["New"] == (
        '=COUNTIFS(Findings[Status],"NEW")',
        '=SUMIFS(Findings[Dollars],Findings[Status],"NEW")',
    )
    assert formulas["Cells Checked"][0] == "=SUM(Coverage[Cells Checked])"


def test_every_formula_names_columns_that_its_table_has(tmp_path: Path) -> None:
    book = written(tmp_path, report(*SOME), values=False)
    columns = {table.name: {one.name for one in table.tableColumns} for page in book for table in page.tables.values()}
    used = re.findall(r"(\w+)\[([^\]]+)\]", json.dumps([v for pair in summary(book).values() for v in pair]))
    assert used
    assert [(table, name) for table, name in used if name not in columns[table]] == []


def test_what_changed_since_the_last_run_leaves_out_what_goes_on(tmp_path: Path) -> None:
    book = written(tmp_path, report(*SOME))
    assert column(book, "Changes since last run", "Change", header=3) == ["NEW", "REOPENED", "RESOLVED"]
    assert column(book, "Changes since last run", "Before", header=3) == [None, "RESOLVED", "NEW"]


def test_links_of_changes_belong_to_their_rows(tmp_path: Path) -> None:
    known = [finding("a", "900", permalink="https://x.example/a"), new("b", "5", permalink="https://x.example/b")]
    changes = written(tmp_path, report(*known))["Changes since last run"]
    assert [cell.hyperlink.target for line in changes.iter_rows() for cell in line if cell.hyperlink] == [
        "https://x.example/b"
    ]


def test_trends_are_native_charts_over_the_figures_below_them(tmp_path: Path) -> None:
    book = written(tmp_path, report(*SOME))
    charts = book["Trends"]._charts
    assert [chart.title.tx.rich.p[0].r[0].t for chart in charts] == [
        "Findings by status",
        "Dollars at stake by severity",
        "Edits of locked cells: top editors",
        "Edits of locked cells: top columns",
    ]
    drawn = charts[0].ser[0].val.numRef.f
    assert book["Trends"][drawn.split("!")[1].split(":")[0].replace("$", "")].value == 1  # NEW of this run
    assert charts[0].ser[0].spPr.solidFill.srgbClr == "C00000"


def test_insights_stand_with_their_formula_and_figures(tmp_path: Path) -> None:
    book = written(tmp_path, report(*SOME))
    told = dict(zip(column(book, "Insights", "Rule"), column(book, "Insights", "Insight"), strict=True))
    assert told["large impact"].startswith("1 of 3 open findings is worth more than 1,000.00 each")
    place = column(book, "Insights", "Rule").index("large impact")
    assert column(book, "Insights", "Numerator")[place] == 1500
    assert column(book, "Insights", "Denominator")[place] == 1750.5
    assert column(book, "Insights", "Formula")[place].startswith("dollars of open findings over 1,000.00 each /")


def test_what_was_not_verified_is_said_on_the_first_sheet_and_by_sheet(tmp_path: Path) -> None:
    cover = coverage(sheet(), sheet("2", "Feeder 14", cells=0, not_verified=100, error="not shared with the account"))
    book = written(tmp_path, report(status="NOT_VERIFIED", coverage=cover))
    assert book["Summary"]["B4"].value == "NOT_VERIFIED"
    assert summary(book)["Not Verified"][0] == 100
    assert summary(book)["Sheets not judged"][0] == 1
    assert column(book, "Coverage", "Error") == [None, "not shared with the account"]


@dataclass(frozen=True, slots=True)
class Limits:
    high_dollars: Decimal = Decimal(1000)
    grace: timedelta = timedelta(hours=12)
    look_back: timedelta = timedelta(days=7)
    fixed: dict[str, str] = field(default_factory=lambda: {"DATE_TOO_OLD": "MEDIUM"})
    rates_from: date | None = None


def test_the_thresholds_in_force_are_listed(tmp_path: Path) -> None:
    book = written(tmp_path, report(rules=thresholds("detection", Limits())))
    listed = zip(column(book, "Rules", "Threshold"), column(book, "Rules", "Value"), strict=True)
    assert dict(listed) == {
        "high dollars": 1000,
        "grace": "12 hours",
        "look back": "7 days",
        "fixed": "DATE_TOO_OLD: MEDIUM",
        "rates from": "none",
    }


def test_a_clean_run_without_any_finding_is_a_whole_workbook(tmp_path: Path) -> None:
    book = written(tmp_path, report(status="CLEAN", risk="LOW"))
    assert summary(book)["All"] == (0, 0)
    assert book["Findings"].tables["Findings"].ref == "A1:Y2"
    assert column(book, "Findings", "Status") == [None]


def test_a_table_longer_than_a_sheet_is_refused(tmp_path: Path) -> None:
    long = DataTable(0, "Long", pl.DataFrame({"a": pl.repeat(1, 1_048_576, eager=True)}))
    with pytest.raises(ValueError, match="1048576 rows"):
        write_sheets(tmp_path / "long.xlsx", [RichSheet("Long", tables=[long])])
    assert list(tmp_path.iterdir()) == []


def test_the_document_has_counts_and_amounts_as_texts() -> None:
    document = audit_document(report(*SOME))
    assert json.loads(json.dumps(document)) == document
    assert {name: document[name] for name in ("status", "new", "ongoing", "resolved", "reopened", "dollars")} == {
        "status": "FINDINGS",
        "new": 1,
        "ongoing": 1,
        "resolved": 1,
        "reopened": 1,
        "dollars": "1750.50",
    }
    assert document["changes"] == {
        "added": 0, "removed": 0, "changed": 1, "completion_revoked": 0, "price_removed": 0,
    }  # fmt: skip
    assert document["coverage"] == {"sheets": 1, "rows": 10, "cells": 20, "not_verified": 0, "problems": []}
    assert [(one["key"], one["status"], one["dollars"], one["delta"]) for one in document["findings"]] == [
        ("a", "NEW", "1500.00", "3"),
        ("b", "ONGOING", "250.50", "3"),
        ("c", "REOPENED", None, "3"),
        ("d", "RESOLVED", "80.00", "3"),
    ]


def test_the_figures_name_nobody() -> None:
    known = new("a", "1500.00", by="pat@example.com", work_request="10000001", severity="HIGH")
    figures = audit_figures(report(known, resolved("b")))
    text = json.dumps(figures, default=str)
    assert figures["run"] == {
        "new": 1,
        "ongoing": 0,
        "resolved": 1,
        "reopened": 0,
        "open": 1,
        "dollars_at_stake": Decimal("1500.00"),
    }
    assert figures["severity_high"] == {"findings": 1, "dollars": Decimal("1500.00")}
    assert figures["week_all"]["findings"] == 1
    for told in ("pat", "lee", "example.com", "10000001", "Feeder", "Ann", "row a"):
        assert told not in text


def test_nothing_is_told_when_nothing_changed() -> None:
    assert audited(audit_document(report(finding("a", "9000.00"))), "") is None


def test_the_notice_says_what_changed_with_the_most_serious_first() -> None:
    told = audited(audit_document(report(*SOME)), "https://dagster.example/runs/1")
    assert told is not None
    assert told["text"].splitlines() == [
        "🔎 Billing audit: 1 new, 1 reopened, 1 resolved",
        "Billed work changed after it was billed.",
        "Status: findings",
        "At stake in open findings: 1,750.50",
        "Open findings: 3",
        "Risk of what is open: high",
        "Coverage: 1 sheet, 20 cells checked, 0 not verified",
        "  Most serious:",
        "  HIGH    1,500.00  edit after close, 10000001, quantity 2 to 5",
        "  MEDIUM   unknown  edit after close, 10000001, quantity 2 to 5",
        "What to do:",
        "- Open the workbook: what to look at first stands on its sheet Insights.",
        "Open the run: https://dagster.example/runs/1",
    ]


def test_the_notice_shows_five_findings_and_counts_the_rest() -> None:
    told = audited(audit_document(report(*[new(f"f{number}", f"{number}.00") for number in range(7)])), "")
    assert told is not None
    lines = told["text"].splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  LOW")] == ["6.00", "5.00", "4.00", "3.00", "2.00"]
    assert "  … and 2 more" in lines


def test_when_all_that_changed_is_resolved_the_notice_says_so() -> None:
    told = audited(audit_document(report(resolved("a", "80.00"), finding("b"))), "")
    assert told is not None
    assert told["text"].startswith("🔎 Billing audit: 1 resolved\nWhat was open is resolved.\n")


def test_the_notice_names_no_editor_and_takes_no_markup_from_a_cell() -> None:
    known = new("a", by="pat@example.com", new="<!channel> `x`", work_request="<https://evil.example|1>")
    told = audited(audit_document(report(known)), "")
    assert told is not None
    blocks = json.dumps(told["blocks"])
    assert "pat@example.com" not in json.dumps(told)
    assert "<!channel>" not in blocks
    assert "<https://evil" not in blocks


def test_a_run_that_could_not_verify_everything_says_where_to_look() -> None:
    cover = coverage(sheet(not_verified=7))
    told = audited(audit_document(report(new("a"), status="NOT_VERIFIED", coverage=cover)), "")
    assert told is not None
    assert "Status: not verified" in told["text"]
    assert "7 not verified" in told["text"]
    assert "its sheet Coverage says what, and why" in told["text"]


def test_times_of_the_summary_are_in_the_zone_of_the_audit(tmp_path: Path) -> None:
    assert written(tmp_path, report())["Summary"]["A2"].value == f"Run {RUN}, 2026-01-16 12:00 CST"


def test_a_finding_of_long_ago_shows_how_long_it_has_been_open(tmp_path: Path) -> None:
    book = written(tmp_path, report(finding("a", first_seen_at=ago(12.5))))
    assert column(book, "Findings", "Days Open") == [12]
