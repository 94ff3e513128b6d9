"""How a company bills its clients: the choices that change amounts, as its profile states them.

Source: decision 17 (the policy); spec 5, Q47 (what is optional).
"""

from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Literal

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services.policy import Policy, PrepaidYear
from billing_pipeline.engine.managed_services.proration import Options


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """The fields of Policy, but for the rounding, which the files need to tie out; `prorate` and `tax_percent` as in
    Options, "" is no tax.
    """

    zero_included_tb_means_zero: bool = True
    backup_counts_by_effective_type: bool = True
    overrides_apply_to_typed_devices: bool = True
    prepaid_year: PrepaidYear = "calendar"
    prepaid_drains: Literal["net", "gross"] = "net"
    billable_contacts: Literal["active", "all"] = "active"
    honour_billable_flag: bool = True
    prorate: bool = False
    tax_percent: str = ""

    @property
    def policy(self) -> Policy:
        """The policy of these terms."""
        mine = {field.name for field in fields(self)} & {field.name for field in fields(Policy)}
        return Policy(**{name: getattr(self, name) for name in mine})

    @property
    def options(self) -> Options:
        """Proration and tax; InputError for a tax that is no percentage."""
        try:
            percent = Decimal(self.tax_percent) if self.tax_percent else None
        except InvalidOperation:
            raise InputError(f"a tax of {self.tax_percent!r} is no percentage") from None
        return Options(prorate=self.prorate, tax_percent=percent)
