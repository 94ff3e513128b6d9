"""Managed services by the month: what was pulled, what clients are billed, who is not, the files, what was accepted."""

import json
from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from billing_pipeline.assets.client_billing import (
    EXCEPTION,
    EXCLUDED,
    SET_ONLY,
    WARNING,
    MonthBills,
    accepted_frame,
    book_frame,
    changed_since,
    file_problems,
    manifest_of_bills,
    month_bills,
    write_bills,
)
from billing_pipeline.assets.client_pulls import captured, frozen_book
from billing_pipeline.assets.drafts import CHECKS_FILE, check_results, file_table, refuse_altered, refuse_mixed_drafts
from billing_pipeline.assets.metadata import OWNERS, month_asset, preview, started_at
from billing_pipeline.assets.run_set import RunSet, drafted_files, facts_of_run
from billing_pipeline.engine.managed_services import pulled
from billing_pipeline.engine.managed_services.checking import CHECKS
from billing_pipeline.engine.money import total
from billing_pipeline.partitions import MONTHS, period_of
from billing_pipeline.profile import Profile
from billing_pipeline.resources import client_archive
from billing_pipeline.resources.client_sources import ClientSources
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.files import write_whole
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.run_tags import CLIENTS

SOURCES = "client_sources"
_OUTS = {
    "client_bills": "A row for each client that is billed: plan, rates and where they come from, components, total.",
    "client_lines": "Every line of every bill, with its record, quantity, rate, and why it is what it is.",
    "client_time": "The time entries of the month: in which month each is billed, how it counts, and why.",
    "client_exceptions": "Everybody who is not billed and why, and what has to be looked at.",
    "client_features": "What every client has besides units: the features of its plan, or its own.",
}


def _listing(name: str, description: str) -> dg.AssetsDefinition:
    """The asset of a pulled listing: all five are made alike."""

    @month_asset(SOURCES, description, name=name)
    def listing(
        context: dg.AssetExecutionContext,
        client_sources: dg.ResourceParam[ClientSources],
        client_rules: ClientRules,
        outputs: dg.ResourceParam[OutputFiles],
    ) -> pl.DataFrame:
        return captured(context, name, client_sources, outputs, client_rules)

    return listing


companies = _listing(pulled.COMPANIES, "The clients of the directory, as they were when the month ended.")
contacts = _listing(pulled.CONTACTS, "The people of every client, as they were when the month ended.")
devices = _listing(pulled.DEVICES, "The devices of every client, as they were when the month ended.")
backup_volumes = _listing(pulled.VOLUMES, "What every device had backed up when the month ended, in bytes.")
time_entries = _listing(pulled.ENTRIES, "Every time entry there is of clients' tickets, by the end of the month.")


@month_asset("clients", "The reference data of clients, as it was when the month was billed first.")
def client_book(
    context: dg.AssetExecutionContext,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    client_rules: ClientRules,
) -> pl.DataFrame:
    """sheet, row (JSON of texts), pulled_at."""
    frozen = frozen_book(context, outputs, period_of(context), client_rules)
    book = frozen if frozen is not None else book_frame(database, started_at(context))
    context.add_output_metadata({"frozen": frozen is not None, "rows_by_sheet": preview(book.group_by("sheet").len())})
    return book


@dg.multi_asset(
    partitions_def=MONTHS,
    group_name="clients",
    outs={name: dg.AssetOut(description=said, kinds={"polars"}, owners=OWNERS) for name, said in _OUTS.items()},
)
def client_month(
    context: dg.AssetExecutionContext,
    companies: pl.DataFrame,
    contacts: pl.DataFrame,
    devices: pl.DataFrame,
    backup_volumes: pl.DataFrame,
    time_entries: pl.DataFrame,
    client_book: pl.DataFrame,
    database: dg.ResourceParam[Database],
    client_rules: ClientRules,
    profile: dg.ResourceParam[Profile],
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """assets.client_billing.MonthBills: all clients in one pass."""
    listings = dict(zip(pulled.LISTINGS, (companies, contacts, devices, backup_volumes, time_entries), strict=True))
    made = month_bills(listings, client_book, database, period_of(context), client_rules, profile)
    counts = dict(made.others["kind"].value_counts().iter_rows())
    context.add_output_metadata(
        {"billed": made.bills.height, "total": str(total(made.bills["total"])), "preview": preview(
            made.bills.select("account", "name", "plan", "term", "total"), 15
        )}, output_name="client_bills",
    )  # fmt: skip
    context.add_output_metadata({"lines": made.lines.height}, output_name="client_lines")
    states = dict(made.entries["state"].value_counts().iter_rows())
    context.add_output_metadata({"entries": dg.MetadataValue.json(states)}, output_name="client_time")
    shown = {kind: counts.get(kind, 0) for kind in (EXCEPTION, EXCLUDED, WARNING)}
    context.add_output_metadata({**shown, "preview": preview(made.others, 30)}, output_name="client_exceptions")
    context.add_output_metadata({"own": int(made.features["overridden"].sum())}, output_name="client_features")
    return made.bills, made.lines, made.entries, made.others, made.features


@month_asset(
    "clients",
    "The invoice CSV and the accounting CSV of every client, one archive of each, and the month's workbook.",
    frozenset({"csv", "excel"}),
)
def client_invoices(
    context: dg.AssetExecutionContext,
    companies: pl.DataFrame,
    client_bills: pl.DataFrame,
    client_lines: pl.DataFrame,
    client_time: pl.DataFrame,
    client_exceptions: pl.DataFrame,
    client_features: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
) -> pl.DataFrame:
    """File table of the drafted files, written and read back; what the checks found is the file of kind `checks`."""
    period, folder = period_of(context), outputs.of(CLIENTS).draft_folder(period_of(context), run_of(context))
    made = MonthBills(client_bills, client_lines, client_time, client_exceptions, client_features)
    accepted = database.run(partial(client_archive.current_invoices, period=period))
    kinds = write_bills(folder, made, accepted, period)
    found = file_problems(folder, made, pulled.records(pulled.COMPANIES, companies), accepted, database, period)
    write_whole(folder / CHECKS_FILE, json.dumps(found, indent=2, ensure_ascii=False).encode())
    context.add_output_metadata(
        {
            "files": len(kinds),
            "total": str(total(client_bills["total"])),
            "accepted": len(accepted),
            "problems": dg.MetadataValue.json({name: texts for name, texts in found.items() if texts}),
        }
    )
    draft = client_bills["draft"][0] if client_bills.height else ""
    return file_table(folder, kinds | {CHECKS_FILE: "checks"}, draft)


@dg.multi_asset_check(
    name="client_bill_checks",
    specs=[
        dg.AssetCheckSpec(name, asset="client_invoices", description=said, blocking=True)
        for name, said in CHECKS.items()
    ],
)
def client_checks(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles]
) -> Iterator[dg.AssetCheckResult]:
    """One check for each rule, over the files of the very run it runs in."""
    folder = outputs.of(CLIENTS).draft_folder(period_of(context), run_of(context))
    yield from check_results(folder, "client_invoices", CHECKS)


@dg.asset_check(
    asset="client_exceptions", description="Whether anybody is not billed who should be, or has to be looked at."
)
def nobody_is_left_out(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles]
) -> dg.AssetCheckResult:
    """Exceptions and warnings: people have to look, the others' bills go on."""
    others = pl.read_parquet(outputs.frame_path("client_exceptions", period_of(context)))
    open_ones = others.filter(pl.col("kind") != EXCLUDED)
    return dg.AssetCheckResult(
        passed=open_ones.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            **{kind: others.filter(pl.col("kind") == kind).height for kind in (EXCEPTION, EXCLUDED, WARNING)},
            "list": preview(open_ones, 50),
        },
    )


@dg.asset_check(asset="client_bills", description="Bills that were accepted would still come to the same amount.")
def accepted_bills_unchanged(
    context: dg.AssetCheckExecutionContext, outputs: dg.ResourceParam[OutputFiles], database: dg.ResourceParam[Database]
) -> dg.AssetCheckResult:
    """The accepted ones stay as they are; a difference says that one may have to be voided and billed again."""
    period = period_of(context)
    accepted = database.run(partial(client_archive.current_invoices, period=period))
    changed = changed_since(pl.read_parquet(outputs.frame_path("client_bills", period)), accepted)
    return dg.AssetCheckResult(
        passed=changed.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"accepted": len(accepted), "changed": preview(changed, 30)},
    )


@month_asset(
    "clients", "The archive of the month: every accepted bill and credit note, as it was sent.", deps=["client_bills"]
)
def accepted_bills(context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]) -> pl.DataFrame:
    """number, kind, account, name, revision, total, credits, accepted_by, accepted_at, reason."""
    archive = accepted_frame(database, period_of(context))
    context.add_output_metadata({"total": str(total(archive["total"])), "preview": preview(archive, 20)})
    return archive


@month_asset(
    "clients",
    "Publication: the month's bills with their complete set and named files, until the next run takes their place.",
    frozenset({"json"}),
)
def client_manifest(
    context: dg.AssetExecutionContext,
    client_bills: pl.DataFrame,
    client_exceptions: pl.DataFrame,
    client_invoices: pl.DataFrame,
    outputs: dg.ResourceParam[OutputFiles],
    profile: dg.ResourceParam[Profile],
) -> pl.DataFrame:
    """One row: run_id, path of the named manifest, total. GateError when a drafted file was altered."""
    period, run, sets = period_of(context), run_of(context), outputs.of(CLIENTS)
    if client_bills.height:
        refuse_mixed_drafts(client_bills["draft"][0], {"client_invoices": client_invoices})
    refuse_altered([client_invoices])
    files = RunSet(drafted_files([client_invoices], SET_ONLY))
    about = facts_of_run(context, run, profile.file_prefix)
    document = manifest_of_bills(about, period, files, client_bills, client_exceptions)
    sets.clear(period)
    path = sets.publish(period, run, list(files.files), document | {"dagster_run_id": context.run.run_id})
    sets.discard_drafts(period)
    amount = str(total(client_bills["total"]))
    context.add_output_metadata({"manifest": dg.MetadataValue.path(path), "total": amount, "files": len(files.files)})
    return pl.DataFrame({"run_id": [run], "manifest": [path], "total": [amount]})
