"""The log channel: notices as lines of a file, for installations without Slack."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from logging import Logger
from pathlib import Path
from typing import Any

from billing_pipeline.resources.outbox import NotSentError


class LogChannel:
    """Appends each notice as one line of JSON (at, key, text) and says it to the log. It can tell what arrived."""

    def __init__(self, path: Path, log: Logger) -> None:
        self.path, self._log = path, log

    def send(self, key: str, message: Mapping[str, Any], *, repeat: bool) -> None:  # noqa: ARG002
        """Append the notice; on disk when this returns. NotSentError when the file cannot be written."""
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "key": key, "text": message["text"]}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+", buffering=0) as file:
                _write(file.fileno(), _end(file.fileno()) + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise NotSentError(f"the file of notices cannot be written: {error.strerror}") from None
        self._log.info("notice %s\n%s", key, message["text"])

    def has(self, key: str, since: datetime) -> bool:  # noqa: ARG002
        """Whether a whole line with the key stands in the file."""
        try:
            with self.path.open("rb") as file:
                return any(_key(line) == key for line in file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NotSentError(f"the file of notices cannot be read: {error.strerror}") from None


def _write(descriptor: int, data: bytes) -> None:
    """All of it by one call, so that two processes do not mix their lines, and to the disk."""
    if os.write(descriptor, data) < len(data):
        raise OSError(0, "the disk is full")
    os.fsync(descriptor)


def _end(descriptor: int) -> bytes:
    """What ends the line that a crash or a full disk cut short; nothing when the file ends with a whole line."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _key(line: bytes) -> str | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found.get("key") if isinstance(found, dict) else None
