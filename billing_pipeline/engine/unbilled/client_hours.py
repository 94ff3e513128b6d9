"""Support hours of managed-services clients as time logs, and each client's month as a contract: no second set-up.

What belongs here: which hours a bill would charge, which it would not, and why. What does not: the bills themselves
(managed_services). A project is a client's month, under the number that its invoice has: each month has its rate.
"""

from datetime import date

import polars as pl

from billing_pipeline.engine.managed_services.entries import BILLED as LEDGER
from billing_pipeline.engine.managed_services.entries import COUNTED, DELETED, GONE, LATE, NOT_BILLABLE
from billing_pipeline.engine.managed_services.exact import hours
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.tables import Schema, conform
from billing_pipeline.engine.unbilled.tables import (
    BILLABLE,
    CONTRACTS,
    HOURLY_RATE,
    HOURS,
    INVOICED,
    LOGGED,
    LOGS,
    NON_BILLABLE,
    TIME_AND_MATERIALS,
)

NOT_OVER, ALL_INCLUSIVE, PREPAID = "its month is not over", "all-inclusive plan", "prepaid hours"
NO_TIME = "no time was entered"
PLACE = "time entries of tickets"
TERMS: Schema = {  # what a client's hours cost in a month, from its bill; key: account, month
    "account": pl.String,
    "month": pl.Date,
    "name": pl.String,
    "per_hour_ticket_cost": AMOUNT,
    "prepaid_monthly": HOURS,
    "prepaid_left": HOURS,  # of the yearly ones, before the month
    "contract_end": pl.Date,
}
_KEY = ["source", "source_id"]
_HOUR = 3_600_000  # milliseconds


def client_work(
    dated: pl.DataFrame, billed: pl.DataFrame, terms: pl.DataFrame, companies: pl.DataFrame, current: date, zone: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """LOGS and CONTRACTS of every client that has time entries.

    dated: entries.dated_entries(). billed: entries.BILLED, what accepted bills charged. terms: TERMS of every month
    that was billed; a month that was not has those of the client's last one. companies: account, name. current: first
    day of the current month, whose hours are not due yet. An entry that prepaid hours cover in part is two logs.
    """
    entries = _placed(dated, conform(billed, LEDGER), conform(terms, TERMS), current, zone)
    contracts = entries.filter(pl.col("account").is_in(companies["account"].implode())).join(
        companies.select("account", company="name").unique("account"), on="account", how="left", maintain_order="left"
    )
    return _logs(entries), conform(
        contracts.unique("project_id", keep="first", maintain_order=True).select(
            "project_id",
            client=pl.coalesce("name", "company").fill_null(""),
            rate=pl.col("per_hour_ticket_cost").cast(HOURLY_RATE),
            model=pl.lit(TIME_AND_MATERIALS),
            reimbursable_limit=pl.lit(None, AMOUNT),
            max_hours=pl.lit(None, HOURS),
            starts=pl.lit(None, pl.Date),
            ends=pl.col("contract_end"),
        ),
        CONTRACTS,
    )


def _placed(dated: pl.DataFrame, billed: pl.DataFrame, terms: pl.DataFrame, current: date, zone: str) -> pl.DataFrame:
    """The entries in their order of work, with project_id, the terms of their month, and what is known of each."""
    last = terms.sort("month").unique("account", keep="last").drop("month")
    invoiced = billed.select(*_KEY, invoiced=pl.lit(value=True))
    ordered = dated.sort("at", *_KEY).with_columns(
        project_id=pl.format("{}-{}", "account", pl.col("month").dt.strftime("%Y%m")),
        work_date=pl.col("at").dt.convert_time_zone(zone).dt.date(),
        spent=pl.col("worked").dt.total_milliseconds().fill_null(0),
    )
    joined = (
        ordered.join(invoiced, on=_KEY, how="left", maintain_order="left")
        .join(terms, on=["account", "month"], how="left", maintain_order="left")
        .join(last, on="account", how="left", maintain_order="left", suffix="_last")
    )
    facts = [name for name in TERMS if name not in ("account", "month")]
    own = pl.col("name").is_not_null()
    filled = [pl.when(own).then(name).otherwise(f"{name}_last").alias(name) for name in facts]
    counted = pl.col("state").is_in([COUNTED, LATE])
    due = (
        pl.when(pl.col("state").is_in([DELETED, GONE]))
        .then("state")
        .when(pl.col("month") >= current)
        .then(pl.lit(NOT_OVER))
        .when(pl.col("spent") <= 0)
        .then(pl.lit(NO_TIME))
        .when(pl.col("per_hour_ticket_cost") == 0)
        .then(pl.lit(ALL_INCLUSIVE))
        .otherwise(pl.lit(""))
    )
    told = joined.with_columns(filled).with_columns(due=due, counted=counted)
    prepaid = (pl.col("prepaid_monthly") + pl.col("prepaid_left")).fill_null(0)
    left = (prepaid.to_physical().cast(pl.Int128) * _HOUR // 10**8).cast(pl.Int64)  # whole milliseconds
    charged = pl.when(pl.col("counted")).then("spent").otherwise(0)
    before = charged.cum_sum().over("project_id") - charged
    covered = pl.when(pl.col("counted")).then(pl.min_horizontal((left - before).clip(0), "spent")).otherwise(0)
    return told.with_columns(prepaid=covered)


def _logs(entries: pl.DataFrame) -> pl.DataFrame:
    """LOGS: of each entry the part that is charged, and the part that prepaid hours cover, where there is one."""
    whole = pl.col("spent") - pl.col("prepaid")
    part = (pl.col("prepaid") > 0) & (pl.col("due") == "")
    rest = entries.filter(~part | (whole > 0)).with_columns(
        mine=pl.when(part).then(whole).otherwise("spent"), covered="due", suffix=pl.lit("")
    )
    prepaid = entries.filter(part).with_columns(
        mine="prepaid",
        covered=pl.lit(PREPAID),
        suffix=pl.when(whole > 0).then(pl.lit(" (prepaid)")).otherwise(pl.lit("")),
    )
    both = pl.concat([rest, prepaid])
    known = pl.col("account").is_not_null()
    return conform(
        both.select(
            log_id=pl.format("{}:{}{}", "source", "source_id", "suffix"),
            project_id=pl.when(known).then("project_id"),
            employee_id=pl.lit(""),  # who worked is no part of the listing
            hours=hours(pl.col("mine")),
            activity=pl.when(pl.col("state") == NOT_BILLABLE).then(pl.lit(NON_BILLABLE)).otherwise(pl.lit(BILLABLE)),
            status=pl.when(pl.col("invoiced").fill_null(value=False)).then(pl.lit(INVOICED)).otherwise(pl.lit(LOGGED)),
            work_date="work_date",
            expense_amount=pl.lit(None, AMOUNT),
            covered="covered",
            problem=pl.when(known).then(pl.lit("")).otherwise(pl.lit("missing project")),
            file=pl.lit(PLACE),
            line=pl.lit(None, pl.Int64),
        ),
        LOGS,
    )
