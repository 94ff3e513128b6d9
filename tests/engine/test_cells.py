"""The one number parser and the one date parser: the closed lists of accepted forms, and that nothing else is taken."""

import re
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.cells import (
    BOUND,
    COUNT,
    PRICE,
    NumberForm,
    header_name,
    key_text,
    month_day_year,
    parse_dates,
    parse_months,
    parse_numbers,
)

NOT_A_NUMBER = "is not a plain number"
NOT_A_DATE = "is not a date (accepted: YYYY-MM-DD, M/D/YY, M/D/YYYY, an Excel serial)"
NOT_A_MONTH = "is not a month (accepted: YYYY-MM, YYYY.MM, YYYY/MM, YYYYMM or a date)"
FORMS = {"count": COUNT, "price": PRICE, "bound": BOUND}


def number(text: str | None, form: NumberForm) -> tuple[Decimal | None, str | None]:
    value, problem = parse_numbers(pl.Series([text], dtype=pl.String), form).row(0)
    return value, problem


def day(text: str) -> tuple[date | None, str | None]:
    value, problem = parse_dates(pl.Series([text])).row(0)
    return value, problem


def month(text: str) -> tuple[date | None, str | None]:
    value, problem = parse_months(pl.Series([text])).row(0)
    return value, problem


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", "5"),
        (" 5 ", "5"),
        ("\t5", "5"),
        ("\N{NO-BREAK SPACE}5", "5"),
        ("+5", "5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("0005", "5"),
        ("0", "0"),
        ("-0", "0"),
        ("1.2345", "1.2345"),
        ("1.50000000000000000000", "1.5"),
        ("1,200", "1200"),
        ("1,234,567.25", "1234567.25"),
        ("$7.13", "7.13"),
        ("$1,000.50", "1000.50"),
        ("+$5", "5"),
        ("9999999999.9999", "9999999999.9999"),
    ],
)
def test_plain_numbers_are_taken_in_every_column(text: str, value: str, form: NumberForm) -> None:
    assert number(text, form) == (Decimal(value), None)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "text",
    [
        "1e3", "1E3", "1_000", "(5)", "5%", "inf", "-inf", "Infinity", "nan", "NaN", "none", "n/a", "abc", "Yes",
        "0x10", "1 000", "5 5", "5 +", "+-5", "--5", "$", "-", "+", ".", "$.", "€5", "5$", "1,20", "1,2000", ",200",
        "12,34,567", "1.2.3", "1.000,50", "５", "٣", "½", "5\N{ZERO WIDTH SPACE}", "=5", "TRUE", "unlimited",
    ],
)  # fmt: skip
def test_any_other_text_is_a_problem_and_never_a_zero(text: str, form: NumberForm) -> None:
    assert number(text, form) == (None, NOT_A_NUMBER)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("text", [None, "", " ", "\t \n"])
def test_only_the_blank_cell_is_missing(text: str | None, form: NumberForm) -> None:
    assert number(text, form) == (None, None)


@pytest.mark.parametrize(
    ("text", "form", "value", "problem"),
    [
        ("-5", COUNT, "-5", None),
        ("-1,200.5", COUNT, "-1200.5", None),
        ("-$5", COUNT, "-5", None),
        ("$-5", COUNT, "-5", None),
        ("-5", PRICE, None, "is below zero"),
        ("-$0.01", PRICE, None, "is below zero"),
        ("-5", BOUND, None, "is below zero"),
        ("5+", BOUND, "5", None),
        ("1,000+", BOUND, "1000", None),
        ("5+", COUNT, None, NOT_A_NUMBER),
        ("5+", PRICE, None, NOT_A_NUMBER),
        ("5++", BOUND, None, NOT_A_NUMBER),
    ],
)
def test_signs_and_open_ends_are_told_per_column(
    text: str, form: NumberForm, value: str | None, problem: str | None
) -> None:
    assert number(text, form) == (value and Decimal(value), problem)


@pytest.mark.parametrize(
    ("text", "form", "problem"),
    [
        ("1.00005", COUNT, "has more than 4 decimals"),
        ("1.00005", BOUND, "has more than 4 decimals"),
        ("0.123456789", PRICE, "has more than 8 decimals"),
        ("10000000000", COUNT, "has more than 10 digits before the point"),
        ("-10000000000", COUNT, "has more than 10 digits before the point"),
        ("10,000,000,000", PRICE, "has more than 10 digits before the point"),
        ("1" * 400, COUNT, "has more than 10 digits before the point"),
        ("-9223372036854775808", COUNT, "has more than 10 digits before the point"),
        ("-9223372036854775809", COUNT, "has more than 10 digits before the point"),
        ("9223372036854775807", COUNT, "has more than 10 digits before the point"),
    ],
)
def test_more_digits_than_a_column_keeps_are_a_problem_not_a_rounding(
    text: str, form: NumberForm, problem: str
) -> None:
    assert number(text, form) == (None, problem)


def test_a_price_keeps_eight_decimals_and_a_count_four() -> None:
    assert number("0.12345678", PRICE)[0] == Decimal("0.12345678")
    assert number("0.1234", COUNT)[0] == Decimal("0.1234")
    assert parse_numbers(pl.Series(["1"]), PRICE).schema["value"] == pl.Decimal(18, 8)
    assert parse_numbers(pl.Series(["1"]), COUNT).schema["value"] == pl.Decimal(18, 4)


MONEY = NumberForm(decimals=2, dtype=pl.Decimal(18, 2), negative=True, parentheses=True, rounded=True)


@pytest.mark.parametrize(("text", "value"), [("(5)", "-5"), ("($1,200.50)", "-1200.5"), ("( 5 )", "-5"), ("(0)", "0")])
def test_parentheses_are_negative_where_a_column_allows_them(text: str, value: str) -> None:
    assert number(text, MONEY) == (Decimal(value), None)


@pytest.mark.parametrize("text", ["(-5)", "-(5)", "(5", "5)", "((5))", "()", "(.)", "(5)%"])
def test_other_parentheses_are_a_problem_there_too(text: str) -> None:
    assert number(text, MONEY) == (None, NOT_A_NUMBER)


@pytest.mark.parametrize(
    ("text", "value"),
    [("170.52000000000001", "170.52"), ("0.005", "0.01"), ("-0.005", "-0.01"), ("0.00499999999999999999999", "0")],
)
def test_further_decimals_are_rounded_half_away_from_zero_where_a_column_allows_it(text: str, value: str) -> None:
    assert number(text, MONEY) == (Decimal(value), None)


def test_one_bad_cell_does_not_disturb_its_neighbours() -> None:
    texts = pl.Series(["5", "5%", None, "1,200", "5%", "-2", "", "5.5"])
    assert parse_numbers(texts, COUNT).rows() == [
        (Decimal(5), None),
        (None, NOT_A_NUMBER),
        (None, None),
        (Decimal(1200), None),
        (None, NOT_A_NUMBER),
        (Decimal(-2), None),
        (None, None),
        (Decimal("5.5"), None),
    ]


def test_a_column_without_rows_has_its_type() -> None:
    empty = parse_numbers(pl.Series([], dtype=pl.String), COUNT)
    assert empty.schema == {"value": pl.Decimal(18, 4), "problem": pl.String}
    assert parse_dates(pl.Series([], dtype=pl.String)).schema == {"value": pl.Date, "problem": pl.String}


@given(st.decimals(-9_999_999_999, 9_999_999_999, places=4))
@settings(deadline=None, max_examples=300)
@example(Decimal("-9999999999.0000"))
def test_every_decimal_of_four_places_comes_back_in_every_spelling(value: Decimal) -> None:
    sign, size = "-" * (value < 0), abs(value)
    spellings = [f"{value}", f" {value} ", f"{value:,}", f"{sign}${size:,}", f"${sign}{size}", f"{sign}000{size}00"]
    read = parse_numbers(pl.Series(spellings), COUNT)
    assert read["value"].to_list() == [value] * len(spellings)
    assert read["problem"].null_count() == len(spellings)


@given(st.decimals(0, 9_999_999_999, places=8))
@settings(deadline=None, max_examples=100)
def test_every_price_of_eight_places_comes_back(value: Decimal) -> None:
    assert number(f"{value:,f}", PRICE) == (value, None)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1c\x1d\x1e\x1f"), max_size=12)
    | st.text("0123456789,.+-$ e_%()", max_size=12)
)
@settings(deadline=None, max_examples=400)
def test_whatever_the_text_it_is_a_number_of_the_list_or_blank_or_a_problem(text: str) -> None:
    value, problem = number(text, COUNT)
    plain = re.fullmatch(r"\$?[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?", text.strip().replace("-$", "$-"), re.ASCII)
    if not text.strip():
        assert (value, problem) == (None, None)
    elif value is not None:
        assert problem is None
        assert value == Decimal(re.sub("[$,]", "", text.strip()))
    else:
        assert problem is not None
        assert not plain or problem != NOT_A_NUMBER or not re.search("[0-9]", text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-05", date(2026, 1, 5)),
        (" 2026-01-05 ", date(2026, 1, 5)),
        ("2026-01-05T23:59:59Z", date(2026, 1, 5)),
        ("2026-01-05 23:59", date(2026, 1, 5)),
        ("2026-01-05T23:59:59.123+14:00", date(2026, 1, 5)),
        ("2026-01-05 00:00:00-0800", date(2026, 1, 5)),
        ("1/5/26", date(2026, 1, 5)),
        ("01/05/26", date(2026, 1, 5)),
        ("1/5/2026", date(2026, 1, 5)),
        ("12/31/69", date(2069, 12, 31)),
        ("1/1/70", date(1970, 1, 1)),
        ("2/29/24", date(2024, 2, 29)),
        ("46023", date(2026, 1, 1)),
        ("46023.9", date(2026, 1, 1)),
        ("1000", date(1902, 9, 26)),
        ("100000", date(2173, 10, 14)),
    ],
)
def test_dates_of_the_closed_list_are_taken_as_written(text: str, value: date) -> None:
    assert day(text) == (value, None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2/30/2026", "2026-13-01", "13/1/2026", "15/01/2026", "2/29/23", "2026-1-5", "2026/1/5",
        "2026/01/05", "20260105", "1-5-2026", "01-02-2026", "5.1.2026", "1/5/6", "Jan 5, 2026", "5 Jan 2026",
        "January 2026", "2026Q1", "today", "now", "999", "100001", "12", "-46023", "46,023", "2026-01", "202601",
        "2026-01-05T24:00", "2026-01-05T10", "2026-01-05 abc", "1899-12-31", "2200-01-01", "9999-12-31", "0000-00-00",
        "n/a", "null", "２０２６-01-05",
    ],
)  # fmt: skip
def test_any_other_text_is_no_date(text: str) -> None:
    assert day(text) == (None, NOT_A_DATE)


@pytest.mark.parametrize("text", ["", "  "])
def test_a_blank_date_is_missing(text: str) -> None:
    assert day(text) == (None, None)
    assert month(text) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02", "2026.02", "2026/02", "202602", " 2026-02 ", "2026-02-01", "2026-02-17", "2026-02-28T12:00:00Z",
        "2/28/26", "2/1/2026", "46054",
    ],
)  # fmt: skip
def test_months_are_taken_in_their_four_spellings_and_as_dates(text: str) -> None:
    assert month(text) == (date(2026, 2, 1), None)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-2", "2026-00", "02-2026", "202613", "Feb 2026", "2026-02-30", "2026Q1"]
)
def test_any_other_text_is_no_month(text: str) -> None:
    assert month(text) == (None, NOT_A_MONTH)


def test_a_bare_year_is_an_excel_serial_and_so_the_month_of_another_century() -> None:
    assert month("2026") == (date(1905, 7, 1), None)


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
@settings(deadline=None, max_examples=100)
def test_every_date_of_three_centuries_comes_back_in_every_spelling(value: date) -> None:
    serial = (value - date(1899, 12, 30)).days
    spellings = [value.isoformat(), f"{value}T00:00:00", f"{value.month}/{value.day}/{value.year}"]
    spellings += [str(serial)] * (1000 <= serial <= 100_000)
    assert [day(text) for text in spellings] == [(value, None)] * len(spellings)
    assert [month(text) for text in spellings] == [(value.replace(day=1), None)] * len(spellings)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("For Month", "for_month"),
        (" ER FEE ($) ", "er_fee"),
        ("Include IU?", "include_iu"),
        ("TierStart", "tierstart"),
        ("Größe", "gr_e"),
        ("a - b__c", "a_b_c"),
        ("  ", ""),
        ("€", ""),
    ],
)
def test_headers_are_matched_without_case_and_punctuation(header: str, name: str) -> None:
    assert header_name(header) == name


def test_keys_are_trimmed_text_and_nothing_is_reinterpreted() -> None:
    texts = pl.DataFrame({"id": [" 101 ", "101.0", "00101", "NA", "null", "a  b", "", None]})
    assert texts.select(key_text(pl.col("id")))["id"].to_list() == [
        "101", "101.0", "00101", "NA", "null", "a  b", "", "",
    ]  # fmt: skip


def test_dates_are_written_without_leading_zeros() -> None:
    days = pl.DataFrame({"day": [date(2026, 2, 1), date(2009, 12, 31), None]})
    assert days.select(month_day_year(pl.col("day")))["day"].to_list() == ["2/1/26", "12/31/09", None]
