"""The few choices that change the amounts of a client's bill. Source: decision 17; the quirks of spec 5."""

from dataclasses import dataclass
from typing import Literal

PrepaidYear = Literal["calendar", "contract", "all-history"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How clients are billed; the defaults are what is recommended.

    round_each_component: cents per component, so that the total is their sum (Q1). zero_included_tb_means_zero: a plan
    may include no backup volume (Q6). backup_counts_by_effective_type: overrides count for backups too (Q4).
    overrides_apply_to_typed_devices: an override wins over the type a source gave (Q3). prepaid_year: the hours of
    which time drain the yearly prepaid hours (Q7). prepaid_drains: `net` of the monthly prepaid hours, or `gross`
    (Q10). billable_contacts: people whom a source calls inactive are billed or not (Q18). honour_billable_flag: time
    that was marked as not billable is not (Q14).
    """

    round_each_component: bool = True
    zero_included_tb_means_zero: bool = True
    backup_counts_by_effective_type: bool = True
    overrides_apply_to_typed_devices: bool = True
    prepaid_year: PrepaidYear = "calendar"
    prepaid_drains: Literal["net", "gross"] = "net"
    billable_contacts: Literal["active", "all"] = "active"
    honour_billable_flag: bool = True


REFERENCE = Policy(
    round_each_component=False,
    zero_included_tb_means_zero=False,
    backup_counts_by_effective_type=False,
    overrides_apply_to_typed_devices=False,
    prepaid_year="all-history",
    prepaid_drains="gross",
    billable_contacts="all",
    honour_billable_flag=False,
)
"""The choices of the system that is replaced."""
