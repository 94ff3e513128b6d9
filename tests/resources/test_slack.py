"""Slack through its official SDK, against a server on loopback: what each answer means, and what is sent."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_pipeline.resources import slack as module
from billing_pipeline.resources.notice_log import LogChannel
from billing_pipeline.resources.notices import NoticeChannel, notices_from
from billing_pipeline.resources.outbox import NotSentError, UnclearError
from billing_pipeline.resources.slack import BotChannel, WebhookChannel
from billing_pipeline.settings import Settings
from tests.slack import CHANNEL, TOKEN, Slack, slack_server

MESSAGE = {"text": "January 2026 is published", "blocks": [{"type": "divider"}]}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """A Slack on loopback, reached without the proxies of this machine; time-outs are short."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "_TIMEOUT", 0.5)
    with slack_server() as server:
        yield server


@pytest.fixture
def webhook(slack: Slack) -> WebhookChannel:
    return WebhookChannel(slack.webhook)


@pytest.fixture
def bot(slack: Slack) -> BotChannel:
    return BotChannel(TOKEN, CHANNEL, slack.api)


@pytest.fixture(params=["webhook", "bot"])
def channel(request: pytest.FixtureRequest) -> WebhookChannel | BotChannel:
    """Both kinds of channel, one after the other."""
    found: WebhookChannel | BotChannel = request.getfixturevalue(request.param)
    return found


def test_a_webhook_gets_text_and_blocks(slack: Slack, webhook: WebhookChannel) -> None:
    webhook.send("k", MESSAGE, repeat=False)
    (message,) = slack.messages
    assert message["text"] == "January 2026 is published"
    assert message["blocks"] == [{"type": "divider"}]


def test_a_bot_posts_to_its_channel_with_the_key_as_metadata(slack: Slack, bot: BotChannel) -> None:
    bot.send("release:2026-01:1", MESSAGE, repeat=False)
    (message,) = slack.messages
    assert message["channel"] == CHANNEL
    assert message["metadata"] == {"event_type": "billing_notice", "event_payload": {"key": "release:2026-01:1"}}
    assert message["blocks"] == [{"type": "divider"}]


def test_the_plain_text_cannot_mention_or_link(slack: Slack, channel: Any) -> None:
    channel.send("k", {"text": "<!channel> <http://x|y> & co", "blocks": []}, repeat=False)
    assert slack.texts == ["&lt;!channel&gt; &lt;http://x|y&gt; &amp; co"]


def test_a_possible_repeat_says_so_in_text_and_blocks(slack: Slack, channel: Any) -> None:
    channel.send("k", MESSAGE, repeat=True)
    (message,) = slack.messages
    hint = "This may be a repeat: whether an earlier attempt arrived could not be found out."
    assert message["text"] == f"January 2026 is published\n{hint}"
    assert message["blocks"][-1] == {"type": "context", "elements": [{"type": "plain_text", "text": hint}]}


def test_a_rate_limit_is_a_failure_with_the_time_slack_asks_for(slack: Slack, channel: Any) -> None:
    slack.faults = ["429 37"]
    with pytest.raises(NotSentError) as raised:
        channel.send("k", MESSAGE, repeat=False)
    assert raised.value.retry_after == 37
    assert slack.messages == []


def test_a_post_is_never_repeated_by_the_sdk(slack: Slack, channel: Any) -> None:
    slack.faults = ["lost"]
    with pytest.raises(UnclearError):
        channel.send("k", MESSAGE, repeat=False)
    assert len(slack.messages) == 1


@pytest.mark.parametrize("fault", ["500", "503 5", "slow", "lost", "html"])
def test_no_answer_or_a_fault_of_slack_leaves_open_what_arrived(slack: Slack, channel: Any, fault: str) -> None:
    slack.faults = [fault]
    with pytest.raises(UnclearError):
        channel.send("k", MESSAGE, repeat=False)


@pytest.mark.parametrize("code", ["invalid_auth", "channel_not_found", "invalid_blocks"])
def test_a_refusal_is_certain_and_names_slacks_reason(slack: Slack, channel: Any, code: str) -> None:
    slack.faults = [f"error {code}"]
    with pytest.raises(NotSentError, match=f"^Slack refused the message: {code}$"):
        channel.send("k", MESSAGE, repeat=False)


def test_slacks_fatal_error_may_have_posted_the_message(slack: Slack, bot: BotChannel) -> None:
    slack.faults = ["error fatal_error"]
    with pytest.raises(UnclearError):
        bot.send("k", MESSAGE, repeat=False)


def test_a_slack_that_cannot_be_reached_got_nothing() -> None:
    with slack_server() as gone:
        pass
    for channel in (WebhookChannel(gone.webhook), BotChannel(TOKEN, CHANNEL, gone.api)):
        with pytest.raises(NotSentError, match=r"Slack cannot be reached: .*refused"):
            channel.send("k", MESSAGE, repeat=False)


def test_a_webhook_cannot_tell_what_arrived(slack: Slack, webhook: WebhookChannel) -> None:
    assert webhook.has("k", datetime.now(UTC)) is None


def test_a_bot_finds_its_message_by_key_whatever_stands_around_it(slack: Slack, bot: BotChannel) -> None:
    slack.page = 2
    slack.messages = [{"text": "lunch?", "ts": datetime.now(UTC).timestamp()}]
    for key in ("a", "b", "c", "d"):
        bot.send(key, MESSAGE, repeat=False)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert [bot.has(key, since) for key in ("a", "d", "e")] == [True, True, False]
    assert all(asked["include_all_metadata"] == "1" for asked in slack.asked)


def test_a_bot_looks_a_little_further_back_than_the_notice_because_clocks_differ(slack: Slack, bot: BotChannel) -> None:
    bot.send("k", MESSAGE, repeat=False)
    assert bot.has("k", datetime.now(UTC) + timedelta(minutes=4)) is True
    assert bot.has("k", datetime.now(UTC) + timedelta(minutes=6)) is False


@pytest.mark.parametrize("code", ["missing_scope", "not_in_channel", "channel_not_found"])
def test_a_bot_that_may_not_look_cannot_tell(slack: Slack, bot: BotChannel, code: str) -> None:
    slack.faults = [f"error {code}"]
    assert bot.has("k", datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429 5", NotSentError), ("500", UnclearError), ("slow", UnclearError), ("error invalid_auth", NotSentError)],
)
def test_a_search_that_fails_is_not_an_answer(
    slack: Slack, bot: BotChannel, fault: str, error: type[Exception]
) -> None:
    slack.faults = [fault]
    with pytest.raises(error):
        bot.has("k", datetime.now(UTC))


def test_no_error_and_no_log_line_holds_a_secret(
    slack: Slack, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    broken = "htp://hooks.slack.com/services/T0000/B0000/hush-this-is-secret"
    channels = [
        WebhookChannel(slack.webhook),
        BotChannel(TOKEN, CHANNEL, slack.api),
        WebhookChannel(broken),
        BotChannel(f"{TOKEN}\nX: y", CHANNEL, slack.api),
    ]
    said = []
    for fault in ("ok", "429 1", "500", "slow", "lost", f"error {TOKEN}", "html"):
        for channel in channels:
            slack.faults = [fault]
            try:
                channel.send("k", MESSAGE, repeat=False)
                channel.has("k", datetime.now(UTC))
            except (NotSentError, UnclearError) as error:
                said.append(f"{error!r} {error.__cause__!r} {error.__suppress_context__}")
    assert len(said) > 12
    out, err = capfd.readouterr()
    assert "hush" not in "\n".join([*said, caplog.text, out, err])


def test_a_token_with_its_channel_comes_before_a_webhook_and_that_before_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    every = {"SLACK_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "SLACK_WEBHOOK": "https://hooks.slack.com/services/x"}

    def chosen(*names: str) -> type:
        for name in every:
            monkeypatch.delenv(f"BILLING_{name}", raising=False)
        for name in names:
            monkeypatch.setenv(f"BILLING_{name}", every[name])
        with dg.build_resources({"notices": notices_from(Settings())}) as resources:
            return type(resources.notices)

    assert chosen("SLACK_TOKEN", "SLACK_CHANNEL", "SLACK_WEBHOOK") is BotChannel
    assert chosen("SLACK_TOKEN", "SLACK_WEBHOOK") is WebhookChannel
    assert chosen("SLACK_TOKEN") is LogChannel
    assert chosen() is LogChannel


def test_the_resource_knows_its_secrets_by_the_names_of_their_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_SLACK_TOKEN", TOKEN)
    monkeypatch.setenv("BILLING_SLACK_WEBHOOK", "https://hooks.slack.com/services/hush")
    resource = notices_from(Settings())
    assert isinstance(resource, NoticeChannel)
    assert "hush" not in repr(resource)
    assert (resource.token, resource.webhook) == (dg.EnvVar("BILLING_SLACK_TOKEN"), dg.EnvVar("BILLING_SLACK_WEBHOOK"))
