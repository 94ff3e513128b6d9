"""`clients archive` and `clients void` over an installation's database, on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from billing_pipeline.resources import client_archive
from billing_pipeline.resources.client_documents import Draft
from billing_pipeline.resources.database import open_database, sqlite_url
from tests.client_drafts import FEBRUARY, HEADER, draft
from tests.months import Said, command_line
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
NUMBER = "100001-202601"


class Office:
    """An installation with accepted bills."""

    def __init__(self, run: Callable[..., Said], url: str) -> None:
        self.run, self.url = run, url

    def accept(self, bill: Draft) -> None:
        open_database(self.url).run(partial(client_archive.accept, bill=bill, by="Ada", at=AT))

    def listed(self, *more: object) -> list[tuple[str, bool]]:
        said = self.run("clients", "archive", "--json", *more)
        assert said.code == 0, said.err
        return [(one["number"], one["void"]) for one in said.document["documents"]]

    def void(self, *more: object) -> Said:
        return self.run("clients", "void", NUMBER, "--by", "Bo", "--reason", "wrong price", *more)


@pytest.fixture(params=["sqlite", "postgresql"])
def office(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    url = sqlite_url(tmp_path / "data")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")()
        monkeypatch.setenv("BILLING_DATABASE_URL", url)
    return Office(command_line(monkeypatch, capsys), url)


def test_the_archive_lists_documents_of_one_client_or_month_or_all(office: Office) -> None:
    office.accept(draft())
    office.accept(draft("100002", FEBRUARY, entries=()))
    assert office.listed() == [(NUMBER, False), ("100002-202602", False)]
    assert office.listed("--month", "2026-02") == [("100002-202602", False)]
    assert office.listed("--account", "100001") == [(NUMBER, False)]


def test_a_listed_document_has_its_amounts_as_texts_and_who_accepted_it(office: Office) -> None:
    office.accept(draft())
    (one,) = office.run("clients", "archive", "--json").document["documents"]
    assert (one["total"], one["components"]["ticket_charge"], one["period"]) == ("385.00", "375.00", "2026-01")
    assert (one["accepted_by"], one["accepted_at"], one["due_date"]) == (
        "Ada",
        "2026-02-03T09:30:00+00:00",
        "2026-03-02",
    )
    assert "invoice_csv" not in one


def test_the_archive_reads_as_a_table_for_people(office: Office) -> None:
    office.accept(draft())
    office.void()
    said = office.run("clients", "archive")
    assert (said.code, said.out) == (0, "")
    assert "credit note of 100001-202601: wrong price" in said.err
    assert said.err.splitlines()[-1] == "2 documents"


def test_an_empty_archive_says_so(office: Office) -> None:
    said = office.run("clients", "archive")
    assert (said.code, said.err) == (0, "0 documents\n")


def test_the_files_of_documents_are_written_byte_for_byte(office: Office, tmp_path: Path) -> None:
    text = f'{HEADER}\r\n{NUMBER},"Zoë\n",,,,,1,1.00,1.00\r\n'
    office.accept(draft(invoice_csv=text))
    office.void()
    said = office.run("clients", "archive", "--out", tmp_path / "out")
    assert said.err.splitlines()[-1] == "2 documents, 4 files written"
    assert (tmp_path / "out" / f"{NUMBER}.csv").read_bytes() == text.encode()
    assert (tmp_path / "out" / f"{NUMBER}_accounting.csv").read_bytes() == draft().accounting_csv.encode()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{NUMBER}-CN1.csv", f"{NUMBER}-CN1_accounting.csv", f"{NUMBER}.csv", f"{NUMBER}_accounting.csv",
    ]  # fmt: skip


def test_a_file_in_the_place_of_the_folder_is_told(office: Office, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    said = office.run("clients", "archive", "--out", tmp_path / "out")
    assert (said.code, "is a file; give the folder" in said.err) == (2, True)


def test_an_invoice_is_voided_with_a_credit_note_of_today(office: Office) -> None:
    office.accept(draft())
    before = datetime.now(UTC).date()
    note = office.void("--json").document
    assert (note["number"], note["credits"], note["total"]) == (f"{NUMBER}-CN1", NUMBER, "-385.00")
    assert (note["accepted_by"], note["reason"], note["created"]) == ("Bo", "wrong price", True)
    assert before <= date.fromisoformat(note["invoice_date"]) <= datetime.now(UTC).date()
    assert office.listed() == [(NUMBER, True), (f"{NUMBER}-CN1", False)]


def test_voiding_again_changes_nothing_and_shows_the_credit_note(office: Office) -> None:
    office.accept(draft())
    first, second = office.void(), office.void()
    assert (first.code, second.code) == (0, 0)
    assert f"{NUMBER}: credit note {NUMBER}-CN1 of " in first.err
    assert f"{NUMBER}: was void already, by credit note {NUMBER}-CN1 of " in second.err
    assert len(office.listed()) == 2


def test_an_invoice_that_does_not_exist_is_told_with_the_nearest(office: Office) -> None:
    office.accept(draft("100001", FEBRUARY))
    said = office.void()
    assert (said.code, f"there is no invoice {NUMBER}; the nearest is 100001-202602" in said.err) == (2, True)


def test_a_void_needs_a_reason(office: Office) -> None:
    office.accept(draft())
    assert office.run("clients", "void", NUMBER).code == 2
    assert office.run("clients", "void", NUMBER, "--reason", " ").code == 2
    assert office.listed() == [(NUMBER, False)]
