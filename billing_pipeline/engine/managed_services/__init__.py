"""Managed services: what clients are billed for devices, people, support hours, backups and items."""

from billing_pipeline.engine.managed_services.bills import COMPONENTS, MONEY, Bills, client_bills
from billing_pipeline.engine.managed_services.contracts import contract_end
from billing_pipeline.engine.managed_services.documents import book_of, day_of
from billing_pipeline.engine.managed_services.exports import accounting_rows, invoice_rows
from billing_pipeline.engine.managed_services.features import effective_features
from billing_pipeline.engine.managed_services.policy import REFERENCE, Policy
from billing_pipeline.engine.managed_services.proration import Options
from billing_pipeline.engine.managed_services.tables import Book

__all__ = [
    "COMPONENTS",
    "MONEY",
    "REFERENCE",
    "Bills",
    "Book",
    "Options",
    "Policy",
    "accounting_rows",
    "book_of",
    "client_bills",
    "contract_end",
    "day_of",
    "effective_features",
    "invoice_rows",
]
