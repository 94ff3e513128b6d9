"""The outbox: told once, delivered by workers that may be killed, on SQLite and on PostgreSQL."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from billing_pipeline.engine.period import Period
from billing_pipeline.resources import months
from billing_pipeline.resources import slack as slack_module
from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import metadata, outbox
from billing_pipeline.resources.months import MonthEvent
from billing_pipeline.resources.notice_log import LogChannel
from billing_pipeline.resources.outbox import (
    CLAIM,
    Channel,
    Delivered,
    Notice,
    NotSentError,
    UnclearError,
    Waiting,
    deliver,
    post,
    waiting,
)
from billing_pipeline.resources.slack import BotChannel, WebhookChannel
from tests.outbox_worker import ASKING, POINTS
from tests.slack import CHANNEL, TOKEN, Slack, slack_server

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
LOG = getLogger("tests.notices")


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def after(self, **passed: float) -> "Clock":
        self.now += timedelta(**passed)
        return self


class Memory:
    """A channel that keeps what it is sent, and fails as it is told: errors are raised in order, None is success."""

    def __init__(self, *ends: Exception | None, tells: bool | None = True, arrives: bool = False) -> None:
        self.ends, self.tells, self.arrives = [*ends], tells, arrives
        self.sent: list[tuple[str, bool]] = []
        self.asked: list[str] = []

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:  # noqa: ARG002
        error = self.ends.pop(0) if self.ends else None
        if error is None or self.arrives:
            self.sent.append((key, repeat))
        if error:
            raise error

    def has(self, key: str, since: datetime) -> bool | None:  # noqa: ARG002
        self.asked.append(key)
        return None if self.tells is None else key in dict(self.sent)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind."""
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")()
    opened = open_database(url)
    yield opened
    opened.engine.dispose()


def notice(key: str = "k") -> Notice:
    return Notice(key, "published", {"text": f"about {key}", "blocks": []})


def told(database: Database, *keys: str, now: datetime = NOON) -> None:
    for key in keys:
        database.run(partial(post, notice=notice(key), now=now))


def only(database: Database) -> Waiting:
    (found,) = database.run(waiting)
    return found


def row(database: Database) -> Any:
    with database.begin() as connection:
        return connection.execute(sa.select(outbox)).one()


def test_a_fact_is_told_once(database: Database) -> None:
    posted = [database.run(partial(post, notice=notice(), now=NOON)) for _ in range(2)]
    assert posted == [True, False]
    assert len(database.run(waiting)) == 1


def test_a_key_posted_before_does_not_disturb_the_facts_around_it(database: Database) -> None:
    told(database, "k")
    with database.begin() as connection:
        months.record(connection, MonthEvent(Period(2026, 1), "published", NOON))
        assert post(connection, notice("k"), NOON) is False
        months.record(connection, MonthEvent(Period(2026, 2), "in_review", NOON))
    assert len(database.run(months.latest_of_all)) == 2


def test_a_fact_that_is_not_stored_is_not_told(database: Database) -> None:
    def work(connection: sa.Connection) -> None:
        post(connection, notice(), NOON)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.run(work)
    assert database.run(waiting) == []


def test_notices_leave_oldest_first_and_once(database: Database) -> None:
    told(database, "a", "b", "c")
    channel = Memory()
    assert deliver(database, channel, Clock()) == Delivered(sent=3)
    assert deliver(database, channel, Clock().after(hours=1)) == Delivered()
    assert channel.sent == [("a", False), ("b", False), ("c", False)]
    assert database.run(waiting) == []


def test_one_delivery_sends_no_more_than_it_may(database: Database) -> None:
    told(database, "a", "b", "c")
    assert deliver(database, Memory(), Clock(), most=2) == Delivered(sent=2)
    assert only(database).key == "c"


def test_a_failure_is_recorded_and_the_next_notice_still_leaves(database: Database) -> None:
    told(database, "a", "b")
    channel = Memory(NotSentError("Slack refused the message: invalid_auth"))
    assert deliver(database, channel, Clock()) == Delivered(sent=1, failed=1)
    left = only(database)
    assert (left.key, left.attempts, left.last_error) == ("a", 1, "Slack refused the message: invalid_auth")


def test_pauses_double_up_to_a_quarter_of_an_hour(database: Database) -> None:
    told(database, "k")
    channel, clock, pauses = Memory(*[NotSentError("no")] * 9), Clock(), []
    for _ in range(9):
        deliver(database, channel, clock)
        pauses.append((only(database).due_at - clock.now).total_seconds())
        assert deliver(database, channel, clock) == Delivered()
        clock.now = only(database).due_at
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert deliver(database, channel, clock) == Delivered(sent=1)


def test_the_other_side_may_ask_for_a_longer_pause_up_to_a_day(database: Database) -> None:
    told(database, "k")
    channel, clock = Memory(NotSentError("wait", 120), NotSentError("wait", 10**9)), Clock()
    deliver(database, channel, clock)
    assert only(database).due_at == NOON + timedelta(seconds=120)
    deliver(database, channel, clock.after(seconds=120))
    assert only(database).due_at == clock.now + timedelta(days=1)


def test_a_notice_that_fails_for_long_shows_as_failing_and_still_leaves_in_the_end(database: Database) -> None:
    told(database, "k")
    channel, clock, failing = Memory(*[NotSentError("no")] * 5), Clock(), []
    for _ in range(5):
        deliver(database, channel, clock.after(hours=1))
        failing.append(only(database).failing)
    assert failing == [False, False, False, False, True]
    assert deliver(database, channel, clock.after(hours=1)) == Delivered(sent=1)


def test_after_a_lost_answer_the_channel_is_asked_first(database: Database) -> None:
    told(database, "k")
    channel, clock = Memory(UnclearError("no answer"), arrives=True), Clock()
    assert deliver(database, channel, clock) == Delivered(failed=1)
    assert deliver(database, channel, clock.after(minutes=1)) == Delivered(sent=1)
    assert (channel.asked, channel.sent) == (["k"], [("k", False)])


def test_what_did_not_arrive_is_sent_again_without_a_hint(database: Database) -> None:
    told(database, "k")
    channel, clock = Memory(UnclearError("no answer")), Clock()
    deliver(database, channel, clock)
    assert deliver(database, channel, clock.after(minutes=1)) == Delivered(sent=1)
    assert channel.sent == [("k", False)]


def test_a_channel_that_cannot_tell_sends_again_as_a_possible_repeat(database: Database) -> None:
    told(database, "k")
    channel, clock = Memory(UnclearError("no answer"), NotSentError("rate limit"), tells=None, arrives=True), Clock()
    deliver(database, channel, clock)
    deliver(database, channel, clock.after(minutes=1))
    assert row(database).attempting, "a refused repeat says nothing about the attempt before it"
    deliver(database, channel, clock.after(minutes=1))
    assert channel.sent == [("k", False), ("k", True), ("k", True)]


def test_after_a_refusal_the_channel_is_not_asked(database: Database) -> None:
    told(database, "k")
    channel, clock = Memory(NotSentError("rate limit")), Clock()
    deliver(database, channel, clock)
    deliver(database, channel, clock.after(minutes=1))
    assert (channel.asked, channel.sent) == ([], [("k", False)])


def test_a_question_that_fails_leaves_the_doubt(database: Database) -> None:
    class Deaf(Memory):
        def has(self, *_: Any) -> bool | None:
            raise NotSentError("Slack refused the message: invalid_auth")

    told(database, "k")
    clock = Clock()
    deliver(database, Deaf(UnclearError("no answer"), arrives=True), clock)
    assert deliver(database, Deaf(), clock.after(minutes=1)) == Delivered(failed=1)
    assert row(database).attempting


def test_an_unforeseen_fault_is_recorded_without_its_words(database: Database) -> None:
    told(database, "k")
    assert deliver(database, Memory(RuntimeError("Bearer xoxb-hush")), Clock()) == Delivered(failed=1)
    assert only(database).last_error == "the channel failed in an unforeseen way (RuntimeError)"


def test_a_claim_is_respected_until_it_expires_and_then_taken_over(database: Database) -> None:
    class Killed(Memory):
        def send(self, *_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

    told(database, "k")
    with pytest.raises(KeyboardInterrupt):
        deliver(database, Killed(), Clock())
    channel = Memory()
    assert deliver(database, channel, Clock(NOON + CLAIM - timedelta(seconds=1))) == Delivered()
    assert deliver(database, channel, Clock(NOON + CLAIM)) == Delivered(sent=1)
    assert channel.asked == ["k"]


def test_a_worker_that_wakes_up_late_does_not_undo_what_another_delivered(database: Database) -> None:
    other = Memory()

    class Asleep(Memory):
        def send(self, *_: Any, **__: Any) -> None:
            assert deliver(database, other, Clock(NOON + CLAIM)) == Delivered(sent=1)
            raise UnclearError("no answer")

    told(database, "k")
    deliver(database, Asleep(), Clock())
    assert database.run(waiting) == []
    assert row(database).last_error == ""


def test_two_workers_at_once_send_each_notice_once(database: Database) -> None:
    keys = [f"k{number}" for number in range(30)]
    told(database, *keys)
    channel, done = Memory(), []
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        done.append(deliver(database, channel, Clock(), most=30))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(key for key, _ in channel.sent) == sorted(keys)
    assert sum(one.sent for one in done) == 30


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with slack_server() as server:
        yield server


def worker(database: Database, kind: str, place: str, point: str) -> list[str]:
    """The command of a delivery in a process of its own."""
    url = database.engine.url.render_as_string(hide_password=False)
    return [sys.executable, "-m", "tests.outbox_worker", url, kind, place, point]


def killed(database: Database, kind: str, place: str, point: str) -> None:
    """A worker in a process of its own, killed at a point of its delivery."""
    done = subprocess.run(worker(database, kind, place, point), check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


SHORT = ("claimed", "sent")


def points() -> list[Any]:
    """Every point; all but a few belong to the long tests."""
    return [pytest.param(point, marks=[] if point in SHORT else pytest.mark.slow) for point in POINTS]


@pytest.mark.parametrize("point", points())
def test_a_bots_notice_arrives_once_wherever_the_worker_was_killed(
    database: Database, slack: Slack, point: str
) -> None:
    told(database, "k")
    killed(database, "bot", slack.api, point)
    deliver(database, BotChannel(TOKEN, CHANNEL, slack.api), Clock().after(hours=2))
    assert slack.keys == ["k"]
    assert database.run(waiting) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_logged_notice_stands_there_once_wherever_the_worker_was_killed(
    database: Database, tmp_path: Path, point: str
) -> None:
    told(database, "k")
    path = tmp_path / "notices.log"
    killed(database, "log", str(path), point)
    deliver(database, LogChannel(path, LOG), Clock().after(hours=2))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k"]
    assert database.run(waiting) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ASKING)
def test_a_second_worker_killed_while_it_asks_changes_nothing(database: Database, slack: Slack, point: str) -> None:
    told(database, "k")
    killed(database, "bot", slack.api, "sent")
    killed(database, "bot", slack.api, point)
    deliver(database, BotChannel(TOKEN, CHANNEL, slack.api), Clock().after(hours=2))
    assert slack.keys == ["k"]
    assert database.run(waiting) == []


@pytest.mark.slow
@pytest.mark.parametrize(("point", "texts"), [("claimed", 1), ("sent", 2)])
def test_a_webhook_repeats_what_may_have_arrived_and_says_so(
    database: Database, slack: Slack, point: str, texts: int
) -> None:
    told(database, "k")
    killed(database, "webhook", slack.webhook, point)
    deliver(database, WebhookChannel(slack.webhook), Clock().after(hours=2))
    assert len(slack.texts) == texts
    assert slack.texts[-1].startswith("about k\nThis may be a repeat")
    assert database.run(waiting) == []


@pytest.mark.slow
def test_two_processes_at_once_send_each_notice_once(database: Database, slack: Slack) -> None:
    keys = [f"k{number}" for number in range(20)]
    told(database, *keys)
    workers = [subprocess.Popen(worker(database, "bot", slack.api, "never")) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(slack.keys) == sorted(keys)


def test_a_bots_message_whose_answer_was_lost_is_found_and_not_sent_again(database: Database, slack: Slack) -> None:
    told(database, "k")
    slack.faults = ["lost"]
    channel, clock = BotChannel(TOKEN, CHANNEL, slack.api), Clock()
    assert deliver(database, channel, clock) == Delivered(failed=1)
    assert deliver(database, channel, clock.after(minutes=1)) == Delivered(sent=1)
    assert slack.keys == ["k"]


def test_slacks_own_pause_is_kept(database: Database, slack: Slack) -> None:
    told(database, "k")
    slack.faults = ["429 90"]
    deliver(database, WebhookChannel(slack.webhook), Clock())
    assert only(database).due_at == NOON + timedelta(seconds=90)


def test_no_row_no_log_line_and_no_message_holds_a_secret(
    database: Database,
    slack: Slack,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(slack_module, "_TIMEOUT", 0.3)
    channels: list[Channel] = [
        WebhookChannel(slack.webhook),
        WebhookChannel("htp://hooks.slack.com/services/hush"),
        BotChannel(TOKEN, CHANNEL, slack.api),
        BotChannel("xoxb-hush\nX-Header: 1", CHANNEL, slack.api),
    ]
    clock = Clock(datetime.now(UTC))
    errors = set()
    for fault in ("429 1", "500", "slow", "lost", f"error {TOKEN}", "html", "ok"):
        for number, channel in enumerate(channels):
            key = f"{fault.split()[0]}-{number}"
            told(database, key, now=clock.now)
            slack.faults = [fault]
            deliver(database, channel, clock, most=1)
            errors |= {found.last_error for found in database.run(waiting)}
            clock.after(days=2)
    with database.begin() as connection:
        rows = [
            str(found._asdict()) for table in metadata.sorted_tables for found in connection.execute(sa.select(table))
        ]
    out, err = capfd.readouterr()
    assert len(errors) > 5
    assert "hush" not in "\n".join([*rows, *errors, caplog.text, str(slack.messages), out, err])


def test_a_notice_is_a_line_of_the_log_file_and_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "data" / "notices.log"
    LogChannel(path, LOG).send("k", {"text": "✅ published\nline 2", "blocks": []}, repeat=False)
    (line,) = path.read_text().splitlines()
    document = json.loads(line)
    assert (document["key"], document["text"]) == ("k", "✅ published\nline 2")
    assert datetime.fromisoformat(document["at"]).tzinfo is not None
    assert "✅ published" in caplog.text


def test_a_half_line_of_a_crash_is_no_notice_and_spoils_none(tmp_path: Path) -> None:
    path = tmp_path / "notices.log"
    path.write_text(
        '{"at": "2026-02-01T12:00:00+00:00", "key": "a", "text": "x"}\n{"at": "2026-02-01", "key": "b", "te'
    )
    channel = LogChannel(path, LOG)
    assert [channel.has(key, NOON) for key in ("a", "b")] == [True, False]
    channel.send("b", {"text": "y", "blocks": []}, repeat=False)
    assert [channel.has(key, NOON) for key in ("a", "b")] == [True, True]
    assert len(path.read_text().splitlines()) == 3


def test_a_log_that_cannot_be_written_is_a_failure_that_waits(database: Database, tmp_path: Path) -> None:
    told(database, "k")
    (tmp_path / "file").write_text("in the way")
    channel = LogChannel(tmp_path / "file" / "notices.log", LOG)
    assert deliver(database, channel, Clock()) == Delivered(failed=1)
    assert only(database).last_error.startswith("the file of notices cannot be written: ")
