"""`review`: what has to be decided before a month is sent, deciding it, and approving what comes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_pipeline.cli.console import DONE, WAITING, print_json, safe, say
from billing_pipeline.cli.options import (
    By,
    InputsDir,
    Json,
    MonthOption,
    Overrides,
    OwnOutputsDir,
    Reason,
    RulesFile,
    UsageFile,
    person,
)

if TYPE_CHECKING:  # Dagster takes a second to import: a command loads it when it runs
    from billing_pipeline.cli.reviewing import Review

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Decide what has to be decided before a month is sent: on the command line or in an Excel workbook.",
)


@app.command()
def scan(
    outputs_dir: OwnOutputsDir = None,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    month: MonthOption = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Read usage and rules now and list the rows and partners a person has to look at; prices nothing.

    The list is also written as pre_scan_results_YYYY.MM.json. Decisions on an earlier usage file of the month are
    taken over where the row is unchanged. Exit code 3 while a flag has no decision, else 0.

    [bold]Examples[/bold]

      billing-pipeline review scan --month 2026-01

      billing-pipeline review scan --inputs-dir in --outputs-dir out --month 2026-01 --json
    """
    from billing_pipeline.cli.review_results import tell_review
    from billing_pipeline.cli.reviewing import scanned
    from billing_pipeline.cli.target import Place, target_month

    review = scanned(target_month(Place(outputs_dir, inputs_dir, usage_file, rules_file, overrides), month))
    tell_review(review, json=json)
    raise typer.Exit(WAITING if review.undecided else DONE)


@app.command(name="list")
def list_flags(
    month: MonthOption = None,
    outputs_dir: OwnOutputsDir = None,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """List the flags of the last scan with what was decided, by whom, when and why.

    Scans again first when usage file or rules have changed. Exit code 3 while a flag has no decision, else 0.

    [bold]Example[/bold]

      billing-pipeline review list --month 2026-01
    """
    from billing_pipeline.cli.review_results import tell_review

    review = _opened(month, outputs_dir, inputs_dir, usage_file, rules_file, overrides)
    tell_review(review, json=json)
    raise typer.Exit(WAITING if review.undecided else DONE)


@app.command()
def decide(
    action: Annotated[
        str,
        typer.Option(help="keep, remove, set_date, reassign, set_date_and_reassign, fix_cell; withdraw takes back."),
    ],
    flag: Annotated[str | None, typer.Option(help="A flag by its id, as `review list` shows it.")] = None,
    line: Annotated[int | None, typer.Option(help="A row by its line in the usage file, flagged or not.")] = None,
    partner: Annotated[str | None, typer.Option(help="A partner, by id or name, with all its rows.")] = None,
    month: MonthOption = None,
    date: Annotated[str, typer.Option(help="set_date: the first billable date, YYYY-MM-DD.")] = "",
    to_partner: Annotated[str, typer.Option(help="reassign: the partner's name.")] = "",
    to_id: Annotated[str, typer.Option(help="reassign: the partner's id; needed when the name is not known.")] = "",
    cell: Annotated[str, typer.Option(help="fix_cell: the column, as the usage file calls it.")] = "",
    value: Annotated[str, typer.Option(help="fix_cell: the right text of the cell; empty to blank it.")] = "",
    by: By = None,
    reason: Reason = "",
    outputs_dir: OwnOutputsDir = None,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Decide about a flag, a row or a partner. The decision is kept with your name, the time and the reason.

    Nothing in the usage file changes. A later decision on the same flag replaces an earlier one; both stay on record.
    --line and --partner decide every flag of that row or partner that the action is offered for.

    Exit code 0: decided, and no flag is open. 3: decided, other flags are open. 2: the decision cannot be taken.

    [bold]Examples[/bold]

      billing-pipeline review decide --month 2026-01 --flag early_cancel_0 --action keep --reason "billed until May"

      billing-pipeline review decide --month 2026-01 --line 57 --action set_date --date 2026-01-15

      billing-pipeline review decide --month 2026-01 --flag dup_uuid_3 --action reassign --to-partner "Acme Pay"

      billing-pipeline review decide --month 2026-01 --line 12 --action fix_cell --cell ER_NAME --value Birch

      billing-pipeline review decide --month 2026-01 --flag early_cancel_0 --action withdraw
    """
    from billing_pipeline.cli.deciding import decided
    from billing_pipeline.cli.review_results import tell_decided
    from billing_pipeline.engine.usage import Choice

    reviewer = person(by)
    review = _opened(month, outputs_dir, inputs_dir, usage_file, rules_file, overrides)
    choice = Choice(action, date, to_partner, to_id, cell, value)
    new, after = decided(review, choice, reviewer, reason, flag=flag, line=line, partner=partner)
    tell_decided(after, new, (), json=json)
    raise typer.Exit(WAITING if after.undecided else DONE)


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(help="Workbook to write; default: review_YYYY.MM.xlsx in the working directory.")
    ] = None,
    month: MonthOption = None,
    outputs_dir: OwnOutputsDir = None,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Write the month's flags as an Excel workbook with drop-down lists, to decide in and hand back with `import`.

    An existing workbook is not overwritten: it may hold somebody's answers.

    [bold]Examples[/bold]

      billing-pipeline review export --month 2026-01

      billing-pipeline review export january.xlsx --inputs-dir in --outputs-dir out --month 2026-01
    """
    from billing_pipeline.cli.exporting import exported
    from billing_pipeline.engine.errors import InputError, Problem
    from billing_pipeline.resources.files import write_whole

    review = _opened(month, outputs_dir, inputs_dir, usage_file, rules_file, overrides)
    path = file or Path(f"review_{review.month.period.dotted}.xlsx")
    if path.exists():
        raise InputError(Problem("exists already and may hold answers; import it, or name another file", str(path)))
    write_whole(path, exported(review))
    if json:
        print_json(
            {
                "period": review.month.period.key,
                "file": str(path),
                "flags": review.flags.height,
                "undecided": review.undecided,
            }
        )
        return
    say(f"{review.flags.height} flags, {review.undecided} of them open: {safe(path)}")
    say(f"[dim]Fill in the yellow cells, then: billing-pipeline review import {safe(path)}[/dim]")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A workbook of `review export`, or a billing_overrides.json.")],
    month: MonthOption = None,
    by: By = None,
    reason: Annotated[str, typer.Option(help="Why, for decisions without a reason of their own.")] = "",
    carry_over: Annotated[
        bool, typer.Option("--carry-over", help="Take what fits from a workbook of another usage file of the month.")
    ] = False,
    outputs_dir: OwnOutputsDir = None,
    inputs_dir: InputsDir = None,
    usage_file: UsageFile = None,
    rules_file: RulesFile = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Take the decisions of a review workbook or a decision file: all of them, or none and a list of what is wrong.

    Only what differs from what is decided already is recorded; importing twice changes nothing.

    Exit code 0: taken, and no flag is open. 3: taken, flags are open or some decisions fit no flag. 2: not taken.

    [bold]Examples[/bold]

      billing-pipeline review import review_2026.01.xlsx --month 2026-01 --by "Ana Ruiz"

      billing-pipeline review import billing_overrides.json --month 2026-01 --reason "agreed with sales"
    """
    from billing_pipeline.cli.importing import from_decision_file, from_workbook
    from billing_pipeline.cli.review_results import tell_decided
    from billing_pipeline.cli.reviewing import recorded, reopened
    from billing_pipeline.resources.files import read_whole

    reviewer, data = person(by), read_whole(file)
    review = _opened(month, outputs_dir, inputs_dir, usage_file, rules_file, overrides)
    if data.lstrip()[:1] in (b"{", b"["):
        taken = from_decision_file(review, data, file.name)
    else:
        taken = from_workbook(review, data, file.name, carry_over=carry_over)
    new = recorded(review, [(wish, own or reason) for wish, own in taken.wishes], reviewer)
    after = reopened(review)
    tell_decided(after, new, taken.left, json=json)
    raise typer.Exit(WAITING if after.undecided or taken.left else DONE)


@app.command()
def approve(
    month: MonthOption = None,
    by: By = None,
    reason: Annotated[str, typer.Option(help="A remark; kept with the approval.")] = "",
    json: Json = False,
) -> None:
    """Approve a month that waits: exactly this usage file, these rules, these decisions. A sensor then publishes it.

    A later change of any of them needs a new approval. Exit code 0: approved. 3: approved, and another person has to.
    4: refused, because flags are open or nothing waits for an approval.

    [bold]Example[/bold]

      billing-pipeline review approve --month 2026-01 --by "Ana Ruiz" --reason "differences explained by sales"
    """
    from billing_pipeline.cli.approving import approved
    from billing_pipeline.cli.review_results import tell_approval

    approver = person(by)
    approval = approved(_opened(month), approver, reason)
    tell_approval(approval, json=json)
    raise typer.Exit(WAITING if approval.missing else DONE)


def _opened(
    month: str | None,
    outputs_dir: Path | None = None,
    inputs_dir: Path | None = None,
    usage_file: Path | None = None,
    rules_file: Path | None = None,
    overrides: Path | None = None,
) -> "Review":
    from billing_pipeline.cli.reviewing import opened
    from billing_pipeline.cli.target import Place, target_month

    return opened(target_month(Place(outputs_dir, inputs_dir, usage_file, rules_file, overrides), month))
