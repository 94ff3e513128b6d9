"""`bill`: one month from its files, into a folder of its own."""

from typing import Annotated

import typer

from billing_pipeline.cli.console import DONE, REFUSED, WAITING, print_json
from billing_pipeline.cli.options import InputsDir, Json, MonthOption, OutputsDir, Overrides, RulesFile, UsageFile


def bill(
    outputs_dir: OutputsDir,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    month: MonthOption = None,
    overrides: Overrides = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Undecided flags keep the import file from being written.")
    ] = False,
    json: Json = False,
) -> None:
    """Price one month and write every output: ERP import, held lines, partner workbooks, master report, manifest.

    Exit code 0: done. 3: done, and something waits for a person (undecided flags, held lines). 2: an input cannot be
    used. 4: refused, nothing was published (a control failed, the gate is closed).

    [bold]Examples[/bold]

      billing-pipeline bill --inputs-dir in --outputs-dir out --month 2026-01

      billing-pipeline bill --usage-file 2026.01_usage.csv --rules-file rules.xlsx --outputs-dir out --gate --json
    """
    from billing_pipeline.cli.closing import close_month, progress_bar
    from billing_pipeline.cli.results import close_document, print_close
    from billing_pipeline.cli.target import Place, target_month

    target = target_month(Place(outputs_dir, inputs_dir, usage_file, rules_file, overrides), month, gated=gate)
    with progress_bar() as progress:
        judged = close_month(target, progress)
    document = close_document(target, judged)
    if json:
        print_json(document)
    else:
        print_close(document, outputs_dir)
    if not judged.publish:
        raise typer.Exit(REFUSED)
    raise typer.Exit(WAITING if document["undecided"] or document["held_lines"] else DONE)
