"""`doctor`: what is configured, reachable, stale or missing, and what to do about it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from billing_pipeline.cli.console import DONE, WAITING, output, print_json, safe
from billing_pipeline.cli.findings import Finding

_COLOURS = {"fine": "green", "note": "cyan", "attention": "bold yellow"}


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")
    ] = False,
) -> None:
    """Say what is configured and where it comes from, what can be reached, what is stale, what is missing.

    Looks at the installation that the settings (BILLING_*) describe; changes nothing.

    Exit code 0: all is fine. 3: something needs a person. 2: a setting cannot be used.

    [bold]Examples[/bold]

      billing-pipeline doctor

      BILLING_USAGE_DIR=/srv/usage billing-pipeline doctor --json
    """
    import os

    from billing_pipeline.cli.health import configured, findings, versions
    from billing_pipeline.settings import load_settings

    settings = load_settings()
    known, found = configured(settings, os.environ), findings(settings, os.environ)
    waiting = sum(finding.state == "attention" for finding in found)
    if json:
        status = "attention" if waiting else "fine"
        checks = [finding.as_dict() for finding in found]
        print_json({"status": status, "versions": versions(), "settings": known, "checks": checks})
    else:
        _print(versions(), known, found, waiting)
    raise typer.Exit(WAITING if waiting else DONE)


def _print(
    versions: Mapping[str, str], known: Iterable[Mapping[str, Any]], found: Iterable[Finding], waiting: int
) -> None:
    output.print(" · ".join(f"{name} {version}" for name, version in versions.items()), style="dim")
    output.print()
    output.print(_settings_grid(known))
    output.print()
    output.print(_findings_grid(found))
    output.print()
    things = "1 thing needs" if waiting == 1 else f"{waiting} things need"
    output.print(f"[bold yellow]{things} a person.[/bold yellow]" if waiting else "[green]All is fine.[/green]")


def _settings_grid(known: Iterable[Mapping[str, Any]]) -> Table:
    grid = _grid(2)
    for setting in known:
        value = safe(setting["value"]) if setting["value"] is not None else "[dim]not set[/dim]"
        grid.add_row(setting["name"], f"{value} [dim]({setting['source']})[/dim]")
        grid.add_row("", f"[dim]{safe(setting['help'])}[/dim]")
    return grid


def _findings_grid(found: Iterable[Finding]) -> Table:
    grid = _grid(3)
    for finding in found:
        colour = _COLOURS[finding.state]
        grid.add_row(safe(finding.subject), f"[{colour}]{finding.state}[/{colour}]", safe(finding.found))
        if finding.advice:
            grid.add_row("", "", f"[dim]-> {safe(finding.advice)}[/dim]")
    return grid


def _grid(columns: int) -> Table:
    """Columns that stay on one line, then one that wraps."""
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns - 1):
        grid.add_column(no_wrap=True)
    grid.add_column()
    return grid
