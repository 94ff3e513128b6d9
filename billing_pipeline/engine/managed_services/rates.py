"""What each client pays for a unit: its plan, then its own settings. And which clients cannot be billed, and why.

Source: spec 3.1, 3.2; decision 19.
"""

import polars as pl

from billing_pipeline.engine.errors import nearest
from billing_pipeline.engine.managed_services.contracts import contract_term
from billing_pipeline.engine.managed_services.policy import Policy
from billing_pipeline.engine.managed_services.tables import PREPAID, RATES, Book
from billing_pipeline.engine.money import AMOUNT

_ZERO, _ONE = pl.lit("0").cast(AMOUNT), pl.lit("1").cast(AMOUNT)


def effective_rates(book: Book, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The billable clients with RATES and PREPAID (AMOUNT), `support_level`, `valid_from` (of the plan's row), and for
    each rate `<rate>_from` (plan, client); and the others: account, name, reason.
    """
    settings = book.settings.rename({name: f"own_{name}" for name in ("plan", "support_level", *RATES, *PREPAID)})
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
    reason = (
        pl.when(pl.col("account").fill_null("").str.strip_chars() == "")
        .then(pl.lit("it has no account number"))
        .when(pl.col("plan") == "")
        .then(pl.lit("it has no plan"))
        .when(pl.col("known").is_null() & pl.col("terms").is_not_null())
        .then(pl.format("plan '{}' has no term '{}'; it has {}", "plan", "term", "terms"))
        .when(pl.col("known").is_null())
        .then(pl.format("there is no plan '{}'{}", "plan", "hint"))
    )
    judged = (
        joined.join(_terms(book.plans), on="plan", how="left", maintain_order="left")
        .join(_hints(joined, book.plans), on="plan", how="left", maintain_order="left")
        .with_columns(reason.alias("reason"))
    )
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
        pl.coalesce("own_support_level", "support_level", pl.lit("Billed Hourly")).alias("support_level"),
    )
    columns = [
        *book.clients.columns,
        "valid_from",
        "support_level",
        *RATES,
        *PREPAID,
        *(f"{name}_from" for name in RATES),
    ]
    return priced.select(columns), judged.filter(pl.col("reason").is_not_null()).select("account", "name", "reason")


def _terms(plans: pl.DataFrame) -> pl.DataFrame:
    """Each plan's terms as a text: plan, terms."""
    return plans.group_by("plan").agg(terms=pl.col("term").unique().sort().str.join(", "))


def _hints(clients: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """What a client's plan that there is not is probably meant to be: plan, hint; looked up once a name."""
    known = plans["plan"].drop_nulls().unique().sort().to_list()
    names = clients.filter(pl.col("known").is_null() & (pl.col("plan") != ""))["plan"].unique().to_list()
    hints = [f"; the nearest is '{near}'" if (near := nearest(name, known)) is not None else "" for name in names]
    return pl.DataFrame({"plan": names, "hint": hints}, schema={"plan": pl.String, "hint": pl.String})


def _rate(name: str, policy: Policy) -> pl.Expr:
    """The client's own, else the plan's, else nothing; a plan that says nothing of included volume includes 1 TB."""
    if name != "backup_included_tb":
        return pl.coalesce(f"own_{name}", name, _ZERO)
    stated = pl.coalesce(f"own_{name}", name)
    if policy.zero_included_tb_means_zero:
        return stated.fill_null(_ONE)
    return pl.when(stated == 0).then(_ONE).otherwise(stated.fill_null(_ONE))
