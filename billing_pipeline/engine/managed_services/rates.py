"""What each client pays for a unit: its plan, then its own settings. And which clients cannot be billed, and why.

Source: spec 3.1, 3.2; decision 19.
"""

import polars as pl

from billing_pipeline.engine.managed_services.contracts import contract_term
from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.tables import PREPAID, RATES, Book
from billing_pipeline.engine.money import AMOUNT

_ZERO, _ONE = pl.lit("0").cast(AMOUNT), pl.lit("1").cast(AMOUNT)


def effective_rates(book: Book, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The billable clients with RATES and PREPAID (AMOUNT), `support_level`, and for each rate `<rate>_from` (plan,
    client); and the others: account, name, reason.
    """
    settings = book.settings.rename({name: f"own_{name}" for name in ("plan", *RATES, *PREPAID)})
    clients = book.clients.join(settings, on="account", how="left", maintain_order="left").with_columns(
        pl.coalesce(
            pl.when(pl.col("own_plan") != "").then("own_plan"), pl.col("plan").str.strip_chars(), pl.lit("")
        ).alias("plan"),
        contract_term().alias("term"),
    )
    joined = clients.join(
        book.plans.with_columns(pl.lit(value=True).alias("known")),
        on=["plan", "term"],
        how="left",
        maintain_order="left",
    )
    plans = book.plans["plan"].unique()
    reason = (
        pl.when(pl.col("account").fill_null("").str.strip_chars() == "")
        .then(pl.lit("it has no account number"))
        .when(pl.col("plan") == "")
        .then(pl.lit("it has no plan"))
        .when(pl.col("known").is_null() & pl.col("plan").is_in(plans.implode()))
        .then(pl.format("plan '{}' has no term '{}'", "plan", "term"))
        .when(pl.col("known").is_null())
        .then(pl.format("there is no plan '{}'", "plan"))
    )
    judged = joined.with_columns(reason.alias("reason"))
    priced = judged.filter(pl.col("reason").is_null()).with_columns(
        *(_rate(name, policy).alias(name) for name in RATES),
        *(pl.coalesce(f"own_{name}", _ZERO).alias(name) for name in PREPAID),
        *(
            pl.when(pl.col(f"own_{name}").is_not_null())
            .then(pl.lit("client"))
            .otherwise(pl.lit("plan"))
            .alias(f"{name}_from")
            for name in RATES
        ),
        pl.col("support_level").fill_null("Billed Hourly"),
    )
    columns = [*book.clients.columns, "support_level", *RATES, *PREPAID, *(f"{name}_from" for name in RATES)]
    return priced.select(columns), judged.filter(pl.col("reason").is_not_null()).select("account", "name", "reason")


def _rate(name: str, policy: Policy) -> pl.Expr:
    """The client's own, else the plan's, else nothing; a plan that says nothing of included volume includes 1 TB."""
    if name != "backup_included_tb":
        return pl.coalesce(f"own_{name}", name, _ZERO)
    stated = pl.coalesce(f"own_{name}", name)
    if policy.zero_included_tb_means_zero:
        return stated.fill_null(_ONE)
    return pl.when(stated == 0).then(_ONE).otherwise(stated.fill_null(_ONE))
