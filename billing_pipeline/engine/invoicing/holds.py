"""Which partners' lines may enter the import file: those with a customer and an external id of their own.

NetSuite compares external ids without regard to case; two partners under one id would merge into one invoice, so all
of them are held. Source: decision 4, spec Q19, Q20; "Ids" of the interface document.
"""

import polars as pl

from billing_pipeline.engine.cells import key_text

NO_CUSTOMER = "no customer is mapped"
FORMULA = "its customer name would be read as a formula by a spreadsheet"
COLLISION = "its external id would meet another partner's"


def invoice_groups(partners: pl.DataFrame) -> pl.DataFrame:
    """One row per future invoice (customer, partner_key): its `token` (id part of the external id) and why it is held.

    `partners` needs PARTNER_ID, partner_key, customer. `held` is null for groups that may be imported.
    """
    token = key_text(pl.col("PARTNER_ID")).str.replace_all("[^A-Za-z0-9]", "")
    groups = partners.select(
        "customer", "partner_key", partner_id=key_text(pl.col("PARTNER_ID")), token=pl.when(token != "").then(token)
    ).unique(["customer", "partner_key"], keep="first", maintain_order=True)
    groups = groups.with_columns(pl.col("token").fill_null("UNKNOWN"))
    importable = pl.col("customer") != ""
    hold = customer_hold(pl.col("customer"))
    same_id = importable.sum().over(pl.col("token").str.to_lowercase())
    return groups.with_columns(held=pl.when(hold.is_not_null()).then(hold).when(same_id > 1).then(pl.lit(COLLISION)))


def customer_hold(customer: pl.Expr) -> pl.Expr:
    """Why no document can name a customer; null when one can."""
    return (
        pl.when(customer.fill_null("") == "")
        .then(pl.lit(NO_CUSTOMER))
        .when(customer.str.contains(r"^[=+\-@]|[\x00-\x1f]"))
        .then(pl.lit(FORMULA))
    )
