"""What is pulled from the sources of managed services: its columns as text, as sources give it, and typed, as kept.

A source (an API or a folder) gives each listing as a frame of texts; `listings` makes it exact and names every record
it cannot use; `merging` brings what is on hand up to it. Times are UTC, worked time is whole milliseconds, volumes
whole bytes: nothing is rounded before it is priced. Source: spec 1.4, 2.5; decision 18; quirks Q2, Q5, Q9, Q14, Q38,
Q39.
"""

from datetime import datetime
from typing import cast

import polars as pl

from billing_pipeline.engine.managed_services.tables import UTC_TIME, WORKED
from billing_pipeline.engine.tables import Schema, conform

COMPANIES, CONTACTS, DEVICES, VOLUMES, ENTRIES = "companies", "contacts", "devices", "backup_volumes", "time_entries"
LISTINGS: dict[str, Schema] = {
    COMPANIES: {
        "account": pl.String,  # key
        "name": pl.String,
        "active": pl.Boolean,  # a client that is not is excluded; blank is active
        "plan": pl.String,
        "term": pl.String,
        "contract_start": pl.Date,
        "contract_end": pl.Date,
    },
    CONTACTS: {  # key: source, source_id, account; one of two clients stands there twice
        "source": pl.String,
        "source_id": pl.String,
        "account": pl.String,
        "name": pl.String,
        "email": pl.String,
        "active": pl.Boolean,
    },
    DEVICES: {  # key: source, source_id
        "source": pl.String,
        "source_id": pl.String,
        "account": pl.String,  # null at a site without an account number
        "site": pl.String,
        "name": pl.String,
        "category": pl.String,  # as the source says: Laptop, ESXI Host, ...
    },
    VOLUMES: {  # key: source, source_id
        "source": pl.String,
        "source_id": pl.String,  # of the device
        "account": pl.String,
        "bytes": pl.Int64,
    },
    ENTRIES: {  # key: source, source_id
        "source": pl.String,
        "source_id": pl.String,
        "account": pl.String,  # null of a ticket of no known company
        "ticket_id": pl.String,
        "ticket": pl.String,  # number, for people
        "subject": pl.String,
        "at": UTC_TIME,  # when the work was done
        "worked": WORKED,
        "billable": pl.Boolean,  # blank is billable
        "deleted": pl.Boolean,  # the source says that the ticket is deleted or spam; blank is not
    },
}
"""The columns of each listing, and their types once typed. From a source every column is text."""

KEYS = {
    COMPANIES: ("account",),
    CONTACTS: ("source", "source_id", "account"),
    DEVICES: ("source", "source_id"),
    VOLUMES: ("source", "source_id"),
    ENTRIES: ("source", "source_id"),
}
NEEDED = {  # a source that has no such column at all is refused: every row would be nobody's, or nothing
    COMPANIES: KEYS[COMPANIES],
    CONTACTS: KEYS[CONTACTS],
    DEVICES: (*KEYS[DEVICES], "account"),
    VOLUMES: (*KEYS[VOLUMES], "bytes"),
    ENTRIES: (*KEYS[ENTRIES], "account", "at", "worked"),
}
KEPT: Schema = {  # columns of a listing that is kept, after its own
    "removed_at": UTC_TIME,  # when a complete listing was first without the record; null: it is there
    "pulled_at": UTC_TIME,  # when the listing was last brought up to date: one value a frame
}
PROBLEMS: Schema = {  # one row per thing that is wrong with a record of a source
    "listing": pl.String,
    "account": pl.String,  # whose it is; null where that is not known
    "record": pl.String,  # for people: time entry freshservice:4711
    "problem": pl.String,
    "left_out": pl.Boolean,  # the record is not used; else all of it but one value is
}


def stored(kept: pl.DataFrame, problems: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """A listing kept at `at` with what was wrong in its last pull, as one frame: rows of PROBLEMS follow the records.

    One without either is a row of nothing but the time: a month that is over is frozen with empty listings as well.
    """
    told = conform(problems, PROBLEMS) if kept.height or problems.height else pl.DataFrame([{}], schema=PROBLEMS)
    return pl.concat([kept, told.with_columns(pl.lit(at, UTC_TIME).alias("pulled_at"))], how="diagonal")


def records(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The records of a stored() listing: its own columns and KEPT."""
    found = pl.col("problem").is_null() & pl.col(KEYS[name][0]).is_not_null()
    return conform(frame.filter(found), LISTINGS[name] | KEPT)


def problems_of(frame: pl.DataFrame) -> pl.DataFrame:
    """What was wrong in the last pull of a stored() listing: PROBLEMS."""
    return conform(frame.filter(pl.col("problem").is_not_null()), PROBLEMS)


def pulled_at(frame: pl.DataFrame) -> datetime | None:
    """When a stored() listing was last brought up to date; None of a frame without rows."""
    return cast(datetime | None, frame["pulled_at"].max())
