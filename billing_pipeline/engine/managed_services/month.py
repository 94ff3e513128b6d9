"""What a month is billed from: the pulled listings and the reference data, brought together as a Book.

Everybody who is in a listing is somewhere afterwards: billed or not by the Book, excluded with a reason, or among what
could not be used. Source: spec 3.1; decisions 18, 19; Q2, Q18, Q38, Q41.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from billing_pipeline.engine.managed_services import pulled, tables
from billing_pipeline.engine.managed_services.entries import book_entries, charged_in, dated_entries, record_id
from billing_pipeline.engine.managed_services.listings import billed_type
from billing_pipeline.engine.managed_services.reference import (
    client_settings,
    contracts,
    manual_rows,
    overrides,
    plans_in_force,
    sheet_values,
)
from billing_pipeline.engine.managed_services.tables import Book
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import conform

_ACCOUNT = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,49}$"  # with a dash at its start it would be taken for a formula
_ODD = "its account number may have letters, digits, - and _ only, 50 of them, and no - at its start"


@dataclass(frozen=True, slots=True)
class ClientMonth:
    """book: the active clients with all they are billed for. excluded: clients that are not billed on purpose.

    unusable: clients whose record cannot be used (both account, name, reason). warnings: account, name, warning.
    entries: dated_entries(), every one there is.
    """

    book: Book
    excluded: pl.DataFrame
    unusable: pl.DataFrame
    warnings: pl.DataFrame
    entries: pl.DataFrame


def client_month(
    listings: Mapping[str, pl.DataFrame],
    reference: Mapping[str, pl.DataFrame],
    closed: pl.DataFrame,
    billed: pl.DataFrame,
    period: Period,
    zone: str,
    *,
    honour_billable_flag: bool = True,
) -> ClientMonth:
    """The month. listings: pulled.stored() by name; reference: the sheets of the book by name, as texts.

    closed, billed: entries.CLOSED and BILLED, what was accepted so far. Months of time entries begin in `zone`.
    honour_billable_flag: as in Policy.
    """
    found = {name: pulled.records(name, listings[name]) for name in pulled.LISTINGS}
    there = {name: frame.filter(pl.col("removed_at").is_null()) for name, frame in found.items()}
    companies = there[pulled.COMPANIES]
    problems = pl.concat([pulled.problems_of(listings[name]) for name in pulled.LISTINGS])
    unusable = _unusable(problems, companies)
    active = companies.filter(pl.col("active").fill_null(value=True)).join(unusable, on="account", how="anti")
    dated = dated_entries(found[pulled.ENTRIES], closed, billed, zone, honour_billable_flag=honour_billable_flag)
    sheets = {name: sheet_values(name, frame) for name, frame in reference.items()}
    devices = _devices(there[pulled.DEVICES], there[pulled.VOLUMES])
    people = there[pulled.CONTACTS].select(
        "account", record_id().alias("person_id"), "name", pl.lit(None, pl.String).alias("type"),
        pl.lit(None, tables.PEOPLE["custom_cost"]).alias("custom_cost"), "active",
    )  # fmt: skip
    book = Book(
        clients=conform(contracts(active, sheets["contracts"], period), tables.CLIENTS),
        plans=plans_in_force(sheets["plans"], period),
        settings=client_settings(sheets["settings"]),
        devices=pl.concat([devices, manual_rows(sheets["manual_devices"], tables.DEVICES)]),
        device_overrides=overrides(sheets["device_overrides"], tables.DEVICE_OVERRIDES),
        people=pl.concat([people, manual_rows(sheets["manual_people"], tables.PEOPLE)]),
        person_overrides=overrides(sheets["person_overrides"], tables.PERSON_OVERRIDES),
        entries=book_entries(dated),
        items=conform(sheets["line_items"], tables.ITEMS),
    )
    return ClientMonth(
        book,
        _excluded(found[pulled.COMPANIES], period).join(unusable, on="account", how="anti"),
        unusable,
        _warnings(there, unusable, problems, sheets, dated, period),
        dated,
    )


def _devices(devices: pl.DataFrame, volumes: pl.DataFrame) -> pl.DataFrame:
    """tables.DEVICES of the source's devices, each with its volume."""
    kinds = devices.select("category").unique().with_columns(billed_type(pl.col("category")).alias("type"))
    joined = devices.join(
        volumes.select("source", "source_id", "bytes"), on=["source", "source_id"], how="left", maintain_order="left"
    ).join(kinds, on="category", how="left", nulls_equal=True, maintain_order="left")
    return conform(
        joined.with_columns(
            record_id().alias("device_id"),
            pl.col("type").is_not_null().alias("typed"),
            pl.lit(None, tables.DEVICES["custom_cost"]).alias("custom_cost"),
        ),
        tables.DEVICES,
    )


def _excluded(companies: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Clients that are inactive, and those that left the directory in the month or after it."""
    gone = pl.col("removed_at").is_not_null()
    inactive = ~pl.col("active").fill_null(value=True)
    reason = (
        pl.when(gone)
        .then(pl.format("it is no longer in the directory since {}", pl.col("removed_at").dt.date()))
        .when(inactive)
        .then(pl.lit("it is inactive"))
    )
    left = gone & (pl.col("removed_at").dt.date() < period.first)
    return companies.filter((gone | inactive) & ~left).select("account", "name", reason.alias("reason"))


def _unusable(problems: pl.DataFrame, companies: pl.DataFrame) -> pl.DataFrame:
    """Clients whose record was left out, or whose account cannot be part of an invoice number; each account once."""
    mine = problems.filter((pl.col("listing") == pulled.COMPANIES) & pl.col("left_out"))
    named = mine.select(
        pl.col("account").fill_null(""), pl.col("record").alias("name"), pl.col("problem").alias("reason")
    )
    without, known = named.filter(pl.col("account") == ""), named.filter(pl.col("account") != "")
    odd = companies.filter(~pl.col("account").str.contains(_ACCOUNT)).select(
        "account", "name", pl.lit(_ODD).alias("reason")
    )
    once = pl.concat([known, odd]).group_by("account", maintain_order=True).agg(
        pl.col("name").unique(maintain_order=True).str.join(", "), pl.col("reason").first()
    )  # fmt: skip
    return pl.concat([without, once]).sort("account", "name")


def _warnings(
    there: Mapping[str, pl.DataFrame],
    unusable: pl.DataFrame,
    problems: pl.DataFrame,
    sheets: Mapping[str, pl.DataFrame],
    dated: pl.DataFrame,
    period: Period,
) -> pl.DataFrame:
    """What belongs to nobody, with what it is worth, and what was wrong with records."""
    known = pl.concat([there[pulled.COMPANIES]["account"], unusable["account"]])
    unknown = ~pl.col("account").is_in(known.implode()) | pl.col("account").is_null()
    volumes = there[pulled.VOLUMES].select("source", "source_id", "bytes")
    lost = there[pulled.DEVICES].filter(unknown).join(volumes, on=["source", "source_id"], how="left")
    devices = lost.group_by("account", "site").agg(pl.len().alias("count"), pl.col("bytes").sum())
    contacts = there[pulled.CONTACTS].filter(unknown).group_by("account").agg(pl.len().alias("count"))
    hours = dated.filter(unknown & charged_in(period)).group_by("account").agg(
        pl.len().alias("count"), pl.col("worked").sum().dt.total_minutes().alias("minutes")
    )  # fmt: skip
    inventory = there[pulled.DEVICES].select("source", "source_id")
    stray = there[pulled.VOLUMES].filter(pl.col("bytes") > 0).join(inventory, on=["source", "source_id"], how="anti")
    account = pl.col("account").fill_null("")
    entered = pl.concat(
        sheets[name].select("account", (pl.col("name") if "name" in sheets[name].columns else pl.lit("")).alias("name"))
        for name in ("settings", "manual_devices", "manual_people", "line_items", "features", "contracts")
    ).unique()
    found = [
        _told(devices, pl.col("site").fill_null(""), pl.format(
            "{} devices at a site without a known account ('{}') are not billed; {} bytes backed up",
            "count", account, pl.col("bytes").fill_null(0)
        )),
        _told(contacts, pl.lit(""), pl.format("{} contacts of unknown account '{}' are not billed", "count", account)),
        _told(hours, pl.lit(""), pl.format(
            "{} time entries of unknown account '{}' are not billed: {} minutes", "count", account, "minutes"
        )),
        _told(stray, record_id(), pl.format("volume of a device that is not in the inventory: {} bytes", "bytes")),
        _told(entered.filter(unknown), pl.col("name"), pl.format("the book names the unknown account '{}'", account)),
        _told(
            problems.filter(~((pl.col("listing") == pulled.COMPANIES) & pl.col("left_out"))),
            pl.col("record"),
            pl.col("problem"),
        ),
    ]  # fmt: skip
    return pl.concat(found).sort("account", "name", "warning")


def _told(frame: pl.DataFrame, name: pl.Expr, warning: pl.Expr) -> pl.DataFrame:
    return frame.select(pl.col("account").fill_null(""), name.alias("name"), warning.alias("warning"))
