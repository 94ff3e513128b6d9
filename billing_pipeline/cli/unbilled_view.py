"""Unbilled hours on the terminal: the leakage report once, or live. Source: spec 2.7, 2.8, U1, U3, U10, U11."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from billing_pipeline.cli.console import messages, safe, table
from billing_pipeline.cli.processes import Signals, Stop
from billing_pipeline.cli.unbilling import Look
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.unbilled.examining import Examined
from billing_pipeline.engine.unbilled.tables import (
    BILLED,
    EXCLUDED,
    FIXED_PRICE_OVERRUN,
    KINDS,
    QUARANTINE,
    QUARANTINED,
    TIME_LEAKAGE,
    UNBILLED,
)
from billing_pipeline.resources.unbilled_folder import HALT

TITLE = "Immediate Action Required Leakage Report"
_FAR = 2  # times its threshold, from where on an alert is red
_ALERTS = 25  # shown; of the others how many there are and what they come to
_FINDINGS = 10
_NAMED = 5  # logs of a reason
_UNDATED = "undated"
_AGES = {
    "days_0_30": "0-30 days", "days_31_60": "31-60", "days_61_90": "61-90", "days_over_90": "90+", "undated": _UNDATED,
}  # fmt: skip


def print_report(found: Examined) -> None:
    """The report on standard error."""
    _print(_report(found))


def print_halt(error: InputError) -> None:
    """The banner of a missing or empty feed."""
    _print(_problem(str(problem)) for problem in error.problems)


def watched(looks: Iterable[Look]) -> None:
    """Show look after look until a signal asks to end: in place on a terminal, else below each other."""
    with Signals() as signals, suppress(Stop), ExitStack() as screen:
        with signals.deferred():  # a signal never comes between hiding the cursor and knowing how to show it again
            in_place = messages.is_terminal and not messages.is_dumb_terminal
            show = screen.enter_context(_live() if in_place else nullcontext(_print))
        for look in looks:
            with signals.deferred():
                show(_looked(look))


@contextmanager
def _live() -> Iterator[Callable[[Iterable[RenderableType]], None]]:
    waiting = Text("reading the time logs and contracts …", style="dim")
    with Live(waiting, console=messages, auto_refresh=False) as live:
        yield lambda parts: live.update(Group(*parts), refresh=True)


def _print(parts: Iterable[RenderableType]) -> None:
    """Sentences stay in one line however long, as everywhere; tables keep to the width."""
    for part in parts:
        messages.print(part, soft_wrap=isinstance(part, Text))


def _looked(look: Look) -> Iterator[RenderableType]:
    """The figures of a look; after one that went wrong the last good ones, marked stale, with what is wrong.

    What is wrong stands above them: a low terminal cuts off what stands last.
    """
    good = f"{look.good_at:%H:%M:%S}" if look.good_at else ""
    yield from map(_problem, look.problems)
    if look.problems and good:
        yield _line(f"[bold black on yellow] STALE [/bold black on yellow] since {good}: the figures below are of then")
    if look.found is not None:
        yield from _report(look.found)
    if not look.problems:
        yield _line(f"[dim]looked at {good}; Ctrl-C ends[/dim]")


def _problem(problem: str) -> Text:
    if problem.startswith(HALT):
        said = safe(problem.removeprefix(HALT))
        return _line(f"[bold white on red] {HALT.strip(': ')} [/bold white on red] [bold red]{said}[/bold red]")
    return _line(f"[bold red]error[/bold red] {safe(problem)}")


def _report(found: Examined) -> Iterator[RenderableType]:
    yield from _alerts(found.projects.filter("alert"))
    yield Text()
    yield from _summed("below the threshold", found.projects.filter(~pl.col("alert")))
    yield from _ages(found)
    yield from _findings(found.leaks.filter(~pl.col("category").is_in((TIME_LEAKAGE, QUARANTINE))))
    yield from _quarantine(found.judged.filter(state=QUARANTINED))
    yield _balance(found.balance)


def _alerts(alerts: pl.DataFrame) -> Iterator[RenderableType]:
    """The projects that are told, the largest leakage first: red far above the threshold, else yellow."""
    if alerts.is_empty():
        yield _line("[green]No critical leakage was found: nothing is above its threshold.[/green]")
        return
    ordered = alerts.sort("amount", "project_id", descending=[True, False])
    grid = _grid(TITLE, ("Project ID", "Client Name"), ("Unbilled Hours", "Leakage (USD)"))
    shown = ordered.head(_ALERTS).select("project_id", "client", "hours", "amount", "threshold")
    for project, client, hours, amount, threshold in shown.iter_rows():
        style = "bold red" if amount > _FAR * threshold else "yellow"
        grid.add_row(safe(project), safe(client), _hours(hours), _dollars(amount), style=style)
    yield grid
    yield from _summed("[bold]and more above it[/bold]; --json has them all", ordered.slice(_ALERTS))


def _summed(title: str, projects: pl.DataFrame) -> Iterator[RenderableType]:
    """Projects that are not shown one by one, in one line."""
    if not projects.is_empty():
        named = "1 project" if projects.height == 1 else f"{projects.height:,} projects"
        hours, amount = (Decimal(projects[name].sum()) for name in ("hours", "amount"))
        yield _line(f"{title}: {named}, {_hours(hours)} h, {_dollars(amount)}")


def _ages(found: Examined) -> Iterator[RenderableType]:
    """Leakage by age; where no log has dates or expenses, nothing can be said of them, and that is said."""
    amounts = {title: Decimal(found.projects[name].sum()) for name, title in _AGES.items()}
    if found.judged["work_date"].is_null().all():
        yield _line("[dim]by age: not available, no log has a Work_Date[/dim]")
    else:
        told = (f"{title} {_dollars(amount)}" for title, amount in amounts.items() if amount or title != _UNDATED)
        yield _line(f"by age: {', '.join(told)}")
    if found.judged["expense_amount"].is_null().all():
        yield _line("[dim]expenses: not available, no log has an Expense_Amount[/dim]")


def _findings(others: pl.DataFrame) -> Iterator[RenderableType]:
    """What else is wrong with projects: overruns first, then the other kinds, the most expensive first."""
    if others.is_empty():
        return
    order = (FIXED_PRICE_OVERRUN, *(kind for kind in KINDS if kind != FIXED_PRICE_OVERRUN))
    rank = pl.col("category").replace_strict(order, range(len(order)), return_dtype=pl.Int64)
    ordered = others.sort(rank, pl.col("dollars"), "project_id", descending=[False, True, False], nulls_last=True)
    grid = _grid("Other findings", ("What", "Project ID", "Client Name"), ("USD",))
    grid.add_column("Why")
    shown = ordered.head(_FINDINGS).select("category", "project_id", "client", "dollars", "why")
    for kind, project, client, amount, why in shown.iter_rows():
        what = kind.replace("_", " ").lower()
        grid.add_row(what, safe(project), safe(client), _dollars(amount), safe(why))
    yield grid
    if others.height > _FINDINGS:
        yield _line(f"[dim]… and {others.height - _FINDINGS:,} more; --json has them all[/dim]")


def _quarantine(judged: pl.DataFrame) -> Iterator[RenderableType]:
    """The logs that cannot be judged: each reason with its count and its first logs."""
    place = pl.format("{} line {}", "file", "line")
    name = pl.when(pl.col("log_id").fill_null("") == "").then(place).otherwise("log_id")
    reasons = judged.group_by("reason").agg(pl.len(), name.head(_NAMED).alias("logs"))
    for reason, count, logs in reasons.sort("len", "reason", descending=[True, False]).iter_rows():
        more = ", …" if count > _NAMED else ""
        yield _line(f"[magenta]quarantined[/magenta], {safe(reason)}: {count:,} ({safe(', '.join(logs))}{more})")


def _balance(balance: pl.DataFrame) -> RenderableType:
    """Every log is in exactly one state: rows, hours with every digit, dollars of all, and of each."""
    counted = {
        state: f"{state} {rows:,} ({_exact(hours)} h, {_dollars(amount)})"
        for state, rows, hours, amount in balance.select("state", "rows", "hours", "amount").iter_rows()
    }
    parts = " + ".join(counted[state] for state in (BILLED, UNBILLED, EXCLUDED, QUARANTINED))
    return _line(f"[bold]{counted['logged']}[/bold] = {parts}")


def _grid(title: str, names: Iterable[str], figures: Iterable[str]) -> Table:
    """A table without rows; its figures are never broken over two lines."""
    right = tuple(figures)
    grid = table(title, (*names, *right), (), right)
    for column in grid.columns:
        column.no_wrap = column.justify == "right"
        column.overflow = "fold"
    return grid


def _line(markup: str) -> Text:
    return Text.from_markup(markup)


def _hours(hours: Decimal) -> str:
    return f"{hours.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def _exact(hours: Decimal) -> str:
    rounded = hours.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{rounded if rounded == hours else hours.normalize():,}"


def _dollars(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"${amount:,.2f}"
