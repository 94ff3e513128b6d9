"""What is remembered of the usage folder from one look to the next, as text that fits a sensor's cursor.

Bounded: usage files that are there and young enough, contents whose run has not ended, and what has been said of them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals.names import month_of

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORM = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """A usage file as last seen: size in bytes, modification mark, SHA-256 once it stood still.

    `unsettled` counts the looks at which it had changed or could not be read; `shrunk`: it has lost bytes on arrival.
    """

    size: int
    mark: str
    sha256: str = ""
    unsettled: int = 0
    shrunk: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """`files` by path, oldest acquaintance first; `gone`: path by (month, SHA-256) of contents that vanished during
    their run; `told`: keys of what holds and has been told; `away`: the outage of the folder that lasts, if one does.
    """

    files: Mapping[str, Remembered] = field(default_factory=dict)
    gone: Mapping[tuple[str, str], str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    outages: int = 0
    away: str = ""


def memory_text(memory: Memory) -> str:
    """The memory as compact JSON, in ASCII."""
    document = {
        "form": _FORM,
        "files": {path: [r.size, r.mark, r.sha256, r.unsettled, int(r.shrunk)] for path, r in memory.files.items()},
        "gone": [[month, sha256, path] for (month, sha256), path in sorted(memory.gone.items())],
        "told": sorted(memory.told),
        "outages": memory.outages,
        "away": memory.away,
    }
    return json.dumps(document, separators=(",", ":"))


def read_memory(text: str | None) -> Memory | None:
    """The memory of such a text, an empty one of no text; None when the text is damaged or of another form."""
    if not text:
        return Memory()
    try:
        document = json.loads(text)
        if document["form"] != _FORM:
            return None
        return Memory(
            {_usage_path(path): _remembered(*values) for path, values in document["files"].items()},
            {(Period.parse(month).key, _sha256(content)): _text(path) for month, content, path in document["gone"]},
            frozenset(map(_text, document["told"])),
            _count(document["outages"]),
            _text(document["away"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError):
        return None


def _remembered(size: Any, mark: Any, sha256: Any, unsettled: Any, shrunk: Any) -> Remembered:
    return Remembered(_count(size), _text(mark), sha256 and _sha256(sha256), _count(unsettled), bool(_count(shrunk)))


def _usage_path(value: Any) -> str:
    if not month_of(value):
        raise ValueError
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _sha256(value: Any) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value
