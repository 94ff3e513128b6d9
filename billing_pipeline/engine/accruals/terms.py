"""The words and accounts of a journal entry that belong to one company. The profile supplies them."""

from dataclasses import dataclass
from typing import Literal, get_args

Reversal = Literal["file", "column"]
REVERSALS = get_args(Reversal)


@dataclass(frozen=True, slots=True)
class AccrualTerms:
    """Accounts, memo and columns as the ledger knows them. Source: spec 5.1; decision 15; NetSuite's import contract.

    reversal: a `file` of its own with the reversing entry, or the `column` Reversal Date, from which the ledger makes
    it; never both. posting_period: how the ledger spells a period (a strftime format, `%b %Y` for `Feb 2026`), ""
    without such a column. subsidiary, currency: their columns' value, "" without.
    """

    title: str = "GEP Embedded Payroll"
    receivable_account: str = "11140"
    revenue_account: str = "40113"
    memo: str = "Embedded Payroll Estimate"
    reversal: Reversal = "file"
    posting_period: str = ""
    subsidiary: str = ""
    currency: str = ""
