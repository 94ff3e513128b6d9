"""`clients`: what managed-services clients are billed."""

import json as json_
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from billing_pipeline.cli.console import DONE, WAITING, messages, print_json, safe, say, table
from billing_pipeline.cli.options import Json
from billing_pipeline.engine.errors import InputError, Problem

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Managed services: devices, people, hours, backups, items."
)


@app.command()
def calculate(
    input_file: Annotated[
        Path,
        typer.Option("--input", help="A JSON document with period and inputs: company, plans, assets, users, tickets."),
    ],
    policy: Annotated[
        Literal["recommended", "reference"],
        typer.Option(
            help="recommended: exact components, and what each switch should be; reference: as the former system."
        ),
    ] = "recommended",
    json: Json = False,
) -> None:
    """Price one client from a document, for a quote or a dispute, without touching the book.

    Exit code 0: priced. 3: the client cannot be billed, with the reason. 2: the document cannot be used; every field
    that is wrong is listed.

    [bold]Example[/bold]

      billing-pipeline clients calculate --input client.json --policy reference --json
    """
    document = _calculated(input_file, policy)
    if json:
        print_json(document)
    else:
        _print(document)
    raise typer.Exit(DONE if document["billable"] else WAITING)


def _calculated(path: Path, policy: str) -> dict[str, Any]:
    import polars as pl

    from billing_pipeline.engine.managed_services import MONEY, REFERENCE, Policy, book_of, client_bills
    from billing_pipeline.resources.files import read_whole

    if not path.is_file():
        raise InputError(Problem("no such document", file=str(path)))
    try:
        given = json_.loads(read_whole(path), parse_float=Decimal)
    except ValueError as error:
        raise InputError(Problem(f"is not JSON: {error}", file=str(path))) from None
    if not isinstance(given, dict):
        raise InputError(Problem("is not a JSON object", file=str(path)))
    book, period, warnings = book_of(given)
    found = client_bills(book, period, REFERENCE if policy == "reference" else Policy())
    reasons = found.exceptions["reason"].to_list()
    lines = found.lines.drop("account").with_columns(pl.col("amount").cast(pl.String))
    said = [f"{row['name']}: {row['warning']}" for row in found.warnings.to_dicts()]
    return {
        "period": period.key,
        "account": book.clients["account"][0],
        "billable": not reasons,
        **({"reason": reasons[0]} if reasons else {}),
        "money": {name: str(found.bills[name][0]) for name in MONEY} if found.bills.height else {},
        "lines": lines.to_dicts(),
        "exceptions": found.exceptions.to_dicts(),
        "warnings": [*warnings, *said],
    }


def _print(document: dict[str, Any]) -> None:
    if not document["billable"]:
        say(f"[yellow]{safe(document['account'])} is not billed[/yellow]: {safe(document['reason'])}")
        return
    columns = ("kind", "name", "type", "amount", "from")
    rows = [(line["kind"], line["name"], line["type"], line["amount"], line["source"]) for line in document["lines"]]
    messages.print(table(f"{safe(document['account'])}, {document['period']}", columns, rows, ("amount",)))
    for name, amount in document["money"].items():
        say(f"{name.replace('_', ' ')}: {amount}")
    for warning in document["warnings"]:
        say(f"[yellow]look[/yellow]: {safe(warning)}")
