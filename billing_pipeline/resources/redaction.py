"""Secrets out of texts that came from a fault: what a driver or a vendor's library said may quote what it was given."""

import re
from collections.abc import Iterable

_HIDDEN = "***"
_PATTERNS = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@]*@"), r"\1" + _HIDDEN + "@"),  # name and password in an address
    (re.compile(r"(?i)([a-z]+://hooks\.slack[^\s/]*/)\S+"), r"\1" + _HIDDEN),
    (re.compile(r"\bxox[a-z]-[\w-]+|\bxapp-[\w-]+"), _HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), _HIDDEN),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:password|passwd|secret|token|signature|credential|api[_-]?key|account[_-]?key)[\w-]*"
            r"[\"']?\s*[=:]\s*)(?:bearer\s+)?(\"[^\"]*\"|'[^']*'|[^\s&,;]+)"
        ),
        r"\1" + _HIDDEN,
    ),
)
_SHORTEST = 4  # a shorter secret is hidden by nothing: it would take ordinary words with it


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets, and without what looks like one: passwords in addresses, tokens, keys."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may hold another
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _HIDDEN)
    for pattern, hidden in _PATTERNS:
        text = pattern.sub(hidden, text)
    return text
