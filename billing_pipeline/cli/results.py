"""What a finished run is told as: the JSON document of `bill`, and its readable form."""

from pathlib import Path
from typing import Any

import polars as pl

from billing_pipeline.cli.closing import Month
from billing_pipeline.cli.console import messages, safe, say, table
from billing_pipeline.engine.close import Verdict


def close_document(month: Month, judged: Verdict) -> dict[str, Any]:
    """The document of `bill`: period, status, the four buckets, controls, flags, files. Amounts are texts.

    A month that was not published has `reasons`, no files and no run id; its draft report is named in `draft`.
    """
    published = month.outputs.latest_manifest(month.period) if judged.publish else None
    buckets = {row["bucket"]: row for row in month.frame("buckets").iter_rows(named=True)}
    flags = month.frame("review_flags")
    return {
        "period": month.period.key,
        "status": judged.state,
        "reasons": list(judged.reasons),
        **{name: str(row["value"]) for name, row in buckets.items()},
        "rows": sum(row["rows"] for row in buckets.values()),
        "users": _plain(sum(row["users"] for row in buckets.values())),
        "partners": month.frame("partner_workbooks").height,
        "controls": [_control(row) for row in month.frame("controls").iter_rows(named=True)],
        "controls_status": judged.controls_status,
        "flags": dict(flags.group_by("flag_type", maintain_order=True).len().iter_rows()),
        "undecided": flags["decision"].null_count(),
        "held_lines": _held_lines(month) if published else 0,
        "buckets": {
            name: {"rows": row["rows"], "users": _plain(row["users"]), "amount": str(row["amount"])}
            for name, row in buckets.items()
        },
        **(_published(month, published) if published else {"files": [], "run_id": None, "draft": _draft(month)}),
    }


def _published(month: Month, manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "files": [month.outputs.address(entry["name"]) for entry in manifest["files"] if entry["named"]],
        "manifest": month.outputs.address(manifest["manifest_name"]),
        "run_id": manifest["run_id"],
    }


def _draft(month: Month) -> str:
    return str(month.frame("master_report")["path"][0])


def print_close(document: dict[str, Any], outputs_dir: Path) -> None:
    """The same for a reader: buckets, controls, what waits, where the files are."""
    buckets = [(name, row["rows"], row["users"], row["amount"]) for name, row in document["buckets"].items()]
    figures = ("rows", "users", "amount")
    messages.print(table(f"Billed {document['period']}", ("bucket", *figures), buckets, figures))
    if document["removed"] != "0.00":
        say(f"[dim]Removed rows were priced at {document['removed']} before the decisions.[/dim]")
    controls = [tuple(row.values()) for row in document["controls"]]
    messages.print()
    numbers = ("input", "output", "variance")
    messages.print(table("Audit & Controls", ("control", *numbers, "status"), controls, numbers))
    messages.print()
    if document["undecided"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in document["flags"].items())
        say(f"[yellow]{document['undecided']} flags wait for a decision[/yellow] ({safe(kinds)})")
    if document["held_lines"]:
        say(f"[yellow]{document['held_lines']} lines are held[/yellow], {document['held']} in all: see the held file")
    if document["status"] != "published":
        say(f"[bold red]Not published:[/bold red] {safe('; '.join(document['reasons']))}")
        say(f"Look at the draft: {safe(document['draft'])}")
        return
    say(f"{len(document['files'])} files in {safe(outputs_dir)}")
    for path in document["files"]:
        if "partner_details" not in path:
            say(f"  {safe(path)}")
    say(f"  {safe(document['manifest'])}")


def _control(row: dict[str, Any]) -> dict[str, str]:
    keys = {"Control Check": "name", "Input": "input", "Output": "output", "Variance": "variance", "Status": "status"}
    return {
        name: _plain(row[key]) if name in ("input", "output", "variance") else row[key] for key, name in keys.items()
    }


def _plain(number: object) -> str:
    """A number as text: whole ones without decimals, others with at least two."""
    whole, _, fraction = str(number).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction:0<2}" if fraction else whole


def _held_lines(month: Month) -> int:
    held = month.frame("netsuite_invoices").filter(pl.col("kind") == "held")["name"]
    return sum(pl.read_csv(month.outputs.read_named(name), infer_schema=False).height for name in held)
