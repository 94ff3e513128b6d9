"""Every text of the billing reports that a reader sees and that no frame carries."""

FEE_SUMMARY_NOTE = (
    "This report reflects calculated fees. Final invoice amounts may differ due to adjustments, credits, or discounts."
)


def fee_summary_title(brand: str) -> str:
    """The title of a partner's Fee Summary, with the brand in front when there is one."""
    return f"{brand} Fee Summary".strip()
