"""Billing Pipeline: from raw usage to tied-out invoices, exact to the cent."""
