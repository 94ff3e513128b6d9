"""Several processes as one: started together, stopped together, none left behind.

What belongs here: signals, process groups, waiting. What does not: which processes they are (`up`).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

_TICK = 0.2  # seconds between two looks at the processes
_SOON = 3.0  # seconds the processes have to end by themselves, at each step of asking
_PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal a process gets when its parent dies


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that was started, by the name people know it under. It leads a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]


class Stop(BaseException):
    """A person or a supervisor wants everything to end: no error, and not to be caught as one on its way."""


class ChildEnded(Exception):  # noqa: N818
    """One of the processes ended by itself; the others are of no use without it."""


class Signals:
    """A context in which SIGINT, SIGTERM and SIGHUP raise Stop; a second one while things end changes nothing.

    Set explicitly: a shell that starts a command in the background switches SIGINT off for it.
    """

    _WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._deferred = False
        self._came: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._stop) for number in self._WANTED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, a signal waits: for what must not be cut between starting something and remembering it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self._came:
            raise Stop(self._came)

    def _stop(self, number: int, _: FrameType | None) -> None:
        for each in self._WANTED:
            signal.signal(each, signal.SIG_IGN)
        self._came = signal.Signals(number).name
        if not self._deferred:
            raise Stop(self._came)


class Processes:
    """A context in which processes run; at its end all of them are stopped, the last started first.

    A terminal's Ctrl-C reaches only us, because each leads a session of its own: it is passed on once, in order.
    """

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self.grace = _SOON  # seconds they have to end by themselves; more where work may be going on
        self._started: list[_Child] = []

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._started[::-1], self.grace)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a command under the name that people know it by."""
        with self._signals.deferred():
            process = subprocess.Popen(  # noqa: S603  # our own commands
                command,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_as_child,  # noqa: PLW1509  # we have no threads
            )
            self._started.append(_Child(name, process))

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Return when `until` says so; ChildEnded when one of the processes ends before."""
        while not until():
            for child in self._started:
                if (code := child.process.poll()) is not None:
                    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
                    raise ChildEnded(f"{child.name} {how}")
            time.sleep(_TICK)


def _end(stopping: Sequence[_Child], grace: float) -> None:
    """Ask each process to end, wait, then end whatever is left of its group: workers of its own, and deaf ones."""
    for child in stopping:
        with suppress(ProcessLookupError):
            child.process.terminate()
    give_up = time.monotonic() + grace
    for child in stopping:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, give_up - time.monotonic()))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in stopping:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, number)
        if not _any_left(stopping):
            break
    for child in stopping:
        child.process.wait()


def _any_left(stopping: Sequence[_Child]) -> bool:
    """Whether a process of their groups still lives after some seconds."""
    give_up = time.monotonic() + _SOON
    while any(_group_lives(child) for child in stopping):
        if time.monotonic() >= give_up:
            return True
        time.sleep(_TICK)
    return False


def _group_lives(child: _Child) -> bool:
    child.process.poll()  # takes the dead leader out of the process table
    try:
        os.killpg(child.process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _as_child() -> None:
    """In the new process: take signals again if they came meanwhile, and (Linux) end when we are killed outright."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
