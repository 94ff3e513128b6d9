"""How a notice is laid out: one message as plain text, complete on its own, and the same as Slack's blocks.

What belongs here: the shape, Slack's limits, and that text from outside stays text: no link, mention or format of its
own. What does not: any wording.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from billing_pipeline.engine.errors import printable

_HEADER, _FIELD, _SECTION, _FIELDS = 150, 2000, 3000, 10  # Slack's limits: characters of each, fields of a section
_LINE = 300  # characters of one line of a list
_FRAME = len("```\n\n```")


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a notice. Values and `listed` lines may come from outside; title, `said` and `advice` are ours.

    said: what happened, in a sentence or two. fields: label and value. listed: lines of a list, in equal widths.
    advice: what to do, one line each, commands between backticks. links: name and address.
    """

    emoji: str
    title: str
    said: str = ""
    fields: Sequence[tuple[str, str]] = ()
    listed: Sequence[str] = ()
    advice: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


def message(layout: Layout) -> dict[str, Any]:
    """`text` and `blocks` of a notice."""
    return {"text": "\n".join(_text(layout)), "blocks": list(_blocks(layout))}


def one_line(text: str, limit: int = _LINE) -> str:
    """Text from outside for one line."""
    return printable(text.strip(), limit)


def _text(layout: Layout) -> Iterable[str]:
    yield f"{layout.emoji} {layout.title}"
    if layout.said:
        yield layout.said
    yield from (f"{label}: {one_line(value)}" for label, value in layout.fields)
    yield from (f"  {one_line(line)}" for line in layout.listed)
    if layout.advice:
        yield "What to do:"
        yield from (f"- {line}" for line in layout.advice)
    yield from (f"{one_line(name)}: {address}" for name, address in layout.links)


def _blocks(layout: Layout) -> Iterable[dict[str, Any]]:
    yield {"type": "header", "text": {"type": "plain_text", "text": f"{layout.emoji} {layout.title}"[:_HEADER]}}
    if layout.said:
        yield {"type": "section", "text": _mrkdwn(_escaped(layout.said))}
    fields = [_mrkdwn(f"*{label}*\n{_literal(value)}"[:_FIELD]) for label, value in layout.fields]
    for start in range(0, len(fields), _FIELDS):
        yield {"type": "section", "fields": fields[start : start + _FIELDS]}
    if layout.listed:
        yield {"type": "section", "text": _mrkdwn(_framed(layout.listed))}
    if layout.advice:
        lines = "\n".join(f"• {_escaped(line)}" for line in layout.advice)
        yield {"type": "section", "text": _mrkdwn(f"*What to do*\n{lines}"[:_SECTION])}
    if layout.links:  # not buttons: those warn that the app takes no answers, and a webhook takes none
        links = "  ·  ".join(f"<{_escaped(address)}|{_literal(name)}>" for name, address in layout.links)
        yield {"type": "context", "elements": [_mrkdwn(links)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Slack's markup, read as it stands: `verbatim` keeps addresses and names in it from becoming links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _framed(lines: Iterable[str]) -> str:
    """The lines in a frame of equal widths, as many as a section holds."""
    escaped = [_escaped(one_line(line).replace("`", "'")) for line in lines]
    room = _SECTION - _FRAME - len("… and 9999 more lines\n")
    shown: list[str] = []
    for line in escaped:
        if sum(map(len, shown)) + len(shown) + len(line) > room:
            break
        shown.append(line)
    more = [f"… and {len(escaped) - len(shown)} more lines"] if len(shown) < len(escaped) else []
    return "```\n" + "\n".join([*shown, *more]) + "\n```"


def _literal(value: str) -> str:
    """A value that is shown as it is, as code when it holds one of Slack's signs: names of files are copied from it."""
    safe = _escaped(one_line(value))
    if not any(sign in safe for sign in "*_~`"):
        return safe
    return "`" + safe.replace("`", "'") + "`"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
