"""`accrue`, `variance`, `backtest`: estimates booked before the bill, and how good they were."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from billing_pipeline.cli.console import DONE, WAITING, messages, print_json, safe, say, table
from billing_pipeline.cli.options import Json

Month = Annotated[str, typer.Option("--month", help="The month to accrue, YYYY-MM.")]
UsageDir = Annotated[
    Path | None, typer.Option(help="Folder with last month's usage file YYYY.MM_*.csv; default: the installation's.")
]
UsageFile = Annotated[
    Path | None, typer.Option(help="This usage file instead, of whatever month; its month is said in every output.")
]
RulesFile = Annotated[
    Path | None, typer.Option(help="The rules workbook; default: gep_billing_rules.xlsx in --usage-dir.")
]
OutputsDir = Annotated[
    Path | None,
    typer.Option(help="Folder for everything that is written; without it the installation of the settings."),
]
_SHOWN = 40


def accrue(
    month: Month,
    usage_dir: UsageDir = None,
    rules_file: RulesFile = None,
    outputs_dir: OutputsDir = None,
    usage_file: UsageFile = None,
    save_billing_detail: Annotated[
        bool, typer.Option("--save-billing-detail", help="Keep the estimate's rows as a workbook of their own as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Accrue a month: last month's usage at the prices of today, as a journal entry with its reversal and support.

    Writes gep_accrual/gep_accrual_JE_YYYYMM.csv, its reversal, totals, what is held for want of a customer, and the
    support workbook. With --outputs-dir into that folder only; without it, the month of the installation is accrued as
    its schedule would, once: another amount is refused until the first accrual is taken back.

    Exit code 0: done. 3: done, and revenue is held. 2: an input cannot be used. 4: refused.

    [bold]Examples[/bold]

      billing-pipeline accrue --month 2026-02 --usage-dir in --rules-file in/gep_billing_rules.xlsx --outputs-dir out

      billing-pipeline accrue --month 2026-02
    """
    from billing_pipeline.cli.accruing import accrual_of
    from billing_pipeline.cli.target import Place
    from billing_pipeline.engine.period import Period

    place = Place(outputs_dir, usage_dir, usage_file, rules_file)
    document = accrual_of(Period.parse(month), place, save_detail=save_billing_detail)
    if json:
        print_json(document)
    else:
        _print_accrual(document)
    raise typer.Exit(WAITING if Decimal(document["held"]) else DONE)


def variance(
    accrual_totals: Annotated[
        Path, typer.Option(help="The totals file of the accrual (gep_accrual_totals_YYYYMM.csv).")
    ],
    actual_report: Annotated[
        Path, typer.Option(help="The master report of the bill (YYYY.MM_Master_Billing_Report.xlsx).")
    ],
    output: Annotated[Path, typer.Option(help="The CSV file to write; a workbook of the same name stands beside it.")],
    materiality_pct: Annotated[
        str, typer.Option(help="A variance is material above this percentage of the estimate.")
    ] = "5",
    materiality_amount: Annotated[
        str | None, typer.Option(help="And above this amount; without it the percentage alone decides.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare an accrual with the actual bill, from two files: per customer and in total, with what is material.

    The installation does this by itself as soon as both are out, and explains every variance by a bridge.

    [bold]Example[/bold]

      billing-pipeline variance --accrual-totals gep_accrual_totals_202602.csv
      --actual-report 2026.02_Master_Billing_Report.xlsx --output variance_202602.csv
    """
    from billing_pipeline.cli.accruing import variance_of

    document = variance_of(accrual_totals, actual_report, output, materiality_pct, materiality_amount)
    if json:
        print_json(document)
    else:
        _print_variance(document)
    raise typer.Exit(DONE)


def backtest(
    usage_dir: UsageDir = None,
    rules_file: RulesFile = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First month that is estimated; default: the earliest.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last month that is estimated; default: the latest.")] = None,
    json: Json = False,
) -> None:
    """Score the ways to estimate over the months on hand: what each would have accrued, against what the bill came to.

    bias: estimated less actual, of the actual; WAPE: the sum of the absolute errors, of the actual; within: the share
    of customers and months whose variance was not material. All months are priced with one rules workbook, or, in the
    installation, each with the rules it was released with. BILLING_ACCRUAL_ESTIMATOR chooses.

    [bold]Example[/bold]

      billing-pipeline backtest --usage-dir in --rules-file in/gep_billing_rules.xlsx
    """
    from billing_pipeline.cli.backtesting import backtest_document
    from billing_pipeline.engine.period import Period

    span = tuple(Period.parse(text) if text else None for text in (start, end))
    document = backtest_document(usage_dir, rules_file, *span)
    if json:
        print_json(document)
    else:
        _print_backtest(document)
    raise typer.Exit(DONE)


def _print_accrual(document: dict[str, Any]) -> None:
    month = document["period"]
    if document["state"] == "unchanged":
        say(f"{month} [bold]is accrued already[/bold], with these very amounts: {document['total']}")
        return
    rows = [
        (row["customer"], row["usage"], row["next_day"], row["minimums"], row["total"]) for row in document["totals"]
    ]
    figures = ("usage", "next day", "minimums", "total")
    messages.print(table(f"Accrual of {month}", ("customer", *figures), rows[:_SHOWN], figures))
    if rows[_SHOWN:]:
        say(f"[dim]… and {len(rows) - _SHOWN} more customers[/dim]")
    made_of = f"{len(rows)} customers, from {safe(document['usage_file'])}"
    say(f"{month} is [bold]accrued[/bold]: {document['total']} of {made_of}")
    if document["usage_note"]:
        say(f"[yellow]Note[/yellow]: {safe(document['usage_note'])}")
    if Decimal(document["held"]):
        say(f"[yellow]{document['held']} is held[/yellow] for want of a customer; the held file lists it")
    for path in document["files"]:
        say(f"  {safe(path)}")


def _print_variance(document: dict[str, Any]) -> None:
    rows = [
        (row["customer"], row["estimated"], row["actual"], row["variance"], f"{row['percent']} %", row["flag"])
        for row in document["customers"]
    ]
    figures = ("estimated", "actual", "variance", "percent")
    messages.print(table("Accrual against actual bill", ("customer", *figures, ""), rows, figures))
    for path in document["files"]:
        say(f"  {safe(path)}")


def _print_backtest(document: dict[str, Any]) -> None:
    whole = [row for row in document["scores"] if row["customer"] == "TOTAL"]
    figures = ("months", "estimated", "actual", "bias %", "WAPE %", "within %")
    rows = [
        (row["estimator"], row["months"], row["estimated"], row["actual"], row["bias"], row["wape"], row["within"])
        for row in whole
    ]
    messages.print(table("All customers", ("estimator", *figures), rows, figures))
    for said in document["missing"]:
        say(f"[dim]{safe(said)}[/dim]")
    messages.print()
    names = [row["estimator"] for row in whole]
    by_customer: dict[str, dict[str, Any]] = {}
    for row in document["scores"]:
        if row["customer"] != "TOTAL":
            by_customer.setdefault(row["customer"], {})[row["estimator"]] = row
    lines = [
        (customer, *(f"{scores[name]['wape']} ({scores[name]['bias']})" if name in scores else "" for name in names))
        for customer, scores in by_customer.items()
    ]
    messages.print(table("By customer: WAPE % (bias %)", ("customer", *names), lines, names))
