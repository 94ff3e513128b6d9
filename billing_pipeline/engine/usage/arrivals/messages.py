"""Every text about files in the usage folder that people read, and what is said together.

What belongs here: which file and what is the matter with it. What does not: deciding when something is said, and the
frame around it (title, advice), which stands with the other notices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Literal

from billing_pipeline.engine.errors import printable
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals.names import Claim

_ALONE = 3  # as many of one kind are told one by one; more at one look are told together
_NAMED = 5


Kind = Literal["wrong_month", "unstable", "duplicate", "ambiguous", "vanished", "folder_gone", "folder_back"]


@dataclass(frozen=True, slots=True)
class Told:
    """Something people are to hear once: `key` is the same whenever it is the same fact. `text`: one fact per line."""

    key: str
    kind: Kind
    text: str


def trouble(path: str, claim: Claim, current: Period, first: Period) -> Told:
    """Why a file is not taken, by what its path claims."""
    month, folder = claim.period or "", claim.folder or ""
    text = {
        "misnamed": f"is in the folder of {folder} and not named as usage: YYYY.MM_<anything>.csv",
        "no_month": "begins with a month that does not exist; usage is named YYYY.MM_<anything>.csv",
        "unprintable": "holds characters that a name may not hold, in its name or its folder's",
        "other_folder": f"says {month} in its name, {folder} in its folder's",
        "before_start": f"is of {month}, before the first month that is billed here, {first} (BILLING_START_MONTH)",
        "future_month": f"is of {month}; this month is {current}. It is taken when its month begins",
    }[claim.trouble]
    return _about(claim.trouble, "wrong_month", path, text)


def shrunk(path: str) -> Told:
    """A file lost bytes while it arrived."""
    return _about("shrunk", "unstable", path, "became smaller while it arrived")


def unsettled(path: str, looks: int) -> Told:
    """A file keeps changing."""
    return _about("unsettled", "unstable", path, f"was still changing after {looks} looks at it")


def unreadable(path: str, reason: str) -> Told:
    """A file cannot be read."""
    return _about("unreadable", "unstable", path, f"cannot be read: {printable(reason)}")


def duplicate(path: str, original: str) -> Told:
    """A file holds what another one holds."""
    return _about("duplicate", "duplicate", path, f"holds the same as {shown(original)}")


def two_contents(month: str, paths: Sequence[str], contents: Iterable[str]) -> Told:
    """Files of one month that has no release say different things; none is started while both are there."""
    names = [*map(shown, paths[:_NAMED]), *([f"… and {len(paths) - _NAMED} more"] if len(paths) > _NAMED else [])]
    text = "\n".join((f"{month}: these hold different usage, and none of them is started.", *names))
    return Told(f"two_contents:{month}:{_digest(*sorted(contents))}", "ambiguous", text)


def vanished(month: str, content: str, path: str) -> Told:
    """A file is gone and its run has not succeeded."""
    return Told(f"vanished:{month}:{content}", "vanished", f"{month}: {shown(path)} is gone, and its run had failed")


def folder_gone(outage: str, reason: str) -> Told:
    """The usage folder cannot be listed."""
    return Told(f"folder_gone:{outage}", "folder_gone", printable(reason, 200))


def folder_back(outage: str) -> Told:
    """The usage folder can be listed again."""
    return Told(f"folder_back:{outage}", "folder_back", f"it was away since {outage.partition('#')[0]}")


def together(told: Iterable[Told]) -> tuple[Told, ...]:
    """What is told at one look: many of one kind in one text, so that a folder of wrong files is one notice."""
    out: list[Told] = []
    for kind, same in groupby(sorted(told, key=lambda one: one.kind), key=lambda one: one.kind):
        group = list(same)
        if len(group) <= _ALONE:
            out += group
            continue
        more = f"\n… and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
        text = "\n".join(one.text for one in group[:_NAMED]) + more
        out.append(Told(f"{kind}:{_digest(*(one.key for one in group))}", kind, text))
    return tuple(out)


def shown(path: str) -> str:
    """A path for people."""
    return printable(path, 120)


def _about(fact: str, kind: Kind, path: str, text: str) -> Told:
    return Told(f"{fact}:{_digest(path)}", kind, f"{shown(path)} {text}")


def _digest(*parts: str) -> str:
    """A short key over texts from outside, which may not even be Unicode."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
