"""A client's bill as literals, ready to be accepted: two lines, and one time entry unless others are given."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing_pipeline.engine.managed_services.exports import COLUMNS
from billing_pipeline.engine.period import Period
from billing_pipeline.resources.client_documents import Draft, Entry

JANUARY, FEBRUARY = Period(2026, 1), Period(2026, 2)
HEADER = ",".join(COLUMNS)


def draft(
    account: str = "100001",
    period: Period = JANUARY,
    number: str = "",
    entries: tuple[Entry, ...] = (("psa", "7", 9_000_000),),
    **more: Any,
) -> Draft:
    """A bill of 385.00 with the number of a first invoice unless another is given."""
    number = number or f"{account}-{period.compact}"
    start = f"{number},Example Co,2026-01-31,2026-03-02"
    made = Draft(
        number=number,
        account=account,
        name="Example Co",
        period=period,
        invoice_date=date(2026, 1, 31),
        due_date=date(2026, 3, 2),
        total=Decimal("385.00"),
        components={"total_user_charges": Decimal("10.00"), "ticket_charge": Decimal("375.00")},
        rows=(
            {"kind": "user", "name": "Zoë", "type": "Paid", "amount": "10.00", "source": "plan"},
            {"kind": "ticket", "name": "Support hours", "type": None, "amount": "375.00", "source": "client"},
        ),
        entries=entries,
        inputs_sha256="f" * 64,
        run_id="20260203T093000Z-0a1b2c3d",
        invoice_csv=(
            f"{HEADER}\n{start},Managed Services,User: Zoë (Paid),1,10.00,10.00\n"
            f"{start},Hourly Labor,Billable Hours (2.50 hrs),2.50,150.00,375.00\n"
        ),
        accounting_csv=f"{HEADER}\n{start},Hourly Labor,All of it,1,385.00,385.00\n",
    )
    return replace(made, **more)
