"""Audit & Controls: a month that ties out, and for each control what must be wrong for it to fail."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_pipeline.engine.close import conservation
from billing_pipeline.engine.pricing.controls import BLOCKING, COLUMNS, NAMES, ReadBack, controls
from billing_pipeline.engine.usage import no_decisions
from tests.engine.rules.books import customer, minimum, tier
from tests.literals import company, priced, rules, running_minimum, usage

ROWS = [
    company(1, CURRENT_ACH_SPEED="1-day"),
    company(2, FIRST_BILLABLE_ACTIVITY_DATE="2025-06-02"),
    company(3, FIRST_BILLABLE_ACTIVITY_DATE="2025-06-03", TOTAL_INDIVIDUAL_USERS="7"),
    company(4, PARTNER_ID="102", PARTNER_NAME="Birch"),
]
KNOWN = rules(
    [tier(er_fee=10, iu_fee=1, unit_price_next_day_er=2), tier(partner_id="102", er_fee=20, iu_fee=0)],
    [minimum(minimum_amount=100)],
    [running_minimum()],
    [customer()],
)
REMOVED = pl.DataFrame([(2, "", "remove", *[None] * 5)], schema=no_decisions().schema, orient="row")
"""Acme is billed 17 + 15 and 68 up to its minimum, one of its companies is removed; Birch is held with 20."""


@pytest.fixture(name="fact")
def a_priced_month() -> pl.DataFrame:
    return priced(ROWS, KNOWN, REMOVED)


FILES = ReadBack(
    imported=Decimal("100.00"),
    held=Decimal("20.00"),
    held_lines=2,
    import_problems=(),
    partners=pl.DataFrame(
        {
            "partner_key": ["101", "102"],
            "rows": [2, 1],
            "er_fee": [Decimal("20.00"), Decimal("20.00")],
            "iu_fee": [Decimal("10.00"), Decimal("0.00")],
            "total_fee": [Decimal("32.00"), Decimal("20.00")],
            "fee_summary": [Decimal("100.00"), Decimal("20.00")],
        },
        schema_overrides=dict.fromkeys(("er_fee", "iu_fee", "total_fee", "fee_summary"), pl.Decimal(18, 2)),
    ),
)


def table(
    fact: pl.DataFrame,
    files: ReadBack = FILES,
    *,
    buckets: pl.DataFrame | None = None,
    quality: int = 0,
    warned: int = 0,
) -> pl.DataFrame:
    return controls(usage(*ROWS), fact, conservation(fact) if buckets is None else buckets, quality, warned, files)


def row(found: pl.DataFrame, name: str) -> tuple[str, str, str, str]:
    """Input, output, variance and status of a control, numbers as short as they are."""
    (values,) = found.filter(pl.col("Control Check") == name).select(COLUMNS[1:]).rows()
    *numbers, status = values
    first, second, third = (f"{number.normalize():f}" for number in numbers)
    return first, second, third, status


def not_passed(found: pl.DataFrame) -> Mapping[str, str]:
    return dict(found.filter(pl.col("Status") != "PASS").select("Control Check", "Status").rows())


def test_the_reference_s_seven_controls_stand_first_in_its_order_then_ours(fact: pl.DataFrame) -> None:
    names = [
        "Completeness (Rows)",
        "Completeness (Users)",
        "NetSuite Tie-Out",
        "Math Integrity Exceptions",
        "Rows with Missing Tier / Bad Data",
        "Data Quality Flags",
        "Partner Report Tie-Out",
        "Input Warnings",
        "Conservation (Rows)",
        "Conservation (Users)",
        "Conservation (Amount)",
        "Fee Summary Tie-Out",
        "NetSuite Import Rules",
    ]
    assert table(fact)["Control Check"].to_list() == names
    assert tuple(names) == NAMES
    assert table(fact).columns == ["Control Check", "Input", "Output", "Variance", "Status"]


def test_a_month_that_ties_out_passes_and_its_held_lines_ask_for_review(fact: pl.DataFrame) -> None:
    found = table(fact)
    assert not_passed(found) == {"NetSuite Tie-Out": "REVIEW REQUIRED"}
    assert row(found, "Completeness (Rows)") == ("3", "3", "0", "PASS")
    assert row(found, "Completeness (Users)") == ("15", "15", "0", "PASS")
    assert row(found, "NetSuite Tie-Out") == ("120", "120", "0", "REVIEW REQUIRED")
    assert row(found, "Partner Report Tie-Out") == ("52", "52", "0", "PASS")
    assert row(found, "Conservation (Rows)") == ("4", "4", "0", "PASS")
    assert row(found, "Conservation (Users)") == ("22", "22", "0", "PASS")
    assert row(found, "Conservation (Amount)") == ("120", "120", "0", "PASS")
    assert row(found, "Fee Summary Tie-Out") == ("120", "120", "0", "PASS")
    assert row(found, "NetSuite Import Rules") == ("0", "0", "0", "PASS")


def test_without_held_lines_everything_passes(fact: pl.DataFrame) -> None:
    mapped = rules(
        [tier(er_fee=10, iu_fee=1, unit_price_next_day_er=2), tier(partner_id="102", er_fee=20, iu_fee=0)],
        [minimum(minimum_amount=100)],
        [running_minimum()],
        [customer(), customer(partner_id="102")],
    )
    files = replace(FILES, imported=Decimal(120), held=Decimal(0), held_lines=0)
    assert not_passed(table(priced(ROWS, mapped, REMOVED), files)) == {}


def test_a_row_that_is_lost_fails_completeness_and_conservation_of_rows(fact: pl.DataFrame) -> None:
    lost = fact.filter(pl.col("ER_ID") != "2")
    found = table(lost)
    assert row(found, "Completeness (Rows)") == ("3", "2", "-1", "FAIL")
    assert row(found, "Conservation (Rows)") == ("4", "3", "-1", "FAIL")


def test_a_row_that_is_there_twice_fails_completeness_and_conservation_of_rows(fact: pl.DataFrame) -> None:
    found = table(pl.concat([fact, fact.filter(pl.col("ER_ID") == "2")]))
    assert row(found, "Completeness (Rows)") == ("3", "4", "1", "FAIL")
    assert row(found, "Conservation (Rows)") == ("4", "5", "1", "FAIL")


def test_users_that_change_on_the_way_fail_completeness_and_conservation_of_users(fact: pl.DataFrame) -> None:
    more = fact.with_columns(users=pl.when(pl.col("ER_ID") == "1").then(Decimal("5.0001")).otherwise("users"))
    found = table(more.with_columns(pl.col("users").cast(fact.schema["users"])))
    assert row(found, "Completeness (Users)") == ("15", "15.0001", "0.0001", "FAIL")
    assert row(found, "Conservation (Users)") == ("22", "22.0001", "0.0001", "FAIL")


def test_a_row_in_no_bucket_fails_conservation(fact: pl.DataFrame) -> None:
    astray = fact.with_columns(bucket=pl.when(pl.col("ER_ID") == "2").then(pl.lit("lost")).otherwise("bucket"))
    found = table(astray)
    assert row(found, "Conservation (Rows)") == ("4", "3", "-1", "FAIL")
    assert row(found, "Conservation (Users)") == ("22", "17", "-5", "FAIL")
    assert row(found, "Conservation (Amount)")[3] == "FAIL"


@pytest.mark.parametrize("cent", ["0.01", "-0.01"])
def test_a_cent_more_or_less_in_the_import_file_fails_the_tie_out_and_conservation_of_money(
    fact: pl.DataFrame, cent: str
) -> None:
    found = table(fact, replace(FILES, imported=FILES.imported + Decimal(cent)))
    assert not_passed(found) == {"NetSuite Tie-Out": "FAIL", "Conservation (Amount)": "FAIL"}
    assert row(found, "NetSuite Tie-Out")[2] == f"{-Decimal(cent):f}"


def test_an_amount_that_moved_from_the_import_to_the_held_file_fails_conservation(fact: pl.DataFrame) -> None:
    found = table(fact, replace(FILES, imported=Decimal(90), held=Decimal(30)))
    assert not_passed(found) == {"NetSuite Tie-Out": "REVIEW REQUIRED", "Conservation (Amount)": "FAIL"}
    assert row(found, "Conservation (Amount)") == ("120", "120", "20", "FAIL")


def test_a_total_that_is_not_the_sum_of_its_fees_fails_math_integrity(fact: pl.DataFrame) -> None:
    off = pl.when(pl.col("ER_ID") == "1").then(pl.col("total_fee") + pl.lit("0.01").cast(pl.Decimal(18, 2)))
    found = table(fact.with_columns(total_fee=off.otherwise("total_fee").cast(pl.Decimal(18, 2))))
    assert row(found, "Math Integrity Exceptions") == ("0", "1", "1", "FAIL")


def test_rows_without_a_price_ask_for_review() -> None:
    rows = [
        *ROWS,
        company(5, PARTNER_ID="999"),
        company(6, TOTAL_INDIVIDUAL_USERS="x"),
        company(7, FOR_MONTH="2025-12"),
    ]
    fact = priced(rows, KNOWN)
    found = controls(usage(*rows), fact, conservation(fact), 0, 0, FILES)
    assert row(found, "Rows with Missing Tier / Bad Data") == ("0", "3", "3", "REVIEW REQUIRED")


def test_data_quality_rows_and_input_warnings_ask_for_review(fact: pl.DataFrame) -> None:
    found = table(fact, replace(FILES), quality=2, warned=5)
    assert row(found, "Data Quality Flags") == ("0", "2", "2", "REVIEW REQUIRED")
    assert row(found, "Input Warnings") == ("0", "5", "5", "REVIEW REQUIRED")


def with_partner(key: str, **figures: Any) -> ReadBack:
    """The files, with other figures read back from one partner's workbook."""
    changed = {
        name: pl.when(pl.col("partner_key") == key)
        .then(pl.lit(value))
        .otherwise(name)
        .cast(FILES.partners.schema[name])
        for name, value in figures.items()
    }
    return replace(FILES, partners=FILES.partners.with_columns(**changed))


@pytest.mark.parametrize(
    ("figure", "value", "variance"),
    [
        ("rows", 3, "0"),
        ("er_fee", Decimal("19.99"), "0"),
        ("iu_fee", Decimal("10.01"), "0"),
        ("total_fee", Decimal("32.01"), "0.01"),
    ],
)
def test_a_workbook_whose_detail_differs_fails_the_partner_tie_out(
    fact: pl.DataFrame, figure: str, value: object, variance: str
) -> None:
    found = table(fact, with_partner("101", **{figure: value}))
    assert not_passed(found) == {"NetSuite Tie-Out": "REVIEW REQUIRED", "Partner Report Tie-Out": "FAIL"}
    assert row(found, "Partner Report Tie-Out")[2] == variance


def test_differences_of_two_partners_that_cancel_out_fail_the_partner_tie_out(fact: pl.DataFrame) -> None:
    swapped = FILES.partners.with_columns(total_fee=pl.Series(["31.00", "21.00"]).cast(pl.Decimal(18, 2)))
    found = table(fact, replace(FILES, partners=swapped))
    assert row(found, "Partner Report Tie-Out") == ("52", "52", "0", "FAIL")


@pytest.mark.parametrize("kept", [["101"], ["102"], []])
def test_a_workbook_that_is_missing_fails_both_partner_controls(fact: pl.DataFrame, kept: list[str]) -> None:
    files = replace(FILES, partners=FILES.partners.filter(pl.col("partner_key").is_in(kept)))
    assert {"Partner Report Tie-Out", "Fee Summary Tie-Out"} <= {
        name for name, status in not_passed(table(fact, files)).items() if status == "FAIL"
    }


def test_a_workbook_too_many_fails_the_partner_tie_out(fact: pl.DataFrame) -> None:
    nobody = FILES.partners.head(1).with_columns(
        partner_key=pl.lit("999"),
        rows=pl.lit(0, pl.Int64),
        **{name: pl.lit("0").cast(pl.Decimal(18, 2)) for name in ("er_fee", "iu_fee", "total_fee", "fee_summary")},
    )
    found = table(fact, replace(FILES, partners=pl.concat([FILES.partners, nobody])))
    assert row(found, "Partner Report Tie-Out") == ("52", "52", "0", "FAIL")


def test_a_fee_summary_whose_total_differs_fails_its_own_control(fact: pl.DataFrame) -> None:
    found = table(fact, with_partner("101", fee_summary=Decimal("99.99")))
    assert not_passed(found) == {"NetSuite Tie-Out": "REVIEW REQUIRED", "Fee Summary Tie-Out": "FAIL"}
    assert row(found, "Fee Summary Tie-Out") == ("120", "119.99", "-0.01", "FAIL")


def test_fee_summaries_whose_differences_cancel_out_fail(fact: pl.DataFrame) -> None:
    swapped = FILES.partners.with_columns(fee_summary=pl.Series(["99.00", "21.00"]).cast(pl.Decimal(18, 2)))
    found = table(fact, replace(FILES, partners=swapped))
    assert row(found, "Fee Summary Tie-Out") == ("120", "120", "0", "FAIL")


def test_a_fee_summary_without_the_true_up_fails(fact: pl.DataFrame) -> None:
    assert row(table(fact, with_partner("101", fee_summary=Decimal("32.00"))), "Fee Summary Tie-Out")[3] == "FAIL"


def test_what_netsuite_would_refuse_fails_the_import_rules(fact: pl.DataFrame) -> None:
    found = table(fact, replace(FILES, import_problems=("a line has no customer", "external ids differ only in case")))
    assert not_passed(found) == {"NetSuite Tie-Out": "REVIEW REQUIRED", "NetSuite Import Rules": "FAIL"}
    assert row(found, "NetSuite Import Rules") == ("0", "2", "2", "FAIL")


def test_the_controls_that_can_fail_are_those_that_block() -> None:
    """Every one of them has a failing case above; the other three ask for review at most."""
    assert set(NAMES) - set(BLOCKING) == {"Rows with Missing Tier / Bad Data", "Data Quality Flags", "Input Warnings"}


def test_a_month_without_any_row_to_bill_ties_out() -> None:
    removed = pl.concat([REMOVED.with_columns(position=pl.lit(n, pl.UInt32)) for n in range(4)])
    fact = priced(ROWS, KNOWN, removed)
    nothing = ReadBack(Decimal(0), Decimal(0), 0, (), FILES.partners.clear())
    found = table(fact, nothing)
    assert not_passed(found) == {}
    assert row(found, "Completeness (Rows)") == ("0", "0", "0", "PASS")
    assert row(found, "Conservation (Rows)") == ("4", "4", "0", "PASS")
