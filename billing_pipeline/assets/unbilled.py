"""Unbilled hours: time logs and contracts as they are, what each log is, what is found, and who is told."""

from datetime import UTC, datetime
from functools import partial

import dagster as dg
import polars as pl

from billing_pipeline.assets.metadata import OWNERS, preview, started_at
from billing_pipeline.assets.unbilled_feeds import feeds, fingerprint
from billing_pipeline.assets.unbilling import keep, mark_stale, notices_of, outcome, publish
from billing_pipeline.engine.findings import RESOLVED
from billing_pipeline.engine.money import total
from billing_pipeline.engine.unbilled import balance, judged_logs
from billing_pipeline.engine.unbilled.examining import examined
from billing_pipeline.engine.unbilled.tables import QUARANTINED
from billing_pipeline.profile import Profile
from billing_pipeline.reports.notices import run_page
from billing_pipeline.reports.unbilled import unbilled_document
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.database import Database
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.outbox import Channel, deliver
from billing_pipeline.resources.outputs import OutputFiles, run_of
from billing_pipeline.resources.unbilled_folder import HaltError, UnbilledFolder
from billing_pipeline.run_tags import CONTENT, DIGEST, UNBILLED

_FEEDS = {
    "time_logs": "Every time log there is, typed: of the folder and of managed-services clients.",
    "hourly_contracts": "What an hour of each project is worth, and which limits it has.",
}


@dg.multi_asset(
    group_name=UNBILLED,
    outs={name: dg.AssetOut(description=said, kinds={"polars"}, owners=OWNERS) for name, said in _FEEDS.items()},
)
def unbilled_feeds(
    context: dg.AssetExecutionContext,
    unbilled_folder: dg.ResourceParam[UnbilledFolder],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    client_rules: ClientRules,
    profile: dg.ResourceParam[Profile],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """engine.unbilled.tables: LOGS, CONTRACTS. HaltError fails the run: the figures before it stay, marked as stale."""
    at = started_at(context)
    today = client_rules.local(at).date()
    flag = profile.clients.honour_billable_flag
    try:
        logs, contracts = feeds(unbilled_folder, outputs, database, today, client_rules.zone, honour_billable_flag=flag)
    except HaltError as error:
        mark_stale(outputs, error, at)
        raise
    context.add_output_metadata({"logs": logs.height}, output_name="time_logs")
    context.add_output_metadata({"projects": contracts.height}, output_name="hourly_contracts")
    return logs, contracts


@dg.asset(
    group_name=UNBILLED,
    description="What became of every time log: billed, unbilled, excluded or quarantined, with its reason and amount.",
    kinds={"polars"},
    owners=OWNERS,
)
def judged_time(
    context: dg.AssetExecutionContext, time_logs: pl.DataFrame, hourly_contracts: pl.DataFrame
) -> pl.DataFrame:
    """engine.unbilled.tables.JUDGED."""
    judged = judged_logs(time_logs, hourly_contracts)
    context.add_output_metadata({"balance": preview(balance(judged))})
    return judged


@dg.asset(
    group_name=UNBILLED,
    description="Revenue that leaks, by project and kind, followed until it is invoiced; alerts, and the daily digest.",
    kinds={"polars", "json"},
    owners=OWNERS,
)
def unbilled_findings(
    context: dg.AssetExecutionContext,
    judged_time: pl.DataFrame,
    hourly_contracts: pl.DataFrame,
    unbilled_folder: dg.ResourceParam[UnbilledFolder],
    outputs: dg.ResourceParam[OutputFiles],
    database: dg.ResourceParam[Database],
    client_rules: ClientRules,
    profile: dg.ResourceParam[Profile],
    notices: dg.ResourceParam[Channel],
    gate: Gate,
) -> pl.DataFrame:
    """assets.unbilling.STANDING, every finding that is known."""
    at, run, terms = started_at(context), run_of(context), profile.unbilled
    today = client_rules.local(at).date()
    found = examined(judged_time, hourly_contracts, today, terms)
    made = outcome(found, database, terms, run, at)
    document = unbilled_document(found.projects, found.clients, found.leaks, found.balance, today)
    document |= {"run_id": run, "at": at.isoformat(), "stale": None}
    page = run_page(gate.ui_url, context.run.run_id)
    told = notices_of(made, document, run, today, page, digest=DIGEST in context.run.tags)
    content = context.run.tags.get(CONTENT) or fingerprint(unbilled_folder, outputs, database, today)
    database.run(partial(keep, made=made, run=run, at=at, fingerprint=content, notices=told))
    address = publish(outputs, document)
    if told:  # at once: the sensor `outbox` would take up to five seconds more, and sends what cannot be sent now
        deliver(database, notices, lambda: datetime.now(UTC))
    still = made.standing.filter(pl.col("status") != RESOLVED)
    context.add_output_metadata(
        {
            "open": still.height,
            "unbilled": str(total(found.projects["amount"])),
            "alerts": int(found.projects["alert"].sum()),
            "told": preview(made.alerts, 20),
            "summary": dg.MetadataValue.path(address),
            "preview": preview(still.select("category", "client", "project_id", "dollars", "why"), 20),
        }
    )
    return made.standing


@dg.asset_check(
    asset="judged_time",
    description="Billed + unbilled + excluded + quarantined = logged.",
    blocking=True,
    additional_ins={"time_logs": dg.AssetIn("time_logs")},
)
def no_hours_are_lost(time_logs: pl.DataFrame, judged_time: pl.DataFrame) -> dg.AssetCheckResult:
    """In rows, hours and money: each log is there once, in one state."""
    counted = balance(judged_time)
    states, logged = counted.filter(pl.col("state") != "logged"), counted.filter(pl.col("state") == "logged")
    sums = {name: (states[name].sum(), logged[name][0]) for name in ("rows", "hours", "amount")}
    whole = time_logs.height == judged_time.height and time_logs["hours"].sum() == judged_time["hours"].sum()
    return dg.AssetCheckResult(
        passed=whole and all(one == other for one, other in sums.values()),
        metadata={name: f"{one} of {other}" for name, (one, other) in sums.items()},
    )


@dg.asset_check(asset="judged_time", description="Every log could be judged: none is in quarantine.")
def nothing_is_quarantined(judged_time: pl.DataFrame) -> dg.AssetCheckResult:
    """What is quarantined is in no figure until somebody corrects it at its source."""
    aside = judged_time.filter(pl.col("state") == QUARANTINED)
    return dg.AssetCheckResult(
        passed=aside.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "reasons": preview(aside.group_by("reason").agg(pl.len(), pl.col("hours").sum())),
            "logs": preview(aside.select("log_id", "project_id", "hours", "reason", "file", "line"), 20),
        },
    )
