"""Loaded by Python itself in the processes of an end-to-end test: kills a run's process at a chosen point of its work.

Points are counted from the opening of the usage file: files opened for writing, renames, links, removals, and database
transactions, each once before and once after. KILL_TICKETS is a folder with a file per month that holds the number;
whoever takes the ticket dies there. Without a ticket the points are only counted, into `<month>.count`.
"""

import os
import signal
import sqlite3
import sys
from pathlib import Path

TICKETS = os.environ.get("KILL_TICKETS", "")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
COUNTED = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile", "shutil.rmtree"}


def month_of_this_run() -> str:
    """The partition of the run that this process executes, from Dagster's own storage; "" elsewhere."""
    if "execute_run" not in sys.argv:
        return ""
    text = sys.argv[-1]
    run_id = text.split('"run_id": "')[1].split('"')[0]
    with sqlite3.connect(f"file:{os.environ['DAGSTER_HOME']}/history/runs.db?mode=ro", uri=True) as connection:
        found = connection.execute(
            "SELECT value FROM run_tags WHERE run_id = ? AND key = 'dagster/partition'", (run_id,)
        ).fetchone()
    return found[0] if found else ""


class Points:
    """Counts the points of this process and dies at the one its ticket names."""

    def __init__(self, month: str) -> None:
        self.month, self.count, self.begun, self.dying = month, 0, False, False
        self.last = 0
        try:
            taken = Path(TICKETS, f"{month}.{os.getpid()}")
            Path(TICKETS, month).rename(taken)
            self.last = int(taken.read_text())
        except FileNotFoundError:
            pass

    def point(self) -> None:
        if not self.begun or self.dying:
            return
        self.count += 1
        if self.last and self.count >= self.last:
            self.dying = True
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            name, _, flags = arguments
            if (
                isinstance(name, (str, bytes, Path))
                and f"{self.month.replace('-', '.')}_" in str(name)
                and str(name).endswith(".csv")
            ):
                self.begun = True
            if isinstance(flags, int) and flags & WRITING:
                self.point()
        elif event in COUNTED:
            self.point()

    def finish(self) -> None:
        if not self.last:
            with Path(TICKETS, f"{self.month}.count").open("w", encoding="utf-8") as file:
                file.write(str(self.count))


def install() -> None:
    month = month_of_this_run()
    if not month:
        return
    import atexit

    from sqlalchemy.engine.default import DefaultDialect

    points = Points(month)
    commit = DefaultDialect.do_commit

    def counted(dialect: object, connection: object) -> None:
        points.point()
        commit(dialect, connection)
        points.point()

    DefaultDialect.do_commit = counted
    sys.addaudithook(points.hear)
    atexit.register(points.finish)


if TICKETS:
    install()
