"""Why each line of a bill is what it is: the record, its quantity, the rate, and the plan row or setting that gave it.

Source: spec 3.2 (what comes before what).
"""

import polars as pl

from billing_pipeline.engine.managed_services.bills import BACKUP, TICKET, Bills
from billing_pipeline.engine.managed_services.charges import DEVICE, ITEM, PERSON
from billing_pipeline.engine.managed_services.exact import terabytes
from billing_pipeline.engine.managed_services.tables import HOURS
from billing_pipeline.engine.money import cents

_UNITS = {
    (DEVICE, "Workstation"): "per_workstation_cost",
    (DEVICE, "Server"): "per_server_cost",
    (DEVICE, "VM"): "per_vm_cost",
    (DEVICE, "Switch"): "per_switch_cost",
    (DEVICE, "Firewall"): "per_firewall_cost",
    (PERSON, "Paid"): "per_user_cost",
}
_SUMMED = {  # lines of a whole client
    (TICKET, "Support hours"): "per_hour_ticket_cost",
    (BACKUP, "Backed-up workstations"): "backup_base_fee_workstation",
    (BACKUP, "Backed-up servers"): "backup_base_fee_server",
    (BACKUP, "Backup volume above what is included"): "backup_per_tb_fee",
}
_COLUMNS = ("account", "client", "kind", "record", "name", "type", "quantity", "rate", "rate_name", "amount", "why")
_SOURCES = {"override": " by override", "detected": " by its category", "entered by hand": ", entered by hand"}


def explained_lines(found: Bills) -> pl.DataFrame:
    """Every line of every bill: account, client, kind, record (`<source>:<id>`, null of what has none), name, type,
    quantity (text), rate (AMOUNT), rate_name, amount (AMOUNT), why. Ordered as the bills' lines.
    """
    by_type = pl.col("kind").is_in([DEVICE, PERSON])
    of = pl.when(by_type).then("type").otherwise("name")
    named = (
        found.lines.with_columns(of.alias("of"))
        .join(found.bills.select("account", client="name"), on="account", maintain_order="left")
        .join(_terms(found.bills), on=["account", "kind", "of"], how="left", maintain_order="left")
    )
    explained = named.with_columns(pl.col("quantity").fill_null("1"), _why(by_type).alias("why"))
    return explained.select(_COLUMNS)


def _terms(bills: pl.DataFrame) -> pl.DataFrame:
    """What each client's lines of a kind and type (of a summed line: its name) are charged with: rate_name, rate,
    origin (where the rate comes from), quantity (null: one). So little is told once a client, not once a line.
    """
    quantities = _quantities()
    rates = [
        *((kind, of, rate, pl.lit(None, pl.String)) for (kind, of), rate in _UNITS.items()),
        *((kind, of, rate, quantities[of]) for (kind, of), rate in _SUMMED.items()),
    ]
    since = pl.when(pl.col("valid_from").is_not_null()).then(pl.format(", valid from {}", "valid_from"))
    told = bills.with_columns(plan_row=pl.format("plan {}, {}{}", "plan", "term", since.fill_null("")))
    return pl.concat(
        told.select(
            "account",
            pl.lit(kind).alias("kind"),
            pl.lit(of).alias("of"),
            pl.lit(rate).alias("rate_name"),
            pl.col(rate).alias("rate"),
            pl.when(pl.col(f"{rate}_from") == "client")
            .then(pl.lit("the client's own rate"))
            .otherwise("plan_row")
            .alias("origin"),
            quantity.alias("quantity"),
        )
        for kind, of, rate, quantity in rates
    )


def _quantities() -> dict[str, pl.Expr]:
    """What a summed line is charged for, by its name."""
    return {
        "Support hours": pl.format("{} h", cents(pl.col("billable").cast(HOURS)).cast(pl.String)),
        "Backed-up workstations": pl.col("workstations").cast(pl.String),
        "Backed-up servers": pl.col("servers").cast(pl.String),
        "Backup volume above what is included": pl.format("{} TB", terabytes()),
    }


def _why(by_type: pl.Expr) -> pl.Expr:
    """The rule and where its rate comes from, in a sentence."""
    typed = pl.concat_str("type", pl.col("source").replace_strict(_SOURCES, default=" by default"))
    own = pl.when(pl.col("type") == "Custom").then(pl.lit("a cost of its own")).otherwise(pl.lit("it costs nothing"))
    return (
        pl.when(pl.col("kind") == ITEM)
        .then(pl.format("{} item of the book", "type"))
        .when(by_type)
        .then(pl.format("{}; {}", typed, pl.coalesce("origin", own)))
        .otherwise(pl.coalesce("origin", "source"))
    )
