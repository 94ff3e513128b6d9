"""Invoices for the ERP: lines, external ids, what is held back, NetSuite's import rules."""

from billing_pipeline.engine.invoicing.import_rules import import_problems, split_lines
from billing_pipeline.engine.invoicing.lines import COLUMNS, LINES_NEED, invoice_lines
from billing_pipeline.engine.invoicing.terms import InvoiceTerms

__all__ = ["COLUMNS", "LINES_NEED", "InvoiceTerms", "import_problems", "invoice_lines", "split_lines"]
