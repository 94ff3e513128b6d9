"""Loaded by Python itself in the processes of an end-to-end test: kills a run's process at a chosen point of its work.

Points are counted from the opening of the usage file: files opened for writing, renames, links, removals, and database
transactions, each once before and once after. KILL_TICKETS is a folder with a file per month that holds the number;
whoever takes the ticket dies there. Without a ticket the points are only counted, into `<month>.count`.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICKETS = os.environ.get("KILL_TICKETS", "")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
COUNTED = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile", "shutil.rmtree"}


class Points:
    """Counts the points of this process and dies at the one its ticket names."""

    def __init__(self, month: str) -> None:
        self.month, self.count, self.begun, self.last = month, 0, False, 0
        taken = Path(TICKETS, f"{month}.taken")
        try:
            Path(TICKETS, month).rename(taken)
            self.last = int(taken.read_text())
        except FileNotFoundError:
            pass

    def point(self) -> None:
        if self.begun:
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            name, _, flags = arguments
            dotted = self.month.replace("-", ".")
            self.begun = self.begun or (f"{dotted}_" in str(name) and str(name).endswith(".csv"))
            if isinstance(flags, int) and flags & WRITING:
                self.point()
        elif event in COUNTED:
            self.point()

    def finish(self) -> None:
        self.begun = False
        if not self.last:
            Path(TICKETS, f"{self.month}.count").write_text(str(self.count))


def install() -> None:
    """Wrap what a run's process does from its first step to its last."""
    from dagster._grpc import impl
    from sqlalchemy.engine.default import DefaultDialect

    execute, commit = impl.core_execute_run, DefaultDialect.do_commit

    def counted(recon_job: Any, run: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
        month = run.tags.get("dagster/partition")
        if not month:
            yield from execute(recon_job, run, *arguments, **named)
            return
        points = Points(month)

        def committed(dialect: DefaultDialect, connection: Any) -> None:
            points.point()
            commit(dialect, connection)
            points.point()

        DefaultDialect.do_commit = committed  # type: ignore[method-assign]
        sys.addaudithook(points.hear)
        yield from execute(recon_job, run, *arguments, **named)
        points.finish()

    impl.core_execute_run = counted


if TICKETS and any("spawn_main" in argument for argument in sys.orig_argv):
    install()
