"""A pulled listing made exact: what its cells mean, which record is left out, and that each is told by name."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services.listings import billed_type, typed
from billing_pipeline.engine.managed_services.pulled import (
    COMPANIES,
    CONTACTS,
    DEVICES,
    ENTRIES,
    KEYS,
    LISTINGS,
    NEEDED,
    PROBLEMS,
    VOLUMES,
)
from tests.engine.managed_services.listings import (
    RECORDS,
    Texts,
    column,
    company,
    contact,
    device,
    entry,
    listed,
    texts,
    told,
    volume,
)


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_without_rows_has_its_declared_shape(name: str) -> None:
    found = typed(name, texts(name))
    assert (dict(found.frame.schema), found.frame.height) == (LISTINGS[name], 0)
    assert (dict(found.problems.schema), found.problems.height) == (PROBLEMS, 0)
    assert found.left_out.columns == list(KEYS[name])


@pytest.mark.parametrize("name", LISTINGS)
def test_a_sound_record_is_taken_without_a_word(name: str) -> None:
    found = listed(name, RECORDS[name]())
    assert (found.frame.height, found.problems.height, found.left_out.height) == (1, 0, 0)


@pytest.mark.parametrize(("name", "missing"), [(name, missing) for name in NEEDED for missing in NEEDED[name]])
def test_a_listing_without_a_column_that_it_needs_is_refused(name: str, missing: str) -> None:
    with pytest.raises(InputError, match=f"the listing {name} has no column {missing}; its columns: "):
        typed(name, texts(name, RECORDS[name]()).drop(missing))


def test_a_listing_without_another_column_has_it_blank() -> None:
    rows = texts(COMPANIES, company()).select("account").with_columns(pl.lit("x").alias("not one of ours"))
    assert typed(COMPANIES, rows).frame.rows() == [("100", None, None, None, None, None, None)]


def test_texts_are_trimmed_and_blank_is_nothing() -> None:
    found = listed(COMPANIES, company(" 100 ", name="\tAcme  ", plan="   ", term=""))
    assert found.frame.select("account", "name", "plan", "term").rows() == [("100", "Acme", None, None)]
    assert told(found) == []


@pytest.mark.parametrize(("text", "flag"), [
    *((yes, True) for yes in ("yes", "TRUE", "1", "y")), *((no, False) for no in ("No", "false", "0", "N")), ("", None),
])  # fmt: skip
def test_a_flag_is_yes_or_no_in_the_words_that_people_use(text: str, flag: bool | None) -> None:
    found = listed(CONTACTS, contact(active=text))
    assert (found.frame["active"].to_list(), told(found)) == ([flag], [])


def test_a_flag_in_other_words_is_blank_and_told() -> None:
    found = listed(ENTRIES, entry(billable="perhaps"))
    said = "billable 'perhaps' is neither yes nor no; it counts as blank"
    assert (found.frame["billable"].to_list(), told(found)) == ([None], [("time entry freshservice:1", said, False)])


@pytest.mark.parametrize(("term", "expected"), [
    ("1 year", "1 Year"), ("1-Year", "1 Year"), ("2 years", "2 Year"), ("3  YEARS", "3 Year"), ("3_year", "3 Year"),
    ("monthly", "Month to Month"), ("month-to-month", "Month to Month"), ("Month To Month", "Month to Month"),
    ("Annual", "Annual"), ("11 year", "11 year"), ("", None),
])  # fmt: skip
def test_a_term_has_one_spelling_and_an_unknown_one_stays_as_it_is(term: str, expected: str | None) -> None:
    assert column(COMPANIES, "term", company(term=term)) == [expected]


@pytest.mark.parametrize(("plan", "active", "expected"), [
    ("Inactive", None, False), ("INACTIVE", "yes", False), ("Gold", None, None), ("Gold", "no", False),
    (None, None, None),
])  # fmt: skip
def test_a_client_on_the_plan_inactive_is_not_active(plan: str | None, active: str | None, expected: object) -> None:
    assert column(COMPANIES, "active", company(plan=plan, active=active)) == [expected]


@pytest.mark.parametrize("text", ["2025-01-15", "2025-01-15T00:00:00Z", "2025-01-15 23:59:59+14:00"])
def test_a_date_is_the_date_part_as_written(text: str) -> None:
    assert column(COMPANIES, "contract_start", company(contract_start=text)) == [date(2025, 1, 15)]


@pytest.mark.parametrize("text", ["15/01/2025", "1/2/2025", "2025-02-30", "2025-1-5", "45000", "soon", "0001-01-01"])
def test_a_text_that_is_no_date_is_blank_and_told(text: str) -> None:
    found = listed(COMPANIES, company(contract_end=text))
    said = f"contract_end '{text}' is not a date (YYYY-MM-DD); it counts as blank"
    assert (found.frame["contract_end"].to_list(), told(found)) == ([None], [("company 'Client 100'", said, False)])


@pytest.mark.parametrize(("text", "expected"), [
    ("2025-09-10T10:00:00Z", datetime(2025, 9, 10, 10, tzinfo=UTC)),
    ("2025-09-10T01:00:00+02:00", datetime(2025, 9, 9, 23, tzinfo=UTC)),
    ("2025-09-10 01:00-0330", datetime(2025, 9, 10, 4, 30, tzinfo=UTC)),
    ("2025-09-30T23:59:59.999999999Z", datetime(2025, 9, 30, 23, 59, 59, 999999, tzinfo=UTC)),
])  # fmt: skip
def test_a_time_with_a_zone_is_taken_to_utc(text: str, expected: datetime) -> None:
    found = listed(ENTRIES, entry(at=text), entry("2"))
    assert (found.frame["at"][0], told(found)) == (expected, [])


@pytest.mark.parametrize(("text", "hour"), [("2025-09-10T10:00:00", 10), ("2025-09-10 10:00", 10), ("2025-09-10", 0)])
def test_a_time_without_a_zone_is_utc_and_told(text: str, hour: int) -> None:
    found = listed(ENTRIES, entry(at=text))
    said = f"time '{text}' has no zone, and is taken as UTC"
    assert found.frame["at"].to_list() == [datetime(2025, 9, 10, hour, tzinfo=UTC)]
    assert told(found) == [("time entry freshservice:1", said, False)]


@pytest.mark.parametrize("text", ["yesterday", "2025-09-31T10:00:00Z", "2025-09-10T24:00:00Z", "2025-09-10T10:00:60Z",
                                  "10/09/2025 10:00", "1757498400", "0000-09-10T10:00:00Z"])  # fmt: skip
def test_time_at_a_moment_that_cannot_be_read_is_left_out_and_told(text: str) -> None:
    found = listed(ENTRIES, entry(at=text), entry("2"))
    said = f"time '{text}' is not a time (YYYY-MM-DDTHH:MM:SSZ); the record is left out"
    assert found.frame["source_id"].to_list() == ["2"]
    assert told(found) == [("time entry freshservice:1", said, True)]


def test_time_without_a_moment_or_a_length_is_left_out_and_told() -> None:
    found = listed(ENTRIES, entry("1", at=None), entry("2", worked=" "), entry("3"))
    assert found.frame["source_id"].to_list() == ["3"]
    assert told(found) == [
        ("time entry freshservice:1", "has no time, and is left out", True),
        ("time entry freshservice:2", "has no time worked, and is left out", True),
    ]


@pytest.mark.parametrize(("text", "milliseconds"), [
    ("01:30", 5_400_000), ("1:30:00", 5_400_000), ("00:00:36", 36_000), ("25:00", 90_000_000), ("1.5", 5_400_000),
    ("90", 324_000_000), (".25", 900_000), ("0", 0), ("10000", 36_000_000_000), ("0.33333333", 1_200_000),
    ("0.00000013", 0), ("0.00000014", 1), ("0:00:00.0005", 1), ("0:00:00.000499999", 0),
])  # fmt: skip
def test_worked_time_is_a_clock_or_decimal_hours_in_whole_milliseconds(text: str, milliseconds: int) -> None:
    assert column(ENTRIES, "worked", entry(worked=text)) == [timedelta(milliseconds=milliseconds)]


@pytest.mark.parametrize(("text", "what"), [
    ("-01:30", "is below zero"), ("-0.5", "is below zero"), ("10000:00:01", "is more than 10,000 hours"),
    ("123456789012345678901234567890", "is more than 10,000 hours"), ("00:60", "has more than 59 minutes or seconds"),
    ("0:00:60", "has more than 59 minutes or seconds"), ("1.123456789", "has more than 8 decimals"),
    *((text, "is no time worked (H:MM, H:MM:SS or hours)") for text in ("bad", "1:5", ":30", "1h", "1,5", "1e1", ".")),
])  # fmt: skip
def test_worked_time_that_is_none_is_left_out_and_told(text: str, what: str) -> None:
    found = listed(ENTRIES, entry(worked=text), entry("2"))
    assert found.frame["source_id"].to_list() == ["2"]
    assert told(found) == [("time entry freshservice:1", f"time worked '{text}' {what}; the record is left out", True)]


@pytest.mark.parametrize(("text", "count"), [
    ("0", 0), ("1", 1), ("1,099,511,627,776", 2**40), ("1152921504606846976", 2**60), ("", 0), (None, 0),
])  # fmt: skip
def test_a_volume_is_whole_bytes_and_blank_is_none(text: str | None, count: int) -> None:
    found = listed(VOLUMES, volume("d1", text))
    assert (found.frame["bytes"].to_list(), told(found)) == ([count], [])


@pytest.mark.parametrize(("text", "what"), [
    ("abc", "is not a whole number of bytes"), ("1.5e12", "is not a whole number of bytes"),
    ("1,23", "is not a whole number of bytes"), ("10.5", "is not a whole number of bytes"), ("-5", "is below zero"),
    ("1152921504606846977", "is more than 2^60 bytes"), ("9" * 40, "is more than 2^60 bytes"),
])  # fmt: skip
def test_a_volume_that_is_no_number_has_no_bytes_and_is_told(text: str, what: str) -> None:
    found = listed(VOLUMES, volume("d1", text))
    said = f"bytes '{text}' {what}; the last volume known is kept"
    assert found.frame["bytes"].to_list() == [None]
    assert told(found) == [("backup volume of device datto:d1", said, False)]


def test_a_company_without_an_account_is_left_out_and_told_by_its_name() -> None:
    found = listed(COMPANIES, company(None, name="Acme"), company("100"), company(None, name=None))
    assert found.frame["account"].to_list() == ["100"]
    assert told(found) == [
        ("company 'Acme'", "has no account, and is left out", True),
        ("company in row 3", "has no account, and is left out", True),
    ]


@pytest.mark.parametrize(("name", "record", "called"), [
    (CONTACTS, contact(None), "contact 'Ann'"), (DEVICES, device(""), "device 'H1'"),
    (VOLUMES, volume(None), "backup volume of device in row 1"), (ENTRIES, entry(" "), "time entry in row 1"),
])  # fmt: skip
def test_a_record_without_an_id_is_left_out_and_told(name: str, record: Texts, called: str) -> None:
    found = listed(name, record, RECORDS[name]())
    assert (found.frame.height, told(found)) == (1, [(called, "has no id, and is left out", True)])
    assert found.problems["account"].to_list() == ["100"]


def test_a_company_that_stands_there_twice_alike_is_one() -> None:
    found = listed(COMPANIES, company(term="1-Year"), company("200"), company(term=" 1 year "))
    assert (sorted(found.frame["account"]), told(found)) == (["100", "200"], [])


def test_companies_that_share_an_account_and_differ_are_all_left_out_and_others_are_not() -> None:
    found = listed(COMPANIES, company(plan="Gold"), company("200"), company(plan="Silver"), company(plan="Silver"))
    said = "stands there more than once with other content, and nobody can say which is right; all are left out"
    assert found.frame["account"].to_list() == ["200"]
    assert told(found) == [("company 'Client 100'", said, True)] * 3
    assert found.left_out["account"].to_list() == ["100"]


@pytest.mark.parametrize("name", [CONTACTS, DEVICES, VOLUMES, ENTRIES])
def test_a_record_that_stands_there_twice_alike_is_one(name: str) -> None:
    found = listed(name, RECORDS[name](), RECORDS[name]())
    assert (found.frame.height, told(found)) == (1, [])


@pytest.mark.parametrize(("name", "first", "last", "which"), [
    (CONTACTS, contact(name="Ann"), contact(name="Anna"), "name"),
    (DEVICES, device(name="H1"), device(name="H2"), "name"),
    (VOLUMES, volume("d1", "1"), volume("d1", "2"), "bytes"),
    (ENTRIES, entry(subject="old"), entry(subject="new"), "subject"),
])  # fmt: skip
def test_of_two_records_with_one_id_the_last_counts_and_the_other_is_told(
    name: str, first: Texts, last: Texts, which: str
) -> None:
    found = listed(name, first, last)
    said = "stands there again further down with other content; the last one counts, this one is left out"
    assert found.frame[which].cast(pl.String).to_list() == [last[which]]
    assert [row[1:] for row in told(found)] == [(said, True)]
    assert found.left_out.is_empty()


def test_a_contact_of_two_clients_stands_there_twice() -> None:
    found = listed(CONTACTS, contact(account="100"), contact(account="200"), contact(account=None))
    assert (found.frame["account"].to_list(), told(found)) == (["100", "200", None], [])


def test_the_keys_of_what_is_left_out_are_those_that_are_known() -> None:
    found = listed(ENTRIES, entry("1", at=None), entry(None), entry("2"), entry("3", worked="bad"))
    assert found.left_out.rows() == [("freshservice", "1"), ("freshservice", "3")]


def test_everything_wrong_with_a_record_is_told_in_the_order_of_the_records() -> None:
    found = listed(ENTRIES, entry("1", at="x", worked="y", billable="z"), entry("2", worked=None))
    assert [(row[0][-1], row[1].split(" ")[0]) for row in told(found)] == [
        ("1", "time"), ("1", "time"), ("1", "billable"), ("2", "has"),
    ]  # fmt: skip


def test_a_message_shows_no_control_characters_and_no_endless_cells() -> None:
    (_, said, _), = told(listed(ENTRIES, entry(worked="\x1b[2J\nINFO paid\u2028" + "x" * 500)))  # fmt: skip
    assert said.isprintable()
    assert len(said) < 200


@pytest.mark.parametrize(("category", "expected"), [
    ("Workstation", "Workstation"), ("laptop ", "Workstation"), ("Desktop", "Workstation"), ("Server", "Server"),
    ("ESXI Host", "Server"), ("Virtual Machine", "VM"), ("Network Device (Switch)", "Switch"), ("switch", "Switch"),
    ("Network Device (Firewall)", "Firewall"), ("Router", None), ("Firewall/Switch", None), ("Printer", None),
    ("Network Device", None), ("", None), (None, None),
])  # fmt: skip
def test_a_category_says_what_a_device_is_billed_as_or_somebody_has_to_look(
    category: str | None, expected: str | None
) -> None:
    frame = pl.DataFrame({"category": [category]}, schema={"category": pl.String})
    assert frame.select(billed_type(pl.col("category"))).item() == expected
