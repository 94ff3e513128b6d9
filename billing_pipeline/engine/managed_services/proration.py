"""Amounts that are off unless they are asked for: units by the days of the contract, and a tax on the bill.

Both are exact and are rounded once, half away from zero: a prorated line by itself, the tax on the sum of the
components. Source: spec 5, Q47 (optional, off by default).
"""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services.charges import DEVICE, ITEM, NO_RECORD, PERSON
from billing_pipeline.engine.managed_services.contracts import contract_end
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

TAX = "tax"
_MOST_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Options:
    """prorate: devices, people and monthly items are charged for the days of the period on which the contract is in
    force. tax_percent: of all components together; None is no tax. InputError for a rate that is no percentage.
    """

    prorate: bool = False
    tax_percent: Decimal | None = None

    def __post_init__(self) -> None:
        rate = self.tax_percent
        if rate is not None and not (rate.is_finite() and 0 <= rate <= 100 and round(rate, _MOST_DECIMALS) == rate):
            raise InputError(f"a tax of {rate} is no percentage from 0 to 100 with up to {_MOST_DECIMALS} decimals")


def service_days(clients: pl.DataFrame, period: Period) -> pl.DataFrame:
    """account, days (of the period on which the contract is in force), of (days of the period).

    clients: account, term, contract_start, contract_end. A contract without a start was always in force, one without an
    end is for ever; it is on its first and on its last day.
    """
    whole = (period.last - period.first).days + 1
    start = pl.max_horizontal("contract_start", pl.lit(period.first))
    end = pl.min_horizontal(contract_end(), pl.lit(period.last))
    days = ((end - start).dt.total_days() + 1).clip(0)
    return clients.select("account", days.alias("days"), pl.lit(whole, pl.Int64).alias("of"))


def prorated(lines: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The lines (charges.LINE) with the amounts of devices, people and monthly items for their days of service.

    days: service_days(). Hours, backups and items of one month are what they are.
    """
    by_day = pl.col("kind").is_in([DEVICE, PERSON]) | ((pl.col("kind") == ITEM) & (pl.col("type") == "Recurring"))
    share = _share(pl.col("amount"), pl.col("days"), pl.col("of"))
    return (
        lines.join(days, on="account", how="left", maintain_order="left")
        .with_columns(pl.when(by_day).then(share).otherwise("amount").alias("amount"))
        .drop("days", "of")
    )


def part_months(rates: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The clients that are charged for a part of the period: account, name, warning."""
    return (
        rates.select("account", "name")
        .join(days.filter(pl.col("days") < pl.col("of")), on="account", maintain_order="left")
        .select(
            "account",
            "name",
            pl.format("its units are charged for {} of {} days, those of its contract", "days", "of").alias("warning"),
        )
    )


def with_tax(bills: pl.DataFrame, percent: Decimal | None) -> pl.DataFrame:
    """The bills with `tax_charge` (AMOUNT), 0.00 without a rate, and with it in their total."""
    above, below = (percent or Decimal(0)).as_integer_ratio()
    tax = _share(pl.col("total"), pl.lit(above), pl.lit(below * 100))
    return bills.with_columns(tax.alias("tax_charge")).with_columns(
        (pl.col("total") + pl.col("tax_charge")).cast(AMOUNT).alias("total")
    )


def tax_lines(bills: pl.DataFrame, percent: Decimal | None) -> pl.DataFrame:
    """A line (charges.LINE) of kind TAX for each client that pays one, its type the rate."""
    return bills.filter(pl.col("tax_charge") != 0).select(
        "account",
        pl.lit(TAX).alias("kind"),
        NO_RECORD,
        pl.lit("Tax").alias("name"),
        pl.lit(f"{percent} %").alias("type"),
        pl.col("tax_charge").alias("amount"),
        pl.lit("setting").alias("source"),
    )


def _share(amount: pl.Expr, above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """amount x above / below (AMOUNT; above at least 0, below above 0), in whole cents so that it is rounded once."""
    cents, part, whole = (value.cast(pl.Int128) for value in (amount.to_physical(), above, below))
    rounded = (2 * cents.abs() * part + whole) // (2 * whole)
    hundredths = (rounded * pl.when(cents < 0).then(-1).otherwise(1)).cast(pl.Decimal(38, 4))
    return (hundredths / pl.lit(100).cast(pl.Decimal(38, 0))).cast(AMOUNT)
