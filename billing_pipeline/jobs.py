"""Jobs: what is materialised together."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from billing_pipeline.partitions import MONTHS
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.outputs import OutputFiles
from billing_pipeline.resources.retention import Retention, tidied
from billing_pipeline.run_tags import ACCRUALS, ALL, AUDIT, BILLING, CLIENTS, OWN_BOOK, UNBILLED, VARIANCES, WRITER

CHECK_FAILED = "DagsterAssetCheckFailedError"  # of a blocking check; Dagster does not export the class


def _one_writer(capability: str) -> dg.PartitionedConfig[Any]:
    """The tag by which a month has one writer of each capability."""
    return dg.PartitionedConfig(
        partitions_def=MONTHS,
        run_config_for_partition_key_fn=lambda _: {},
        tags_for_partition_key_fn=lambda month: {WRITER: f"{capability}:{month}"},
    )


close_month = dg.define_asset_job(
    "close_month",
    selection=dg.AssetSelection.groups("inputs", "review", "billing", "publication"),
    config=_one_writer(BILLING),
    description="Price a month, write its invoices and reports, check them, publish them when the gate is open.",
)
scan_month = dg.define_asset_job(
    "scan_month",
    selection=dg.AssetSelection.groups("inputs", "review"),
    config=_one_writer(BILLING),
    description="Read a month's usage and rules and list what has to be reviewed; prices nothing.",
)
accrue_month = dg.define_asset_job(
    "accrue_month",
    selection=dg.AssetSelection.groups("accruals", "variance"),
    config=_one_writer(ACCRUALS),
    description="Accrue a month from last month's usage: journal entry, reversal, support; variance if it is billed.",
)
explain_variance = dg.define_asset_job(
    "explain_variance",
    selection=dg.AssetSelection.groups("variance"),
    config=_one_writer(VARIANCES),
    description="Compare a month's accrual with its bill, and explain the difference to the cent.",
)
pull_tickets = dg.define_asset_job(
    "pull_tickets",
    selection=dg.AssetSelection.assets("time_entries"),
    config=_one_writer(CLIENTS),
    description="Bring the time entries of clients' tickets up to date, from the last pull on.",
)
pull_inventory = dg.define_asset_job(
    "pull_inventory",
    selection=dg.AssetSelection.assets("companies", "contacts", "devices", "backup_volumes"),
    config=_one_writer(CLIENTS),
    description="Bring clients, their contacts, devices and backup volumes up to date.",
)
bill_clients = dg.define_asset_job(
    "bill_clients",
    selection=dg.AssetSelection.groups("client_sources", "clients"),
    config=_one_writer(CLIENTS),
    description="Bill a month's managed-services clients: bills, exceptions, invoice and accounting files, checked.",
)
audit = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.groups("audit") - dg.AssetSelection.assets("own_book_findings"),
    tags={WRITER: f"{AUDIT}:{ALL}"},
    description="Look at the audited sheets, find what changed after it was billed, report it, bring the log up to it.",
)
audit_book = dg.define_asset_job(
    "audit_book",
    selection=dg.AssetSelection.assets("own_book_findings"),
    tags={WRITER: f"{OWN_BOOK}:{ALL}"},
    description="Compare what months are billed by now with what was sent of them; every charge that differs is told.",
)


unbilled = dg.define_asset_job(
    "unbilled",
    selection=dg.AssetSelection.groups(UNBILLED),
    tags={WRITER: f"{UNBILLED}:{ALL}"},
    description="Look for hours that were worked and not invoiced; tell what crossed its threshold, grew, was settled.",
)


@dg.op(out=dg.Out(dg.Nothing), description="Remove what is older than the settings keep; its log says what went.")
def remove_old(
    context: dg.OpExecutionContext,
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    retention: Retention,
) -> None:
    """Dagster runs, drafts and run sets of no release, delivered notices."""
    removed = tidied(retention, context.instance, outputs, database, datetime.now(UTC))
    for kind, names in (("run set", removed.run_sets), ("draft", removed.drafts), ("not tidied", removed.skipped)):
        for name in names:
            context.log.info(f"{kind}: {name}")
    context.log.info(
        f"removed {len(removed.runs)} Dagster runs, {len(removed.run_sets)} run sets, {len(removed.drafts)} drafts, "
        f"{removed.notices} delivered notices"
    )


@dg.job(description="Remove what is older than BILLING_KEEP_RUNS_DAYS and BILLING_KEEP_RUN_SETS_DAYS; releases stay.")
def tidy() -> None:
    """One step, so that what went stands in one log."""
    remove_old()
