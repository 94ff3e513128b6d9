"""The sample's managed-services clients as a folder: what is pulled, as files, and the book that prices it.

What belongs here: files. What does not: what stands in them (`client_cases`, `client_inventory`, `client_hours`,
`client_prices`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, ENTRIES, LISTINGS, VOLUMES
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.client_workbook import write_client_book
from billing_pipeline.sample import client_hours, client_inventory
from billing_pipeline.sample.client_cases import CLIENTS, Client
from billing_pipeline.sample.client_inventory import Row
from billing_pipeline.sample.client_prices import book_rows
from billing_pipeline.sample.files import csv_bytes, write_files

BOOK_FILE = "client_book.xlsx"


def write_clients(folder: Path, months: Sequence[Period]) -> tuple[Path, ...]:
    """Write five listings and the book of 48 clients into `folder`, which is made when it does not exist.

    months: those that time entries are dated in, in order. The same bytes for the same months; errors and files that
    are there already as with `write_files`. Answers the paths.
    """
    files = client_files(folder, months)
    write_files(folder, files)
    return tuple(files)


def client_files(folder: Path, months: Sequence[Period]) -> dict[Path, bytes]:
    """What `write_clients` writes: the listings (LISTINGS, as text) by name, and the book as a workbook."""
    rows = {
        COMPANIES: list(_companies(months[0])),
        CONTACTS: client_inventory.contacts(),
        DEVICES: client_inventory.devices(),
        VOLUMES: client_inventory.volumes(),
        ENTRIES: client_hours.entries(months),
    }
    listings = {folder / f"{name}.csv": csv_bytes(tuple(LISTINGS[name]), of) for name, of in rows.items()}
    return {**listings, folder / BOOK_FILE: _book(months)}


def _book(months: Sequence[Period]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / BOOK_FILE
        write_client_book(path, book_rows(months))
        return path.read_bytes()


def _companies(first: Period) -> Iterator[Row]:
    for client in CLIENTS:
        end = "" if client.ended is None else f"{_before(first, client.ended).last}"
        yield {
            "account": client.account,
            "name": client.name,
            "active": client.active,
            "plan": client.plan,
            "term": client.term,
            "contract_start": f"{_start(client, first)}",
            "contract_end": end,
        }


def _start(client: Client, first: Period) -> date:
    """The day its contract began: as it says, else of a month before the sample; or the last 29 February before it."""
    if client.leap_day:
        leap_year = next(year for year in range(first.year - 1, 0, -1) if year % 4 == 0 and year % 100)
        return date(leap_year, 2, 29)
    months = 1 + len(client.name) % 11 if client.began is None else client.began
    return _before(first, months).first.replace(day=client.begins_on)


def _before(month: Period, months: int) -> Period:
    for _ in range(months):
        month = month.previous
    return month
