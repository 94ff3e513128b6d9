"""The bills of all clients of a period at once: components, total, the lines behind them, who is not billed and why.

Source: spec 3; decisions 17, 19. One set-based pass: no client is looked at by itself, so 10,000 cost little more than
one, and what is wrong with one changes no other's bill.
"""

from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.managed_services.backups import backup_charges
from billing_pipeline.engine.managed_services.charges import (
    DEFAULT_TYPE,
    DEVICE,
    ITEM,
    NO_RECORD,
    PERSON,
    costing_nothing,
    device_lines,
    item_lines,
    person_lines,
    typed_devices,
    unknown_types,
    untyped,
)
from billing_pipeline.engine.managed_services.contracts import contract_end
from billing_pipeline.engine.managed_services.exact import EXACT
from billing_pipeline.engine.managed_services.hours import support_hours
from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.proration import (
    Options,
    part_months,
    prorated,
    service_days,
    tax_lines,
    with_tax,
)
from billing_pipeline.engine.managed_services.rates import effective_rates
from billing_pipeline.engine.managed_services.tables import Book
from billing_pipeline.engine.money import AMOUNT, cents
from billing_pipeline.engine.period import Period

COMPONENTS = {
    "total_user_charges": PERSON,
    "total_asset_charges": DEVICE,
    "total_line_item_charges": ITEM,
}
MONEY = (
    *COMPONENTS, "ticket_charge", "backup_charge", "backup_base_workstation", "backup_base_server", "overage_charge",
    "total",
)  # fmt: skip
PARTS = (*COMPONENTS, "ticket_charge", "backup_charge", "tax_charge")
"""What a total is the sum of."""
TICKET, BACKUP = "ticket", "backup"
_ZERO = pl.lit("0").cast(AMOUNT)
_DEFAULT, _OFF = Policy(), Options()


@dataclass(frozen=True, slots=True)
class Bills:
    """bills: a row for each billable client, in account order: its invoice's number, plan, term, rates and where they
    came from, hours, volumes, MONEY and tax_charge (AMOUNT). lines: every charge behind them (charges.LINE), which sum
    to the total when components are rounded. exceptions: account, name, reason of every other client. warnings:
    account, name, warning.
    """

    bills: pl.DataFrame
    lines: pl.DataFrame
    exceptions: pl.DataFrame
    warnings: pl.DataFrame


def client_bills(book: Book, period: Period, policy: Policy = _DEFAULT, options: Options = _OFF) -> Bills:
    """The bills of a period. Any subset of clients gives the same amounts as all of them.

    options: what is off unless it is asked for; without them no amount is prorated or taxed.
    """
    rates, exceptions = effective_rates(book, policy)
    devices = typed_devices(book, policy)
    charged = [device_lines(devices, rates), person_lines(book, rates, policy), item_lines(book, rates, period)]
    full, days = pl.concat(charged), service_days(rates, period)
    lines = prorated(full, days) if options.prorate else full
    hours, backups = support_hours(book, rates, period, policy), backup_charges(devices, rates, policy)
    bills = with_tax(_totals(rates, lines, hours, backups, policy), options.tax_percent)
    every = pl.concat([lines, *_summed_lines(bills), tax_lines(bills, options.tax_percent)])
    warnings = [_warnings(bills, full, period), *([part_months(rates, days)] if options.prorate else [])]
    return Bills(
        bills.drop("exact_ticket").with_columns(pl.format("{}-{}", "account", pl.lit(period.compact)).alias("number")),
        every.sort(in_order(bills["account"]), maintain_order=True),
        exceptions,
        pl.concat(warnings).sort("account", maintain_order=True),
    )


def in_order(accounts: pl.Series) -> pl.Expr:
    """`account` by its place among the accounts, which hold each one once: sorting by it is faster than by text."""
    return pl.col("account").cast(pl.Enum(accounts))


def _totals(
    rates: pl.DataFrame, lines: pl.DataFrame, hours: pl.DataFrame, backups: pl.DataFrame, policy: Policy
) -> pl.DataFrame:
    sums = lines.group_by("account").agg(
        pl.col("amount").filter(pl.col("kind") == kind).sum().cast(AMOUNT).alias(name)
        for name, kind in COMPONENTS.items()
    )
    joined = (
        rates.join(sums, on="account", how="left", maintain_order="left")
        .join(hours, on="account", maintain_order="left")
        .join(backups, on="account", maintain_order="left")
        .with_columns(pl.col(*COMPONENTS).fill_null(_ZERO))
    )
    priced = joined.with_columns(
        cents(pl.col("exact_ticket")).alias("ticket_charge"),
        cents(pl.col("overage")).alias("overage_charge"),
        pl.col("base_workstation").alias("backup_base_workstation"),
        pl.col("base_server").alias("backup_base_server"),
    )
    base = pl.col("base_workstation").cast(EXACT) + pl.col("base_server")
    exact = pl.sum_horizontal(*COMPONENTS).cast(EXACT) + pl.col("exact_ticket") + base + pl.col("overage")
    with_backup = priced.with_columns(cents(base + pl.col("overage")).alias("backup_charge"))
    if policy.round_each_component:
        total = pl.sum_horizontal(*COMPONENTS, "ticket_charge", "backup_charge").cast(AMOUNT)
    else:
        total = cents(exact.cast(EXACT))
    return (
        with_backup.with_columns(total.alias("total"))
        .drop("overage", "base_workstation", "base_server")
        .sort("account")
    )


def _summed_lines(bills: pl.DataFrame) -> list[pl.DataFrame]:
    """The lines of hours and backups: one a component, where there is anything to charge."""
    kinds = [
        (TICKET, "Support hours", "billable", "ticket_charge", "per_hour_ticket_cost"),
        (BACKUP, "Backed-up workstations", "workstations", "backup_base_workstation", "backup_base_fee_workstation"),
        (BACKUP, "Backed-up servers", "servers", "backup_base_server", "backup_base_fee_server"),
        (BACKUP, "Backup volume above what is included", "overage_bytes", "overage_charge", "backup_per_tb_fee"),
    ]
    return [
        bills.filter(pl.col(quantity) > 0).select(
            "account",
            pl.lit(kind).alias("kind"),
            NO_RECORD,
            pl.lit(name).alias("name"),
            pl.lit("").alias("type"),
            pl.col(amount).alias("amount"),
            pl.col(f"{rate}_from").alias("source"),
        )
        for kind, name, quantity, amount, rate in kinds
    ]


def _warnings(bills: pl.DataFrame, lines: pl.DataFrame, period: Period) -> pl.DataFrame:
    """What changes no amount but has to be looked at: account, name, warning."""
    is_unlimited = pl.col("support_level") == "Unlimited"
    unlimited = is_unlimited & (pl.col("ticket_charge") > 0)
    no_rate = ~is_unlimited & (pl.col("billable") > 0) & (pl.col("per_hour_ticket_cost") == 0)
    hours = cents(pl.col("billable"))
    found = [
        bills.filter(unlimited).select(
            "account",
            "name",
            pl.format("support is Unlimited, and {} hours are billed: {}", hours, "ticket_charge").alias("warning"),
        ),
        bills.filter(no_rate).select(
            "account", "name", pl.format("{} hours are left to be paid at a rate of zero", hours).alias("warning")
        ),
        bills.filter(contract_end() < period.last).select(
            "account",
            "name",
            pl.format("its contract ended on {}; it is billed {}", contract_end(), "total").alias("warning"),
        ),
        costing_nothing(lines)
        .join(bills.select("account", "name"), on="account", maintain_order="left")
        .select(
            "account",
            "name",
            pl.format("{}s of type {} at a rate of zero: {}", "kind", "type", "count").alias("warning"),
        ),
        untyped(lines)
        .join(bills.select("account", "name"), on="account", maintain_order="left")
        .select(
            "account",
            "name",
            pl.format(
                "devices of no known type, billed as {}: {}, {} in all", pl.lit(DEFAULT_TYPE), "count", "amount"
            ).alias("warning"),
        ),
        unknown_types(lines).select(
            "account",
            "name",
            pl.format("is a device of unknown type '{}', which costs nothing", "type").alias("warning"),
        ),
    ]
    return pl.concat(found)
