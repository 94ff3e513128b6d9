"""What the log sheet has to say: stored with the findings, sent when it is new, whole rows that replace each other."""

from functools import partial
from typing import Any

import polars as pl

from billing_pipeline.resources import findings, log_outbox
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.log_outbox import LogRow
from tests.findings import hour, judge


def rows(**status: str) -> dict[str, pl.DataFrame]:
    """What the rows of findings shall say."""
    log_rows = pl.DataFrame({"finding_key": [*status], "Status": [*status.values()], "Delta": [1] * len(status)})
    return {"log_rows": log_rows}


def waiting(database: Database, most: int = 500) -> list[LogRow]:
    return database.run(partial(log_outbox.waiting, capability="audit", most=most))


def said(entries: list[LogRow]) -> list[tuple[Any, ...]]:
    return [(row.finding_key, row.payload["Status"], row.row_id) for row in entries]


def confirm(database: Database, *written: tuple[LogRow, str]) -> None:
    database.run(partial(log_outbox.confirm, capability="audit", written=written, at=hour(9)))


def sent(database: Database) -> list[LogRow]:
    return database.run(partial(log_outbox.sent, capability="audit"))


def test_a_row_waits_with_every_value_as_text(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="NEW"))
    (row,) = waiting(database)
    assert (row.finding_key, row.payload, row.row_id) == ("k1", {"Status": "NEW", "Delta": "1"}, None)
    assert (len(row.payload_sha256), row.attempts, row.last_error) == (64, 0, "")


def test_a_row_that_was_written_waits_no_more_and_its_id_is_known(database: Database) -> None:
    judge(database, "k1", "k2", number=1, frames=rows(k1="NEW", k2="NEW"))
    confirm(database, (waiting(database)[0], "55"))
    assert said(waiting(database)) == [("k2", "NEW", None)]
    assert said(sent(database)) == [("k1", "NEW", "55")]
    shown = database.run(partial(findings.findings_of, capability="audit", shape={"rule": pl.String}))
    assert shown["log_row_id"].to_list() == ["55", None]


def test_a_row_that_says_the_same_is_not_written_again(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="ONGOING"))
    confirm(database, (waiting(database)[0], "55"))
    judge(database, "k1", number=2, frames=rows(k1="ONGOING"))
    assert waiting(database) == []


def test_a_row_with_something_new_to_say_replaces_what_waits_and_keeps_its_id(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="NEW"))
    confirm(database, (waiting(database)[0], "55"))
    judge(database, "k1", number=2, frames=rows(k1="ONGOING"))
    judge(database, number=3, frames=rows(k1="RESOLVED"))
    assert said(waiting(database)) == [("k1", "RESOLVED", "55")]


def test_what_changed_while_it_was_written_is_written_once_more(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="NEW"))
    (row,) = waiting(database)
    judge(database, "k1", number=2, frames=rows(k1="ONGOING"))
    confirm(database, (row, "55"))
    assert said(waiting(database)) == [("k1", "ONGOING", "55")]


def test_a_failed_attempt_is_counted_with_its_reason_and_comes_after_the_others(database: Database) -> None:
    judge(database, "k1", "k2", number=1, frames=rows(k1="NEW", k2="NEW"))
    for _ in range(2):
        database.run(partial(log_outbox.failed, capability="audit", keys=["k1"], error="no\nanswer", at=hour(2)))
    assert said(waiting(database)) == [("k2", "NEW", None), ("k1", "NEW", None)]
    assert (waiting(database)[1].attempts, waiting(database)[1].last_error) == (2, "no\N{REPLACEMENT CHARACTER}answer")
    confirm(database, (waiting(database)[1], "55"))
    assert sent(database)[0].last_error == ""


def test_a_row_that_a_person_deleted_is_written_anew(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="NEW"))
    confirm(database, (waiting(database)[0], "55"))
    database.run(partial(log_outbox.again, capability="audit", keys=["k1"], at=hour(2)))
    assert (said(waiting(database)), sent(database)) == ([("k1", "NEW", None)], [])


def test_rows_are_taken_in_batches_oldest_first(database: Database) -> None:
    judge(database, "k2", number=1, frames=rows(k2="NEW"))
    judge(database, "k1", "k2", number=2, frames=rows(k1="NEW", k2="NEW"))
    assert said(waiting(database, most=1)) == [("k2", "NEW", None)]
    assert said(waiting(database)) == [("k2", "NEW", None), ("k1", "NEW", None)]


def test_nothing_to_confirm_or_to_write_again_changes_nothing(database: Database) -> None:
    judge(database, "k1", number=1, frames=rows(k1="NEW"))
    confirm(database)
    database.run(partial(log_outbox.again, capability="audit", keys=[], at=hour(2)))
    database.run(partial(log_outbox.again, capability="unbilled", keys=["k1"], at=hour(2)))
    assert said(waiting(database)) == [("k1", "NEW", None)]
