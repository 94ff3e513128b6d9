"""`backfill`: past months again, several at a time, each by the same job and behind the same gate."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from billing_pipeline.cli.console import BAD_INPUT, DONE, FAILED, REFUSED, WAITING, messages, print_json, say, table
from billing_pipeline.engine.errors import InputError

if TYPE_CHECKING:  # Dagster takes a second to import: a command loads it when it runs
    from billing_pipeline.engine.period import Period

_MOST = 600  # months; more is a typing mistake
_STATES = {
    "published": DONE,
    "accrued": DONE,
    "billed": DONE,
    "closed": DONE,
    "unchanged": DONE,
    "refused": REFUSED,
    "failed": FAILED,
    "bad_input": BAD_INPUT,
}

_ADVICE = {
    "in_review": "billing-pipeline review list --month {month} shows what to decide",
    "priced": "billing-pipeline publish --month {month} publishes it",
    "rebill_waiting": "look at the difference; billing-pipeline publish --month {month} sends it as adjustments",
}


def backfill(
    start: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")],
    end: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")],
    what: Annotated[
        Literal["billing", "accruals", "clients"],
        typer.Option(help="The bill; the accrual with its variance; or the bills of managed-services clients."),
    ] = "billing",
    rules: Annotated[
        Literal["as-of", "current"],
        typer.Option(help="as-of: the rules each month was made with; current: the workbook as it is now."),
    ] = "as-of",
    jobs: Annotated[
        int, typer.Option(min=1, max=32, help="Months at a time; each needs memory for a whole month.")
    ] = 2,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")
    ] = False,
) -> None:
    """Run a range of past months again. Months that were released stay as they are.

    A month that comes out as it was sent is unchanged; one that differs waits as a re-bill, with the difference per
    partner, until somebody approves it; one that was never released goes the way of a new month. Months run side by
    side, and no month twice at a time. An accrual is made where there is none; months are accrued with the rules of
    their time, and where none were kept with the workbook as it is, which is said. Clients are billed with what was
    frozen of their month; bills that were accepted stay as they are.

    Exit code 0: every month is published or unchanged. 3: some wait for a person. 4: refused. 2, 1: bad input, failure.

    [bold]Examples[/bold]

      billing-pipeline backfill --from 2025-07 --to 2025-12

      billing-pipeline backfill --from 2026-01 --to 2026-01 --rules current

      billing-pipeline backfill --from 2025-07 --to 2025-12 --what accruals
    """
    from billing_pipeline.cli.backfilling import backfill_months

    if what == "clients" and rules == "current":
        frozen = "clients are billed with what was frozen of their month"
        raise InputError(
            f"{frozen}; to take what is there now, bill a month with `clients bill --pull book` or `always`"
        )
    found = backfill_months(_months(start, end), what, rules, jobs)
    if json:
        print_json({"what": what, "rules": rules, "months": found})
    else:
        _print(found, what)
    raise typer.Exit(_code([str(month["state"]) for month in found]))


def _months(start: str, end: str) -> "list[Period]":
    from billing_pipeline.cli.closing import refuse_unknown_month
    from billing_pipeline.engine.period import Period

    first, last = Period.parse(start), Period.parse(end)
    if last < first:
        raise InputError(f"--from {first} lies after --to {last}")
    count = last.months_since(first.first)
    if count > _MOST:
        raise InputError(f"{first} to {last} are {count} months; at most {_MOST} at a time")
    refuse_unknown_month(first)
    refuse_unknown_month(last)
    months = [first]
    while months[-1] < last:
        months.append(months[-1].next)
    return months


def _code(states: list[str]) -> int:
    codes = {_STATES.get(state, WAITING) for state in states}
    return next((code for code in (FAILED, BAD_INPUT, REFUSED, WAITING) if code in codes), DONE)


def _print(found: list[dict[str, Any]], what: str) -> None:
    amounts = ("accrued", "variance") if what == "accruals" else ("billed", "difference")
    columns = ("month", "state", *amounts, "seconds", "why")
    rows = [
        (month["period"], month["state"], month["billed"], month["difference"], month["seconds"], month["why"])
        for month in found
    ]
    messages.print(table("Months run again", columns, rows, (*amounts, "seconds")))
    for state, advice in _ADVICE.items():
        months = [str(month["period"]) for month in found if month["state"] == state]
        if months:
            wait = "1 month waits" if len(months) == 1 else f"{len(months)} months wait"
            say(f"[yellow]{wait}[/yellow] ({state.replace('_', ' ')}): {advice.format(month=months[0])}")
