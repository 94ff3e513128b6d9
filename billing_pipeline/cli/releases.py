"""`publish`, `void`, `imported`, `close`, `history`, `evidence`: what of a month was sent, and what became of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from billing_pipeline.cli.console import DONE, REFUSED, WAITING, messages, print_json, safe, say, table
from billing_pipeline.cli.options import By, Json, person
from billing_pipeline.run_tags import CALLED

if TYPE_CHECKING:  # Dagster takes a second to import: a command loads it when it runs
    from rich.table import Table

    from billing_pipeline.resources.releases import Release

Month = Annotated[str, typer.Option("--month", help="The month, YYYY-MM.")]
Number = Annotated[int | None, typer.Option("--release", help="Number of the release; default: the last one.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in a sentence, for whoever reads the history.")]
What = Annotated[Literal["billing", "accruals"], typer.Option("--what", help="The month's bill, or its accrual.")]
_WIDTH = 200  # of a table that goes into a file or a pipe: nothing is cut off there


def publish(month: Month, by: By = None, reason: Why = "", json: Json = False) -> None:
    """Publish a month that waits for it: approve its draft and make the release, now.

    For a month that is priced (BILLING_PUBLISH=manual), reviewed to the last flag, or waits as a re-bill; a month that
    was never run is priced first. What would be sent is in the notice, and in the draft that the month's run names in
    Dagster's pages; when usage or rules have changed since, the draft is made again instead of published.

    Exit code 0: all of the month is published. 3: it still waits, for example for a second approver. 4: refused:
    undecided flags, a control that failed, a closed ledger period.

    [bold]Example[/bold]

      billing-pipeline publish --month 2026-01 --by "Ada Berg" --reason "differences checked with the partner"
    """
    from billing_pipeline.cli.publishing import publish_month
    from billing_pipeline.engine.period import Period

    document = publish_month(Period.parse(month), person(by), reason)
    if json:
        print_json(document)
    else:
        _print_published(document)
    raise typer.Exit({"published": DONE, "closed": DONE, "refused": REFUSED}.get(document["state"], WAITING))


def dismiss(month: Month, by: By = None, reason: Why = "", json: Json = False) -> None:
    """Say no to a re-bill: what was sent stays as it is, and the difference is not sent.

    The same usage file is not asked about again; another one, or `backfill`, is. Exit code 4: no re-bill waits.

    [bold]Example[/bold]

      billing-pipeline dismiss --month 2026-01 --reason "the export was wrong"
    """
    from billing_pipeline.cli.publishing import dismiss_rebill
    from billing_pipeline.engine.period import Period

    event = dismiss_rebill(Period.parse(month), person(by), reason)
    said = {"period": event.period.key, "state": event.state, "reasons": event.detail["reasons"]}
    _tell(said, f"{event.period} stays as it was sent", json=json)


def void(
    month: Month, release: Number = None, what: What = "billing", by: By = None, reason: Why = "", json: Json = False
) -> None:
    """Take back the last release of a month, or its accrual, as long as NetSuite has not imported it.

    Its files are taken away (its run set stays, for `evidence`); the release before it, if any, holds again. After that
    nothing is sent until somebody calls `publish`. A month whose accrual was taken back is accrued again by `accrue`.

    Exit code 4: NetSuite has the release; then only an adjustment, which a later release makes, can correct it.

    [bold]Example[/bold]

      billing-pipeline void --month 2026-01 --reason "wrong export"
    """
    from billing_pipeline.cli.publishing import void_release
    from billing_pipeline.engine.period import Period

    taken = void_release(Period.parse(month), release, person(by), reason, what)
    named = f"{CALLED[what]} {taken.number} of {taken.period}"
    back = ", those of the release before it are back" if taken.number > 1 and what == "billing" else ""
    _tell(_document(taken), f"{named} is void: its files are gone{back}", json=json)


def imported(month: Month, release: Number = None, what: What = "billing", by: By = None, json: Json = False) -> None:
    """Record that NetSuite took a release, so that it cannot be taken back any more. Saying so again changes nothing.

    Exit code 4: the release is void.

    [bold]Example[/bold]

      billing-pipeline imported --month 2026-01 --release 1
    """
    from billing_pipeline.cli.publishing import import_release
    from billing_pipeline.engine.period import Period

    taken = import_release(Period.parse(month), release, person(by), what)
    _tell(_document(taken), f"{CALLED[what]} {taken.number} of {taken.period} is imported", json=json)


def close(
    month: Month,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take entries of the month again.")] = False,
    by: By = None,
    reason: Why = "",
    json: Json = False,
) -> None:
    """Close the ledger period of a month: later changes of it are posted in the next open month, as adjustments.

    A closed month that was never released is refused until it is reopened; then `publish` runs it.

    [bold]Example[/bold]

      billing-pipeline close --month 2026-01 --by "Controller"
    """
    from billing_pipeline.cli.publishing import close_period
    from billing_pipeline.engine.period import Period

    period = Period.parse(month)
    close_period(period, closed=not reopen, by=person(by), reason=reason)
    said = "open" if reopen else "closed: what changes of it is posted in the next open month"
    _tell({"period": period.key, "closed": not reopen}, f"the ledger period {period} is {said}", json=json)


def history(
    month: Annotated[str | None, typer.Option(help="One month, YYYY-MM; default: all.")] = None, json: Json = False
) -> None:
    """List releases and runs: hashes of what they were made of, totals, when, by which run, imported or not.

    Hashes are cut to eight digits, times are UTC; --json has them whole.

    [bold]Examples[/bold]

      billing-pipeline history

      billing-pipeline history --month 2026-01 --json
    """
    from billing_pipeline.cli.publishing import history_document
    from billing_pipeline.engine.period import Period

    document = history_document(Period.parse(month) if month else None)
    if json:
        print_json(document)
    else:
        _print_history(document)
    raise typer.Exit(DONE)


def evidence(
    month: Month,
    out: Annotated[Path, typer.Option(help="The ZIP file to write.")],
    release: Number = None,
    what: What = "billing",
    json: Json = False,
) -> None:
    """Write the evidence of a release as one ZIP: inputs, rules, outputs, controls, decisions, approvals, manifest.

    The same release gives the same bytes. SHA256SUMS inside lists every file; `sha256sum -c` checks them.

    [bold]Example[/bold]

      billing-pipeline evidence --month 2026-01 --release 1 --out 2026-01-r1.zip
    """
    from billing_pipeline.cli.publishing import write_evidence
    from billing_pipeline.engine.period import Period

    found = write_evidence(Period.parse(month), release, out, what)
    _tell(found, f"{found['files']} files of {CALLED[what]} {found['release']} in {safe(out)}", json=json)


def _document(release: "Release") -> dict[str, Any]:
    from billing_pipeline.assets.run_set import plain_values

    return plain_values(release)


def _tell(document: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        print_json(document)
    else:
        say(text)
    raise typer.Exit(DONE)


def _print_published(document: dict[str, Any]) -> None:
    month, state = document["period"], document["state"]
    why = safe("; ".join(document["reasons"]))
    if state in ("published", "closed"):
        last = document["releases"][-1]
        made = f"release {last['number']}, {last['billed']} billed in all"
        if document["unchanged"]:
            say(f"{month} [bold]is as it was sent[/bold]: {made}")
            return
        say(f"{month} is [bold]published[/bold]: {made}, by run {safe(last['run_id'])}")
        if last["number"] > 1:
            say(f"The difference to what was sent before is {last['difference']}.")
        for path in document["files"]:
            say(f"  {safe(path)}")
    elif state == "refused":
        say(f"[bold red]{month} is refused[/bold red]: {why}")
    else:
        say(f"[yellow]{month} waits[/yellow] ({state.replace('_', ' ')}): {why}")
        if state == "rebill_waiting":
            say(f"The difference to what was sent is {document['difference']}.")


def _print_history(document: dict[str, Any]) -> None:
    if not document["releases"] and not document["events"]:
        say("Nothing has run yet.")
        return
    columns = ("month", "what", "no", "state", "published", "billed", "difference", "usage", "rules", "run", "imported")
    rows = [
        (
            release["period"],
            release["capability"],
            release["number"],
            release["state"],
            _minute(release["published_at"]),
            release["billed"],
            release["difference"],
            release["usage_sha256"][:8],
            release["rules_sha256"][:8],
            release["run_id"],
            f"{_minute(release['imported_at'])} {release['imported_by']}".strip(),
        )
        for release in document["releases"]
    ]
    if rows:
        _print(table("Releases", columns, rows, ("no", "billed", "difference")))
        messages.print()
    events = [
        (event["period"], _minute(event["at"]), event["state"], event["usage_name"], event["run_id"], _why(event))
        for event in document["events"]
    ]
    _print(table("What happened", ("month", "when (UTC)", "state", "usage file", "run", "why"), events))


def _print(grid: "Table") -> None:
    wide = messages.is_terminal or messages.width >= _WIDTH
    (messages if wide else Console(stderr=True, highlight=False, width=_WIDTH)).print(grid)


def _why(event: dict[str, Any]) -> str:
    detail = event["detail"]
    if detail.get("unchanged"):
        return "nothing differs from what was sent"
    sent = [f"release {detail['number']}"] if "number" in detail else []
    waits = [f"difference {detail['difference']}"] if event["state"] == "rebill_waiting" else []
    return "; ".join([*sent, *event["reasons"], *waits])


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else ""
