"""What has to hold of a month's client bills before they leave the house. Source: spec 5.1, invariants 1 and 5; Q9."""

from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from billing_pipeline.engine.managed_services.bills import PARTS
from billing_pipeline.engine.period import Period

TIES_OUT, ONCE, BILLED_ONCE = "bills_tie_out", "every_client_once", "no_entry_billed_twice"
CHECKS = {
    TIES_OUT: "The total of every bill is the sum of its components, of its lines, and of the rows of both its files.",
    ONCE: "Every client of the directory is billed, excluded or an exception, and only one of them.",
    BILLED_ONCE: "No time entry of these bills was billed by another invoice.",
}
_MOST = 50  # problems told of one check


def untied(
    bills: pl.DataFrame, lines: pl.DataFrame, files: Mapping[str, pl.DataFrame], accepted: Mapping[str, Decimal]
) -> list[str]:
    """Where a total is not its parts. files: the rows of each format read back (InvoiceNo, Amount), by its name.

    accepted: total by number of the invoices that were accepted before; their files are the ones that were.
    """
    parts = bills.filter(pl.sum_horizontal(PARTS) != pl.col("total"))
    found = [f"{account}: its components are not its total {total}" for account, total in _of(parts)]
    summed = lines.group_by("account").agg(pl.col("amount").sum().alias("sum"))
    by_lines = bills.join(summed, on="account", how="left").filter(pl.col("sum").fill_null(0) != pl.col("total"))
    found += [f"{account}: its lines are not its total {total}" for account, total in _of(by_lines)]
    sent = pl.DataFrame(
        {"number": [*accepted], "sent": [*accepted.values()]},
        schema={"number": pl.String, "sent": bills.schema["total"]},
    )
    expected = bills.join(sent, on="number", how="left").with_columns(pl.coalesce("sent", "total").alias("total"))
    for name, rows in files.items():
        sums = rows.group_by("InvoiceNo").agg(pl.col("Amount").sum().alias("sum"))
        compared = expected.join(sums, left_on="number", right_on="InvoiceNo", how="full", coalesce=True)
        wrong = compared.filter(pl.col("sum").fill_null(0) != pl.col("total").fill_null(0))
        found += [
            f"{number}: the rows of its {name} file sum to {rows or '0.00'}, not to {total}"
            for number, rows, total in wrong.select("number", "sum", "total").sort("number").iter_rows()
        ]
    return found[:_MOST]


def wrongly_placed(companies: pl.DataFrame, bills: pl.DataFrame, others: pl.DataFrame, period: Period) -> list[str]:
    """Clients that are in none or in several of: billed, excluded, exception.

    companies: the directory's records (account, removed_at). others: account, of everybody who is not billed.
    """
    left = pl.col("removed_at").dt.date() < period.first
    clients = companies.filter(~left.fill_null(value=False)).select("account").unique()
    placed = pl.concat([bills.select("account"), others.filter(pl.col("account") != "").select("account")])
    counted = placed.group_by("account").agg(pl.len().alias("places"))
    every = clients.join(counted, on="account", how="full", coalesce=True).with_columns(pl.col("places").fill_null(0))
    wrong = every.filter(pl.col("places") != 1).sort("account")
    return [
        f"{account}: is nowhere" if places == 0 else f"{account}: is in {places} places"
        for account, places in wrong.select("account", "places").head(_MOST).iter_rows()
    ]


def billed_twice(charged: pl.DataFrame, billed: pl.DataFrame, period: Period) -> list[str]:
    """Entries of the month's bills that stand there twice, or in another invoice as well.

    charged: source, source_id, account, month (the period's). billed: entries.BILLED, the entries of accepted invoices.
    """
    twice = charged.filter(pl.struct("source", "source_id").is_duplicated()).select("source", "source_id").unique()
    elsewhere = charged.join(billed, on=["source", "source_id"], suffix="_of").filter(
        (pl.col("month_of") != period.first) | (pl.col("account_of") != pl.col("account"))
    )
    found = [f"{source}:{entry}: stands in the bills twice" for source, entry in twice.sort("source_id").iter_rows()]
    found += [
        f"{source}:{entry}: was billed to {account} in {month:%Y-%m}"
        for source, entry, account, month in elsewhere.select(
            "source", "source_id", "account_of", "month_of"
        ).sort("source_id").iter_rows()
    ]  # fmt: skip
    return found[:_MOST]


def _of(bills: pl.DataFrame) -> list[tuple[str, Decimal]]:
    return bills.select("account", "total").sort("account").rows()
