"""The words of an invoice that belong to one company: prefixes, items, products. The profile supplies them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InvoiceTerms:
    """Names as the ERP knows them. Source: spec 4.1; decision 12."""

    prefix: str = "GEP"
    item: str = "Embedded Payroll"
    next_day_item: str = "Embedded Payroll : Next-Day Direct Deposit"
    minimum_item: str = "Embedded Payroll : Monthly Minimum"
    usage_product: str = "GEP Usage"
    next_day_product: str = "GEP Next-Day Direct Deposit"
    minimum_product: str = "GEP Minimums"
    date_format: str = "%m/%d/%Y"
