"""`unbilled`: work that was done and not invoiced."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from billing_pipeline.cli.console import BAD_INPUT, DONE, WAITING, print_json
from billing_pipeline.cli.options import Json
from billing_pipeline.engine.errors import InputError


def unbilled(
    time_logs: Annotated[
        Path | None, typer.Option(help="Time logs, .csv or .parquet (with --contracts); default: all there is.")
    ] = None,
    contracts: Annotated[
        Path | None, typer.Option(help="Contract rules, .csv or .parquet (with --time-logs); default: all there is.")
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="DOLLARS",
            help="Leakage above this is an alert (default: the profile's, 1500.00); clients keep their own.",
        ),
    ] = None,
    watch: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Stay, look again every so many seconds (--watch 5), show what changed; Ctrl-C ends.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show revenue that leaks: billable hours on time and materials that were logged and not invoiced, by project.

    Without files everything is looked at that the pipeline looks at by itself: time_logs*.csv and contracts*.csv (or
    .parquet) of the folder BILLING_UNBILLED_DIR, and support hours of managed-services clients that were not billed.
    Logs that cannot be judged are quarantined, counted and named. Nobody is told of what is shown here.

    Exit code 0: no project is above its threshold. 3: there are alerts. 2: bad input, or HALT: a feed is missing or
    empty, and no figure is reported. --watch ends with 0.

    [bold]Examples[/bold]

      billing-pipeline unbilled --time-logs time_logs.csv --contracts contracts.csv

      billing-pipeline unbilled --threshold 2500 --json

      billing-pipeline unbilled --watch 5
    """
    from billing_pipeline.cli.unbilled_view import print_halt, print_report, watched
    from billing_pipeline.cli.unbilling import documented, interval, look_at, looks, source_of, terms_of
    from billing_pipeline.resources.unbilled_folder import HaltError
    from billing_pipeline.settings import load_settings

    if json and watch is not None:
        raise InputError("--json is one document and --watch never ends; leave one of them out")
    settings = load_settings()
    source, terms = source_of(settings, time_logs, contracts), terms_of(settings, threshold)
    if watch is not None:
        watched(looks(source, terms, settings.zone, interval(watch)))
        raise typer.Exit(DONE)
    try:
        found = look_at(source, terms, datetime.now(settings.zone).date())
    except HaltError as error:
        print_halt(error)
        raise typer.Exit(BAD_INPUT) from None
    if json:
        print_json(documented(found))
    else:
        print_report(found)
    raise typer.Exit(WAITING if found.projects["alert"].any() else DONE)
