"""The files of client bills: CSV texts as Polars would write them, safe to open, named so that none meets another."""

import io
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.managed_services.exports import COLUMNS
from billing_pipeline.engine.money import AMOUNT
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.tables import Schema
from billing_pipeline.reports.managed_services import (
    EMPTY_TEXT,
    client_texts,
    file_names,
    rows_of_texts,
    texts_of_zip,
    zip_bytes,
)

JUNE = Period(2026, 6)
SCHEMA: Schema = {"account": pl.String, **dict.fromkeys(COLUMNS, pl.String), "Amount": AMOUNT}
HEADER = "InvoiceNo,Customer,InvoiceDate,DueDate,Item(Product/Service),Description,Qty,Rate,Amount\r\n"
quick = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def row(account: str = "A", **cells: Any) -> dict[str, Any]:
    return {
        "account": account, "InvoiceNo": f"{account}-202606", "Customer": "Acme", "InvoiceDate": "2026-06-30",
        "DueDate": "2026-07-30", "Item(Product/Service)": "Managed Services", "Description": "User: Ann (Paid)",
        "Qty": "1", "Rate": "15.00", "Amount": "15.00",
    } | cells  # fmt: skip


def rows(*given_: dict[str, Any]) -> pl.DataFrame:
    exact = [one | {"Amount": Decimal(one["Amount"])} for one in given_]
    return pl.DataFrame(exact, schema=SCHEMA)


def text(**cells: Any) -> str:
    """The file of one row."""
    found: str = client_texts(rows(row(**cells)))["text"].item()
    return found


def customer(name: str | None) -> str:
    """How a customer stands in the file."""
    before, after = text(Customer="Acme").split("Acme")
    return text(Customer=name).removeprefix(before).removesuffix(after)


@pytest.mark.parametrize("name", ["Acme", "Acme, Inc.", 'The "Best"', "Two\nlines", "Two\r\nlines", "Ñandú", " a b "])
def test_a_file_is_what_polars_writes_with_crlf(name: str) -> None:
    given_ = rows(row(Customer=name), row(Description="Asset: h, 1 (VM)", Amount="-0.10", Rate="-0.10"))
    expected = given_.drop("account").write_csv(line_terminator="\r\n")
    assert client_texts(given_).rows() == [("A", expected)]


def test_each_client_has_its_rows_in_their_order_under_one_header() -> None:
    given_ = rows(row("B", Amount="2.00"), row("A"), row("B", Amount="1.00"))
    found = dict(client_texts(given_).iter_rows())
    assert list(found) == ["B", "A"]
    assert found["B"].startswith(HEADER)
    assert [line.rsplit(",")[-1] for line in found["B"].splitlines()[1:]] == ["2.00", "1.00"]
    assert found["A"].count("\r\n") == 2


def test_nothing_makes_no_file_and_the_file_of_a_bill_without_a_row_is_its_header() -> None:
    assert client_texts(rows()).rows() == []
    assert EMPTY_TEXT == HEADER


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-Dash", "'-Dash"),
        ("@home", "'@home"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", '"\'\r=1+1"'),
        ('=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'),
        ("a=1+1", "a=1+1"),
        ("Smith-Jones", "Smith-Jones"),
        ("", ""),
        (None, ""),
    ],
)
def test_no_text_starts_a_formula(name: str | None, cell: str) -> None:
    assert customer(name) == cell


def test_amounts_below_zero_stay_numbers() -> None:
    assert text(Qty="-1", Rate="-10.50", Amount="-10.50").endswith(",-1,-10.50,-10.50\r\n")


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.sampled_from(
    ('"', '""', "\n", "\r", "\r\n,", "=1", "a,b", " ", "'", "\N{LINE SEPARATOR}", "\ufeff")
)
lines = st.lists(
    st.tuples(names, names, st.decimals(-(10**9), 10**9, places=2)).map(
        lambda cells: row(Customer=cells[0], Description=cells[1], Amount=str(cells[2]))
    ),
    min_size=1,
    max_size=5,
)


@quick
@given(st.lists(lines, min_size=1, max_size=3))
def test_texts_read_back_are_the_rows_with_formulas_disarmed(given_: list[list[dict[str, Any]]]) -> None:
    frames = [rows(*(one | {"account": str(number)} for one in client)) for number, client in enumerate(given_)]
    found = rows_of_texts(text for frame in frames for text in client_texts(frame)["text"])
    cell = pl.col("Customer", "Description")
    disarmed = cell.str.replace(r"^([=+\-@\t\r])", "'$1")
    expected = pl.concat(frames).drop("account").with_columns(disarmed)
    assert found.with_columns(cell.fill_null("")).rows() == expected.rows()


def test_files_without_a_row_read_back_as_no_rows() -> None:
    assert rows_of_texts([EMPTY_TEXT, EMPTY_TEXT]).schema == {name: SCHEMA[name] for name in COLUMNS}
    assert rows_of_texts([]).is_empty()
    assert rows_of_texts([EMPTY_TEXT, text()])["InvoiceNo"].to_list() == ["A-202606"]


def named(*clients: tuple[str, str | None]) -> list[str]:
    frame = pl.DataFrame(clients, schema={"account": pl.String, "name": pl.String}, orient="row")
    found = file_names(frame, JUNE)
    assert list(found) == [account for account, _ in clients]
    return list(found.values())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Acme Widgets, Inc.", "Acme_Widgets_Inc_100_2026-06.csv"),
        ("Ñandú-Öl_1", "Ñandú-Öl_1_100_2026-06.csv"),
        ("../../etc/passwd", "etcpasswd_100_2026-06.csv"),
        (" tab\tand\nline ", "tab_and_line_100_2026-06.csv"),
        ("***", "100_2026-06.csv"),
        (None, "100_2026-06.csv"),
        ("x" * 300, f"{'x' * 80}_100_2026-06.csv"),
    ],
)
def test_a_file_is_named_by_client_account_and_month_in_plain_letters(name: str | None, file: str) -> None:
    assert named(("100", name)) == [file]


def test_names_that_would_be_one_are_told_apart() -> None:
    assert named(("100", "Acme"), ("200", "Acme")) == ["Acme_100_2026-06.csv", "Acme_200_2026-06.csv"]
    assert named(("2", "A_1"), ("1_2", "A"), ("1_2-2", "A")) == [
        "A_1_2_2026-06.csv",
        "A_1_2-2_2026-06.csv",
        "A_1_2-2-2_2026-06.csv",
    ]
    assert named(("a", "X"), ("A", "x")) == ["X_a_2026-06.csv", "x_A-2_2026-06.csv"], "not on every disk are two"


accounts = st.text("aAbB12_-", min_size=1, max_size=4) | st.text(
    st.characters(codec="ascii", categories=["L", "N"], include_characters="_-"), min_size=1, max_size=50
)
letters = st.text("aA_- 12\N{GREEK SMALL LETTER FINAL SIGMA}ßÑ", max_size=6) | st.text(max_size=120)


@quick
@given(st.lists(st.tuples(accounts, letters | st.none()), unique_by=lambda client: client[0], max_size=12))
def test_file_names_are_unique_and_fit_every_disk_whatever_the_clients_are_called(
    clients: list[tuple[str, str | None]],
) -> None:
    found = named(*clients)
    assert len({name.casefold() for name in found}) == len(clients)
    for name in found:
        assert Path(name).name == name
        assert len(name.encode()) <= 255
        assert not set(name) & set('/\\:*?"<>|\r\n\t\0')


def test_a_long_name_in_letters_of_many_bytes_still_fits_a_disk() -> None:
    (name,) = named(("x" * 50, "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 100))
    assert len(name.encode()) <= 255
    assert name.startswith("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 20)


def test_an_archive_holds_its_texts_and_is_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    texts = {"b.csv": "1\r\n", "ä.csv": "Zwei\nZeilen, Ñ\r\n", "a.csv": ""}
    found = zip_bytes(texts)
    assert found == zip_bytes(dict(reversed(texts.items())))
    path = tmp_path / "some.zip"
    path.write_bytes(found)
    assert texts_of_zip(path) == texts
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
