"""The command line: parses, materialises the same assets that Dagster runs, prints.

Exit codes: 0 done, 1 anything else, 2 bad input, 3 something waits for a person, 4 refused.
"""

import os
import sys

import typer

from billing_pipeline.cli import (
    accruals,
    audit,
    audit_book,
    backfill,
    bill,
    client_months,
    clients,
    demo,
    doctor,
    explain,
    releases,
    review,
    rules,
    unbilled,
    up,
)
from billing_pipeline.cli.console import BAD_INPUT, FAILED, REFUSED, safe, say
from billing_pipeline.engine.errors import BillingError, GateError, InputError

app = typer.Typer(
    name="billing-pipeline",
    help="From raw usage to tied-out invoices, exact to the cent.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.sample)
app.command()(bill.bill)
app.add_typer(review.app, name="review")
app.command(hidden=True)(review.decide)
app.add_typer(rules.app, name="rules")
app.command()(explain.explain)
app.command()(releases.publish)
app.command()(releases.dismiss)
app.command()(releases.void)
app.command()(releases.imported)
app.command()(releases.close)
app.command()(releases.history)
app.command()(releases.evidence)
app.command()(accruals.accrue)
app.command()(accruals.variance)
app.command()(accruals.backtest)
for command in (
    client_months.bill,
    client_months.sync,
    client_months.accept,
    client_months.void,
    client_months.archive,
):
    clients.app.command()(command)
app.add_typer(clients.app, name="clients")
audit.app.command()(audit_book.book)
app.add_typer(audit.app, name="audit")
app.command()(unbilled.unbilled)
app.command()(backfill.backfill)
app.command()(up.up)
app.command()(up.prepare)
app.command()(doctor.doctor)
app.command()(demo.demo)


def main() -> None:
    """Run the command line; expected errors become a message and an exit code, never a traceback."""
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    try:
        app()
    except InputError as error:
        for problem in error.problems:
            say(f"[bold red]error[/bold red] {safe(problem)}")
        sys.exit(BAD_INPUT)
    except GateError as error:
        say(f"[bold red]refused[/bold red] {safe(error)}")
        sys.exit(REFUSED)
    except BillingError as error:
        say(f"[bold red]error[/bold red] {safe(error)}")
        sys.exit(FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        say(f"[bold red]error[/bold red] {safe(place)}{safe(error.strerror or error)}; nothing was published")
        sys.exit(FAILED)
    except Exception as error:
        if not type(error).__module__.startswith("sqlalchemy."):  # imported by those commands that use a database
            raise
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        say(f"[bold red]error[/bold red] the database cannot be used: {safe(reason)}")
        sys.exit(FAILED)
