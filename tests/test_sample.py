"""The sample book: what it promises to somebody who tries the product with it."""

import csv
from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.rules import check
from billing_pipeline.sample import SampleBook, write_sample

Row = dict[str, str]

COLUMNS = [
    "FOR_MONTH", "ER_NAME", "ER_ID", "COMPANY_UUID", "PARTNER_NAME", "PARTNER_ID", "FIRST_BILLABLE_ACTIVITY_DATE",
    "SUSPENSION_DATE", "DISSOCIATION_DATE", "ACTIVE_EMPLOYEES", "NUMBER_ACTIVE_CONTRACTORS", "TOTAL_INDIVIDUAL_USERS",
    "CURRENT_ACH_SPEED", "IS_MRB", "MRB_BILLING_ANNIVERSARY",
]  # fmt: skip
UNMAPPED, UNPRICED, SILENT_IN_APRIL = "3258", "3272", "3237"
JANUARY, APRIL, JUNE = Period(2026, 1), Period(2026, 4), Period(2026, 6)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> SampleBook:
    return write_sample(tmp_path_factory.mktemp("sample") / "book")


@pytest.fixture(scope="module")
def usage(book: SampleBook) -> dict[Period, list[Row]]:
    rows = {}
    for month, path in zip(book.months, book.usage_files, strict=True):
        with path.open(encoding="utf-8", newline="") as file:
            rows[month] = list(csv.DictReader(file))
    return rows


@pytest.fixture(scope="module")
def sheets(book: SampleBook) -> dict[str, list[tuple[object, ...]]]:
    workbook = openpyxl.load_workbook(BytesIO(book.rules_file.read_bytes()))
    return {sheet.title: list(sheet.iter_rows(min_row=2, values_only=True)) for sheet in workbook.worksheets}


def needs_review(rows: list[Row], month: Period) -> Counter[str]:
    """What the rows themselves show; partners without customer or prices are counted by the caller."""
    found: Counter[str] = Counter()
    partners: dict[str, set[str]] = {}
    for row in rows:
        start = row["FIRST_BILLABLE_ACTIVITY_DATE"]
        ends = [row[column] for column in ("SUSPENSION_DATE", "DISSOCIATION_DATE") if row[column]]
        found["no date"] += not start
        found["early end"] += bool(start) and any(end <= start for end in ends)
        found["bad cell"] += not row["TOTAL_INDIVIDUAL_USERS"].lstrip("-").isdigit()
        found["other month"] += row["FOR_MONTH"] != str(month.first)
        partners.setdefault(row["COMPANY_UUID"], set()).add(row["PARTNER_ID"])
    found["two partners"] = 2 * sum(len(ids) > 1 for ids in partners.values())
    found["unmapped"] = any(row["PARTNER_ID"] == UNMAPPED for row in rows)
    found["unpriced"] = any(row["PARTNER_ID"] == UNPRICED for row in rows)
    return +found


def test_the_book_is_a_folder_of_six_usage_files_the_rules_the_clients_audited_sheets_and_time(
    book: SampleBook,
) -> None:
    assert book.months == tuple(Period(2026, month) for month in range(1, 7))
    assert [path.name for path in book.usage_files] == [f"2026.{month:02d}_usage_export.csv" for month in range(1, 7)]
    folders = [book.clients_dir, book.audit_dir, book.unbilled_dir]
    assert sorted(book.inputs_dir.iterdir()) == sorted([*book.usage_files, book.rules_file, *folders])
    assert [path.name for path in (book.rules_file, *folders)] == [
        "gep_billing_rules.xlsx", "clients", "audit", "unbilled",
    ]  # fmt: skip


def test_clients_and_audited_sheets_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    book = write_sample(
        tmp_path / "usage", clients=tmp_path / "clients", audit=tmp_path / "sheets", unbilled=tmp_path / "hours"
    )
    assert (tmp_path / "hours" / "time_logs.csv").is_file()
    assert (tmp_path / "sheets" / "rates.csv").is_file()
    assert book.clients_dir == tmp_path / "clients"
    assert sorted(book.inputs_dir.iterdir()) == sorted([*book.usage_files, book.rules_file])
    assert (tmp_path / "clients" / "companies.csv").is_file()


def test_the_bytes_are_the_same_every_time(book: SampleBook, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    for first, second in zip((*book.usage_files, book.rules_file), (*again.usage_files, again.rules_file), strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_writing_into_the_same_folder_again_changes_nothing(tmp_path: Path) -> None:
    book = write_sample(tmp_path)
    book.usage_files[0].unlink()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert write_sample(tmp_path) == book
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    folders = [book.clients_dir, book.audit_dir, book.unbilled_dir]
    assert sorted(tmp_path.iterdir()) == sorted([*book.usage_files, book.rules_file, *folders])


def test_usage_is_plain_utf8_csv_with_the_columns_of_the_export(book: SampleBook) -> None:
    for path in book.usage_files:
        text = path.read_bytes()
        assert b"\r" not in text
        assert text.endswith(b"\n")
        assert text.decode("utf-8").splitlines()[0].split(",") == COLUMNS


def test_the_book_grows_to_twenty_five_partners_and_three_thousand_companies(
    book: SampleBook, usage: dict[Period, list[Row]]
) -> None:
    partners = [len({row["PARTNER_ID"] for row in rows}) for rows in usage.values()]
    companies = [len({row["ER_ID"] for row in rows}) for rows in usage.values()]
    assert partners == [22, 23, 23, 23, 24, 25]
    assert companies == sorted(companies)
    assert (book.partners, book.companies) == (partners[-1], companies[-1])
    assert 2950 <= book.companies <= 3050


def test_companies_come_leave_and_move(usage: dict[Period, list[Row]]) -> None:
    january, june = ({row["ER_ID"]: row["PARTNER_ID"] for row in usage[month]} for month in (JANUARY, JUNE))
    assert june.keys() - january.keys()
    assert january.keys() - june.keys()
    assert any(january[company] != june[company] for company in january.keys() & june.keys())


def test_a_company_has_one_name_and_one_uuid_of_its_own(usage: dict[Period, list[Row]]) -> None:
    companies = {(row["ER_ID"], row["ER_NAME"], row["COMPANY_UUID"]) for rows in usage.values() for row in rows}
    for values in zip(*companies, strict=True):
        assert len(set(values)) == len(companies)


def test_rows_are_in_order_of_company_not_of_partner(usage: dict[Period, list[Row]]) -> None:
    for rows in usage.values():
        ids = [int(row["ER_ID"]) for row in rows]
        partners = [row["PARTNER_NAME"] for row in rows]
        assert ids == sorted(ids)
        assert sum(first != second for first, second in pairwise(partners)) > len(rows) // 2


def test_january_needs_no_decision(usage: dict[Period, list[Row]]) -> None:
    assert not needs_review(usage[JANUARY], JANUARY)
    assert all(int(row["TOTAL_INDIVIDUAL_USERS"]) >= 0 for row in usage[JANUARY])
    assert all(row["SUSPENSION_DATE"] <= str(JANUARY.last) for row in usage[JANUARY])


def test_every_other_month_has_four_to_eight_flags(usage: dict[Period, list[Row]]) -> None:
    flags = {month: needs_review(rows, month) for month, rows in usage.items() if month != JANUARY}
    assert all(4 <= found.total() <= 8 for found in flags.values())
    kinds = {"no date", "early end", "bad cell", "other month", "two partners", "unmapped", "unpriced"}
    assert set().union(*flags.values()) == kinds
    assert all(found["no date"] and found["unmapped"] for found in flags.values())
    assert [month for month, found in flags.items() if found["unpriced"]] == [JUNE]
    assert sum(found["bad cell"] for found in flags.values()) == 2


def test_some_months_have_something_to_warn_of(usage: dict[Period, list[Row]]) -> None:
    rows = [row for month in usage.values() for row in month]
    assert sum(row["TOTAL_INDIVIDUAL_USERS"].startswith("-") for row in rows) == 2
    assert [len(of_month) - len({tuple(row.values()) for row in of_month}) for of_month in usage.values()] == [
        0,
        0,
        0,
        0,
        1,
        0,
    ]
    reporting = {month: {row["PARTNER_ID"] for row in of_month} for month, of_month in usage.items()}
    assert [month for month, partners in reporting.items() if SILENT_IN_APRIL not in partners] == [APRIL]


def test_counts_are_whole_and_add_up_and_speeds_are_known(usage: dict[Period, list[Row]]) -> None:
    rows = [row for month in usage.values() for row in month]
    assert {row["CURRENT_ACH_SPEED"] for row in rows} == {"2-day", "4-day", "1-day", "Same Day", "Next 1 day"}
    assert {row["IS_MRB"] for row in rows} == {"Yes", "No"}
    assert all(bool(row["MRB_BILLING_ANNIVERSARY"]) == (row["IS_MRB"] == "Yes") for row in rows)
    for row in rows:
        if row["TOTAL_INDIVIDUAL_USERS"] not in ("n/a", "5%", "-2"):
            people = int(row["ACTIVE_EMPLOYEES"]) + int(row["NUMBER_ACTIVE_CONTRACTORS"])
            assert people == int(row["TOTAL_INDIVIDUAL_USERS"])


def test_the_rules_have_every_metric_in_both_modes(sheets: dict[str, list[tuple[object, ...]]]) -> None:
    assert list(sheets) == ["Pricing", "Minimums", "Config", "Mapping"]
    metrics, modes = ("IU", "ER", "FLAT", "IU_PER_ER"), ("ALL_IN", "SPLIT")
    assert {(row[2], row[8]) for row in sheets["Pricing"]} == {(metric, mode) for metric in metrics for mode in modes}
    assert {row[7] for row in sheets["Pricing"]} == {0, 1}
    assert {row[9] is None for row in sheets["Pricing"]} == {True, False}


def test_the_rules_are_valid(book: SampleBook) -> None:
    errors, warnings = check(book.rules_file.read_bytes(), book.rules_file.name)
    assert errors == []
    assert {warning.kind for warning in warnings} == {"rate_over_two_decimals"}


def test_the_rules_leave_one_partner_without_customer_and_one_without_prices(
    sheets: dict[str, list[tuple[object, ...]]], usage: dict[Period, list[Row]]
) -> None:
    partners = {row["PARTNER_ID"] for row in usage[JUNE]}
    assert partners - {str(row[0]) for row in sheets["Mapping"]} == {UNMAPPED}
    assert partners - {str(row[0]) for row in sheets["Pricing"]} == {UNPRICED}


def test_every_minimum_has_a_start_month(sheets: dict[str, list[tuple[object, ...]]]) -> None:
    assert {row[0] for row in sheets["Minimums"]} == {row[0] for row in sheets["Config"]}
    assert all(row[2] is not None for row in sheets["Config"])
    assert any(row[3] is not None for row in sheets["Config"])


def test_progress_names_every_file(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    book = write_sample(tmp_path, lambda *step: seen.append(step))
    listings = ["companies.csv", "contacts.csv", "devices.csv", "backup_volumes.csv", "time_entries.csv"]
    sheets = ["Crew 1 North.csv", "Crew 2 East.csv", "Crew 3 South.csv", "Crew 4 West.csv"]
    audited = ["rates.csv", *sheets, "rates.csv", *sheets, "Crew 1 North.history.csv"]
    names = [*(path.name for path in (*book.usage_files, book.rules_file)), *listings, "client_book.xlsx", *audited]
    names += ["time_logs.csv", "contracts.csv"]
    assert seen == [(name, number, 26) for number, name in enumerate(names, start=1)]


def test_a_file_is_refused_as_folder(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for target in (taken, taken / "below"):
        with pytest.raises(InputError, match="cannot be written"):
            write_sample(target)
    assert taken.read_text() == "mine"


def test_somebody_elses_rules_are_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "gep_billing_rules.xlsx"
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match="not the file of the sample book"):
        write_sample(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_bytes() == b"mine"
