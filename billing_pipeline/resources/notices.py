"""The resource `notices`: the channel that people hear through, chosen from the settings."""

from pathlib import Path

import dagster as dg

from billing_pipeline.resources.notice_log import LogChannel
from billing_pipeline.resources.outbox import Channel
from billing_pipeline.resources.slack import BotChannel, WebhookChannel
from billing_pipeline.settings import Settings


class NoticeChannel(dg.ConfigurableResource[Channel]):
    """Slack by a bot's token and its channel, else by a webhook, else the file `log_file`.

    `webhook` and `token` are secrets: give them as EnvVar. Faults: see resources.outbox; none of them stops a run.
    """

    log_file: str
    webhook: str = ""
    token: str = ""
    channel: str = ""
    api: str = "https://slack.com/api/"

    def create_resource(self, context: dg.InitResourceContext) -> Channel:
        if self.token and self.channel:
            return BotChannel(self.token, self.channel, self.api)
        if self.webhook:
            return WebhookChannel(self.webhook)
        return LogChannel(Path(self.log_file), context.log or dg.get_dagster_logger("notices"))


def notices_from(settings: Settings) -> NoticeChannel:
    """The resource as the settings say; secrets only by the name of their variable, so that no page shows them."""
    return NoticeChannel(
        log_file=str(settings.data_dir.resolve() / "notices.log"),
        webhook=dg.EnvVar("BILLING_SLACK_WEBHOOK") if settings.slack_webhook else "",
        token=dg.EnvVar("BILLING_SLACK_TOKEN") if settings.slack_token else "",
        channel=settings.slack_channel or "",
        api=settings.slack_api,
    )
