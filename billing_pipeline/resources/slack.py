"""Slack as a channel of notices, by its official SDK: an incoming webhook, or a bot token that can look for messages.

What belongs here: one attempt to send, and what its answer means: arrived, not sent for certain, or unclear. Trying
again is the outbox's business alone, so the SDK's own retries are off: a POST repeated blindly is told twice.
"""

import logging
import re
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from http.client import HTTPException, InvalidURL
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.webhook import WebhookClient

from billing_pipeline.engine.errors import printable
from billing_pipeline.resources.outbox import NotSentError, UnclearError
from billing_pipeline.resources.redaction import redacted

EVENT = "billing_notice"  # metadata of our messages: event_payload.key is the notice's key
_TIMEOUT = 8  # seconds without an answer; a search and a message stay below the outbox's claim
_SEARCH = 12.0  # seconds a search through the channel may go on
_PAGE = 200  # messages; Slack advises no more
_SKEW = timedelta(minutes=5)  # between Slack's clock and ours
_REPEAT = "This may be a repeat: whether an earlier attempt arrived could not be found out."
_MOST_TEXT = 3900  # characters; Slack advises 4,000
_CODE = re.compile(r"[a-z0-9_]+")  # of an error; anything else is not Slack's answer
_UNCLEAR = (
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
)  # "some of it may have succeeded"
_CANNOT_LOOK = (
    "access_denied", "channel_not_found", "method_not_supported_for_channel_type", "missing_scope", "no_permission",
    "not_allowed_token_type", "not_in_channel",
)  # fmt: skip
_NO_CONNECTION = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_FAULTS = (OSError, HTTPException, ValueError, SlackRequestError)
_silent = logging.Logger(__name__, logging.CRITICAL + 1)  # the SDK logs addresses, and the webhook's is a secret


class WebhookChannel:
    """An incoming webhook. It cannot tell whether a message arrived."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = WebhookClient(url, timeout=_TIMEOUT, logger=_silent, retry_handlers=[])

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:  # noqa: ARG002
        """Post the message. NotSentError, UnclearError."""
        try:
            answer = self._client.send(**_content(message, repeat), unfurl_links=False, unfurl_media=False)
        except _FAULTS as error:
            raise _fault(error, self._url) from None
        if answer.status_code == 200 and answer.body == "ok":
            return
        said = printable(redacted(answer.body, [self._url]))
        headers = {name.lower(): value for name, value in answer.headers.items()}
        raise _refusal(answer.status_code, said, headers.get("retry-after"))

    def has(self, key: str, since: datetime) -> None:
        """Nobody knows: a webhook only writes."""


class BotChannel:
    """A bot that posts to a channel. `channel` is an id (`C0123456789`): with a name it can post but not look back.

    Scopes: chat:write; channels:history (groups:history in a private channel) to find out what arrived.
    """

    def __init__(self, token: str, channel: str, api: str) -> None:
        self._token, self._channel = token, channel
        self._client = WebClient(token, base_url=api, timeout=_TIMEOUT, logger=_silent, retry_handlers=[])

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:
        """Post the message with its key as metadata. NotSentError, UnclearError."""
        metadata = {"event_type": EVENT, "event_payload": {"key": key}}
        try:
            self._client.chat_postMessage(
                channel=self._channel,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                **_content(message, repeat),
            )
        except SlackApiError as error:
            raise self._answered(error) from None
        except _FAULTS as error:
            raise _fault(error, self._token) from None

    def has(self, key: str, since: datetime) -> bool | None:
        """Whether a message with the key stands in the channel; None when the bot may not look, or would take long."""
        oldest = f"{(since - _SKEW).timestamp():.6f}"
        give_up, cursor = time.monotonic() + _SEARCH, None
        try:
            while time.monotonic() < give_up:
                page = self._client.conversations_history(
                    channel=self._channel, oldest=oldest, limit=_PAGE, cursor=cursor, include_all_metadata=True
                )
                if any(_carries(key, message) for message in page.get("messages") or []):
                    return True
                cursor = (page.get("response_metadata") or {}).get("next_cursor")
                if not cursor:
                    return False
        except SlackApiError as error:
            if error.response.get("error") in _CANNOT_LOOK:
                return None
            raise self._answered(error) from None
        except _FAULTS as error:
            raise _fault(error, self._token) from None
        return None

    def _answered(self, error: SlackApiError) -> NotSentError | UnclearError:
        answer = error.response
        code = str(answer.get("error") or "")
        said = printable(redacted(code, [self._token]))
        headers = {name.lower(): value for name, value in answer.headers.items()}
        refused = answer.status_code == 200 and _CODE.fullmatch(code) and code not in _UNCLEAR
        return _refusal(400 if refused else answer.status_code, said, headers.get("retry-after"))


def _content(message: Mapping[str, Any], repeat: bool) -> dict[str, Any]:
    """Text and blocks as Slack wants them: the text is plain everywhere else, here it is escaped."""
    text = f"{message['text']}\n{_REPEAT}" if repeat else message["text"]
    hint = [{"type": "context", "elements": [{"type": "plain_text", "text": _REPEAT}]}] if repeat else []
    escaped = text[:_MOST_TEXT].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped, "blocks": [*message["blocks"], *hint]}


def _refusal(status: int, said: str, retry_after: str | None) -> NotSentError | UnclearError:
    """What an answer other than `ok` means. Slack's own faults leave open what became of the message."""
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    if status == 429:
        return NotSentError("Slack asks for patience (rate limit)", seconds)
    if 400 <= status < 500:
        return NotSentError(f"Slack refused the message: {said}", seconds)
    return UnclearError(f"Slack answered {status}: {said}", seconds)


def _fault(error: Exception, secret: str) -> NotSentError | UnclearError:
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    said = printable(redacted(str(cause) or type(cause).__name__, [secret]))
    if isinstance(cause, (*_NO_CONNECTION, InvalidURL, SlackRequestError)):
        return NotSentError(f"Slack cannot be reached: {said}")
    return UnclearError(f"no answer from Slack: {said}")


def _carries(key: str, message: Mapping[str, Any]) -> bool:
    metadata = message.get("metadata") or {}
    return metadata.get("event_type") == EVENT and (metadata.get("event_payload") or {}).get("key") == key
