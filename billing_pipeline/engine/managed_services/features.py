"""What a client's plan includes besides devices, people and hours: shown to people, it changes no amount.

Source: spec 3.4, 1.5.
"""

import polars as pl

NOT_INCLUDED = "Not Included"
KNOWN = ("antivirus", "soc", "password_manager", "sat", "email_security", "network_management")
"""The features that every client is told about, in this order."""


def effective_features(clients: pl.DataFrame, plan_features: pl.DataFrame, overrides: pl.DataFrame) -> pl.DataFrame:
    """account, feature, value, overridden of every client: the KNOWN features first, then those of its own by name.

    clients: account, plan, term, as they are billed. plan_features: plan, term, feature, value; those that are not
    KNOWN are left out. overrides: account, feature, value; each replaces a feature of the plan or adds one, unless its
    value is blank. A feature of which nothing is said is NOT_INCLUDED.
    """
    known = pl.DataFrame({"feature": KNOWN, "place": range(len(KNOWN))}, schema_overrides={"place": pl.UInt32})
    numbered = clients.select("account", "plan", "term").with_row_index("client")
    own = (
        overrides.filter(pl.col("value").str.strip_chars() != "")
        .select("account", "feature", pl.col("value").alias("own"))
        .join(numbered, on="account")
    )
    wanted = pl.concat(
        [
            numbered.join(known, how="cross").select("client", "account", "plan", "term", "feature", "place"),
            own.join(known, on="feature", how="anti").select(
                "client", "account", "plan", "term", "feature", pl.lit(len(KNOWN), pl.UInt32).alias("place")
            ),
        ]
    )
    of_plan = plan_features.select("plan", "term", "feature", pl.col("value").replace("", None))
    return (
        wanted.join(of_plan, on=["plan", "term", "feature"], how="left")
        .join(own.select("client", "feature", "own"), on=["client", "feature"], how="left")
        .sort("client", "place", "feature")
        .select(
            "account",
            "feature",
            pl.coalesce("own", "value", pl.lit(NOT_INCLUDED)).alias("value"),
            pl.col("own").is_not_null().alias("overridden"),
        )
    )
