"""Weekly workbooks at the target sheet: each once, at its row, replaced only by other content."""

from dataclasses import replace
from datetime import date

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.resources.weekly_files import WeeklyFile
from billing_pipeline.resources.weekly_upload import Upload, Uploaded, upload_weekly
from tests.smartsheet_api import SmartsheetApi
from tests.smartsheet_book import SheetBook

NAME = "WR_10000001_WeekEnding_010426.xlsx"
FILE = WeeklyFile("10000001", date(2026, 1, 4))


@pytest.fixture
def target(smartsheets: SmartsheetApi) -> SheetBook:
    """A target sheet with two work requests; one of them is a number there, as Smartsheet likes to have it."""
    book = smartsheets.sheet("Target", [("Work Request #", "TEXT_NUMBER"), ("Remarks", "TEXT_NUMBER")])
    book.add(work_request=10000001.0)
    book.add(work_request="10000002")
    return book


def upload(content: bytes = b"one", known: WeeklyFile = FILE, label: str = "10000001") -> Upload:
    return Upload(known, label, NAME, f"hash of {content.decode()}", lambda: content)


def sent(client: Smartsheet, target: SheetBook, *uploads: Upload) -> list[Uploaded]:
    return upload_weekly(client, str(target.sheet_id), uploads)


def versions(smartsheets: SmartsheetApi, target: SheetBook, row: int = 0) -> list[list[bytes]]:
    """The versions of each file at a row."""
    files = target.files.get(target.rows[row]["id"], [])
    return [[smartsheets.contents[version["id"]] for version in file] for file in files]


def test_a_workbook_is_attached_to_the_row_of_its_work_request(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    (done,) = sent(client, target, upload())
    assert (done.sent, done.problem, done.file.sent_hash) == (True, "", "hash of one")
    assert (versions(smartsheets, target), versions(smartsheets, target, 1)) == ([[b"one"]], [])


def test_the_same_content_is_not_sent_again_and_its_workbook_is_not_even_read(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    (first,) = sent(client, target, upload())
    unread = replace(upload(known=first.file), content=lambda: pytest.fail("read"))
    (again,) = sent(client, target, unread)
    assert (again.sent, again.file) == (False, first.file)
    assert smartsheets.asked("POST .*/(attachments|versions)") == 1


def test_other_content_is_a_new_version_of_the_one_file(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    (first,) = sent(client, target, upload())
    (second,) = sent(client, target, upload(b"two", first.file))
    assert second.sent
    (file,) = versions(smartsheets, target)
    assert sorted(file) == [b"one", b"two"]
    assert sent(client, target, upload(b"two", second.file))[0].sent is False


def test_a_file_that_a_person_deleted_is_sent_again(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    (first,) = sent(client, target, upload())
    target.files.clear()
    assert sent(client, target, upload(known=first.file))[0].sent
    assert versions(smartsheets, target) == [[b"one"]]


def test_a_hash_is_taken_over_only_when_its_file_is_there(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    (first,) = sent(client, target, upload())
    smartsheets.fail("POST .*/versions", "403")
    (failed,) = sent(client, target, upload(b"two", first.file))
    assert (failed.sent, failed.file.sent_hash) == (False, "")
    assert NAME in failed.problem
    (later,) = sent(client, target, upload(b"two", failed.file))
    assert (later.sent, later.file.sent_hash) == (True, "hash of two")


def test_an_upload_whose_answer_was_lost_is_one_file(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    smartsheets.fail("POST .*/attachments", "lost")
    (done,) = sent(client, target, upload())
    assert done.file.sent_hash == "hash of one"
    assert versions(smartsheets, target) == [[b"one"]]


def test_a_work_request_without_a_row_or_with_several_gets_no_file_and_the_others_do(
    client: Smartsheet, smartsheets: SmartsheetApi, target: SheetBook
) -> None:
    target.add(work_request="10/1")
    target.add(work_request="10 1")
    missing = upload(known=replace(FILE, work_request="7"), label="7")
    twice = upload(known=replace(FILE, work_request="10/1"), label="10_1")
    done = sent(client, target, missing, twice, upload())
    assert [one.problem for one in done] == [
        "work request 7 has no row in the target sheet", "work request 10/1 has 2 rows in the target sheet", "",
    ]  # fmt: skip
    assert len(target.files) == 1


def test_a_target_sheet_without_its_column_is_refused(client: Smartsheet, smartsheets: SmartsheetApi) -> None:
    book = smartsheets.sheet("Target", [("Remarks", "TEXT_NUMBER")])
    with pytest.raises(InputError, match="Work Request #"):
        sent(client, book, upload())
