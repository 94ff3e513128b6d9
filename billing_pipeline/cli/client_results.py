"""How `clients bill`, `clients sync` and `clients accept` show what they did."""

from decimal import Decimal
from typing import Any

from billing_pipeline.cli.console import messages, safe, say, table

_SHOWN = 25


def print_bills(document: dict[str, Any]) -> None:
    """Figures, everybody who is not billed, what to look at, files."""
    print_exceptions(document)
    _print_list("To look at", document["warnings"], "warning")
    counts = f"{document['billed']} of {document['clients']} clients, {document['excluded']} excluded"
    say(f"{document['period']} is [bold]billed[/bold]: {Decimal(document['total']):,} of {counts}")
    if document["exceptions"]:
        say(f"[yellow]{len(document['exceptions'])} cannot be billed[/yellow]; each is listed with its reason")
    if document["book_changes_since"]:
        changed = f"{document['book_changes_since']} values of the book were changed since the month was frozen"
        say(f"[yellow]Note[/yellow]: {changed}; `--pull book` takes them")
    for path in document["files"]:
        say(f"  {safe(path)}")


def print_exceptions(document: dict[str, Any]) -> None:
    """Everybody who cannot be billed, with the reason."""
    _print_list(f"Cannot be billed for {document['period']}", document["exceptions"], "reason")


def print_bill(document: dict[str, Any]) -> None:
    """One client's bill, line by line, with its time."""
    bill = document["bill"]
    if not bill["billable"]:
        say(f"[yellow]{safe(bill['account'])} is not billed[/yellow] for {document['period']}")
        for reason in bill["reasons"]:
            say(f"  {safe(reason)}")
        return
    columns = ("kind", "name", "type", "quantity", "rate", "amount", "why")
    rows = [tuple(line[name] for name in columns) for line in bill["lines"]]
    messages.print(table(f"{safe(bill['name'])}, {bill['number']}", columns, rows, ("quantity", "rate", "amount")))
    if bill["time"]:
        shown = ("ticket", "subject", "at", "hours", "state")
        messages.print(table("Time", shown, [tuple(one[name] for name in shown) for one in bill["time"]], ("hours",)))
    for name, amount in bill["money"].items():
        say(f"{name.replace('_', ' ')}: {amount}")


def print_listings(document: dict[str, Any]) -> None:
    """What is on hand of each listing, and what was wrong in it."""
    rows = [
        (one["listing"].replace("_", " "), one["records"], one["removed"], len(one["problems"]), one["pulled_at"][:19])
        for one in document["listings"]
    ]
    columns = ("listing", "records", "gone", "problems", "pulled at (UTC)")
    messages.print(table(f"On hand for {document['period']}", columns, rows, columns[1:4]))
    problems = [problem for one in document["listings"] for problem in one["problems"]]
    told = [{"account": "", "name": one["record"], "problem": one["problem"]} for one in problems]
    _print_list("Problems", told, "problem")


def print_accepted(document: dict[str, Any]) -> None:
    """How many bills were accepted, and which were before."""
    new = [one for one in document["accepted"] if one["created"]]
    before = len(document["accepted"]) - len(new)
    amount = sum((Decimal(one["total"]) for one in new), Decimal("0.00"))
    say(f"{document['period']}: {len(new)} bills [bold]accepted[/bold], {amount:,} in all")
    if before:
        say(f"{before} were accepted before, and are left as they are")
    say("[dim]The archive: billing-pipeline clients archive · a correction: billing-pipeline clients void --help[/dim]")


def print_archive(document: dict[str, Any]) -> None:
    """The documents of the archive, and what each is."""
    columns = ("number", "client", "month", "date", "due", "total", "by", "what")
    rows = [
        (one["number"], one["name"], one["period"], one["invoice_date"], one["due_date"], one["total"],
         one["accepted_by"], _state(one))
        for one in document["documents"]
    ]  # fmt: skip
    if rows:
        messages.print(table("Archive", columns, rows, ("total",)))
    say(f"{len(rows)} documents" + (f", {len(document['files'])} files written" if document["files"] else ""))


def _print_list(title: str, entries: list[dict[str, str]], word: str) -> None:
    if not entries:
        return
    rows = [(one["account"], one["name"], one[word]) for one in entries[:_SHOWN]]
    messages.print(table(title, ("account", "name", word), rows))
    if len(entries) > _SHOWN:
        say(f"[dim]… and {len(entries) - _SHOWN} more[/dim]")


def _state(one: dict[str, Any]) -> str:
    if one["credits"]:
        return f"credit note of {one['credits']}: {one['reason']}"
    return "void" if one["void"] else "invoice"
