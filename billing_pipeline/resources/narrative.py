"""A text in words about the figures of a run, by any service that speaks OpenAI's chat completions. Off by default.

What belongs here: what is sent (numbers under our own names for them, nothing else), what is asked for, and whether the
answer can be used. What does not: which figures there are (reports), HTTP (`upstream`). Without a service, or when it
fails, there is no text and a reason: no report waits for it, or is different in its figures because of it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import dagster as dg

from billing_pipeline.engine.errors import UpstreamError, printable
from billing_pipeline.resources.upstream import Options, UpstreamClient

Figures = Mapping[str, Mapping[str, int | Decimal | None]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MOST = 1_500  # characters of a text
_WEEK = Decimal(7)  # days: a text may speak of "the last 7 days"
_ASKED = (
    "You are given the figures of one run of a billing audit as JSON: counts of findings, and dollars at stake. Say in"
    " at most five plain sentences what stands out and what developed, for the manager of billing. Use only numbers"
    " that stand in the JSON, exactly as they stand there; compute none. No list, no headings, no advice that the"
    " figures do not carry. null means that a figure could not be judged."
)


@dataclass(frozen=True, slots=True)
class NarrativeService:
    """Where to ask: the address before `/chat/completions`, the key ("" for none), the model."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 20.0  # seconds for the whole answer


class NarrativePlace(dg.ConfigurableResource["NarrativePlace"]):
    """Whether there is a service, and which: `url` is "" without one; `key` as EnvVar."""

    url: str = ""
    model: str = ""
    key: str = ""

    @property
    def service(self) -> NarrativeService | None:
        return NarrativeService(self.url, self.model, self.key) if self.url else None


@dataclass(frozen=True, slots=True)
class Narrative:
    """The text, or None and the reason why there is none."""

    text: str | None
    reason: str = ""


def narrative(figures: Figures, service: NarrativeService | None) -> Narrative:
    """What the service makes of the figures; never an error. No service: no text, and nothing is sent anywhere.

    A text with a number that is not among the figures is not used. Source: decision 20; spec 3.5.
    """
    if service is None:
        return Narrative(None, "no service is set")
    if not _numbers_only(figures):
        return Narrative(None, "the figures hold something else than numbers: nothing was sent")
    asked = {
        "model": service.model,
        "temperature": 0,
        "messages": [{"role": "system", "content": _ASKED}, {"role": "user", "content": _document(figures)}],
    }
    try:
        text = _text(service, asked)
    except UpstreamError as error:
        return Narrative(None, str(error))
    if not text:
        return Narrative(None, "the service gave no text")
    invented = [number for number in _NUMBER.findall(text) if _value(number) not in _known(figures)]
    if invented:
        return Narrative(None, f"the text speaks of {printable(invented[0], 20)}, which is no figure of this run")
    return Narrative(text)


def _numbers_only(figures: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether nothing but numbers would leave: a name of a person or a work request is no name of a figure."""
    names = [*figures, *(name for group in figures.values() for name in group)]
    values = [value for group in figures.values() for value in group.values()]
    return all(_NAME.fullmatch(name) for name in names) and all(
        value is None or (isinstance(value, (int, Decimal)) and not isinstance(value, bool)) for value in values
    )


def _document(figures: Figures) -> str:
    return json.dumps(
        {
            group: {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}
            for group, values in figures.items()
        }
    )


def _text(service: NarrativeService, asked: Mapping[str, object]) -> str:
    client = UpstreamClient(
        "narrative service",
        service.url,
        setting_url="BILLING_NARRATIVE_URL",
        setting_key="BILLING_NARRATIVE_KEY",
        authorization=f"Bearer {service.key}" if service.key else "",
        secrets=[service.key],
        options=Options(timeout=service.timeout, deadline=service.timeout, attempts=1, most_bytes=1 << 20),
    )
    answer = client.post("/chat/completions", document=asked)
    choices = answer.rows("choices")
    said = answer.text(choices[0], "message", "content") if choices else None
    return printable(" ".join((said or "").split()), _MOST)


def _known(figures: Figures) -> set[Decimal]:
    """The numbers a text may speak of; a fall of 12 per cent is said without its sign."""
    values = [value for group in figures.values() for value in group.values() if value is not None]
    return {abs(Decimal(value)) for value in values} | {_WEEK}


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))
