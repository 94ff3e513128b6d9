"""What people get of a run of the billing audit: a workbook, and a document for programs.

What belongs here: which sheets there are. What does not: how a run is judged (engine), when it is told (`notices`).
The workbook of the same run is the same file, byte for byte. Source: spec 9.4; Q26; decision 20.
"""

from pathlib import Path

from billing_pipeline.reports.audit.developments import insights_sheet, trends_sheet
from billing_pipeline.reports.audit.document import audit_document, audit_figures
from billing_pipeline.reports.audit.facts import AuditReport, Rule, thresholds
from billing_pipeline.reports.audit.listings import changes_sheet, findings_sheet
from billing_pipeline.reports.audit.summary import coverage_sheet, rules_sheet, summary_sheet
from billing_pipeline.reports.rich_sheets import write_sheets

__all__ = ["AuditReport", "Rule", "audit_document", "audit_figures", "thresholds", "write_audit_workbook"]


def write_audit_workbook(path: Path, report: AuditReport) -> None:
    """Write the workbook of a run to `path`: summary, findings, changes since the last run, trends, insights, coverage,
    rules.

    Times in tables are UTC; the summary's is in the audit's zone. OSError with the path.
    """
    sheets = [
        summary_sheet(report),
        findings_sheet(report),
        changes_sheet(report),
        trends_sheet(report),
        insights_sheet(report),
        coverage_sheet(report),
        rules_sheet(report),
    ]
    write_sheets(path, sheets)
