"""Listings written as literals: records as a source gives them, in text; a test names what it is about."""

from typing import Any

import polars as pl

from billing_pipeline.engine.managed_services.listings import Typed, typed
from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, ENTRIES, LISTINGS, VOLUMES

Texts = dict[str, str | None]


def company(account: str | None = "100", **more: str | None) -> Texts:
    return {"account": account, "name": f"Client {account}", "plan": "Gold", "term": "1 Year"} | more


def contact(source_id: str | None = "c1", **more: str | None) -> Texts:
    return {"source": "freshservice", "source_id": source_id, "account": "100", "name": "Ann"} | more


def device(source_id: str | None = "d1", **more: str | None) -> Texts:
    return {"source": "datto", "source_id": source_id, "account": "100", "name": "H1", "category": "Laptop"} | more


def volume(source_id: str | None = "d1", text: str | None = "1000", **more: str | None) -> Texts:
    return {"source": "datto", "source_id": source_id, "account": "100", "bytes": text} | more


def entry(source_id: str | None = "1", **more: str | None) -> Texts:
    return {
        "source": "freshservice",
        "source_id": source_id,
        "account": "100",
        "ticket_id": "7",
        "at": "2025-09-10T10:00:00Z",
        "worked": "1:30",
    } | more


RECORDS = {COMPANIES: company, CONTACTS: contact, DEVICES: device, VOLUMES: volume, ENTRIES: entry}


def texts(name: str, *records: Texts) -> pl.DataFrame:
    """The records as the frame of texts that a source gives."""
    return pl.DataFrame({column: [one.get(column) for one in records] for column in LISTINGS[name]}).cast(pl.String)


def listed(name: str, *records: Texts) -> Typed:
    """What is made of the records."""
    return typed(name, texts(name, *records))


def column(name: str, which: str, *records: Texts) -> list[Any]:
    """One typed column of them."""
    return listed(name, *records).frame[which].to_list()


def told(found: Typed) -> list[tuple[str, str, bool]]:
    """Who is told what, and whether the record is left out."""
    return found.problems.select("record", "problem", "left_out").rows()
