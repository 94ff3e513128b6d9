"""The only place where the parts are put together; tests and the command line call it with other resources."""

import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from billing_pipeline.assets import (
    accruals,
    audit,
    billing,
    managed_services,
    own_book,
    publication,
    unbilled,
    usage,
    variances,
    weekly,
)
from billing_pipeline.jobs import (
    accrue_month,
    audit_book,
    bill_clients,
    close_month,
    explain_variance,
    pull_inventory,
    pull_tickets,
    scan_month,
    tidy,
)
from billing_pipeline.jobs import (
    audit as audit_job,
)
from billing_pipeline.jobs import (
    unbilled as unbilled_job,
)
from billing_pipeline.profile import Profile, load_profile
from billing_pipeline.resources.audit_places import AuditPlacesResource
from billing_pipeline.resources.client_sources import ClientSourcesResource
from billing_pipeline.resources.client_terms import ClientRules
from billing_pipeline.resources.database import DatabaseResource, sqlite_url
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.frames import FrameIOManager
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.inputs import Inputs
from billing_pipeline.resources.leases import MonthWriter
from billing_pipeline.resources.narrative import NarrativePlace
from billing_pipeline.resources.notices import notices_from
from billing_pipeline.resources.outputs import Outputs
from billing_pipeline.resources.retention import Retention
from billing_pipeline.resources.unbilled_place import UnbilledPlace
from billing_pipeline.schedules.accruals import accrual_schedule
from billing_pipeline.schedules.audit import audit_schedule, book_schedule
from billing_pipeline.schedules.deadline_watch import deadline_watch_schedule
from billing_pipeline.schedules.managed_services import client_schedules
from billing_pipeline.schedules.tidy import tidy_daily
from billing_pipeline.schedules.unbilled import unbilled_schedule
from billing_pipeline.sensors.accruals import accruals_sensor
from billing_pipeline.sensors.approvals import approvals_sensor
from billing_pipeline.sensors.outbox import outbox_sensor
from billing_pipeline.sensors.run_notices import run_notices_sensor
from billing_pipeline.sensors.source_changes import source_changes_sensor
from billing_pipeline.sensors.usage_files import usage_files_sensor
from billing_pipeline.settings import Settings, load_settings


def build_defs(resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """The whole pipeline. `resources` replaces resources by name; the rest comes from the settings."""
    settings = load_settings()
    return dg.Definitions(
        assets=dg.load_assets_from_modules(
            [usage, billing, publication, accruals, variances, managed_services, audit, own_book, weekly, unbilled]
        ),
        asset_checks=[
            publication.control_checks,
            accruals.journal_checks,
            variances.bridge_sums_to_variance,
            managed_services.client_checks,
            managed_services.nobody_is_left_out,
            managed_services.accepted_bills_unchanged,
            audit.sheets_are_covered,
            audit.findings_are_unique,
            unbilled.no_hours_are_lost,
            unbilled.nothing_is_quarantined,
        ],
        jobs=[
            close_month,
            scan_month,
            accrue_month,
            explain_variance,
            pull_tickets,
            pull_inventory,
            bill_clients,
            audit_job,
            audit_book,
            unbilled_job,
            tidy,
        ],
        sensors=[
            usage_files_sensor(settings),
            approvals_sensor(settings),
            run_notices_sensor(settings),
            accruals_sensor(settings),
            outbox_sensor(settings),
            source_changes_sensor(settings),
        ],
        schedules=[
            deadline_watch_schedule(settings),
            accrual_schedule(settings),
            *client_schedules(settings),
            audit_schedule(settings),
            book_schedule(settings),
            unbilled_schedule(settings),
            tidy_daily(settings),
        ],
        resources={**resources_from(settings), **(resources or {})},
        executor=dg.in_process_executor,  # Polars already uses every core; a process per step costs seconds
    )


def resources_from(settings: Settings) -> dict[str, object]:
    """The resources of an installation: its data folder keeps the state, its outputs folder what is published."""
    profile = load_profile(settings.profile)
    month = local_resources(
        usage_dir=settings.usage_folder,
        rules_file=settings.rules_path,
        outputs_dir=settings.outputs_folder.resolve(),
        state_dir=settings.data_dir.resolve(),
        profile=profile,
        storage_url=settings.storage_url or "",
        database=database_resource(settings),
        gate=Gate(
            gated=True,
            releases=True,
            approvers=settings.approvers,
            manual=settings.publish == "manual",
            lease_seconds=settings.lease_seconds,
            readback_rows=settings.readback_rows,
            ui_url=settings.ui_url,
        ),
        estimation=estimation_from(settings),
    )
    retention = Retention(keep_runs_days=settings.keep_runs_days, keep_run_sets_days=settings.keep_run_sets_days)
    clients = {"client_sources": client_sources(settings), "client_rules": client_rules(settings)}
    clients |= {"unbilled_folder": UnbilledPlace(folder=str(settings.unbilled_folder.absolute()))}
    clients |= {"audit_places": audit_places(settings), "narrative": narrative_place(settings)}
    return {**month, **clients, "notices": notices_from(settings), "retention": retention}


def client_sources(settings: Settings) -> ClientSourcesResource:
    """Where clients come from; keys stay in the environment."""
    secret = {
        name: dg.EnvVar(f"BILLING_{name.upper()}")
        for name in ("freshservice_api_key", "datto_api_key", "datto_api_secret")
        if getattr(settings, name)
    }
    return ClientSourcesResource(
        folder=str(settings.clients_folder.absolute()),
        directory_url=settings.directory_url or "",
        identity_url=settings.directory_identity_url or "",
        freshservice_url=settings.freshservice_url or "",
        datto_url=settings.datto_url or "",
        datto_backup_field=settings.datto_backup_field,
        timeout_seconds=settings.pull_timeout_seconds,
        **secret,
    )


def audit_places(settings: Settings, folder: Path | None = None) -> AuditPlacesResource:
    """What is audited, in another `folder` of sheets when it is given; the token stays in the environment."""
    token = "SMARTSHEET_API_TOKEN" if "SMARTSHEET_API_TOKEN" in os.environ else "BILLING_SMARTSHEET_API_TOKEN"
    return AuditPlacesResource(
        folder=str((folder or settings.audit_folder).absolute()),
        token=dg.EnvVar(token) if settings.smartsheet_api_token else "",
        base=settings.smartsheet_api_base,
        sheets=settings.audit_sheets,
        folders=settings.audit_folders,
        log_sheet=settings.audit_sheet_id,
        history_calls=settings.audit_history_calls,
        reports=settings.audit_reports,
        target_sheet=settings.target_sheet_id,
    )


def narrative_place(settings: Settings) -> NarrativePlace:
    """Who words the figures of an audit; nobody by default."""
    return NarrativePlace(
        url=settings.narrative_url or "",
        model=settings.narrative_model or "",
        key=dg.EnvVar("BILLING_NARRATIVE_KEY") if settings.narrative_key else "",
    )


def client_rules(settings: Settings) -> ClientRules:
    """Where clients' months begin, and how much of a listing may be gone."""
    return ClientRules(
        zone=settings.timezone,
        largest_drop=str(settings.clients_largest_drop),
        overlap_hours=settings.tickets_overlap_hours,
    )


def estimation_from(settings: Settings, *, save_detail: bool = False) -> Estimation:
    """How the settings want a month estimated, and what they call material."""
    amount = settings.materiality_amount
    return Estimation(
        estimator=settings.accrual_estimator,
        materiality_percent=str(settings.materiality_percent),
        materiality_amount="" if amount is None else str(amount),
        save_detail=save_detail,
    )


def database_resource(settings: Settings) -> DatabaseResource:
    """The application's database; a URL, which may hold a password, stays in the environment."""
    if settings.database_url:
        return DatabaseResource(url=dg.EnvVar("BILLING_DATABASE_URL"))
    return DatabaseResource(url=sqlite_url(settings.data_dir.resolve()))


def local_resources(
    *,
    usage_dir: Path | str,
    rules_file: Path | str,
    outputs_dir: Path,
    state_dir: Path,
    profile: Profile,
    gate: Gate,
    database: DatabaseResource | None = None,
    usage_file: Path | None = None,
    overrides_file: Path | None = None,
    storage_url: str = "",
    estimation: Estimation | None = None,
) -> dict[str, object]:
    """Resources over local folders; without another `database`, a file in the state folder."""
    database = database or DatabaseResource(url=sqlite_url(state_dir))
    published = outputs_dir / f"{profile.file_prefix}_data_review" / "billing_overrides.json"
    return {
        "inputs": Inputs(
            usage_dir=str(usage_dir),
            rules_file=str(rules_file),
            state_dir=str(state_dir),
            usage_file=str(usage_file or ""),
            overrides_file=str(overrides_file or ""),
            default_overrides="" if gate.releases else str(published),  # an installation decides in its database
        ),
        "outputs": Outputs(outputs_dir=str(outputs_dir), state_dir=str(state_dir), storage_url=storage_url),
        "database": database,
        "io_manager": FrameIOManager(
            state_dir=str(state_dir),
            storage_url=storage_url,
            writer=MonthWriter(database=database, seconds=gate.lease_seconds),
        ),
        "profile": dg.ResourceDefinition.hardcoded_resource(profile),
        "gate": gate,
        "estimation": estimation or Estimation(),
        "audit_places": AuditPlacesResource(folder=str(state_dir / "audit")),
        "client_sources": ClientSourcesResource(folder=str(state_dir / "clients")),
        "client_rules": ClientRules(),
        "narrative": NarrativePlace(),
        "unbilled_folder": UnbilledPlace(folder=str(state_dir / "unbilled")),
    }
