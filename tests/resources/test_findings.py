"""Findings in the database: whole runs or nothing, once; what reviewers say; the history; what was lost, read back."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from billing_pipeline.engine.audit.tables import BASELINE, EVENTS, FOUND, WATERMARKS
from billing_pipeline.engine.errors import BillingError, InputError
from billing_pipeline.engine.findings import KNOWN, changes_told
from billing_pipeline.resources import audit_memory, finding_rebuild, findings
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.database.finding_tables import (
    billed_baseline,
    cell_watermarks,
    finding_events,
    finding_runs,
    log_outbox,
)
from tests.findings import FIRST, Judged, commit, found, found_row, hour, judge, known_of, statuses

SHEET, ROW = "7000000000000001", "7000000000000002"
MARK = {"sheet_id": SHEET, "row_id": ROW, "column": "quantity"}
EVENT = {
    "event_key": "e1",
    "finding_key": "k1",
    "old": "2",
    "new": "5\x00",
    "by": "bo@example.com",
    "at": hour(0),
    "evidence": "history",
    **MARK,
}
BILLED = {
    "sheet_id": SHEET,
    "row_id": ROW,
    "work_request": "10000001",
    "week_ending": date(2026, 1, 4),
    "price": Decimal("1234567890123456.70"),
    "quantity": Decimal("2.5000"),
    "billed_at": FIRST,
}


def frames() -> dict[str, pl.DataFrame]:
    """One row of everything that is committed with a run."""
    return {
        "events": pl.DataFrame([EVENT], schema=EVENTS),
        "baseline": pl.DataFrame([BILLED], schema=BASELINE),
        "watermarks": pl.DataFrame([{**MARK, "at": hour(0)}], schema=WATERMARKS),
        "log_rows": pl.DataFrame({"finding_key": ["k1"], "Status": ["NEW"]}),
    }


def shown(database: Database, **chosen: Any) -> pl.DataFrame:
    return database.run(partial(findings.findings_of, capability="audit", shape=FOUND, **chosen))


def keys(database: Database, **chosen: Any) -> list[str]:
    return shown(database, **chosen)["finding_key"].to_list()


def dispose(database: Database, key: str, text: str, at: datetime) -> bool:
    arguments = {"capability": "audit", "key": key, "disposition": text, "by": "Ada", "at": at}
    return database.run(lambda connection: findings.dispose(connection, **arguments))


def watermark(database: Database) -> datetime:
    return database.run(audit_memory.watermarks_of)["at"][0]


def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    tables = (finding_runs, finding_events, billed_baseline, cell_watermarks, log_outbox)
    count = sa.select(sa.func.count())
    with database.begin() as connection:
        return {table.name: connection.execute(count.select_from(table)).scalar_one() for table in tables}


def test_what_a_run_knows_comes_back_as_it_was(database: Database) -> None:
    state = judge(database, found_row("k1", last_event_at=hour(0)), "k2", number=1)
    assert known_of(database).equals(state.select(KNOWN.keys()))


def test_an_empty_database_has_frames_of_the_same_shape(database: Database) -> None:
    assert dict(known_of(database).schema) == KNOWN
    assert dict(database.run(partial(findings.events_of, capability="audit")).schema) == EVENTS
    assert dict(database.run(audit_memory.baseline_of).schema) == BASELINE
    assert dict(database.run(audit_memory.watermarks_of).schema) == WATERMARKS
    history = database.run(partial(findings.history, capability="audit"))
    assert (dict(history.schema), history.height) == (findings.HISTORY, 0)
    assert {name: shown(database).schema[name] for name in FOUND} == FOUND


def test_everything_of_a_run_is_kept_together(database: Database) -> None:
    judge(database, "k1", number=1, frames=frames())
    assert counts(database) == {
        "finding_runs": 1, "finding_events": 1, "billed_baseline": 1, "cell_watermarks": 1, "log_outbox": 1,
    }  # fmt: skip
    assert database.run(partial(findings.events_of, capability="audit")).to_dicts() == [{**EVENT, "new": "5\ufffd"}]
    assert database.run(audit_memory.baseline_of).to_dicts() == [BILLED]
    assert database.run(audit_memory.watermarks_of).to_dicts() == [{**MARK, "at": hour(0)}]


def test_a_run_that_dies_before_its_end_leaves_nothing(database: Database) -> None:
    def dies() -> None:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        commit(database, Judged(1, found("k1"), frames=frames()), then=dies)
    assert set(counts(database).values()) == {0}
    assert known_of(database).is_empty()


def test_a_run_that_died_is_done_again_and_tells_the_same(database: Database) -> None:
    judge(database, "k1", number=1)

    def dies() -> None:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        commit(database, Judged(2, found("k2")), then=dies)
    state = judge(database, "k2", number=2)
    assert changes_told(state).select("finding_key", "status").rows() == [("k2", "NEW"), ("k1", "RESOLVED")]


def test_the_same_run_again_writes_nothing(database: Database) -> None:
    judge(database, "k1", number=1, frames=frames())
    before = known_of(database)
    other = {**frames(), "watermarks": pl.DataFrame([{**MARK, "at": hour(9)}], schema=WATERMARKS)}
    _, kept = commit(database, Judged(1, found("k2", found_row("k1", dollars=None)), frames=other))
    assert not kept
    assert known_of(database).equals(before)
    assert (watermark(database), shown(database)["dollars"].to_list()) == (hour(0), [Decimal("1200.50")])


def test_of_the_same_run_at_once_one_is_kept(database: Database) -> None:
    kept: list[bool] = []
    ready = Event()

    def go() -> None:
        ready.wait()
        kept.append(commit(database, Judged(1, found("k1"), frames=frames()), known=known_of(database))[1])

    threads = [Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        thread.join()
    assert sorted(kept) == [False, False, True]


def test_capabilities_may_have_the_same_keys_and_runs(database: Database) -> None:
    judge(database, "k1", number=1)
    judge(database, "k1", number=1, capability="unbilled")
    judge(database, number=2)
    assert statuses(database) == {"k1": "RESOLVED"}
    assert known_of(database, "unbilled")["status"].to_list() == ["NEW"]


def test_a_finding_that_has_no_status_is_our_own_mistake(database: Database) -> None:
    state = Judged(1, found("k1")).state(known_of(database))
    run, counted = Judged(1, found()).run, pl.DataFrame(schema=findings.SUMMARY)
    with pytest.raises(BillingError, match="1 findings that were found have no status"):
        database.run(lambda c: findings.commit_run(c, "audit", run, state, found("k1", "k2"), counted))
    assert known_of(database).is_empty()


def test_a_finding_keeps_the_facts_of_its_last_sight(database: Database) -> None:
    facts = found_row("k1", week_ending=date(2026, 1, 4), old="2", new='5 "é"\n', dollars=Decimal("1234567890123.45"))
    judge(database, facts, number=1)
    judge(database, number=2)
    row = shown(database).row(0, named=True)
    assert {name: row[name] for name in FOUND} == found(facts).select(FOUND.keys()).row(0, named=True)
    assert (row["status"], row["resolved_at"], row["disposed_by"], row["log_row_id"]) == (
        "RESOLVED", hour(2), "", None,
    )  # fmt: skip
    judge(database, found_row("k1", dollars=Decimal("0.01"), severity="LOW"), number=3)
    assert shown(database, severities=["LOW"])["dollars"].to_list() == [Decimal("0.01")]


def test_every_run_is_kept_whatever_became_of_its_findings(database: Database) -> None:
    """Going on as before; with other facts; with a further event; not judged; resolved; new."""
    edited = found_row("k3", last_event_at=hour(0))
    judge(database, "k1", "k2", edited, "k4", "k5", number=1)
    rows = ("k1", found_row("k2", dollars=Decimal("7.00")), edited | {"last_event_at": hour(1)}, "k6")
    for number in (2, 3):
        state = judge(database, *rows, number=number, verified=["k5"])
        assert known_of(database).equals(state.select(KNOWN.keys()))
    assert statuses(database) == {
        "k1": "ONGOING", "k2": "ONGOING", "k3": "ONGOING", "k4": "NEW", "k5": "RESOLVED", "k6": "ONGOING",
    }  # fmt: skip
    assert shown(database, statuses=["ONGOING"])["dollars"].to_list() == [
        Decimal("1200.50"), Decimal("7.00"), Decimal("1200.50"), Decimal("1200.50"),
    ]  # fmt: skip


def test_other_facts_of_a_finding_that_goes_on_are_kept(database: Database) -> None:
    for number, why in ((1, "it is 5"), (2, "it is 5"), (3, "it is 6")):
        judge(database, found_row("k1", why=why), number=number)
        assert shown(database)["why"].to_list() == [why]
        assert known_of(database)["last_seen_run"].to_list() == [f"r{number}"]


def test_findings_are_chosen_by_status_severity_and_category(database: Database) -> None:
    judge(database, "k1", found_row("k2", severity="LOW"), found_row("k3", category="LATE_ENTRY"), number=1)
    judge(database, "k1", "k3", number=2)
    assert keys(database) == ["k1", "k2", "k3"]
    assert keys(database, statuses=["RESOLVED"]) == ["k2"]
    assert keys(database, severities=["HIGH", "MEDIUM"]) == ["k1", "k3"]
    assert keys(database, categories=["EDIT_AFTER_CLOSE"], statuses=["ONGOING"]) == ["k1", "k3"]


def test_an_event_is_kept_once(database: Database) -> None:
    judge(database, "k1", number=1, frames={"events": frames()["events"]})
    more = pl.DataFrame([EVENT | {"new": "9"}, EVENT | {"event_key": "e2", "at": hour(2)}], schema=EVENTS)
    judge(database, "k1", number=2, frames={"events": more})
    events = database.run(partial(findings.events_of, capability="audit"))
    assert events.select("event_key", "new").rows() == [("e1", "5\ufffd"), ("e2", "5\ufffd")]


def test_a_watermark_moves_on_and_never_back(database: Database) -> None:
    for number, at in ((1, hour(3)), (2, hour(2)), (3, hour(4))):
        marks = pl.DataFrame([{**MARK, "at": at}], schema=WATERMARKS)
        judge(database, number=number, frames={"watermarks": marks})
        assert watermark(database) == hour(max(3, number + 1))


def test_a_baseline_row_is_replaced_and_the_others_stay(database: Database) -> None:
    other = BILLED | {"row_id": "7000000000000003"}
    judge(database, number=1, frames={"baseline": pl.DataFrame([BILLED, other], schema=BASELINE)})
    moved = BILLED | {"week_ending": date(2026, 1, 11), "price": None}
    judge(database, number=2, frames={"baseline": pl.DataFrame([moved], schema=BASELINE)})
    assert database.run(audit_memory.baseline_of).to_dicts() == [moved, other]


def test_a_reviewer_closes_a_finding_and_his_name_is_kept(database: Database) -> None:
    judge(database, "k1", "k2", number=1)
    assert dispose(database, "k1", "Accepted: order 12", hour(2))
    assert not dispose(database, "k1", "Accepted: order 12", hour(3))
    assert statuses(database) == {"k1": "RESOLVED", "k2": "NEW"}
    row = shown(database, statuses=["RESOLVED"]).row(0, named=True)
    assert (row["disposition"], row["disposed_by"], row["disposed_at"], row["dollars"]) == (
        "Accepted: order 12", "Ada", hour(2), Decimal("1200.50"),
    )  # fmt: skip
    judge(database, "k1", "k2", number=3)
    assert statuses(database) == {"k1": "RESOLVED", "k2": "ONGOING"}


def test_what_cannot_be_disposed_is_told(database: Database) -> None:
    with pytest.raises(InputError, match="there is no finding k9"):
        dispose(database, "k9", "Accepted", hour(2))


def test_dispositions_of_the_log_sheet_are_taken_over_in_one_go(database: Database) -> None:
    judge(database, "k1", "k2", number=1)
    read = pl.DataFrame(
        [("k1", "Accepted", hour(2), "Bo"), ("k2", None, hour(2), None), ("zz", "Accepted", hour(2), "Bo")],
        schema={**findings.DISPOSITIONS, "disposed_by": pl.String}, orient="row",
    )  # fmt: skip
    for changed in (1, 0):
        assert database.run(partial(findings.dispose_all, capability="audit", said=read)) == changed
    assert statuses(database) == {"k1": "RESOLVED", "k2": "NEW"}


def test_what_a_reviewer_says_while_a_run_goes_on_is_heard(database: Database) -> None:
    judge(database, "k1", "k2", number=1)
    known = known_of(database)  # the run has begun
    dispose(database, "k1", "Accepted", hour(2) + timedelta(minutes=10))
    commit(database, Judged(2, found("k1", "k2")), known=known)
    assert statuses(database) == {"k1": "RESOLVED", "k2": "ONGOING"}
    judge(database, "k1", "k2", number=3)
    assert statuses(database) == {"k1": "RESOLVED", "k2": "ONGOING"}


def test_the_runs_are_kept_with_what_they_covered(database: Database) -> None:
    judge(database, "k1", number=1)
    judge(database, number=2, status="NOT_VERIFIED", verified=[])
    runs = database.run(partial(findings.runs_of, capability="audit"))
    assert runs == [Judged(1, found()).run, Judged(2, found(), status="NOT_VERIFIED").run]
    assert database.run(partial(findings.runs_of, capability="audit", last=1)) == runs[1:]


def test_the_history_counts_each_run_and_one_without_findings_too(database: Database) -> None:
    judge(database, "k1", found_row("k2", dollars=None), number=1)
    judge(database, number=2, status="CLEAN")
    judge(database, "k1", number=3, comparable="one sheet")
    history = database.run(partial(findings.history, capability="audit"))
    columns = ("run_id", "at", "run_status", "status", "findings", "dollars", "not_valued")
    assert history.select(columns).rows() == [
        ("r1", hour(1), "FINDINGS", "NEW", 2, Decimal("1200.50"), 1),
        ("r2", hour(2), "CLEAN", None, 0, Decimal("0.00"), 0),
        ("r3", hour(3), "FINDINGS", "REOPENED", 1, Decimal("1200.50"), 0),
    ]
    same = partial(findings.history, capability="audit", last=1, comparable="all sheets")
    assert database.run(same)["run_id"].to_list() == ["r2"]


def log_sheet(*rows: dict[str, str | None]) -> pl.DataFrame:
    """Rows of the log sheet as they are read."""
    row = {
        "Finding Key": "k1",
        "Status": "ONGOING",
        "First Seen": "2026-01-02T08:00:00Z",
        "Last Seen": "2026-01-05",
        "Disposition": None,
        "log_row_id": "55",
        "category": "LATE_ENTRY",
        "severity": "LOW",
        "sheet_id": SHEET,
        "dollars": "12.50",
    }
    return pl.DataFrame([row | one for one in rows], schema=dict.fromkeys(row, pl.String))


def rebuild(database: Database, *rows: dict[str, str | None], at: datetime = FIRST) -> int:
    return database.run(partial(finding_rebuild.rebuild, capability="audit", rows=log_sheet(*rows), at=at))


def test_what_was_lost_is_read_back_from_the_log_sheet(database: Database) -> None:
    assert rebuild(database, {}) == 1
    row = shown(database, categories=["LATE_ENTRY"], severities=["LOW"]).row(0, named=True)
    assert (row["status"], row["first_seen_at"], row["last_seen_at"], row["log_row_id"]) == (
        "ONGOING", datetime.fromisoformat("2026-01-02T08:00:00Z"), datetime.fromisoformat("2026-01-05T00:00:00Z"), "55",
    )  # fmt: skip
    assert (row["sheet_id"], row["dollars"], row["rule"]) == (SHEET, Decimal("12.50"), None)


def test_after_a_loss_the_next_run_tells_only_what_happened_since(database: Database) -> None:
    rebuild(database, {}, {"Finding Key": "k2"}, {"Finding Key": "k3", "Status": "RESOLVED"})
    state = judge(database, "k1", "k4", number=2)
    assert changes_told(state).select("finding_key", "status").rows() == [("k4", "NEW"), ("k2", "RESOLVED")]


def test_rows_of_people_and_rows_that_stand_there_twice_are_passed_over(database: Database) -> None:
    assert (
        rebuild(database, {"log_row_id": "55"}, {"log_row_id": "56"}, {"Finding Key": " "}, {"Finding Key": None}) == 1
    )
    assert shown(database)["log_row_id"].to_list() == ["55"]


def test_what_is_known_is_not_read_back(database: Database) -> None:
    before = judge(database, "k1", number=1).select(KNOWN.keys())
    assert rebuild(database, {"Status": "RESOLVED"}) == 0
    assert known_of(database).equals(before)


@pytest.mark.parametrize("status", ["", None, "in work"])
def test_a_cell_that_cannot_be_read_is_taken_for_an_open_finding_of_now(database: Database, status: str | None) -> None:
    rebuild(database, {"Status": status, "First Seen": "??", "Last Seen": None, "dollars": "$1"})
    row = shown(database).row(0, named=True)
    assert (row["status"], row["first_seen_at"], row["last_seen_at"], row["dollars"]) == (
        "ONGOING", FIRST, FIRST, None,
    )  # fmt: skip


def test_what_reviewers_had_closed_stays_closed_after_a_loss_and_what_was_open_stays_open(database: Database) -> None:
    rebuild(
        database,
        {"Status": "RESOLVED", "Disposition": " Accepted "},
        {"Finding Key": "k2", "Status": "REOPENED", "Disposition": "Accepted"},
    )
    judge(database, "k1", "k2", number=2)
    assert statuses(database) == {"k1": "RESOLVED", "k2": "ONGOING"}
    assert known_of(database)["reopen_count"].to_list() == [0, 1]
    judge(database, found_row("k1", last_event_at=hour(3)), "k2", number=3)
    assert statuses(database) == {"k1": "REOPENED", "k2": "ONGOING"}
