"""Client listings in a folder: one file each, read whole as text, and refused by name where that cannot be done."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services.listings import typed
from billing_pipeline.engine.managed_services.pulled import LISTINGS, NEEDED
from billing_pipeline.resources import client_folder, files
from billing_pipeline.resources.client_folder import ClientFolder, ListingFile


@pytest.fixture(name="folder")
def an_empty_folder(tmp_path: Path) -> ClientFolder:
    return ClientFolder(tmp_path)


def put(folder: ClientFolder, name: str, content: str | bytes) -> Path:
    path = folder.path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def put_parquet(folder: ClientFolder, listing: str, /, **columns: Any) -> None:
    pl.DataFrame(columns).write_parquet(folder.path / f"{listing}.parquet")


def refused(folder: ClientFolder, name: str) -> str:
    with pytest.raises(InputError) as error:
        folder.listing(name)
    return str(error.value)


def test_a_csv_file_is_read_as_the_text_it_holds(folder: ClientFolder) -> None:
    put(folder, "companies.csv", 'account,name,term\n0100,"Acme, Inc.", 1 year\n200,"Two\nlines",\n')
    found = folder.listing("companies")
    assert found.columns == list(LISTINGS["companies"])
    assert found.select("account", "name", "term", "plan").rows() == [
        ("0100", "Acme, Inc.", " 1 year", None), ("200", "Two\nlines", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_can_be_typed_as_it_is_read(folder: ClientFolder, name: str) -> None:
    put(folder, f"{name}.csv", ",".join(LISTINGS[name]) + "\n" + ",".join("1" for _ in LISTINGS[name]) + "\n")
    assert folder.listing(name).rows() == [("1",) * len(LISTINGS[name])]
    assert typed(name, folder.listing(name)).frame.columns == list(LISTINGS[name])


@pytest.mark.parametrize("text", [
    "\ufeffaccount,name\n1,Ñandú\n", "account,name\r\n1,Ñandú\r\n", "account,name\n1,Ñandú",
    '"account","name"\n1,"Ñandú"\n', " Account ,NAME\n1,Ñandú\n", "name,account\nÑandú,1\n",
    "account,notes,name\n1,x,Ñandú\n", "account,name\n\n1,Ñandú\n\n",
])  # fmt: skip
def test_files_that_say_the_same_are_read_the_same(folder: ClientFolder, text: str) -> None:
    put(folder, "companies.csv", text)
    assert folder.listing("companies").select("account", "name").rows() == [("1", "Ñandú")]


def test_a_listing_without_a_file_has_no_rows(folder: ClientFolder) -> None:
    for name in LISTINGS.keys() - {"companies"}:
        found = folder.listing(name)
        assert (found.columns, found.height) == (list(LISTINGS[name]), 0)


def test_a_listing_may_be_a_header_alone(folder: ClientFolder) -> None:
    put(folder, "devices.csv", "source_id,account,name\n")
    assert folder.listing("devices").is_empty()


def test_a_folder_without_companies_is_refused_with_what_to_put_there(folder: ClientFolder) -> None:
    assert refused(folder, "companies") == (
        f"{folder.path}: has no companies.csv or companies.parquet; put one there with the columns "
        "account,name,active,plan,term,contract_start,contract_end"
    )


def test_a_file_of_companies_without_one_is_refused(folder: ClientFolder) -> None:
    put(folder, "companies.csv", "account,name\n")
    assert refused(folder, "companies") == (
        "companies.csv: has a header but no rows; is the export still being written?"
    )


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    missing = ClientFolder(tmp_path / "nowhere")
    assert refused(missing, "contacts") == f"{tmp_path / 'nowhere'}: the folder of the client listings is not there"


def test_two_files_of_one_listing_are_refused_by_name(folder: ClientFolder) -> None:
    put(folder, "companies.csv", "account\n1\n")
    put_parquet(folder, "companies", account=["1"])
    assert "has both companies.csv and companies.parquet; keep the one that counts" in refused(folder, "companies")


@pytest.mark.parametrize("name", LISTINGS)
def test_a_file_without_a_column_that_is_needed_is_refused(folder: ClientFolder, name: str) -> None:
    for column in set(NEEDED[name]) - {"source"}:
        others = [other for other in LISTINGS[name] if other != column]
        put(folder, f"{name}.csv", ",".join(others) + "\n" + ",".join("1" for _ in others) + "\n")
        said = f"{name}.csv, line 1: column {column} is missing; the file has: {', '.join(others)}"
        assert refused(folder, name) == said


@pytest.mark.parametrize(("content", "said"), [
    (b"", "companies.csv: is empty (0 bytes)"),
    (b"account,name\n1,A\n2\n", "companies.csv, line 3: has 1 fields where the header has 2"),
    (b"account,name\n1,A\n2,B,C\n", "companies.csv, line 3: has 3 fields where the header has 2"),
    (b"account,name\n1,A\n2,\xd1\n", "companies.csv, line 3: is not UTF-8 text"),
    (b"account,Account\n1,2\n", "companies.csv, line 1, ACCOUNT: two headers mean the same column"),
    (b"account,\n1,2\n", "companies.csv, line 1: column 2 has no name"),
    (b'account,name\n1,"A\n', "companies.csv, line 2: a quote that opens in this row is never closed"),
    (b"account;name\n1;A\n", "companies.csv, line 1: column account is missing; the file has: account_name"),
])  # fmt: skip
def test_a_csv_file_that_is_no_table_is_refused_with_its_line(folder: ClientFolder, content: bytes, said: str) -> None:
    put(folder, "companies.csv", content)
    assert refused(folder, "companies").startswith(said)


def test_a_record_without_a_source_is_of_the_folder(folder: ClientFolder) -> None:
    put(folder, "devices.csv", "source,source_id,account\n,1,100\n  ,2,100\ndatto,3,100\n")
    assert folder.listing("devices")["source"].to_list() == ["folder", "folder", "datto"]
    put(folder, "devices.csv", "source_id,account\n1,100\n")
    assert folder.listing("devices")["source"].to_list() == ["folder"]


def test_a_parquet_file_is_read_as_exact_text(folder: ClientFolder) -> None:
    put_parquet(
        folder, "companies",
        Account=[100, None], name=["Acme", " "], active=[True, None],
        plan=pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
        contract_start=[date(2025, 1, 15), None], contract_end=[datetime(2026, 1, 14, 12), None],
    )  # fmt: skip
    assert folder.listing("companies").rows() == [
        ("100", "Acme", "true", "1.50", None, "2025-01-15", "2026-01-14T12:00:00"),
        (None, " ", None, None, None, None, None),
    ]


def test_times_of_a_parquet_file_come_to_what_they_are(folder: ClientFolder) -> None:
    east = pl.Series([datetime(2025, 9, 10, 12, tzinfo=UTC)] * 2).dt.convert_time_zone("Europe/Berlin")
    put_parquet(
        folder, "time_entries", source_id=pl.Series([1, 2], dtype=pl.UInt64),
        account=pl.Series(["1", "1"], dtype=pl.Enum(["1"])), at=east,
        worked=[timedelta(hours=100, minutes=5, milliseconds=7), timedelta(minutes=-5)], billable=[None, None],
    )  # fmt: skip
    texts = folder.listing("time_entries")
    assert texts.select("source", "source_id", "at", "worked").rows() == [
        ("folder", "1", "2025-09-10T12:00:00Z", "100:05:00.007000"),
        ("folder", "2", "2025-09-10T12:00:00Z", "-0:05:00.000000"),
    ]
    found = typed("time_entries", texts)
    assert found.frame.select("at", "worked").rows() == [
        (datetime(2025, 9, 10, 12, tzinfo=UTC), timedelta(hours=100, minutes=5, milliseconds=7))
    ]
    assert found.problems["problem"].to_list() == [
        "time worked '-0:05:00.000000' is below zero; the record is left out"
    ]


@pytest.mark.parametrize(("values", "said"), [
    ([1.5], "column bytes holds binary floats (Float64), which are not exact; write whole numbers or text"),
    ([[1]], "column bytes holds List(Int64), which is no text, number or time"),
])  # fmt: skip
def test_a_parquet_column_that_has_no_exact_text_is_refused(folder: ClientFolder, values: list[Any], said: str) -> None:
    put_parquet(folder, "backup_volumes", source_id=["1"], bytes=values)
    assert refused(folder, "backup_volumes") == f"backup_volumes.parquet: {said}"


def test_a_parquet_file_needs_the_same_columns(folder: ClientFolder) -> None:
    put_parquet(folder, "backup_volumes", source_id=["1"], size=[1])
    said = "backup_volumes.parquet: column bytes is missing; the file has: source_id, size"
    assert refused(folder, "backup_volumes") == said


def test_parquet_columns_that_mean_the_same_are_refused(folder: ClientFolder) -> None:
    put_parquet(folder, "companies", account=["1"], Account=["2"])
    assert refused(folder, "companies") == "companies.parquet: two columns mean the same: account"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 and no more PAR1", b"account\n1\n"])
def test_a_file_that_is_no_parquet_is_refused(folder: ClientFolder, content: bytes) -> None:
    put(folder, "companies.parquet", content)
    assert refused(folder, "companies").startswith("companies.parquet: is no Parquet file that can be read: ")


def test_a_damaged_parquet_file_is_read_or_refused_but_never_the_end_of_the_process(folder: ClientFolder) -> None:
    put_parquet(folder, "companies", account=[str(n) for n in range(500)], name=["x" * (n % 30) for n in range(500)])
    sound, chance = (folder.path / "companies.parquet").read_bytes(), Random(1)
    refusals = 0
    for _ in range(400):
        damaged = bytearray(sound)
        for at in chance.sample(range(len(sound)), 3):
            damaged[at] = chance.randrange(256)
        put(folder, "companies.parquet", bytes(damaged))
        try:
            folder.listing("companies")
        except InputError:
            refusals += 1
    assert refusals > 100


def test_a_folder_in_the_place_of_a_file_is_refused(folder: ClientFolder) -> None:
    (folder.path / "contacts.csv").mkdir()
    assert "contacts.csv: cannot be read: " in refused(folder, "contacts")


def test_a_file_that_changes_while_it_is_read_is_refused(folder: ClientFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "companies.csv", "account\n1\n")

    def while_the_export_goes_on(path: Path) -> Iterator[bytes]:
        blocks = files.blocks_of(path)
        yield next(blocks)
        path.write_bytes(b"account\n")
        yield from blocks

    monkeypatch.setattr(client_folder, "blocks_of", while_the_export_goes_on)
    assert refused(folder, "companies") == (
        "companies.csv: changed while it was read; is the export still being written?"
    )


def test_a_look_names_the_file_and_the_columns_that_are_ignored(folder: ClientFolder) -> None:
    put(folder, "companies.csv", "Account,name,Notes,Head Count\n1,Acme,x,2\n")
    found = folder.looked_at("companies")
    assert found == ListingFile("companies.csv", ("notes", "head_count"))
    assert folder.looked_at("devices") is None


def test_a_look_refuses_what_a_reader_would(folder: ClientFolder) -> None:
    put_parquet(folder, "backup_volumes", source=["rmm"], source_id=["1"], bytes=[1.5])
    with pytest.raises(InputError, match="binary floats"):
        folder.looked_at("backup_volumes")


def test_files_that_only_look_like_listings_are_named(folder: ClientFolder) -> None:
    for name in ("companies.csv", "tickets.csv", "Devices.csv", "hours.parquet", "client_book.xlsx"):
        put(folder, name, "account\n1\n")
    assert folder.others() == ["Devices.csv", "hours.parquet", "tickets.csv"]
