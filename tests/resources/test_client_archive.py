"""The archive of accepted client bills: never changed, nothing billed twice, voided by credit notes; both databases."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.client_credits import credit_files
from billing_pipeline.resources import client_archive
from billing_pipeline.resources.client_archive import Acceptance
from billing_pipeline.resources.client_documents import Accepted, Draft
from billing_pipeline.resources.database import Database
from tests.client_drafts import FEBRUARY, HEADER, JANUARY, draft

AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
HOURS = ("psa", "7", 9_000_000)


def accept(database: Database, bill: Draft, notes: str = "") -> Acceptance:
    return database.run(partial(client_archive.accept, bill=bill, by="Ada", at=AT, notes=notes))


def void(database: Database, number: str = "100001-202601", reason: str = "wrong price", at: datetime = AT) -> Accepted:
    return database.run(partial(client_archive.void, number=number, by="Bo", reason=reason, at=at, render=credit_files))


def kept(database: Database, number: str = "100001-202601") -> Accepted:
    found = database.run(partial(client_archive.invoice, number=number))
    assert found
    return found


def numbers(database: Database, account: str | None = None, period: Period | None = None) -> list[str]:
    found = database.run(partial(client_archive.invoices_of, account=account, period=period))
    return [one.number for one in found]


def standing(database: Database, period: Period = JANUARY) -> list[tuple[str, str]]:
    found = database.run(partial(client_archive.current_invoices, period=period))
    return [(account, one.number) for account, one in found.items()]


def billed(database: Database) -> list[tuple[Any, ...]]:
    return database.run(client_archive.billed_entries).sort("source", "source_id").rows()


def at_once(database: Database, first: Callable[[sa.Connection], Any], second: Callable[[sa.Connection], Any]) -> Any:
    """What `second` answers when it begins while the transaction of `first` is not yet committed."""
    answers: list[Any] = []
    begun = Event()

    def another() -> None:
        begun.set()
        try:
            answers.append(database.run(second))
        except BillingError as error:
            answers.append(error)

    thread = Thread(target=another)
    with database.begin() as connection:
        first(connection)
        thread.start()
        begun.wait()
        thread.join(0.5)  # it waits for this transaction, on either database
        assert answers == []
    thread.join()
    return answers[0]


def test_an_accepted_bill_comes_back_as_it_was(database: Database) -> None:
    bill = draft(
        total=Decimal("12345678901234567.89"), invoice_csv=f'{HEADER}\r\n100001-202601,"é\n",,,,,1,1.00,1.00\r\n'
    )
    assert accept(database, bill, "first of the year") == Acceptance("100001-202601", created=True)
    found = kept(database)
    assert {field.name: getattr(found, field.name) for field in fields(Draft)} == {
        field.name: getattr(bill, field.name) for field in fields(Draft)
    }
    assert (found.kind, found.revision, found.credits, found.reason) == ("invoice", 1, None, "")
    assert (found.accepted_by, found.accepted_at, found.notes) == ("Ada", AT, "first of the year")


def test_a_bill_that_was_accepted_stays_whatever_is_accepted_after_it(database: Database) -> None:
    accept(database, draft())
    before = kept(database)
    other = draft(total=Decimal("1.00"), rows=(), entries=(), name="Other", invoice_csv=f"{HEADER}\n", run_id="later")
    assert accept(database, other, "again") == Acceptance("100001-202601", created=False)
    assert kept(database) == before
    assert (len(numbers(database)), len(billed(database))) == (1, 1)


@pytest.mark.parametrize("number", ["100001-202601-R2", "100001-202602", "100002-202601"])
def test_a_bill_with_another_number_than_the_next_is_refused(database: Database, number: str) -> None:
    with pytest.raises(BillingError, match=f"carries number {number}, and 100001-202601 is next"):
        accept(database, draft(number=number))
    assert (numbers(database), billed(database)) == ([], [])


@pytest.mark.parametrize("file", ["invoice_csv", "accounting_csv"])
def test_a_bill_whose_file_carries_another_number_is_refused(database: Database, file: str) -> None:
    other = getattr(draft(number="100001-202601-R2"), file)
    with pytest.raises(BillingError, match="a file of the bill 100001-202601 carries number 100001-202601-R2"):
        accept(database, draft(**{file: other}))
    assert numbers(database) == []


@pytest.mark.parametrize("account", ["", "a b", "../a", "a/b", "é"])
def test_an_account_that_cannot_be_part_of_a_number_is_refused(database: Database, account: str) -> None:
    with pytest.raises(InputError, match="cannot be part of an invoice number"):
        database.run(partial(client_archive.next_number, account=account, period=JANUARY))


def test_accounts_that_differ_in_case_only_cannot_share_a_number(database: Database) -> None:
    accept(database, draft("abc", entries=()))
    with pytest.raises(BillingError, match="ABC-202601 is taken already, by abc-202601"):
        accept(database, draft("ABC", entries=()))


def test_time_that_is_billed_is_not_billed_again_and_the_entry_and_its_invoice_are_named(database: Database) -> None:
    accept(database, draft())
    again = draft(period=FEBRUARY, entries=(("psa", "8", 60_000), HOURS))
    with pytest.raises(BillingError, match="time entry psa 7 is billed by 100001-202601 already"):
        accept(database, again)
    assert (numbers(database), billed(database)) == (
        ["100001-202601"], [("psa", "7", "100001", date(2026, 1, 1))],
    )  # fmt: skip


def test_a_refused_bill_leaves_the_others_of_its_transaction(database: Database) -> None:
    def two(connection: sa.Connection) -> None:
        client_archive.accept(connection, draft(), "Ada", AT)
        with pytest.raises(BillingError, match="psa 7 is billed by 100001-202601"):
            client_archive.accept(connection, draft("100002"), "Ada", AT)
        client_archive.accept(connection, draft("100003", entries=()), "Ada", AT)

    database.run(two)
    assert numbers(database) == ["100001-202601", "100003-202601"]


def test_an_entry_that_is_taken_is_found_among_thousands(database: Database) -> None:
    accept(database, draft(entries=(("psa", "1999", 1),)))
    many = tuple(("psa", str(n), 1) for n in range(2000))
    with pytest.raises(BillingError, match="time entry psa 1999 is billed by 100001-202601"):
        accept(database, draft("100002", entries=many))


def test_entries_of_two_sources_may_have_the_same_id(database: Database) -> None:
    accept(database, draft(entries=(("psa", "7", 1), ("file", "7", 1))))
    assert [row[:2] for row in billed(database)] == [("file", "7"), ("psa", "7")]


def test_entries_come_back_whatever_stands_in_their_ids(database: Database) -> None:
    odd = (('p"s,a', "\\7"), ("psa", 'ü\n\x1f"]'), ("psa", "['7', '8']"))
    accept(database, draft(entries=tuple((*key, 1) for key in odd)))
    assert [row[:2] for row in billed(database)] == sorted(odd)


def test_a_bill_with_an_entry_that_stands_there_twice_is_refused(database: Database) -> None:
    with pytest.raises(BillingError, match="time entry psa 7 stands in the bill 100001-202601 twice"):
        accept(database, draft(entries=(HOURS, HOURS)))


def test_a_late_entry_is_of_the_month_of_its_invoice(database: Database) -> None:
    accept(database, draft(period=FEBRUARY))
    found = database.run(client_archive.billed_entries)
    assert found.schema == {"source": pl.String, "source_id": pl.String, "account": pl.String, "month": pl.Date}
    assert found.rows() == [("psa", "7", "100001", date(2026, 2, 1))]


def test_a_void_invoice_has_a_credit_note_over_all_of_it(database: Database) -> None:
    accept(database, draft())
    berlin = timezone(timedelta(hours=1))
    note = void(database, at=datetime(2026, 3, 1, 0, 30, tzinfo=berlin), reason=" wrong price ")
    assert kept(database, "100001-202601-CN1") == note
    assert (note.kind, note.number, note.credits, note.reason) == (
        "credit_note", "100001-202601-CN1", "100001-202601", "wrong price",
    )  # fmt: skip
    assert (note.invoice_date, note.due_date, note.accepted_by) == (date(2026, 2, 28), date(2026, 2, 28), "Bo")
    assert (str(note.total), {name: str(amount) for name, amount in note.components.items()}) == (
        "-385.00", {"total_user_charges": "-10.00", "ticket_charge": "-375.00"},
    )  # fmt: skip
    assert [(row["name"], row["amount"]) for row in note.rows] == [("Zoë", "-10.00"), ("Support hours", "-375.00")]
    invoice = kept(database)
    assert (note.entries, note.run_id, note.inputs_sha256) == ((), invoice.run_id, invoice.inputs_sha256)


def test_the_files_of_a_credit_note_are_the_invoice_s_turned_round(database: Database) -> None:
    accept(database, draft())
    note = void(database)
    start = "100001-202601-CN1,Example Co,2026-02-03,2026-02-03"
    assert note.invoice_csv == (
        f"{HEADER}\r\n{start},Managed Services,User: Zoë (Paid) (credit of 100001-202601),-1,10.00,-10.00\r\n"
        f"{start},Hourly Labor,Billable Hours (2.50 hrs) (credit of 100001-202601),-2.50,150.00,-375.00\r\n"
    )
    assert note.accounting_csv == (
        f"{HEADER}\r\n{start},Hourly Labor,All of it (credit of 100001-202601),-1,385.00,-385.00\r\n"
    )


def test_a_void_invoice_stays_as_it_was_with_the_time_it_billed(database: Database) -> None:
    accept(database, draft())
    before = kept(database)
    void(database)
    assert kept(database) == before
    assert before.entries == (HOURS,)


def test_the_time_of_a_void_invoice_can_be_billed_by_another(database: Database) -> None:
    accept(database, draft())
    void(database)
    assert billed(database) == []
    accept(database, draft(period=FEBRUARY))
    assert billed(database) == [("psa", "7", "100001", date(2026, 2, 1))]


def test_voiding_one_invoice_frees_no_time_of_another(database: Database) -> None:
    accept(database, draft())
    accept(database, draft("100002", entries=(("psa", "8", 1),)))
    void(database)
    assert billed(database) == [("psa", "8", "100002", date(2026, 1, 1))]


def test_after_a_void_the_month_is_accepted_anew_under_the_next_number(database: Database) -> None:
    accept(database, draft())
    void(database)
    assert database.run(partial(client_archive.next_number, account="100001", period=JANUARY)) == "100001-202601-R2"
    with pytest.raises(BillingError, match="carries number 100001-202601, and 100001-202601-R2 is next"):
        accept(database, draft())
    again = draft(number="100001-202601-R2")
    assert accept(database, again) == Acceptance("100001-202601-R2", created=True)
    assert accept(database, draft()) == Acceptance("100001-202601-R2", created=False)
    assert kept(database, "100001-202601-R2").revision == 2
    assert void(database, "100001-202601-R2").number == "100001-202601-CN2"
    assert numbers(database) == [
        "100001-202601", "100001-202601-CN1", "100001-202601-R2", "100001-202601-CN2",
    ]  # fmt: skip


def test_voiding_again_answers_the_credit_note_that_is_there(database: Database) -> None:
    accept(database, draft())
    first = void(database)
    assert void(database, reason="another one", at=AT + timedelta(days=9)) == first
    assert numbers(database) == ["100001-202601", "100001-202601-CN1"]


def test_voiding_a_void_invoice_frees_no_time_of_the_one_that_replaced_it(database: Database) -> None:
    accept(database, draft())
    void(database)
    accept(database, draft(number="100001-202601-R2"))
    void(database)
    assert (standing(database), len(billed(database))) == ([("100001", "100001-202601-R2")], 1)


@pytest.mark.parametrize(
    ("number", "reason", "told"),
    [
        ("100001-202610", "x", "there is no invoice 100001-202610; the nearest is 100001-202601"),
        ("zzz", "x", "there is no invoice zzz$"),
        ("100001-202601-CN1", "x", "100001-202601-CN1 is the credit note of 100001-202601"),
        ("100001-202601", " ", "say why the invoice is voided"),
    ],
)
def test_what_cannot_be_voided_is_told(database: Database, number: str, reason: str, told: str) -> None:
    accept(database, draft())
    void(database)
    with pytest.raises(InputError, match=told):
        void(database, number, reason)
    assert numbers(database) == ["100001-202601", "100001-202601-CN1"]


def test_a_month_is_closed_while_it_has_an_invoice_that_is_not_void(database: Database) -> None:
    accept(database, draft("b", entries=()))
    accept(database, draft("a", FEBRUARY, entries=()))
    accept(database, draft("a", entries=()))
    found = database.run(client_archive.closed_months)
    assert found.schema == {"account": pl.String, "month": pl.Date}
    assert found.rows() == [("a", date(2026, 1, 1)), ("a", date(2026, 2, 1)), ("b", date(2026, 1, 1))]
    void(database, "a-202601")
    assert database.run(client_archive.closed_months).rows() == [("a", date(2026, 2, 1)), ("b", date(2026, 1, 1))]
    accept(database, draft("a", number="a-202601-R2", entries=()))
    assert standing(database) == [("a", "a-202601-R2"), ("b", "b-202601")]


def test_the_bill_of_a_month_has_the_number_of_its_invoice_and_the_next_one_when_that_is_void(
    database: Database,
) -> None:
    for account in ("a", "b"):
        accept(database, draft(account, entries=()))
    accept(database, draft("c", FEBRUARY, entries=()))
    void(database, "a-202601")
    of_january = partial(client_archive.numbers_of, period=JANUARY)
    assert database.run(of_january) == {"a": "a-202601-R2", "b": "b-202601"}
    accept(database, draft("a", number="a-202601-R2", entries=()))
    assert database.run(of_january) == {"a": "a-202601-R2", "b": "b-202601"}


def test_some_facts_of_a_month_s_documents_come_in_the_order_of_the_documents(database: Database) -> None:
    for account, period in (("b", JANUARY), ("a", FEBRUARY), ("a", JANUARY)):
        accept(database, draft(account, period, entries=()))
    void(database, "a-202601")
    found = database.run(partial(client_archive.facts_of, period=JANUARY, names=("number", "kind", "total")))
    assert found == [
        ("a-202601", "invoice", "385.00"),
        ("a-202601-CN1", "credit_note", "-385.00"),
        ("b-202601", "invoice", "385.00"),
    ]


def test_documents_are_listed_of_one_client_or_month_or_all(database: Database) -> None:
    for account, period in (("b", JANUARY), ("a", FEBRUARY), ("a", JANUARY)):
        accept(database, draft(account, period, entries=()))
    void(database, "a-202601")
    assert numbers(database) == ["a-202601", "a-202601-CN1", "a-202602", "b-202601"]
    assert numbers(database, account="a") == ["a-202601", "a-202601-CN1", "a-202602"]
    assert numbers(database, period=JANUARY) == ["a-202601", "a-202601-CN1", "b-202601"]
    assert numbers(database, account="c") == []


def test_an_empty_archive_has_frames_of_the_same_shape(database: Database) -> None:
    assert database.run(client_archive.closed_months).schema == {"account": pl.String, "month": pl.Date}
    assert billed(database) == []


def test_of_two_who_accept_the_same_bill_at_once_one_makes_the_invoice(database: Database) -> None:
    first = partial(client_archive.accept, bill=draft(), by="Ada", at=AT)
    second = partial(client_archive.accept, bill=draft(name="Other"), by="Bo", at=AT)
    assert at_once(database, first, second) == Acceptance("100001-202601", created=False)
    assert (numbers(database), kept(database).accepted_by) == (["100001-202601"], "Ada")


def test_of_many_who_accept_the_same_bill_at_once_one_makes_the_invoice(database: Database) -> None:
    made: list[bool] = []
    ready = Event()

    def go() -> None:
        ready.wait()
        made.append(accept(database, draft()).created)

    threads = [Thread(target=go) for _ in range(5)]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, False, True]
    assert numbers(database) == ["100001-202601"]


def test_of_two_invoices_over_the_same_time_at_once_one_is_refused(database: Database) -> None:
    first = partial(client_archive.accept, bill=draft(), by="Ada", at=AT)
    second = partial(client_archive.accept, bill=draft("100002"), by="Bo", at=AT)
    answer = at_once(database, first, second)
    assert str(answer) == "time entry psa 7 is billed by 100001-202601 already"
    assert numbers(database) == ["100001-202601"]


def test_of_two_who_void_the_same_invoice_at_once_one_makes_the_credit_note(database: Database) -> None:
    accept(database, draft())
    first = partial(client_archive.void, number="100001-202601", by="Ada", reason="a", at=AT, render=credit_files)
    second = partial(client_archive.void, number="100001-202601", by="Bo", reason="b", at=AT, render=credit_files)
    answer = at_once(database, first, second)
    assert (answer.number, answer.accepted_by) == ("100001-202601-CN1", "Ada")


def test_the_database_itself_refuses_a_second_billing_of_an_entry(database: Database) -> None:
    accept(database, draft())
    again = sa.text(
        "INSERT INTO client_billed_entries (source, source_id, account, period, number, milliseconds)"
        " VALUES ('psa', '7', '100002', '2026-01', '100002-202601', 1)"
    )
    with pytest.raises(sa.exc.IntegrityError):
        database.run(lambda connection: connection.execute(again))
