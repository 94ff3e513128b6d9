"""For every book: the engine's amounts are the oracle's, nothing is lost, and order and place do not matter."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from operator import itemgetter
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
from billing_pipeline.engine.usage import apply_decisions, read_decisions, read_usage
from tests.oracle import BadCellError, Book, Cells, bill, first_of_month, key, known_day
from tests.properties.books import Case, cases, decided_cases
from tests.properties.rendering import lines, rules, usage_csv, usage_name, workbook
from tests.properties.rows import COLUMNS

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
pytestmark = pytest.mark.timeout(600)  # seconds to run, minutes to shrink a counter-example

PLACES = ("line", "position")  # where a row stood in its file; the rest of a priced row is about the row itself


@given(cases(), st.booleans(), st.sampled_from(("\n", "\r\n")))
@settings(max_examples=80)
def test_every_amount_is_the_oracle_s(case: Case, quoted: bool, newline: str) -> None:
    data = usage_csv(case, quoted=quoted, newline=newline)
    _same_as_oracle(_priced(case, data, rules(case.book)), case)


@given(cases())
@settings(max_examples=12)
def test_amounts_through_the_workbook_are_the_oracle_s(case: Case) -> None:
    read = read_workbook(workbook(case.book), "gep_billing_rules.xlsx")
    _same_as_oracle(_priced(case, usage_csv(case), read), case)


@given(decided_cases())
@settings(max_examples=60)
def test_decided_rows_are_priced_as_decided_and_nothing_is_lost(
    decided: tuple[Case, list[dict[str, Any]]],
) -> None:
    """Billed, held, removed and quarantined rows are the rows of the file; the lines are the priced money."""
    case, decisions = decided
    usage = read_usage(usage_csv(case), usage_name(case), Period(case.year, case.month))
    priced = _decided(case, usage, decisions)
    _same_as_oracle(priced, case, decisions)

    rows = priced.filter(pl.col("row_type") == "usage")
    buckets = rows.group_by("bucket").agg(pl.len(), pl.col("users").sum())
    assert set(buckets["bucket"]) <= {"billed", "held", "removed", "quarantined"}
    assert buckets["len"].sum() == len(case.rows)
    assert buckets["users"].sum() == usage["users"].sum()

    invoiced = _lines(priced, case)
    for bucket, held in (("billed", False), ("held", True)):
        money = priced.filter(pl.col("bucket") == bucket)["total_fee"].sum() or 0
        assert money == sum(Decimal(line["Amount"]) for line in invoiced[held])
    assert priced["total_fee"].sum() == sum(Decimal(line["Amount"]) for side in invoiced.values() for line in side)


@given(cases(split=False), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_file_order_does_not_matter_without_split_tiers(case: Case, chance: Any) -> None:
    shuffled = chance.sample(list(case.rows), len(case.rows))
    _same_result(case, case.rows, shuffled)


@given(cases(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_file_order_matters_only_among_rows_of_equal_name_and_date(case: Case, chance: Any) -> None:
    _same_result(case, case.rows, _shuffled_but_for_ties(case.rows, chance))


@given(cases())
@settings(max_examples=20)
def test_a_file_split_by_partner_gives_the_same_when_joined(case: Case) -> None:
    """Rows without an id stay together: they share the id UNKNOWN, whoever they are."""
    parts: dict[str, list[Cells]] = {}
    for row in case.rows:
        parts.setdefault(key(row["PARTNER_ID"]), []).append(row)
    usable = {own: rows for own, rows in parts.items() if any(_is_of_the_month(row, case) for row in rows)}
    whole_file = [row for row in case.rows if key(row["PARTNER_ID"]) in usable]
    read = rules(case.book)

    whole = _priced(case, usage_csv(case, whole_file), read)
    joined = [_priced(case, usage_csv(case, rows), read) for rows in usable.values()]
    assert _bag(pl.concat(joined)) == _bag(whole)
    for held, expected in _lines(whole, case).items():
        assert _bag_of([line for part in joined for line in _lines(part, case)[held]]) == _bag_of(expected)


def test_a_new_date_cures_the_date_and_not_the_month() -> None:
    blank = dict.fromkeys(COLUMNS, "") | {"PARTNER_ID": "101", "ER_ID": "1", "FIRST_BILLABLE_ACTIVITY_DATE": "someday"}
    case = Case([blank | {"FOR_MONTH": month} for month in ("2026-01", "2025-12")], Book(), 2026, 1)
    decisions = [{"action": "set_date", "row_index": place, "set_date": "2026-01-02"} for place in (0, 1)]
    usage = read_usage(usage_csv(case), usage_name(case), Period(2026, 1))
    assert usage["input_status"].to_list() == ["bad_cell", "bad_cell"]
    priced = _decided(case, usage, decisions)
    assert priced["fee_calc_status"].to_list() == ["missing_tier", "other_month"]


def test_a_file_without_a_row_of_its_month_is_refused() -> None:
    """A header alone, and rows of another month only."""
    case = Case([], Book(), 2026, 1)
    other = dict.fromkeys(case.columns, "") | {"FOR_MONTH": "2025-12-01", "PARTNER_ID": "101", "ER_ID": "1"}
    for rows in ([], [other]):
        with pytest.raises(InputError):
            read_usage(usage_csv(case, rows), usage_name(case), Period(2026, 1))


def _is_of_the_month(row: Cells, case: Case) -> bool:
    """Whether a file of this row alone would be accepted: one without any row of its month is refused."""
    try:
        return first_of_month(row["FOR_MONTH"]) == date(case.year, case.month, 1)
    except BadCellError:
        return False


def _priced(case: Case, data: bytes, read: Rules) -> pl.DataFrame:
    period = Period(case.year, case.month)
    return priced_rows(read_usage(data, usage_name(case), period), read, period)


def _decided(case: Case, usage: pl.DataFrame, decisions: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The case priced after the decisions, which come as their file."""
    period = Period(case.year, case.month)
    document = json.dumps({"usage_file_sha256": "5a", "decisions": decisions}).encode()
    taken = read_decisions(document, "billing_overrides.json", "5a", usage.height, period)
    return priced_rows(apply_decisions(usage.lazy(), taken, period).collect(), rules(case.book), period)


def _lines(priced: pl.DataFrame, case: Case) -> dict[bool, list[dict[str, str]]]:
    """The invoice lines as the CSV files show them: the import file's (False) and the held file's (True)."""
    frame = invoice_lines(priced, InvoiceTerms(), Period(case.year, case.month))
    sides: dict[bool, list[dict[str, str]]] = {False: [], True: []}
    for line in frame.iter_rows(named=True):
        sides[line["held"] is not None].append({column: _text(line[column]) for column in IMPORT_COLUMNS})
    return sides


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _same_as_oracle(priced: pl.DataFrame, case: Case, decisions: Sequence[dict[str, Any]] = ()) -> None:
    expected = bill(case.rows, case.book, case.year, case.month, decisions)
    line_of = dict(enumerate(lines(case.rows)))
    got = {row["line"]: row for row in priced.filter(pl.col("row_type") == "usage").iter_rows(named=True)}
    assert sorted(got) == sorted(line_of.values())
    kept = sorted((row for row in got.values() if row["bucket"] != "removed"), key=itemgetter("position"))
    assert [row["line"] for row in kept] == [line_of[row["file_index"]] for row in expected.rows]
    for row, theirs in zip(kept, expected.rows, strict=True):
        _same_facts(row, theirs, f"line {row['line']}")

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
    one, other = (_priced(case, usage_csv(case, rows), read) for rows in (first, second))
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
