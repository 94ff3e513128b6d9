"""Time logs and contracts from files: the same texts from CSV and Parquet, an error with its place, or HALT."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from os import utime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.unbilled.tables import CONTRACT_TEXTS, LOG_TEXTS
from billing_pipeline.resources.unbilled_folder import (
    HaltError,
    UnbilledFiles,
    UnbilledFolder,
    read_contracts,
    read_logs,
)

LOGS = "Log_ID,Project_ID,Employee_ID,Hours,Activity_Type,Invoicing_Status,Expense_Check"
NEEDED = "Log_ID,Project_ID,Hours,Activity_Type,Invoicing_Status"
CONTRACTS = "Project_ID,Client_Name,Client_Rate_per_Hour,Billing_Model"
ROW = "1,P1,2,Billable,Logged"


@pytest.fixture(name="folder")
def an_empty_folder(tmp_path: Path) -> UnbilledFolder:
    return UnbilledFolder(tmp_path)


def put(folder: UnbilledFolder, name: str, *lines: str) -> Path:
    path = folder.path / name
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def parquet(folder: UnbilledFolder, name: str, **columns: Any) -> Path:
    path = folder.path / name
    pl.DataFrame(columns).write_parquet(path)
    return path


def refused(call: Callable[[], Any], kind: type[InputError] = InputError) -> str:
    with pytest.raises(InputError) as raised:
        call()
    assert type(raised.value) is kind
    return str(raised.value)


# What is read


def test_time_logs_are_their_cells_as_they_stand_and_columns_that_are_not_there_null(folder: UnbilledFolder) -> None:
    put(folder, "time_logs.csv", LOGS, '101,P001,E7," 8,0 ",Billable,Logged,TRUE', "102,,,,x,,")
    texts = folder.logs()
    assert texts.schema == LOG_TEXTS
    assert texts.rows() == [
        ("101", "P001", "E7", " 8,0 ", "Billable", "Logged", "TRUE", None, None, "time_logs.csv", 2),
        ("102", None, None, None, "x", None, None, None, None, "time_logs.csv", 3),
    ]


def test_contracts_are_their_cells_as_they_stand(folder: UnbilledFolder) -> None:
    put(
        folder,
        "contracts.csv",
        f"{CONTRACTS},Reimbursable_Limit,Max_FP_Hours,Contract_Start_Date,Contract_End_Date,Remarks",
        'P001,"Tech, Inc.",$150.00,T&M,500,,2026-01-01,2026-12-31,x',
    )
    assert folder.contracts().schema == CONTRACT_TEXTS
    assert folder.contracts().rows() == [
        ("P001", "Tech, Inc.", "$150.00", "T&M", "500", None, "2026-01-01", "2026-12-31", "contracts.csv", 2)
    ]


def test_titles_are_matched_regardless_of_case_blanks_and_underscores_in_any_order(folder: UnbilledFolder) -> None:
    titles = "\ufeffINVOICING STATUS, log id ,projectid,HOURS,activity__type,Work Date,Remarks"
    put(folder, "time_logs.csv", titles, "Logged,1,P1,2,Billable,2026-01-05,x")
    (found,) = folder.logs().to_dicts()
    assert [found[name] for name in ("log_id", "project_id", "hours", "activity", "status", "work_date")] == [
        "1", "P1", "2", "Billable", "Logged", "2026-01-05",
    ]  # fmt: skip


def test_several_files_are_one_feed_in_the_order_of_their_names(folder: UnbilledFolder) -> None:
    parquet(
        folder, "time_logs_2.parquet",
        log_id=[7], project_id=["P2"], hours=[1.5], activity_type=["Billable"], invoicing_status=["Logged"],
    )  # fmt: skip
    put(folder, "time_logs_10.CSV", NEEDED, ROW)
    put(folder, "time_logs_1.csv", NEEDED)
    put(folder, "old_time_logs.csv", "x")
    assert folder.logs().select("log_id", "hours", "file", "line").rows() == [
        ("1", "2", "time_logs_10.CSV", 2), ("7", "1.5", "time_logs_2.parquet", 1),
    ]  # fmt: skip


def test_lines_are_those_of_the_file_whatever_breaks_and_blank_lines_are_in_it(folder: UnbilledFolder) -> None:
    put(folder, "time_logs.csv", NEEDED, '"1\na",P1,2,Billable,Logged', "", ROW, '"",P1,2,Billable,Logged')
    assert folder.logs().select("log_id", "line").rows() == [("1\na", 2), ("1", 5), ("", 6)]


def test_parquet_gives_the_texts_that_a_csv_file_would_have(folder: UnbilledFolder) -> None:
    path = parquet(
        folder,
        "any.parquet",
        Log_ID=[101, 102],
        Project_ID=pl.Series(["P1", None], dtype=pl.Categorical),
        Hours=[7.5, float("nan")],
        Activity_Type=["Billable", None],
        Invoicing_Status=["Logged", None],
        Expense_Check=[True, None],
        Work_Date=[date(2026, 1, 5), None],
        Expense_Amount=[Decimal("12.50"), None],
        Other=[timedelta(1), None],
    )
    assert read_logs(path).schema == LOG_TEXTS
    assert read_logs(path).rows() == [
        ("101", "P1", None, "7.5", "Billable", "Logged", "true", "2026-01-05", "12.50", "any.parquet", 1),
        ("102", None, None, None, None, None, None, None, None, "any.parquet", 2),
    ]


@pytest.mark.parametrize("moment", [datetime(2026, 1, 5), datetime(2026, 1, 5, 23, 30, tzinfo=UTC)])
def test_a_time_keeps_the_day_that_is_written_in_it(folder: UnbilledFolder, moment: datetime) -> None:
    path = parquet(
        folder, "contracts.parquet",
        Project_ID=["P1"], Client_Rate_per_Hour=[100], Billing_Model=["T&M"], Contract_End_Date=[moment],
    )  # fmt: skip
    assert read_contracts(path)["ends"][0].startswith("2026-01-05 ")


# What is refused


def test_every_column_that_is_missing_is_named_with_file_and_line(folder: UnbilledFolder) -> None:
    put(folder, "time_logs.csv", "Log_ID,Project_ID,Time,Activity_Type", "1,P1,2,Billable")
    assert refused(folder.logs).splitlines() == [
        "time_logs.csv, line 1, Hours: the column is missing;"
        " the file has: Log_ID, Project_ID, Time, Activity_Type",
        "time_logs.csv, line 1, Invoicing_Status: the column is missing;"
        " the file has: Log_ID, Project_ID, Time, Activity_Type",
    ]  # fmt: skip
    put(folder, "contracts.csv", "Client_Name", "x")
    assert [line.split(":")[0] for line in refused(folder.contracts).splitlines()] == [
        f"contracts.csv, line 1, {title}" for title in ("Project_ID", "Client_Rate_per_Hour", "Billing_Model")
    ]


def test_titles_that_mean_the_same_are_refused(folder: UnbilledFolder) -> None:
    put(folder, "time_logs.csv", f"{NEEDED},LogID", f"{ROW},1")
    assert refused(folder.logs) == (
        "time_logs.csv, line 1, Log_ID: two headers mean the same column: 'Log_ID', 'LogID'"
    )
    put(folder, "time_logs.csv", f"{NEEDED},log id", f"{ROW},1")
    assert "time_logs.csv, line 1, LOG_ID: two headers mean the same column" in refused(folder.logs)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"{NEEDED}\n{ROW}\n1,P1,2\n".encode(), "time_logs.csv, line 3: has 3 fields where the header has 5"),
        (f"{NEEDED}\n{ROW}\n".encode() + b"\xff,P1,2,Billable,Logged\n", "time_logs.csv, line 3: is not UTF-8 text"),
        (f'{NEEDED}\n{ROW}\n"1,P1,2,Billable,Logged\n'.encode(), "time_logs.csv, line 3: a quote that opens"),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder: UnbilledFolder, content: bytes, problem: str) -> None:
    (folder.path / "time_logs.csv").write_bytes(content)
    assert problem in refused(folder.logs)


def test_another_kind_of_file_is_refused_and_never_left_out(folder: UnbilledFolder) -> None:
    put(folder, "time_logs.csv", NEEDED, ROW)
    put(folder, "time_logs.csv.tmp", "half a file")
    assert folder.logs().height == 1
    message = "is neither .csv nor .parquet; save the table as one of them"
    assert refused(lambda: read_contracts(put(folder, "rules.txt", "x"))) == f"rules.txt: {message}"
    put(folder, "time_logs_march.xlsx", "x")
    assert refused(folder.logs) == f"time_logs_march.xlsx: {message}"


def test_a_parquet_file_that_is_none_or_holds_something_else_is_refused(folder: UnbilledFolder) -> None:
    assert "any.parquet: is no Parquet file that can be read" in refused(
        lambda: read_logs(put(folder, "any.parquet", "PAR1 no, PAR1"))
    )
    path = parquet(
        folder, "odd.parquet",
        Project_ID=["P1"], Client_Rate_per_Hour=[[100]], Billing_Model=["T&M"],
    )  # fmt: skip
    assert refused(lambda: read_contracts(path)) == (
        "odd.parquet, Client_Rate_per_Hour: holds List(Int64), which is no text, number, date or boolean"
    )


# What halts


def test_a_feed_that_is_missing_halts_and_is_named_with_its_place(folder: UnbilledFolder, tmp_path: Path) -> None:
    put(folder, "time_logs.csv", NEEDED, ROW)
    assert refused(folder.contracts, HaltError) == (
        f"HALT: contracts are missing: the folder {tmp_path} has no contracts*.csv or contracts*.parquet;"
        " no figure is reported from missing data"
    )
    nowhere = tmp_path / "nowhere"
    assert refused(UnbilledFolder(nowhere).logs, HaltError).startswith(
        f"HALT: time logs are missing: the folder {nowhere} is not there;"
    )
    assert refused(lambda: read_logs(nowhere / "a.csv"), HaltError).startswith(
        f"HALT: time logs are missing: {nowhere / 'a.csv'} is not there;"
    )


@pytest.mark.parametrize("lines", [(), (NEEDED,), (NEEDED, "", "")], ids=["0 bytes", "header", "blank lines"])
def test_a_feed_without_a_row_halts(folder: UnbilledFolder, lines: tuple[str, ...]) -> None:
    path = put(folder, "time_logs.csv", *lines)
    for call in (folder.logs, lambda: read_logs(path)):
        said = refused(call, HaltError)
        assert said.startswith("HALT: time logs are empty: ")
        assert str(path) in said


def test_a_parquet_feed_without_a_row_halts(folder: UnbilledFolder) -> None:
    empty = pl.Series([], dtype=pl.String)
    parquet(folder, "contracts.parquet", project_id=empty, client_rate_per_hour=empty, billing_model=empty)
    assert refused(folder.contracts, HaltError).startswith("HALT: contracts are empty: ")


# What has changed


def test_the_fingerprint_is_one_of_names_and_content_not_of_clocks(folder: UnbilledFolder) -> None:
    logs, contracts = put(folder, "time_logs.csv", NEEDED, ROW), put(folder, "contracts.csv", CONTRACTS, "P1,A,1,T&M")
    files = UnbilledFiles(logs, contracts)
    before = [folder.fingerprint(), files.fingerprint()]
    put(folder, "time_logs.csv", NEEDED, ROW)
    utime(logs, (0, 0))
    put(folder, "notes.csv", "x")
    assert [folder.fingerprint(), files.fingerprint()] == before
    put(folder, "time_logs.csv", NEEDED, ROW, ROW)
    after = [folder.fingerprint(), files.fingerprint()]
    assert not set(after) & set(before)
    logs.rename(folder.path / "time_logs_1.csv")
    assert not {folder.fingerprint(), files.fingerprint()} & {*before, *after}
