"""Smartsheet through its official SDK, against a server on loopback: read whole or not at all, written once."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import requests

from billing_pipeline.engine.audit.tables import REVISIONS, SHEETS, SOURCE_ROWS, TEXTS
from billing_pipeline.engine.errors import InputError, UpstreamError
from billing_pipeline.resources.audit_sheets import cell_text, matched, unread
from billing_pipeline.resources.smartsheet import DryRun, DryRunError, Smartsheet
from billing_pipeline.resources.smartsheet_client import Allowance, Pace, UnclearWriteError
from tests.smartsheet_api import TOKEN, SmartsheetApi, smartsheet_api
from tests.smartsheet_book import SheetBook

LEDGER = [
    ("Work Request #", "TEXT_NUMBER"), ("Weekly Reference Logged Date", "DATE"), ("Units Completed?", "CHECKBOX"),
    ("Units Total Price", "TEXT_NUMBER"), ("Quantity", "TEXT_NUMBER"), ("Remarks", "TEXT_NUMBER"),
]  # fmt: skip
PASSING = ["4000", "4001", "4002", "4004", "500 html", "502 html", "503 html", "504 html", "reset"]


@pytest.fixture
def ledger(smartsheets: SmartsheetApi) -> SheetBook:
    """A source sheet with three lines."""
    book = smartsheets.sheet("Crew 1", LEDGER)
    for price in (170.52, 341.04, 0):
        book.add(workrequest=10000001.0, unitscompleted=True, unitstotalprice=price, quantity=3, remarks="private")
    return book


def values(texts: pl.DataFrame, column: str) -> list[str | None]:
    return texts.filter(pl.col("column") == column)["value"].to_list()


def refused(call: Callable[[], Any]) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        call()
    return raised.value


def test_a_sheet_gives_its_row_its_rows_and_the_text_of_every_known_cell(client: Smartsheet, ledger: SheetBook) -> None:
    read = client.sheet(str(ledger.sheet_id))
    assert (read.sheet.schema, read.rows.schema, read.texts.schema) == (SHEETS, SOURCE_ROWS, TEXTS)
    assert read.sheet.select("sheet", "rows", "read", "missing", "error").rows() == [("Crew 1", 3, 3, "", "")]
    assert values(read.texts, "price") == ["170.52", "341.04", "0"]
    assert values(read.texts, "work_request") == ["10000001.0"] * 3
    assert values(read.texts, "completed") == ["true"] * 3
    assert values(read.texts, "week_ending") == [None] * 3
    first = read.rows.row(0, named=True)
    assert first["row_number"] == 1
    assert first["modified_by"] == "person@example.com"
    assert first["modified_at"] == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert first["permalink"].endswith(f"rowId={first['row_id']}")


def test_columns_the_audit_has_no_use_for_are_not_fetched(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook
) -> None:
    client.sheet(str(ledger.sheet_id))
    assert str(ledger.column("Remarks")) not in smartsheets.queries[-1]["columnIds"].split(",")


def test_a_sheet_of_several_pages_is_read_to_its_end(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook
) -> None:
    for number in range(20):
        ledger.add(workrequest=f"W{number}")
    assert client.sheet(str(ledger.sheet_id)).rows.height == 23
    assert smartsheets.asked(rf"GET /sheets/{ledger.sheet_id}") == 3


def test_a_sheet_with_fewer_rows_than_it_says_is_not_read(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook
) -> None:
    smartsheets.fail(rf"GET /sheets/{ledger.sheet_id}", "half")
    error = refused(lambda: client.sheet(str(ledger.sheet_id)))
    assert "gave 2 records and says there are 3" in str(error)
    assert not error.permanent


def test_a_list_with_fewer_records_than_it_says_is_not_read(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook
) -> None:
    smartsheets.fail("GET .*/columns", "half")
    assert "gave 5 records and says there are 6" in str(refused(lambda: client.columns(str(ledger.sheet_id))))


def test_a_sheet_that_changes_between_two_pages_is_read_again(
    smartsheets: SmartsheetApi, ledger: SheetBook, pace: Pace
) -> None:
    for number in range(20):
        ledger.add(workrequest=f"W{number}")
    changes = iter([True])
    smartsheets.fail(rf"GET /sheets/{ledger.sheet_id}", "4001", skip=1)

    def somebody_types(_: float) -> None:
        if next(changes, False):
            ledger.add(workrequest="meanwhile")

    read = Smartsheet(TOKEN, smartsheets.base, pace=replace(pace, sleep=somebody_types)).sheet(str(ledger.sheet_id))
    assert read.rows.height == 24
    assert read.sheet["version"][0] == ledger.version


def test_required_columns_that_are_missing_are_told(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    book = smartsheets.sheet("Notes", [("Work Request #", "TEXT_NUMBER"), ("Qty", "TEXT_NUMBER")])
    missing = client.sheet(str(book.sheet_id)).sheet["missing"][0]
    assert missing == "Weekly Reference Logged Date, Units Completed?, Units Total Price"


def test_a_sheet_without_a_known_column_has_rows_but_no_texts(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    book = smartsheets.sheet("Notes", [("Remarks", "TEXT_NUMBER")])
    book.add(remarks="a")
    read = client.sheet(str(book.sheet_id))
    assert (read.rows.height, read.texts.height) == (1, 0)


def test_a_sheet_that_could_not_be_read_says_why(client: Smartsheet) -> None:
    read = unread("9", "Crew 9", refused(lambda: client.sheet("9")))
    assert read.sheet.select("sheet", "read").rows() == [("Crew 9", 0)]
    assert "answered 404 (1006: Not Found): is the id right" in read.sheet["error"][0]
    assert (read.rows.schema, read.texts.schema) == (SOURCE_ROWS, TEXTS)


@pytest.mark.parametrize(
    ("title", "column"),
    [
        ("work request", "work_request"), ("Units  Completed", "completed"), ("UNITS-COMPLETED ?", "completed"),
        ("# Units", "quantity"), ("Qty", "quantity"), ("Pole #", "point"), ("Unitscompleted?", "completed"),
    ],
)  # fmt: skip
def test_a_title_is_recognised_in_any_case_and_spacing(title: str, column: str) -> None:
    assert matched([title]) == {column: 0}


def test_an_exact_title_comes_first_and_then_the_order_of_the_accepted_ones() -> None:
    titles = ["Redlined Total Price", "units total price", "Units Total Price", "Foreman", "Foreman Assigned?"]
    assert matched(titles) == {"price": 2, "foreman": 4}


def test_a_date_under_another_title_is_found_by_its_type_and_words() -> None:
    titles = ["Weekly Referenced Logged Date", "Snapshot Date taken", "Weekly date as text"]
    assert matched(titles, ["DATE", "DATETIME", "TEXT_NUMBER"]) == {"week_ending": 0, "work_date": 1}
    assert matched(titles, ["TEXT_NUMBER"] * 3) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.10"), "0.10"), (Decimal("1E+3"), "1000"), (12345678901234567890, "12345678901234567890"),
        (False, "false"), ("", None), (None, None), ("#REF", "#REF"), (Decimal("1E+999999"), "1E+999999"),
    ],
)  # fmt: skip
def test_a_cell_is_the_text_it_holds(value: Any, text: str | None) -> None:
    assert cell_text(value) == text


def test_the_version_moves_with_the_sheet(client: Smartsheet, ledger: SheetBook) -> None:
    before = client.version(str(ledger.sheet_id))
    ledger.add(workrequest="1")
    assert client.version(str(ledger.sheet_id)) == before + 1


def test_a_cells_history_is_told_from_the_oldest_revision_on(client: Smartsheet, ledger: SheetBook) -> None:
    row = ledger.rows[0]["id"]
    ledger.edit(row, "Quantity", 5, by="late@example.com", at="2026-01-09T10:00:00+00:00")
    ledger.edit(row, "Quantity", None)
    found = client.history(str(ledger.sheet_id), str(row), "quantity")
    assert found.schema == REVISIONS
    assert found["value"].to_list() == ["3", "5", None]
    assert found["by"].to_list() == ["person@example.com", "late@example.com", "person@example.com"]
    assert found["at"][1] == datetime(2026, 1, 9, 10, 0, 1, tzinfo=UTC)


def test_an_unknown_modifier_stays_blank_and_one_without_an_address_has_a_name(
    client: Smartsheet, ledger: SheetBook
) -> None:
    row = ledger.rows[0]["id"]
    ledger.histories[row, ledger.column("Quantity")] = [
        {"value": 1, "modifiedAt": "2026-01-02T00:00:00Z", "modifiedBy": {"name": "Ann"}},
        {"value": 2, "modifiedAt": "2026-01-03T00:00:00-06:00"},
    ]
    found = client.history(str(ledger.sheet_id), str(row), "quantity")
    assert found["by"].to_list() == ["Ann", ""]
    assert found["at"][1] == datetime(2026, 1, 3, 6, tzinfo=UTC)


def test_histories_keep_to_thirty_calls_in_any_minute() -> None:
    clock, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    allowance = Allowance(30, Pace(sleep=sleep, clock=lambda: clock[0]))
    taken = []
    for _ in range(61):
        allowance.take()
        taken.append(clock[0])
        clock[0] += 0.5
    assert all(later - earlier >= 60 for earlier, later in zip(taken, taken[30:], strict=False))
    assert waits == [45.0, 45.0]


def test_a_history_that_is_asked_again_counts_again(
    smartsheets: SmartsheetApi, ledger: SheetBook, pace: Pace, waits: list[float]
) -> None:
    client = Smartsheet(TOKEN, smartsheets.base, pace=replace(pace, histories=1, clock=lambda: 0.0))
    smartsheets.fail(".*/history", "502 html")
    client.history(str(ledger.sheet_id), str(ledger.rows[0]["id"]), "price")
    assert waits == [1.5, 60.0]


def test_a_folder_gives_its_sheets_and_those_of_its_folders(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    smartsheets.folders[1] = [("sheet", 11, "A"), ("folder", 2, "below"), ("sheet", 12, "B"), ("sheet", 13, "C")]
    smartsheets.folders[2] = [("folder", 1, "round"), ("sheet", 21, "D")]
    assert client.sheets_in(["1"]) == {"11": "A", "12": "B", "13": "C", "21": "D"}
    assert smartsheets.asked("GET /folders/.*") == 3


def test_folders_are_followed_five_floors_down(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    for floor in range(8):
        smartsheets.folders[floor] = [("sheet", 100 + floor, f"S{floor}"), ("folder", floor + 1, "below")]
    assert list(client.sheets_in(["0"]).values()) == ["S0", "S1", "S2", "S3", "S4", "S5"]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_asked_again_after_a_short_wait(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook, waits: list[float], fault: str
) -> None:
    smartsheets.fail("GET .*/version", fault, times=3)
    assert client.version(str(ledger.sheet_id)) == ledger.version
    assert waits == [1.5, 2.5, 4.5]


def test_a_full_quota_is_waited_for_a_minute_and_a_half_at_most(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook, waits: list[float]
) -> None:
    smartsheets.fail("GET .*/version", "4003", times=9)
    error = refused(lambda: client.version(str(ledger.sheet_id)))
    assert str(error).endswith("answered 429 (4003: Rate limit exceeded.) (asked 4 times)")
    assert not error.permanent
    assert waits == [15.0, 30.0, 45.0]


@pytest.mark.parametrize("fault", ["401", "403", "404", "html", "null", "redirect"])
def test_a_refusal_is_permanent_and_never_asked_again(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook, fault: str
) -> None:
    smartsheets.fail("GET .*", fault, times=9)
    assert refused(lambda: client.sheet(str(ledger.sheet_id))).permanent
    assert len(smartsheets.requests) == 1


def test_a_server_that_says_nothing_ends_in_time(smartsheets: SmartsheetApi, ledger: SheetBook, pace: Pace) -> None:
    client = Smartsheet(TOKEN, smartsheets.base, pace=replace(pace, timeout=0.2, attempts=1))
    smartsheets.fail("GET .*/version", "slow")
    assert "gave no answer in time" in str(refused(lambda: client.version(str(ledger.sheet_id))))


def test_a_server_that_is_not_there_is_told_by_its_setting(pace: Pace) -> None:
    with smartsheet_api() as gone:
        pass
    error = refused(lambda: Smartsheet(TOKEN, gone.base, pace=pace).version("1"))
    assert str(error).startswith("Smartsheet: version of sheet 1: it cannot be reached. Is SMARTSHEET_API_BASE right?")
    assert not error.permanent


@pytest.mark.parametrize("fault", [fault for fault in PASSING if fault != "4001"] + ["lost", "html", "html-applied"])
def test_a_write_with_an_unclear_outcome_is_never_repeated(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook, fault: str
) -> None:
    smartsheets.fail("POST .*/rows", fault, times=9)
    row = {"cells": [{"columnId": ledger.column("Quantity"), "value": 1}]}
    with pytest.raises(UnclearWriteError, match="whether it was written is not known"):
        client.add_rows(str(ledger.sheet_id), [row], top=True)
    assert smartsheets.asked("POST .*") == 1


def test_the_sdks_own_replay_over_https_is_off(client: Smartsheet) -> None:
    session = client._client._sdk._session
    for scheme in ("https://", "http://"):
        assert session.get_adapter(scheme)._inner.max_retries.total == 0


def test_the_sdks_own_tls_settings_stay(client: Smartsheet) -> None:
    inner = client._client._sdk._session.get_adapter("https://")._inner
    assert type(inner).__module__ == "smartsheet.session"


@pytest.mark.parametrize("fault", ["4001", "4003"])
def test_a_write_that_was_turned_away_is_sent_again(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook, fault: str
) -> None:
    smartsheets.fail("POST .*/rows", fault, times=3)
    row = {"cells": [{"columnId": ledger.column("Quantity"), "value": 7}]}
    client.add_rows(str(ledger.sheet_id), [row], top=True)
    assert ledger.table("Quantity") == [(7,), (3,), (3,), (3,)]


def test_a_write_to_nobody_is_sure_not_to_have_happened(pace: Pace) -> None:
    with smartsheet_api() as gone:
        pass
    error = refused(lambda: Smartsheet(TOKEN, gone.base, pace=pace).add_rows("1", [{"cells": []}], top=True))
    assert not isinstance(error, UnclearWriteError)


def test_an_update_and_a_deletion_may_be_repeated(
    client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook
) -> None:
    first, second, third = (str(row["id"]) for row in ledger.rows)
    smartsheets.fail("(PUT|DELETE) .*/rows", "lost", times=1)
    client.update_rows(
        str(ledger.sheet_id), [{"id": int(first), "cells": [{"columnId": ledger.column("Quantity"), "value": 9}]}]
    )
    smartsheets.fail("DELETE .*/rows", "lost", times=1)
    client.delete_rows(str(ledger.sheet_id), [second, third])
    assert ledger.table("Quantity") == [(9,)]


def test_a_dry_run_reads_and_cannot_write(smartsheets: SmartsheetApi, ledger: SheetBook, pace: Pace) -> None:
    client = DryRun(TOKEN, smartsheets.base, pace=pace)
    sheet_id, cells = str(ledger.sheet_id), {"cells": []}
    assert client.sheet(sheet_id).rows.height == 3
    writes: list[Callable[[], Any]] = [
        lambda: client.add_rows(sheet_id, [cells, cells], top=True),
        lambda: client.update_rows(sheet_id, [cells]),
        lambda: client.delete_rows(sheet_id, ["1", "2", "3"]),
        lambda: client.add_columns(sheet_id, {"a": "DATE"}, 0),
        lambda: client.attach(sheet_id, "1", "a.xlsx", b"a"),
        lambda: client.attach_version(sheet_id, "1", "a.xlsx", b"a"),
        lambda: client.delete_attachment(sheet_id, "1"),
    ]
    for write in writes:
        with pytest.raises(DryRunError):
            write()
    assert client.would["add rows to"] == 2
    assert client.would["delete rows of"] == 3
    assert client.would.total() == 10
    assert smartsheets.asked("(POST|PUT|DELETE) .*") == 0


def test_even_the_sdk_of_a_dry_run_sends_nothing_but_questions(smartsheets: SmartsheetApi, pace: Pace) -> None:
    client = DryRun(TOKEN, smartsheets.base, pace=pace)
    with pytest.raises(requests.exceptions.InvalidSchema):
        client._client._sdk._session.post(f"{smartsheets.base}/sheets/1/rows")
    assert smartsheets.requests == []


def test_a_file_above_the_limit_is_not_sent(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    with pytest.raises(InputError, match=r"a\.xlsx has 30,000,001 bytes"):
        client.attach("1", "1", "a.xlsx", b"x" * 30_000_001)
    assert smartsheets.requests == []


def test_an_empty_token_is_refused_whatever_the_sdks_own_variable_says(
    monkeypatch: pytest.MonkeyPatch, smartsheets: SmartsheetApi
) -> None:
    monkeypatch.setenv("SMARTSHEET_ACCESS_TOKEN", TOKEN)
    with pytest.raises(InputError, match="SMARTSHEET_API_TOKEN is not set"):
        Smartsheet("", smartsheets.base)


def test_a_final_slash_of_the_address_does_no_harm(smartsheets: SmartsheetApi, ledger: SheetBook, pace: Pace) -> None:
    assert Smartsheet(TOKEN, f"{smartsheets.base}/", pace=pace).version(str(ledger.sheet_id)) == ledger.version


def test_our_edits_can_be_recognised(client: Smartsheet, smartsheets: SmartsheetApi, ledger: SheetBook) -> None:
    client.version(str(ledger.sheet_id))
    assert smartsheets.headers[-1]["Smartsheet-Change-Agent"] == "billing-pipeline"


def test_no_error_and_no_log_line_holds_the_token_or_a_cell(
    smartsheets: SmartsheetApi,
    ledger: SheetBook,
    pace: Pace,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for token in (TOKEN, f"{TOKEN}\nX: y"):
        client = Smartsheet(token, smartsheets.base, pace=pace)
        for fault in ("", "401", "4003", "500 html", "lost", "html", "half"):
            smartsheets.fail("GET .*", fault, times=4)
            try:
                client.sheet(str(ledger.sheet_id))
            except UpstreamError as error:
                said.append(f"{error!r} {error.__cause__!r} {error.__suppress_context__}")
    assert len(said) > 8
    out, err = capfd.readouterr()
    everything = "\n".join([*said, caplog.text, out, err])
    assert "hush" not in everything
    assert "170.52" not in everything
