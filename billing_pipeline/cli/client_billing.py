"""What `clients bill`, `clients sync` and `clients accept` do. Prints nothing."""

from datetime import UTC, datetime, time
from functools import partial
from typing import Any

import polars as pl
from rich.progress import Progress

from billing_pipeline.assets.client_billing import EXCEPTION, EXCLUDED, WARNING
from billing_pipeline.assets.client_pulls import ALWAYS
from billing_pipeline.cli.closing import Month, installed_month, progress_bar, refusing, run_month
from billing_pipeline.engine.errors import GateError, InputError, nearest
from billing_pipeline.engine.managed_services import MONEY, pulled
from billing_pipeline.engine.managed_services.bills import PARTS
from billing_pipeline.engine.managed_services.checking import CHECKS
from billing_pipeline.engine.managed_services.entries import charged_in
from billing_pipeline.engine.managed_services.exact import hours
from billing_pipeline.engine.managed_services.exports import DUE_AFTER
from billing_pipeline.engine.money import cents
from billing_pipeline.engine.period import Period
from billing_pipeline.reports.managed_services import EMPTY_TEXT
from billing_pipeline.resources import client_archive
from billing_pipeline.resources.client_book import changes_since
from billing_pipeline.resources.client_documents import Draft
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.run_tags import CLIENTS, PULL
from billing_pipeline.settings import load_settings

_JOBS = {"tickets": ("pull_tickets", (pulled.ENTRIES,)), "inventory": ("pull_inventory", tuple(pulled.LISTINGS)[:-1])}


def billed(period: Period, pull: str, account: str | None, progress: Progress | None = None) -> dict[str, Any]:
    """Bill the month's clients: counts, total, exceptions, warnings, files; of one client its whole bill as well.

    pull: auto, book, always, never. `progress` instead of a bar of its own. GateError when a check of the bills failed:
    nothing is published then.
    """
    month = installed_month(period)
    sets = month.outputs.of(CLIENTS)
    title = f"clients are not billed for {period}"
    with refusing(sets, CHECKS, title, "the bills"), progress or progress_bar() as bar:
        run_month(month, "bill_clients", bar, {PULL: pull}, capability=CLIENTS)
    made = sets.latest_manifest(period)
    if made is None:
        raise GateError(f"the run of {period} came to no end; look for it in Dagster's pages")
    others = month.frame("client_exceptions")
    document = {
        "period": period.key,
        "clients": made["billed"] + others.filter(pl.col("kind") != WARNING).height,
        "billed": made["billed"],
        "excluded": made[EXCLUDED],
        "exceptions": _told(others, EXCEPTION, "reason"),
        "total": made["total"],
        "warnings": _told(others, WARNING, "warning"),
        "left_out": _told(others, EXCLUDED, "reason"),
        "captured": {name: f"{pulled.pulled_at(month.frame(name)) or ''}" for name in pulled.LISTINGS},
        "book_changes_since": _changed_since(month),
        "files": [sets.address(entry["name"]) for entry in made["files"] if entry["named"] and _summary(entry["kind"])],
        "run_id": made["run_id"],
    }  # fmt: skip
    return document if account is None else document | {"bill": _bill(month, account)}


def synced(period: Period | None, what: str) -> dict[str, Any]:
    """Pull now, for the current month when none is named; what there is of each listing, and what was wrong with it."""
    period = period or Period.of(datetime.now(load_settings().zone).date())
    month = installed_month(period)
    listings = []
    with progress_bar() as bar:
        for job, names in (_JOBS[one] for one in (_JOBS if what == "all" else [what])):
            run_month(month, job, bar, {PULL: ALWAYS}, capability=CLIENTS)
            for name in names:
                frame = month.frame(name)
                records = pulled.records(name, frame)
                listings.append(
                    {
                        "listing": name,
                        "records": records["removed_at"].null_count(),
                        "removed": records.height - records["removed_at"].null_count(),
                        "pulled_at": f"{pulled.pulled_at(frame) or ''}",
                        "problems": pulled.problems_of(frame).select("record", "problem", "left_out").to_dicts(),
                    }
                )
    return {"period": period.key, "listings": listings}


def accepted(period: Period, account: str | None, by: str, notes: str) -> dict[str, Any]:
    """Archive the bills of the month's latest run, of one client or of all; each is made once.

    GateError when the month is not over, or was billed before it was; InputError for a client without a bill.
    """
    month = installed_month(period)
    sets = month.outputs.of(CLIENTS)
    made = sets.latest_manifest(period)
    if made is None:
        raise GateError(f"clients were not billed for {period} yet: billing-pipeline clients bill --month {period}")
    over = datetime.combine(period.next.first, time(), load_settings().zone)
    if datetime.now(UTC) < over:
        raise GateError(f"{period} is not over: its bills can be accepted from {period.next.first} on")
    if datetime.fromisoformat(made["finished_at_utc"]) < over:
        raise GateError(f"{period} was billed before it was over; bill it again: clients bill --month {period}")
    drafts = _drafts(sets, made, period, account)
    now = datetime.now(UTC)
    results = []
    with progress_bar() as bar:
        task = bar.add_task("accepting", total=len(drafts), step="")
        for draft in drafts:
            done = month.database.run(partial(client_archive.accept, bill=draft, by=by, at=now, notes=notes))
            results.append(
                {"account": draft.account, "number": done.number, "total": str(draft.total), "created": done.created}
            )
            bar.update(task, advance=1, step=draft.account)
    return {"period": period.key, "accepted": results}


def _drafts(sets: OutputFiles, made: dict[str, Any], period: Period, account: str | None) -> list[Draft]:
    frames = {name: pl.read_parquet(sets.file_of(made, name)) for name in ("bills", "lines", "entries", "texts")}
    bills = frames["bills"]
    if account is not None:
        _refuse_unknown(bills["account"].to_list(), account, period)
        bills = bills.filter(pl.col("account") == account)
    texts = {row["account"]: row for row in frames["texts"].iter_rows(named=True)}
    charged = frames["entries"].filter(charged_in(period))
    lines = _by_account(frames["lines"].with_columns(pl.col("rate", "amount").cast(pl.String)))
    entries = _by_account(
        charged.select("account", "source", "source_id", pl.col("worked").dt.total_milliseconds().alias("spent"))
    )
    return [
        Draft(
            number=bill["number"],
            account=bill["account"],
            name=bill["name"] or "",
            period=period,
            invoice_date=period.last,
            due_date=period.last + DUE_AFTER,
            total=bill["total"],
            components={name: bill[name] for name in PARTS},
            rows=tuple(lines.get(bill["account"], [])),
            entries=tuple((one["source"], one["source_id"], one["spent"]) for one in entries.get(bill["account"], [])),
            inputs_sha256=made["inputs_sha256"],
            run_id=made["run_id"],
            invoice_csv=texts[bill["account"]]["invoice"] or EMPTY_TEXT,
            accounting_csv=texts[bill["account"]]["accounting"] or EMPTY_TEXT,
        )
        for bill in bills.iter_rows(named=True)
    ]


def _by_account(frame: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    return {str(key): part.to_dicts() for (key,), part in frame.partition_by("account", as_dict=True).items()}


def _bill(month: Month, account: str) -> dict[str, Any]:
    """Everything of one client's bill, amounts as texts."""
    bills = month.frame("client_bills").filter(pl.col("account") == account)
    if bills.is_empty():
        others = month.frame("client_exceptions").filter(pl.col("account") == account)
        if others.is_empty():
            _refuse_unknown(month.frame("client_bills")["account"].to_list(), account, month.period)
        return {"account": account, "billable": False, "reasons": others["text"].to_list()}
    row = bills.row(0, named=True)
    lines = month.frame("client_lines").filter(pl.col("account") == account)
    time_ = month.frame("client_time").filter(pl.col("account") == account)
    features = month.frame("client_features").filter(pl.col("account") == account)
    return {
        "account": account,
        "billable": True,
        "name": row["name"],
        "number": row["number"],
        "money": {name: str(row[name]) for name in MONEY},
        "support_level": row["support_level"],
        "features": dict(features.select("feature", "value").iter_rows()),
        "lines": lines.drop("account", "client").with_columns(pl.col("rate", "amount").cast(pl.String)).to_dicts(),
        "time": time_.select(
            "ticket", "subject", pl.col("at").dt.strftime("%Y-%m-%d %H:%M"), pl.col("month").dt.strftime("%Y-%m"),
            cents(hours(pl.col("worked").dt.total_milliseconds())).cast(pl.String).alias("hours"), "state",
        ).to_dicts(),
    }  # fmt: skip


def _told(others: pl.DataFrame, kind: str, word: str) -> list[dict[str, str]]:
    mine = others.filter(pl.col("kind") == kind)
    return [{"account": row["account"], "name": row["name"], word: row["text"]} for row in mine.iter_rows(named=True)]


def _changed_since(month: Month) -> int:
    """How many values of the book were changed after the month was frozen."""
    frozen = pulled.pulled_at(month.frame("client_book"))
    return 0 if frozen is None else month.database.run(partial(changes_since, at=frozen))


def _summary(kind: str) -> bool:
    return kind in ("invoices", "all_invoices", "workbook")


def _refuse_unknown(accounts: list[str], account: str, period: Period) -> None:
    if account not in accounts:
        near = nearest(account, accounts)
        raise InputError(f"{period} has no bill of client {account!r}" + (f"; did you mean {near!r}?" if near else ""))
