"""What a look at the usage folder leads to: runs to start, things to tell, what to wait for, what to remember.

What belongs here: the rules of taking files. What does not: listing, hashing, asking for facts, starting, sending.
Source: interface document (jobs, states), spec 6.2 with Q53, Q54, Q73.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing_pipeline.engine.close.attempts import Attempt, NextAttempt, next_attempt
from billing_pipeline.engine.errors import printable
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import messages
from billing_pipeline.engine.usage.arrivals.looking import Limits, Survey, remembered
from billing_pipeline.engine.usage.arrivals.memory import Memory, Remembered
from billing_pipeline.engine.usage.arrivals.messages import Told, shown
from billing_pipeline.engine.usage.arrivals.names import month_of

_MANY_LOOKS = 12  # half a working day at the default interval, a minute at five seconds

Content = tuple[str, str]  # month key, SHA-256 of the usage


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the folder. `hashes`: SHA-256 of files that stood still; `unreadable`: path and reason;
    `judged`: contents that have a verdict; `released`: SHA-256 of the usage of a month's current release; `attempts`:
    runs of contents that are not judged, oldest first."""

    hashes: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    judged: Collection[Content] = frozenset()
    released: Mapping[str, str] = field(default_factory=dict)
    attempts: Mapping[Content, Sequence[Attempt]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """A run to start. `rebill`: the month has a release, so what the run finds waits for a person."""

    period: Period
    path: str
    sha256: str
    attempt: int
    rebill: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`told` goes to people once, `said` to the log, `waits` is what the next looks are for."""

    starts: tuple[Start, ...]
    told: tuple[Told, ...]
    said: tuple[str, ...]
    waits: tuple[str, ...]
    memory: Memory


def decide(look: Survey, memory: Memory, facts: Facts, now: datetime, limits: Limits) -> Decision:
    """What follows from one look. The same look with the memory it left starts nothing and tells nothing again."""
    files = remembered(look, memory, facts.hashes, facts.unreadable)
    by_content = _by_content(look, files)
    following = {
        content: next_attempt(
            facts.attempts.get(content, ()), now, retry_seconds=limits.retry_seconds, limit=limits.attempts
        )
        for content in {*by_content, *_left(look, memory)}
        if content not in facts.judged
    }
    gone = _gone(look, memory, by_content, following, facts)
    running = {content: path for content, path in gone.items() if following[content].step == "running"}
    months = _Months(look, files, by_content, following, facts)
    holds = [*look.troubles, *_file_told(files, facts), *_duplicates(by_content), *months.told()]
    told = [one for one in holds if one.key not in memory.told]
    told += [messages.vanished(*content, path) for content, path in gone.items() if content not in running]
    starts = tuple(months.starts())
    return Decision(
        starts,
        (*([messages.folder_back(memory.away)] if memory.away else []), *messages.together(told)),
        tuple(_said(starts, facts)),
        tuple(months.waits()),
        Memory(files, running, frozenset(one.key for one in holds), memory.outages),
    )


def unreachable(memory: Memory, reason: str, now: datetime) -> Decision:
    """The folder could not be listed: everything remembered stays, and the outage is told once."""
    waits = ("the usage folder to come back",)
    if memory.away:
        return Decision((), (), (), waits, memory)
    outage = f"{now:%Y-%m-%d}#{memory.outages + 1}"
    after = replace(memory, outages=memory.outages + 1, away=outage)
    return Decision((), (messages.folder_gone(outage, reason),), (), waits, after)


def _by_content(look: Survey, files: Mapping[str, Remembered]) -> dict[Content, list[str]]:
    """The paths that hold each content, the one known longest first."""
    out: dict[Content, list[str]] = {}
    for path, file in files.items():
        if file.sha256:
            out.setdefault((look.months[path], file.sha256), []).append(path)
    return out


def _left(look: Survey, memory: Memory) -> dict[Content, str]:
    """The contents whose files are no longer there; where a file has got other content, that one takes its place."""
    left = {
        (month, file.sha256): path
        for path, file in memory.files.items()
        if file.sha256 and path not in look.files and (month := month_of(path))
    }
    return {content: path for content, path in {**memory.gone, **left}.items() if content[0] >= look.oldest}


def _gone(
    look: Survey,
    memory: Memory,
    here: Collection[Content],
    following: Mapping[Content, NextAttempt],
    facts: Facts,
) -> dict[Content, str]:
    """The vanished contents that matter: their run goes on, or failed and would be tried again."""
    return {
        content: path
        for content, path in _left(look, memory).items()
        if content not in here
        and facts.attempts.get(content)
        and content in following
        and following[content].step in ("running", "due", "later")
    }


@dataclass(frozen=True, slots=True)
class _Months:
    """The months of the contents that are there, and what follows for each."""

    look: Survey
    files: Mapping[str, Remembered]
    by_content: Mapping[Content, Sequence[str]]
    following: Mapping[Content, NextAttempt]
    facts: Facts

    def starts(self) -> Iterator[Start]:
        """The runs that are due, of months in which it is clear which content to bill."""
        for content, path in self._clear():
            after, (month, sha256) = self.following[content], content
            if after.step == "due" and not self._is_held(content):
                rebill = self.facts.released.get(month, sha256) != sha256
                yield Start(Period.parse(month), path, sha256, after.number, rebill)

    def told(self) -> Iterator[Told]:
        """Months that a person has to look at."""
        for month, contents in self._unclear().items():
            paths = [self.by_content[content][0] for content in contents]
            yield messages.two_contents(month, paths, [sha256 for _, sha256 in contents])

    def waits(self) -> Iterator[str]:
        """What the next looks are for."""
        for path, file in self.files.items():
            if not file.sha256:
                yield f"{shown(path)} to stand still"
        for month in self._unclear():
            yield f"one file of {month} to be left"
        for content, path in self._clear():
            after, month = self.following[content], content[0]
            if after.step == "running":
                yield f"the run of {month} over {shown(path)}"
            elif after.step == "later" and after.at:
                yield f"attempt {after.number} at {shown(path)}, due {after.at:%Y-%m-%d %H:%M:%S %Z}"
            elif after.step == "given_up":
                yield f"a person: every attempt at {shown(path)} failed"
            elif after.step == "due" and self._is_held(content):
                yield f"the other files of {month} before {shown(path)} is taken"

    def _clear(self) -> Iterator[tuple[Content, str]]:
        """Contents to bill with the path of each, months in order."""
        unclear = self._unclear()
        for content in sorted(self.following.keys() & self.by_content.keys()):
            if content[0] not in unclear:
                yield content, self.by_content[content][0]

    def _unclear(self) -> dict[str, list[Content]]:
        """Months without a release of which more than one content is there that has not been judged."""
        months: dict[str, list[Content]] = {}
        for content in self.by_content:
            if content in self.following and content[0] not in self.facts.released:
                months.setdefault(content[0], []).append(content)
        return {month: contents for month, contents in sorted(months.items()) if len(contents) > 1}

    def _is_held(self, content: Content) -> bool:
        """Whether a month's first run waits for another of its files: two different ones are not to be a race."""
        month = content[0]
        return (
            not self.facts.attempts.get(content)
            and month not in self.facts.released
            and any(_is_arriving(file) for path, file in self.files.items() if self.look.months[path] == month)
        )


def _is_arriving(file: Remembered) -> bool:
    """Whether a file may stand still soon; one that never does holds its month up no longer."""
    return not file.sha256 and file.size > 0 and file.unsettled < _MANY_LOOKS


def _file_told(files: Mapping[str, Remembered], facts: Facts) -> Iterator[Told]:
    for path, file in files.items():
        if file.shrunk:
            yield messages.shrunk(path)
        if file.unsettled >= _MANY_LOOKS:
            reason = facts.unreadable.get(path)
            yield messages.unreadable(path, reason) if reason else messages.unsettled(path, _MANY_LOOKS)


def _duplicates(by_content: Mapping[Content, Sequence[str]]) -> Iterator[Told]:
    for original, *copies in by_content.values():
        yield from (messages.duplicate(path, original) for path in copies)


def _said(starts: Sequence[Start], facts: Facts) -> Iterator[str]:
    for start in starts:
        what = "re-bill" if start.rebill else "billing"
        yield f"{start.period}: {what} of {shown(start.path)} started, attempt {start.attempt}"
    for path, sha256 in facts.hashes.items():
        if (month_of(path), sha256) in facts.judged:
            yield f"{shown(path)} holds what has been judged for its month"
    for path, reason in facts.unreadable.items():
        yield f"{shown(path)} cannot be read: {printable(reason)}"
