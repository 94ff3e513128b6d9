"""What the command line says and how: tables to standard error beside progress, JSON alone on standard output."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from billing_pipeline.engine.errors import printable

DONE, FAILED, BAD_INPUT, WAITING, REFUSED = 0, 1, 2, 3, 4
VERDICTS = {"CLEAN": DONE, "FINDINGS": WAITING, "NOT_VERIFIED": REFUSED}
"""The exit code by what an audit says as a whole: what could not be looked at is not called clean."""
_COLOURS = {"PASS": "green", "REVIEW REQUIRED": "yellow", "FAIL": "bold red"}

messages = Console(stderr=True, highlight=False)
output = Console(highlight=False)


def safe(text: object) -> str:
    """Text from outside for the terminal: no markup, no control characters."""
    return escape(printable(str(text), limit=1000))


def say(text: str) -> None:
    """One message on standard error, in one line however long: paths stay whole, to be copied."""
    messages.print(text, soft_wrap=True)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))  # noqa: T201


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], right: Iterable[str] = ()) -> Table:
    """A quiet table; the columns named in `right` are aligned for figures, statuses are coloured."""
    grid = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    figures = set(right)
    for column in columns:
        grid.add_column(column, justify="right" if column in figures else "left")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    return grid


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    colour = _COLOURS.get(text)
    return f"[{colour}]{text}[/{colour}]" if colour else safe(text)
