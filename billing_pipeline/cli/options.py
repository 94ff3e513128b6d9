"""The options that several commands share."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from billing_pipeline.engine.errors import InputError

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
OwnOutputsDir = Annotated[
    Path | None,
    typer.Option("--outputs-dir", help="Folder of an ad-hoc bill; without it the installation of the settings."),
]
MonthOption = Annotated[
    str | None, typer.Option(help="Month to bill, YYYY-MM; needed when there are files of several.")
]
Overrides = Annotated[Path | None, typer.Option(help="Decisions on flagged rows (billing_overrides.json).")]
By = Annotated[str | None, typer.Option(help="Who decides; default: the name you are logged in with.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence; kept with the decision.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")]


def person(by: str | None) -> str:
    """The name given, else the one of the operating system's user."""
    if by is not None:
        if not by.strip():
            raise InputError("--by names nobody; give the name of the person who decides")
        return by.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        raise InputError("this system has no name for you; give the name of the person who decides with --by") from None
