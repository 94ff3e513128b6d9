"""`bill` and `review scan`: one month from its files, into a folder of its own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_pipeline.cli.console import DONE, REFUSED, WAITING, print_json
from billing_pipeline.engine.errors import InputError

if TYPE_CHECKING:  # Dagster takes a second to import: a command loads it when it runs
    from billing_pipeline.cli.closing import Month
    from billing_pipeline.engine.period import Period

InputsDir = Annotated[
    Path | None, typer.Option(help="Folder with usage files YYYY.MM_*.csv and gep_billing_rules.xlsx.")
]
UsageFile = Annotated[Path | None, typer.Option(help="One usage file, whatever its name (with --rules-file).")]
RulesFile = Annotated[
    Path | None, typer.Option(help="The rules workbook; default: gep_billing_rules.xlsx in --inputs-dir.")
]
OutputsDir = Annotated[
    Path, typer.Option(help="Folder for everything that is written; its state is kept in .billing/.")
]
MonthOption = Annotated[
    str | None, typer.Option(help="Month to bill, YYYY-MM; needed when there are files of several.")
]
Overrides = Annotated[Path | None, typer.Option(help="Decisions on flagged rows (billing_overrides.json).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")]

review_app = typer.Typer(no_args_is_help=True, help="Look at what has to be reviewed before a month is billed.")


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

    target = _month(outputs_dir, inputs_dir, usage_file, rules_file, month, overrides, gated=gate)
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


@review_app.command()
def scan(
    outputs_dir: OutputsDir,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    month: MonthOption = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """List the rows and partners a person has to look at; prices nothing.

    The list is also written as pre_scan_results_YYYY.MM.json. Exit code 3 while a flag has no decision, else 0.
    """
    from billing_pipeline.cli.closing import progress_bar, run_month
    from billing_pipeline.cli.results import print_review, review_document_of

    target = _month(outputs_dir, inputs_dir, usage_file, rules_file, month, overrides, gated=True)
    with progress_bar() as progress:
        run_month(target, "scan_month", progress)
    document = review_document_of(target)
    if json:
        print_json(document)
    else:
        print_review(document)
    raise typer.Exit(WAITING if document["status"] == "review_required" else DONE)


def _month(
    outputs_dir: Path,
    inputs_dir: Path | None,
    usage_file: Path | None,
    rules_file: Path | None,
    month: str | None,
    overrides: Path | None,
    *,
    gated: bool,
) -> "Month":
    """The month to run and its resources, from the options; InputError when they do not name one usage file."""
    from billing_pipeline.build import local_resources
    from billing_pipeline.cli.closing import Month
    from billing_pipeline.profile import load_profile
    from billing_pipeline.resources.gate import Gate
    from billing_pipeline.settings import RULES_NAME, load_settings

    settings = load_settings()
    if (inputs_dir is None) == (usage_file is None):
        raise InputError("give either --inputs-dir or --usage-file (with --rules-file)")
    if usage_file is not None and rules_file is None:
        raise InputError("--usage-file needs --rules-file, the rules workbook to price it by")
    folder = inputs_dir or (usage_file.parent if usage_file else Path())
    profile = load_profile(settings.profile)
    resources = local_resources(
        usage_dir=folder,
        rules_file=rules_file or folder / RULES_NAME,
        outputs_dir=outputs_dir,
        state_dir=outputs_dir / ".billing",
        profile=profile,
        gate=Gate(gated=gated, readback_rows=settings.readback_rows),
        usage_file=usage_file,
        overrides_file=overrides,
    )
    return Month(_period(inputs_dir, usage_file, month), profile, resources)


def _period(inputs_dir: Path | None, usage_file: Path | None, month: str | None) -> "Period":
    """The month asked for, else the one the file name claims, else the one all rows of the file name."""
    from billing_pipeline.engine.period import Period
    from billing_pipeline.resources.inputs import period_of_name, single_month_of, usage_files

    if month is not None:
        return Period.parse(month)
    if usage_file is not None:
        return period_of_name(usage_file.name) or single_month_of(usage_file)
    found = usage_files(inputs_dir) if inputs_dir else {}
    if len(found) != 1:
        months = ", ".join(map(str, found)) or "none"
        raise InputError(f"usage files in {inputs_dir}: {months}; choose a month with --month")
    return next(iter(found))
