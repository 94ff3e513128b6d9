"""Input that is not what it should be, through the real command line: what is said, where, and what is not written.

Exit code 2: the input cannot be used, and nothing is written. 3: billed, and a row waits for a person. Commands run in
this process where that shows the same; the sound company beside every bad row shows that the rest is billed.
"""

import csv
import io
import resource
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from billing_pipeline.assets import usage as usage_assets
from billing_pipeline.engine.usage import Structure, check_structure
from tests.engine.rules.books import book, contract, minimum, set_cells, tier
from tests.literals import company, usage_csv
from tests.months import HELD, IMPORT, MASTER, REVIEW, Month, Said, one_company

FILE, RULES = "2026.01_usage.csv", "gep_billing_rules.xlsx"
GOOD = one_company()  # five users: 10.00 and 5.00


def refused(month: Month, *more: object) -> list[str]:
    """The errors of a run that is refused before anything is written."""
    said = month.bill(*more)
    assert said.code == 2, said.err
    assert said.out == ""
    assert month.published() == {}
    assert month.run_sets() == []
    assert month.leftovers() == []
    return said.err.splitlines()


def billed(month: Month, *more: object, code: int = 0) -> dict[str, Any]:
    """The document of a run that is published."""
    said = month.bill("--json", *more)
    assert said.code == code, said.err
    assert month.leftovers() == []
    return said.document


def lines(month: Month, name: str = IMPORT) -> list[tuple[str, str, str]]:
    """Customer, description and amount of every line of an invoice file."""
    rows = csv.DictReader(io.StringIO(month.read(name)))
    return [(row["Customer"], row["Description"], row["Amount"]) for row in rows]


def sheet(path: Path, title: str) -> list[dict[str, Any]]:
    """The rows of a sheet that is a table."""
    header, *rows = openpyxl.load_workbook(path)[title].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


ONLY_THE_GOOD = [("Acme, Inc.", "End Users", "10.00"), ("Acme, Inc.", "Individual Users", "5.00")]


# Shape of the usage file


@pytest.mark.parametrize(
    "column", ["FOR_MONTH", "PARTNER_ID", "PARTNER_NAME", "ER_ID", "ER_NAME", "TOTAL_INDIVIDUAL_USERS"]
)
def test_a_missing_column_is_named(month: Month, column: str) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD, without=[column]))
    (error,) = refused(month)
    assert error.startswith(f"error {FILE}, line 1: column {column} is missing; the file has: ")


def test_extra_columns_are_carried_through_to_the_reports(month: Month) -> None:
    """Whatever they are called: a number, a name of ours, or the name that another column gets in the reports."""
    extra = {"Sales Region": "EMEA", "note": "=1+1", "2026": "yes", "Total Fee": "99", "Active Contractors": "3"}
    month.usage({**GOOD, **extra, "NUMBER_ACTIVE_CONTRACTORS": "2"})
    billed(month)
    (source,) = sheet(month.outputs / MASTER, "Source Data")
    shown = {"SALES_REGION": "EMEA", "NOTE": "=1+1", "2026": "yes", "TOTAL_FEE": "99", "ACTIVE_CONTRACTORS": "3"}
    assert {name: source[name] for name in shown} == shown
    assert source["total_fee"] == 15
    (detail,) = sheet(month.outputs / "gep_partner_details/Acme/Acme - 2026.01.xlsx", "Fee Detail")
    assert (detail["SALES_REGION"], detail["2026"], detail["total_fee"]) == ("EMEA", "yes", 15)


def test_headers_that_mean_the_same_column_are_refused(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD).replace(b"CURRENT_ACH_SPEED", b"Er Id", 1))
    assert refused(month) == [
        f"error {FILE}, line 1, ER_ID: two headers mean the same column: 'ER_ID', 'Er Id'",
    ]


def test_ragged_rows_are_refused_each_with_its_line(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD) + b"2026-01-01,101\n" + usage_csv(GOOD).splitlines()[1] + b",,\n")
    assert refused(month) == [
        f"error {FILE}, line 3: has 2 fields where the header has 8",
        f"error {FILE}, line 4: has 10 fields where the header has 8",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty (0 bytes); is the export still being written?"),
        (usage_csv(), "has a header but no rows; is the export still being written?"),
        (usage_csv().rstrip(b"\n"), "has a header but no rows; is the export still being written?"),
    ],
    ids=["no bytes", "header only", "part of a header line"],
)
def test_a_file_without_rows_is_an_unfinished_export(month: Month, data: bytes, message: str) -> None:
    month.usage_file.write_bytes(data)
    assert refused(month) == [f"error {FILE}: {message}"]


def test_latin_1_is_refused_with_its_line_and_byte(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD, one_company(ER_NAME="M\u00fcller")).decode().encode("latin-1"))
    assert refused(month) == [f"error {FILE}, line 3: is not UTF-8 text (byte 0xFC); export the file again as UTF-8"]


def test_a_quote_that_is_never_closed_is_refused_with_its_line(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD).replace(b"Company", b'"Company') + usage_csv(GOOD).splitlines()[1])
    assert refused(month) == [f"error {FILE}, line 2: a quote that opens in this row is never closed"]


def test_a_file_that_grows_while_it_is_read_is_refused(month: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    month.usage(GOOD)

    def while_it_grows(blocks: Iterable[bytes], name: str) -> Structure:
        reading = iter(blocks)
        first = next(reading)
        with month.usage_file.open("ab") as file:
            file.write(usage_csv(company(2)).splitlines()[1] + b"\n")
        return check_structure([first, *reading], name)

    monkeypatch.setattr(usage_assets, "check_structure", while_it_grows)
    assert refused(month) == [f"error {FILE}: changed while it was read; is the export still being written?"]


# Cells of the usage file


def test_counts_with_currency_sign_and_thousands_are_taken(month: Month) -> None:
    spellings = ["$1,000.50", " 1000.5 ", "1,000.50", "+1000.5000"]
    month.usage(*(company(n, TOTAL_INDIVIDUAL_USERS=text) for n, text in enumerate(spellings)))
    document = billed(month)
    assert (document["users"], document["flags"]) == ("4002", {})
    assert lines(month)[1] == ("Acme, Inc.", "Individual Users", "4002.00")


def test_counts_that_cannot_be_read_send_their_rows_to_review_and_are_never_zero(month: Month) -> None:
    texts = ["1e3", "(5)", "inf", "5%", "1_000", "nan", "five", "1 000"]
    month.usage(GOOD, *(company(n, TOTAL_INDIVIDUAL_USERS=text) for n, text in enumerate(texts)))
    document = billed(month, code=3)
    assert document["flags"] == {"bad_cell": len(texts)}
    assert document["undecided"] == len(texts)
    assert document["buckets"]["quarantined"] == {"rows": len(texts), "users": "0", "amount": "0.00"}
    assert lines(month) == ONLY_THE_GOOD
    assert [(flag["line"], flag["flag_reason"]) for flag in review(month)["flags"]] == [
        (line, f"TOTAL_INDIVIDUAL_USERS '{text}' is not a plain number") for line, text in enumerate(texts, 3)
    ]
    unpriced = [row for row in sheet(month.outputs / MASTER, "Source Data") if row["fee_calc_status"] == "bad_cell"]
    assert [row["TOTAL_INDIVIDUAL_USERS"] for row in unpriced] == texts
    assert {(row["total_fee"], row["company_fee_units_charged"]) for row in unpriced} == {(0, 0)}


def review(month: Month) -> dict[str, Any]:
    """The review file of the month."""
    return Said(0, month.read(REVIEW), "").document


def test_dates_that_do_not_exist_send_their_rows_to_review(month: Month) -> None:
    texts = ["2026-02-30", "2/30/26", "15/01/2026", "20260115", "soon"]
    month.usage(GOOD, *(company(n, FIRST_BILLABLE_ACTIVITY_DATE=text) for n, text in enumerate(texts)))
    assert billed(month, code=3)["flags"] == {"bad_cell": len(texts)}
    assert lines(month) == ONLY_THE_GOOD
    assert [flag["flag_reason"] for flag in review(month)["flags"]] == [
        f"FIRST_BILLABLE_ACTIVITY_DATE '{text}' is not a date (accepted: YYYY-MM-DD, M/D/YY, M/D/YYYY, an Excel serial)"
        for text in texts
    ]


def test_excel_serials_are_dates_and_months(month: Month) -> None:
    month.usage(one_company(FOR_MONTH="46023", FIRST_BILLABLE_ACTIVITY_DATE="45809.5"))
    assert billed(month)["flags"] == {}
    (row,) = sheet(month.outputs / MASTER, "Source Data")
    assert (row["FOR_MONTH"], row["FIRST_BILLABLE_ACTIVITY_DATE"]) == ("1/1/26", "6/1/25")


def test_a_month_that_is_not_the_file_s_is_refused(month: Month) -> None:
    month.usage(one_company(FOR_MONTH="2026-02-01"), company(2, FOR_MONTH="2025-12"))
    assert refused(month) == [
        f"error {FILE}, FOR_MONTH: has no row of 2026-01; months in the file: 2025-12, 2026-02",
    ]


def test_rows_of_a_second_month_go_to_review(month: Month) -> None:
    month.usage(GOOD, company(2, FOR_MONTH="2025-12-01"), company(3, FOR_MONTH="2025-12-01"))
    document = billed(month, code=3)
    assert document["flags"] == {"other_month": 2}
    assert document["buckets"]["quarantined"]["rows"] == 2
    assert lines(month) == ONLY_THE_GOOD


def test_a_file_of_two_months_without_a_month_in_its_name_asks_which(month: Month) -> None:
    other = month.inputs / "export.csv"
    other.write_bytes(usage_csv(GOOD, company(2, FOR_MONTH="2025-12-01")))
    said = month.run("bill", "--usage-file", other, "--rules-file", month.rules_file, "--outputs-dir", month.outputs)
    assert said.code == 2
    assert said.err.splitlines() == [
        "error export.csv, FOR_MONTH: months in the file: 2025-12, 2026-01; choose one with --month"
    ]
    assert month.published() == {}


@pytest.mark.parametrize("asked", ["2027-01", "1999-12", "2026-13", "January"])
def test_a_month_that_cannot_be_billed_is_refused(month: Month, asked: str) -> None:
    month.usage(GOOD)
    (error,) = refused(month, "--month", asked)
    assert asked in error


# Which files


def test_two_usage_files_of_one_month_are_both_named(month: Month) -> None:
    month.usage(GOOD)
    (month.inputs / "2026.1_other.CSV").write_bytes(usage_csv(GOOD))
    (error,) = refused(month, "--month", "2026-01")
    assert error.endswith("more than one usage file for 2026-01: 2026.01_usage.csv and 2026.1_other.CSV")


def test_two_usage_files_of_one_month_are_both_named_without_a_month_too(month: Month) -> None:
    month.usage(GOOD)
    (month.inputs / "2026.01_other.csv").write_bytes(usage_csv(GOOD))
    (error,) = refused(month)
    assert "2026.01_usage.csv" in error
    assert "2026.01_other.csv" in error


def test_files_of_several_months_ask_for_one(month: Month) -> None:
    month.usage(GOOD)
    (month.inputs / "2025.12_usage.csv").write_bytes(usage_csv(GOOD))
    assert refused(month) == [f"error usage files in {month.inputs}: 2025-12, 2026-01; choose a month with --month"]


def test_a_folder_without_usage_files_says_what_they_are_called(month: Month) -> None:
    assert refused(month, "--month", "2026-01") == [
        f"error {month.inputs}: no usage file 2026.01_*.csv for 2026-01",
    ]


def test_a_folder_or_workbook_that_is_not_there_is_named(month: Month) -> None:
    month.usage(GOOD)
    month.rules_file.unlink()
    assert refused(month) == [f"error {month.rules_file}: Config workbook not found"]
    month.usage_file.unlink()
    month.inputs.rmdir()
    assert refused(month) == [f"error {month.inputs}: Inputs folder not found"]


# The rules workbook


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is not an Excel workbook (.xlsx) or is damaged"),
        (b"partner_id,er_fee\n101,10\n", "the file is not an Excel workbook (.xlsx) or is damaged"),
        (book()[:3000], "the file is not an Excel workbook (.xlsx) or is damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "the file is password-protected or in the old .xls format"),
    ],
    ids=["empty", "csv", "cut off", "xls"],
)
def test_a_workbook_that_cannot_be_read_is_refused(month: Month, data: bytes, message: str) -> None:
    month.usage(GOOD)
    month.rules(data)
    (error,) = refused(month)
    assert error.startswith(f"error {RULES}: {message}")


def test_an_enormous_workbook_is_refused_by_what_it_unpacks_to(month: Month) -> None:
    stream = io.BytesIO(book())
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.bin", bytes(65 * 1024 * 1024))
    month.usage(GOOD)
    month.rules(stream.getvalue())
    (error,) = refused(month)
    assert error.startswith(f"error {RULES}: the workbook unpacks to more than 64 MiB, the limit for a rules workbook")


def renamed(old: str, new: str) -> bytes:
    def edit(workbook: openpyxl.Workbook) -> None:
        sheet = workbook[old]
        sheet.title = "between"  # openpyxl numbers a title that differs from another in case only
        sheet.title = new

    return book(edit=edit)


@pytest.mark.parametrize(
    ("data", "missing", "hint"),
    [
        (renamed("Pricing", "pricing"), "'Pricing'", "rename 'pricing' to 'Pricing'"),
        (renamed("Mapping", "Mappings"), "'Mapping'", "rename 'Mappings' to 'Mapping'"),
        (renamed("Config", "Settings"), "'Config'", ""),
    ],
)
def test_a_missing_or_misnamed_sheet_is_told_with_the_sheets_there_are(
    month: Month, data: bytes, missing: str, hint: str
) -> None:
    month.usage(GOOD)
    month.rules(data)
    (error,) = refused(month)
    assert error.startswith(f"error {RULES}: the workbook has no sheet {missing}; sheets found: ")
    assert hint in error


def test_text_where_a_price_belongs_is_told_with_its_cell_and_every_other_problem_with_it(month: Month) -> None:
    month.usage(GOOD)
    month.rules(book(edit=set_cells("Pricing", F2="free", G2="5%", D2="(1)")))
    assert refused(month) == [
        f"error {RULES}, Pricing!D2: tier start is not a plain number (found '(1)')",
        f"error {RULES}, Pricing!F2: company fee is not a plain number (found 'free')",
        f"error {RULES}, Pricing!G2: user fee is not a plain number (found '5%')",
    ]


def test_a_minimum_without_an_end_is_refused_with_its_cell(month: Month) -> None:
    month.usage(GOOD)
    month.rules(book(minimums=[minimum(month_end=None)], config=[contract()]))
    assert refused(month) == [f"error {RULES}, Minimums!D2: last month of the minimum is missing"]


def test_a_tier_that_ends_before_it_starts_is_refused_with_its_cell(month: Month) -> None:
    month.usage(GOOD)
    month.rules(book([tier(tier_start=5, tier_end=4)]))
    assert refused(month) == [f"error {RULES}, Pricing!E2: tier end 4 is before its start 5 (found '4')"]


def test_tiers_with_a_gap_are_warned_of_and_the_value_in_it_takes_the_last_tier(month: Month) -> None:
    month.usage(GOOD)  # five users
    ladder = [
        tier(tier_metric="IU", tier_start=start, tier_end=end, er_fee=price, iu_fee=0)
        for start, end, price in ((1, 3, 30), (9, 20, 20), (21, None, 10))
    ]
    month.rules(book(ladder, (), ()))
    assert billed(month)["flags"] == {}
    assert lines(month)[0] == ("Acme, Inc.", "End Users", "10.00")
    (warning,) = review(month)["warnings"]
    assert (warning["type"], warning["place"]) == ("tier_gap", "Pricing!D3")
    assert warning["message"] == (
        "no tier of partner 101 covers the values between 3 and 9; they are priced at the tier from 21"
    )


def test_tiers_that_overlap_are_warned_of_and_the_higher_start_applies(month: Month) -> None:
    month.usage(GOOD)
    ladder = [
        tier(tier_metric="IU", tier_start=start, tier_end=end, er_fee=price, iu_fee=0)
        for start, end, price in ((1, 10, 30), (4, None, 20))
    ]
    month.rules(book(ladder, (), ()))
    assert billed(month)["flags"] == {}
    assert lines(month)[0] == ("Acme, Inc.", "End Users", "20.00")
    (warning,) = review(month)["warnings"]
    assert (warning["type"], warning["place"]) == ("tier_overlap", "Pricing!D3")


# Hostile names


def test_partners_called_like_paths_stay_in_their_folder(month: Month, tmp_path: Path) -> None:
    names = {"1": "..", "2": "../..", "3": "/etc/passwd", "4": "C:\\temp\\x"}
    month.partners(**{key: f"Customer {key}" for key in names})
    month.usage(*(company(key, PARTNER_ID=key, PARTNER_NAME=name) for key, name in names.items()))
    before = {*tmp_path.iterdir(), month.outputs}
    billed(month)
    assert set(tmp_path.iterdir()) == before
    assert {name for name in month.published() if name.startswith("gep_partner_details")} == {
        "gep_partner_details/UnknownPartner/Unknown Partner (1) - 2026.01.xlsx",
        "gep_partner_details/UnknownPartner/Unknown Partner (2) - 2026.01.xlsx",
        "gep_partner_details/etcpasswd/etc passwd - 2026.01.xlsx",
        "gep_partner_details/Ctempx/C temp x - 2026.01.xlsx",
    }


def test_names_that_look_like_formulas_links_or_markup_are_text_everywhere(month: Month) -> None:
    names = ['=HYPERLINK("http://x","y")', "+1", "@SUM(A1)", "-2", "http://x.example", "<b>&amp;</b>"]
    month.partners(**{str(n): f"Customer {n}" for n in range(len(names))})
    month.usage(*(company(n, PARTNER_ID=str(n), PARTNER_NAME=name, ER_NAME=name) for n, name in enumerate(names)))
    billed(month)
    found: dict[str, set[object]] = {}
    for path in month.outputs.glob("gep_*/**/*.xlsx"):
        for worksheet in openpyxl.load_workbook(path).worksheets:
            cells = [cell for row in worksheet.iter_rows() for cell in row]
            if "snapshots" not in str(path):
                assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink], path
            found.setdefault(worksheet.title, set()).update(cell.value for cell in cells)
    for title in ("Source Data", "Executive Summary", "Fee Detail"):
        assert set(names) <= found[title]


def test_customers_whose_names_are_formulas_are_held_and_cannot_run_in_the_held_file(month: Month) -> None:
    names = ["+1 Payroll", "-2", "@home", "a\tb"]
    month.partners(**{str(n): name for n, name in enumerate(names)})
    month.usage(*(company(n, PARTNER_ID=str(n), PARTNER_NAME=f"Partner {n}") for n in range(len(names))))
    document = billed(month, code=3)
    assert (document["billed"], document["held"], document["held_lines"]) == ("0.00", "60.00", 8)
    assert lines(month) == []
    assert [line[0] for line in lines(month, HELD)[::2]] == ["'+1 Payroll", "'-2", "'@home", "a\tb"]


def test_two_partners_whose_names_make_one_file_name_have_a_file_each(month: Month) -> None:
    month.partners(**{"7": "Seven", "8": "Eight"})
    month.usage(
        company(1, PARTNER_ID="7", PARTNER_NAME="Acme, Inc."), company(2, PARTNER_ID="8", PARTNER_NAME="Acme Inc.")
    )
    billed(month)
    folder = month.outputs / "gep_partner_details" / "Acme_Inc."
    assert sorted(path.name for path in folder.iterdir()) == [
        "Acme Inc. (7) - 2026.01.xlsx",
        "Acme Inc. (8) - 2026.01.xlsx",
    ]
    assert [sheet(path, "Fee Detail")[0]["PARTNER_ID"] for path in sorted(folder.iterdir())] == ["7", "8"]


def test_two_partners_whose_ids_differ_only_in_case_are_held_and_not_merged(month: Month) -> None:
    month.partners(p7="Acme", P7="Birch")
    month.usage(company(1, PARTNER_ID="p7"), company(2, PARTNER_ID="P7", PARTNER_NAME="Birch"))
    document = billed(month, code=3)
    assert (document["billed"], document["held"]) == ("0.00", "30.00")
    assert lines(month) == []


def test_control_characters_from_a_file_do_not_reach_the_terminal(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD).replace(b"CURRENT_ACH_SPEED", b"er id\x1b\x07", 1))
    (error,) = refused(month)
    assert error.endswith("two headers mean the same column: 'ER_ID', 'er id\\x1b\\x07'")


# Decisions


def test_decisions_for_another_usage_file_are_refused_with_both_hashes(month: Month) -> None:
    month.usage(GOOD)
    path = month.overrides(usage_file_sha256="b" * 64)
    (error,) = refused(month, "--overrides", path)
    assert error.startswith(
        "error billing_overrides.json: Billing overrides were created for a different usage file (expected "
    )
    assert error.endswith("…, got bbbbbbbbbbbbbbbb…). Re-run the pre-scan to generate fresh overrides.")


def test_decisions_without_a_hash_are_refused(month: Month) -> None:
    month.usage(GOOD)
    path = month.overrides(usage_file_sha256="")
    assert refused(month, "--overrides", path) == [
        "error billing_overrides.json: names no usage_file_sha256, so it cannot be matched to a usage file"
    ]


def test_decisions_that_are_broken_json_are_refused(month: Month) -> None:
    month.usage(GOOD)
    path = month.overrides()
    path.write_bytes(path.read_bytes()[:-5])
    (error,) = refused(month, "--overrides", path)
    assert error.startswith("error billing_overrides.json: is not JSON: ")


def test_unknown_actions_and_rows_that_are_not_there_are_refused_by_number(month: Month) -> None:
    month.usage(GOOD)
    path = month.overrides({"row_index": 0, "action": "delete"}, {"row_index": 1, "action": "keep"})
    assert refused(month, "--overrides", path) == [
        "error billing_overrides.json: decision 1: action 'delete' is not one of keep, remove, reassign, set_date, "
        "set_date_and_reassign",
        "error billing_overrides.json: decision 2: row_index 1 is not a row of the usage file (0 to 0)",
    ]


def test_a_decision_file_that_is_not_there_is_named(month: Month) -> None:
    month.usage(GOOD)
    assert refused(month, "--overrides", month.inputs / "no.json") == [
        f"error {month.inputs / 'no.json'}: no such decision file"
    ]


def test_removing_every_row_leaves_a_month_with_nothing_to_bill(month: Month) -> None:
    """The reference crashed (Q41)."""
    month.usage(GOOD)
    document = billed(month, "--overrides", month.overrides({"row_index": 0, "action": "remove"}))
    assert (document["billed"], document["removed"], document["rows"]) == ("0.00", "15.00", 1)
    assert month.read(IMPORT) == (
        "Customer,Invoice External ID,Memo,Transaction Date,Item,Description,Quantity,Amount,Product\n"
    )


def test_what_was_published_before_stays_when_a_corrected_file_is_refused(month: Month) -> None:
    month.usage(GOOD)
    billed(month)
    published, sets = month.published(), month.run_sets()
    month.usage_file.write_bytes(usage_csv(GOOD, company(2))[:-20])
    assert month.bill().code == 2
    assert (month.published(), month.run_sets(), month.leftovers()) == (published, sets, [])


# Processes of their own


def test_the_installed_command_refuses_with_a_message_and_no_traceback(month: Month) -> None:
    month.usage_file.write_bytes(usage_csv(GOOD) + b"1,2\n")
    said = month.bill_elsewhere()
    assert said == Said(2, "", f"error {FILE}, line 3: has 2 fields where the header has 8\n")
    assert month.published() == {}


FULL_AT = {"first frame": 480_000, "review file": 1_000_000, "master report": 2_900_000}
"""Bytes that no file may exceed; the database and its log (400 kB) stay below all of them."""


@pytest.mark.parametrize("limit", FULL_AT.values(), ids=FULL_AT)
def test_a_full_disk_leaves_what_was_published_before_and_nothing_half_written(month: Month, limit: int) -> None:
    month.usage(GOOD)
    billed(month)
    published, sets = month.published(), month.run_sets()
    month.usage(GOOD, *(company(n) for n in range(16_000)))

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    said = month.bill_elsewhere(preexec_fn=full)
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "error " in said.err  # not always at its start: the writing library has its own word on the matter
    assert said.err.endswith("; nothing was published\n")
    assert month.published() == published
    assert month.run_sets() == sets
    assert month.leftovers() == []
