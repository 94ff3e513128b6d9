"""`publish`, `void`, `imported`, `close`, `history`, `evidence`: what of a month was sent, and what became of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_pipeline.cli.console import DONE, WAITING, messages, print_json, safe, say, table
from billing_pipeline.engine.errors import InputError

if TYPE_CHECKING:  # Dagster takes a second to import: a command loads it when it runs
    from billing_pipeline.resources.releases import Release

MonthOption = Annotated[str, typer.Option(help="The month, YYYY-MM.")]
Number = Annotated[int | None, typer.Option("--release", help="Number of the release; default: the last one.")]
By = Annotated[str | None, typer.Option(help="Who says so; default: the user of this computer.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the history.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output and nothing else there.")]


def publish(month: MonthOption, by: By = None, reason: Reason = "", json: Json = False) -> None:
    """Publish a month that waits for it: approve its draft and make the release, now.

    For a month that is priced (BILLING_PUBLISH=manual), reviewed to the last flag, or waits as a re-bill; a month that
    was never run is priced first. Exit code 4: undecided flags, or a control that failed. 3: it still waits, for
    example for a second approver.

    [bold]Example[/bold]

      billing-pipeline publish --month 2026-01 --by "Ada Berg" --reason "differences checked with the partner"
    """
    from billing_pipeline.cli.publishing import publish_month
    from billing_pipeline.engine.period import Period

    document = publish_month(Period.parse(month), _person(by), reason)
    if json:
        print_json(document)
    else:
        say(f"{document['period']} is [bold]{document['state']}[/bold]" + _list(document["reasons"]))
        for release in document["releases"][-1:]:
            say(f"release {release['number']}: {release['difference']} by run {release['run_id']}")
    raise typer.Exit(DONE if document["state"] == "published" else WAITING)


def void(month: MonthOption, release: Number = None, by: By = None, reason: Reason = "", json: Json = False) -> None:
    """Take back the last release of a month, as long as NetSuite has not imported it.

    Its import files are taken away (its run set stays); the release before it, if any, holds again. After that the
    month waits for `publish`. Exit code 4: the release was imported; then only an adjustment can correct it.

    [bold]Example[/bold]

      billing-pipeline void --month 2026-01 --reason "wrong export"
    """
    from billing_pipeline.cli.publishing import void_release
    from billing_pipeline.engine.period import Period

    taken = void_release(Period.parse(month), release, _person(by), reason)
    _tell(_document(taken), f"release {taken.number} of {taken.period} is void; its import files are gone", json=json)


def imported(month: MonthOption, release: Number = None, by: By = None, json: Json = False) -> None:
    """Record that NetSuite took a release, so that it is never sent again and can only be adjusted.

    [bold]Example[/bold]

      billing-pipeline imported --month 2026-01 --release 1
    """
    from billing_pipeline.cli.publishing import import_release
    from billing_pipeline.engine.period import Period

    taken = import_release(Period.parse(month), release, _person(by))
    _tell(_document(taken), f"release {taken.number} of {taken.period} is imported", json=json)


def close(
    month: MonthOption,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take entries of the month again.")] = False,
    by: By = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Close the ledger period of a month: later changes of it are posted in the next open month, as adjustments.

    A closed month that was never released is refused until it is reopened.

    [bold]Example[/bold]

      billing-pipeline close --month 2026-01 --by "Controller"
    """
    from billing_pipeline.cli.publishing import close_period
    from billing_pipeline.engine.period import Period

    period = Period.parse(month)
    close_period(period, closed=not reopen, by=_person(by), reason=reason)
    said = "open again" if reopen else "closed"
    _tell({"period": period.key, "closed": not reopen}, f"the ledger period {period} is {said}", json=json)


def history(
    month: Annotated[str | None, typer.Option(help="One month, YYYY-MM; default: all.")] = None, json: Json = False
) -> None:
    """List releases and runs: hashes of what they were made of, totals, when, by which run, imported or not.

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
    month: MonthOption,
    out: Annotated[Path, typer.Option(help="The ZIP file to write.")],
    release: Number = None,
    json: Json = False,
) -> None:
    """Write the evidence of a release as one ZIP: inputs, rules, outputs, controls, decisions, approvals, manifest.

    The same release gives the same bytes. SHA256SUMS inside lists every file; `sha256sum -c` checks them.

    [bold]Example[/bold]

      billing-pipeline evidence --month 2026-01 --release 1 --out 2026-01-r1.zip
    """
    from billing_pipeline.cli.publishing import write_evidence
    from billing_pipeline.engine.period import Period

    found = write_evidence(Period.parse(month), release, out)
    _tell(found, f"{found['files']} files of release {found['release']} in {safe(out)}", json=json)


def _document(release: "Release") -> dict[str, Any]:
    from billing_pipeline.cli.publishing import release_document

    return release_document(release)


def _tell(document: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        print_json(document)
    else:
        say(text)
    raise typer.Exit(DONE)


def _person(by: str | None) -> str:
    from billing_pipeline.cli.publishing import this_person

    name = (by or this_person()).strip()
    if not name:
        raise InputError("who says so? give a name with --by")
    return name


def _list(reasons: list[str]) -> str:
    return f": {safe('; '.join(reasons))}" if reasons else ""


def _print_history(document: dict[str, Any]) -> None:
    if not document["releases"] and not document["events"]:
        say("Nothing has run yet.")
        return
    columns = ("month", "release", "state", "published", "billed", "difference", "usage", "rules", "run", "imported")
    rows = [
        (
            release["period"], release["number"], release["state"], _minute(release["published_at"]),
            release["billed"], release["difference"], release["usage_sha256"][:12], release["rules_sha256"][:12],
            release["run_id"], f"{_minute(release['imported_at'])} {release['imported_by']}".strip(),
        )
        for release in document["releases"]
    ]  # fmt: skip
    messages.print(table("Releases", columns, rows, ("release", "billed", "difference")))
    messages.print()
    events = [
        (event["period"], _minute(event["at"]), event["state"], event["usage_name"], "; ".join(event["reasons"]))
        for event in document["events"]
    ]
    messages.print(table("What happened", ("month", "when (UTC)", "state", "usage file", "why"), events))


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") if at else ""
