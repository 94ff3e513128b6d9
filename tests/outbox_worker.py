"""A worker that delivers the outbox and dies at a given point: `python -m tests.outbox_worker URL KIND PLACE POINT`."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from logging import getLogger
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from billing_pipeline.resources.database import Database, open_database
from billing_pipeline.resources.notice_log import LogChannel
from billing_pipeline.resources.outbox import Channel, deliver
from billing_pipeline.resources.slack import BotChannel, WebhookChannel
from tests.slack import CHANNEL, TOKEN

T = TypeVar("T")
START = datetime.fromisoformat("2026-02-01T12:00:00+00:00")

POINTS = (
    "clock-1", "before-transaction-1", "after-transaction-1", "claimed", "sent", "clock-2", "before-transaction-2",
    "after-transaction-2", "before-transaction-3", "end",
)  # fmt: skip
"""Where a worker that is first to send one notice can be told to die."""
ASKING = ("asking", "asked")
"""Where one can die that comes an hour later, after another."""


class Mortal:
    """A channel, and a killed process at one of the points around it."""

    def __init__(self, channel: Channel, reached: Callable[[str], None]) -> None:
        self.channel, self.reached = channel, reached

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:
        self.reached("claimed")
        self.channel.send(key, message, repeat=repeat)
        self.reached("sent")

    def has(self, key: str, since: datetime) -> bool | None:
        self.reached("asking")
        found = self.channel.has(key, since)
        self.reached("asked")
        return found


class MortalDatabase(Database):
    """The database, and a killed process before or after one of its transactions."""

    def __init__(self, engine: sa.Engine, reached: Callable[[str], None]) -> None:
        super().__init__(engine)
        self.reached, self.count = reached, 0

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        self.count += 1
        self.reached(f"before-transaction-{self.count}")
        result = super().run(work)
        self.reached(f"after-transaction-{self.count}")
        return result


def main(url: str, kind: str, place: str, point: str) -> None:
    def reached(here: str) -> None:
        if here == point:
            os.kill(os.getpid(), signal.SIGKILL)

    ticks = 0

    def clock() -> datetime:
        nonlocal ticks
        ticks += 1
        reached(f"clock-{ticks}")
        return START + timedelta(hours=point in ASKING)

    made: dict[str, Callable[[], Channel]] = {
        "bot": lambda: BotChannel(TOKEN, CHANNEL, place),
        "webhook": lambda: WebhookChannel(place),
        "log": lambda: LogChannel(Path(place), getLogger()),
    }
    deliver(MortalDatabase(open_database(url).engine, reached), Mortal(made[kind](), reached), clock)
    reached("end")


if __name__ == "__main__":
    main(*sys.argv[1:])
