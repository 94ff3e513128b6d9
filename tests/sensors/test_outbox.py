"""The sensor that delivers: what it says of a tick, and that nothing makes it fail."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from billing_pipeline.resources.database import Database, open_database, sqlite_url
from billing_pipeline.resources.database.tables import outbox
from billing_pipeline.resources.notice_log import LogChannel
from billing_pipeline.resources.outbox import Channel, Notice, NotSentError, post
from billing_pipeline.sensors.outbox import outbox_sensor
from billing_pipeline.settings import Settings
from tests.slack import CHANNEL, TOKEN, slack_server


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(sqlite_url(tmp_path))
    yield opened
    opened.engine.dispose()


def told(database: Database, *keys: str) -> None:
    for key in keys:
        notice = Notice(key, "published", {"text": f"about {key}", "blocks": []})
        database.run(partial(post, notice=notice, now=datetime.now(UTC)))


def tick(database: Database, channel: Channel) -> str:
    with dg.build_sensor_context(resources={"database": database, "notices": channel}) as context:
        found = outbox_sensor(Settings()).evaluate_tick(context)
    assert not found.run_requests
    return found.skip_message or ""


class Refusing:
    """A channel that takes nothing."""

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:  # noqa: ARG002
        raise NotSentError("Slack refused the message: invalid_auth")

    def has(self, key: str, since: datetime) -> bool:  # noqa: ARG002
        return False


def test_a_tick_delivers_what_waits_and_says_how_much(database: Database, tmp_path: Path) -> None:
    told(database, "a", "b")
    channel = LogChannel(tmp_path / "notices.log", getLogger("tests.notices"))
    assert tick(database, channel) == "2 sent, 0 failed; 0 waiting, 0 of them failing."
    assert tick(database, channel) == "0 sent, 0 failed; 0 waiting, 0 of them failing."
    assert len((tmp_path / "notices.log").read_text().splitlines()) == 2


def test_a_channel_that_is_away_fails_no_tick_and_shows(database: Database) -> None:
    told(database, "a", "b")
    assert tick(database, Refusing()) == "0 sent, 2 failed; 2 waiting, 0 of them failing."
    with database.begin() as connection:
        connection.execute(outbox.update().values(attempts=7))
    assert tick(database, Refusing()) == "0 sent, 0 failed; 2 waiting, 2 of them failing."


def test_a_database_that_is_away_fails_no_tick(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
    assert tick(database, Refusing()) == "The database cannot be used just now (OperationalError); no notice is lost."


def test_the_sensor_delivers_to_slack_through_the_product_s_own_resources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing_pipeline.resources.database import DatabaseResource
    from billing_pipeline.resources.notices import notices_from

    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    url = sqlite_url(tmp_path)
    told(open_database(url), "release:2026-01:1")
    with slack_server() as slack:
        monkeypatch.setenv("BILLING_SLACK_TOKEN", TOKEN)
        monkeypatch.setenv("BILLING_SLACK_CHANNEL", CHANNEL)
        monkeypatch.setenv("BILLING_SLACK_API", slack.api)
        settings = Settings()
        resources = {"database": DatabaseResource(url=url), "notices": notices_from(settings)}
        sensor = outbox_sensor(settings)
        defs = dg.Definitions(sensors=[sensor], resources=resources)
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(
                instance=instance, repository_def=defs.get_repository_def(), resources=resources
            ) as context,
        ):
            found = defs.resolve_sensor_def("outbox").evaluate_tick(context)
    assert found.skip_message == "1 sent, 0 failed; 0 waiting, 0 of them failing."
    assert slack.keys == ["release:2026-01:1"]
    open_database(url).engine.dispose()


@pytest.mark.parametrize(("off", "status"), [("", "RUNNING"), ("usage_files,outbox", "STOPPED")])
def test_the_sensor_runs_unless_it_is_switched_off(off: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_OFF", off)
    sensor = outbox_sensor(Settings())
    assert (sensor.name, sensor.default_status.name, sensor.minimum_interval_seconds) == ("outbox", status, 4)
