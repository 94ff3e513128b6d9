"""What a client pays for its devices, people and items: a line each, with the rate and where it came from.

Source: spec 3.5, 3.6, 3.9; decision 17.
"""

import polars as pl

from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.tables import TYPES, Book
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period

LINE = ("account", "kind", "record", "name", "type", "amount", "source")
DEVICE, PERSON, ITEM = "device", "user", "item"
DEFAULT_TYPE = "Workstation"
NO_RECORD = pl.lit(None, pl.String).alias("record")  # of a line that is of the whole client, or of the book
_ZERO = pl.lit("0").cast(AMOUNT)
_UNITS = {"Workstation": "workstation", "Server": "server", "VM": "vm", "Switch": "switch", "Firewall": "firewall"}


def typed_devices(book: Book, policy: Policy) -> pl.DataFrame:
    """The devices with what they are billed as: `effective` type, `cost` of a Custom one, `source` of the type.

    A device entered by hand, or (by policy) typed by its source, keeps its own type; others take their override, or are
    workstations. An override without a type is none.
    """
    overrides = book.device_overrides.drop_nulls("type").rename({"type": "own_type", "custom_cost": "own_cost"})
    joined = book.devices.join(overrides, on="device_id", how="left", maintain_order="left")
    by_hand = pl.col("device_id").is_null()
    fixed = by_hand if policy.overrides_apply_to_typed_devices else by_hand | pl.col("typed")
    overridden = ~fixed & pl.col("own_type").is_not_null()
    detected = pl.col("type") if policy.overrides_apply_to_typed_devices else pl.when("typed").then("type")
    default = pl.when(fixed).then(pl.lit("")).otherwise(pl.lit(DEFAULT_TYPE))
    return joined.with_columns(
        pl.when(overridden).then("own_type").otherwise(pl.coalesce(detected, default)).alias("effective"),
        pl.when(overridden).then("own_cost").otherwise("custom_cost").alias("cost"),
        pl.when(overridden)
        .then(pl.lit("override"))
        .when(by_hand)
        .then(pl.lit("entered by hand"))
        .when(pl.col("type").is_not_null())
        .then(pl.lit("detected"))
        .otherwise(pl.lit("default"))
        .alias("source"),
    )


def device_lines(devices: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """A line (LINE) for each device of a billable client; a type that is none of TYPES costs nothing."""
    priced = devices.join(rates, on="account", maintain_order="left")
    own = pl.when(pl.col("effective") == "Custom").then(pl.col("cost").fill_null(_ZERO))
    by_unit = [pl.when(pl.col("effective") == kind).then(f"per_{unit}_cost") for kind, unit in _UNITS.items()]
    return priced.select(
        "account",
        pl.lit(DEVICE).alias("kind"),
        pl.col("device_id").alias("record"),
        "name",
        pl.col("effective").alias("type"),
        pl.coalesce(own, *by_unit, _ZERO).cast(AMOUNT).alias("amount"),
        "source",
    )


def person_lines(book: Book, rates: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """A line (LINE) for each person of a billable client: Paid unless entered or overridden otherwise."""
    overrides = book.person_overrides.drop_nulls("type").rename({"type": "own_type", "custom_cost": "own_cost"})
    joined = book.people.join(overrides, on="person_id", how="left", maintain_order="left")
    by_hand = pl.col("person_id").is_null()
    if policy.billable_contacts == "active":
        joined = joined.filter(by_hand | pl.col("own_type").is_not_null() | pl.col("active").fill_null(value=True))
    typed = joined.with_columns(
        pl.when(by_hand)
        .then(pl.col("type").fill_null("Paid"))
        .otherwise(pl.col("own_type").fill_null("Paid"))
        .alias("effective"),
        pl.when(by_hand).then("custom_cost").otherwise("own_cost").alias("cost"),
    ).join(rates, on="account", maintain_order="left")
    cost = (
        pl.when(pl.col("effective") == "Paid")
        .then("per_user_cost")
        .when(pl.col("effective") == "Custom")
        .then(pl.col("cost").fill_null(_ZERO))
        .otherwise(_ZERO)
    )
    source = (
        pl.when(by_hand)
        .then(pl.lit("entered by hand"))
        .when(pl.col("own_type").is_not_null())
        .then(pl.lit("override"))
        .otherwise(pl.lit("default"))
    )
    name = pl.col("name").replace("", None).fill_null("Unknown")
    return typed.select(
        "account",
        pl.lit(PERSON).alias("kind"),
        pl.col("person_id").alias("record"),
        name,
        pl.col("effective").alias("type"),
        cost.cast(AMOUNT).alias("amount"),
        source.alias("source"),
    )


def item_lines(book: Book, rates: pl.DataFrame, period: Period) -> pl.DataFrame:
    """A line (LINE) for each item that is due: monthly, else of exactly this month, else of this month of every year.

    The first that matches decides; one that matches without a fee makes no line.
    """
    monthly = pl.col("monthly_fee").is_not_null()
    once = (pl.col("one_off_year") == period.year) & (pl.col("one_off_month") == period.month)
    yearly = pl.col("yearly_bill_month") == period.month
    due = (
        book.items.join(rates.select("account"), on="account", maintain_order="left")
        .with_columns(
            pl.when(monthly)
            .then(pl.lit("Recurring"))
            .when(once)
            .then(pl.lit("One-Off"))
            .when(yearly)
            .then(pl.lit("Yearly"))
            .alias("type"),
            pl.when(monthly)
            .then("monthly_fee")
            .when(once)
            .then("one_off_fee")
            .when(yearly)
            .then("yearly_fee")
            .alias("amount"),
        )
        .filter(pl.col("amount").is_not_null())
    )
    return due.select(
        "account", pl.lit(ITEM).alias("kind"), NO_RECORD, "name", "type", "amount", pl.lit("item").alias("source")
    )


def unknown_types(lines: pl.DataFrame) -> pl.DataFrame:
    """The devices whose type is none of TYPES: they cost nothing, which somebody has to look at."""
    return lines.filter((pl.col("kind") == DEVICE) & ~pl.col("type").is_in(TYPES))


def untyped(lines: pl.DataFrame) -> pl.DataFrame:
    """Devices whose source gave no type that is known: account, count, amount they are billed with by default."""
    mine = (pl.col("kind") == DEVICE) & (pl.col("source") == "default")
    return lines.filter(mine).group_by("account").agg(pl.len().alias("count"), pl.col("amount").sum()).sort("account")


def costing_nothing(lines: pl.DataFrame) -> pl.DataFrame:
    """The devices and people that cost nothing although their type has a price: account, kind, type, count."""
    priced = {DEVICE: [*_UNITS, "Custom"], PERSON: ["Paid", "Custom"]}
    with_price = pl.any_horizontal(
        (pl.col("kind") == kind) & pl.col("type").is_in(types) for kind, types in priced.items()
    )
    return (
        lines.filter(with_price & (pl.col("amount") == 0))
        .group_by("account", "kind", "type")
        .agg(pl.len().alias("count"))
        .sort("account", "kind", "type")
    )
