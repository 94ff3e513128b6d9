"""The whole graph as literals: assets, what each is made of, groups, months, checks, jobs. A change here is meant."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from billing_pipeline.build import build_defs
from billing_pipeline.definitions import defs
from billing_pipeline.partitions import MONTHS

GROUPS = {
    "inputs": {
        "usage_file": set(),
        "usage_rows": {"usage_file"},
        "billing_rules": set(),
    },
    "review": {
        "decisions": {"usage_file", "usage_rows", "billing_rules"},
        "usage_warnings": {"usage_rows", "billing_rules"},
        "review_flags": {"usage_file", "usage_rows", "billing_rules", "decisions", "usage_warnings"},
    },
    "billing": {
        "priced_rows": {"usage_file", "usage_rows", "billing_rules", "decisions"},
        "netsuite_invoices": {"priced_rows"},
        "partner_workbooks": {"priced_rows"},
        "buckets": {"usage_rows", "priced_rows", "billing_rules", "decisions"},
        "controls": {
            "usage_rows", "priced_rows", "buckets", "usage_warnings", "decisions", "netsuite_invoices",
            "partner_workbooks",
        },
        "master_report": {"priced_rows", "usage_rows", "controls", "buckets"},
    },
    "publication": {
        "adjustments": {"netsuite_invoices"},
        "manifest": {
            "usage_file", "billing_rules", "decisions", "review_flags", "priced_rows", "netsuite_invoices",
            "partner_workbooks", "buckets", "controls", "master_report", "adjustments",
        },
    },
    "accruals": {
        "accrual_usage": set(),
        "accrual_rules": set(),
        "accrual_rows": {"accrual_usage", "accrual_rules"},
        "accrual_totals": {"accrual_rows", "accrual_rules"},
        "journal_entry": {"accrual_usage", "accrual_rows", "accrual_totals"},
        "accrual_support": {"accrual_usage", "accrual_rules", "accrual_rows", "accrual_totals"},
        "accrual": {
            "accrual_usage", "accrual_rules", "accrual_rows", "accrual_totals", "journal_entry", "accrual_support",
        },
    },
    "variance": {"variance": {"accrual", "manifest"}},
    "client_sources": {
        "companies": set(), "contacts": set(), "devices": set(), "backup_volumes": set(), "time_entries": set(),
    },
    "clients": {
        "client_book": set(),
        **{
            asset: {"companies", "contacts", "devices", "backup_volumes", "time_entries", "client_book"}
            for asset in ("client_bills", "client_lines", "client_time", "client_exceptions", "client_features")
        },
        "client_invoices": {
            "companies", "client_bills", "client_lines", "client_time", "client_exceptions", "client_features",
        },
        "accepted_bills": {"client_bills"},
        "client_manifest": {"client_bills", "client_exceptions", "client_invoices"},
    },
    "audit": {
        "audit_sheets": set(), "audit_rows": set(), "audit_cell_problems": set(),
        "audit_changes": {"audit_sheets", "audit_rows"},
        "audit_findings": {"audit_sheets", "audit_rows", "audit_cell_problems", "audit_changes"},
        "audit_log": {"audit_findings"},
        "weekly_workbooks": {"audit_sheets", "audit_rows"},
        "own_book_findings": set(),
    },
    "unbilled": {
        "time_logs": set(), "hourly_contracts": set(),
        "judged_time": {"time_logs", "hourly_contracts"},
        "unbilled_findings": {"judged_time", "hourly_contracts"},
    },
}  # fmt: skip
CLOSE = ("inputs", "review", "billing", "publication")
ASSETS = {asset: parents for group in GROUPS.values() for asset, parents in group.items()}
CHECKS = {
    "bridge_sums_to_variance": False,
    "debits_equal_credits_per_customer": True,
    "debits_equal_credits": True,
    "every_customer_is_booked": True,
    "amounts": True,
    "accounts": True,
    "external_ids": True,
}
CLIENT_CHECKS = {
    "bills_tie_out": True,
    "every_client_once": True,
    "no_entry_billed_twice": True,
    "nobody_is_left_out": False,
    "accepted_bills_unchanged": False,
}
AUDIT_CHECKS = {"sheets_are_covered": False, "findings_are_unique": False}
CONTROLS = {
    "completeness_rows": True,
    "completeness_users": True,
    "netsuite_tie_out": True,
    "math_integrity_exceptions": True,
    "rows_with_missing_tier_bad_data": False,
    "data_quality_flags": False,
    "partner_report_tie_out": True,
    "input_warnings": False,
    "conservation_rows": True,
    "conservation_users": True,
    "conservation_amount": True,
    "fee_summary_tie_out": True,
    "netsuite_import_rules": True,
}
"""Name and whether it blocks: those that can say FAIL do, those that ask for review at most do not."""
JOBS = {
    "close_month": {asset for group in CLOSE for asset in GROUPS[group]},
    "scan_month": {*GROUPS["inputs"], *GROUPS["review"]},
    "accrue_month": {*GROUPS["accruals"], *GROUPS["variance"]},
    "explain_variance": {*GROUPS["variance"]},
    "pull_tickets": {"time_entries"},
    "pull_inventory": {"companies", "contacts", "devices", "backup_volumes"},
    "bill_clients": {*GROUPS["client_sources"], *GROUPS["clients"]},
}
AUDIT = {*GROUPS["audit"]} - {"own_book_findings"}
OF_NO_MONTH = {*GROUPS["audit"], *GROUPS["unbilled"]}
UNBILLED_CHECKS = {"no_hours_are_lost": True, "nothing_is_quarantined": False}
WRITERS = {
    "accrue_month": "accruals", "explain_variance": "variances", "pull_tickets": "clients", "pull_inventory": "clients",
    "bill_clients": "clients",
}  # fmt: skip


@pytest.fixture(name="graph", scope="module")
def the_graph() -> Any:
    return defs.resolve_asset_graph()


def name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def test_the_definitions_load_with_every_resource_they_need() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_is_made_of_exactly_these_others(graph: Any) -> None:
    assert {
        name(key): {name(parent) for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()
    } == ASSETS


def test_every_asset_stands_in_its_group(graph: Any) -> None:
    found: dict[str | None, set[str]] = {}
    for key in graph.get_all_asset_keys():
        found.setdefault(graph.get(key).group_name, set()).add(name(key))
    assert found == {group: set(assets) for group, assets in GROUPS.items()}


def test_every_asset_is_a_month_of_the_one_partition_definition_but_what_looks_at_all_time(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        assert graph.get(key).partitions_def is (None if name(key) in OF_NO_MONTH else MONTHS), name(key)


def test_every_asset_says_what_it_is_and_whose_it_is(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        asset = graph.get(key)
        assert asset.description, name(key)
        assert asset.owners == ["team:billing-operations"], name(key)
        assert asset.kinds, name(key)


def test_no_asset_is_materialised_by_a_condition_of_its_own(graph: Any) -> None:
    """Old months are corrected by a job with their key, never because something upstream changed."""
    assert [name(key) for key in graph.get_all_asset_keys() if graph.get(key).automation_condition] == []


def test_the_controls_are_checks_of_the_master_report_and_block_when_they_can_fail(graph: Any) -> None:
    blocking = {key.name: graph.get_check_spec(key).blocking for key in graph.asset_check_keys}
    assert blocking == CONTROLS | CHECKS | CLIENT_CHECKS | AUDIT_CHECKS | UNBILLED_CHECKS
    checked = {key.name: name(key.asset_key) for key in graph.asset_check_keys}
    assert {checked[control] for control in CONTROLS} == {"master_report"}
    assert {checked[check] for check in CHECKS} == {"journal_entry", "variance"}
    assert {checked[check] for check in CLIENT_CHECKS} == {"client_invoices", "client_exceptions", "client_bills"}
    assert {checked[check] for check in AUDIT_CHECKS} == {"audit_sheets", "audit_findings"}
    assert {checked[check] for check in UNBILLED_CHECKS} == {"judged_time"}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_materialises_these_assets(job: str) -> None:
    selected = defs.resolve_job_def(job).asset_layer.executable_asset_keys
    assert {name(key) for key in selected} == JOBS[job]


def test_there_are_no_other_jobs() -> None:
    assert {job.name for job in defs.jobs or ()} == {*JOBS, "audit", "audit_book", "unbilled", "tidy"}


@pytest.mark.parametrize(
    ("called", "assets", "checks"),
    [("audit", AUDIT, AUDIT_CHECKS), ("unbilled", {*GROUPS["unbilled"]}, UNBILLED_CHECKS)],
)
def test_what_looks_at_all_time_is_one_job_of_no_month_with_one_writer_in_one_process(
    called: str, assets: set[str], checks: dict[str, bool]
) -> None:
    job = defs.resolve_job_def(called)
    assert {name(key) for key in job.asset_layer.executable_asset_keys} == assets
    assert {key.name for key in job.asset_layer.asset_graph.asset_check_keys} == set(checks)
    assert (job.partitions_def, job.tags["billing/writer"]) == (None, f"{called}:all")
    assert job.executor_def is dg.in_process_executor


def test_closing_a_month_runs_the_checks_and_scanning_it_does_not() -> None:
    keys = {job: defs.resolve_job_def(job).asset_layer.asset_graph.asset_check_keys for job in JOBS}
    assert {key.name for key in keys["close_month"]} == set(CONTROLS)
    assert not keys["scan_month"]
    assert {key.name for key in keys["accrue_month"]} == set(CHECKS)
    assert {key.name for key in keys["bill_clients"]} == set(CLIENT_CHECKS)
    assert not keys["pull_tickets"]


@pytest.mark.parametrize("job", JOBS)
def test_a_run_carries_the_tag_that_allows_one_writer_a_month(job: str) -> None:
    tags = defs.resolve_job_def(job).get_tags_for_partition_key("2026-01", selected_asset_keys=None)
    assert tags["billing/writer"] == f"{WRITERS.get(job, 'billing')}:2026-01"


@pytest.mark.parametrize("job", JOBS)
def test_steps_run_in_one_process(job: str) -> None:
    """A process per step costs seconds and gains nothing: Polars already uses every core."""
    assert defs.resolve_job_def(job).executor_def is dg.in_process_executor


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), "2026-01"),
        (datetime(2026, 2, 1, tzinfo=UTC), "2026-02"),
        (datetime(2026, 2, 25, tzinfo=UTC), "2026-02"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027-01"),
    ],
)
def test_months_run_from_the_first_that_can_be_billed_to_the_current_one(now: datetime, last: str) -> None:
    keys = MONTHS.get_partition_keys(current_time=now)
    assert (keys[0], keys[-1]) == ("2020-01", last)


def test_these_resources_are_there() -> None:
    assert set(defs.resources or {}) == {
        "inputs", "outputs", "io_manager", "profile", "gate", "database", "notices", "retention",
        "estimation", "client_sources", "client_rules", "audit_places", "narrative", "unbilled_folder",
    }  # fmt: skip


def test_these_sensors_look_by_themselves_and_say_what_for() -> None:
    found = {sensor.name: sensor for sensor in defs.sensors or ()}
    assert {name: sensor.minimum_interval_seconds for name, sensor in found.items()} == {
        "usage_files": 1800, "approvals": 4, "run_notices": 4, "accruals": 4, "outbox": 4, "source_changes": 4,
    }  # fmt: skip
    for sensor in found.values():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
        assert sensor.description, sensor.name


def test_these_schedules_run_by_themselves_and_say_what_for() -> None:
    found = {schedule.name: schedule for schedule in defs.schedules or ()}
    assert {name: (schedule.cron_schedule, schedule.execution_timezone) for name, schedule in found.items()} == {
        "deadline_watch": ("0 9 * * *", "UTC"), "tidy_daily": ("30 3 * * *", "UTC"),
        "accrual_25th": ("0 6 * * *", "UTC"), "tickets_every_6_hours": ("0 */6 * * *", "UTC"),
        "backups_daily": ("0 2 * * *", "UTC"), "clients_monthly": ("0 3 1 * *", "UTC"),
        "audit_every_2_hours": ("0 */2 * * *", "UTC"), "own_book_every_2_hours": ("30 */2 * * *", "UTC"),
        "unbilled_digest": ("0 8 * * *", "UTC"),
    }  # fmt: skip
    for schedule in found.values():
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING, schedule.name
        assert schedule.description, schedule.name


TICKING = (
    "usage_files", "approvals", "accruals", "run_notices", "outbox", "accrual_25th", "deadline_watch", "tidy_daily",
    "tickets_every_6_hours", "backups_daily", "clients_monthly", "audit_every_2_hours",
    "own_book_every_2_hours", "source_changes", "unbilled_digest",
)  # fmt: skip


@pytest.mark.parametrize("name", TICKING)
def test_each_of_them_can_be_switched_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_OFF", f"{name}, nothing_else")
    built = build_defs()
    running = {
        part.name
        for part in [*(built.sensors or ()), *(built.schedules or ())]
        if part.default_status.value == "RUNNING"
    }
    assert name not in running
    assert running == {*TICKING} - {name}
