"""What must hold for every book: the engine's amounts are the oracle's, nothing is lost, and order and place do not matter."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.invoicing import InvoiceTerms, invoice_lines
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.pricing import priced_rows
from billing_pipeline.engine.rules import Rules, read_workbook
from billing_pipeline.engine.usage import read_usage
from tests.oracle import Cells, bill, key, known_day
from tests.properties.books import Case, cases
from tests.properties.rendering import lines, rules, usage_csv, usage_name, workbook

FACTS = (
    *("partner_key", "netsuite_customer_name", "fee_calc_status", "row_type", "bucket"),
    *("tier_type", "partner_tier_metric", "tier_start", "tier_end", "metric_value_used"),
    *("included_users_in_company_fee", "user_fee_units_charged", "company_fee_units_charged"),
    *("unit_price_er", "er_fee", "unit_price_iu", "iu_fee", "unit_price_next_day_er", "unit_price_next_day_iu"),
    *("next_day_er_fee", "next_day_iu_fee", "total_fee"),
    *("partner_minimum_month_index", "partner_minimum_amount", "partner_minimum_shortfall", "partner_minimum_applied"),
)
IMPORT_COLUMNS = (
    *("Customer", "Invoice External ID", "Memo", "Transaction Date", "Item", "Description", "Quantity", "Amount"),
    "Product",
)
PLACES = ("line", "position")  # where a row stood in its file; the rest of a priced row is about the row itself


@given(cases(), st.booleans(), st.sampled_from(("\n", "\r\n")))
@settings(max_examples=120)
def test_every_amount_is_the_oracle_s(case: Case, quoted: bool, newline: str) -> None:
    data = usage_csv(case.rows, quoted=quoted, newline=newline)
    _same_as_oracle(_priced(case, data, rules(case.book)), case)


@given(cases())
@settings(max_examples=15)
def test_amounts_through_the_workbook_are_the_oracle_s(case: Case) -> None:
    read = read_workbook(workbook(case.book), "gep_billing_rules.xlsx")
    _same_as_oracle(_priced(case, usage_csv(case.rows), read), case)


@given(cases())
@settings(max_examples=60)
def test_no_row_no_user_and_no_cent_is_lost(case: Case) -> None:
    data = usage_csv(case.rows)
    usage = read_usage(data, usage_name(case), Period(case.year, case.month))
    priced = _priced(case, data, rules(case.book))
    rows = priced.filter(pl.col("row_type") == "usage")
    counted = Counter(rows["bucket"])
    users = rows.group_by("bucket").agg(pl.col("users").sum())

    assert set(counted) <= {"billed", "held", "removed", "quarantined"}
    assert counted.total() == len(case.rows)
    assert users["users"].sum() == usage["users"].sum()
    assert not rows.filter(pl.col("bucket") == "quarantined")["total_fee"].sum()

    invoiced = _lines(priced, case)
    for bucket, held in (("billed", False), ("held", True)):
        money = priced.filter(pl.col("bucket") == bucket)["total_fee"].sum() or 0
        assert money == sum(Decimal(line["Amount"]) for line in invoiced[held])
    assert priced["total_fee"].sum() == sum(Decimal(line["Amount"]) for side in invoiced.values() for line in side)


@given(cases(split=False), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_file_order_does_not_matter_without_split_tiers(case: Case, chance: Any) -> None:
    shuffled = chance.sample(list(case.rows), len(case.rows))
    _same_result(case, case.rows, shuffled)


@given(cases(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_file_order_matters_only_among_rows_of_equal_name_and_date(case: Case, chance: Any) -> None:
    _same_result(case, case.rows, _shuffled_but_for_ties(case.rows, chance))


@given(cases())
@settings(max_examples=30)
def test_a_file_split_by_partner_gives_the_same_when_joined(case: Case) -> None:
    """Rows without an id stay together: the id UNKNOWN is shared by them, whoever they are."""
    together = rules(case.book)
    parts: dict[str, list[Cells]] = {}
    for row in case.rows:
        parts.setdefault(key(row["PARTNER_ID"]), []).append(row)
    whole = _priced(case, usage_csv(case.rows), together)
    joined: list[pl.DataFrame] = []
    for rows in parts.values():
        try:
            joined.append(_priced(case, usage_csv(rows), together))
        except InputError:  # refused: not one row of the month in this part
            assert all(row["fee_calc_status"] != "ok" for row in bill(rows, case.book, case.year, case.month).rows)
            return
    assert _bag(pl.concat(joined)) == _bag(whole)
    sides = [_lines(part, case) for part in joined]
    for held, expected in _lines(whole, case).items():
        assert _bag_of([line for side in sides for line in side[held]]) == _bag_of(expected)


def test_a_file_without_a_row_of_its_month_is_refused() -> None:
    header_only = usage_csv([])
    with pytest.raises(InputError):
        read_usage(header_only, "2026.01_usage.csv", Period(2026, 1))


def _priced(case: Case, data: bytes, read: Rules) -> pl.DataFrame:
    period = Period(case.year, case.month)
    return priced_rows(read_usage(data, usage_name(case), period), read, period)


def _lines(priced: pl.DataFrame, case: Case) -> dict[bool, list[dict[str, str]]]:
    """The invoice lines as the CSV files show them: the import file's (False) and the held file's (True)."""
    frame = invoice_lines(priced, InvoiceTerms(), Period(case.year, case.month))
    sides: dict[bool, list[dict[str, str]]] = {False: [], True: []}
    for line in frame.iter_rows(named=True):
        sides[line["held"] is not None].append({column: _text(line[column]) for column in IMPORT_COLUMNS})
    return sides


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _same_as_oracle(priced: pl.DataFrame, case: Case) -> None:
    expected = bill(case.rows, case.book, case.year, case.month)
    line_of = dict(enumerate(lines(case.rows)))
    got = {row["line"]: row for row in priced.filter(pl.col("row_type") == "usage").iter_rows(named=True)}
    assert sorted(got) == sorted(line_of.values())
    for position, row in enumerate(expected.rows):
        line = line_of[row["file_index"]]
        assert got[line]["position"] == position, line
        _same_facts(got[line], row, f"line {line}")

    true_ups = {
        row["partner_key"]: row for row in priced.filter(pl.col("row_type") == "min_trueup").iter_rows(named=True)
    }
    assert sorted(true_ups) == sorted(row["partner_key"] for row in expected.true_ups)
    for row in expected.true_ups:
        _same_facts(true_ups[row["partner_key"]], row, f"true-up of {row['partner_key']}")
        assert _text(true_ups[row["partner_key"]]["PARTNER_NAME"]) == row["PARTNER_NAME"]

    assert _lines(priced, case) == {False: expected.lines, True: expected.held}


def _same_facts(got: dict[str, Any], expected: dict[str, Any], place: str) -> None:
    for fact in FACTS:
        assert (got[fact] or None) == (expected[fact] or None), (
            f"{place} {fact}: {got[fact]!r}, oracle {expected[fact]!r}"
        )


def _same_result(case: Case, first: Sequence[Cells], second: Sequence[Cells]) -> None:
    read = rules(case.book)
    one, other = (_priced(case, usage_csv(rows), read) for rows in (first, second))
    assert _bag(one) == _bag(other)
    assert _lines(one, case) == _lines(other, case)


def _bag(priced: pl.DataFrame) -> Counter[tuple[Any, ...]]:
    return Counter(priced.drop(PLACES).select(sorted(set(priced.columns) - set(PLACES))).iter_rows())


def _bag_of(invoiced: Sequence[dict[str, str]]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(line.values()) for line in invoiced)


def _shuffled_but_for_ties(rows: Sequence[Cells], chance: Any) -> list[Cells]:
    """The rows in another order, with rows that stand equal in the pricing order still in their order."""
    ties: dict[tuple[str, date | None], list[Cells]] = {}
    places: list[tuple[str, date | None]] = []
    for row in rows:
        tie = (row["PARTNER_NAME"], known_day(row["FIRST_BILLABLE_ACTIVITY_DATE"]))
        ties.setdefault(tie, []).append(row)
        places.append(tie)
    remaining = {tie: iter(tied) for tie, tied in ties.items()}
    return [next(remaining[tie]) for tie in chance.sample(places, len(places))]
